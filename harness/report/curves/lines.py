"""The numbers of a study of curves: a line a row, and a line a selection and round."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from harness.feedback.weights import effective_clusters
from harness.report.curves.inputs import CurveStudy, Loop, Point, SeedRounds
from harness.report.shared.columns import TRAIN_COST
from harness.report.shared.judging import Pair, in_main_table, judged, one_p_each
from harness.report.shared.runs import BASELINE, trained_cost
from harness.report.shared.study_table import Line, difference_fields, score_fields
from harness.round_systems.loop import MODEL_CALLS
from harness.statistics.differences import NAN, Difference
from harness.statistics.seeds import deviation

if TYPE_CHECKING:
    import pandas as pd

TESTED_THERE = "tested in the main table"
CHANCE = "A/A: both are random draws"
REFERENCE = "a reference"
TOKENS = ("trained", "prompted", "generated", "scored", "embedded")
COSTS = (*(f"tokens_{kind}" for kind in TOKENS), "model_calls")
JUDGE = ("judge_answers", "judge_left_out", "usd")
# Scorers whose score is better when lower: an answer gains what its score loses.
FALLING = {"perplexity"}
MOSTLY = 0.5  # a cluster with more than this share of planted noise is mostly noise


def score_lines(study: CurveStudy) -> list[Line]:
    """Every number of the table: selections in the study's order, each by size.

    ``diff`` is the headline less that of as many random rows, NaN where the study has no such row
    of random; ``p`` is Holm's over all differences of the table but those with a ``remark``.
    """
    gaps, remarks, sign = _differences(study)
    lines = []
    for point in _in_order(study.points):
        row = point.row
        vendi = [point.seeds[seed].measures["vendi_score"] for seed in row.seeds]
        line: Line = {"selection": point.curve, "row": row.name}
        line |= {"trial": True} if row.trial else {}
        line |= {"rows": float(np.mean(point.sizes)), "seeds": len(row.seeds)}
        line |= score_fields(study.suite, row)
        line |= {"vendi_score": float(np.mean(vendi)), "vendi_score_sd": deviation(vendi)}
        random = _random_of(study, point)
        line["against"] = random.row.name if random else ""
        pair = row.name, line["against"]
        line["remark"] = remarks.get(pair, "")
        lines.append(line | difference_fields(gaps.get(pair), sign))
    return lines


def _differences(study: CurveStudy) -> tuple[dict[Pair, Difference], dict[Pair, str], int]:
    """Each row's difference from as many random rows; why some are not tested; the sign."""
    rows = [point.row for point in study.points]
    table = judged(study.params, study.suite, rows)
    gaps: dict[Pair, Difference] = {}
    remarks: dict[Pair, str] = {}
    for point in study.points:
        random = _random_of(study, point)
        if not random or not {point.row.name, random.row.name} <= table.rows.keys():
            continue
        pair = point.row.name, random.row.name
        gaps[pair] = table.at(table.rows[pair[1]].budget).difference(*pair)
        cells = point.row.cells[0], random.row.cells[0]
        if point.of not in study.params.every_selection:
            remarks[pair] = REFERENCE
        elif in_main_table(study.params, study.study, *cells):
            remarks[pair] = TESTED_THERE
        elif max(point.sizes) <= _drawn_at_random(study, point):
            remarks[pair] = CHANCE
    tested = [pair for pair in gaps if pair not in remarks]
    return one_p_each(study.params, study.study, rows, gaps, tested), remarks, table.sign


def _random_of(study: CurveStudy, point: Point) -> Point | None:
    """As many random rows, of the same base model, if the study has them."""
    return None if point.curve == BASELINE else study.point_of(BASELINE, point.sizes, point.base)


def outlying_rows(study: CurveStudy) -> list[str]:
    """The rows that are judged by a variance of their own, each at its own budget."""
    table = judged(study.params, study.suite, [point.row for point in study.points])
    budgets = {row.budget for row in table.rows.values()}
    return sorted({name for budget in budgets for name in table.at(budget).outliers})


def _drawn_at_random(study: CurveStudy, point: Point) -> int:
    """How many first rows of a selection are a random draw: DiverseEvol's first round."""
    item = study.params.selections_rounds.get(point.of)
    if item is None or item.sampler != "diverse_evol":
        return 0
    return max(rows_until(next(loop for loop in study.loops if loop.name == point.of), 0))


def _in_order(points: list[Point]) -> list[Point]:
    names = list(dict.fromkeys(point.curve for point in points))
    return sorted(points, key=lambda point: (names.index(point.curve), point.sizes))


def loop_lines(study: CurveStudy) -> list[Line]:
    """One line a selection and round; costs are of all rounds up to it, means over seeds."""
    lines = []
    for loop in study.loops:
        for place in range(loop.count):
            line: Line = {"selection": loop.name, "scorer": loop.scorer or "", "round": place + 1}
            line |= {"seeds": len(loop.seeds), "rows": float(np.mean(rows_until(loop, place)))}
            name, scores = study.suite.headline, headline(study, loop, place)
            line |= {name: _mean(scores), f"{name}_sd": deviation(scores.tolist())}
            line |= costs(loop, place) | training_cost(study, loop, place)
            line |= gap(study, loop, place) | weighing(loop, place)
            lines.append(line)
    return lines


def rows_until(loop: Loop, place: int) -> tuple[int, ...]:
    """How many instances each seed had taken by the end of a round."""
    return tuple(
        sum(int(entry["rows"]) for entry in one.rounds[: place + 1]) for one in loop.seeds.values()
    )


