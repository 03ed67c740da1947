"""The runs of an MLflow store, and all of its rows."""

import sqlite3
from pathlib import Path
from typing import Any

from harness.params.params import Params
from harness.tracking.upsert import connect, experiment_name


def runs(params: Params) -> list[Any]:
    client = connect()
    experiment = client.get_experiment_by_name(experiment_name(params))
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))


def contents(database: Path) -> dict[str, list[Any]]:
    with sqlite3.connect(database) as link:
        tables = [
            name for (name,) in link.execute("select name from sqlite_master where type='table'")
        ]
        return {name: sorted(map(repr, link.execute(f"select * from {name}"))) for name in tables}
