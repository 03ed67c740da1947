"""What a feedback-driven selection observes of a model it has trained, and what it makes of that."""
