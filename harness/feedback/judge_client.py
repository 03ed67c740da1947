"""One question to an OpenAI-compatible endpoint: paced, tried again, and told in one line."""

import asyncio
import email.utils
import json
import logging
import os
import random
import time
from typing import TYPE_CHECKING, Any

from harness.errors import InputError, add_secret, hide, is_key, one_line
from harness.feedback.judge_cache import Answer
from harness.judge_params import JudgeParams

if TYPE_CHECKING:
    from openai import APIStatusError
    from openai._legacy_response import LegacyAPIResponse

log = logging.getLogger(__name__)

_LONGEST_S = 60.0  # between two tries, unless the endpoint asks for more
_PATIENCE_S = 600.0  # what it may ask for
_LATER = {408, 409, 425, 429}  # statuses that may pass, as those from 500 on may
_UNFIT = {400, 413, 422}  # statuses that speak of the request, not of the endpoint
_FRAME = 64  # tokens that an endpoint's chat template may add to a prompt


class Refused(Exception):
    """The endpoint will not answer this prompt: too long for it, or against its rules."""


class Unanswered(Exception):
    """The endpoint does not answer at all: what happened, and how often it was tried."""


class Halted(Exception):
    """Somebody else failed while this one waited."""


class Trouble(Exception):
    """A request that brought no answer: what happened, whether to try again, and when at best."""

    def __init__(self, what: str, again: bool, wait: float | None = None) -> None:
        """Take the parts."""
        super().__init__(what)
        self.what, self.again, self.wait = what, again, wait


def read_key(params: JudgeParams) -> str:
    """The key, from the environment; InputError, naming the variable, where there is none."""
    key = os.environ.get(params.key_env, "").strip()
    if not key:
        raise InputError(
            f"judge: the environment variable {params.key_env} is not set; export the endpoint's "
            "key in it (any word for a server that asks for none), or name another with key_env"
        )
    # The client's own error would quote the header, and so the key.
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise InputError(
            f"judge: {params.key_env} holds a character that no HTTP header takes; export it again"
        )
    if is_key(key):  # else any word, for a server that asks for none
        add_secret(key)
    return key


