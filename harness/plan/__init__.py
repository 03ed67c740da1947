"""What a preset will take before anything runs: tokens, FLOPs, memory, hours, disk."""
