"""Studies of curves: scores by size and by round, and what the rounds saw and cost."""
