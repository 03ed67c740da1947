"""Write the lab's proofs of sensitivity: ``table.csv|md|png`` in the study's folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.common import layout
from harness.common.files import replacing_folder
from harness.common.markdown import markdown_text
from harness.params.params import Params
from harness.report.sensitivity.claims import Level, Proof, Sensitivity, examine
from harness.report.shared.footnotes import cut_notes, score_notes
from harness.report.shared.plots import BLACK, BLUE, GREY, ORANGE, new_figure, save_figure, tidy
from harness.report.shared.statistics import deviation, mean_interval
from harness.report.shared.text_tables import BLANK, TextTable, csv_text, markdown_table, number
from harness.suites import load_suite

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

MARKS = {"none": "s", "random": "o", "oracle": "^", "full_clean": "D"}
DOSE_NAMES = {"noise": "share of noise in the subset", "coverage": "share of the skills reached"}

# fmt: off
CSV_COLUMNS = [
    "part", "name", "what", "dose", "seeds", "value", "sd", "low", "high", "p", "bound",
    "verdict", "remark",
]
# fmt: on


def write_sensitivity(params: Params, study: str) -> Path:
    """Compute the four proofs and write them, the failed ones too; returns the folder."""
    found = examine(params, study, load_suite(params.evaluate.suite))
    texts = {"csv": csv_text(frame(found)), "md": markdown(found, params)}
    with replacing_folder(layout.report_folder(params.preset, study)) as folder:
        for ending, text in texts.items():
            (folder / f"table.{ending}").write_text(text, encoding="utf-8")
        plot(found, folder / "table.png")
    return layout.report_folder(params.preset, study)


def frame(found: Sensitivity) -> "pd.DataFrame":
    """One line a proof (part `proof`), then one a row of the study."""
    import pandas as pd

    lines: list[dict[str, Any]] = [
        {
            "part": "proof",
            "name": proof.name,
            "what": proof.claim,
            "seeds": proof.seeds,
            "value": proof.value,
            "low": proof.low,
            "high": proof.high,
            "p": proof.p,
            "bound": proof.bound,
            "verdict": verdict(proof),
            "remark": proof.remark,
        }
        for proof in found.proofs
    ]
    for level in found.levels:
        mean = mean_interval(level.averages)
        lines.append(
            {
                "part": level.part,
                "name": level.name,
                "what": found.suite.headline,
                "dose": level.dose,
                "seeds": str(len(level.averages)),
                "value": mean.value,
                "sd": deviation(level.averages),
                "low": mean.low,
                "high": mean.high,
            }
        )
    table = pd.DataFrame(lines).reindex(columns=CSV_COLUMNS)
    numbers = ["dose", "value", "sd", "low", "high"]
    return table.assign(**{name: table[name].astype("float64").round(4) for name in numbers})


def verdict(proof: Proof) -> str:
    """The word for whether a proof holds."""
    return "holds" if proof.holds else "FAILS"


def markdown(found: Sensitivity, params: Params) -> str:
    """The proofs first, the rows they come from below."""
    failed = [proof.name for proof in found.proofs if not proof.holds]
    first = f"{len(found.proofs) - len(failed)} of {len(found.proofs)} claims hold."
    if failed:
        first += f" Failed: {', '.join(failed)}."
    notes = [*map(markdown_text, score_notes(found.suite, found.rows))]
    parts = [
        markdown_text(f"# Can the {params.preset} tell subsets apart?"),
        first,
        markdown_table(_proof_table(found.proofs)),
        *notes,
        *map(markdown_text, cut_notes(found.rows)),
        "![claims](table.png)",
        "## The rows behind it",
        markdown_table(_level_table(found)),
        *notes,
        "Averages over the benchmarks, in percent, mean over seeds with 95% Student t interval. "
        "Interval of a difference: items resampled, seed error from Student's t, as in the main "
        "table; a row of one seed against another of one seed: over items alone. Interval of a "
        "deviation: chi-square. Doses: Jonckheere's test for a trend, one-sided, and the means "
        "must be in strict order. Doses of noise and of coverage take as many rows as the budget.",
    ]
    return "\n\n".join(parts) + "\n"


def _proof_table(proofs: list[Proof]) -> TextTable:
    rows = []
    for proof in proofs:
        interval = BLANK
        if proof.low == proof.low:
            interval = f"[{number(proof.low, 2)}, {number(proof.high, 2)}]"
        p = BLANK if proof.p != proof.p else f"{proof.p:.1e}"
        value = number(proof.value, 2)
        rows.append(
            [
                proof.claim,
                value,
                interval,
                p,
                proof.bound,
                proof.seeds,
                verdict(proof),
                proof.remark,
            ]
        )
    heads = ["claim", "value", "95% interval", "p", "asked", "seeds", "verdict", "remark"]
    return TextTable(heads, rows)


def _level_table(found: Sensitivity) -> TextTable:
    rows = []
    for level in found.levels:
        mean = mean_interval(level.averages)
        interval = BLANK
        if mean.low == mean.low:
            interval = f"[{number(mean.low, 1)}, {number(mean.high, 1)}]"
        sd, seeds = number(deviation(level.averages), 2), str(len(level.averages))
        rows.append([level.name, level.part, seeds, number(mean.value, 1), sd, interval])
    head = found.suite.column(found.suite.headline).label
    return TextTable(["row", "part", "seeds", head, "sd", "95% interval"], rows)


def plot(found: Sensitivity, path: Path) -> None:
    """Four panels on one scale: the rows, noise, coverage, and the seeds of random."""
    figure = new_figure(11, 3.6)
    axes = figure.subplots(1, 4, sharey=True)
    proofs = {proof.name: proof for proof in found.proofs}
    rows = [level for level in found.levels if level.part == "rows"]
    for place, level in enumerate(rows):
        _points(axes[0], place, level, MARKS.get(level.name, "o"), BLACK)
    axes[0].set_xticks(range(len(rows)), [level.name for level in rows], fontsize=8)
    axes[0].set_title(_title("gain, oracle", [proofs["gain"], proofs["oracle"]]), fontsize=9)
    for axis, (part, label) in zip(axes[1:3], DOSE_NAMES.items(), strict=True):
        levels = [level for level in found.levels if level.part == part]
        means = [float(np.mean(level.averages)) for level in levels]
        axis.plot([level.dose for level in levels], means, color=GREY, lw=1)
        for level in levels:
            _points(axis, level.dose, level, "o", BLUE if part == "coverage" else ORANGE)
        axis.set_xlabel(label)
        axis.set_title(_title(part, [proofs[part]]), fontsize=9)
    random = next(level for level in rows if level.name == "random")
    axes[3].plot(range(len(random.averages)), random.averages, "o", color=BLACK, ms=5)
    axes[3].axhline(float(np.mean(random.averages)), color=GREY, lw=1, ls="--")
    axes[3].set_xlabel("random, by seed")
    sd = proofs["deviation"]
    axes[3].set_title(_title(f"sd {sd.value:.2f} [{sd.low:.2f}, {sd.high:.2f}]", [sd]), fontsize=9)
    head = found.suite.column(found.suite.headline)
    axes[0].set_ylabel(f"{head.label} in percent")
    for axis in axes:
        tidy(axis, "y")
    save_figure(figure, path)


def _title(text: str, proofs: list[Proof]) -> str:
    return f"{text}: {', '.join(verdict(proof) for proof in proofs)}"


def _points(axes: "Axes", x: float, level: Level, mark: str, colour: str) -> None:
    """Seeds as small ticks, their mean with its interval."""
    mean = mean_interval(level.averages)
    if len(level.averages) > 1:
        axes.plot([x, x], [mean.low, mean.high], color=colour, lw=1.6)
        axes.plot([x] * len(level.averages), level.averages, "_", color=colour, ms=9)
    axes.plot([x], [mean.value], mark, color=colour, ms=6)
