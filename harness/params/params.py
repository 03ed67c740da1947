"""Every knob of the pipeline, typed; ``params.yaml`` is read into these alone."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError, field_validator

from harness.common.errors import InputError, nearest
from harness.common.yaml_files import read_yaml
from harness.params.base_model import PretrainParams
from harness.params.evaluation import EvaluateParams
from harness.params.judge import JudgeParams
from harness.params.lab import LabParams
from harness.params.prepare import PrepareParams
from harness.params.reward_model import RewardParams
from harness.params.rounds import RoundsParams
from harness.params.section import Positive, Section, Seed
from harness.params.selections import (
    Budget,
    Further,
    K,
    Name,
    Reference,
    RoundSelection,
    ScoredSelection,
    Selection,
)
from harness.params.training import TrainParams

MAIN = "main"  # the study of the main table, and the base model that it trains
GONE = ("embedding", "budget", "cuts", "groups", "reports")  # keys that an older version had


STATES = "base"  # the model of an entry of `embeddings_states`


class EmbeddingParams(Section):
    """How an embedding of the pool is made."""

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
        """The scorer's arguments other than the pool."""
        return dict(self.model_extra or {})


class Defaults(Section):
    """What a selection has unless its entry overrides it; entries begin with `<<: *defaults`."""

    embedding: Name  # subsets are measured on this one, too
    k: K
    budget: Budget


class Study(Section):
    """A report beside the main table; its rows are the entries of `further` that name it."""

    report: Literal["scores", "curves", "clusters", "sensitivity"]
    title: str = ""


class ReportParams(Section):
    """How tables compare their rows."""

    baselines: list[Name]  # each a family of tests of its own
    metrics: list[Name] | None = None  # rows whose headline DVC shows; null: the whole table
    texts: bool = True  # whether the page holds rows and items; not where their licence forbids it


class World(Section):
    """Another generated world, in which the rows of `world_rows` are run."""

    seed: Seed  # of the lab and of the base model; their other knobs are as everywhere


class WorldReport(Section):
    """A report of how the rows of all worlds differ from one of them."""

    baseline: Name
    title: str = ""


@dataclass(frozen=True)
class Cell:
    """A selection or reference with a seed group: what one stage trains, or evaluates."""

    study: str  # whose report has it
    of: str  # the selection or reference
    group: str
    seeds: tuple[int, ...]  # those of the group that the selection runs
    key: str = ""  # of `further`; none in the main table
    rows: int | None = None  # only the first so many rows of each subset; None for all
    rounds: int | None = None  # only the rows of the first so many rounds; None for all
    base: str = MAIN  # the base model that is trained
    world: str = ""  # of `worlds`, in whose folder its files are; none for the repository's own

    @property
    def name(self) -> str:
        """The row of a table to which it belongs, with cells of other seeds."""
        parts = (self.of, self.rows, self.rounds, None if self.base == MAIN else self.base)
        return "_".join(str(part) for part in parts if part is not None)

    @property
    def row(self) -> tuple[object, ...]:
        """What that row is of; `make check` refuses two of one name."""
        return self.of, self.rows, self.rounds, self.base

    @property
    def path(self) -> Path:
        """The folder of its files, under `runs` and under `data/described`."""
        return Path(self.study, self.key) if self.key else Path(self.study, self.of, self.group)

    def stage(self, template: str) -> str:
        """Its stage in DVC, as `train@random-s0_1_2` or `train_further@random_200`."""
        if self.world:
            return f"world_row@{self.world}-{self.of}"
        if self.key:
            return f"{template}_further@{self.key}"
        return f"{template}@{self.of}-{self.group}"


