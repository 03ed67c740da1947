"""Feedback-driven selection: observations of the trained model, and weights."""
