"""Bringing MLflow up to date: every run is logged from the files, and never twice."""

import json
import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import read_json
from harness.common.stores import locked, scratch_folder
from harness.params.params import Params
from harness.report.shared.provenance import git_state
from harness.tracking.artifacts import EXPERIMENT, artifact_location, settle_artifacts
from harness.tracking.models import (
    EVALUATION,
    ITEMS,
    items_table,
    known_models,
    log_model,
    mark_models,
)
from harness.tracking.names import LONGEST_PARAM, LONGEST_TAG, clean_name, clean_value
from harness.tracking.runs import Record, identities, records
from harness.tracking.uri import default_uri, reason, shown_uri, tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

log = logging.getLogger(__name__)

# Give up on a dead server within seconds, not after MLflow's own minutes of retries.
PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
BATCH, PARAM_BATCH = 1000, 100  # metrics and params in one request: MLflow's limits
MOST_RUNS = 50_000  # found by one request: MLflow's limit
UNFINISHED = "unfinished"
EXPERIMENT_TAGS = {
    # Opens the interface on runs and charts, not on tools for prompts.
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.note.content": (
        "A view of the files under `runs/` and `results/`, rebuilt by `make ui`. One run per "
        "selection, its seeds inside; `table: ...` holds a study's tables and plots. Runs whose "
        "params or weights have since been replaced: `tags.superseded = 'true'`; not yet "
        "completely written: `'unfinished'`."
    ),
}


def experiment_name(params: Params) -> str:
    """The MLflow experiment that holds a preset's runs."""
    return f"{EXPERIMENT}{params.preset}"


def track(params: Params, recorded: Mapping[str, dict[str, Any]] | None = None) -> dict[str, Any]:
    """Bring MLflow up to date with the files; a second call changes nothing.

    ``recorded``: the params that each output was made with, by path, where known. Returns how many
    runs there are, and how many were created, updated and superseded. If the store cannot be
    reached, the result has ``failed`` and one warning is logged: the results do not depend on it.
    """
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    wanted = records(params, recorded)
    summary: dict[str, Any] = {"uri": shown_uri(), "runs": len(wanted)}
    try:
        # Of two processes creating the tables of a new SQLite store at once, one would die.
        with locked(scratch_folder("track", "store")):
            return summary | _upsert_all(params, wanted)
    except InputError:
        raise
    except Exception as error:  # whatever a server or store raises, the results stand
        why = reason(error)
        log.warning("warning: MLflow at %s was not brought up to date: %s", shown_uri(), why)
        return summary | {"failed": why}


def connect() -> "MlflowClient":
    """A client of the store, quiet about its own set-up."""
    from mlflow import MlflowClient

    for name, level in (("mlflow", "WARNING"), ("alembic", "WARNING"), ("urllib3", "ERROR")):
        logging.getLogger(name).setLevel(level)
    return MlflowClient(tracking_uri=tracking_uri())


def _experiment(client: "MlflowClient", params: Params) -> str:
    name = experiment_name(params)
    existing = client.get_experiment_by_name(name)
    if existing is not None:
        if existing.lifecycle_stage == "deleted":
            client.restore_experiment(existing.experiment_id)
        return existing.experiment_id
    location = None
    if tracking_uri().startswith("sqlite:"):
        # Fixed at creation; the default would be the working directory's.
        location = artifact_location(params.preset)
    return client.create_experiment(name, artifact_location=location, tags=EXPERIMENT_TAGS)


def _upsert_all(params: Params, wanted: list[Record]) -> dict[str, int]:
    client = connect()
    experiment = _experiment(client, params)
    if tracking_uri() == default_uri():
        settle_artifacts()
    runs = client.search_runs([experiment], max_results=MOST_RUNS)
    by_key = {run.data.tags.get("key"): run for run in runs}
    studies = {record.tags["study"] for record in wanted}
    origins = {study: _origin(params, study, wanted) for study in studies}
    ids: dict[str, str] = {}
    models = known_models(client, experiment)
    count = {"created": 0, "updated": 0, "superseded": 0}
    for record in wanted:
        run = by_key.get(record.key)
        if run is None:
            tags = {"key": record.key, "superseded": UNFINISHED}
            tags |= origins[record.tags["study"]]
            run = client.create_run(experiment, record.start_ms, tags, record.name)
            count["created"] += 1
        elif run.data.tags.get("state") != record.state:
            count["updated"] += 1
        run_id = ids[record.identity] = run.info.run_id
        if run.data.tags.get("state") != record.state:
            with _failing(client, run_id):
                known = log_model(client, experiment, run_id, record, models)
                _write(client, run_id, record, ids, known)
        elif run.data.tags.get("superseded") != "false":
            client.set_tag(run.info.run_id, "superseded", "false")
    count["superseded"], old = _supersede(client, params, wanted, runs)
    mark_models(client, experiment, old, {record.key for record in wanted})
    return count