class Params(Section):
    """The whole of params.yaml."""

    preset: Name
    template: str
    lab: LabParams
    prepare: PrepareParams
    base_model: PretrainParams
    base_models: dict[str, PretrainParams]
    reward_model: RewardParams
    reward_models: dict[str, RewardParams]
    embeddings: dict[str, EmbeddingParams]
    embeddings_states: dict[str, EmbeddingParams]  # the base model's
    scorers: dict[str, ScorerParams]
    cluster: ClusterParams
    budget_unit: Literal["rows", "tokens"]
    defaults: Defaults
    selections: dict[str, Selection]
    selections_scored: dict[str, ScoredSelection]
    selections_rounds: dict[str, RoundSelection]
    rounds: RoundsParams
    judge: JudgeParams
    references: dict[str, Reference]
    train: TrainParams
    evaluate: EvaluateParams
    seed_groups: list[str]  # s0_1_2 is one process of three seeds
    table: list[str]  # the rows of the main table
    further: dict[str, Further]
    studies: dict[str, Study]
    worlds: dict[str, World]
    world_rows: list[str]  # what each world runs
    world_reports: dict[str, WorldReport]
    report: ReportParams

    @property
    def every_selection(self) -> dict[str, Selection]:
        """The selections of every table; a name is in one of them only."""
        return {**self.selections, **self.selections_scored, **self.selections_rounds}

    def subset_stage(self, name: str) -> str:
        """The stage of DVC that writes a row's subsets."""
        tables = {
            "select": self.selections,
            "select_scored": self.selections_scored,
            "select_rounds": self.selections_rounds,
        }
        stages = (stage for stage, table in tables.items() if name in table)
        return f"{next(stages, 'select_reference')}@{name}"

    def chosen_by(self, name: str) -> Selection | Reference:
        """The selection or reference of that name; InputError where there is none."""
        item = self.every_selection.get(name) or self.references.get(name)
        if item is None:
            near = nearest(name, [*self.every_selection, *self.references])
            raise InputError(f"params.yaml: no selection or reference is called {name!r}{near}")
        return item

    def absolute_budget(self, name: str, whole: int) -> int:
        """A selection's budget in its unit; a share is of ``whole``, what the pool has."""
        budget = self.chosen_by(name).budget or self.defaults.budget
        return max(1, round(budget * whole)) if isinstance(budget, float) else budget

    def groups_of(self, name: str) -> list[str]:
        """The seed groups of a selection or reference."""
        return [*self.seed_groups, *self.chosen_by(name).more_groups]

    def seeds_of(self, name: str, group: str) -> list[int]:
        """The seeds of a group that a selection or reference runs."""
        seeds = self.chosen_by(name).seeds
        return [s for s in group_seeds(group) if seeds is None or s in seeds]

    def main_cell(self, name: str, group: str) -> Cell:
        """A cell of the main table by its row and seed group."""
        return Cell(MAIN, name, group, tuple(self.seeds_of(name, group)))

    def world_cells(self, name: str, world: str) -> list[Cell]:
        """The cells of a row of `world_rows` in a world, one a seed group."""
        return [replace(self.main_cell(name, group), world=world) for group in self.seed_groups]

    def further_cell(self, key: str) -> Cell:
        """The cell of an entry of `further`; InputError where there is none."""
        if key not in self.further:
            raise InputError(f"further: no entry is called {key!r}{nearest(key, self.further)}")
        item = self.further[key]
        seeds = tuple(self.seeds_of(item.of, item.group))
        return Cell(item.study, item.of, item.group, seeds, key, item.rows, item.rounds, item.base)

    def cells(self, study: str) -> list[Cell]:
        """Every cell that a study reports, in the order of the params."""
        listed = [] if study != MAIN else [(n, g) for n in self.table for g in self.seed_groups]
        further = [key for key, item in self.further.items() if item.study == study]
        return [*(self.main_cell(*one) for one in listed), *map(self.further_cell, further)]

    @property
    def every_embedding(self) -> dict[str, EmbeddingParams]:
        """Those of encoders and of the base model's states."""
        return self.embeddings | self.embeddings_states

    @property
    def every_study(self) -> list[str]:
        """The main table first, then those of `studies`."""
        return [MAIN, *self.studies]

    @property
    def report_kinds(self) -> dict[str, str]:
        """The kind of each report that `studies` and `world_reports` name."""
        kinds = {name: study.report for name, study in self.studies.items()}
        return kinds | dict.fromkeys(self.world_reports, "worlds")

    def every_cell(self) -> list[Cell]:
        """The cells of the main table, then those of each study."""
        return [cell for study in self.every_study for cell in self.cells(study)]


def group_seeds(group: str) -> list[int]:
    """The seeds of a group: ``s0_1_2`` is [0, 1, 2]."""
    parts = group[1:].split("_") if isinstance(group, str) and group.startswith("s") else [""]
    if not all(part.isdigit() for part in parts):
        raise InputError(f"params.yaml: seed group {group!r} is not of the form s0_1_2")
    return [int(part) for part in parts]


def older_form(values: object) -> str | None:
    """What has changed since the version of a params file; None for the present version."""
    gone = [key for key in GONE if isinstance(values, dict) and key in values]
    if not gone:
        return None
    return (
        f"{', '.join(gone)}: keys of an older version: now `table`, `further`, `studies` and "
        "`defaults` say what is compared (docs/add-a-study.md), and results/<preset>/<study>/ has "
        "each study's tables; keep a copy, git checkout params.yaml, and put your changes into the "
        "new form; runs in MLflow stay"
    )


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml; InputError names the first key that breaks a rule."""
    values = read_yaml(path)
    if older := older_form(values):
        raise InputError(f"{path}: {older}")
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f"{part}: " for part in [".".join(map(str, first["loc"]))] if part)
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{path}: {where}{message}; make check lists all") from None
