"""A judge's endpoint that rates nothing: reported at once, and no answer is kept."""

from pathlib import Path

import pytest

from harness.common.errors import InputError
from harness.feedback.judge.judge import judge
from harness.params.judge import JudgeParams
from tests.helpers.judge_server import FAST, KEY, NONSENSE, Reply, message_of, pairs, rated, serving

pytestmark = pytest.mark.usefixtures("key_stays_out")


@pytest.mark.parametrize("count", [1, 16, 30])
@pytest.mark.parametrize("reply", NONSENSE, ids=lambda reply: reply.body[:16])
def test_a_call_without_a_rating_stops_and_leaves_nothing_out_later(
    tmp_path: Path, reply: Reply, count: int
) -> None:
    with serving(lambda place, seen: reply) as server:
        params = JudgeParams(base_url=server.url, price_in=1e4, price_out=1e4, **FAST)
        with pytest.raises(InputError) as error:
            judge(pairs(count), params, tmp_path / "a.jsonl")
        first = "the first 20" if count > 20 else f"any of {count}"
        assert f"gave no rating to {first} (the last: " in (text := message_of(error))
        reason = "answer: '" if reply in NONSENSE[8:] else "no completion: '"
        assert ("the content is null" if reply == NONSENSE[3] else reason) in text
        assert "0 answers are kept in" in text
        assert "fix that and run the same again" in text
        server.answering = lambda place, seen: rated("[[4]]")
        judged = judge(pairs(count), params, tmp_path / "a.jsonl")
        assert judged.scores.tolist() == [4.0] * count
        assert (judged.answers, judged.cached) == (count, 0)


def test_a_call_killed_before_it_reported_asks_again(tmp_path: Path) -> None:
    cache = tmp_path / "a.jsonl"
    with serving(lambda place, seen: rated("so so")) as server:
        params = JudgeParams(base_url=server.url, price_in=1e4, price_out=1e4, **FAST)
        with pytest.raises(InputError):
            judge(pairs(3), params, cache)
        lines = cache.read_text().splitlines(keepends=True)
        assert len(lines) == 12
        cache.write_text("".join(lines[:6]))
        server.answering = lambda place, seen: rated("[[4]]")
        assert judge(pairs(3), params, cache).scores.tolist() == [4.0] * 3
        # What was forgotten was paid for all the same: 9 answers of 1.1 USD.
        capped = params.model_copy(update={"spend_cap": 10.0})
        with pytest.raises(InputError, match=r"has cost 9\.9000 of spend_cap 10 USD"):
            judge(pairs(4), capped, cache)


def test_an_endpoint_that_never_rates_is_given_up(tmp_path: Path) -> None:
    with serving(lambda place, seen: rated(f"I like it, {KEY}.")) as server:
        params = JudgeParams(base_url=server.url, concurrency=2, **FAST)
        with pytest.raises(InputError) as error:
            judge(pairs(500), params, tmp_path / "a.jsonl")
        text = message_of(error)
        assert "gave no rating to the first 20 (the last: answer: 'I like it, ***.')" in text
        assert len(server.seen) < 45
