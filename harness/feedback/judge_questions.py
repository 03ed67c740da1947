"""A judge's questions, from prompt to rating, and what all of them come to."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.feedback.judge_cache import Answer, AnswerCache
from harness.feedback.judge_prompt import after_thinking, read_rating
from harness.files import value_hash
from harness.judge_params import JudgeParams

log = logging.getLogger(__name__)

_TRIES = 2  # answers to one exchange before it is left out


@dataclass(frozen=True)
class Judged:
    """Ratings, and what they took.

    Questions, answers, tokens and spend are those of the exchanges that were not asked ``before``:
    each question once, whoever paid for it, so that they are the same however often it was resumed.
    """

    scores: np.ndarray  # (n,) float64, 1 to the scale; NaN where left out
    asked: int  # requests sent by this call, retries included
    cached: int  # answers found on disk
    unparsable: int  # exchanges left out: two answers without a rating on the scale
    lacks: dict[str, int]  # those by what was wrong with the second
    refused: int  # exchanges left out: the endpoint does not take them (HTTP 400, 413 or 422)
    questions: int
    answers: int  # up to two a question
    tokens_in: int  # of those answers
    tokens_out: int
    unmetered: int  # answers whose tokens the endpoint did not tell: upper bounds are counted
    spend: float | None  # USD for those tokens; None where the prices are unknown
    seconds: float


@dataclass
class Question:
    """A prompt, how many exchanges come to it, and what it was answered."""

    prompt: str
    rows: int = 0  # exchanges that ask the same
    tries: int = 0
    answers: list[Answer] = field(default_factory=list)  # those that are kept
    rating: float | None = None
    lack: str = ""  # why the last answer has none, where that is known
    refused: bool = False

    def take(self, answer: Answer | None, scale: int) -> None:
        """One more try; None is a page of some proxy: worth asking again, another day."""
        self.tries += 1
        if answer is None:
            self.lack = "no completion"
            return
        self.answers.append(answer)
        self.lack = answer.flaw
        if not self.lack and after_thinking(answer.text) is None:
            self.lack = "thinking that does not end"
        if not self.lack:
            self.rating = read_rating(answer.text, scale)

    @property
    def settled(self) -> bool:
        """Whether it is not asked any more."""
        return self.refused or self.rating is not None or self.tries == _TRIES


def key_of(question: Question, params: JudgeParams) -> str:
    """What the question's next answer is kept under: all that it depends on."""
    return _key(question, params, len(question.answers))


def _key(question: Question, params: JudgeParams, place: int) -> str:
    asked = [params.endpoint, params.model, question.prompt, params.temperature, params.max_tokens]
    return value_hash([*asked, params.scale, place])


def forget(question: Question, params: JudgeParams, kept: AnswerCache) -> None:
    """Take a question's answers out of the cache, as if it had not been asked."""
    for place in range(len(question.answers)):
        kept.forget(_key(question, params, place))


def recall(question: Question, params: JudgeParams, kept: AnswerCache) -> int:
    """Answer a question from the cache as far as that goes; how many answers it had."""
    while not question.settled and (answer := kept.get(key_of(question, params))):
        question.take(answer, params.scale)
    return len(question.answers)


def judged(
    rows: Sequence[Question],
    counted: Sequence[Question],
    params: JudgeParams,
    asked: int,
    found: int,
    seconds: float,
) -> Judged:
    """The ratings of `rows`, the questions of all exchanges, and what those `counted` took."""
    ratings = (question.rating for question in rows)
    scores = np.array([np.nan if rating is None else rating for rating in ratings], np.float64)
    answers = [answer for question in counted for answer in question.answers]
    refused = sum(question.refused for question in rows)
    unrated = [question for question in rows if question.rating is None and not question.refused]
    lacks = Counter(question.lack or "no [[rating]] on the scale" for question in unrated)
    if unrated or refused:
        counts = ", ".join(f"{count} {lack}" for lack, count in lacks.items())
        log.warning(
            "%s: of %d exchanges %d are left out for want of a rating%s, %d refused by the "
            "endpoint",
            *(params.model, len(rows), len(unrated), counts and f" ({counts})", refused),
        )
    tokens_in = sum(answer.tokens_in for answer in answers)
    tokens_out = sum(answer.tokens_out for answer in answers)
    unmetered = sum(not answer.metered for answer in answers)
    if unmetered:
        told = "%s: the endpoint tells no tokens of %d answers: at most that many are counted"
        log.warning(told, params.model, unmetered)
    return Judged(
        scores=scores,
        asked=asked,
        cached=found,
        unparsable=len(unrated),
        lacks=dict(lacks),
        refused=refused,
        questions=len(counted),
        answers=len(answers),
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        unmetered=unmetered,
        spend=params.cost(tokens_in, tokens_out),
        seconds=seconds,
    )
