"""The benchmark suites: a suite is a folder of data, `SUITES` names them, `load_suite` reads one.

A suite folder holds `suite.yaml` and one lm-eval task YAML for each benchmark. To add a suite:
make the folder, write the two kinds of file, put its name in SUITES.

`suite.yaml`:

    name: lab                       # equals its key in SUITES
    title: Six generated benchmarks
    source: harness.lab             # where the items come from
    headline: avg                   # the column that ranks the rows of a table
    columns:                        # in the order of the table
      - name: knowledge             # the key in metrics.json
        label: Knowledge            # the head of the table's column
        kind: lm_eval               # lm_eval | bits_per_byte | mean
        task: knowledge.yaml        # lm_eval: the task's file, in this folder
        metric: "acc,none"          # lm_eval: "<metric>,<filter>" as lm-eval names its results
        higher_is_better: true
        chance: 25.0                # the score of a guess in percent; null where there is none
        shots: 0                    # examples before the question, or `fit`, see below
        items: 128                  # optional: only the first so many items
      - name: bpb_code              # response bits-per-byte on held-out rows (no task file)
        label: Code Alpaca (bits/byte)
        kind: bits_per_byte
        sources: [code_alpaca]      # values of `source` in heldout.parquet; [] = all of them
        higher_is_better: false
      - name: avg                   # mean of other columns
        label: Average
        kind: mean
        of: [knowledge]
        higher_is_better: true

Scores of `lm_eval` columns are written in percent (lm-eval's fraction x 100), those of
`bits_per_byte` in bits.

`shots: fit` with `max_shots: n` takes the most examples, at most n, with which no more than 5% of
the items have to be cut from the left to fit the model's context (or no more items than with no
example at all, where that is more). The number taken is written beside the score.

A task file is an ordinary lm-eval task config (`lm_eval` can run it too) with these rules:
- `task: <column name>`; `dataset_path: json`; `dataset_kwargs: {data_files: {test: knowledge.jsonl,
  shots: knowledge_shots.jsonl}}` with file names relative to `data/benchmarks/` (made absolute when
  run); `test_split: test`; `fewshot_split: shots` where there are shots, and only there, with
  `fewshot_config: {sampler: first_n}` so that all items and models see the same examples; none of
  them may be an item.
- Where a field of the item is what is wanted, name it (`doc_to_text: question`, `doc_to_choice:
  choices`, `doc_to_target: answer`): lm-eval compiles a `{{...}}` template anew for every item.
- Prompts go through the model's chat template, so `doc_to_text` is what a user would write, with no
  "Question:"/"Answer:" frame, and a choice follows the template's generation prompt directly.
- An item's stable id is its `id` field (else its position); no `num_fewshot` (the column says it).
- `generate_until` needs `generation_kwargs` with `max_gen_toks` and `until` (`until: []` = only the
  model's end token); sampling is seeded by the run's seed.
- Code: `repeats: 10`, `unsafe_code: true` and the three functions of `harness.evaluation.code`
  (see there); programs run in the sandbox, and where it lacks a wall, the column is not run.
  A task with `unsafe_code: true` and a filter without `run_answers` is refused.
"""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from harness.common.errors import InputError, one_line
from harness.common.yaml_files import check_yaml, read_yaml

_HERE = Path(__file__).parent

SUITES: dict[str, Path] = {
    "lab": _HERE / "lab",
    "alpaca_cpu": _HERE / "alpaca_cpu",
    "own": _HERE / "own",
}


class Column(BaseModel):
    """One column of a suite's table; which fields belong to which kind is in the module's text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    label: str
    kind: Literal["lm_eval", "bits_per_byte", "mean"]
    higher_is_better: bool
    chance: float | None = None
    task: str | None = None
    metric: str | None = None
    shots: int | Literal["fit"] = 0
    max_shots: int = 5
    items: int | None = None
    sources: list[str] | None = None
    of: list[str] | None = None

    @model_validator(mode="after")
    def _fields_of_its_kind(self) -> "Column":
        needed = {"lm_eval": {"task", "metric"}, "bits_per_byte": {"sources"}, "mean": {"of"}}
        for kind, fields in needed.items():
            for field in sorted(fields):
                if (getattr(self, field) is not None) != (kind == self.kind):
                    verb = "needs" if kind == self.kind else "has no use for"
                    raise ValueError(f"column {self.name}: kind {self.kind} {verb} `{field}`")
        return self


class Suite(BaseModel):
    """A suite's columns in the order of its table, and the folder its task files lie in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    source: str = ""
    headline: str
    columns: list[Column]
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
        for column in self.columns:
            if column.task and not (self.folder / column.task).is_file():
                raise ValueError(f"column {column.name}: no task file {column.task}")
            if column.task and column.shots:
                _check_split(column, self.folder / column.task)
        return self

    def column(self, name: str) -> Column:
        """Return the column of that name; KeyError where there is none."""
        return next(column for column in self.columns if column.name == name)


def _check_split(column: Column, file: Path) -> None:
    """Raise ValueError where a task's examples would come from the items themselves."""
    task = _task_values(file)
    split = task.get("fewshot_split")
    if split is None or split == task.get("test_split"):
        what = "no fewshot_split" if split is None else "the test split as its fewshot_split"
        raise ValueError(
            f"column {column.name}: shots is {column.shots}, but {column.task} names {what}; an "
            "item's own answer could be among its examples: name a split of other rows, or say "
            "shots: 0"
        )


def read_task(path: Path) -> dict[str, Any]:
    """A task as lm-eval reads it: with what it includes, and the functions that it names.

    InputError for a file that cannot be read, and for a function that cannot be imported.
    """
    from lm_eval.tasks._yaml_loader import load_yaml

    _task_values(path)
    try:
        return load_yaml(path)
    except Exception as error:  # importing what a task names may fail in any way
        reason = one_line(error) or type(error).__name__
        raise InputError(f"{path}: cannot be read as a task: {reason}") from error


def _task_values(path: Path, read: list[Path] | None = None) -> dict[str, Any]:
    """A task's values, with those it includes, as lm-eval has them; a function is None.

    Without lm-eval, whose import takes seconds. InputError where a file cannot be read.
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
    found: dict[str, Any] = {}
    for name in included if isinstance(included, list) else [included]:
        if not (path.parent / str(name)).is_file():
            raise InputError(f"{path}: includes {name}, which is no file")
        found |= _task_values(path.parent / str(name), read)
    return found | own


class _TaskLoader(yaml.SafeLoader):
    """Reads lm-eval's task files; what `!function` names is not looked at."""


_TaskLoader.add_multi_constructor("!", lambda loader, suffix, node: None)


def load_suite(name: str) -> Suite:
    """Read a suite by its name in SUITES; InputError on an unknown name or a malformed file."""
    if name not in SUITES:
        raise InputError(f"evaluate.suite: no suite {name!r}; choose from {', '.join(SUITES)}")
    return read_suite(SUITES[name])


def read_suite(folder: Path) -> Suite:
    """Read the suite in `folder`; InputError naming the file and the rule it breaks."""
    path = folder / "suite.yaml"
    if not path.is_file():
        raise InputError(f"{path}: no such file; a suite's folder holds one")
    try:
        return Suite(**read_yaml(path), folder=folder)
    except (OSError, TypeError) as error:
        raise InputError(f"{path}: cannot be read as a suite: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {where + ': ' if where else ''}{first['msg']}") from error
