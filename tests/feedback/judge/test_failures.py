"""A judge's endpoint that fails in every way it can, on a real HTTP server on loopback."""

import socket
import time
from pathlib import Path

import numpy as np
import pytest

from harness.common.errors import InputError
from harness.feedback.judge.judge import judge
from harness.params.judge import JudgeParams
from tests.helpers.judge_server import (
    FAST,
    KEY,
    NONSENSE,
    Answering,
    Reply,
    Seen,
    failed,
    message_of,
    pairs,
    rated,
    serving,
)

pytestmark = pytest.mark.usefixtures("key_stays_out")


def test_a_rate_limit_holds_all_workers_back(tmp_path: Path) -> None:
    def answering(place: int, seen: Seen) -> Reply:
        slow = rated("[[5]]", after_s=0.4)
        return failed(429, "slow down", Retry_After="1") if place == 2 else slow

    with serving(answering) as server:
        params = JudgeParams(base_url=server.url, concurrency=4, **FAST)
        judged = judge(pairs(8), params, tmp_path / "a.jsonl")
        assert judged.scores.tolist() == [5.0] * 8
        assert judged.asked == len(server.seen) == 9
        assert sorted(server.prompts().values()) == [1] * 7 + [2]
        times = [seen.at for seen in server.seen]
        # The fourth is under way already; all others wait.
        assert all(at - times[2] > 0.99 for at in times[4:])
        assert {seen.authorization for seen in server.seen} == {f"Bearer {KEY}"}


def test_a_wait_that_is_too_long_is_reported(tmp_path: Path) -> None:
    with serving(lambda place, seen: failed(429, "quota", Retry_After="86400")) as server:
        params = JudgeParams(base_url=server.url, **FAST)
        with pytest.raises(InputError) as error:
            judge(pairs(1), params, tmp_path / "a.jsonl")
        assert "HTTP 429: quota; it asks to wait 86400 s; tried once" in message_of(error)


def test_the_pace_is_kept_by_all_together(tmp_path: Path) -> None:
    with serving(lambda place, seen: rated("[[5]]", after_s=0.4)) as server:
        params = JudgeParams(base_url=server.url, requests_per_minute=600, concurrency=6, **FAST)
        judge(pairs(8), params, tmp_path / "a.jsonl")
        times = [seen.at for seen in server.seen]
        assert times[-1] - times[0] > 0.6  # seven gaps of 0.1 s, the first connection aside
        assert server.most_under_way > 1


def test_at_most_so_many_at_once(tmp_path: Path) -> None:
    with serving(lambda place, seen: rated("[[5]]", after_s=0.3)) as server:
        judge(pairs(9), JudgeParams(base_url=server.url, concurrency=3, **FAST), tmp_path / "a")
        assert server.most_under_way == 3


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_permanent_error(tmp_path: Path, status: int) -> None:
    def answering(place: int, seen: Seen) -> Reply:
        return rated("[[5]]") if place < 3 else failed(status, f"broken\nfor {KEY}")

    with serving(answering) as server:
        params = JudgeParams(base_url=server.url, concurrency=1, **FAST)
        with pytest.raises(InputError) as error:
            judge(pairs(9), params, tmp_path / "a.jsonl")
        text = message_of(error)
        assert f"m at {server.url} does not answer: HTTP {status}: broken for ***" in text
        assert "tried 3 times; 3 answers are kept in" in text
        assert len(server.seen) == 3 + 3
        server.answering = lambda place, seen: rated("[[6]]")
        judged = judge(pairs(9), params, tmp_path / "a.jsonl")
        assert judged.scores.tolist() == [5.0] * 3 + [6.0] * 6
        assert (judged.asked, judged.cached) == (6, 3)


def test_those_under_way_are_kept_when_one_fails(tmp_path: Path) -> None:
    def answering(place: int, seen: Seen) -> Reply:
        slow = not seen.prompt.endswith("[[Response]] 3")
        return rated("[[5]]", after_s=0.5) if slow else failed(404, "no such model")

    with serving(answering) as server:
        params = JudgeParams(base_url=server.url, concurrency=4, **FAST)
        with pytest.raises(InputError, match="HTTP 404: no such model; tried once; 3 answers"):
            judge(pairs(9), params, tmp_path / "a.jsonl")
        assert len(server.seen) == 4


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_not_accepted(tmp_path: Path, status: int) -> None:
    message = f"Incorrect API key provided: {KEY[:7]}****{KEY[-4:]} ({KEY})"
    with serving(lambda place, seen: failed(status, message)) as server:
        with pytest.raises(InputError) as error:
            judge(pairs(3), JudgeParams(base_url=server.url, **FAST), tmp_path / "a.jsonl")
        assert (
            f"HTTP {status}: the key in OPENAI_API_KEY is not accepted, export another; tried"
            in message_of(error)
        )
        assert KEY[-4:] not in message_of(error)


