"""How large models and pools are: counted where they are here, else as stated."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import read_json
from harness.common.locations import SHARED, on_hub, split_revision
from harness.params.base_model import PretrainParams
from harness.params.params import Params
from harness.params.prepare import FROM_POOL, Part
from harness.plan.stated import CHARACTERS_A_TOKEN, Shape, stated

COUNTED, STATED, MADE = "counted", "stated", "made here"


@dataclass(frozen=True)
class Model:
    """A model: its shape, or its parameters alone where that is not known, and how we know."""

    name: str
    parameters: int
    multiplied: int
    shape: Shape | None
    how: str
    revision: str | None = None

    @property
    def on_hub(self) -> bool:
        """Whether its files come from the hub."""
        return on_hub(self.name)


@dataclass(frozen=True)
class Pool:
    """The rows of a pool once parts are cut from it, and the mean tokens of a row."""

    name: str
    rows: int
    prompt: float
    response: float
    how: str
    revision: str | None = None

    @property
    def tokens(self) -> float:
        """Of a row, its prompt and its response."""
        return self.prompt + self.response


def scratch_shape(params: PretrainParams) -> Shape:
    """The Llama that `harness.base_model.pretraining` makes; its GPT-2 has biases besides."""
    return Shape(
        vocabulary=params.vocab_size,
        layers=params.layers,
        hidden=params.hidden,
        intermediate=8 * round(params.hidden / 3),
        heads=params.heads,
        kv_heads=params.heads,
        tied=True,
        context=params.context,
    )


def base_model(params: PretrainParams) -> Model:
    """The size of a base model; InputError for one that is neither here nor stated."""
    if params.source == "scratch":
        shape = scratch_shape(params)
        return Model("scratch", shape.parameters, shape.multiplied, shape, MADE)
    return find_model(params.source, params.revision, "base_model.source")


def find_model(name: str, revision: str | None, where: str) -> Model:
    """The size of a model by its folder or hub id; InputError where it is not known."""
    folder = _folder(name, revision)
    if folder is not None:
        from harness.models.size import parameter_counts

        counts = parameter_counts(folder)
        size = counts["parameters"], counts["multiplied_parameters"]
        return Model(name, *size, _shape_of(folder), COUNTED, revision)
    shape = stated().models.get(name)
    if shape is None:
        rule = "its size is not known: it is not here, and harness/plan/stated.yaml lacks it"
        raise InputError(f"{where}: {name}: {rule}; fetch it, or add its shape there")
    return Model(name, shape.parameters, shape.multiplied, shape, STATED, revision)


def encoder(name: str, revision: str | None, where: str) -> Model | None:
    """The size of an embedding's encoder; None where no model reads."""
    if name == "lexical" or name.endswith(".npy"):
        return None
    if name == "minilm":
        from harness.embedding.embed import packaged_minilm
        from harness.models.size import parameter_counts

        counts = parameter_counts(packaged_minilm())
        size = counts["parameters"], counts["multiplied_parameters"]
        return Model(name, *size, None, COUNTED)
    return find_model(name, revision, where)


def _folder(name: str, revision: str | None) -> Path | None:
    """The folder of a model that is here: a local one, or the hub's cache."""
    if Path(name).is_dir():
        return Path(name)
    if not on_hub(name):
        return None
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(name, "config.json", revision=revision)
    folder = Path(cached).parent if isinstance(cached, str) else None
    # A tokenizer may have been fetched without the weights.
    return folder if folder is not None and any(folder.glob("*.safetensors")) else None


def _shape_of(folder: Path) -> Shape | None:
    """The shape in a folder's config.json; None where it is of another kind than Llama's."""
    config: dict[str, Any] = read_json(folder / "config.json")
    names = {"vocabulary": "vocab_size", "layers": "num_hidden_layers", "hidden": "hidden_size"}
    names |= {"intermediate": "intermediate_size", "heads": "num_attention_heads"}
    names |= {"context": "max_position_embeddings"}
    if not all(isinstance(config.get(key), int) for key in names.values()):
        return None
    heads = int(config["num_attention_heads"])
    return Shape(
        **{name: int(config[key]) for name, key in names.items()},
        kv_heads=int(config.get("num_key_value_heads") or heads),
        tied=bool(config.get("tie_word_embeddings")),
        classifier=any("Classification" in kind for kind in config.get("architectures") or ()),
    )


