"""Relative scores of judgment files, by hand and as published; and what a file may break."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.common.errors import InputError
from harness.relative_score.judgments import read_judgments, together
from harness.statistics.ratios import ratio_of_sums

# The scores, without the texts, of two files in evol_gpt4_judge_reference/vicuna_test of
# OFA-Sys/DiverseEvol at 04d328232c623042e1c7ff3600279f017f459e42: kc_dolly_initRAND100/
# rd_6_vs_chat.jsonl (700 rows of Dolly by DiverseEvol) and baseline_dolly/rd_0_vs_chat.jsonl (all).
PUBLISHED = {"vicuna_dolly_700": "79.69", "vicuna_dolly_all": "73.84"}


def written(path: Path, *lines: object) -> Path:
    """A file of these lines, each JSON unless it is text already."""
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("".join(text + "\n" for text in texts), encoding="utf-8")
    return path


def judged(first: object, second: object, **more: object) -> dict[str, Any]:
    """A line with a judgment of either order."""
    return {"eval_QUERY0": first, "eval_QUERY1": second, **more}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_released_judgments_have_the_published_scores(name: str) -> None:
    read = read_judgments(Path(__file__).with_name(f"{name}.jsonl"))
    assert f"{read.relative_score().value:.2f}" == PUBLISHED[name]
    assert read.parsed.sum(axis=0).tolist() == [80, 80]


def test_questions_are_texts_and_each_is_one(tmp_path: Path) -> None:
    lines = [judged([4, 8], [6, 8], question_text=text) for text in ("a", "a\0", "", " ", "a")]
    read = read_judgments(written(tmp_path / "a.jsonl", *lines))
    assert len(set(read.questions)) == 4  # a, a with a zero byte, and two without a text
    narrow = read.relative_score()
    assert narrow.value == pytest.approx(100 * 50 / 80)
    other = written(tmp_path / "b.jsonl", judged([1, 2], [1, 2], question_text=5))
    with pytest.raises(InputError, match=r"b.jsonl, line 1: question_text is 5; it is a text, or"):
        read_judgments(other)
    tiny = written(tmp_path / "c.jsonl", *[judged([4, 1e-320], [4, 1e-320])] * 2)
    with pytest.raises(InputError, match="too little to divide by; give judgments on one scale"):
        read_judgments(tiny).relative_score()


def test_a_score_by_hand(tmp_path: Path) -> None:
    read = read_judgments(
        written(tmp_path / "a.jsonl", judged([7, 9], [8, 9]), judged([5, 8], [6, 8]))
    )
    assert read.relative_score().value == 100 * (7 + 8 + 5 + 6) / (9 + 9 + 8 + 8)
    want = ratio_of_sums(np.array([1500.0, 1100.0]), np.array([18.0, 16.0]))
    assert read.relative_score() == want, "both orders of a question are one draw"


@pytest.mark.parametrize("gone", [[-1, -1], [-1.0, -1.0], None])
def test_what_was_not_parsed_is_counted_by_order_and_left_out(tmp_path: Path, gone: object) -> None:
    lines = [
        judged([7, 9], gone),
        judged(gone, gone),
        judged(gone, [5, 10]),
        {"eval_QUERY1": [1, 1]},
    ]
    read = read_judgments(written(tmp_path / "a.jsonl", *lines))
    assert read.parsed.sum(axis=0).tolist() == [1, 2]
    assert len(read.questions) == 4
    score = read.relative_score()
    assert score.value == 100 * 13 / 20
    # The second question has nothing to say, and does not make the interval narrower.
    assert score == ratio_of_sums(np.array([700.0, 500.0, 100.0]), np.array([9.0, 10.0, 1.0]))


def test_one_text_is_one_question_wherever_it_is_judged(tmp_path: Path) -> None:
    why, how = (
        judged([7, 9], [8, 9], question_text="Why?"),
        judged([2, 9], [3, 9], question_text="How?"),
    )
    files = [read_judgments(written(tmp_path / name, why, how)) for name in ("a.jsonl", "b.jsonl")]
    whole = together(files, "all")
    assert whole.relative_score() == files[0].relative_score(), "the same questions are no news"
    assert whole.parsed.sum() == 8
    for line in (why, how):
        del line["question_text"]
    files = [read_judgments(written(tmp_path / name, why, how)) for name in ("a.jsonl", "b.jsonl")]
    whole, alone = together(files, "all").relative_score(), files[0].relative_score()
    assert whole.high - whole.low < (alone.high - alone.low) / 2, "lines without text are questions"


def test_files_may_be_zipped_and_have_blank_lines_a_mark_and_other_keys(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    text = "\ufeff" + json.dumps(judged([7.5, 9], [8, 9], response_QUERY0="7.5 9\nGood.")) + "\n\n"
    path.write_bytes(gzip.compress(text.encode()))
    assert read_judgments(path).relative_score().value == 100 * 15.5 / 18


NEEDED = "; needed: two numbers from 0 to 1,000,000, [model, reference]; [-1, -1] if unparsed"
FORM = '; a line is as {"eval_QUERY0": [7, 9], "eval_QUERY1": [8, 9]}'


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (judged([7], [8, 9]), f": eval_QUERY0 is [7]{NEEDED}"),
        (judged([8, 9], [7, 9, 1]), f": eval_QUERY1 is [7, 9, 1]{NEEDED}"),
        (judged([], [8, 9]), f": eval_QUERY0 is []{NEEDED}"),
        (judged(7, [8, 9]), f": eval_QUERY0 is 7{NEEDED}"),
        (judged("7 9", [8, 9]), f": eval_QUERY0 is '7 9'{NEEDED}"),
        (judged(["7", 9], [8, 9]), f": eval_QUERY0 is ['7', 9]{NEEDED}"),
        (judged({"model": 7}, [8, 9]), f": eval_QUERY0 is {{'model': 7}}{NEEDED}"),
        (judged([True, 9], [8, 9]), f": eval_QUERY0 is [True, 9]{NEEDED}"),
        (judged([None, 9], [8, 9]), f": eval_QUERY0 is [None, 9]{NEEDED}"),
        (judged([-3, 9], [8, 9]), f": eval_QUERY0 is [-3, 9]{NEEDED}"),
        (judged([-1, 9], [8, 9]), f": eval_QUERY0 is [-1, 9]{NEEDED}"),
        (judged([float("nan"), 9], [8, 9]), f": eval_QUERY0 is [nan, 9]{NEEDED}"),
        (judged([8, float("inf")], [8, 9]), f": eval_QUERY0 is [8, inf]{NEEDED}"),
        ('{"eval_QUERY0": [1e400, 9]}', f": eval_QUERY0 is [inf, 9]{NEEDED}"),
        (judged([8, 10**400], [8, 9]), f": eval_QUERY0 is [8, 1{'0' * 52}...{NEEDED}"),
        (
            judged([8, 9], [8, 9], eval_QUERY2=[1, 2]),
            ": 'eval_QUERY2' is no order; did you mean 'eval_QUERY",
        ),
        ({"eval_query0": [8, 9]}, ": 'eval_query0' is no order; choices: eval_QUERY0, "),
        ("[8, 9]", ": the row is a list, not an object"),
        ("8 9", ": not JSON (Extra data at column 3)" + FORM),
        ('{"eval_QUERY0": [8, 9], "eval_QUERY0": [1, 9]}', ": a key given twice ('eval_QUERY0')"),
        ("[" * 100_000, ": nested too deeply" + FORM),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: object, rule: str) -> None:
    path = written(tmp_path / "a.jsonl", judged([8, 9], [8, 9]), "", line)
    with pytest.raises(InputError) as caught:
        read_judgments(path)
    assert str(caught.value).startswith(f"{path}, line 3{rule}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        ([], ": empty, no judgments" + FORM),
        (["", " "], ": empty, no judgments" + FORM),
        ([judged([-1, -1], None), {}], ": none of its 4 judgments has scores; let the judge"),
        ([judged([5, 0], [5, 0])], ": the reference's scores sum to 0, so that nothing"),
    ],
)
def test_a_file_without_a_score_is_refused(tmp_path: Path, lines: list[Any], rule: str) -> None:
    path = written(tmp_path / "a.jsonl", *lines)
    with pytest.raises(InputError) as caught:
        read_judgments(path).relative_score()
    assert str(caught.value).startswith(f"{path}{rule}")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    def refused(path: Path) -> str:
        with pytest.raises(InputError) as caught:
            read_judgments(path)
        return str(caught.value)

    assert refused(tmp_path / "no.jsonl").endswith("no.jsonl: no such file; name a JSONL file")
    assert refused(tmp_path).endswith(": is a folder; name a JSONL file")
    (tmp_path / "latin.jsonl").write_bytes('{"question_text": "süß"}'.encode("latin-1"))
    assert "row 1: not UTF-8 (byte 0xfc at position 21)" in refused(tmp_path / "latin.jsonl")
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b'{"eval_QUERY0": [1, 2]}\n' * 999)[:40])
    assert "the gzip file is cut off after row" in refused(tmp_path / "cut.jsonl.gz")
    (tmp_path / "bomb.jsonl.gz").write_bytes(gzip.compress(b" " * (17 * 10**6)))
    message = refused(tmp_path / "bomb.jsonl.gz")
    assert "line 1: a row over the size limit (over 16 MB)" in message
    assert "prepare.limits" not in message
