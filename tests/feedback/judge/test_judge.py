"""The judge: prompt, ratings, answers on disk, and a real model behind a real server."""

import json
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from harness.common.errors import InputError
from harness.feedback.judge.cache import Answer, AnswerCache
from harness.feedback.judge.judge import judge
from harness.feedback.judge.questions import judge_prompt, read_rating
from harness.params.judge import JudgeParams
from tests.helpers.judge_server import KEY, rated, serving

FIGURE_6 = (
    "Please act as an impartial judge and evaluate the quality of the response provided by an AI "
    "assistant to the user question displayed below. Your evaluation should consider factors such "
    "as the helpfulness, relevance, accuracy, depth, creativity, and level of detail of the "
    "response. Begin your evaluation by providing a short explanation. Be as objective as "
    "possible. After providing your explanation, please rate the response on a scale of 1 to 10 by "
    'strictly following this format: "[[rating]]", for example: "Rating: [[5]]".\n\n'
    "[[Instruction]] Why?\n[[Response]] Because."
)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def test_the_prompt_is_figure_6() -> None:
    assert judge_prompt("Why?", "Because.", 10) == FIGURE_6


def test_the_prompt_takes_any_text_as_it_is_and_follows_the_scale() -> None:
    text = judge_prompt("${response} $5 $$ {x}", "[[Instruction]] \\n", 5)
    assert text.endswith("[[Instruction]] ${response} $5 $$ {x}\n[[Response]] [[Instruction]] \\n")
    assert 'a scale of 1 to 5 by strictly following this format: "[[rating]]"' in text
    assert '"Rating: [[3]]".' in text


@pytest.mark.parametrize(
    ("text", "scale", "rating"),
    [
        ("Rating: [[7]]", 10, 7.0),
        ("[[3]], no: Rating: [[8]].", 10, 8.0),
        ("Rating: [[ 7.5 ]]", 10, 7.5),
        ("[[10]]", 10, 10.0),
        ("[[1]]", 5, 1.0),
        ("[[6]]", 5, None),
        ("[[0]]", 10, None),
        ("[[5]] then [[-3]]", 10, None),
        ("[[4]] then [[11]]", 10, None),
        (f"[[{'9' * 400}]]", 10, None),
        ("[[nan]]", 10, None),
        ("[[rating]]", 10, None),
        ("Rating: [5]", 10, None),
        ("", 10, None),
    ],
)
def test_the_last_rating_on_the_scale_counts(text: str, scale: int, rating: float | None) -> None:
    assert read_rating(text, scale) == rating


def test_equal_exchanges_are_asked_once(tmp_path: Path) -> None:
    with serving(lambda place, seen: rated(f"[[{1 + place}]]")) as server:
        params = JudgeParams(model="m", base_url=server.url, concurrency=1)
        pairs = [("a", "b"), ("c", "d"), ("a", "b")]
        judged = judge(pairs, params, tmp_path / "answers.jsonl")
        assert judged.scores.tolist() == [1.0, 2.0, 1.0]
        assert len(server.seen) == judged.asked == 2
        assert server.seen[0].body == {
            "model": "m",
            "messages": [{"role": "user", "content": judge_prompt("a", "b", 10)}],
            "max_tokens": 1024,
            "temperature": 0.0,
        }
        assert judge([], params, tmp_path / "none.jsonl").scores.shape == (0,)


def test_what_an_earlier_round_asked_is_not_counted_again(tmp_path: Path) -> None:
    with serving(lambda place, seen: rated("[[5]]")) as server:
        params = JudgeParams(model="m", base_url=server.url, price_in=1e4, price_out=1e4)
        first, second = [("a", "b"), ("c", "d")], [("a", "b"), ("e", "f"), ("c", "d"), ("e", "f")]
        spent = judge(first, params, tmp_path / "a.jsonl").spend
        judged = judge(second, params, tmp_path / "a.jsonl", before=first)
        assert judged.scores.tolist() == [5.0] * 4
        assert (judged.questions, judged.answers, judged.asked, judged.cached) == (1, 1, 1, 2)
        assert (judged.tokens_in, judged.tokens_out, spent, judged.spend) == (100, 10, 2.2, 1.1)
        # Another run pays for what it asks, or would have paid.
        alone = judge(second, params, tmp_path / "a.jsonl")
        assert (alone.questions, alone.answers, alone.asked, alone.cached) == (3, 3, 0, 3)
        assert alone.spend == pytest.approx(3.3)


def test_the_endpoint_is_that_of_the_params_or_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    default, named = JudgeParams(model="m"), JudgeParams(model="m", base_url="http://host/v1/")
    assert (default.endpoint, named.endpoint) == (None, "http://host/v1")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://me:hush@host:80/v1/?key=hush#hush")
    assert (default.endpoint, named.endpoint) == ("https://host:80/v1", "http://host/v1")
    assert default.identity() != named.identity()
    with (
        serving(lambda place, seen: rated("[[1]]")) as one,
        serving(lambda place, seen: rated("[[2]]")) as two,
    ):
        for server, score in ((one, 1.0), (two, 2.0), (one, 1.0)):
            monkeypatch.setenv("OPENAI_BASE_URL", server.url)
            result = judge([("a", "b")], default, tmp_path / "a.jsonl")
            assert result.scores.tolist() == [score]
        assert len(one.seen) == len(two.seen) == 1


