"""What each selection by round had spent by the end of each round, as a table with its note."""

from typing import Any

from harness.report.curves.inputs import CurveStudy
from harness.report.shared.study_table import NOT_RUN
from harness.report.shared.text_tables import BLANK, TextTable, digits_of, number, score_text

Lines = list[dict[str, Any]]
COST_HEADS = {
    "tokens_trained": "tokens trained",
    "tokens_generated": "tokens generated",
    "tokens_scored": "tokens scored",
    "tokens_embedded": "tokens embedded",
    "model_calls": "model calls",
    "judge_answers": "judge answers",
    "judge_left_out": "left out by the judge",
    "usd": "USD",
    "seconds": "seconds",
}
PLACES = {"usd": 2, "seconds": 1}


def cost_note(loops: Lines) -> str:
    """What the columns of the costs count."""
    text = (
        "Of all rounds up to the row's, means over seeds; the last round trains and asks nothing. "
        "Tokens trained are counted once an epoch."
    )
    if any(line["tokens_scored"] == line["tokens_scored"] for line in loops):
        text += (
            " Tokens scored are of given and, where the model answered, generated responses, each "
            "with its prompt."
        )
    if any(line["judge_answers"] == line["judge_answers"] for line in loops):
        text += (
            " A judge is asked each question once a seed: what a round asks again is counted in "
            "the first that asked it, and what another seed or an earlier run has paid for is "
            "counted here too, so that the cost is that of the selection alone. Judge answers: at "
            "most two a question; requests that failed are none. Left out: responses that it gave "
            "no rating, in each round. USD: by the prices in params.yaml, if any."
        )
    return text + (
        " Model calls: conversations that a model answered, scored or embedded. The models of the "
        "loop only choose: training on the subset, as for every row above, comes on top."
    )


def cost_table(found: CurveStudy, loops: Lines) -> TextTable:
    """What each selection had spent by the end of each round, beside that round's headline."""
    head = found.suite.column(found.suite.headline)
    digits = digits_of(found.suite, head)
    missing = BLANK if any(point.row.has(head.name) for point in found.points) else NOT_RUN
    names = [n for n in COST_HEADS if any(line[n] == line[n] for line in loops)]
    rows = []
    for line in loops:
        cells = [line["selection"], str(line["round"]), number(line["rows"], 0)]
        cells += [number(line[name], PLACES.get(name, 0)) for name in names]
        rows.append([*cells, score_text(line, head.name, digits, missing)])
    heads = ["selection", "round", "rows", *(COST_HEADS[name] for name in names), head.label]
    return TextTable(heads, rows)
