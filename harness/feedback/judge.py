"""An LLM judge: the rating a strong model gives to a response.

"Diversify and Conquer" (arXiv 2409.11378), appendix C: the reward of eq. 4 is replaced by the
judge's rating.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from harness.errors import InputError
from harness.feedback.judge_cache import Answer, AnswerCache
from harness.feedback.judge_client import Endpoint, Halted, Refused, Unanswered, base_url, read_key
from harness.feedback.judge_prompt import judge_prompt, read_rating
from harness.feedback.judge_spending import CapReached, Purse
from harness.files import value_hash
from harness.judge_params import JudgeParams

log = logging.getLogger(__name__)

_TRIES = 2  # answers to one exchange before it is left out
_FRUITLESS = 20  # exchanges, with no rating before, that show that none will come


@dataclass(frozen=True)
class Judged:
    """Ratings, and what they took; tokens and spend are the same however often it was resumed."""

    scores: np.ndarray  # (n,) float64, 1 to the scale; NaN where left out
    asked: int  # requests sent by this call, retries included
    cached: int  # answers found on disk
    unparsable: int  # exchanges left out: two answers without a rating on the scale
    refused: int  # exchanges left out: the endpoint does not take them (HTTP 400, 413 or 422)
    tokens_in: int  # of all answers to these exchanges, asked for now or before
    tokens_out: int
    unmetered: int  # answers whose tokens the endpoint did not tell: upper bounds are counted
    spend: float | None  # USD for those tokens; None where the prices are unknown
    seconds: float


@dataclass
class _Question:
    prompt: str
    rows: int = 0  # exchanges that ask the same
    answers: list[Answer] = field(default_factory=list)
    rating: float | None = None
    refused: bool = False

    def take(self, answer: Answer, scale: int) -> None:
        self.answers.append(answer)
        self.rating = read_rating(answer.text, scale)

    @property
    def settled(self) -> bool:
        return self.refused or self.rating is not None or len(self.answers) == _TRIES


def judge(
    exchanges: Sequence[tuple[str, str]],
    params: JudgeParams,
    cache: Path,
    step: Callable[[int], object] = lambda _: None,
) -> Judged:
    """Rate each (instruction, response) by the judge: scores (n,) float64, NaN where left out.

    Answers are kept in the file `cache` by content and never asked for again; exchanges that are
    equal are asked once; `step` hears how many more exchanges are done. Pace and spend cap are
    this process's own. Raises InputError in one line for a missing key or package, an endpoint that
    does not answer, one that gives no rating at all, and a spend cap that is reached; what came
    before is kept, and the same call goes on there.
    """
    start = time.monotonic()
    kept = AnswerCache(cache, value_hash([base_url(params), params.model]))
    prompts = [judge_prompt(*exchange, params.scale) for exchange in exchanges]
    questions = {prompt: _Question(prompt) for prompt in prompts}
    for prompt in prompts:
        questions[prompt].rows += 1
    found = sum(_recall(question, params, kept) for question in questions.values())
    settled = [question for question in questions.values() if question.settled]
    step(sum(question.rows for question in settled))
    waiting = [question for question in questions.values() if not question.settled]
    asked = 0
    if waiting:
        key = read_key(params)
        kept.prepare()  # before anything is paid for
        fruitful = any(question.rating is not None for question in settled)
        asked = asyncio.run(_Panel(params, kept, step, fruitful).ask(waiting, key))
    return _judged(prompts, questions, params, asked, found, time.monotonic() - start)


def _key(question: _Question, params: JudgeParams) -> str:
    """What the question's next answer is kept under: all that it depends on."""
    asked = [base_url(params), params.model, question.prompt, params.temperature, params.max_tokens]
    return value_hash([*asked, params.scale, len(question.answers)])


def _recall(question: _Question, params: JudgeParams, kept: AnswerCache) -> int:
    while not question.settled and (answer := kept.get(_key(question, params))):
        question.take(answer, params.scale)
    return len(question.answers)


