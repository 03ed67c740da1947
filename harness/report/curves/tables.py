"""The tables of a study by round: what the loop cost, what it gained, how it weighed clusters."""

from harness.report.curves.inputs import CurveStudy
from harness.report.curves.lines import COSTS, JUDGE
from harness.report.shared.columns import TRAIN_COST, column
from harness.report.shared.study_table import NOT_RUN, Line, digits_of, score_text
from harness.report.shared.tables import BLANK, TextTable, mean_sd, number, percent

SCORE_DIGITS = 3


def cost_table(study: CurveStudy, lines: list[Line]) -> TextTable:
    """What each selection had spent by the end of each round, beside that round's headline."""
    head = study.suite.column(study.suite.headline)
    missing = BLANK if any(point.row.has(head.name) for point in study.points) else NOT_RUN
    shown = {name: column(name) for name in (*COSTS, *JUDGE, "seconds", "flops", *TRAIN_COST)}
    shown = {n: one for n, one in shown.items() if any(line[n] == line[n] for line in lines)}
    rows = []
    for line in lines:
        cells = [line["selection"], str(line["round"]), number(line["rows"], 0)]
        cells += [one.text(line[name]) for name, one in shown.items()]
        rows.append([*cells, score_text(study.suite, line, head, missing)])
    heads = ["selection", "round", "rows", *(one.label for one in shown.values()), head.label]
    return TextTable(heads, rows)


def gain_table(study: CurveStudy, lines: list[Line]) -> TextTable:
    """Scores of given and generated answers by round, their gain and the benchmarks'."""
    head = study.suite.column(study.suite.headline)
    digits = digits_of(study.suite, head) + 1
    heads = ["selection", "scorer", "round", "score of gold", "of generated", "generated gained"]
    heads += [f"{head.label} gained", f"{head.label} gains next"]
    rows = []
    for line in lines:
        cells = [line["selection"], line["scorer"].replace("_", " "), str(line["round"])]
        cells += [number(line[name], SCORE_DIGITS) for name in ("gold", "generated")]
        cells.append(number(line["score_gain"], SCORE_DIGITS, sign=True))
        cells += [number(line[name], digits, sign=True) for name in ("gain_before", "gain_next")]
        rows.append(cells)
    return TextTable(heads, rows)


def weight_table(lines: list[Line]) -> TextTable:
    """How many clusters the weights of each round are worth, and how much is planted noise."""
    heads = ["selection", "round", "clusters", "effective number"]
    planted = any("weighted_noise" in line for line in lines)
    if planted:
        heads += ["on clusters of mostly noise", "noise by weight"]
    rows = []
    for line in lines:
        cells = [line["selection"], str(line["round"]), number(line["clusters"], 0)]
        cells.append(mean_sd(line["effective_clusters"], line["effective_clusters_sd"], 1))
        if planted:
            cells += [percent(line[name]) for name in ("noisy_weight", "weighted_noise")]
        rows.append(cells)
    return TextTable(heads, rows)
