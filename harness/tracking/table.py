"""A study's table as MLflow has it."""

from typing import TYPE_CHECKING

from harness.params import Params, group_seeds
from harness.suites import load_suite
from harness.tracking.names import clean_name
from harness.tracking.upsert import experiment_name
from harness.tracking.uri import tracking_uri

if TYPE_CHECKING:
    import pandas as pd


def study_table(params: Params, study: str) -> "pd.DataFrame":
    """A study's means and deviations over seeds from ``mlflow.search_runs``, a row a selection.

    Columns: selection, seeds, and ``<column>``, ``<column>_sd`` for each column of the suite.
    """
    import mlflow
    import pandas as pd

    mlflow.set_tracking_uri(tracking_uri())
    current = "tags.kind = 'seed' and tags.superseded = 'false'"
    runs = mlflow.search_runs(
        experiment_names=[experiment_name(params)],
        filter_string=f"{current} and tags.study = '{study}'",
        max_results=50_000,
        output_format="list",
    )
    seeds = {str(seed) for group in params.groups.main for seed in group_seeds(group)}
    lines = []
    for name in params.studies[study].selections:
        mine = [
            run.data.metrics
            for run in runs
            if run.data.tags["selection"] == name and run.data.tags["seed"] in seeds
        ]
        line: dict[str, object] = {"selection": name, "seeds": len(mine)}
        for column in load_suite(params.evaluate.suite).columns:
            scores = pd.Series([metrics[clean_name(column.name)] for metrics in mine])
            line |= {column.name: scores.mean(), f"{column.name}_sd": scores.std()}
        lines.append(line)
    return pd.DataFrame(lines)