@pytest.mark.parametrize("reply", [rated("", after_s=3), Reply(200, b"{" * 100, drip_s=0.1)])
def test_an_endpoint_too_slow(tmp_path: Path, reply: Reply) -> None:
    with serving(lambda place, seen: reply) as server:
        params = JudgeParams(base_url=server.url, **{**FAST, "timeout_s": 0.3, "retries": 1})
        start = time.monotonic()
        with pytest.raises(InputError) as error:
            judge(pairs(1), params, tmp_path / "a.jsonl")
        assert "no answer within timeout_s 0.3; tried 2 times" in message_of(error)
        assert time.monotonic() - start < 8


def test_a_refused_connection(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/v1"
    with pytest.raises(InputError) as error:
        judge(pairs(3), JudgeParams(base_url=url, **FAST), tmp_path / "a.jsonl")
    assert f"m at {url} does not answer: no connection (" in message_of(error)
    assert "tried 3 times; 0 answers are kept" in message_of(error)


@pytest.mark.parametrize("reply", NONSENSE, ids=lambda reply: reply.body[:16])
def test_nonsense_is_asked_once_more_then_left_out(tmp_path: Path, reply: Reply) -> None:
    def answering(place: int, seen: Seen) -> Reply:
        return rated("[[5]]") if seen.prompt.endswith("[[Response]] 0") else reply

    with serving(answering) as server:
        params = JudgeParams(base_url=server.url, concurrency=1, **FAST)
        judged = judge([*pairs(2), *pairs(2)], params, tmp_path / "a.jsonl")
        np.testing.assert_array_equal(judged.scores, [5.0, np.nan] * 2)
        assert (judged.asked, judged.unparsable, judged.refused) == (3, 2, 0)
        server.answering = lambda place, seen: rated("[[4]]")
        judge(pairs(1), params, tmp_path / "a.jsonl")
        assert len(server.seen) == 3


def test_a_proxys_page_is_asked_again_in_a_later_run(tmp_path: Path) -> None:
    with serving(but_the_first(NONSENSE[0], NONSENSE[0])) as server:
        params = JudgeParams(base_url=server.url, concurrency=1, **FAST)
        judged = judge(pairs(2), params, tmp_path / "a.jsonl")
        assert (judged.asked, judged.unparsable, judged.tokens_in) == (3, 1, 100)
        server.answering = lambda place, seen: rated("[[4]]")
        judged = judge(pairs(2), params, tmp_path / "a.jsonl")
        assert (judged.scores.tolist(), judged.asked) == ([5.0, 4.0], 1)


@pytest.mark.parametrize("replies", [[NONSENSE[0], rated("[[7]]")], [NONSENSE[0], rated("so so")]])
def test_an_answer_after_a_proxys_page_is_kept(tmp_path: Path, replies: list[Reply]) -> None:
    with serving(but_the_first(*replies)) as server:
        params = JudgeParams(base_url=server.url, concurrency=1, **FAST)
        judged = judge(pairs(2), params, tmp_path / "a.jsonl")
        assert (judged.asked, judged.answers, judged.tokens_in) == (3, 2, 200)
        server.answering = lambda place, seen: rated("[[4]]")
        again = judge(pairs(2), params, tmp_path / "a.jsonl")
        if judged.unparsable:  # the page did not count: it is asked once more
            assert (again.cached, again.asked, again.scores.tolist()) == (2, 1, [5.0, 4.0])
        else:
            assert (again.cached, again.asked, again.scores.tolist()) == (2, 0, [5.0, 7.0])


def but_the_first(*replies: Reply) -> Answering:
    """The first question is rated; then one reply after the other comes."""
    return lambda place, seen: replies[place - 1] if place else rated("[[5]]")


@pytest.mark.parametrize("key", ["1", "0", "[[10]]"])
def test_a_word_in_place_of_a_key_leaves_ratings_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with serving(lambda place, seen: rated("Rating: [[10]]")) as server:
        judged = judge(pairs(1), JudgeParams(base_url=server.url, **FAST), tmp_path / "a.jsonl")
        assert judged.scores.tolist() == [10.0]


def test_nonsense_then_fine(tmp_path: Path) -> None:
    with serving(lambda place, seen: [rated("so so"), rated("[[7]]")][place]) as server:
        judged = judge(pairs(1), JudgeParams(base_url=server.url, **FAST), tmp_path / "a.jsonl")
        assert judged.scores.tolist() == [7.0]
        assert (judged.asked, judged.unparsable, judged.tokens_out) == (2, 0, 20)
        again = judge(pairs(1), JudgeParams(base_url=server.url, **FAST), tmp_path / "a.jsonl")
        assert (again.asked, again.cached, again.tokens_out) == (0, 2, 20)


def test_a_prompt_that_is_refused_is_left_out(tmp_path: Path) -> None:
    def answering(place: int, seen: Seen) -> Reply:
        long = seen.prompt.endswith("[[Response]] 1")
        return failed(400, "maximum context length is 8192 tokens") if long else rated("[[5]]")

    with serving(answering) as server:
        judged = judge(pairs(3), JudgeParams(base_url=server.url, **FAST), tmp_path / "a.jsonl")
        np.testing.assert_array_equal(judged.scores, [5.0, np.nan, 5.0])
        assert (judged.asked, judged.refused, judged.unparsable) == (3, 1, 0)
