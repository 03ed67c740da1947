"""A judge's questions: their prompt, reading a rating, and a summary of all.

`prompt.txt` is figure 6's template of arXiv 2409.11378, after Zheng et al. 2023. The scale is
filled in, since the text of appendix C rates from 1 to 5 and the figure from 1 to 10.
"""

import logging
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

import numpy as np

from harness.common.files import value_hash
from harness.feedback.judge.cache import Answer, AnswerCache
from harness.params.judge import JudgeParams

log = logging.getLogger(__name__)

_PROMPT = Path(__file__).with_name("prompt.txt").read_text(encoding="utf-8")
# As an answer may mention the tags, they count only where models write them: the opening one at the
# start of a line, a closing one without it at the end of a line.
_BEGIN, _END = r"^\s*<(?:think|thinking|reasoning)>", r"</(?:think|thinking|reasoning)>"
_THINKING = re.compile(f"{_BEGIN}.*?{_END}", re.MULTILINE | re.DOTALL)
_THINKING_BEGINS = re.compile(_BEGIN, re.MULTILINE)
_THINKING_ENDS = re.compile(rf"{_END}\s*$", re.MULTILINE)
_RATING = re.compile(r"\[\[\s*([-+]?[0-9]+(?:\.[0-9]+)?)\s*\]\]")
_TRIES = 2  # answers to one question before its response is left out
Rating = float | tuple[float, float]  # of one response, or of two that are compared


def judge_prompt(instruction: str, response: str, scale: int) -> str:
    """Figure 6 with its texts filled in; its example is the middle of the scale, as printed."""
    return Template(_PROMPT.removesuffix("\n")).substitute(
        scale=scale, example=(scale + 1) // 2, instruction=instruction, response=response
    )


def after_thinking(text: str) -> str | None:
    """The answer after its thinking; None if the thinking does not end.

    A chat template may open the thinking itself: then the answer has the closing tag only.
    """
    rest = _THINKING_ENDS.split(_THINKING.sub("", text))[-1]
    return None if _THINKING_BEGINS.search(rest) else rest


def read_rating(text: str, scale: int) -> float | None:
    """The last "[[rating]]" after an answer's thinking; None if there is none on the scale."""
    ratings = _RATING.findall(after_thinking(text) or "")
    rating = float(ratings[-1]) if ratings else 0.0
    return rating if 1 <= rating <= scale else None


@dataclass(frozen=True)
class Form:
    """How a rating is read from an answer's text, given the scale, and what an answer may lack."""

    read: Callable[[str, int], Rating | None]
    lack: str


ONE = Form(read_rating, "no [[rating]] on the scale")


@dataclass
class Question:
    """A prompt, the number of responses it stands for, and its answers."""

    prompt: str
    params: JudgeParams
    rows: int  # equal responses are asked about once
    form: Form = ONE
    tries: int = 0
    answers: list[Answer] = field(default_factory=list)  # those in the cache
    rating: Rating | None = None
    problem: str = ""  # why the last answer has no rating
    last: str = ""  # the same with the answer's end, for messages
    refused: bool = False

    def take(self, answer: Answer | str) -> None:
        """Count a try; a str is a body that is not a completion: a later run asks again."""
        self.tries += 1
        if isinstance(answer, str):
            self.problem, self.last = "no completion", f"no completion: {answer}"
            return
        self.answers.append(answer)
        self.problem = answer.flaw
        if not answer.flaw and after_thinking(answer.text) is None:
            self.problem = "thinking that does not end"
        self.last = self.problem or f"answer: {answer.end!r}"
        if not self.problem:
            self.rating = self.form.read(answer.text, self.params.scale)
            self.problem = self.form.lack  # used only without a rating

    @property
    def settled(self) -> bool:
        """Whether it will not be asked again."""
        return self.refused or self.rating is not None or self.tries == _TRIES

    def key(self, place: int) -> str:
        """The cache key of the answer of that number: a hash of all that it depends on."""
        p = self.params
        asked = [p.endpoint, p.model, self.prompt, p.temperature, p.max_tokens, p.scale, place]
        return value_hash(asked)

    def recall(self, kept: AnswerCache) -> int:
        """Take its answers from the cache; return how many there are."""
        while not self.settled and (answer := kept.answers.get(self.key(len(self.answers)))):
            self.take(answer)
        return len(self.answers)

    def forget(self, kept: AnswerCache) -> None:
        """Drop its answers from the cache, as if it had not been asked."""
        for place in range(len(self.answers)):
            kept.forget(self.key(place))
        self.tries, self.answers = 0, []


@dataclass(frozen=True)
class Judged:
    """Ratings and their cost.

    Questions, answers, tokens and spend exclude what was asked ``before`` and count each question
    once: they are the same however often a run was resumed.
    """

    # (n,) float64, 1 to the scale; NaN where left out. Of responses that are compared, (n, 2, 2).
    scores: np.ndarray
    asked: int  # requests sent by this call, retries included
    cached: int  # answers that were in the cache
    unparsable: int  # responses left out after two answers without a rating
    lacks: dict[str, int]  # the same by the second answer's problem
    refused: int  # responses that the endpoint does not take (HTTP 400, 413 or 422)
    questions: int
    answers: int  # up to two a question
    tokens_in: int  # of those answers
    tokens_out: int
    unmetered: int  # answers without usage, counted as upper bounds
    spend: float | None  # USD for those tokens; None where the prices are unknown


def summarise(
    scores: np.ndarray,
    rows: Sequence[Question],
    counted: Sequence[Question],
    params: JudgeParams,
    asked: int,
    cached: int,
) -> Judged:
    """The scores that `rows` gave, one question a response; cost of the `counted` questions."""
    answers = [answer for question in counted for answer in question.answers]
    tokens_in = sum(answer.tokens_in for answer in answers)
    tokens_out = sum(answer.tokens_out for answer in answers)
    unmetered = sum(not answer.metered for answer in answers)
    refused = sum(question.refused for question in rows)
    unrated = [question for question in rows if question.rating is None and not question.refused]
    lacks = Counter(question.problem for question in unrated)
    if unrated or refused:
        counts = ", ".join(f"{count} {problem}" for problem, count in lacks.items())
        log.warning(
            "%s: %d of %d responses are left out without a rating%s, %d refused by the endpoint",
            *(params.model, len(unrated), len(rows), counts and f" ({counts})", refused),
        )
    if unmetered:
        message = "%s: the endpoint gives no token counts of %d answers: upper bounds are counted"
        log.warning(message, params.model, unmetered)
    return Judged(
        scores=scores,
        asked=asked,
        cached=cached,
        unparsable=len(unrated),
        lacks=dict(lacks),
        refused=refused,
        questions=len(counted),
        answers=len(answers),
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        unmetered=unmetered,
        spend=params.cost(tokens_in, tokens_out),
    )
