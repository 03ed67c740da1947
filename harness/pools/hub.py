"""Datasets of the Hugging Face hub, and folders laid out like one.

Since version 4, the `datasets` library runs no code of a dataset: it refuses one that needs a
script, which is reported here in one line.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.common.errors import InputError, one_line
from harness.common.progress import on_terminal
from harness.params.source import Source
from harness.pools.raw_rows import RawRow

if TYPE_CHECKING:
    from datasets import Dataset

_NONE = "no such file here, and"
# By name: what a dead network raises comes from the client's HTTP library, which changes.
RULES = {
    "HFValidationError": f"{_NONE} not a name that the hub allows; correct the name",
    "GatedRepoError": "the hub requires a login; accept its terms there, then run hf auth login",
    "RevisionNotFoundError": "the hub has no revision {!r} of it; correct `revision`",
    "RepositoryNotFoundError": f"{_NONE} no such dataset on the hub; correct the name",
    **dict.fromkeys(
        ("TransportError", "ConnectionError", "HfHubHTTPError", "OSError"),
        f"{_NONE} the hub cannot be reached; check the network, set HF_HUB_OFFLINE=1 to read the "
        "local cache, or give a file",
    ),
}


def resolve(source: Source) -> dict[str, str]:
    """The commit and licence of a hub dataset; empty where HF_HUB_OFFLINE is set.

    InputError where there is no such dataset or revision, no permission, or no network.
    """
    from huggingface_hub import HfApi, constants

    name = source.path
    if constants.is_offline_mode():
        return {}
    try:
        info = HfApi().dataset_info(name, revision=source.revision, timeout=20)
    except Exception as error:
        rule = next((RULES[c.__name__] for c in type(error).__mro__ if c.__name__ in RULES), None)
        if rule is None:
            raise
        raise InputError(f"{name}: {rule.format(source.revision)}") from None
    known = {"revision": str(info.sha)}
    licence = getattr(info.card_data, "license", None) if info.card_data else None
    return known | ({"licence": str(licence)} if licence else {})


def open_dataset(path: str, source: Source, commit: str | None) -> "Dataset":
    """One split of a hub dataset at a commit, or of a local folder; InputError if unreadable."""
    import datasets
    from datasets.exceptions import DatasetNotFoundError, DatasetsError

    if not on_terminal():
        datasets.disable_progress_bars()
    name = source.path
    try:
        data: Any = datasets.load_dataset(
            path, name=source.config, split=source.split, revision=commit
        )
    except DatasetNotFoundError:
        raise InputError(f"{name}: the hub has no such dataset; correct the name") from None
    except ConnectionError:
        rule = "no such file here, it is not in the local cache, and offline mode is on"
        raise InputError(f"{name}: {rule}; unset HF_HUB_OFFLINE, or give a file") from None
    except (RuntimeError, ValueError, OSError, DatasetsError) as error:
        cause = error.__cause__ or error
        reason = one_line(str(cause).replace(path, name)).rstrip(".")
        remedy = "set config, split or revision, or give a JSON, JSONL or Parquet file"
        raise InputError(f"{name}: {reason or type(cause).__name__}; {remedy}") from None
    if not len(data):
        raise InputError(f"{name}: empty, no rows; choose another split")
    return data


def cached_commit(data: "Dataset", source: Source) -> str:
    """The commit of a dataset read from the local cache; InputError where it is the wrong one."""
    # The cache's folders are <dataset>/<config>/<version>/<commit>.
    commit = Path(data.cache_files[0]["filename"]).parent.name if data.cache_files else "unknown"
    if source.revision and source.revision != commit:
        rule = f"the local cache holds revision {commit}, not {source.revision}"
        raise InputError(f"{source.path}: {rule}; unset HF_HUB_OFFLINE, or change `revision`")
    return commit


def dataset_rows(data: "Dataset") -> Iterator[RawRow]:
    """The dataset's rows, numbered from 1."""
    return (RawRow(number, values) for number, values in enumerate(data, 1))
