"""Write the lab's proofs of sensitivity: ``table.csv|md|png`` in the study's folder."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.params.params import Params
from harness.report.sensitivity.charts import level_charts
from harness.report.sensitivity.plot import plot_proofs
from harness.report.sensitivity.proofs import Proof, Sensitivity, examine
from harness.report.shared.notes import score_notes, training_notes, trial_mark
from harness.report.shared.pages import page, write_report
from harness.report.shared.tables import BLANK, TextTable, csv_text, interval, number
from harness.report.shared.verdicts import judging_notes
from harness.statistics.seeds import deviation, mean_interval

if TYPE_CHECKING:
    import pandas as pd

# fmt: off
CSV_COLUMNS = [
    "part", "name", "what", "dose", "seeds", "value", "sd", "low", "high", "p", "bound",
    "verdict", "remark",
]
# fmt: on
DIGITS = 1  # of an average in percent
OF_PROOF = ("name", "seeds", "value", "low", "high", "p", "bound", "verdict", "remark")


def write_sensitivity(params: Params, study: str) -> Path:
    """Compute the proofs and write them, the failed ones too; returns the folder."""
    result = examine(params, study)
    files: dict[str, str | Callable[[Path], object]]
    files = {"table.csv": csv_text(frame(result)), "table.md": markdown(result, params)}
    files["table.png"] = partial(plot_proofs, result)
    return write_report(params, study, files, level_charts(result))


def frame(result: Sensitivity) -> "pd.DataFrame":
    """One line a proof (part `proof`), then one a row of the study."""
    import pandas as pd

    lines: list[dict[str, Any]] = [
        {"part": "proof", "what": proof.claim, **{name: getattr(proof, name) for name in OF_PROOF}}
        for proof in result.proofs
    ]
    for level in result.levels:
        mean = mean_interval(level.averages)
        line = {"part": level.part, "name": level.name, "what": result.suite.headline}
        line |= {"dose": level.dose, "seeds": str(len(level.averages)), "value": mean.value}
        lines.append({**line, "sd": deviation(level.averages), "low": mean.low, "high": mean.high})
    table = pd.DataFrame(lines).reindex(columns=CSV_COLUMNS)
    numbers = ["dose", "value", "sd", "low", "high"]
    return table.assign(**{name: table[name].astype("float64").round(4) for name in numbers})


def markdown(result: Sensitivity, params: Params) -> str:
    """The page: the proofs first, the rows they come from below."""
    return page(
        "sensitivity/page.md.jinja",
        params=params,
        mark=trial_mark(result.rows),
        proofs=result.proofs,
        failed=[proof.name for proof in result.proofs if not proof.holds],
        table=_proof_table(result.proofs),
        levels=_level_table(result),
        notes=score_notes(result.suite, result.rows),
        judging=judging_notes(result.table, result.rows, [], {}, DIGITS),
        cut=training_notes(result.rows),
    )


def _proof_table(proofs: list[Proof]) -> TextTable:
    rows = []
    for proof in proofs:
        cells = [proof.claim, number(proof.value, 2), interval(proof.low, proof.high, 2)]
        cells.append(BLANK if proof.p != proof.p else f"{proof.p:.1e}")
        rows.append([*cells, proof.bound, proof.seeds, proof.verdict, proof.remark])
    heads = ["claim", "value", "95% interval", "p", "required", "seeds", "verdict", "remark"]
    return TextTable(heads, rows)


def _level_table(result: Sensitivity) -> TextTable:
    rows = []
    for level in result.levels:
        mean, sd = mean_interval(level.averages), deviation(level.averages)
        cells = [level.name, level.part, str(len(level.averages)), number(mean.value, DIGITS)]
        rows.append([*cells, number(sd, 2), interval(mean.low, mean.high, DIGITS)])
    head = result.suite.column(result.suite.headline).label
    return TextTable(["row", "part", "seeds", head, "sd", "95% interval"], rows)
