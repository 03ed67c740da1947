"""The report of a study by round as text: scores, what the loop cost, gains, weights, noise."""

from typing import Any

from harness.common.markdown import markdown_text
from harness.report.curves.cost_table import cost_note, cost_table
from harness.report.curves.inputs import WEIGHING, CurveStudy
from harness.report.curves.loops import FALLING, MOSTLY, round_notes
from harness.report.curves.scores import score_table
from harness.report.shared.footnotes import cut_notes, score_notes
from harness.report.shared.notes import preset_note
from harness.report.shared.runs import BASELINE
from harness.report.shared.text_tables import BLANK, TextTable, digits_of, markdown_table, number

Lines = list[dict[str, Any]]
SCORE_DIGITS = 3


def markdown(found: CurveStudy, scores: Lines, loops: Lines) -> str:
    """The report's text: tables, what is to be seen in them, and how to read them."""
    params = found.params
    title = params.studies[found.study].title or f"{found.study} study"
    rows = [point.row for point in found.points]
    notes = [*map(markdown_text, score_notes(found.suite, rows))]
    parts = [
        markdown_text(f"# {title}, preset {params.preset}"),
        preset_note(params.preset),
        markdown_table(score_table(found, scores)),
        *notes,
        *map(markdown_text, cut_notes(rows)),
        "![scores](table.png)",
        markdown_text(reading(found, scores)),
    ]
    if loops:
        parts += [
            judge_note(found),
            "## What the loop cost",
            markdown_table(cost_table(found, loops)),
            *notes,
            cost_note(loops),
            round_notes(found),
        ]
    if found.weighed:
        weighed = [line for line in loops if "effective_clusters" in line]
        parts += _feedback(found, weighed, notes)
    rounds = ", `rounds.csv` (a line a round)" if loops else ""
    parts.append(f"Every number: `table.csv` (a line a row of the table){rounds}.")
    return "\n\n".join(part for part in parts if part) + "\n"


def reading(found: CurveStudy, scores: Lines) -> str:
    """What a row is, and what its difference and its p are."""
    alone = [
        line["row"] for line in scores if line["selection"] != BASELINE and not line["against"]
    ]
    tested = sum(line["p"] == line["p"] for line in scores)
    text = (
        "Each row is the beginning of a selection's subsets, after so many rounds or rows, trained "
        "on from the base model by the full recipe and evaluated as in the main table: mean over "
        "seeds ± standard deviation (n − 1). Difference: from as many random rows, paired by "
        "benchmark item and, where the seeds are the same, by seed; its interval is made as the "
        f"main table's. p: two-sided, corrected by Holm's method for {tested} "
        f"difference{'s' if tested != 1 else ''}. Bold: the best row, only if it differs from "
        "random by p < 0.05."
    )
    if alone:
        text += f" No random of the same size is in the study for: {', '.join(alone)}."
    return text + (
        " Vendi score: the effective number of different rows in the subset, on the embedding "
        f"`{found.params.defaults.embedding}` (Friedman & Dieng 2023, cosine similarity, order 1)."
    )


def judge_note(found: CurveStudy) -> str:
    """Why an LLM judge has no row, where the study is about scorers and has none."""
    if not found.weighed or any(loop.scorer == "judge" for loop in found.loops):
        return ""
    return (
        f"The LLM judge has no row: no selection of this study is of sampler `{WEIGHING}` with "
        "`scorer: judge`. A judge answers over a network, and no LLM judge is reachable without "
        "one. `judge` in params.yaml says where it is and which model; docs/rounds.md names its "
        "params, and the entries that would fill the row."
    )


def _feedback(found: CurveStudy, loops: Lines, notes: list[str]) -> list[str]:
    return [
        "## What the answers gained, and what the benchmarks",
        markdown_table(gain_table(found, loops)),
        *notes,
        markdown_text(hacking(found, loops)),
        markdown_text(_gain_note(found, loops)),
        "## Weights of the clusters",
        markdown_table(weight_table(loops)),
        "![weights](weights.png)",
        "A round draws by the weights that the rounds before have led to; the first by those it "
        "begins with. Effective number of clusters: exp of the weights' entropy, as many clusters "
        "of equal weight would be as spread.",
        markdown_text(noise_note(loops)),
    ]


