"""Loads models and tokenizers from local folders or hub ids: safetensors only, no remote code."""

import os
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.common.errors import InputError, shown
from harness.common.files import read_json
from harness.common.progress import counting
from harness.models.files import check_model_files

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback

# Read when huggingface_hub is first imported: nothing here sends telemetry.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

# All that a model's folder needs: no code, no pickles.
TOKENIZER_FILES = ["*.json", "*.model", "*.txt", "*.jinja"]
MODEL_FILES = ["*.safetensors", *TOKENIZER_FILES]
# Where tokenizers keep their vocabularies.
VOCABULARIES = ("tokenizer.json", "*.model", "vocab*", "merges*", "tekken.json", "*.tiktoken")

Device = Literal["auto", "cpu", "cuda"]


def load_tokenizer(
    path_or_id: str | Path, revision: str | None = None
) -> "PreTrainedTokenizerBase":
    """Load a tokenizer, of a hub id without its weights; InputError where it cannot be loaded."""
    from transformers import AutoTokenizer

    folder = model_folder(path_or_id, revision, TOKENIZER_FILES)
    with loading(folder, "tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    check_vocabulary(tokenizer, folder)
    return tokenizer


def check_vocabulary(tokenizer: "PreTrainedTokenizerBase", folder: Path) -> None:
    """Raise InputError where a folder has no vocabulary, so that the tokenizer was made up.

    It would know no words: all texts would look the same to the model.
    """
    # A class that names no file (a tokenizer of bytes or characters) needs none.
    needed = type(tokenizer).vocab_files_names
    if needed and not any(any(folder.glob(pattern)) for pattern in VOCABULARIES):
        raise InputError(f"{folder}: no tokenizer ({', '.join(VOCABULARIES)}); add its files")


def load_model(
    path_or_id: str | Path,
    revision: str | None = None,
    dtype: "torch.dtype | None" = None,
) -> "PreTrainedModel":
    """Load a causal language model in `dtype` (default float32) on the CPU.

    InputError where it is missing, broken, not safetensors or out of reach, or lacks weights.
    """
    from transformers import AutoModelForCausalLM

    folder = model_folder(path_or_id, revision)
    model, missing = load_weights(AutoModelForCausalLM, folder, dtype)
    if missing:  # they would be drawn at random
        rule = f"the weights lack {missing[0]} and {len(missing) - 1} more"
        raise InputError(f"{folder}: {rule}; download the model again")
    return model


def load_weights(
    kind: Any,  # noqa: ANN401  (an auto class of transformers, imported lazily)
    folder: Path,
    dtype: "torch.dtype | None" = None,
) -> "tuple[PreTrainedModel, list[str]]":
    """A model of that kind in `dtype` (default float32), and the sorted weights its file lacks."""
    import torch

    with loading(folder, "model"), without_bars(), _without_reports():
        model, info = kind.from_pretrained(
            folder,
            dtype=dtype or torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    return model, sorted(info["missing_keys"])


def model_folder(
    path_or_id: str | Path, revision: str | None = None, files: Sequence[str] = MODEL_FILES
) -> Path:
    """The folder of a model; that of a hub id is fetched, from the hub or its cache.

    InputError for a folder or id without a model, an id out of reach, and files that lead to a
    pickle or out of the folder. Code and pickles are not fetched.
    """
    name, path = str(path_or_id), Path(path_or_id)
    if path.is_dir():
        return _checked(path)
    # A hub id is `name` or `owner/name`; anything else must be a folder.
    if isinstance(path_or_id, Path) or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise InputError(f"{path}: no such model folder")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    at = f" at revision {revision}" if revision else ""
    try:
        fetched = snapshot_download(
            name,
            revision=revision,
            allow_patterns=list(files),
            local_files_only=not _hub_in_reach(),
        )
    except LocalEntryNotFoundError as error:
        raise InputError(
            f"{name}{at}: no such local folder, not in the hub's cache here, and the hub is out of "
            "reach; give a local folder, or check the network"
        ) from error
    except (OSError, ValueError) as error:
        raise InputError(
            f"{name}{at}: no such local folder, and the hub does not provide it ({_line(error)}); "
            "give a local folder, or check the id"
        ) from error
    check_model_files(Path(fetched))
    return Path(fetched)


def check_ids(model: "PreTrainedModel", rows: Iterable[Sequence[int]]) -> None:
    """Raise InputError where a row has a token that the model does not embed.

    A tokenizer may have more tokens, as long as no text uses them.
    """
    embedding: Any = model.get_input_embeddings()
    largest = max((max(ids) for ids in rows if len(ids)), default=0)
    if largest >= embedding.num_embeddings:
        rule = f"the tokenizer gives token {largest}, the model embeds {embedding.num_embeddings}"
        raise InputError(f"{model.name_or_path}: {rule}; they belong to different models")


@contextmanager
def loading(folder: Path, what: str) -> Iterator[None]:
    """Report in one line whatever a library raises over the files of a model's folder."""
    try:
        yield
    except InputError:
        raise
    # A configuration of wrong types or sizes fails in as many ways as there are models.
    except Exception as error:
        raise InputError(f"{folder}: the {what} cannot be loaded: {_line(error)}") from error


@contextmanager
def without_bars() -> Iterator[None]:
    """Hide the progress bars of transformers: four megabytes are read or written at once."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


@contextmanager
def _without_reports() -> Iterator[None]:
    """Hide tables of missing and unexpected weights: `load_model` reports what matters."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)


def training_progress(curve: list[dict[str, float]], label: str) -> "TrainerCallback":
    """A callback that adds logged losses to the curve, {step, epoch, loss}, and shows progress."""
    from transformers import TrainerCallback

    class Progress(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs) -> None:  # noqa: ANN001, ANN003
            self.shown = ExitStack()
            self.step = self.shown.enter_context(counting(label, state.max_steps))

        def on_step_end(self, args, state, control, **kwargs) -> None:  # noqa: ANN001, ANN003
            self.step(1)

        def on_log(self, args, state, control, logs=None, **kwargs) -> None:  # noqa: ANN001, ANN003
            if logs and "loss" in logs:
                point = {"step": state.global_step, "epoch": logs["epoch"], "loss": logs["loss"]}
                curve.append(point)

        def on_train_end(self, args, state, control, **kwargs) -> None:  # noqa: ANN001, ANN003
            self.shown.close()

    return Progress()


def on_one_device(arguments: Any) -> Any:  # noqa: ANN401  (of SFT or of rewards)
    """A trainer's arguments without `torch.nn.DataParallel`, which transformers falls into.

    In a process that sees several cards it would multiply the rows of a step by their number.
    """
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments


def pick_device(device: Device) -> Literal["cpu", "cuda"]:
    """`cuda` or `cpu`; `auto` takes CUDA if there is any. InputError for CUDA without a device."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device: torch sees no CUDA device, but cuda is set; set auto or cpu")
    return device


def _checked(path: Path) -> Path:
    config = path / "config.json"
    if not config.is_file():
        raise InputError(f"{path}: not a model folder, config.json is missing")
    content = read_json(config, "download the model again")
    if not isinstance(content, dict) or "model_type" not in content:
        raise InputError(f"{config}: holds no model_type; not the configuration of a model")
    check_model_files(path)
    return path


def _hub_in_reach() -> bool:
    """Whether the hub answers at all: while it does not, its client retries for minutes."""
    if urllib.request.getproxies():
        return True  # only the proxy knows what can be reached
    hub = urllib.parse.urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    try:
        port = hub.port or (80 if hub.scheme == "http" else 443)
        socket.create_connection((hub.hostname or "", port), timeout=5).close()
    except OSError:
        return False
    return True


def _line(error: Exception) -> str:
    """The first line of a library's error, and the next two where it ends in a colon."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    first = lines[0] if lines else type(error).__name__
    # A library may list a whole folder.
    return shown(" ".join(lines[:3]) if first.endswith(":") else first, 300)
