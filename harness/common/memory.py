"""The peak memory of this process."""

import resource
import sys


def peak_memory_mb(device: str = "cpu") -> float:
    """Peak memory so far, in MiB: of the tensors on CUDA, else of the process."""
    if device == "cuda":
        import torch

        return round(torch.cuda.max_memory_allocated() / 2**20, 1)
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in KiB, on macOS in bytes
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)