def _supersede(
    client: "MlflowClient", params: Params, wanted: list[Record], runs: "Iterable[Run]"
) -> tuple[int, set[str]]:
    """Tag the runs that others have replaced: how many are new, and the keys of all of them."""
    made = {record.identity for record in wanted}
    named, current = identities(params), {record.key for record in wanted}
    count, old = 0, set()
    for run in runs:
        tags = run.data.tags
        identity, key = tags.get("identity", ""), tags.get("key")
        if key is None or key in current:  # `runs` has its tags from before this call
            continue
        # A run that params name stands without files here: they may be elsewhere.
        replaced = identity in made or identity not in named
        if replaced and tags.get("superseded") == "false":
            client.set_tag(run.info.run_id, "superseded", "true")
            count += 1
        if replaced or tags.get("superseded") == "true":
            old.add(key)
    return count, old


@contextmanager
def _failing(client: "MlflowClient", run_id: str) -> Iterator[None]:
    """A run that cannot be written to its end is marked as failed."""
    try:
        yield
    except BaseException:
        with suppress(Exception):  # its tags say that it is incomplete
            client.set_terminated(run_id, "FAILED")
        raise


def _origin(params: Params, study: str, wanted: list[Record]) -> dict[str, str]:
    """The commit and DVC experiment of a study's runs, from its provenance where there is one.

    Runs that were made after the last report are of the commit that is here.
    """
    path = layout.report_folder(params.preset, study) / "provenance.json"
    stated = read_json(path) if path.is_file() else {}
    if not _names(stated, study, wanted):
        stated = {}
    git = stated.get("git") or git_state()
    experiment = os.environ.get("DVC_EXP_NAME") or stated.get("dvc_experiment")
    tags = {"mlflow.source.name": "dvc repro", "mlflow.source.type": "LOCAL"}
    if git["commit"]:
        tags |= {"mlflow.source.git.commit": git["commit"], "git_dirty": str(git["dirty"]).lower()}
    return tags | ({"dvc_experiment": experiment} if experiment else {})


def _names(stated: Mapping[str, Any], study: str, wanted: list[Record]) -> bool:
    """Whether a study's provenance names its models that are here: all, by their hashes."""
    mine = [one for one in wanted if (one.tags["kind"], one.tags["study"]) == ("seed", study)]
    named = stated.get("runs", {})
    return bool(mine) and all(
        named.get(one.tags["selection"], {}).get(one.tags["seed"])
        == {name: value for name, value in one.tags.items() if name.endswith("_hash")}
        for one in mine
    )


def _write(
    client: "MlflowClient", run_id: str, record: Record, ids: dict[str, str], model: str | None
) -> None:
    """Log all of a record; ``model`` is the id of the model that the run made, if any.

    Until complete, the run has no state, so that it is written again, and is marked unfinished, so
    that no table counts it.
    """
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.utils.mlflow_tags import MLFLOW_LOGGED_ARTIFACTS

    def tagged(tags: dict[str, str]) -> list[RunTag]:
        return [RunTag(clean_name(k), clean_value(v, LONGEST_TAG)) for k, v in tags.items()]

    client.log_batch(run_id, tags=tagged({"state": "", "superseded": UNFINISHED}))
    now = int(time.time() * 1000)
    tags = {**record.tags, "identity": record.identity}
    if record.parent is not None:
        tags["mlflow.parentRunId"] = ids[record.parent]
    pairs = list(record.params.items())
    for start in range(0, max(len(pairs), 1), PARAM_BATCH):
        some = pairs[start : start + PARAM_BATCH]
        params = [Param(clean_name(k), clean_value(v, LONGEST_PARAM)) for k, v in some]
        client.log_batch(run_id, params=params, tags=tagged(tags))
    judged = next((one for one in record.data if one.context == EVALUATION), None)
    on = (judged.name, judged.short_digest) if judged else (None, None)
    metrics = [
        Metric(clean_name(name), value, now, 0, model, *(on if name in record.scores else ()))
        for name, value in record.metrics.items()
    ]
    metrics += [Metric("loss", p["loss"], now, int(p["step"]), model) for p in record.loss]
    metrics += [
        Metric(f"system/{name}", value, int(sample["ms"]), step)
        for step, sample in enumerate(record.system)
        for name, value in sample.items()
        if name != "ms"
    ]
    for start in range(0, len(metrics), BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + BATCH])
    for path, folder in record.artifacts:
        client.log_artifact(run_id, str(path), folder or None)
    for name, text in record.texts.items():
        client.log_text(run_id, text, name)
    if record.data:
        client.log_inputs(run_id, [one.entity() for one in record.data])
    if record.items is not None:
        client.log_text(run_id, items_table(*record.items), ITEMS)
        client.set_tag(
            run_id, MLFLOW_LOGGED_ARTIFACTS, json.dumps([{"path": ITEMS, "type": "table"}])
        )
    end = record.start_ms + int(record.seconds * 1000)
    client.set_terminated(run_id, "FINISHED", end)
    client.log_batch(run_id, tags=tagged({"state": record.state, "superseded": "false"}))