def headline(study: CurveStudy, loop: Loop, place: int) -> np.ndarray:
    """The headline after a round by seed; empty where the study has no such row."""
    inside = 0 <= place < loop.count
    point = study.point_of(loop.name, rows_until(loop, place)) if inside else None
    return np.array(point.row.scores(study.suite.headline) if point else [])


def round_notes(study: CurveStudy) -> list[tuple[str, int, list[str], str]]:
    """What rounds warned of, each warning once: selection, round, seeds, text."""
    notes: dict[tuple[str, int, str], list[str]] = {}
    for loop in study.loops:
        for seed, one in loop.seeds.items():
            for entry in one.rounds:
                for note in entry["notes"]:
                    notes.setdefault((loop.name, entry["round"], note), []).append(str(seed))
    return [(name, number, seeds, note) for (name, number, note), seeds in notes.items()]


def costs(loop: Loop, place: int) -> Line:
    """What the rounds up to this one cost; NaN for what no round of the selection spends."""
    done = [one.rounds[: place + 1] for one in loop.seeds.values()]

    def spent(name: str) -> float:
        each = [sum(float(entry["cost"].get(name, 0)) for entry in rounds) for rounds in done]
        return float(np.mean(each))

    known = {name for one in loop.seeds.values() for entry in one.rounds for name in entry["cost"]}
    line = {name: spent(name) if name in known else NAN for name in (*COSTS, *JUDGE)}
    line["model_calls"] = sum(spent(name) for name in MODEL_CALLS)
    seconds = [sum(entry["seconds"] for entry in rounds) for rounds in done]
    line["seconds"] = float(np.mean(seconds))
    # What a judge computed is not known.
    line["flops"] = NAN if "judge_answers" in known else spent("flops")
    return line


def training_cost(study: CurveStudy, loop: Loop, place: int) -> Line:
    """What training on the rows taken by the end of a round took; NaN without such a row."""
    point = study.point_of(loop.name, rows_until(loop, place))
    manifests = point.row.manifests.values() if point else ()
    each = [trained_cost(manifest) for manifest in manifests]
    names = tuple(TRAIN_COST)
    return {name: _mean(np.array([one[name] for one in each])) for name in names}


def gap(study: CurveStudy, loop: Loop, place: int) -> Line:
    """What the answers of a round scored and gained, and what the benchmarks gained.

    Gains are positive where things got better, whichever way a score runs. ``score_gain`` is that
    of the generated answers since the round before, on the instances asked about in both, on all
    where there are none; ``gain_before`` and ``gain_next`` are the headline's, from the row of the
    round before to this one's, and from this one's to the next.
    """
    line = {
        name: _over_seeds(loop, place, lambda a, _, n=name: _known_mean(a[n].to_numpy()))
        for name in ("gold", "generated")
    }
    line["score_gain"] = _over_seeds(loop, place, _gained) * (-1 if loop.scorer in FALLING else 1)
    sign = 1 if study.suite.column(study.suite.headline).higher_is_better else -1
    before, here, after = (_mean(headline(study, loop, i)) for i in (place - 1, place, place + 1))
    return {**line, "gain_before": sign * (here - before), "gain_next": sign * (after - here)}


def _over_seeds(
    loop: Loop, place: int, measure: "Callable[[pd.DataFrame, pd.DataFrame | None], float]"
) -> float:
    """The mean over seeds of a measure of a round's answers and those of the round before."""
    values = []
    for one in loop.seeds.values():
        answers = _answers(one, place + 1)
        values.append(NAN if answers is None else measure(answers, _answers(one, place)))
    return _mean(np.array(values))


def _answers(one: SeedRounds, number: int) -> "pd.DataFrame | None":
    """Scores of a round's answers; None where nothing was asked."""
    if one.instances is None:
        return None
    mine = one.instances.loc[one.instances["round"] == number]
    return mine if len(mine) else None


def _gained(answers: "pd.DataFrame", before: "pd.DataFrame | None") -> float:
    if before is None:
        return NAN
    now, then = answers["generated"].to_numpy(), before["generated"].to_numpy()
    asked, earlier = (frame["id"].to_numpy(str) for frame in (answers, before))
    _, here, there = np.intersect1d(asked, earlier, return_indices=True)
    gains = now[here] - then[there]
    if np.isfinite(gains).any():
        return _known_mean(gains)
    return _known_mean(now) - _known_mean(then)


def _known_mean(values: np.ndarray) -> float:
    return _mean(values[np.isfinite(values)])


def weights(loop: Loop) -> np.ndarray:
    """The weights of clusters by which each round drew: (seeds, rounds, k)."""
    tables = []
    for one in loop.seeds.values():
        assert one.clusters is not None
        table = one.clusters.pivot(index="round", columns="cluster", values="weight_before")
        tables.append(table.sort_index().sort_index(axis=1).to_numpy())
    return np.array(tables)


def weighing(loop: Loop, place: int) -> Line:
    """How evenly a round's weights spread, and how much of them is on planted noise.

    ``noisy_weight`` is the weight of the clusters of mostly noise, NaN where there is none;
    ``weighted_noise`` the share of noise in each cluster, averaged by weight. Empty for a loop that
    weighs nothing.
    """
    if not loop.weighed:
        return {}
    each = weights(loop)[:, place]
    spread = [effective_clusters(one) for one in each]
    line = {"effective_clusters": float(np.mean(spread)), "clusters": float(each.shape[1])}
    line["effective_clusters_sd"] = deviation(spread)
    if loop.noise is None:
        return line
    noisy = loop.noise > MOSTLY
    line["noisy_clusters"] = float(noisy.sum())
    line["noisy_weight"] = float(each[:, noisy].sum(axis=1).mean()) if noisy.any() else NAN
    return {**line, "weighted_noise": float((each @ loop.noise).mean())}


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else NAN
