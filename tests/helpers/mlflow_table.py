"""A study's table from MLflow."""

from typing import TYPE_CHECKING

import pytest

from harness.params.params import Params
from harness.report.shared.comparable import comparable
from harness.report.shared.runs import cells_by_row
from harness.report.shared.study_table import NOT_RUN
from harness.suites import Suite, load_suite
from harness.tracking.names import clean_name
from harness.tracking.upsert import experiment_name
from harness.tracking.uri import tracking_uri

if TYPE_CHECKING:
    import pandas as pd


def study_table(params: Params, study: str) -> "pd.DataFrame":
    """A study's means and deviations over seeds from ``mlflow.search_runs``, a row a selection.

    Columns: selection, seeds, and ``<column>``, ``<column>_sd`` for each comparable one.
    """
    import mlflow
    import pandas as pd

    with pytest.MonkeyPatch.context() as patch:  # mlflow.set_tracking_uri would outlast the test
        patch.setenv("MLFLOW_TRACKING_URI", tracking_uri())
        current = "tags.kind = 'seed' and tags.superseded = 'false'"
        runs = mlflow.search_runs(
            experiment_names=[experiment_name(params)],
            filter_string=f"{current} and tags.study = '{study}'",
            max_results=50_000,
            output_format="list",
        )
    suite = load_suite(params.evaluate.suite)
    metrics_of = {
        name: [run.data.metrics for run in runs if run.data.tags["selection"] == name]
        for name in cells_by_row(params, study)
    }
    suite = comparable(
        suite, [_measured(suite, one) for mine in metrics_of.values() for one in mine]
    )
    lines = []
    for name, mine in metrics_of.items():
        line: dict[str, object] = {"selection": name, "seeds": len(mine)}
        for column in suite.columns:
            logged = "" if column.of == [] else clean_name(column.name)
            scores = pd.Series([metrics.get(logged) for metrics in mine], dtype="float64")
            mean = NOT_RUN if scores.isna().any() else scores.mean()
            line |= {column.name: mean, f"{column.name}_sd": scores.std(skipna=False)}
        lines.append(line)
    return pd.DataFrame(lines)


def _measured(suite: Suite, metrics: dict[str, float]) -> dict[str, float]:
    """A run's scores by the suite's own names."""
    logged = {column.name: clean_name(column.name) for column in suite.columns}
    return {name: metrics[key] for name, key in logged.items() if key in metrics}
