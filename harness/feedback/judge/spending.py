"""The spend cap: a question is asked only if its costliest answer still fits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from harness.feedback.judge.cache import AnswerCache
from harness.params.judge import JudgeParams


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
