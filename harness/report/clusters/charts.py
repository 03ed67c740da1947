"""The charts of a study of clusterings: the headline by k, and against the silhouette."""

from math import isnan

from harness.report.clusters.inputs import ClusterStudy
from harness.report.shared.charts import Chart, chart, coloured, values


def cluster_charts(table: ClusterStudy) -> list[Chart]:
    """Headline by the number of clusters, and by their silhouette; a colour an embedding."""
    import altair as alt

    head = table.suite.column(table.suite.headline)
    records = [
        {
            "name": line["selection"],
            "embedding": line["embedding"],
            "k": line["k"],
            "silhouette": line["silhouette"],
            "score": line[head.name],
            "low": line[head.name] - line[f"{head.name}_sd"],
            "high": line[head.name] + line[f"{head.name}_sd"],
        }
        for lines in table.clustered.values()
        for line in lines
        if not isnan(line[head.name])
    ]
    if not records:
        return []
    tips = [alt.Tooltip(f"{name}:N") for name in ("name", "embedding")]
    tips += [alt.Tooltip(f"{name}:Q", format=",.4~f") for name in ("k", "silhouette", "score")]
    y = alt.Y("score:Q", scale=alt.Scale(zero=False), title=head.label)
    colour = coloured("embedding", records)
    base = alt.Chart(values(records)).encode(color=colour, tooltip=tips)
    scale = alt.Scale(type="log", base=2, nice=False, padding=12)
    ks = sorted({record["k"] for record in records})
    by_k = alt.X("k:Q", scale=scale, axis=alt.Axis(values=ks, format=",.0f"), title="clusters (k)")
    by_silhouette = alt.X("silhouette:Q", scale=alt.Scale(zero=False), title="silhouette (cosine)")
    bars = base.mark_rule(opacity=0.4).encode(y=alt.Y("low:Q", title=head.label), y2="high:Q")
    dots = base.mark_point(filled=True, size=80, opacity=1).encode(y=y)
    sized = {"width": "container", "height": 300}
    names = base.mark_text(dx=8, dy=-6, align="left", fontSize=10).encode(y=y, text="k:Q")
    return [
        chart(
            f"{head.label} by the number of clusters",
            "Mean over seeds with their standard deviation.",
            alt.layer(bars, dots).encode(x=by_k).properties(**sized),
        ),
        chart(
            f"{head.label} against the silhouette",
            "A point a clustering, with its number of clusters: were a better silhouette a better "
            "subset, the points would rise from left to right."
            if head.higher_is_better
            else "A point a clustering, with its number of clusters: were a better silhouette a "
            "better subset, the points would fall from left to right.",
            alt.layer(bars, dots, names).encode(x=by_silhouette).properties(**sized),
        ),
    ]
