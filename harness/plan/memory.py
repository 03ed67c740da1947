"""Memory that a training and a reading take on one device, in bytes.

Weights, gradients and AdamW's two moments in float32 are 16 bytes a parameter that is trained, 4 a
parameter that is not (Rajbhandari et al. 2020, "ZeRO", arXiv 1910.02054, section 3.1: the same 16
in its own mix of precisions). Activations in bfloat16, attention computed without its matrix: 34
bytes a position, layer and unit of width (Korthikanti et al. 2022, arXiv 2205.05198, section 4.1,
less the part that grows with the square of the length); with checkpointing 2, and the 34 of one
layer. The logits are float32, with their gradient and one copy; a classifier has next to none.
"""

from harness.plan.stated import Shape

TRAINED, FROZEN, READ = 16, 4, 2  # bytes a parameter
ACTIVATIONS, KEPT = 34, 2  # bytes a position, layer and unit of width
LOGITS = 12  # bytes a position and token of the vocabulary
GB = 1e9


def training(
    parameters: int,
    shape: Shape | None,
    batch: int,
    length: int,
    trained: int | None = None,
    checkpointing: bool = False,
) -> float:
    """Bytes of a training step.

    Args:
        parameters: of the model.
        shape: its sizes; without them activations are left out.
        batch: rows a device and step.
        length: tokens of the longest row.
        trained: parameters that learn, adapters that come on top; None for all of the model's.
        checkpointing: whether activations are computed again going backward.
    """
    frozen = 0 if trained is None else parameters
    weights = FROZEN * frozen + TRAINED * (parameters if trained is None else trained)
    if shape is None:
        return float(weights)
    positions = batch * length
    layer = ACTIVATIONS * positions * shape.hidden
    kept = KEPT * positions * shape.hidden * shape.layers + layer
    activations = kept if checkpointing else layer * shape.layers
    logits = 0 if shape.classifier else LOGITS * positions * shape.vocabulary
    return float(weights + activations + logits)


def reading(parameters: int, shape: Shape | None, batch: int, length: int) -> float:
    """Bytes of reading, or generating up to, so many rows of a length, in bfloat16."""
    weights = READ * parameters
    if shape is None:
        return float(weights)
    cache = 2 * 2 * shape.layers * shape.kv_width * batch * length
    logits = 0 if shape.classifier else LOGITS * batch * shape.vocabulary
    return float(weights + cache + logits)


def lora_parameters(shape: Shape, rank: int) -> int:
    """Parameters of adapters of a rank on every matrix of the layers: rank x (inputs + outputs)."""
    wide, kv, inner = shape.hidden, shape.kv_width, shape.intermediate
    sides = 2 * (wide + wide) + 2 * (wide + kv) + 3 * (wide + inner)
    return rank * shape.layers * sides