@pytest.mark.parametrize(
    "change", [{"model": "n"}, {"temperature": 0.5}, {"max_tokens": 9}, {"scale": 5}]
)
def test_what_a_rating_depends_on_asks_anew(tmp_path: Path, change: dict[str, object]) -> None:
    with serving(lambda place, seen: rated(f"[[{1 + place}]]")) as server:
        params = JudgeParams(model="m", base_url=server.url)
        assert judge([("a", "b")], params, tmp_path / "answers.jsonl").scores.tolist() == [1.0]
        faster = params.model_copy(update={"timeout_s": 5, "retries": 1, "concurrency": 2})
        assert judge([("a", "b")], faster, tmp_path / "answers.jsonl").scores.tolist() == [1.0]
        other = params.model_copy(update=change)
        assert judge([("a", "b")], other, tmp_path / "answers.jsonl").scores.tolist() == [2.0]
        assert other.identity() != params.identity() == faster.identity()


def test_torn_lines_are_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "answers.jsonl"
    cache = AnswerCache(path, "s")
    cache.prepare()
    for name in "abc":
        cache.keep(name, Answer(f"text {name}\n\N{GREEK SMALL LETTER ALPHA}", 3, 4))
    path.write_bytes(path.read_bytes()[:-30])
    torn = AnswerCache(path, "s")
    assert set(torn.answers) == {"a", "b"}
    assert "1 lines are torn" in caplog.text
    torn.keep("d", Answer("text d", 5, 6, metered=False))
    result = AnswerCache(path, "s")
    assert set(result.answers) == {"a", "b", "d"}
    assert result.answers["d"] == Answer("text d", 5, 6, metered=False)
    assert result.answers["a"] == Answer("text a\n\N{GREEK SMALL LETTER ALPHA}", 3, 4)
    assert (result.tokens_in, result.tokens_out) == (3 + 3 + 5, 4 + 4 + 6)
    assert AnswerCache(path, "other").tokens_in == 0


def test_a_file_that_is_not_a_cache_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "params.json"
    path.write_text(text := json.dumps({"a": 1, "b": 2}, indent=1))
    with pytest.raises(InputError, match=r"params.json: not a cache of answers; name another"):
        judge([("a", "b")], JudgeParams(model="m"), path)
    assert path.read_text() == text
    with pytest.raises(InputError, match="not a file, as a cache of answers is"):
        judge([("a", "b")], JudgeParams(model="m"), tmp_path)


def test_no_answer_is_paid_for_that_cannot_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with serving(lambda place, seen: rated("[[5]]")) as server:
        params = JudgeParams(model="m", base_url=server.url)
        with pytest.raises(OSError, match="file"):
            judge([("a", "b")], params, tmp_path / "file" / "answers.jsonl")
        assert not server.seen


@pytest.mark.parametrize("value", [None, "", "  \n"])
def test_a_missing_key_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is not None:
        monkeypatch.setenv("JUDGE_KEY", value)
    with serving(lambda place, seen: rated("[[5]]")) as server:
        params = JudgeParams(model="m", base_url=server.url, key_env="JUDGE_KEY")
        with pytest.raises(InputError, match="JUDGE_KEY is not set; export") as error:
            judge([("a", "b")], params, tmp_path / "answers.jsonl")
        assert "\n" not in str(error.value)
        assert not server.seen
        # What is on disk needs none.
        known = params.model_copy(update={"key_env": "OPENAI_API_KEY"})
        judge([("a", "b")], known, tmp_path / "answers.jsonl")
        assert judge([("a", "b")], params, tmp_path / "answers.jsonl").asked == 0


def test_a_missing_package_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(InputError, match=r"pip install -e '\.\[judge\]'"):
        judge([("a", "b")], JudgeParams(model="m"), tmp_path / "answers.jsonl")


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"base_url": "http://me:hush@host/v1"}, "put the key in the variable key_env names"),
        ({"base_url": "https://host/v1?api-key=hush"}, "put the key in the variable"),
        ({"base_url": "host/v1"}, "is not a URL such as http://localhost:8000/v1"),
        ({"base_url": "http://host:99999999/v1"}, "not a URL"),
        ({"spend_cap": 5}, "spend_cap 5.0 needs price_in and price_out"),
        ({"price_in": 5}, "price_out is missing"),
        ({"key_env": "sk-hush"}, "match pattern"),
        ({"scale": 7}, "5 or 10"),
        ({"key": "hush"}, "not permitted"),
    ],
)
def test_params_that_make_no_sense(knobs: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as error:
        JudgeParams.model_validate({"model": "m", **knobs})
    assert "hush" not in str(error.value)
