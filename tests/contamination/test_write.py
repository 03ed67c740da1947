"""Planted benchmark questions are found, as they are and in other words; others are not."""

import json
from pathlib import Path

import pytest

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import read_json
from harness.common.schemas import HELDOUT, POOL, frame_of, read_pool, write_frame
from harness.contamination.write import encoder_of, write_contamination
from harness.params.params import Params
from tests.helpers.build_runs import write_params

QUESTIONS = [
    "What happens to you if you swallow the seeds of a watermelon?",
    "Which mammal was the first one to be cloned from an adult cell?",
    "How many senses does a human being have?",
    "Why do veins look blue\x85through the skin?",
    "A baker sells 12 loaves in the morning and 30 in the afternoon. How many loaves is that?",
]
# Question 0 as it is, 1 in other letters within another request, 2 and 4 in other words; not 3.
PLANTED = {
    "p0": QUESTIONS[0],
    "p1": "Hello! which MAMMAL was the first one to be cloned, from an adult cell please",
    "p2": "Give the number of senses that a human being has.",
    "p4": "In the morning a baker sold 12 loaves, in the afternoon 30. How many were sold?",
}
OTHERS = [
    "Write a short poem about the sea in winter.",
    "Translate 'good morning' into French.",
    "List three healthy breakfast foods.",
    "Explain how a bicycle stays upright.",
    "Summarise the plot of Romeo and Juliet in two sentences.",
    "Which seeds are good for birds in winter?",
    "Describe how sheep are shorn.",
    "How much flour does a loaf of bread need?",
]


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """A working directory with a pool, a held-out prompt and a benchmark."""
    monkeypatch.chdir(tmp_path)
    prompts = {**{f"o{i}": text for i, text in enumerate(OTHERS)}, **PLANTED}
    rows = [(name, i, text, "Yes.", "[]") for i, (name, text) in enumerate(prompts.items())]
    layout.DATA.mkdir()
    write_frame(layout.POOL_FILE, frame_of(POOL, rows), POOL)
    held = [("h0", 0, "List three foods for a healthy breakfast.", "Oats.", "[]", "mine")]
    write_frame(layout.HELDOUT_FILE, frame_of(HELDOUT, held), HELDOUT)
    layout.BENCHMARKS.mkdir()
    lines = [
        json.dumps({"id": str(i), "prompt": text}, ensure_ascii=False)
        for i, text in enumerate(QUESTIONS)
    ]
    (layout.BENCHMARKS / "knowledge.jsonl").write_text("\n".join(lines) + "\n")
    return write_params(tmp_path)


def test_planted_questions_are_found_in_other_words_too(params: Params) -> None:
    write_contamination(params, "")
    card = read_json(layout.CONTAMINATION_FILE)
    result = card["targets"]["benchmark/knowledge"]
    assert (result["items"], result["items_near"], result["rows_near"]) == (5, 4, 4)
    nearest = {one["item"]: one["row"] for one in result["nearest"] if one["similarity"] >= 0.8}
    assert nearest == {QUESTIONS[int(name[1:])]: name for name in PLANTED}
    held = card["targets"]["heldout/mine"]
    assert held["nearest"][0]["prompt"] == OTHERS[2]
    assert held["items_near"] == 1


def test_what_the_encoder_reads_in_part_is_counted(params: Params) -> None:
    write_contamination(params, "")
    reads = read_json(layout.CONTAMINATION_FILE)["reads"]
    assert {name: (one["rows"], one["over"]) for name, one in reads.items()} == {
        "prompts": (len(OTHERS) + len(PLANTED), 0),
        "items": (len(QUESTIONS) + 1, 0),
    }
    lines = [json.dumps({"id": str(i), "prompt": "word " * 300}) for i in range(2)]
    (layout.BENCHMARKS / "knowledge.jsonl").write_text("\n".join(lines) + "\n")
    pool = read_pool().frame
    pool.loc[0, "prompt"] = "word " * 300
    write_frame(layout.POOL_FILE, pool, POOL)
    write_contamination(params, "")
    reads = read_json(layout.CONTAMINATION_FILE)["reads"]
    assert (reads["prompts"]["over"], reads["items"]["over"]) == (1, 2)
    assert reads["items"]["most"] == 256


def test_the_same_again_and_another_threshold(params: Params) -> None:
    write_contamination(params, "")
    first = layout.CONTAMINATION_FILE.read_bytes()
    write_contamination(params, "")
    assert layout.CONTAMINATION_FILE.read_bytes() == first
    overlap = params.prepare.overlap.model_copy(update={"similarity": 0.99})
    prepare = params.prepare.model_copy(update={"overlap": overlap})
    write_contamination(params.model_copy(update={"prepare": prepare}), "")
    assert read_json(layout.CONTAMINATION_FILE)["targets"]["benchmark/knowledge"]["rows_near"] == 1


def test_an_encoder_of_the_pool_alone_gives_way_to_minilm(params: Params) -> None:
    assert encoder_of(params).model == "minilm"
    assert {model_of(params, name) for name in ("states", "lexical")} == {"minilm"}
    own = params.embeddings["minilm"].model_copy(update={"model": "my/encoder", "revision": "a"})
    params = params.model_copy(update={"embeddings": {**params.embeddings, "own": own}})
    assert model_of(params, "own") == "my/encoder"


def model_of(params: Params, embedding: str) -> str:
    defaults = params.defaults.model_copy(update={"embedding": embedding})
    return encoder_of(params.model_copy(update={"defaults": defaults})).model


@pytest.mark.parametrize("line", ['{"id": "1", "prom', "[1, 2]", "5", ""])
def test_a_damaged_benchmark_is_one_line(params: Params, line: str) -> None:
    with (layout.BENCHMARKS / "knowledge.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(InputError, match=r"knowledge\.jsonl: .*; dvc repro prepare"):
        write_contamination(params, "")
