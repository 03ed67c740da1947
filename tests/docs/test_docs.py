"""What the documents show is what the results hold, and the commands in them exist."""

import json
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from harness.common.markdown import first_table
from harness.report.scores.write import write_scores
from harness.suites import SUITES
from scripts import list_words, write_tables
from tests.helpers.build_runs import build_runs
from tests.helpers.presets import preset_file
from tests.helpers.small_repo import ROOT
from tests.helpers.toy_suite import write_toy_suite

README = (ROOT / "README.md").read_text()


def test_the_readme_shows_the_committed_table() -> None:
    shown = README.split("<!-- made: main_table -->")[1].split("<!-- end -->")[0]
    heads, *rows = first_table((ROOT / "results/lab/main/table.md").read_text())
    own, *lines = first_table(shown)
    assert own[:4] == ["selection", "seeds", "rows", "Average"]
    kept = [i for i, head in enumerate(heads) if head in own]
    assert [heads[i] for i in kept] == own
    assert [[row[i] for i in kept] for row in rows] == lines


@pytest.mark.parametrize("name", write_tables.PAGES)
def test_tables_of_what_there_is_are_made_from_the_code(name: str) -> None:
    page = (ROOT / name).read_text()
    assert write_tables.MARKED.search(page)
    assert write_tables.written(page) == page, "python -m scripts.write_tables"


def test_every_table_of_the_code_is_shown() -> None:
    pages = "".join((ROOT / name).read_text() for name in write_tables.PAGES)
    shown = [match[2] for match in write_tables.MARKED.finditer(pages)]
    assert sorted(shown) == sorted(write_tables.TABLES)


def test_verdicts_are_those_of_the_params_that_made_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SUITES, "toy", write_toy_suite(tmp_path / "suite"))
    params = build_runs(
        tmp_path,
        table=["none", "km_random", "k_center"],
        seed_groups=["s0_1_2"],
        further={},
        studies={},
        evaluate={"suite": "toy"},
        report={"baselines": ["random", "km_random"]},  # the first has no row
    )
    folder = write_scores(params, "main")
    monkeypatch.setattr(write_tables, "RESULTS", tmp_path / "results")
    (tmp_path / "params.yaml").write_text("preset: another\n")
    said = [one.replace("\n", " ") for one in write_tables.verdicts().strip().split("\n\n")]
    page = (folder / "table.md").read_text()
    assert [one.split()[1] for one in said] == ["km_random,", "none,", "km_random,"]
    assert all(one.removeprefix("Against km_random, ") in page for one in said)


def test_the_targets_in_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"make ([a-z-]+)", README))
    assert named
    assert named <= targets


@pytest.mark.parametrize("page", [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"])
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_pictures_are_small() -> None:
    for picture in [*(ROOT / "docs").glob("*.png"), *(ROOT / "results").rglob("*.png")]:
        assert picture.stat().st_size < 300_000, picture


# A preset whose recipe alone was chosen has no table yet.
COMMITTED = sorted(path.parent.name for path in (ROOT / "results").glob("*/main"))


@pytest.mark.parametrize("preset", COMMITTED)
def test_committed_results_are_those_of_the_presets(preset: str) -> None:
    folder = ROOT / "results" / preset
    params = YAML(typ="safe").load(preset_file(preset))
    made_with = json.loads((folder / "main" / "provenance.json").read_text())["params"]
    if "defaults" not in made_with:  # made before the present form of the params
        made_with["defaults"] = {"embedding": made_with["embedding"], "budget": made_with["budget"]}
        made_with["defaults"]["k"] = made_with["selections"]["random"]["k"]
        made_with["seed_groups"] = made_with["groups"]["main"]
    for section in ("selections", "references", "train", "base_model", "defaults", "seed_groups"):
        recorded = made_with[section]
        asked = params[section]
        if isinstance(asked, dict):
            assert set(asked) <= set(recorded), section
            assert {k: recorded[k] for k in asked if not isinstance(asked[k], dict)} == {
                k: v for k, v in asked.items() if not isinstance(v, dict)
            }, section
        else:
            assert recorded == asked, section
    rows = json.loads((folder / "summary.json").read_text())
    assert list(rows) == params["table"]


def test_words_are_looked_for_in_every_kind_of_text() -> None:
    assert {"Makefile", ".ci/run", "README.md", "dvc.yaml"} <= set(list_words.tracked([]))
