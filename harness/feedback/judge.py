"""An LLM judge: the rating a strong model gives to a response.

"Diversify and Conquer" (arXiv 2409.11378), appendix C: the reward of eq. 4 is replaced by the
judge's rating.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from harness.errors import InputError
from harness.feedback.judge_cache import AnswerCache
from harness.feedback.judge_client import Endpoint, Halted, Refused, Unanswered, read_key
from harness.feedback.judge_prompt import judge_prompt
from harness.feedback.judge_questions import Judged, Question, forget, judged, key_of, recall
from harness.feedback.judge_spending import CapReached, Purse
from harness.files import value_hash
from harness.judge_params import JudgeParams
from harness.refusals import naming
from harness.stores import locked

log = logging.getLogger(__name__)

_FRUITLESS = 20  # exchanges, with no rating before, that show that none will come


def judge(
    exchanges: Sequence[tuple[str, str]],
    params: JudgeParams,
    cache: Path,
    step: Callable[[int], object] = lambda _: None,
    before: Sequence[tuple[str, str]] = (),
) -> Judged:
    """Rate each (instruction, response) by the judge: scores (n,) float64, NaN where left out.

    Answers are kept in the file `cache` by content and never asked for again; exchanges that are
    equal are asked once; `step` hears how many more exchanges are done; what was asked `before`,
    in an earlier round, is not counted again. One process at a time judges by a cache: two would
    each keep to the spend cap, and together pass it; the pace is this process's own. Raises
    InputError in one line for a missing key or package, an endpoint that does not answer, one that
    gives no rating at all, and a spend cap that is reached; what came before is kept, and the same
    call goes on there. Answers of a call that got no rating are forgotten: once the endpoint is
    mended, they would leave out what an undisturbed call rates.
    """
    start = time.monotonic()
    known = {judge_prompt(*exchange, params.scale) for exchange in before}
    with naming(cache):
        cache.parent.mkdir(parents=True, exist_ok=True)
    with locked(cache):
        prompts, questions, asked, found = _ask(exchanges, params, cache, step)
    counted = [question for prompt, question in questions.items() if prompt not in known]
    rows = [questions[prompt] for prompt in prompts]
    return judged(rows, counted, params, asked, found, time.monotonic() - start)


def _ask(
    exchanges: Sequence[tuple[str, str]],
    params: JudgeParams,
    cache: Path,
    step: Callable[[int], object],
) -> tuple[list[str], dict[str, Question], int, int]:
    """Each exchange's prompt, the questions by prompt, requests sent, answers found on disk."""
    kept = AnswerCache(cache, value_hash([params.endpoint, params.model]))
    prompts = [judge_prompt(*exchange, params.scale) for exchange in exchanges]
    questions = {prompt: Question(prompt) for prompt in prompts}
    for prompt in prompts:
        questions[prompt].rows += 1
    found = sum(recall(question, params, kept) for question in questions.values())
    every = list(questions.values())
    settled = [question for question in every if question.settled]
    if settled == every and not any(map(_rated, every)):
        # One that was killed before it could forget: the endpoint may be mended by now.
        for question in every:
            forget(question, params, kept)
            question.tries, question.answers = 0, []
        settled, found = [], 0
    step(sum(question.rows for question in settled))
    asked = 0
    if len(settled) < len(every):
        key = read_key(params)
        kept.prepare()  # before anything is paid for
        asked = asyncio.run(_Panel(params, kept, step, every).ask(key))
    return prompts, questions, asked, found


def _rated(question: Question) -> bool:
    return question.rating is not None


class _Stop(Exception):
    """Why nobody asks any more, and what helps."""

    def __init__(self, what: str, remedy: str, fruitless: bool = False) -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy
        self.fruitless = fruitless  # no rating came, and none will


class _Panel:
    """Those who ask, side by side in one event loop; the first to fail halts the others."""

    def __init__(
        self,
        params: JudgeParams,
        kept: AnswerCache,
        step: Callable[[int], object],
        every: Sequence[Question],
    ) -> None:
        self.params, self.kept, self.step, self.every = params, kept, step, every
        self.fruitful = any(map(_rated, every))  # whether any rating came yet
        self.fruitless: list[str] = []  # what came instead
        self.stop: _Stop | None = None

    async def ask(self, key: str) -> int:
        waiting = [question for question in self.every if not question.settled]
        self.endpoint = Endpoint(self.params, key)
        self.purse = Purse(self.params, self.kept)
        queue = iter(waiting)
        async with self.endpoint.client:
            count = min(self.params.concurrency, len(waiting))
            # Those under way when one fails are let finish: their answers are paid for.
            await asyncio.gather(*(self._work(queue) for _ in range(count)))
        if not self.stop and not self.fruitful:
            if all(question.refused for question in self.every):
                told = f"refuses all {len(self.every)} prompts ({self.fruitless[-1]})"
            else:
                told = f"gave no rating to any of {len(self.every)} (the last: "
                told += f"{self.fruitless[-1]})"
            self.stop = _Stop(told, "mend that and run the same again", fruitless=True)
        if self.stop is not None:
            if self.stop.fruitless and not self.fruitful:
                for question in self.every:
                    forget(question, self.params, self.kept)
            raise self._told(self.stop)
        return self.endpoint.asked

    async def _work(self, queue: Iterator[Question]) -> None:
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

    async def _settle(self, question: Question) -> None:
        bounds = self.endpoint.most(question.prompt)
        told = ""
        try:
            while not question.settled:
                async with self.purse.hold(*bounds):
                    answer = await self.endpoint.ask(question.prompt)
                    if answer is not None:
                        self.kept.keep(key_of(question, self.params), answer)
                question.take(answer, self.params.scale)
                if answer is not None:
                    told = question.lack or f"answer: {answer.end!r}"
                else:
                    told = f"no completion: {self.endpoint.strange}"
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

    def _count(self, question: Question, told: str) -> None:
        """Stop where every answer so far is of no use: it will go on so, and costs money."""
        if question.rating is None:
            self.fruitless.append(told)
        else:
            self.fruitful = True
        if not self.fruitful and len(self.fruitless) >= _FRUITLESS:
            told = f"gave no rating to the first {_FRUITLESS} (the last: {told})"
            raise _Stop(told, "mend that and run the same again", fruitless=True)

    def _told(self, stop: _Stop) -> InputError:
        number = len(self.kept.found)
        return InputError(
            f"judge: {self.params.model} at {self.endpoint.url} {stop.what}; {number} answers are "
            f"kept in {self.kept.path}; {stop.remedy}: it goes on there"
        )
