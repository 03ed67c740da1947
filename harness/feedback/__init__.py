"""What a model's own answers tell about what to select next."""
