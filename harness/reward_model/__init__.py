"""The reward model: trained here on pairs, or any classifier of one output."""
