"""An LLM judge's ratings, which replace the reward in eq. 4 (arXiv 2409.11378, appendix C).

The spend cap: a question is asked only if its costliest answer still fits.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from harness.common.disk_errors import naming
from harness.common.errors import InputError
from harness.common.files import value_hash
from harness.common.stores import locked
from harness.feedback.judge.cache import AnswerCache
from harness.feedback.judge.client import Endpoint, Halted, Refused, Unanswered, read_key
from harness.feedback.judge.questions import Judged, Question, judge_prompt, summarise
from harness.params.judge import JudgeParams

_FRUITLESS = 20  # questions without any rating after which none is expected
Step = Callable[[int], object]


def judge(
    pairs: Sequence[tuple[str, str]],
    params: JudgeParams,
    cache: Path,
    step: Step = lambda _: None,
    before: Sequence[tuple[str, str]] = (),
) -> Judged:
    """Rate each (instruction, response) by the judge: scores (n,) float64, NaN where left out.

    Answers are kept in the file `cache` by content and never asked for again; equal pairs are asked
    once. `step` receives how many more pairs are done; what was asked `before`, in an earlier
    round, is not counted again. One process at a time uses a cache: two could together exceed the
    spend cap. Raises InputError for a missing key or package, an endpoint that does not answer or
    gives no rating at all, and a spend cap that is reached; earlier answers are kept, and the same
    call resumes there. Answers of a call without any rating are dropped: once the endpoint is
    fixed, they would exclude responses that an undisturbed call rates.
    """
    prompts = [judge_prompt(*pair, params.scale) for pair in pairs]
    questions = {text: Question(text, params, rows) for text, rows in Counter(prompts).items()}
    asked, cached = settle(list(questions.values()), params, cache, step)
    known = {judge_prompt(*pair, params.scale) for pair in before}
    counted = [question for prompt, question in questions.items() if prompt not in known]
    rows = [questions[prompt] for prompt in prompts]
    scores = np.array([question.rating for question in rows], np.float64)  # None becomes NaN
    return summarise(scores, rows, counted, params, asked, cached)


def settle(
    questions: list[Question], params: JudgeParams, cache: Path, step: Step
) -> tuple[int, int]:
    """Answer the questions, as `judge` says: requests sent, and answers that were in the cache."""
    with naming(cache):
        cache.parent.mkdir(parents=True, exist_ok=True)
    with locked(cache):
        return _settle(questions, params, cache, step)


def _settle(
    questions: list[Question], params: JudgeParams, cache: Path, step: Step
) -> tuple[int, int]:
    """Answer the questions, from the cache where possible: requests sent, answers cached."""
    kept = AnswerCache(cache, value_hash([params.endpoint, params.model]))
    cached = sum(question.recall(kept) for question in questions)
    settled = [question for question in questions if question.settled]
    if settled == questions and not any(map(_rated, questions)):
        # Left by a process killed before it dropped them: the endpoint may be fixed by now.
        for question in questions:
            question.forget(kept)
        settled, cached = [], 0
    step(sum(question.rows for question in settled))
    if len(settled) == len(questions):
        return 0, cached
    key = read_key(params)
    kept.prepare()  # before anything is paid for
    return asyncio.run(_Panel(params, kept, step, questions).ask(key)), cached


def _rated(question: Question) -> bool:
    return question.rating is not None


class CapReached(Exception):
    """The next answer might exceed the cap."""

    remedy = "raise spend_cap and run the same again"


class Purse:
    """The cost of the cached answers, and what is reserved for questions in flight.

    Near the cap, questions wait for those in flight, which mostly cost less than reserved: so less
    than one costliest answer is left of the cap at the end.
    """

    def __init__(self, params: JudgeParams, cache: AnswerCache) -> None:
        """Start from what the cache holds."""
        self.params, self.cache = params, cache
        self.held: list[float] = []
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def hold(self, tokens_in: int, tokens_out: int) -> AsyncIterator[None]:
        """Reserve the cost of so many tokens within the block. Raises CapReached."""
        cap, cost = self.params.spend_cap, self.params.cost(tokens_in, tokens_out)
        if cap is None or cost is None:
            yield
            return
        while (spent := self._spent()) + sum(self.held) + cost > cap:
            if not self.held:
                paid = f"has cost {spent:.4f} of spend_cap {cap:g} USD"
                raise CapReached(f"{paid}, and the next answer may cost {cost:.4f}")
            self._freed.clear()
            await self._freed.wait()
        self.held.append(cost)
        try:
            yield
        finally:
            self.held.remove(cost)
            self._freed.set()

    def _spent(self) -> float:
        return self.params.cost(self.cache.tokens_in, self.cache.tokens_out) or 0.0


class _Fruitless(Exception):
    """No rating came and none is expected: more questions would only cost money."""

    remedy = "fix that and run the same again"


class _Panel:
    """Workers that ask, side by side in one event loop; the first to fail halts the others."""

    def __init__(
        self, params: JudgeParams, kept: AnswerCache, step: Step, questions: list[Question]
    ) -> None:
        self.params, self.kept, self.step, self.questions = params, kept, step, questions
        self.stop: Unanswered | CapReached | _Fruitless | None = None
        self.unrated = 0  # questions settled by this call without a rating

    async def ask(self, key: str) -> int:
        """Settle every question; the number of requests sent."""
        waiting = [question for question in self.questions if not question.settled]
        self.endpoint = Endpoint(self.params, key)
        self.purse = Purse(self.params, self.kept)
        queue = iter(waiting)
        async with self.endpoint.client:
            count = min(self.params.concurrency, len(waiting))
            # Requests in flight when one fails may finish: their answers are paid for.
            await asyncio.gather(*(self._work(queue) for _ in range(count)))
        fruitful = any(map(_rated, self.questions))
        if not self.stop and not fruitful:
            number, last = len(self.questions), waiting[-1].last
            if all(question.refused for question in self.questions):
                self.stop = _Fruitless(f"refuses all {number} prompts ({last})")
            else:
                self.stop = _Fruitless(f"gave no rating to any of {number} (the last: {last})")
        if isinstance(self.stop, _Fruitless) and not fruitful:
            for question in self.questions:
                question.forget(self.kept)
        if self.stop:
            raise InputError(
                f"judge: {self.params.model} at {self.endpoint.url} {self.stop}; "
                f"{len(self.kept.answers)} answers are kept in {self.kept.path}; "
                f"{self.stop.remedy}: it goes on there"
            )
        return self.endpoint.asked

    async def _work(self, queue: Iterator[Question]) -> None:
        try:
            for question in queue:
                await self._settle(question)
                self.step(question.rows)
        except Halted:
            pass
        except (Unanswered, CapReached, _Fruitless) as stop:
            self.stop = self.stop or stop
            self.endpoint.halt.set()

    async def _settle(self, question: Question) -> None:
        bounds = self.endpoint.most(question.prompt)
        try:
            while not question.settled:
                async with self.purse.hold(*bounds):
                    answer = await self.endpoint.ask(question.prompt)
                    if not isinstance(answer, str):
                        self.kept.keep(question.key(len(question.answers)), answer)
                question.take(answer)
        except Refused as refusal:
            question.refused, question.last = True, str(refusal)
        self.unrated += question.rating is None
        if self.unrated >= _FRUITLESS and not any(map(_rated, self.questions)):
            first = f"the first {_FRUITLESS} (the last: {question.last})"
            raise _Fruitless(f"gave no rating to {first}")
