"""Rows of which an encoder reads a part only, or which are mostly unknown to its vocabulary."""

import json
import logging
from pathlib import Path

import pytest

from harness.common import layout
from harness.common.files import read_json, write_json
from harness.common.timings import read_timed
from harness.embedding.embed import count_reads, load_encoder
from harness.embedding.files import CARD, Reads, read_notes
from harness.report.subsets.write import write_subset_report
from harness.select_command.command import run
from tests.helpers.pool_files import as_jsonl
from tests.helpers.selection_tree import build_tree

LONG = "word " * 300
STRANGE = "ꦲꦏ꧀ꦱꦫꦗꦮ ꦲꦤꦕꦫꦏ " * 5  # Javanese script
HALF = "ꦲꦏ one"  # as many known as unknown: no more than half


def test_rows_are_counted_as_the_encoder_reads_them() -> None:
    encoder = load_encoder("minilm", None)
    most = encoder.max_seq_length
    exact = "word " * (most - 2)  # and the two tokens around it
    texts = ["Name the hill.", exact, exact + "word", LONG, STRANGE, STRANGE * 200, HALF]
    result = count_reads(texts, "minilm", None)
    ids = encoder.tokenizer(texts, truncation=True, max_length=most).input_ids
    assert result == Reads(rows=7, most=256, over=3, unknown=2, tokens=sum(map(len, ids)))
    assert (encoder.encode([LONG]) == encoder.encode([exact])).all(), "what is over is not read"
    assert len(result.notes()) == 2
    assert count_reads(texts[:2], "minilm", None).notes() == []


def test_select_says_so_and_writes_it_down(tmp_path: Path) -> None:
    rows = [{"instruction": f"hill {i}", "output": f"is {i}"} for i in range(6)]
    rows += [{"instruction": "hill", "output": LONG}, {"instruction": STRANGE, "output": STRANGE}]
    as_jsonl(tmp_path / "pool.jsonl", rows)
    words = f"--pool {tmp_path}/pool.jsonl --sampler k_center --budget 2 --force"
    words += f" --out {tmp_path}/out.jsonl --cache {tmp_path}/cache"
    for _ in ("made", "from the cache"):
        said: list[str] = []
        run(words.split(), said.append)
        messages = [line for line in said if line.startswith("note: ")]
        assert messages[0].startswith("note: 1 of 8 rows are over the 256 tokens that the encoder")
        assert messages[1].startswith("note: 1 of 8 rows are mostly unknown to the encoder's voc")
        card = json.loads((tmp_path / "out.jsonl.provenance.json").read_text())
        assert [f"note: {note}" for note in card["notes"]] == messages


def test_the_stage_says_so_and_the_report_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from pipeline import embed

    monkeypatch.chdir(tmp_path)
    params = build_tree(tmp_path)
    name = params.defaults.embedding
    card = layout.EMBEDDINGS / name / CARD
    report = write_subset_report(params) / "table.md"
    before = report.read_text()
    assert f"of the embedding `{name}`." in before
    message = Reads(rows=120, most=256, over=17, unknown=0)
    write_json(card, read_json(card) | {"reads": message._asdict()})
    write_subset_report(params)
    (note,) = read_notes(name)
    assert report.read_text() == before.replace(
        f"of the embedding `{name}`.", f"of the embedding `{name}`; {note}."
    )
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(embed, "code_hash", lambda _: "")
    embed.run(name)
    result = read_timed(card)
    tokens = result["reads"]["tokens"]
    assert result["reads"] == Reads(120, 256, 0, 0, tokens)._asdict()
    assert tokens > 2 * 120
    assert "note: " not in caplog.text
    # All-MiniLM-L6-v2 less what is only looked up.
    assert result["multiplied_parameters"] == 22_713_216 - (30_522 + 512 + 2) * 384
    assert result["seconds"] > 0
    embed.run(name)
    assert read_timed(card)["seconds"] == result["seconds"], "kept with the blocks"
    (block, *_) = sorted(tmp_path.glob(".store/scratch/embed/*/block_*.npy"))
    block.unlink()
    (block.parent / "seconds.json").unlink()
    (block.parent / "block_99999999.npy").write_bytes(b"of a killed run")
    embed.run(name)
    assert read_timed(card)["seconds"] is None, "a part was made by another run"
