"""Every knob of the pipeline, typed; ``params.yaml`` is read into these and nothing else."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import InputError
from harness.evaluation_params import EvaluateParams
from harness.lab.params import LabParams
from harness.pools.params import PrepareParams
from harness.pretraining_params import PretrainParams
from harness.training_params import TrainParams

Positive = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A part of params.yaml: unknown keys are refused, values are never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EmbeddingParams(Section):
    """How one embedding of the pool is made."""

    model: str = "minilm"
    revision: str | None = None  # commit of a hub id
    text: Literal["prompt_completion", "prompt"] = "prompt_completion"


class ClusterParams(Section):
    """Which clusterings are made."""

    k: list[Positive]
    seed: int = 42


class Selection(Section):
    """A named configuration of a selection system; further keys go to its sampler."""

    model_config = ConfigDict(extra="allow", frozen=True)

    sampler: str
    k: Positive = 1
    seeds: list[int] | None = None

    @property
    def sampler_params(self) -> dict[str, Any]:
        """What the sampler gets besides pool, budget and rng."""
        return dict(self.model_extra or {})


class Reference(Section):
    """Rows that are no selection system: they read the planted truth, or take no rows, or all."""

    rows: Literal["none", "full", "clean", "oracle", "noise", "coverage"]
    study: str
    share: Annotated[float, Field(ge=0, le=1)] | None = None
    seeds: list[int] | None = None


class Groups(Section):
    """Seed groups: ``s0_1_2`` is one process of three seeds; ``more`` is for `more_seeds`."""

    main: list[str]
    more: list[str] = []


class Study(Section):
    """The selections of one table, and those of the main study that it wants more seeds of."""

    selections: list[str]
    more_seeds: list[str] = []


class Params(Section):
    """The whole of params.yaml."""

    preset: str
    template: str
    lab: LabParams
    prepare: PrepareParams
    base_model: PretrainParams
    embeddings: dict[str, EmbeddingParams]
    embedding: str
    scorers: list[str]
    cluster: ClusterParams
    budget: Annotated[float, Field(gt=0)]
    selections: dict[str, Selection]
    references: dict[str, Reference]
    train: TrainParams
    evaluate: EvaluateParams
    groups: Groups
    studies: dict[str, Study]
    reports: dict[str, list[str]]  # an empty list: the preset has no such table

    def rows_budget(self, pool_size: int) -> int:
        """The budget in rows: a share of the pool where it is under 1, else a number of rows."""
        if self.budget < 1:
            return max(1, round(self.budget * pool_size))
        return int(self.budget)

    def seeds_of(self, selection: str, group: str) -> list[int]:
        """The seeds a cell runs: those of its group, less those the selection does not take."""
        item = self.selections.get(selection) or self.references.get(selection)
        if item is None:
            raise InputError(f"params.yaml: no selection or reference is named {selection!r}")
        return [s for s in group_seeds(group) if item.seeds is None or s in item.seeds]

    def all_groups(self) -> list[str]:
        """Every seed group, those of more seeds last."""
        return [*self.groups.main, *self.groups.more]

    def cells(self, study: str) -> list[tuple[str, str]]:
        """The (selection, group) pairs trained under ``runs/<study>``."""
        listed = self.studies[study]
        pairs = [(name, group) for name in listed.selections for group in self.groups.main]
        return pairs + [(name, group) for name in listed.more_seeds for group in self.groups.more]


def group_seeds(group: str) -> list[int]:
    """The seeds of a group: ``s0_1_2`` is [0, 1, 2]."""
    parts = group[1:].split("_") if isinstance(group, str) and group.startswith("s") else [""]
    if not all(part.isdigit() for part in parts):
        raise InputError(f"params.yaml: seed group {group!r} is not of the form s0_1_2")
    return [int(part) for part in parts]


def read_yaml(path: Path) -> Any:  # noqa: ANN401  (YAML is any of its types)
    """Read YAML as DVC does (YAML 1.2); InputError where it is absent or broken."""
    from ruamel.yaml import YAML, YAMLError

    if not path.is_file():
        raise InputError(f"{path}: no such file; make preset PRESET=lab writes one")
    try:
        return YAML(typ="safe", pure=True).load(path)
    except YAMLError as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"{path}: not YAML: {reason}") from None


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml; InputError names the first key that breaks a rule."""
    values = read_yaml(path)
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {where}: {first['msg']}; make check lists all") from None