class Endpoint:
    """The official client with a pace, retries and a count; used within one event loop."""

    def __init__(self, params: JudgeParams, key: str) -> None:
        """Make the client; InputError for a package that is missing, or what `address` refuses."""
        try:
            from openai import AsyncOpenAI
        except ImportError:
            raise InputError(
                "judge: the openai package is not installed; pip install 'subset-bench[judge]'"
            ) from None
        self.params = params
        # An answer is data: what else the environment holds is none of its business.
        self._key = frozenset({key} if is_key(key) else ())
        # Its own retries would pass by the pace, the count and the halt.
        try:
            self.client = AsyncOpenAI(
                api_key=key, base_url=params.address, timeout=params.timeout_s, max_retries=0
            )
        except ImportError as error:  # of a proxy's kind
            raise InputError(f"judge: {_line(error)}") from None
        self.asked = 0
        self.strange = ""  # the beginning of the last body that was no completion
        self.halt = asyncio.Event()
        self._next = 0.0  # when the next request may start

    @property
    def url(self) -> str:
        """Where the questions go, without what a URL may hold besides."""
        url = self.client.base_url
        port = f":{url.port}" if url.port else ""
        return f"{url.scheme}://{url.host}{port}{url.path}".rstrip("/")

    def most(self, prompt: str) -> tuple[int, int]:
        """Upper bounds of the tokens read and written: a token is at least a byte."""
        return len(prompt.encode()) + _FRAME, self.params.max_tokens

    async def ask(self, prompt: str) -> Answer | None:
        """The answer; None for a body that is no completion.

        Raises Refused, Unanswered, or Halted.
        """
        tries = self.params.retries + 1
        for tried in range(1, tries + 1):
            await self._turn()
            self.asked += 1
            try:
                return await self._request(prompt)
            except Trouble as trouble:
                if not trouble.again or tried == tries:
                    often = f"{tried} times" if tried > 1 else "once"
                    raise Unanswered(f"{trouble.what}; tried {often}") from None
                doubled = min(_LONGEST_S, self.params.backoff_s * 2 ** min(tried - 1, 10))
                wait = doubled * random.uniform(0.5, 1)
                if trouble.wait is not None:
                    wait = max(wait, trouble.wait)
                    # The limit is of all requests, not of the one that met it.
                    self._next = max(self._next, time.monotonic() + wait)
                level = logging.INFO if wait >= 10 else logging.DEBUG
                log.log(
                    level, "judge: %s; try %d of %d in %.1f s", trouble.what, tried, tries, wait
                )
                await self._pause(wait)
        raise AssertionError("unreachable")

    async def _turn(self) -> None:
        """Wait until a request may start, at the pace of all together."""
        per_minute = self.params.requests_per_minute
        while (wait := self._next - time.monotonic()) > 0:
            await self._pause(wait)
        if self.halt.is_set():
            raise Halted
        self._next = time.monotonic() + (60 / per_minute if per_minute else 0)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.halt.wait()
        except TimeoutError:
            return
        raise Halted

    async def _request(self, prompt: str) -> Answer | None:
        from openai import APIConnectionError, APIStatusError, APITimeoutError

        params = self.params
        settings: dict[str, Any] = {params.limit_field: params.max_tokens}
        if params.temperature is not None:
            settings["temperature"] = params.temperature
        slow = f"no answer within timeout_s {params.timeout_s:g}"
        try:
            # The client's limit is between two bytes; this one is of the whole.
            async with asyncio.timeout(params.timeout_s):
                raw = await self.client.chat.completions.with_raw_response.create(
                    model=params.model, messages=[{"role": "user", "content": prompt}], **settings
                )
        except (TimeoutError, APITimeoutError):
            raise Trouble(slow, again=True) from None
        except APIStatusError as error:
            raise self._status(error) from None
        except APIConnectionError as error:
            told = f"no connection ({_line(error.__cause__ or error)})"
            raise Trouble(told, again=True) from None
        return self._answer(raw, prompt)

    def _status(self, error: "APIStatusError") -> Exception:
        """What a status of 4xx or 5xx means."""
        status = error.status_code
        if status in {401, 403}:
            # Such an answer likes to quote the key.
            what = (
                f"HTTP {status}: the key in {self.params.key_env} is not accepted, export another"
            )
            return Trouble(what, again=False)
        body = error.body
        told = body.get("message", body) if isinstance(body, dict) else body
        what = f"HTTP {status}: {_line(told or error)}"
        if status in _UNFIT:
            return Refused(what)
        wait = _retry_after(error.response.headers)
        if wait is not None and wait > _PATIENCE_S:
            return Trouble(f"{what}; it asks to wait {wait:.0f} s", again=False)
        return Trouble(what, again=status in _LATER or status >= 500, wait=wait)

    def _answer(self, raw: "LegacyAPIResponse[Any]", prompt: str) -> Answer | None:
        """Text and usage of a body, whatever it is: the client's own types promise too much."""
        try:
            body = json.loads(raw.text)
        except (ValueError, RecursionError):
            body = None
        choices = body.get("choices") if isinstance(body, dict) else None
        if not isinstance(body, dict) or not isinstance(choices, list) or not choices:
            self.strange = one_line(repr(raw.text), 100)
            return None
        choice = choices[0] if isinstance(choices[0], dict) else {}
        message = choice.get("message")
        content = message.get("content") if isinstance(message, dict) else None
        flaw = self._flaw(choice.get("finish_reason"), content)
        text = hide(content, self._key) if isinstance(content, str) else ""
        told = body.get("usage")
        usage = told if isinstance(told, dict) else {}
        read, written = usage.get("prompt_tokens"), usage.get("completion_tokens")
        if isinstance(read, int) and isinstance(written, int) and min(read, written) >= 0:
            return Answer(text, int(read), int(written), flaw=flaw)
        return Answer(text, *self.most(prompt), metered=False, flaw=flaw)

    def _flaw(self, finish_reason: object, content: object) -> str:
        """Why an answer has no rating whatever it says; nothing where it is a text that ended."""
        if finish_reason in ("length", "max_tokens"):
            return f"cut off at {self.params.limit_field} {self.params.max_tokens}"
        if finish_reason == "content_filter":
            return "cut off by a content filter"
        if isinstance(content, str):
            return ""
        kinds = {type(None): "null", list: "a list of parts"}
        return f"the content is {kinds.get(type(content), 'no text')}"


def _line(told: object) -> str:
    return one_line(told, 300) or type(told).__name__


def _retry_after(headers: Any) -> float | None:  # noqa: ANN401  (the client's own, of httpx)
    """Seconds a Retry-After header asks to wait: a number or a date."""
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, seconds) if seconds == seconds else None
