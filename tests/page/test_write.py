"""The page: its parts in order, self-contained, and what texts hold is shown, not obeyed."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import write_json
from harness.page import write
from harness.page.examples import texts_of
from harness.page.write import (
    body_of,
    bundle,
    markdown_html,
    page_html,
    read_parts,
    score_text,
    title_of,
    write_page,
)
from harness.params.params import MAIN, Params, load_params
from harness.report.shared.pages import made_with
from tests.helpers.presets import preset_file

EVIL = "</script><img src=x onerror=alert(1)><!-- "
CHART = {"title": "T & co", "caption": EVIL, "spec": {"mark": "point", "data": {"values": [EVIL]}}}
ORIGIN = {
    "git": {"commit": "0123456789abcdef", "dirty": True},
    "machine": {"cores": 2, "cpu": "a processor", "architecture": "x86_64", "memory_gib": 4.0},
    "versions": {"torch": "1.0"},
    "files": {"data/pool.parquet": "ab" * 32},
}


def part(title: str) -> dict[str, Any]:
    text = f"# {title}\n\nFirst {EVIL}\n\n| a | b |\n| --- | ---: |\n| x | 1.5 ± 0.1 |\n"
    return {
        "text": f"{text}\n![scores](table.png)\n\n## How to read it\n\nRest.\n",
        "charts": [CHART],
        "older": False,
    }


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_bytes(preset_file("lab").read_bytes())
    return load_params()


def leave(params: Params, parts: dict[str, dict[str, Any]]) -> None:
    """The parts as reports made of the present pool and params leave them."""
    layout.POOL_FILE.parent.mkdir(exist_ok=True)
    layout.POOL_FILE.write_bytes(b"rows")
    for name, one in parts.items():
        write_json(layout.page_part("lab", name), {**one, "made_with": made_with(params, name)})


@pytest.fixture
def parts() -> dict[str, dict[str, Any]]:
    main = part("Main") | {"finding": [f"Found {EVIL}"], "provenance": ORIGIN}
    subsets = part("Subsets") | {"texts": False}
    return {MAIN: main, "subsets": subsets, "rounds": part("Rounds")}


def test_sections_stand_in_order_and_charts_in_them(
    params: Params, parts: dict[str, dict[str, Any]]
) -> None:
    page = page_html(params, parts, None)
    places = [page.index(f'<section id="{name}">') for name in (*parts, "page-made")]
    assert places == sorted(places)
    ids = re.findall(r'class="chart" id="([^"]+)"', page)
    specs = re.search(r'id="page-specs">(.*?)</script>', page, re.DOTALL)
    assert specs
    assert ids == ["main-1", "subsets-1", "rounds-1"] == list(json.loads(specs[1]))
    assert json.loads(specs[1])["main-1"] == CHART["spec"]
    assert "table.png" not in page, "charts stand in place of pictures"
    assert "Not made yet: sensitivity" in page
    assert page.count("<p>First ") == 1, "what all begin with"


def test_texts_are_shown_not_obeyed_and_nothing_is_fetched(
    params: Params, parts: dict[str, dict[str, Any]]
) -> None:
    whole = page_html(params, parts, None)
    assert whole.count("</script>") == 3
    page = whole.replace(bundle(), "")  # Vega's own code names tags
    assert "<img" not in page
    assert page.count("<script") == 3
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
    assert "@import" not in page


def test_the_page_says_what_is_missing_and_when_it_is_too_large(
    params: Params, parts: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "examples", lambda params: None)
    with pytest.raises(InputError, match=r"main\.json: no such file; run dvc repro report"):
        write_page(params)
    leave(params, parts)
    out = write_page(params)
    assert out == Path("results/lab/report.html")
    whole = out.read_bytes()
    monkeypatch.setattr(write, "MOST_BYTES", 1000)
    with pytest.raises(InputError, match=r"more than 1,000; report.texts: false"):
        write_page(params)
    assert out.read_bytes() == whole, "the last good page stays"


def test_parts_of_another_preset_are_not_its_own(
    params: Params, parts: dict[str, dict[str, Any]]
) -> None:
    leave(params, parts)
    assert list(read_parts(params)) == list(parts)
    assert read_parts(params.model_copy(update={"preset": "own"})) == {}
    write_json(layout.page_part("lab", "rounds"), parts["rounds"])  # as an older version left it
    assert "rounds" not in read_parts(params)
    part = {"made_with": made_with(params, "rounds"), "charts": []}
    write_json(layout.page_part("lab", "rounds"), part)
    with pytest.raises(InputError, match=r"rounds.json: has no text; remove the file, and run"):
        read_parts(params)


def test_answers_are_kept_for_where_no_run_is(
    params: Params, parts: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(params, parts)
    item = {"prompt": "What?", "choices": [], "right": "a", "answers": ["b"], "scores": [0.0]}
    shown = {"runs": ["random, seed 0"], "benchmarks": [{"name": "One", "kind": "lm_eval"}]}
    shown["benchmarks"][0] |= {"items": [item], "head": "", "changed": 0}
    monkeypatch.setattr(write, "examples", lambda params: shown)
    assert "What?" in write_page(params).read_text()
    monkeypatch.setattr(write, "examples", lambda params: None)
    assert "What?" in write_page(params).read_text(), "no run is here"
    hidden = params.report.model_copy(update={"texts": False})
    assert "What?" not in write_page(params.model_copy(update={"report": hidden})).read_text()
    assert "What?" not in layout.examples_file("lab").read_text()


def test_a_map_with_texts_is_no_part_of_a_page_without(
    params: Params, parts: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "examples", lambda params: None)
    report = params.report.model_copy(update={"texts": False})
    hidden = params.model_copy(update={"report": report})
    leave(params, parts)
    write_page(hidden)
    parts["subsets"]["texts"] = True
    leave(params, parts)
    before = write_page(params).read_bytes()
    rule = r"page/subsets\.json: may hold rows.*report.texts: false; run dvc repro report_subsets"
    with pytest.raises(InputError, match=rule):
        write_page(hidden)
    del parts["subsets"]["texts"]  # as an older version left it
    leave(params, parts)
    with pytest.raises(InputError, match=rule):
        write_page(hidden)
    assert layout.page_file("lab").read_bytes() == before


@pytest.mark.parametrize("changed", ["pool", "recipe", "base"])
def test_a_part_of_another_pool_base_or_recipe_is_marked_and_claims_nothing(
    params: Params,
    parts: dict[str, dict[str, Any]],
    changed: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(write, "examples", lambda params: None)
    keys = ("says", "where", "pair", "published", "here", "p", "verdict")
    parts["rounds"]["claims"] = [dict.fromkeys(keys, "a claim")]
    leave(params, parts)
    assert "a claim" in write_page(params).read_text()
    if changed == "pool":
        layout.POOL_FILE.write_bytes(b"other rows")
    elif changed == "base":
        layout.BASE_MODEL.mkdir(parents=True)
        (layout.BASE_MODEL / "model.safetensors").write_bytes(b"weights")
    else:
        train = params.train.model_copy(update={"learning_rate": 0.5})
        params = params.model_copy(update={"train": train})
    for name in (MAIN, "subsets"):  # what `make repro` makes anew
        write_json(
            layout.page_part("lab", name), {**parts[name], "made_with": made_with(params, name)}
        )
    assert {name for name, one in read_parts(params).items() if one["older"]} == {"rounds"}
    page = write_page(params).read_text()
    assert page.count("Made with another pool, base model or training recipe") == 1
    assert "a claim" not in page


def test_a_report_is_cut_at_its_second_heading() -> None:
    text = "# A *title*\n\nfirst\n\n![p](p.png)\n\n## More\n\nrest\n"
    assert title_of(text) == "A *title*"
    first, rest = body_of(text)
    assert first.split() == ["first"]
    assert rest.startswith("## More")
    assert body_of("# T\n\nall")[1] == ""


def test_tables_scroll_and_raw_html_does_not_pass() -> None:
    made = markdown_html("| a |\n| --- |\n| <b>x</b> |\n")
    assert made.startswith('<div class="wide"><table>')
    assert "&lt;b&gt;" in made


def test_programs_are_listed_once_with_how_many_pass() -> None:
    again = {"answer": "def f(x): return x", "passes": True}
    answer = json.dumps([again, {"answer": "5", "passes": False}, again])
    assert texts_of(answer) == [("passes (2 of 3)", again["answer"]), ("fails (1 of 3)", "5")]
    many = json.dumps([{"answer": str(i), "passes": False} for i in range(6)])
    assert texts_of(many)[3:] == [("fails (1 of 6)", "3"), ("and 2 more", "")]
    for plain in ("hello", "12", '"a"', "[1]", "[]", '{"answer": "x"}'):
        assert texts_of(plain) == [("", plain)]
    assert texts_of("") == texts_of(None) == []


@pytest.mark.parametrize(
    ("score", "kind", "text"),
    [
        (100.0, "lm_eval", "right"),
        (0.0, "lm_eval", "wrong"),
        (40.0, "lm_eval", "40.0%"),
        (0.5, "bits_per_byte", "0.500 bits per byte"),
        (100.0, "judge", "100.0"),
    ],
)
def test_scores_in_words(score: float, kind: str, text: str) -> None:
    assert score_text(score, kind) == text
