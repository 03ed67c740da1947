"""`make report`: the page is built from what was run here, else the shipped one is shown."""

from pathlib import Path

import pytest

from harness.common import layout
from harness.common.errors import InputError
from harness.params.params import Params
from harness.report.scores.write import write_scores
from harness.suites import SUITES
from pipeline.make import report
from tests.helpers.build_runs import build_runs
from tests.helpers.toy_suite import write_toy_suite


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SUITES, "toy", write_toy_suite(tmp_path / "suite"))
    monkeypatch.setattr(report, "_has_screen", lambda: False)
    return build_runs(
        tmp_path,
        preset="lab",
        seed_groups=["s0_1"],
        table=["none", "random"],
        further={},
        studies={},
        world_reports={},
        report={"baselines": ["random"], "texts": False},
        evaluate={"suite": "toy"},
    )


def test_what_was_run_here_makes_the_page(
    params: Params, capsys: pytest.CaptureFixture[str]
) -> None:
    write_scores(params, "main")
    report.main([])
    page = layout.page_file("lab")
    said = capsys.readouterr().out
    assert f"report: {page} (" in said
    assert f"open {page} in a browser" in said
    assert "<!doctype html>" in page.read_text(encoding="utf-8")


def test_nothing_run_shows_the_shipped_page_or_says_what_makes_it(
    params: Params, capsys: pytest.CaptureFixture[str]
) -> None:
    page = layout.page_file(params.preset)
    with pytest.raises(InputError, match="no such file, and nothing was run here yet; make repro"):
        report.main([])
    page.parent.mkdir(parents=True)
    page.write_text("shipped")
    report.main([])
    assert "as shipped: nothing was run here yet" in capsys.readouterr().out
    assert page.read_text() == "shipped"


def test_another_preset_is_named(params: Params) -> None:
    with pytest.raises(InputError, match=r"params.yaml is of lab; first make preset PRESET=own"):
        report.main(["--preset", "own"])