def gain_table(found: CurveStudy, loops: Lines) -> TextTable:
    """Scores of given and generated answers by round, their gain and the benchmarks'."""
    head = found.suite.column(found.suite.headline)
    digits = digits_of(found.suite, head) + 1
    heads = ["selection", "scorer", "round", "score of gold", "of generated", "generated gained"]
    heads += [f"{head.label} gained", f"{head.label} gains next"]
    rows = []
    for line in loops:
        cells = [line["selection"], line["scorer"].replace("_", " "), str(line["round"])]
        cells += [number(line[name], SCORE_DIGITS) for name in ("gold", "generated")]
        cells.append(number(line["score_gain"], SCORE_DIGITS, sign=True))
        cells += [number(line[name], digits, sign=True) for name in ("gain_before", "gain_next")]
        rows.append(cells)
    return TextTable(heads, rows)


def hacking(found: CurveStudy, loops: Lines) -> str:
    """Where the answers' score rose and the headline did not, in one sentence."""
    head = found.suite.column(found.suite.headline)
    digits = digits_of(found.suite, head) + 1
    both = ("score_gain", "gain_before")
    known = [line for line in loops if all(line[name] == line[name] for name in both)]
    apart = [
        f"{line['selection']} in round {line['round']} (score "
        f"{number(line['score_gain'], SCORE_DIGITS, sign=True)}, {head.label} "
        f"{number(line['gain_before'], digits, sign=True)})"
        for line in known
        if line["score_gain"] > 0 and line["gain_before"] <= 0
    ]
    if not known:
        return (
            "Whether the score rose without the benchmarks cannot be said: no selection has two "
            "rounds that were asked about and are rows of the study."
        )
    if not apart:
        return (
            f"In none of the {len(known)} rounds that can be compared did the score of the "
            f"generated answers rise and {head.label} not."
        )
    return (
        f"The score of the generated answers rose and {head.label} did not: {', '.join(apart)}; of "
        f"{len(known)} rounds that can be compared."
    )


def _gain_note(found: CurveStudy, loops: Lines) -> str:
    head = found.suite.column(found.suite.headline)
    text = (
        "Gold: the given responses, generated: those of the model trained in the round's feedback. "
        "Gained: since the round before, the score on the instances asked about in both (on all, "
        f"where none was asked about twice), {head.label} from the last round's row to this one's; "
        "gains next: from this round's row to the next. Means over seeds; a plus is for the "
        f"better. The standard deviation of {head.label} over seeds stands in the first table: a "
        "gain within it tells nothing. After the last round nothing is asked."
    )
    falling = sorted({line["scorer"] for line in loops} & FALLING)
    if falling:
        text += (
            f" The score by {falling[0]} is its logarithm under the model trained then, of prompt "
            "and response: lower is better, and an answer gains by what it falls."
        )
    return text


def weight_table(loops: Lines) -> TextTable:
    """How many clusters the weights of each round are worth, and what lies on planted noise."""
    heads = ["selection", "round", "clusters", "effective number"]
    planted = any("weighted_noise" in line for line in loops)
    if planted:
        heads += ["on clusters of mostly noise", "noise by weight"]
    rows = []
    for line in loops:
        spread, sd = number(line["effective_clusters"], 1), line["effective_clusters_sd"]
        spread += f" ± {number(sd, 1)}" if sd == sd else ""
        cells = [line["selection"], str(line["round"]), number(line["clusters"], 0), spread]
        if planted:
            cells += [_percent(line[name]) for name in ("noisy_weight", "weighted_noise")]
        rows.append(cells)
    return TextTable(heads, rows)


def _percent(share: float) -> str:
    text = number(100 * share, 1)
    return text if text == BLANK else f"{text}%"


def noise_note(loops: Lines) -> str:
    """What the two columns of planted noise are, and how many clusters are mostly noise."""
    counts = {line["selection"]: line for line in loops if "noisy_clusters" in line}
    if not counts:
        return ""
    told = []
    for name, line in counts.items():
        count = number(line["noisy_clusters"], 0) if line["noisy_clusters"] else "none"
        told.append(f"{count} of the {number(line['clusters'], 0)} of {name}")
    return (
        f"Clusters of mostly noise hold a planted fault in more than {MOSTLY:.0%} of their "
        f"instances: {', '.join(told)}. Noise by weight: the share of faulty instances in each "
        "cluster, averaged by the round's weights; weights by size give the pool's own share."
    )
