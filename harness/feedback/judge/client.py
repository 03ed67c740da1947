"""Questions to an OpenAI-compatible endpoint: paced, retried, with one-line errors.

The client's own retries are off: they ignore the pace and a wait that applies to all requests,
limit the time between two bytes instead of the whole request, and cannot be halted.
"""

import asyncio
import email.utils
import json
import logging
import os
import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from harness.common.errors import InputError, add_secret, hide, is_key, one_line
from harness.feedback.judge.cache import Answer
from harness.params.judge import JudgeParams

if TYPE_CHECKING:
    from openai import APIStatusError

log = logging.getLogger(__name__)

_LONGEST_S = 60.0  # between two tries, unless the endpoint asks for more
_PATIENCE_S = 600.0  # the longest wait that it may ask for
_TRANSIENT = {408, 409, 425, 429}  # worth retrying, as are all from 500 on
_UNFIT = {400, 413, 422}  # the fault is in the request, not at the endpoint
_FRAME = 64  # tokens that an endpoint's chat template may add to a prompt


class Refused(Exception):
    """The endpoint refuses this prompt: too long, or against its rules."""


class Unanswered(Exception):
    """The endpoint does not answer at all; the message says how often it was tried."""

    remedy = "run the same again when it does"


class Halted(Exception):
    """Another worker failed while this one waited."""


class _Failed(Exception):
    """A failed request; `wait`: seconds until a retry at least, None if retrying is futile."""

    def __init__(self, reason: str, wait: float | None) -> None:
        super().__init__(reason)
        self.wait = wait


def read_key(params: JudgeParams) -> str:
    """The key, from the environment; InputError, naming the variable, where there is none."""
    key = os.environ.get(params.key_env, "").strip()
    if not key:
        raise InputError(
            f"judge: the environment variable {params.key_env} is not set; export the endpoint's "
            "key in it (any word for a server that asks for none), or name another with key_env"
        )
    # The client's own error would quote the header with the key.
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise InputError(
            f"judge: {params.key_env} holds a character that no HTTP header takes; export it again"
        )
    if is_key(key):  # else any word, for a server that needs no key
        add_secret(key)
    return key


