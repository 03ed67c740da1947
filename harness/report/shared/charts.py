"""Charts of the page: Vega-Lite, whose colours and fonts are the page's."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, log
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt

Record = dict[str, Any]
GREY = "#888888"  # readable on both grounds of the page
_OF_A_ROW = 22  # pixels of a chart with a line a row


@dataclass(frozen=True)
class Chart:
    """A chart: its heading, what it shows in a sentence, and the Vega-Lite specification."""

    title: str
    caption: str
    spec: Mapping[str, Any]


def chart(title: str, caption: str, drawn: "alt.TopLevelMixin") -> Chart:
    """A chart as Altair draws it, without the settings that the page makes."""
    spec = drawn.to_dict()
    return Chart(title, caption, {k: v for k, v in spec.items() if k not in ("config", "$schema")})


def plain_values(value: Any) -> Any:  # noqa: ANN401  (a JSON value)
    """A JSON value as it is, but for NaN and infinity, which are None."""
    if isinstance(value, Mapping):
        return {str(key): plain_values(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(one) for one in value]
    if isinstance(value, float):
        return float(value) if isfinite(value) else None
    return value


def values(records: Iterable[Record]) -> "alt.InlineData":
    """Records as the data of a chart."""
    import altair as alt

    return alt.InlineData(values=plain_values(list(records)))


def intervals(
    records: Sequence[Record],
    title: str,
    caption: str,
    axis: str,
    *,
    group: str | None = None,
    zero: bool = False,
) -> Chart:
    """A line a record with its value and interval, in the records' order.

    Args:
        records: each with ``name``, ``value``, ``low`` and ``high`` (NaN where there is none).
        title: of the chart.
        caption: what it shows.
        axis: what the values are.
        group: the field whose values have colours of their own, and a legend.
        zero: whether a rule marks zero.
    """
    import altair as alt

    names = list(dict.fromkeys(record["name"] for record in records))
    y = alt.Y("name:N", sort=names, title=None, axis=alt.Axis(labelLimit=220, grid=True))
    x = alt.X("value:Q", title=axis, scale=alt.Scale(zero=False, nice=True))
    shown = [name for name in records[0] if name not in ("low", "high")] if records else []
    tips = [alt.Tooltip(f"{n}:{'Q' if n == 'value' else 'N'}") for n in shown]
    tips += [alt.Tooltip(f"{name}:Q", format=",.4~f") for name in ("low", "high")]
    base = alt.Chart(values(records)).encode(y=y, tooltip=tips)
    if group is not None:
        base = base.encode(color=coloured(group, records))
    layers: list[Any] = []
    if zero:
        at_zero = alt.Chart(values([{"zero": 0}])).mark_rule(strokeDash=[4, 3], color=GREY)
        layers.append(at_zero.encode(x="zero:Q"))
    layers.append(base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title=axis), x2="high:Q"))
    layers.append(base.mark_point(filled=True, size=70, opacity=1).encode(x=x))
    height = max(80, _OF_A_ROW * len(names))
    return chart(title, caption, alt.layer(*layers).properties(width="container", height=height))


def coloured(field: str, records: Sequence[Record]) -> "alt.Color":
    """A colour for each value of a field, in the order of the records, with a legend above."""
    import altair as alt

    names = list(dict.fromkeys(record[field] for record in records))
    legend = alt.Legend(orient="top", title=None, columns=2, labelLimit=200)
    return alt.Color(f"{field}:N", sort=names, legend=legend)


def front(points: Sequence[tuple[float, float]], sign: int) -> list[bool]:
    """Which (cost, score) no other has for less or the same: the Pareto front.

    ``sign`` is 1 where a higher score is better, else -1. Of equals, all are on it.
    """
    return [
        not any(
            (other_cost <= cost and sign * other_score > sign * score)
            or (other_cost < cost and sign * other_score >= sign * score)
            for other_cost, other_score in points
        )
        for cost, score in points
    ]


def apart(points: Sequence[tuple[float, float]], first: Sequence[bool]) -> list[bool]:
    """Which points of a plot have room for a label to their right; those of ``first`` go first.

    A label takes a fifth of the width and a 25th of the height, the cost being logarithmic.
    """
    across = [log(cost) for cost, _ in points]
    up = [score for _, score in points]
    wide, high = 0.2 * (max(across) - min(across)), 0.04 * (max(up) - min(up))
    placed: list[int] = []
    for i in sorted(range(len(points)), key=lambda i: (not first[i], -up[i])):
        if all(abs(across[i] - across[j]) > wide or abs(up[i] - up[j]) > high for j in placed):
            placed.append(i)
    return [i in placed for i in range(len(points))]