def pool_size(params: Params, measured: bool) -> Pool:
    """The pool's size: of an earlier run, counted from its file, or stated, in that order.

    ``measured`` says whether a run of the preset's had this pool. InputError for a hub id that is
    not stated, and for a file that cannot be read.
    """
    name, revision = source_of(params, params.prepare.source)
    if measured and (earlier := _measured(params)):
        rows, prompt, response, file = earlier
        return Pool(name, rows, prompt, response, f"counted: {file}", revision)
    if name == "lab":
        lengths = stated().pools["lab"]
        rows, how = params.lab.instances, f"{STATED}: {lengths.source}"
        return Pool(name, rows, lengths.prompt, lengths.response, how)
    if on_hub(name):
        if name not in stated().pools:
            rule = "its size is not known before it is fetched"
            remedy = "dvc repro prepare, or add it to harness/plan/stated.yaml"
            raise InputError(f"prepare.source: {name}: {rule}; {remedy}")
        lengths = stated().pools[name]
        rows = _left(params, lengths.rows or 0)
        how = f"{STATED}: {lengths.source}"
        return Pool(name, rows, lengths.prompt, lengths.response, how, revision)
    rows, prompt, response = _counted(params)
    how = f"{COUNTED}: tokens as characters / {CHARACTERS_A_TOKEN:g}"
    return Pool(name, _left(params, rows), prompt, response, how)


def source_of(params: Params, source: str) -> tuple[str, str | None]:
    """The path or hub id of a source by its name, or as it is, and its revision."""
    named = params.prepare.sources.get(source)
    path = named.path if named else source
    if path.startswith(SHARED):  # a file, whether that folder is here or not
        return path, None
    name, revision = split_revision(path)
    return name, revision or (named.revision if named else None)


def _measured(params: Params) -> tuple[int, float, float, Path] | None:
    """Rows and tokens of a row in the committed table of subsets, if the preset has one."""
    import csv

    file = layout.report_folder(params.preset, "subsets") / "table.csv"
    if not file.is_file():
        return None
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            lines = [line for line in csv.DictReader(stream) if line["selection"] == "full"]
        if not lines or "mean_length" not in lines[0]:
            return None
        rows, tokens = int(lines[0]["rows"]), float(lines[0]["tokens"])
        response = min(float(lines[0]["mean_length"]) / CHARACTERS_A_TOKEN, tokens / rows / 2)
        return rows, tokens / rows - response, response, file
    except (KeyError, ValueError, ZeroDivisionError):
        raise InputError(f"{file}: not as it was written; git checkout {file}") from None


def _counted(params: Params) -> tuple[int, float, float]:
    """Rows of the source, and mean tokens of prompt and response by their characters."""
    from harness.pools.instances import read_instances
    from harness.pools.sources import load

    prepare = params.prepare
    source = prepare.find_source(prepare.source)
    rows = read_instances(load(source), source.where, "drop").kept
    if not rows:
        raise InputError(f"prepare.source: {prepare.source}: no row of it can be used")
    prompt, response = (
        sum(len(getattr(row, part)) for row in rows) / len(rows) / CHARACTERS_A_TOKEN
        for part in ("prompt", "response")
    )
    return len(rows), prompt, response


def _left(params: Params, rows: int) -> int:
    """What is left of the source's rows once parts are cut."""
    prepare = params.prepare
    whole = part_size(Part(name=FROM_POOL, source=prepare.source, rows=prepare.rows), rows)
    cut = [part for part in (*prepare.heldout, *prepare.pretraining) if part.source == FROM_POOL]
    return max(1, whole - sum(part_size(part, whole) for part in cut))


def part_size(part: Part, of: int) -> int:
    """How many rows a part takes of so many."""
    if isinstance(part.rows, float):
        return min(max(round(part.rows * of), part.at_least), part.at_most or of)
    return of if part.rows == "all" else min(part.rows, of)
