"""What MLflow has besides runs: trained models, the data behind them, tables of answers."""

import json
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.common.files import value_hash
from harness.tracking.names import LONGEST_PARAM, LONGEST_TAG, clean_name, clean_value

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, LoggedModel

    from harness.tracking.runs import Record

EVALUATION = "evaluation"  # the context of the items of a suite
ITEMS = "items.json"  # the table of answers, an item a row
# The evaluation view groups rows by the first column and compares runs by the second.
_SHOWN = ("question", "prediction", "score", "task", "item", "cluster")
_TYPES = {"string": "string", "large_string": "string", "int64": "long", "double": "double"}


@dataclass(frozen=True)
class Data:
    """A file that a run was made from, as MLflow names it.

    Attributes:
        name: what it is called.
        context: what the run did with it, as ``training``.
        path: of a Parquet file; its columns are the schema.
        digest: its hash.
        rows: how many of it were used.
    """

    name: str
    context: str
    path: Path
    digest: str
    rows: int

    def entity(self) -> "DatasetInput":
        """The dataset as an input of a run."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        dataset = Dataset(
            name=self.name,
            digest=self.short_digest,
            source_type="local",
            source=json.dumps({"uri": self.path.as_posix()}),
            schema=json.dumps(schema_of(self.path)),
            profile=json.dumps({"num_rows": self.rows}),
        )
        return DatasetInput(dataset, [InputTag("mlflow.data.context", self.context)])

    @property
    def short_digest(self) -> str:
        """As much of the digest as MLflow keeps."""
        return self.digest[:36]


def schema_of(path: Path) -> dict[str, Any]:
    """The columns of a Parquet file as MLflow's interface shows them."""
    import pyarrow.parquet as pq

    columns = [
        {"name": one.name, "type": _TYPES.get(str(one.type), "object"), "required": True}
        for one in pq.read_schema(path)
    ]
    return {"mlflow_colspec": columns}


def parquet_rows(path: Path) -> int:
    """How many rows a Parquet file has."""
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_rows)


def item_digest(samples: Path) -> tuple[str, int]:
    """A hash of which items the models of a file of samples answered, and how many these are."""
    import pandas as pd

    frame = pd.read_parquet(samples, columns=["task", "item"]).drop_duplicates()
    names = sorted(map(list, frame.itertuples(index=False)))
    return value_hash(names), len(names)


def known_models(client: "MlflowClient", experiment: str) -> dict[str, str]:
    """The ids of the logged models that are ready, by the key of the run that made each."""
    known: dict[str, str] = {}
    for model in _logged_models(client, experiment):
        if model.status == "READY":  # else a kill left it, and another is made
            known.setdefault(str((model.tags or {}).get("key")), model.model_id)
    return known


def mark_models(
    client: "MlflowClient", experiment: str, superseded: set[str], current: set[str]
) -> None:
    """Tag the models of superseded runs as these are, and untag those of current ones.

    Runs are given by their keys. The list of models has no column of runs: an old model stands
    beside the new of its name.
    """
    for model in _logged_models(client, experiment):
        tags = model.tags or {}
        marked, key = "superseded" in tags, tags.get("key")
        if key in superseded and not marked:
            client.set_logged_model_tags(model.model_id, {"superseded": "true"})
        elif key in current and marked:
            client.delete_logged_model_tag(model.model_id, "superseded")


def _logged_models(client: "MlflowClient", experiment: str) -> "Iterator[LoggedModel]":
    token: str | None = None
    while True:
        page = client.search_logged_models([experiment], page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def log_model(
    client: "MlflowClient", experiment: str, run_id: str, record: "Record", known: dict[str, str]
) -> str | None:
    """The id of a run's model, which is made where there is none; the run's output.

    None for a run that trained none.

    ``known`` are those of `known_models`; a new one is added. Its weights stay in the model store.
    """
    from mlflow.entities import LoggedModelOutput

    if not record.trained:
        return None
    if record.key not in known:
        tags = {clean_name(k): clean_value(v, LONGEST_TAG) for k, v in record.tags.items()}
        params = {clean_name(k): clean_value(v, LONGEST_PARAM) for k, v in record.params.items()}
        made = client.create_logged_model(
            experiment,
            name=record.name.replace(" ", "_"),
            source_run_id=run_id,
            tags={**tags, "key": record.key},
            params=params,
            model_type="fine-tuned",
        )
        client.finalize_logged_model(made.model_id, "READY")
        known[record.key] = made.model_id
    model = known[record.key]
    outputs = client.get_run(run_id).outputs
    if model not in [one.model_id for one in (outputs.model_outputs if outputs else [])]:
        client.log_outputs(run_id, [LoggedModelOutput(model, step=0)])
    return model


def items_table(path: Path, seed: int) -> str:
    """A seed's samples as a table of MLflow's interface."""
    from harness.common.schemas import SAMPLES, read_frame

    frame = read_frame(path, SAMPLES)
    own = frame.loc[frame["seed"] == seed]
    own = own.assign(question=own["task"] + " " + own["item"])[list(_SHOWN)]
    records: list[dict[Hashable, Any]] = (
        own.astype("object").where(own.notna(), None).to_dict("records")
    )
    data = [[record[name] for name in _SHOWN] for record in records]
    return json.dumps({"columns": list(_SHOWN), "data": data}, ensure_ascii=False)
