"""What each round of a feedback-driven selection cost, what its answers scored, how it weighed."""

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.common.markdown import markdown_text
from harness.feedback.weights import effective_clusters
from harness.report.curves.inputs import CurveStudy, Loop, SeedRounds
from harness.report.shared.statistics import deviation
from harness.round_systems.loop import MODEL_CALLS

if TYPE_CHECKING:
    import pandas as pd

NAN = float("nan")
COSTS = ("tokens_trained", "tokens_generated", "tokens_scored", "tokens_embedded")
JUDGE = ("judge_answers", "judge_left_out", "usd")
# The scorers whose score is the lower the better: what an answer gains is then what it loses.
FALLING = {"perplexity"}
MOSTLY = 0.5  # a cluster of more than this share of planted noise is mostly noise


def loop_lines(found: CurveStudy) -> list[dict[str, Any]]:
    """One line a selection and round; costs are of all rounds up to it, means over seeds."""
    lines = []
    for loop in found.loops:
        for place in range(loop.count):
            line: dict[str, Any] = {
                "selection": loop.name,
                "scorer": loop.scorer or "",
                "round": place + 1,
                "seeds": len(loop.seeds),
                "rows": float(np.mean(rows_until(loop, place))),
            }
            line |= _scores(found, loop, place) | costs(loop, place) | gap(found, loop, place)
            lines.append(line | weighing(loop, place))
    return lines


def rows_until(loop: Loop, place: int) -> tuple[int, ...]:
    """How many instances each seed had taken by the end of a round."""
    return tuple(
        sum(int(entry["rows"]) for entry in one.rounds[: place + 1]) for one in loop.seeds.values()
    )


def headline(found: CurveStudy, loop: Loop, place: int) -> np.ndarray:
    """The headline after a round by seed; empty where the study has no such row."""
    inside = 0 <= place < loop.count
    point = found.point_of(loop.name, rows_until(loop, place)) if inside else None
    return np.array(point.row.scores(found.suite.headline) if point else [])


def round_notes(found: CurveStudy) -> str:
    """What rounds warned of, each once with its seeds."""
    told: dict[tuple[str, int, str], list[str]] = {}
    for loop in found.loops:
        for seed, one in loop.seeds.items():
            for entry in one.rounds:
                for note in entry["notes"]:
                    told.setdefault((loop.name, entry["round"], note), []).append(str(seed))
    lines = [
        f"- {name}, round {number} (seed{'s' * (len(seeds) > 1)} {', '.join(seeds)}): {note}"
        for (name, number, note), seeds in told.items()
    ]
    return "\n".join(map(markdown_text, lines))


def _scores(found: CurveStudy, loop: Loop, place: int) -> dict[str, float]:
    name, scores = found.suite.headline, headline(found, loop, place)
    return {name: _mean(scores), f"{name}_sd": deviation(scores.tolist())}


def costs(loop: Loop, place: int) -> dict[str, float]:
    """What the rounds up to this one cost; NaN for what no round of the selection spends."""
    every = [entry["cost"] for one in loop.seeds.values() for entry in one.rounds]
    spent = {name for cost in every for name in cost}
    line = {name: _spent(loop, place, name) if name in spent else NAN for name in COSTS}
    line["model_calls"] = sum(_spent(loop, place, name) for name in MODEL_CALLS)
    line |= {name: _spent(loop, place, name) if name in spent else NAN for name in JUDGE}
    seconds = [sum(e["seconds"] for e in one.rounds[: place + 1]) for one in loop.seeds.values()]
    return {**line, "seconds": float(np.mean(seconds))}


def _spent(loop: Loop, place: int, name: str) -> float:
    each = [
        sum(float(entry["cost"].get(name, 0)) for entry in one.rounds[: place + 1])
        for one in loop.seeds.values()
    ]
    return float(np.mean(each))


def gap(found: CurveStudy, loop: Loop, place: int) -> dict[str, float]:
    """What the answers of a round scored and gained, and what the benchmarks gained.

    Gains are positive where things got better, whichever way a score runs. ``score_gain`` is that
    of the generated answers since the round before, on the instances asked about in both, on all
    where no instance was; ``gain_before`` and ``gain_next`` are the headline's, from the cut of the
    round before to this one's, and from this one's to the next.
    """
    names = ("gold", "generated")
    line = {
        name: _over_seeds(loop, place, lambda a, _, n=name: _known_mean(a[n].to_numpy()))
        for name in names
    }
    line["score_gain"] = _over_seeds(loop, place, _gained) * (-1 if loop.scorer in FALLING else 1)
    sign = 1 if found.suite.column(found.suite.headline).higher_is_better else -1
    before, here, after = (headline(found, loop, i) for i in (place - 1, place, place + 1))
    line["gain_before"] = sign * (_mean(here) - _mean(before))
    line["gain_next"] = sign * (_mean(after) - _mean(here))
    return line


def _over_seeds(loop: Loop, place: int, measure: Any) -> float:  # noqa: ANN401  (a function)
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


def weighing(loop: Loop, place: int) -> dict[str, float]:
    """How spread the weights a round drew by are, and how much of them lies on planted noise.

    ``noisy_weight`` is the weight of the clusters of mostly noise, NaN where there is none;
    ``weighted_noise`` the share of noise in each cluster, averaged by weight.
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
