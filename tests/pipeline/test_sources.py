"""What the source tree promises: dvc.yaml knows the code of each stage, and files stay short."""

import ast
import shlex
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What carries values and files from one place to another but decides none of them. Were these
# dependencies, a word changed in an error message would train every model again.
CARRIERS = {
    "harness",
    "harness.common.errors",
    "harness.common.files",
    "harness.common.flops",  # says what something cost
    "harness.models.size",  # the same
    "harness.params.knobs",  # checks values, and changes none
    "harness.common.layout",
    "harness.common.process_groups",  # ends processes
    "harness.launching.launch",  # starts them
    "harness.models.files",  # refuses, and changes nothing
    "harness.params.params",  # the values themselves are params of the stages
    "harness.params.section",  # checks values, and changes none
    "harness.common.progress",
    "harness.common.disk_errors",
    "harness.common.schemas",
    "harness.common.stores",
    "harness.common.timings",
    "harness.common.yaml_files",
    "pipeline.code",
    "pipeline",
    "pipeline.stage",
}
# The tables: adding an entry must not rerun the other entries' stages.
TABLES = {"harness.samplers", "harness.round_systems"}
OF_TABLES = ("harness/samplers/", "harness/round_systems/")
# Code that a stage reaches by other ways than an import: task files name functions, and the
# sandbox starts its supervisor as a script.
SANDBOX = [
    f"harness.evaluation.sandbox.{path.stem}"
    for path in (ROOT / "harness/evaluation/sandbox").glob("[a-z]*.py")
]
REACHED_OTHERWISE = {"pipeline.evaluate": ["harness.evaluation.code", *SANDBOX]}
# `pipeline.report` imports a kind of report where it writes one: a stage depends on its own kind.
REPORT_KINDS = {"report": "scores", "report_subsets": "subsets", "report_worlds": "worlds"}
LONGEST_FILE, LONGEST_FUNCTION = 400, 60


def path_of(module: str) -> Path | None:
    """A module's file; None where it is not one of ours."""
    path = ROOT / Path(*module.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None


@cache
def imports(module: str) -> frozenset[str]:
    """Our modules that a module imports by name, inside functions too."""
    file = path_of(module)
    assert file is not None, module
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*package.split(".")[: 1 - node.level or None], base]).strip(".")
            inner = {f"{base}.{alias.name}" for alias in node.names}
            modules = {name for name in inner if path_of(name)}
            # `from harness import samplers` is an import of harness.samplers, not of harness.
            names |= modules if len(modules) == len(inner) else modules | {base}
    ours = ("harness", "pipeline")
    return frozenset(name for name in names if name.split(".")[0] in ours and path_of(name))


def reached(module: str, kind: str = "") -> set[str]:
    """A module and all that it imports, at any depth, carriers and tables left out.

    Of the kinds of report, this one.
    """
    own = f"harness.report.{kind}."
    seen: set[str] = set()
    to_see = [module, *REACHED_OTHERWISE.get(module, ())]
    while to_see:
        name = to_see.pop()
        if name not in seen | CARRIERS | TABLES:
            seen.add(name)
            to_see += [
                used
                for used in imports(name)
                if name != "pipeline.report" or used.startswith(own) or "harness.report" not in used
            ]
    return seen


def kind_of(stage: str) -> str:
    """The kind of report that a stage writes; empty for a stage that writes none."""
    from harness.params.params import load_params

    grid, _, key = stage.partition("@")
    if grid == "report_study":
        return load_params(ROOT / "params.yaml").studies[key].report
    return REPORT_KINDS.get(grid, "")


@cache
def stages() -> dict[str, tuple[str, frozenset[str]]]:
    """Each stage's pipeline module and dependencies, as DVC resolves dvc.yaml."""
    from dvc.repo import Repo

    with Repo(str(ROOT)) as repo:
        listed = {}
        for stage in repo.index.stages:
            words = shlex.split(str(stage.cmd))
            assert words[:2] == ["python", "-m"], stage.cmd
            listed[stage.addressing] = (words[2], frozenset(dep.def_path for dep in stage.deps))
    return listed


def grids() -> dict[str, str]:
    """One stage of each grid and kind of report, by their names: such cells share their code."""
    return {f"{name.split('@')[0]} {kind_of(name)}".strip(): name for name in stages()}


def is_covered(path: str, deps: frozenset[str]) -> bool:
    return any(path == dep or path.startswith(f"{dep.rstrip('/')}/") for dep in deps)


