"""The spend cap: a question is only asked where the dearest answer to it still fits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from harness.feedback.judge.cache import AnswerCache
from harness.params.judge import JudgeParams


class CapReached(Exception):
    """What the next answer may cost no longer fits under the cap."""

    remedy = "raise spend_cap and run the same again"


class Purse:
    """What the cache's answers cost, and what is set aside for questions under way.

    Where the rest is short, questions wait for those under way, which mostly cost less than was
    set aside: so what is left of the cap at the end is less than one dearest answer.
    """

    def __init__(self, params: JudgeParams, cache: AnswerCache) -> None:
        """Start from what the cache holds."""
        self.params, self.cache = params, cache
        self.held: list[float] = []
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def hold(self, tokens_in: int, tokens_out: int) -> AsyncIterator[None]:
        """Set aside, within the block, what so many tokens cost. Raises CapReached."""
        cap, cost = self.params.spend_cap, self.params.cost(tokens_in, tokens_out)
        if cap is None or cost is None:
            yield
            return
        while (spent := self._spent()) + sum(self.held) + cost > cap:
            if not self.held:
                raise CapReached(
                    f"has cost {spent:.4f} of spend_cap {cap:g} USD, and the next answer may cost "
                    f"{cost:.4f}"
                )
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
