"""The charts of a table of scores: differences with their intervals, and scores against cost."""

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

from harness.report.scores.table import StudyTable
from harness.report.shared.charts import GREY, Chart, apart, chart, front, intervals, values
from harness.report.shared.study_table import digits_of, unit_of
from harness.report.shared.tables import number

COSTS = {  # what a row cost, and the fields of its line that are added
    "FLOPs of selection and training": ("select_flops", "train_flops"),
    "FLOPs, with what selections share": ("select_flops", "shared_flops", "train_flops"),
    "seconds of selection and training": ("select_seconds", "train_seconds"),
    "seconds, with what selections share": ("select_seconds", "shared_seconds", "train_seconds"),
}
FAR = 1.25  # times the largest difference or end of an interval of a selection


def score_charts(table: StudyTable) -> list[Chart]:
    """Differences from each baseline, and the headline against what a row cost."""
    charts = [difference_chart(table, name, suffix) for name, suffix in table.baselines.items()]
    return [one for one in [*charts, cost_chart(table)] if one is not None]


def difference_chart(table: StudyTable, baseline: str, suffix: str) -> Chart | None:
    """Each row's difference from a baseline with its interval; None where nothing is compared.

    References that lie far outside, as the whole pool, are named in the caption: on the scale that
    they need, no interval of the others could be read.
    """
    head = table.suite.column(table.suite.headline)
    digits = digits_of(table.suite, head)
    unit = unit_of(digits)
    records = [
        {
            "name": line["selection"],
            "value": line[f"diff{suffix}"],
            "low": line[f"diff_low{suffix}"],
            "high": line[f"diff_high{suffix}"],
            "verdict": line[f"verdict{suffix}"] or "not tested",
        }
        for line in table.lines
        if not isnan(line[f"diff{suffix}"])
    ]
    if not records:
        return None
    references = {line["selection"] for line in table.lines if line["kind"] == "reference"}
    ends = [
        abs(one[end])
        for one in records
        if one["name"] not in references
        for end in ("value", "low", "high")
        if not isnan(one[end])
    ]
    far = {
        one["name"]: number(one["value"], digits, sign=True)
        for one in records
        if ends and one["name"] in references and abs(one["value"]) > FAR * max(ends)
    }
    outside = ", ".join(f"{name} ({value})" for name, value in far.items())
    better = "right" if head.higher_is_better else "left"
    return intervals(
        [one for one in records if one["name"] not in far],
        f"Differences from {baseline}",
        f"{unit.capitalize()} of {head.label} with 95% intervals; further {better} is better."
        + (f" Outside the chart: {outside}." if far else ""),
        f"difference from {baseline} ({unit})",
        group="verdict",
        zero=True,
    )


def cost_records(table: StudyTable) -> list[dict[str, Any]]:
    """A record a row and kind of cost: its score with interval, and whether it is on the front.

    A cost that is not known is NaN, and its row beside no front. What costs nothing, as the base
    model, is in no logarithmic chart, but a row that scores no better is not on the front.
    """
    head = table.suite.column(table.suite.headline)
    sign = 1 if head.higher_is_better else -1
    records: list[dict[str, Any]] = []
    for kind, fields in COSTS.items():
        mine = [
            {
                "name": line["selection"],
                "kind": kind,
                "cost": cost,
                "score": line[head.name],
                "low": line["low"],
                "high": line["high"],
            }
            for line in table.lines
            if not isnan(cost := sum(line.get(name, 0.0) for name in fields))
            and not isnan(line[head.name])
        ]
        on_front = front([(one["cost"], one["score"]) for one in mine], sign)
        drawn = [(one, on) for one, on in zip(mine, on_front, strict=True) if one["cost"] > 0]
        points = [(one["cost"], one["score"]) for one, _ in drawn]
        labelled = apart(points, [on for _, on in drawn]) if points else []
        records += [
            one | {"front": on, "label": one["name"] if named else ""}
            for (one, on), named in zip(drawn, labelled, strict=True)
        ]
    return records


def not_drawn(table: StudyTable, records: Sequence[Mapping[str, Any]]) -> str:
    """In a sentence, which rows with a score are not drawn by which kinds of cost."""
    head = table.suite.column(table.suite.headline)
    drawn = {(one["name"], one["kind"]) for one in records}
    absent: dict[tuple[str, ...], list[str]] = {}
    for line in table.lines:
        name = line["selection"]
        kinds = tuple(kind for kind in COSTS if (name, kind) not in drawn)
        if kinds and not isnan(line[head.name]):
            absent.setdefault(kinds, []).append(name)
    parts = [f"{', '.join(names)} by {' and by '.join(kinds)}" for kinds, names in absent.items()]
    return f" Not drawn, as the cost is zero or not known: {'; '.join(parts)}." if parts else ""


def cost_chart(table: StudyTable) -> Chart | None:
    """The headline against cost, with the rows that none beats for less joined by a line."""
    import altair as alt

    records = cost_records(table)
    if not records:
        return None
    head = table.suite.column(table.suite.headline)
    which = alt.binding_select(
        options=list(dict.fromkeys(one["kind"] for one in records)), name="cost "
    )
    picked = alt.param(name="cost", value=records[0]["kind"], bind=which)
    x = alt.X(
        "cost:Q",
        scale=alt.Scale(type="log", nice=False, padding=24),
        title="cost of one model, as chosen below",
        axis=alt.Axis(format="~e"),
    )
    y = alt.Y("score:Q", scale=alt.Scale(zero=False), title=head.label)
    tips = [
        alt.Tooltip("name:N"),
        alt.Tooltip("score:Q", format=",.3~f"),
        alt.Tooltip("cost:Q", format=".3~g"),
    ]
    base = alt.Chart(values(records)).transform_filter("datum.kind == cost")
    step = "step-after"
    line = base.transform_filter("datum.front").mark_line(
        interpolate=step, opacity=0.5, strokeDash=[5, 3]
    )
    bars = base.mark_rule(color=GREY, opacity=0.6).encode(
        x=x, y=alt.Y("low:Q", title=head.label), y2="high:Q"
    )
    dots = base.mark_point(filled=True, size=80, opacity=1).encode(
        x=x,
        y=y,
        tooltip=tips,
        color=alt.condition("datum.front", alt.value("#D55E00"), alt.value(GREY)),
    )
    names = base.mark_text(align="left", dx=7, dy=-5, fontSize=10).encode(x=x, y=y, text="label:N")
    drawn = alt.layer(line.encode(x=x, y=y), bars, dots, names).add_params(picked)
    caption = (
        "What choosing and training cost for one model, against its score with the 95% interval "
        "over seeds. Orange: no other row has as good a score for less. Hover over a point for "
        "its name where there is no room for it. What is shared "
        "(embeddings, scores, clusters, a reward model) serves every later selection from the pool."
        + not_drawn(table, records)
    )
    return chart("Score against cost", caption, drawn.properties(width="container", height=380))
