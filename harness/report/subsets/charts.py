"""The charts of the subsets: a map of the pool to look into, and in the lab the planted truth."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.common.errors import printable
from harness.common.files import html_json
from harness.report.shared.charts import GREY, Chart, chart, intervals, values
from harness.report.shared.columns import column
from harness.report.subsets.inputs import SubsetStudy
from harness.report.subsets.map import project
from harness.statistics.seeds import deviation

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

MOST_POINTS = 6_000  # of the map: more would make the page heavy; drawn by seed
MOST_BYTES = {"id": 110, "prompt": 110, "response": 80}  # in UTF-8, for the same reason
MOST_ON_PAGE = 1_500_000  # bytes of all points: half of the largest page, the rest takes 1.3 MB
TRUTH = {  # what is planted, and what it says
    "noise_share": "The share of each subset with a planted fault; that of full is the pool's.",
    "skills_reached": "The share of the planted sub-skills with a row in each subset.",
}


def subset_charts(
    study: SubsetStudy,
    frame: "pd.DataFrame",
    ids: Sequence[str],
    texts: Mapping[str, Sequence[str]],
) -> list[Chart]:
    """The map, and what is planted in each subset.

    Args:
        study: the pool and the subsets.
        frame: one row a selection and seed, as in the CSV.
        ids: (n,) of the pool's rows.
        texts: their ``prompt`` and ``response``, (n,) each; none where the page may not show them.
    """
    truth = [truth_chart(frame, name, said) for name, said in TRUTH.items() if name in frame]
    return [map_chart(study, ids, texts), *truth]


def truth_chart(frame: "pd.DataFrame", name: str, caption: str) -> Chart:
    """A measure in percent, mean over seeds, with the standard deviation over them."""
    records = []
    for row, group in frame.groupby("selection", sort=False):
        shares = (100 * group[name].dropna()).tolist()
        mean, sd = float(np.mean(shares)), np.nan_to_num(deviation(shares))
        records.append(
            {"name": row, "value": mean, "low": max(mean - sd, 0), "high": min(mean + sd, 100)}
        )
    label = column(name).label
    return intervals(records, label.capitalize(), caption, f"{label} (%)")


def map_records(
    study: SubsetStudy, ids: Sequence[str], texts: Mapping[str, Sequence[str]]
) -> tuple[list[dict[str, Any]], list[str], np.ndarray]:
    """A record a point of the map, the rows to choose from, and the axes' shares of variance.

    ``taken`` of a point names the selections whose first seed took it, each between bars. Subsets
    that are the whole pool are left out. Of a pool that is too large, or whose points take too many
    bytes, a random sample is shown: each selection keeps about its share of the points.
    """
    places, shares = project(study.pool.embeddings)
    n = len(places)
    first = {name: picks for name, picks in study.first_picks().items() if len(picks) < n}
    taken = [""] * n
    for name, picks in first.items():
        for i in picks.tolist():
            taken[i] += f"|{name}"
    order: list[int] = np.random.default_rng(0).permutation(n)[:MOST_POINTS].tolist()
    records, room = {}, MOST_ON_PAGE
    for i in order:
        record = {
            "id": _cut(ids[i], MOST_BYTES["id"]),
            "x": round(float(places[i, 0]), 3),
            "y": round(float(places[i, 1]), 3),
        }
        record["taken"] = f"{taken[i]}|" if taken[i] else ""
        if study.pool.noise is not None:
            record["fault"] = str(study.pool.noise[i])
        record |= {name: _cut(printable(own[i]), MOST_BYTES[name]) for name, own in texts.items()}
        room -= len(html_json(record).encode()) + len(", ")
        if room < 0:
            break
        records[i] = record
    return [records[i] for i in sorted(records)], list(first), shares


def _cut(text: str, most: int) -> str:
    """The beginning of a text, of so many bytes in UTF-8."""
    coded = text.encode()
    return text if len(coded) <= most else f"{coded[: most - 3].decode(errors='ignore')}…"


def map_chart(study: SubsetStudy, ids: Sequence[str], texts: Mapping[str, Sequence[str]]) -> Chart:
    """The pool in two dimensions; a list chooses the selection whose rows are marked, if any."""
    import altair as alt

    records, names, shares = map_records(study, ids, texts)
    x = alt.X("x:Q", axis=None, scale=alt.Scale(zero=False))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(zero=False))
    tips = [alt.Tooltip(f"{name}:N") for name in (*MOST_BYTES, "fault") if name in records[0]]
    listed = "join(slice(split(datum.taken, '|'), 1, -1), ', ')"
    base = alt.Chart(values(records)).transform_calculate(by=listed)
    if names:
        tips.append(alt.Tooltip("by:N", title="selected by"))
    base = base.encode(x=x, y=y, tooltip=tips)
    drawn = base.mark_circle(size=9, color=GREY, opacity=0.35)
    colours = "Grey: the pool; every subset is the whole of it."
    if names:
        drawn = alt.layer(drawn, _marked(base, "fault" in records[0]))
        bind = alt.binding_select(options=names, name="selection ")
        drawn = drawn.add_params(alt.param(name="selection", value=names[0], bind=bind))
        colours = "Grey: the pool; in colour: what the first seed of the selection took."
    of = f"{len(records):,} of the pool's {len(study.pool.embeddings):,} rows"
    caption = (
        f"{of}, by the first two principal components of the embeddings ({shares[0]:.0%} and "
        f"{shares[1]:.0%} of the variance). {colours} Hover over a point to read its row."
    )
    return chart("A map of the pool", caption, drawn.properties(width="container", height=460))


def _marked(base: "alt.Chart", faults: bool) -> "alt.Chart":
    """The rows of the chosen selection; those with a planted fault have their own colour."""
    import altair as alt

    marked = base.transform_filter("indexof(datum.taken, '|' + selection + '|') >= 0")
    if not faults:
        return marked.mark_circle(size=28, opacity=0.9)
    fault = alt.Color(
        "kind:N",
        sort=["sound", "with a planted fault"],
        legend=alt.Legend(orient="top", title=None),
    )
    said = "datum.fault == 'none' ? 'sound' : 'with a planted fault'"
    dots = marked.transform_calculate(kind=said).mark_circle(size=28, opacity=0.9)
    return dots.encode(color=fault)
