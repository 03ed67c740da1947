"""The measures of a subset beside those of a random one, as a table for the terminal."""

import logging

import numpy as np

from harness.markdown import aligned
from harness.scorers import SCORERS
from harness.select_command.choices import Choices
from harness.select_command.inputs import Chosen, Inputs, choose
from harness.selection_report.columns import COVERAGE, measure_lines
from harness.selection_report.measures import PoolView, describe_subset

log = logging.getLogger(__name__)
BASELINE = "random"
CHEAP = 10**12  # products of the pool with the subset: half a minute on one core
READING = """\
A higher facility location and a lower covering radius cover the pool better, a
higher Vendi score is more variety; none is good by itself (docs/select.md)."""
UNKNOWN = "How the subset covers the pool is measured with --embedding-model minilm."


def measured(choices: Choices, inputs: Inputs, chosen: Chosen) -> str:
    """The subset's measures and a random subset's of the same size, as aligned text."""
    subsets = {choices.sampler: chosen.picks}
    n, m = len(inputs.frame), len(chosen.picks)
    width = 1 if inputs.vectors is None else inputs.vectors.array.shape[1]
    if choices.sampler != BASELINE and n * m * width <= CHEAP:
        subsets[BASELINE] = choose(choices, inputs, m, BASELINE).picks
    view = _view(inputs)
    labels = None if inputs.clusters is None else inputs.clusters.clustering.labels
    known, found = inputs.vectors is not None, []
    for name, picks in subsets.items():
        log.info("measuring the %s rows chosen by %s", f"{m:,}", name)
        every = describe_subset(view, picks, inputs.quality, labels)
        # Without an embedding there is nothing that could be covered.
        found.append({k: v for k, v in every.items() if known or k not in COVERAGE})
    columns = [measure_lines(measures) for measures in found]
    table = [["", *subsets]]
    for cells in zip(*columns, strict=True):
        label = cells[0][0].removeprefix("own ")  # both subsets are measured by the same
        table.append([label, *(text for _, text in cells)])
    return f"{aligned(table)}\n\n{READING if known else UNKNOWN}"


def _view(inputs: Inputs) -> PoolView:
    n = len(inputs.frame)
    table = inputs.scores.frame
    scores = {name: table[name].to_numpy(dtype=np.float64) for name in inputs.scores.cards}
    # Every comparison should show the length: it is what subsets differ by unnoticed.
    scores.setdefault("length", SCORERS["length"](inputs.frame))
    array = np.ones((n, 1), dtype=np.float32) if inputs.vectors is None else inputs.vectors.array
    return PoolView(array, scores=scores, quality=inputs.quality)
