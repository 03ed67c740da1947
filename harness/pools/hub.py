"""Datasets of the Hugging Face hub, and folders laid out like one.

The `datasets` library runs no code of a dataset since its version 4; one that needs a script is
refused by it, and told in one line here.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from harness.errors import InputError
from harness.pools.params import Source
from harness.pools.rows import Row
from harness.progress import on_terminal

if TYPE_CHECKING:
    from datasets import Dataset


def resolve(source: Source) -> dict[str, Any]:
    """The commit and licence of a hub dataset; no commit where the hub cannot be reached.

    InputError where the hub says that there is no such dataset or revision, or wants a login.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        GatedRepoError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    name = source.path
    try:
        info = HfApi().dataset_info(name, revision=source.revision, timeout=20)
    except GatedRepoError:
        rule = "the hub wants a login for it; accept its terms there, then run hf auth login"
        raise InputError(f"{name}: {rule}") from None
    except RevisionNotFoundError:
        raise InputError(f"{name}: the hub has no revision {source.revision!r} of it") from None
    except RepositoryNotFoundError:
        raise InputError(f"{name}: no such file here, and no such dataset on the hub") from None
    except (OfflineModeIsEnabled, OSError):
        return {}
    except Exception as error:
        # The client's errors for a dead network are its HTTP library's, which changes.
        if not _no_network(error):
            raise
        return {}
    licence = getattr(info.card_data, "license", None) if info.card_data else None
    return {"revision": info.sha} | ({"licence": str(licence)} if licence else {})


def _no_network(error: Exception) -> bool:
    names = {cls.__name__ for cls in type(error).__mro__}
    return bool(names & {"TransportError", "ConnectionError", "HfHubHTTPError"})


def load_rows(path: str, source: Source, commit: str | None) -> tuple[Iterator[Row], int]:
    """Rows of one split of a hub dataset or of a local folder, and how many there are."""
    import datasets
    from datasets.exceptions import DatasetNotFoundError, DatasetsError

    if not on_terminal():
        datasets.disable_progress_bars()
    name = source.path
    try:
        data = datasets.load_dataset(
            path, name=source.config, split=source.split, revision=commit or source.revision
        )
    except DatasetNotFoundError:
        raise InputError(f"{name}: the hub has no such dataset, or wants a login for it") from None
    except (ConnectionError, FileNotFoundError, OSError) as error:
        raise InputError(f"{name}: {_unreachable(path, name, error)}") from None
    except (RuntimeError, ValueError, DatasetsError) as error:
        cause = error.__cause__ or error
        reason = " ".join(str(cause).split())[:160].rstrip(".") or type(cause).__name__
        remedy = "set config, split or revision, or give a file"
        raise InputError(f"{name}: {reason}; {remedy}") from None
    if not len(data):
        raise InputError(f"{name}: empty, no rows; choose another split")
    return _rows(data), len(data)


def _unreachable(path: str, name: str, error: Exception) -> str:
    if path != name or isinstance(error, FileNotFoundError):
        reason = " ".join(str(error).split())[:160].rstrip(".").replace(path, name)
        return f"{reason}; a dataset is JSON, JSONL or Parquet files"
    return "no such file here, and the hub cannot be reached; check the network, or give a file"


def _rows(data: "Dataset") -> Iterator[Row]:
    for number, values in enumerate(data, 1):
        yield Row(number, values)
