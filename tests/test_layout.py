"""Where things are: no folder imports upwards, nothing lies loose, and the picture is true."""

import ast
import re
from pathlib import Path

import pytest

from scripts.draw_architecture import (
    PAGE,
    PROGRAM,
    ROOT,
    Import,
    drawn,
    files,
    floors,
    graph,
    imports,
)

# Who may import whom: a folder imports from the lines above its own, and from no other.
FLOORS = """
common  lab/families  samplers/kernels  statistics
params  launching  models/templates  clustering  evaluation/sandbox
models  samplers  lab  feedback/judge  suites
base_model  embedding  reward_model  pools  selecting
training  scorers  feedback
evaluation  round_systems
rounds  check  contamination  describing  recipe  plan  published
report/shared
report/clusters  report/scores  report/sensitivity  report/subsets  report/worlds  viewer
report/curves  page
tracking  select_command  relative_score
pipeline/make
pipeline
"""
FLOOR = {
    name if name.startswith("pipeline") else f"harness/{name}": number
    for number, line in enumerate(FLOORS.strip().splitlines())
    for name in line.split()
}
RULE = (
    "no folder imports upwards: a stage's code is in the folder named after it, what stages share "
    "in common, params or models; move what is imported to where both may reach it (FLOORS)"
)
# Modules that name DVC's own files or variables, and why they must.
OF_DVC = {
    "harness/common/stores.py": "finds the repository, also from DVC's temporary folders",
    "harness/common/progress.py": "draws no bar under DVC",
    "harness/report/shared/provenance.py": "names the experiment; excludes DVC's lock",
    "harness/tracking/runs.py": "logs the copy of the lock that lies with the results",
    "harness/tracking/upsert.py": "names the experiment",
}


def test_every_folder_has_its_floor() -> None:
    assert set(graph()) == set(FLOOR), "give the folder a place in FLOORS"


def upwards() -> list[Import]:
    return [
        one
        for one in imports()
        if one.file != PROGRAM and FLOOR[one.of] >= FLOOR[Path(one.file).parent.as_posix()]
    ]


def test_no_folder_imports_upwards() -> None:
    wrong = [f"{file}:{line} imports from {of}" for file, line, of in upwards()]
    assert wrong == [], RULE


def test_floors_are_found_from_the_imports() -> None:
    assert floors({"a": {"b"}, "b": {"c"}, "c": set(), "d": {"c"}}) == [["c"], ["b", "d"], ["a"]]
    with pytest.raises(SystemExit, match="import each other in a circle"):
        floors({"a": {"b"}, "b": {"a"}})


def test_nothing_lies_loose() -> None:
    loose = {path.name for path in (ROOT / "harness").iterdir() if path.is_file()}
    assert loose == {"__init__.py", "__main__.py"}, "a module lies in the folder of its stage"
    folders = {path for path in (ROOT / "harness").rglob("*") if list(path.glob("*.py"))}
    assert [path for path in folders if not (path / "__init__.py").is_file()] == []


def test_the_library_knows_no_pipeline() -> None:
    for file in files():
        if file.startswith("harness/"):
            for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [node.module or ""]
                else:
                    continue
                tops = {name.split(".")[0] for name in names}
                assert not tops & {"dvc", "pipeline", "tests"}, f"{file}:{node.lineno}"


def test_the_library_names_no_file_of_dvc() -> None:
    """But in words to the user: messages name commands (`dvc repro train`), docstrings anything."""
    named = set()
    for file in files():
        if file.startswith("harness/"):
            tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                text = node.value if isinstance(node, ast.Constant) else None
                if isinstance(text, str) and re.fullmatch(r"\.?dvc(\.\w+)?|DVC_\w+", text):
                    named.add(file)
    assert named <= set(OF_DVC), "what is DVC's is in pipeline/; harness is given its values"


def test_no_test_imports_another() -> None:
    for path in (ROOT / "tests").rglob("*.py"):
        imported = re.findall(r"(?:from|import) tests(?:\.\w+)*\.test_\w+", path.read_text())
        imported += re.findall(r"from tests(?:\.\w+)* import test_\w+", path.read_text())
        assert not imported, f"{path}: what two tests share is in tests/helpers or a conftest.py"


def test_tests_lie_as_the_code_does() -> None:
    tests = {path.parent.relative_to(ROOT / "tests").as_posix() for path in sources("tests")}
    code = {"."} | {"/".join(Path(file).parts[1:-1]) for file in files()}
    code |= {"benchmarks", "docs", "pipeline", "pipeline/make"}
    assert tests <= code, "tests/<package>/test_<module>.py"


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("test_*.py"))


def test_the_picture_is_drawn_from_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == drawn(page), "python scripts/draw_architecture.py"
