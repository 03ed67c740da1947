"""The place of MLflow's artifacts, kept right when a repository is moved or copied."""

import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from harness.common.files import replacing_folder
from harness.common.stores import repo_root

log = logging.getLogger(__name__)

EXPERIMENT = "subset-bench/"  # followed by the preset


def artifact_location(preset: str) -> str:
    """The folder for a preset's artifacts in the real repository root, as a URI."""
    return (repo_root() / "mlartifacts" / preset).as_uri()


def settle_artifacts() -> None:
    """Point the default store at this repository's artifacts, after a move or a copy.

    MLflow stores absolute paths, so a copy would write into the original and a moved repository
    find nothing. Artifacts left in the other place are copied from there.
    """
    with closing(sqlite3.connect(repo_root() / "mlflow.db")) as link, link:
        rows = link.execute("SELECT experiment_id, name, artifact_location FROM experiments")
        for experiment, name, old in rows.fetchall():
            own = artifact_location(str(name).removeprefix(EXPERIMENT))
            tail = own.removeprefix(repo_root().as_uri())
            if not name.startswith(EXPERIMENT) or old == own or not old.endswith(tail):
                continue
            mine = "experiment_id = ? AND substr(artifact_uri, 1, ?) = ?"
            which = (experiment, len(old) + 1, f"{old}/")
            runs = link.execute(f"SELECT run_uuid FROM runs WHERE {mine}", which).fetchall()
            bring(_folder(old), _folder(own), [run for (run,) in runs])
            moved = f"UPDATE runs SET artifact_uri = ? || substr(artifact_uri, ?) WHERE {mine}"
            link.execute(moved, (own, len(old) + 1, *which))
            moved = "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?"
            link.execute(moved, (own, experiment))
            log.info(
                "MLflow: the repository was moved or copied from %s; the artifacts of %d runs are "
                "now those in %s",
                *(_folder(old).parent.parent, len(runs), _folder(own)),
            )


def bring(old: Path, own: Path, runs: list[str]) -> None:
    """Copy those runs' artifacts that are only in the old place."""
    for run in runs:
        if (old / run).is_dir() and not (own / run).exists():
            with replacing_folder(own / run) as folder:  # a killed copy leaves nothing half-done
                shutil.copytree(old / run, folder, dirs_exist_ok=True)


def _folder(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))
