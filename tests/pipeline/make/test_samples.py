"""`make samples`: the page of a run or of two, where it lies, and what it refuses."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.common import layout
from harness.common.errors import InputError
from harness.common.schemas import HELDOUT, write_frame
from harness.suites import SUITES
from pipeline.make.samples import main
from tests.helpers.build_runs import ITEMS, ROOT, SMALL, build_runs
from tests.helpers.small_suite import CHOICE, CHOICES, SHOTS, heldout, write_lines
from tests.helpers.viewer_page import shown

SUITE = """
name: pair
title: A pair
headline: bpb
columns:
  - {name: choice, label: Choice, kind: lm_eval, task: choice.yaml, metric: "acc,none",
     higher_is_better: true, cluster: skill}
  - {name: bpb, label: All, kind: bits_per_byte, sources: [], higher_is_better: false}
"""


@pytest.fixture(scope="module", autouse=True)
def built(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A repository with the runs of two rows, a base model, items and held-out rows."""
    root = tmp_path_factory.mktemp("samples")
    (root / "suite").mkdir()
    (root / "suite/suite.yaml").write_text(SUITE)
    (root / "suite/choice.yaml").write_text(CHOICE.format(name="choice"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setitem(SUITES, "pair", root / "suite")
        build_runs(root, **SMALL | {"evaluate": {"suite": "pair"}})
        shutil.copytree(tiny_model, layout.BASE_MODEL, dirs_exist_ok=True)
        write_frame(layout.HELDOUT_FILE, heldout(), HELDOUT)
        layout.BENCHMARKS.mkdir()
        asked = [{**CHOICES[i % 9], "id": f"i{i:03d}"} for i in range(ITEMS)]
        write_lines(layout.BENCHMARKS / "choice.jsonl", asked)
        write_lines(layout.BENCHMARKS / "choice_shots.jsonl", SHOTS)
        yield root


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["samples", *arguments])
    main()


def page_of(path: str) -> tuple[str, dict[str, Any]]:
    """A page and its data."""
    html = Path(path).read_text(encoding="utf-8")
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert data is not None
    return html, json.loads(data[1])


def test_a_run_has_a_page_of_its_first_seed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "random")
    assert capsys.readouterr().out.startswith(
        "samples: open samples/alpaca_cpu/random.html in a browser (0.0 MB)"
    )
    _, data = page_of("samples/alpaca_cpu/random.html")
    assert data["runs"] == ["random, seed 0"]
    choice, held = data["benchmarks"]
    assert (choice["kind"], choice["changed"], len(choice["items"])) == ("lm_eval", 0, ITEMS)
    assert "Name number 3." in choice["items"][3]["prompt"]
    assert choice["items"][3]["cluster"] == "3"
    # What a file lacks is no text, nor a number that JSON does not know.
    assert {one["cluster"] for one in held["items"]} == {""}
    assert (held["kind"], held["changed"]) == ("bits_per_byte", ITEMS)  # no such held-out rows


def test_two_runs_of_which_some_items_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "random:1", "--vs", "none", "--items", "7")
    _, data = page_of("samples/alpaca_cpu/random_seed_1_vs_none.html")
    assert data["runs"] == ["random, seed 1", "none, seed 0"]
    assert [(len(one["items"]), one["of"]) for one in data["benchmarks"]] == [(7, ITEMS)] * 2
    run(monkeypatch, "random:1", "--vs", "none", "--items", "all")
    _, data = page_of("samples/alpaca_cpu/random_seed_1_vs_none.html")
    assert [len(one["items"]) for one in data["benchmarks"]] == [ITEMS] * 2


def test_the_page_runs_in_a_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "random", "--vs", "random:1")
    html, data = page_of("samples/alpaca_cpu/random_vs_random_seed_1.html")
    for number, bench in enumerate(data["benchmarks"]):
        page = shown(html, ("benchmark", str(number)), ("more", None))
        assert [one["item"].split(" · ")[0] for one in page["cards"]] == [
            one["item"] for one in bench["items"]
        ]
        assert len(page["cards"][0]["scores"]) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([""], "RUN: no run is named; make samples RUN=random, RUN=kmq:1"),
        (["randum"], "RUN=randum: no row is called 'randum'; did you mean 'random'?"),
        (["random:7"], "RUN=random:7: random has no seed '7'; choices: 0, 1"),
        (["random", "--vs", "nune"], "VS=nune: no row is called 'nune'; did you mean 'none'?"),
        (["random", "--items", "0"], "ITEMS=0: neither a number from 1 nor all"),
        (["random", "--items", "al"], "ITEMS=al: neither a number from 1 nor all"),
    ],
)
def test_what_it_refuses(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        run(monkeypatch, *arguments)
    assert str(caught.value).startswith(message)


def test_the_variables_of_make() -> None:
    command = ["make", "-n", "-C", str(ROOT), "samples", "RUN=kmq:1", "VS=random", "ITEMS=7"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert '-m pipeline.make.samples "$RUN" --vs "$VS" --items "$ITEMS"' in said
