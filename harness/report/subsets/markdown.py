"""The report of a study's subsets as text: tables to read before training, and how to read them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.common.markdown import markdown_text
from harness.common.schemas import FAULTS
from harness.params.params import Params
from harness.report.shared.notes import preset_note
from harness.report.shared.text_tables import BLANK, TextTable, markdown_table, number
from harness.report.subsets.clusterings import POOR, clustering_table, end_note
from harness.report.subsets.columns import (
    CLUSTERS,
    COVERAGE,
    MEAN,
    OWN,
    PLANTED,
    QUALITY,
    SIZE,
    column,
    meanings,
    value_text,
)
from harness.report.subsets.costs import cost_table, score_table, shown_costs
from harness.report.subsets.inputs import SubsetStudy
from harness.report.subsets.scorer_agreement import ALL

if TYPE_CHECKING:
    import pandas as pd


def markdown(
    params: Params,
    found: SubsetStudy,
    frame: "pd.DataFrame",
    scorers: "pd.DataFrame",
    clusterings: "pd.DataFrame",
) -> str:
    """The report's text: tables of every selection, the scorers, the clusterings, the notes."""
    means = [f"{MEAN}{name}" for name in params.scorers]
    of_clusters = _shown_clusters(frame)
    planted = [name for name in PLANTED if name in frame]
    costs = shown_costs(frame)
    parts = [
        markdown_text(
            f"# What each subset is, before any training: main table, preset {params.preset}"
        ),
        markdown_text(_reading(frame)),
        preset_note(params.preset),
        markdown_table(subset_table(frame, COVERAGE)),
        "![measures](bars.png)",
        "## Size and quality",
        markdown_table(subset_table(frame, [*SIZE, *means, *QUALITY])),
        "## Spread over clusters",
        markdown_table(subset_table(frame, of_clusters)),
        *_planted(frame, planted),
        "![map](map.png)",
        "## What choosing cost",
        markdown_table(cost_table(frame)),
        *_scores_made(found),
        _said(frame),
        *_scorers(scorers),
        "## Clusterings",
        markdown_table(clustering_table(clusterings)),
        end_note(clusterings),
        "![clusterings](clusterings.png)",
        "## What is measured",
        "\n".join(
            [
                "- mean of a scorer's name: of its raw values; which way is good is the scorer's.",
                *meanings([*SIZE, *QUALITY, *COVERAGE, *of_clusters, *planted, *costs]),
            ]
        ),
        markdown_text(_choices(params, found)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def subset_table(frame: "pd.DataFrame", names: Sequence[str] | dict) -> TextTable:
    """One row a selection: means ± standard deviations over its seeds of the measures named."""
    known = [name for name in names if name in frame]
    rows = []
    for selection, mine in frame.groupby("selection", sort=False):
        cells = [str(selection), str(len(mine))]
        rows.append(cells + [value_text(name, mine[name].tolist()) for name in known])
    return TextTable(["selection", "seeds", *(column(name).label for name in known)], rows)


def _reading(frame: "pd.DataFrame") -> str:
    references = frame.loc[frame["kind"] == "reference", "selection"].unique()
    text = (
        "Read this before paying for training: it says what each selection took, not how good a "
        "model it makes. Each number is a mean over seeds ± standard deviation (n − 1); without ± "
        "there is one seed, or the same choice in each. "
    )
    if len(references):
        text += (
            f"References ({', '.join(references)}) are no selection systems and may take more "
            "rows: more rows alone cover more of the pool. "
        )
    return text + (
        "No measure is good by itself: a subset can cover every corner of the pool by taking its "
        "outliers and faulty rows, or be of high quality and all alike. Compare a selection with "
        "random, several measures at once."
    )


def _shown_clusters(frame: "pd.DataFrame") -> list[str]:
    """The measures of clusters; a selection's own only where they are not those that all share."""
    found = [name for name in CLUSTERS if name in frame]
    own = frame[[name for name in found if name.startswith(OWN)]].dropna()
    shared = frame.loc[own.index, [name.removeprefix(OWN) for name in own]]
    if (own.to_numpy() == shared.to_numpy()).all():
        found = [name for name in found if not name.startswith(OWN)]
    return found


def _planted(frame: "pd.DataFrame", planted: list[str]) -> list[str]:
    if not planted:
        return []
    return ["## What was planted", markdown_table(subset_table(frame, planted))]


def _scores_made(found: SubsetStudy) -> list[str]:
    if not found.costs:
        return []
    return [
        "What the scores took to make, of the whole pool, loading their models included:",
        markdown_table(score_table(found.costs)),
    ]


def _said(frame: "pd.DataFrame") -> str:
    """What samplers warned of, each once with its seeds."""
    lines = []
    warned = frame[frame["notes"] != ""]
    for note in dict.fromkeys(zip(warned["selection"], warned["notes"], strict=True)):
        mine = warned[(warned["selection"] == note[0]) & (warned["notes"] == note[1])]
        seeds = ", ".join(str(seed) for seed in mine["seed"])
        lines.append(markdown_text(f"- {note[0]} (seed {seeds}): {note[1]}"))
    return "\n".join(lines)


def _scorers(scorers: "pd.DataFrame") -> list[str]:
    """Each scorer's rank correlation and AUC in a row, by kind of noise; nothing without truth."""
    if scorers.empty:
        return []
    clean = scorers["clean"].max()
    return [
        "## Do the scorers see the planted faults?",
        markdown_table(scorer_table(scorers, "spearman")),
        markdown_table(scorer_table(scorers, "auc")),
        "First table: Spearman's rank correlation of a score with the planted quality (clean 1, "
        f"faulty 0) [95% interval]: of the {clean:,} clean rows with all faulty ones, and with "
        "those of each kind of fault (how many). Second: AUC, the chance that a clean row scores "
        "above a faulty one (0.5: not told apart; below: faulty rows score higher). A correlation "
        "with a quality of two values cannot reach 1, the less the rarer the kind is: compare "
        "kinds by AUC. The AUC's interval is DeLong's (1988), the correlation's the same on its "
        "scale; both take rows as independent, which near-duplicates are not.",
    ]


def scorer_table(scorers: "pd.DataFrame", measure: str) -> TextTable:
    """One row a scorer, one column a kind of fault with how many rows have it."""
    kinds = [kind for kind in (ALL, *FAULTS) if kind in set(scorers["noise"])]
    heads = ["scorer" if measure == "spearman" else "scorer (AUC)"]
    rows = []
    for name, mine in scorers.groupby("scorer", sort=False):
        lines = {line["noise"]: line for line in mine.to_dict("records")}
        rows.append([str(name), *(_interval(lines[kind], measure) for kind in kinds)])
    first = {line["noise"]: line for line in scorers.to_dict("records")}
    for kind in kinds:
        label = "all faults" if kind == ALL else kind.replace("_", " ")
        faulty = first[kind]["faulty"]
        heads.append(f"{label} ({faulty:,})")
    return TextTable(heads, rows)


def _interval(line: dict, measure: str) -> str:
    signed = measure == "spearman"
    value, low, high = (number(line[f"{measure}{end}"], 2, signed) for end in ("", "_low", "_high"))
    return value if low == BLANK else f"{value} [{low}, {high}]"


def _choices(params: Params, found: SubsetStudy) -> str:
    """What the measures were made on: embedding, quality, clusters."""
    k, auto = found.clusters
    which = "chosen by silhouette (k: auto)" if auto else "the largest k that is made"
    read = {**params.selections_scored, **params.selections_rounds}
    own = {n: item.quality for n, item in read.items() if item.quality}
    named = [f"{n} `{own[n]}`" for n in found.names if n in own]
    parts = [
        f"Similarities and distances: of the embedding `{params.defaults.embedding}`"
        f"{''.join(f'; {note}' for note in found.embedding_notes)}.",
        f"Clusters that all subsets are measured on: k = {k}, {which}.",
    ]
    if named:
        parts.append(f"Own quality: {', '.join(named)}.")
    if found.quality:
        parts.append(
            f"The best instances, and clusters of mean quality under {POOR} (figure 4 of arXiv "
            f"2409.11378): by `{found.quality}`, on a 0-1 scale."
        )
    parts += [f"Note: {note}." for note in found.quality_notes]
    parts.append(
        "Near-duplicates of the whole pool, by their words, are counted in `data/data_card.json`."
    )
    return " ".join(parts)