class _Stop(Exception):
    """Why nobody asks any more, and what helps."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy


class _Panel:
    """Those who ask, side by side in one event loop; the first to fail halts the others."""

    def __init__(
        self, params: JudgeParams, kept: AnswerCache, step: Callable[[int], object], fruitful: bool
    ) -> None:
        self.params, self.kept, self.step = params, kept, step
        self.fruitful = fruitful  # whether any rating came yet
        self.fruitless: list[str] = []  # what came instead
        self.stop: _Stop | None = None

    async def ask(self, waiting: list[_Question], key: str) -> int:
        self.endpoint = Endpoint(self.params, key)
        self.purse = Purse(self.params, self.kept)
        queue = iter(waiting)
        async with self.endpoint.client:
            count = min(self.params.concurrency, len(waiting))
            # Those under way when one fails are let finish: their answers are paid for.
            await asyncio.gather(*(self._work(queue) for _ in range(count)))
        if not self.stop and not self.fruitful and all(q.refused for q in waiting):
            told = f"refuses all {len(waiting)} prompts ({self.fruitless[-1]})"
            self.stop = _Stop(told, "mend that and run the same again")
        if self.stop is not None:
            raise self._told(self.stop)
        return self.endpoint.asked

    async def _work(self, queue: Iterator[_Question]) -> None:
        for question in queue:
            try:
                await self._settle(question)
            except Halted:
                return
            except _Stop as stop:
                self.stop = self.stop or stop
                self.endpoint.halt.set()
                return
            self.step(question.rows)

    async def _settle(self, question: _Question) -> None:
        bounds = self.endpoint.most(question.prompt)
        told = ""
        try:
            while not question.settled:
                async with self.purse.hold(*bounds):
                    answer, whole = await self.endpoint.ask(question.prompt)
                    # A page of some proxy is worth asking again, another day.
                    if whole:
                        self.kept.keep(_key(question, self.params), answer)
                question.take(answer, self.params.scale)
                told = f"answer: {' '.join(answer.text.split())[-100:]!r}" if whole else "no answer"
        except Refused as refusal:
            question.refused, told = True, str(refusal)
        except Unanswered as trouble:
            told = f"does not answer: {trouble}"
            raise _Stop(told, "run the same again when it does") from None
        except CapReached as cap:
            told = f"has cost {cap.spent:.4f} of spend_cap {self.params.spend_cap:g} USD, and the "
            told += f"next answer may cost {cap.next_cost:.4f}"
            raise _Stop(told, "raise spend_cap and run the same again") from None
        self._count(question, told)

    def _count(self, question: _Question, told: str) -> None:
        """Stop where every answer so far is of no use: it will go on so, and costs money."""
        if question.rating is None:
            self.fruitless.append(told)
        else:
            self.fruitful = True
        if not self.fruitful and len(self.fruitless) >= _FRUITLESS:
            told = f"gave no rating to the first {_FRUITLESS} (the last: {told})"
            raise _Stop(told, "mend that and run the same again")

    def _told(self, stop: _Stop) -> InputError:
        number = len(self.kept.found)
        return InputError(
            f"judge: {self.params.model} at {self.endpoint.url} {stop.what}; {number} answers are "
            f"kept in {self.kept.path}; {stop.remedy}: it goes on there"
        )


def _judged(
    prompts: list[str],
    questions: dict[str, _Question],
    params: JudgeParams,
    asked: int,
    found: int,
    seconds: float,
) -> Judged:
    ratings = (questions[prompt].rating for prompt in prompts)
    scores = np.array([np.nan if rating is None else rating for rating in ratings], np.float64)
    answers = [answer for question in questions.values() for answer in question.answers]
    refused = sum(question.rows for question in questions.values() if question.refused)
    unparsable = int(np.isnan(scores).sum()) - refused
    if unparsable + refused:
        told = (
            "%s: of %d exchanges %d are left out for want of a rating, %d refused by the endpoint"
        )
        log.warning(told, params.model, len(prompts), unparsable, refused)
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
        unparsable=unparsable,
        refused=refused,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        unmetered=unmetered,
        spend=params.cost(tokens_in, tokens_out),
        seconds=seconds,
    )
