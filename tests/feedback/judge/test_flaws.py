"""A judge's answers that hold a number but no rating: cut off, still thinking, or no text."""

import json
from pathlib import Path

import numpy as np
import pytest

from harness.common.errors import InputError
from harness.feedback.judge.judge import judge
from harness.feedback.judge.questions import read_rating
from harness.params.judge import JudgeParams
from tests.helpers.judge_server import FAST, Reply, Seen, pairs, rated, serving
from tests.helpers.judge_server import message_of as line_of

pytestmark = pytest.mark.usefixtures("key_stays_out")


def reply(content: object, finish_reason: object = "stop") -> Reply:
    """A completion as endpoints give it, whose content need be no text."""
    whole = rated("")
    body = json.loads(whole.body)
    body["choices"][0] |= {"finish_reason": finish_reason}
    body["choices"][0]["message"]["content"] = content
    return Reply(200, json.dumps(body).encode(), whole.headers)


FLAWS = {
    "cut": (reply("It is between [[3]] and", "length"), "cut off at max_tokens 1024"),
    "filtered": (reply("[[3]]", "content_filter"), "cut off by a content filter"),
    "thinking": (reply("<think>\nAt first sight [[3]], but"), "thinking that does not end"),
    "null": (reply(None), "the content is null"),
    "null, cut": (reply(None, "length"), "cut off at max_tokens 1024"),
    "parts": (reply([{"type": "text", "text": "[[3]]"}]), "the content is a list of parts"),
    "object": (reply({"text": "[[3]]"}, {}), "the content is not text"),
    "off the scale": (reply("[[33]]"), "no [[rating]] on the scale"),
}


@pytest.mark.parametrize("case", FLAWS.values(), ids=FLAWS.keys())
def test_an_answer_without_a_rating_is_left_out_and_counted_by_its_reason(
    case: tuple[Reply, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    flawed, reason = case

    def answering(place: int, seen: Seen) -> Reply:
        return flawed if seen.prompt.endswith("[[Response]] 1") else rated("[[5]]")

    with serving(answering) as server:
        params = JudgeParams(base_url=server.url, concurrency=1, **FAST)
        for again in (False, True):  # from the cache it is what it was
            caplog.clear()
            judged = judge(pairs(3), params, tmp_path / "a.jsonl")
            np.testing.assert_array_equal(judged.scores, [5.0, np.nan, 5.0])
            assert (judged.lacks, judged.unparsable, judged.answers) == ({reason: 1}, 1, 4)
            wanted = f"1 of 3 responses are left out without a rating (1 {reason}), 0 refused"
            assert wanted in caplog.text
            assert judged.asked == (0 if again else 4)


def test_a_judge_that_is_always_cut_off_is_reported(tmp_path: Path) -> None:
    with serving(lambda place, seen: FLAWS["cut"][0]) as server:
        with pytest.raises(InputError) as error:
            judge(pairs(3), JudgeParams(base_url=server.url, **FAST), tmp_path / "a.jsonl")
        assert "gave no rating to any of 3 (the last: cut off at max_tokens 1024)" in line_of(error)


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("<think>Is it [[3]]?</think>\nRating: [[8]]", 8.0),
        ("<think>\nIs it [[3]]?\n</think>\n", None),
        ("Is it [[3]]?\n</think>\n\nRating: [[8]]", 8.0),  # the template began it
        ("<thinking>[[3]]", None),
        ("<reasoning>[[3]]</reasoning>[[4]]", 4.0),
        ("[[3]]\n<think>No, it is", None),
        ("<think>a</think>[[3]]\n<think>[[4]]", None),
        ("I rate [[8]]\n</think> was used in the answer.", 8.0),
        ("<think>[[3]]</think>I rate [[8]]\n</think> was used in the answer.", 8.0),
        ("Is it [[3]]?</think>", None),
        ("The response forgets to close its <think> tag. Rating: [[4]]", 4.0),
    ],
)
def test_a_rating_is_read_after_the_thinking(text: str, rating: float | None) -> None:
    assert read_rating(text, 10) == rating
