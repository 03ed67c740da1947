"""The measures of a subset beside those of random ones, as a table for the terminal."""

import logging
from dataclasses import replace

import numpy as np

from harness.markdown import aligned
from harness.schemas import PoolRows
from harness.scorers import SCORERS
from harness.select_command.choices import Choices
from harness.select_command.inputs import Chosen, Inputs, choose
from harness.selection_report.columns import COVERAGE, column, value_text
from harness.selection_report.measures import PoolView, describe_subset

log = logging.getLogger(__name__)
BASELINE = "random"
DRAWS = 5  # random subsets, to see by how much chance alone moves a measure
CHEAP = 10**12  # products of the pool with random subsets: half a minute on one core
RANDOM = "random: mean ± standard deviation of {} draws.\n"
READING = """\
A higher facility location and a lower covering radius cover the pool better, a
higher Vendi score is more variety; none is good by itself (docs/select.md)."""
UNKNOWN = "How the subset covers the pool is measured with --embedding-model minilm."


def measured(choices: Choices, inputs: Inputs, chosen: Chosen) -> str:
    """The subset's measures, and means ± deviations of random ones of its size, as aligned text."""
    subsets = {choices.sampler: [chosen.picks]}
    n, m = len(inputs.frame), len(chosen.picks)
    width = 1 if inputs.vectors is None else inputs.vectors.array.shape[1]
    draws = min(DRAWS, CHEAP // (n * m * width))
    if choices.sampler != BASELINE and draws:
        seeds = [replace(choices, seed=(choices.seed + i) % 2**32) for i in range(draws)]
        subsets[BASELINE] = [choose(one, inputs, m, BASELINE).picks for one in seeds]
    view = _view(inputs)
    labels = None if inputs.clusters is None else inputs.clusters.clustering.labels
    known, columns = inputs.vectors is not None, []
    for name, drawn in subsets.items():
        log.info("measuring the %s rows chosen by %s", f"{m:,}", name)
        found = [describe_subset(view, picks, inputs.quality, labels) for picks in drawn]
        columns.append({key: [each[key] for each in found] for key in found[0]})
    table = [["", *subsets]]
    for key in columns[0]:
        # Without an embedding there is nothing that could be covered.
        if known or key not in COVERAGE:
            label = column(key).label.removeprefix("own ")  # all are measured by the same
            table.append([label, *(value_text(key, values[key]) for values in columns)])
    told = RANDOM.format(draws) if len(subsets) > 1 and draws > 1 else ""
    return f"{aligned(table)}\n\n{told}{READING if known else UNKNOWN}"


def _view(inputs: Inputs) -> PoolView:
    n = len(inputs.frame)
    table = inputs.scores.frame
    scores = {name: table[name].to_numpy(dtype=np.float64) for name in inputs.scores.cards}
    # Every comparison should show the length: it is what subsets differ by unnoticed.
    scores.setdefault("length", SCORERS["length"](PoolRows(inputs.frame)))
    array = np.ones((n, 1), dtype=np.float32) if inputs.vectors is None else inputs.vectors.array
    return PoolView(array, scores=scores, quality=inputs.quality)
