"""Every knob of the pipeline, typed; ``params.yaml`` is read into these and nothing else."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from harness.errors import InputError, nearest, shown
from harness.evaluation_params import EvaluateParams
from harness.judge_params import JudgeParams
from harness.lab.params import LabParams
from harness.lab.references import Rows
from harness.layout import CUTS
from harness.pools.params import PrepareParams
from harness.pretraining_params import PretrainParams
from harness.reward_params import RewardParams
from harness.rounds_params import RoundsParams
from harness.selection_params import (
    Cut,
    Name,
    Positive,
    RoundSelection,
    ScoredSelection,
    Section,
    Seed,
    Selection,
)
from harness.training_params import TrainParams
from harness.yaml_files import read_yaml

STUDIES = ("main", "sensitivity", "scorers", "rounds")  # those that dvc.yaml has stages for
BY_ROUND = ("scorers", "rounds")  # studies of the beginnings of selections
SHARED_OUT = ("noise", "coverage")  # the rows of a reference that come in doses


class EmbeddingParams(Section):
    """How one embedding of the pool is made."""

    model: str = "minilm"
    revision: str | None = None  # commit of a hub id
    text: Literal["prompt_completion", "prompt"] = "prompt_completion"


class ClusterParams(Section):
    """Which clusterings are made."""

    k: Annotated[list[Positive], Field(min_length=1)]
    seed: Seed

    @field_validator("k")
    @classmethod
    def _each_once(cls, value: list[int]) -> list[int]:
        for k in value:
            if value.count(k) > 1:
                raise ValueError(f"{k} is listed twice; remove one")
        return value


class ScorerParams(Section):
    """How a column of the scores is made; further keys go to its scorer."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    scorer: str

    @property
    def scorer_params(self) -> dict[str, Any]:
        """What the scorer gets besides the pool."""
        return dict(self.model_extra or {})


class Reference(Section):
    """Rows that are no selection system: they read the planted truth, or take no rows, or all."""

    rows: Rows
    study: Name  # part of a path
    share: Annotated[float, Field(ge=0, le=1)] | None = None
    seeds: Annotated[list[Seed], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _share_where_it_is_read(self) -> Self:
        if self.rows in SHARED_OUT and self.share is None:
            raise ValueError(f"rows {self.rows} need `share`, 0 to 1; add it")
        if self.rows not in SHARED_OUT and self.share is not None:
            raise ValueError(f"rows {self.rows} take no `share` ({self.share}); remove it")
        return self


class Groups(Section):
    """Seed groups: ``s0_1_2`` is one process of three seeds; ``more`` is for `more_seeds`."""

    main: list[str]
    more: list[str]


class Study(Section):
    """The selections of one table, and those of the main study that it wants more seeds of."""

    selections: list[str]
    more_seeds: list[str] = Field(default=[])  # not the main study's; see Params


class Params(Section):
    """The whole of params.yaml."""

    preset: Name
    template: str
    lab: LabParams
    prepare: PrepareParams
    base_model: PretrainParams
    reward_model: RewardParams
    embeddings: dict[str, EmbeddingParams]
    embedding: str
    scorers: dict[str, ScorerParams]
    cluster: ClusterParams
    budget: int | float
    budget_unit: Literal["rows", "tokens"]
    selections: dict[str, Selection]
    selections_scored: dict[str, ScoredSelection]
    selections_rounds: dict[str, RoundSelection]
    cuts: dict[str, Cut]
    rounds: RoundsParams
    judge: JudgeParams
    references: dict[str, Reference]
    train: TrainParams
    evaluate: EvaluateParams
    groups: Groups
    studies: dict[str, Study]
    reports: dict[str, list[str]]  # an empty list: the preset has no such table

    @field_validator("budget", mode="before")
    @classmethod
    def _share_or_rows(cls, value: object) -> object:
        share = isinstance(value, float) and 0 < value < 1
        rows = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        if not share and not rows:
            rule = "a share of the pool lies between 0 and 1 (0.1), a number of rows is whole (600)"
            raise ValueError(f"{shown(repr(value), 40)} is neither: {rule}")
        return value

    @field_validator("studies", "reports")
    @classmethod
    def _every_study(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in value:
            if name not in STUDIES:
                raise ValueError(f"no stage is there for a study {name!r}{nearest(name, STUDIES)}")
        for name in STUDIES:
            if name not in value:
                raise ValueError(f"{name} is missing; add it, with empty lists if it is not wanted")
        return value

    @model_validator(mode="after")
    def _more_seeds_where_they_run(self) -> Self:
        if "more_seeds" not in self.studies["sensitivity"].model_fields_set:
            raise ValueError("studies.sensitivity.more_seeds: this key is missing; [] is none")
        if self.studies["main"].more_seeds:
            raise ValueError("studies.main.more_seeds: only `sensitivity` has stages for them")
        return self

    @property
    def every_selection(self) -> dict[str, Selection]:
        """The selections of every table: a name stands in one of them only."""
        return {**self.selections, **self.selections_scored, **self.selections_rounds}

    def home(self, name: str) -> str:
        """The folder under ``data/subsets`` where a row's subsets lie."""
        if name in self.cuts:
            return CUTS
        return self.references[name].study if name in self.references else "main"

    def subset_stage(self, name: str) -> str:
        """The stage of DVC that writes a row's subsets."""
        tables = {
            "select": self.selections,
            "select_scored": self.selections_scored,
            "select_rounds": self.selections_rounds,
            "select_reference": self.references,
        }
        found = (stage for stage, table in tables.items() if name in table)
        return f"{next(found, 'cut')}@{name}"

    def absolute_budget(self, whole: int) -> int:
        """The budget in its unit: a share of the pool's ``whole`` where it is under 1."""
        if isinstance(self.budget, float):
            return max(1, round(self.budget * whole))
        return self.budget

    def seeds_of(self, selection: str, group: str) -> list[int]:
        """The seeds a cell runs: those of its group, less those the selection does not take."""
        cut = self.cuts.get(selection)
        of = cut.of if cut else selection
        item = self.every_selection.get(of) or self.references.get(of)
        if item is None:
            raise InputError(f"params.yaml: no selection or reference is named {selection!r}")
        return [s for s in group_seeds(group) if item.seeds is None or s in item.seeds]

    def all_groups(self) -> list[str]:
        """Every seed group, those of more seeds last."""
        return [*self.groups.main, *self.groups.more]

    def groups_of(self, selection: str) -> list[str]:
        """The seed groups in which a selection is trained on: those of more seeds where listed."""
        more = selection in self.studies["sensitivity"].more_seeds
        return [*self.groups.main, *(self.groups.more if more else [])]

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


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml; InputError names the first key that breaks a rule."""
    values = read_yaml(path)
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f"{part}: " for part in [".".join(map(str, first["loc"]))] if part)
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{path}: {where}{message}; make check lists all") from None
