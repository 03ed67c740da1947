"""params.yaml, typed: one module for each section that a stage reads."""