class Endpoint:
    """The official client with a pace, retries and a count; used within one event loop."""

    def __init__(self, params: JudgeParams, key: str) -> None:
        """Make the client; InputError if its package is missing or `address` refuses the URL."""
        try:
            from openai import AsyncOpenAI
        except ImportError:
            raise InputError(
                "judge: the openai package is not installed; pip install -e '.[judge]'"
            ) from None
        self.params = params
        # An answer is data: only the key is hidden in it, no other secret of the environment.
        self._key = frozenset({key} if is_key(key) else ())
        try:
            self.client = AsyncOpenAI(
                api_key=key, base_url=params.address, timeout=params.timeout_s, max_retries=0
            )
        except ImportError as error:  # of a proxy's kind
            raise InputError(f"judge: {_line(error)}") from None
        self.asked = 0
        self.halt = asyncio.Event()
        self._next = 0.0  # when the next request may start

    @property
    def url(self) -> str:
        """The endpoint's URL without user, password and query."""
        url = self.client.base_url
        port = f":{url.port}" if url.port else ""
        return f"{url.scheme}://{url.host}{port}{url.path}".rstrip("/")

    def most(self, prompt: str) -> tuple[int, int]:
        """Upper bounds of tokens read and written: a token has at least a byte."""
        return len(prompt.encode()) + _FRAME, self.params.max_tokens

    async def ask(self, prompt: str) -> Answer | str:
        """The answer, or the beginning of a body that is not a completion.

        Raises Refused, Unanswered, or Halted.
        """
        tries = self.params.retries + 1
        for tried in range(1, tries + 1):
            await self._turn()
            self.asked += 1
            try:
                return self._answer(await self._body(prompt), prompt)
            except _Failed as failed:
                if failed.wait is None or tried == tries:
                    often = f"{tried} times" if tried > 1 else "once"
                    raise Unanswered(f"does not answer: {failed}; tried {often}") from None
                doubled = min(_LONGEST_S, self.params.backoff_s * 2 ** min(tried - 1, 10))
                wait = max(failed.wait, doubled * random.uniform(0.5, 1))
                if failed.wait:
                    # The limit applies to all requests, not only to this one.
                    self._next = max(self._next, time.monotonic() + wait)
                level = logging.INFO if wait >= 10 else logging.DEBUG
                log.log(level, "judge: %s; try %d of %d in %.1f s", failed, tried, tries, wait)
                await self._pause(wait)
        raise AssertionError("unreachable")

    async def _turn(self) -> None:
        """Wait until a request may start, at the joint pace of all workers."""
        while (wait := self._next - time.monotonic()) > 0:
            await self._pause(wait)
        if self.halt.is_set():
            raise Halted
        per_minute = self.params.requests_per_minute
        self._next = time.monotonic() + (60 / per_minute if per_minute else 0)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.halt.wait(), seconds)
            raise Halted

    async def _body(self, prompt: str) -> str:
        from openai import APIConnectionError, APIStatusError, APITimeoutError

        params = self.params
        settings: dict[str, Any] = {params.limit_field: params.max_tokens}
        if params.temperature is not None:
            settings["temperature"] = params.temperature
        try:
            # The client's limit is between two bytes; this one is for the whole request.
            async with asyncio.timeout(params.timeout_s):
                raw = await self.client.chat.completions.with_raw_response.create(
                    model=params.model, messages=[{"role": "user", "content": prompt}], **settings
                )
        except (TimeoutError, APITimeoutError):
            raise _Failed(f"no answer within timeout_s {params.timeout_s:g}", 0.0) from None
        except APIStatusError as error:
            raise self._status(error) from None
        except APIConnectionError as error:
            raise _Failed(f"no connection ({_line(error.__cause__ or error)})", 0.0) from None
        return raw.text

    def _status(self, error: "APIStatusError") -> Exception:
        """What a status of 4xx or 5xx means."""
        status = error.status_code
        if status in {401, 403}:
            # Such a body often quotes the key.
            rule = f"the key in {self.params.key_env} is not accepted, export another"
            return _Failed(f"HTTP {status}: {rule}", None)
        body = error.body
        message = body.get("message", body) if isinstance(body, dict) else body
        reason = f"HTTP {status}: {_line(message or error)}"
        if status in _UNFIT:
            return Refused(reason)
        wait = _retry_after(error.response.headers.get("retry-after"))
        if wait > _PATIENCE_S:
            return _Failed(f"{reason}; it asks to wait {wait:.0f} s", None)
        return _Failed(reason, wait if status in _TRANSIENT or status >= 500 else None)

    def _answer(self, text: str, prompt: str) -> Answer | str:
        """Text and usage of a body of any shape: the client's types promise too much."""
        try:
            body = json.loads(text)
            choice = body["choices"][0]
        except (ValueError, RecursionError, TypeError, LookupError):
            return one_line(repr(text), 100)
        choice = choice if isinstance(choice, dict) else {}
        message = choice.get("message")
        content = message.get("content") if isinstance(message, dict) else None
        said = hide(content, self._key) if isinstance(content, str) else ""
        flaw = self._flaw(choice.get("finish_reason"), content)
        match body.get("usage"):
            case {"prompt_tokens": int(read), "completion_tokens": int(written)} if (
                min(read, written) >= 0
            ):
                return Answer(said, read, written, flaw=flaw)
        return Answer(said, *self.most(prompt), metered=False, flaw=flaw)

    def _flaw(self, finish_reason: object, content: object) -> str:
        """Why an answer cannot be read, whatever it says; empty for a text that ended."""
        if finish_reason in ("length", "max_tokens"):
            return f"cut off at {self.params.limit_field} {self.params.max_tokens}"
        if finish_reason == "content_filter":
            return "cut off by a content filter"
        if isinstance(content, str):
            return ""
        kinds = {type(None): "null", list: "a list of parts"}
        return f"the content is {kinds.get(type(content), 'not text')}"


def _line(value: object) -> str:
    return one_line(value, 300) or type(value).__name__


def _retry_after(value: str | None) -> float:
    """Seconds that a Retry-After header asks to wait, a number or a date; 0 without one."""
    with suppress(TypeError, ValueError):
        return max(0.0, float(value or ""))
    with suppress(TypeError, ValueError):
        return max(0.0, email.utils.parsedate_to_datetime(value or "").timestamp() - time.time())
    return 0.0
