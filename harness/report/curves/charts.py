"""The chart of a study of curves: the headline by size, a line a selection."""

from math import isnan

from harness.report.curves.inputs import CurveStudy
from harness.report.shared.charts import Chart, chart, coloured, values
from harness.report.shared.study_table import Line


def curve_charts(study: CurveStudy, lines: list[Line]) -> list[Chart]:
    """Means with deviations over seeds; the number of rows on a scale of doublings."""
    import altair as alt

    head = study.suite.column(study.suite.headline)
    records = [
        {
            "selection": line["selection"],
            "row": line["row"],
            "rows": line["rows"],
            "score": line[head.name],
            "low": line[head.name] - line[f"{head.name}_sd"],
            "high": line[head.name] + line[f"{head.name}_sd"],
        }
        for line in lines
        if not isnan(line[head.name])
    ]
    sizes = sorted({record["rows"] for record in records})
    axis = alt.Axis(values=sizes, format=",.0f", labelOverlap=True)
    x = alt.X(
        "rows:Q",
        scale=alt.Scale(type="log", base=2, nice=False, padding=12),
        axis=axis,
        title="rows trained on",
    )
    y = alt.Y("score:Q", scale=alt.Scale(zero=False), title=head.label)
    tips = [
        alt.Tooltip("row:N"),
        alt.Tooltip("rows:Q", format=",.0f"),
        alt.Tooltip("score:Q", format=",.3~f"),
    ]
    base = alt.Chart(values(records)).encode(
        x=x, color=coloured("selection", records), tooltip=tips
    )
    bars = base.mark_rule(opacity=0.4).encode(y=alt.Y("low:Q", title=head.label), y2="high:Q")
    line = base.mark_line(point=alt.OverlayMarkDef(filled=True, size=50)).encode(y=y)
    caption = f"{head.label}, mean over seeds with their standard deviation."
    drawn = alt.layer(bars, line).properties(width="container", height=340)
    return [chart(f"{head.label} by the number of rows", caption, drawn)]
