"""A table for the terminal: a subset's measures beside those of random subsets."""

import logging

import numpy as np

from harness.common.markdown import aligned
from harness.describing.measures import PoolView, describe_subset
from harness.report.shared.columns import COVERAGE, column, value_text
from harness.scorers import SCORERS
from harness.select_command.choices import Choices
from harness.select_command.inputs import ToolInputs, choose

log = logging.getLogger(__name__)
BASELINE = "random"
DRAWS = 5  # random subsets, to show how much chance alone moves a measure
CHEAP = 10**12  # products of the pool with random subsets: half a minute on one core
RANDOM = "random: mean ± standard deviation of {} draws.\n"
READING = """\
A higher facility location and a lower covering radius cover the pool better, a
higher Vendi score is more variety; none is good by itself (docs/select.md)."""
UNKNOWN = "How the subset covers the pool is measured with --embedding-model minilm."


def measured(choices: Choices, inputs: ToolInputs, picks: np.ndarray) -> str:
    """Measures of the subset, and means ± deviations of random ones of its size, as text."""
    subsets = {choices.sampler: [picks]}
    m, embedded = len(picks), inputs.cards["embedding"] is not None
    draws = min(DRAWS, CHEAP // (m * inputs.seen.embeddings.size))
    if choices.sampler != BASELINE and draws:
        subsets[BASELINE] = [choose(choices, inputs, m, BASELINE, i)[0] for i in range(draws)]
    scores = {key: inputs.scores[key].to_numpy(dtype=np.float64) for key in choices.scorers}
    # Every comparison shows length, a confounder that is easily overlooked.
    scores.setdefault("length", SCORERS["length"](inputs.seen.pool))
    view = PoolView(inputs.seen.embeddings, scores=scores, quality=inputs.seen.quality)
    labels = inputs.seen.clustering.labels if inputs.cards["clusters"] else None
    columns = []
    for name, drawn in subsets.items():
        log.info("measuring the %s rows chosen by %s", f"{m:,}", name)
        measures = [describe_subset(view, mine, view.quality, labels) for mine in drawn]
        columns.append({key: [each[key] for each in measures] for key in measures[0]})
    table = [["", *subsets]]
    for key in columns[0]:
        # Without an embedding there is no coverage to measure.
        if embedded or key not in COVERAGE:
            label = column(key).label.removeprefix("own ")  # all are measured on the same embedding
            table.append([label, *(value_text(key, values[key]) for values in columns)])
    legend = RANDOM.format(draws) if len(subsets) > 1 and draws > 1 else ""
    return f"{aligned(table)}\n\n{legend}{READING if embedded else UNKNOWN}"