def missing(module: str, deps: frozenset[str], kind: str = "") -> list[str]:
    """The files a module's code lies in that are not among the dependencies."""
    files = [path_of(name) for name in reached(module, kind)]
    paths = {file.relative_to(ROOT).as_posix() for file in files if file is not None}
    return sorted(path for path in paths if not is_covered(path, deps))


def test_imports_are_found_at_any_depth() -> None:
    assert "harness.common.progress" in imports("harness.embedding.embed")
    assert "harness.models.template" in reached("pipeline.train")
    assert "harness.samplers" not in reached("pipeline.select_subset")


def test_every_stage_depends_on_the_code_it_imports() -> None:
    lacking = {}
    for grid, name in grids().items():
        module, deps = stages()[name]
        if paths := missing(module, deps, kind_of(name)):
            lacking[grid] = paths
    assert lacking == {}, "add these to the stages' deps in dvc.yaml"


def test_every_selection_depends_on_its_sampler_and_no_other() -> None:
    from harness.params.params import load_params
    from harness.samplers import SAMPLERS

    selections = load_params(ROOT / "params.yaml").selections
    assert selections
    for name, item in selections.items():
        deps = stages()[f"select@{name}"][1]
        assert missing(f"harness.samplers.{item.sampler}", deps) == []
        others = {f"harness/samplers/{key}.py" for key in SAMPLERS if key != item.sampler}
        assert not [path for path in others if is_covered(path, deps)]


def test_every_selection_in_rounds_depends_on_its_system_and_no_other() -> None:
    from harness.params.params import load_params
    from harness.round_systems import ROUND_SYSTEMS

    for name, item in load_params(ROOT / "params.yaml").selections_rounds.items():
        deps = stages()[f"select_rounds@{name}"][1]
        assert missing(f"harness.round_systems.{item.sampler}", deps) == []
        others = {f"harness/round_systems/{key}.py" for key in ROUND_SYSTEMS if key != item.sampler}
        assert not [path for path in others if is_covered(path, deps)]


def test_every_subset_names_its_stage() -> None:
    from harness.params.params import load_params

    params = load_params(ROOT / "params.yaml")
    named = {params.subset_stage(name) for name in (*params.every_selection, *params.references)}
    assert named == {name for name in stages() if name.startswith("select")}


def test_every_cell_names_its_stages() -> None:
    from harness.params.params import load_params

    cells = load_params(ROOT / "params.yaml").every_cell()
    for template in ("describe", "train", "evaluate"):
        named = {cell.stage(template) for cell in cells}
        assert named == {name for name in stages() if name.startswith(template)}


def test_every_report_depends_on_its_kind_and_no_other() -> None:
    for name, (_, deps) in stages().items():
        if kind := kind_of(name):
            folders = {dep for dep in deps if dep.startswith("harness/report")}
            assert folders == {f"harness/report/{kind}", "harness/report/shared"}, name


def test_every_dependency_on_code_is_there_and_used() -> None:
    used_by: dict[str, set[str]] = {}  # a grid's dependencies are those of any of its cells
    for name, (module, _) in stages().items():
        files = [path_of(used) for used in reached(module, kind_of(name)) | CARRIERS]
        paths = {file.relative_to(ROOT).as_posix() for file in files if file}
        used_by.setdefault(name.split("@")[0], set()).update(paths)
    for name, (_, deps) in stages().items():
        used_paths = used_by[name.split("@")[0]]
        for dep in deps:
            if dep.startswith(("harness/", "pipeline/")):
                assert (ROOT / dep).exists(), f"{name}: {dep}"
            if dep.endswith(".py") and not dep.startswith(OF_TABLES):
                assert dep in used_paths, f"{name} does not import {dep}"


def sources() -> list[Path]:
    folders = ("harness", "pipeline", "tests", "benchmarks")
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{node.name} is {length} lines"


def test_a_sampler_is_one_word_everywhere() -> None:
    from harness.samplers import SAMPLERS

    for key, sampler in SAMPLERS.items():
        assert sampler.function.__name__ == key
        assert path_of(f"harness.samplers.{key}") is not None


SAID_ONCE = (
    '"off_topic", "garbled"',
    '"oracle", "noise"',
    "close_matches(",
    "takes no such param",
    ".KEYWORD_ONLY",
)


@pytest.mark.parametrize("said", SAID_ONCE)
def test_what_two_parts_need_is_said_once(said: str) -> None:
    files = [path for path in (ROOT / "harness").rglob("*.py") if said in path.read_text()]
    assert len(files) == 1
