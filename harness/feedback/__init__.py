"""What a feedback-driven selection observes of its model, and what it makes of that."""
