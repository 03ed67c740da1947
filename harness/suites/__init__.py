"""The benchmark suites: folders of data, named in SUITES; docs/suites.md has their format."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.common.errors import InputError, nearest, one_line
from harness.common.yaml_files import check_yaml, read_yaml
from harness.suites.items import ItemSource

_HERE = Path(__file__).parent

SUITES: dict[str, Path] = {
    "lab": _HERE / "lab",
    "alpaca_cpu": _HERE / "alpaca_cpu",
    "judge_pairwise": _HERE / "judge_pairwise",
    "own": _HERE / "own",
    "paper": _HERE / "paper",
    "paper_local": _HERE / "paper_local",
    "smollm2": _HERE / "smollm2",
    "smollm2_gpu": _HERE / "smollm2_gpu",
}


class Column(BaseModel):
    """One column of a suite's table; docs/suites.md says which fields belong to which kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    label: str
    kind: Literal["lm_eval", "judge", "bits_per_byte", "mean"]
    higher_is_better: bool
    chance: float | None = None
    task: str | None = None  # a task file in the suite's folder
    builtin: str | None = None  # instead of it, one of lm-eval's own tasks or groups
    # Of a builtin: its splits, each with a name of the suite's data.
    splits: dict[str, str] | None = None
    subset: str | None = None  # builtin group: the field that says which of its tasks an item is of
    metric: str | None = None
    shots: Annotated[int, Field(ge=0)] | Literal["fit"] = 0
    max_shots: int = Field(default=5, ge=1)
    items: int | None = Field(default=None, ge=1)
    mirrors: str | None = None  # the family of the generated pool that it asks about
    cluster: str | None = None
    sources: list[str] | None = None
    of: list[str] | None = None

    @model_validator(mode="after")
    def _fields_of_its_kind(self) -> "Column":
        task = "task" if self.builtin is None or self.kind == "judge" else "builtin"
        fields = {task: {"lm_eval", "judge"}, "metric": {"lm_eval"}}
        fields |= {"sources": {"bits_per_byte"}, "of": {"mean"}}
        for field, kinds in fields.items():
            if (getattr(self, field) is not None) != (self.kind in kinds):
                verb = "needs" if self.kind in kinds else "has no use for"
                raise ValueError(f"column {self.name}: kind {self.kind} {verb} `{field}`")
        if self.kind == "judge" and self.shots:
            raise ValueError(f"column {self.name}: kind judge has no use for `shots`")
        if self.mirrors is not None and self.kind != "lm_eval":
            raise ValueError(f"column {self.name}: kind {self.kind} has no use for `mirrors`")
        if self.subset is not None and self.builtin is None:
            raise ValueError(f"column {self.name}: has no use for `subset`, which is of `builtin`")
        if self.builtin is not None and self.task is not None:
            raise ValueError(f"column {self.name}: has `task` and `builtin`; remove one")
        if (self.splits is not None) != (self.builtin is not None):
            verb = "needs" if self.builtin is not None else "has no use for"
            raise ValueError(f"column {self.name}: {task} {verb} `splits`")
        return self

    @property
    def lm_metric(self) -> str:
        """What lm-eval computes of it; of answers to be judged its default, which is not used."""
        return self.metric or "exact_match,none"


