"""Floating-point operations (FLOPs) of training and reading, by the usual approximations.

A product of a weight and an activation is two operations. A token that a model reads takes 2 N of
them, one that it learns from 6 N: forward once, and backward as much again for the activations'
gradients and once more for the weights' (Kaplan et al. 2020, arXiv 2001.08361, section 2.1;
Hoffmann et al. 2022, arXiv 2203.15556, appendix F). N counts the parameters that a token is
multiplied by: `harness.models.size`.

Left out: attention between positions (2 x layers x context x width a token forward, a few percent
at contexts below the width), norms, softmax, the optimiser, padding, and what checkpointing
computes twice: these are operations of the model, not of a device. The output head is counted for
every token, though losses and scores need it at responses only, and hidden states not at all.
"""


def training(tokens: float, parameters: float, trained: float | None = None) -> float:
    """FLOPs of learning from tokens, counted once an epoch.

    Args:
        tokens: read while learning.
        parameters: N of the model, adapters included.
        trained: those among them that get gradients; None for all. Only these need the products of
            the last third: with LoRA it is about 4 N a token.
    """
    return tokens * (4 * parameters + 2 * (parameters if trained is None else trained))


def reading(tokens: float, parameters: float) -> float:
    """FLOPs of a forward pass over tokens: read, scored, embedded, or generated one by one.

    A generated token is read once, as the states before it are kept.
    """
    return 2.0 * parameters * tokens


def clustering(rows: int, dimensions: int, k: int, iterations: int) -> float:
    """FLOPs of k-means: distances of every row to 2k seeds, k centroids an iteration, silhouette.

    Those of plain Lloyd iterations: an implementation that skips distances does fewer.
    """
    return 2.0 * rows * dimensions * k * (iterations + 3)