class Suite(BaseModel):
    """A suite's columns in the order of its table, and the folder of its task files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    source: str = ""
    headline: str
    columns: list[Column]
    # What prepare writes to data/benchmarks/, by the file's name.
    data: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")], ItemSource] = {}
    folder: Path

    @model_validator(mode="after")
    def _names_fit(self) -> "Suite":
        names = [column.name for column in self.columns]
        if len(set(names)) < len(names):
            raise ValueError(f"two columns share a name: {names}")
        wanted = [self.headline, *(name for column in self.columns for name in column.of or [])]
        for name in wanted:
            if name not in names:
                raise ValueError(f"no column {name!r}; there are {', '.join(names)}")
        means = {column.name for column in self.columns if column.kind == "mean"}
        for column in self.columns:
            if column.kind == "mean" and (not column.of or means & set(column.of)):
                rule = f"`of` is {column.of}; a mean is of one column or more, none of them a mean"
                raise ValueError(f"column {column.name}: {rule}")
            if column.task and not (self.folder / column.task).is_file():
                raise ValueError(f"column {column.name}: no task file {column.task}")
            if column.task and column.shots:
                _check_split(column, self.folder / column.task)
            for file in (column.splits or {}).values():
                if file not in self.data:
                    rule = f"no data is called {file!r}{nearest(file, self.data)}"
                    raise ValueError(f"column {column.name}: {rule}")
        return self

    @property
    def judged(self) -> list[str]:
        """The columns whose answers a judge scores."""
        return [column.name for column in self.columns if column.kind == "judge"]

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)

    def pool_weights(self, mix: Mapping[str, float]) -> dict[str, float]:
        """Weights of the headline's columns as the pool is mixed; empty where one mirrors nothing.

        ``mix`` has each family's share of the pool, as `describing.measures.family_mix`. The sum of
        weight x score is then the average weighted as the pool is; the weights sum to 1. Columns
        that mirror one family share its weight.
        """
        columns = [self.column(name) for name in self.column(self.headline).of or []]
        mirrored = [column.mirrors for column in columns]
        shares = {
            column.name: mix[column.mirrors] / mirrored.count(column.mirrors)
            for column in columns
            if column.mirrors is not None and column.mirrors in mix
        }
        if len(shares) < len(columns):
            return {}
        return {name: share / sum(shares.values()) for name, share in shares.items()}


def _extended(base: Suite, values: dict[str, Any]) -> dict[str, Any]:
    """The fields of a suite that extends another one."""
    was = base.model_dump(exclude_defaults=True)
    own = {**was, **values}
    data = {**was.get("data", {}), **values.get("data", {})}
    own["data"] = {name: items for name, items in data.items() if items is not None}
    for column in own["columns"]:
        if splits := column.get("splits"):
            gone = [name for name in splits.values() if name in data and data[name] is None]
            column["splits"] = {k: name for k, name in splits.items() if name not in gone}
    own["columns"] = [*own["columns"], *own.pop("more_columns", [])]
    return own


def _check_split(column: Column, file: Path) -> None:
    """Raise ValueError where a task's examples would come from the items themselves."""
    task = task_values(file)
    split = task.get("fewshot_split")
    if split is None or split == task.get("test_split"):
        what = "no fewshot_split" if split is None else "the test split as its fewshot_split"
        raise ValueError(
            f"column {column.name}: shots is {column.shots}, but {column.task} names {what}; an "
            "item's own answer could be among its examples: name a split of other rows, or say "
            "shots: 0"
        )


def read_task(path: Path) -> dict[str, Any]:
    """A task as lm-eval reads it, with included files and the functions that it names.

    InputError for a file that cannot be read or a function that cannot be imported.
    """
    from lm_eval.tasks._yaml_loader import load_yaml

    task_values(path)
    try:
        return load_yaml(path)
    except Exception as error:  # imports may fail in any way
        reason = one_line(error) or type(error).__name__
        raise InputError(f"{path}: cannot be read as a task: {reason}") from error


def task_values(path: Path, read: list[Path] | None = None) -> dict[str, Any]:
    """A task's values, with included files, as lm-eval reads them, but None for each function.

    This does without lm-eval, whose import takes seconds. InputError where a file cannot be read.
    """
    path, read = path.resolve(), read if read is not None else []
    if path in read:
        raise InputError(f"{path}: included twice or by itself; take one include out")
    read.append(path)
    check_yaml(path)
    try:
        own = yaml.load(path.read_text(encoding="utf-8"), Loader=_TaskLoader)
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"{path}: not YAML: {one_line(error)}") from None
    if not isinstance(own, dict):
        raise InputError(f"{path}: not a task; write `key: value` lines")
    included = own.pop("include", None) or []
    values: dict[str, Any] = {}
    for name in included if isinstance(included, list) else [included]:
        if not (path.parent / str(name)).is_file():
            raise InputError(f"{path}: includes {name}, which is not a file")
        values |= task_values(path.parent / str(name), read)
    return values | own


class _TaskLoader(yaml.SafeLoader):
    """Reads lm-eval's task files, ignoring what `!function` names."""


_TaskLoader.add_multi_constructor("!", lambda loader, suffix, node: None)


def load_suite(name: str) -> Suite:
    """Read a suite by its name in SUITES; InputError for an unknown name or a malformed file."""
    if name not in SUITES:
        raise InputError(f"evaluate.suite: no suite {name!r}{nearest(name, SUITES)}")
    return read_suite(SUITES[name])


def read_suite(folder: Path, extending: tuple[Path, ...] = ()) -> Suite:
    """Read the suite in `folder`; InputError names the file and the rule it breaks.

    With `extends: <suite>` it has the fields of that suite that it does not name, its task files,
    and that suite's columns before its own `more_columns`; data that are null fall away.
    ``extending`` are the folders of suites that extend this one.
    """
    path = folder / "suite.yaml"
    if not path.is_file():
        raise InputError(f"{path}: no such file; a suite's folder has one")
    try:
        values = read_yaml(path)
        if (base := values.pop("extends", None)) is not None:
            if base not in SUITES:
                raise InputError(f"{path}: extends {base!r}{nearest(base, SUITES)}")
            if SUITES[base] in (chain := (*extending, folder)):
                raise InputError(f"{path}: extends {base}, which extends it; name another suite")
            values = _extended(read_suite(SUITES[base], chain), values)
        return Suite(**{"folder": folder, **values})
    except (OSError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: cannot be read as a suite: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {where + ': ' if where else ''}{first['msg']}") from error
