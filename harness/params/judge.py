"""The knobs of the LLM judge, apart from the code that asks it."""

import os
import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, field_validator, model_validator

from harness.common.errors import InputError, shown
from harness.params.section import Section

OPENAI = "https://api.openai.com/v1"
EXAMPLE = "http://localhost:8000/v1"
_WEB = frozenset({"http", "https"})
_PROXIES = _WEB | {"socks5", "socks5h"}  # that the client accepts
Price = Annotated[float, Field(ge=0, le=10**6)] | None  # USD a million tokens; None: unknown


class JudgeParams(Section):
    """Which endpoint is asked, how fast, and the most money to spend.

    The key itself is not a param: it is read from the environment variable `key_env` names.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    model: str = Field(min_length=1)  # as the endpoint names it: gpt-4-turbo
    # Of an OpenAI-compatible endpoint, such as http://localhost:8000/v1; null is the client's own
    # default (OPENAI_BASE_URL, else OpenAI).
    base_url: str | None = None
    key_env: str = Field(default="OPENAI_API_KEY", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    scale: Literal[5, 10] = 10  # ratings are 1 to this: 10 in figure 6, 5 in appendix C's text
    temperature: float | None = Field(default=0.0, ge=0, le=2)  # null, where a model refuses one
    max_tokens: int = Field(default=1024, ge=1, le=1_000_000)  # of an answer
    # What the endpoint calls that limit; for reasoning models of OpenAI, the second.
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    concurrency: int = Field(default=8, ge=1, le=1000)  # requests at once
    # Of this process, retries included; null is no limit.
    requests_per_minute: float | None = Field(default=None, gt=0, le=10**6)
    timeout_s: float = Field(default=60.0, gt=0, le=86_400)  # of a request in all
    retries: int = Field(default=6, ge=0, le=100)  # of a request that got no answer, 429 or 5xx
    # Before the first retry; doubles up to a minute.
    backoff_s: float = Field(default=1.0, ge=0, le=3600)
    price_in: Price = None  # of tokens read
    price_out: Price = None  # of tokens written
    # USD for all answers of this model in the cache.
    spend_cap: float | None = Field(default=None, gt=0, le=10**9)

    @field_validator("base_url")
    @classmethod
    def _bare_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
        except ValueError:
            raise ValueError(f"not a URL such as {EXAMPLE}") from None
        # Params are committed and errors are shown: neither is a place for a password or a key.
        if parts.username or parts.password or parts.query or parts.fragment:
            rule = "has a user, a password or a query"
            raise ValueError(f"{rule}; put the key in the variable key_env names, remove the rest")
        if not _is_url(value, _WEB):
            raise ValueError(f"{shown(repr(value), 80)} is not a URL such as {EXAMPLE}")
        return value

    @model_validator(mode="after")
    def _prices(self) -> Self:
        if (self.price_in is None) != (self.price_out is None):
            missing = "price_in" if self.price_in is None else "price_out"
            raise ValueError(f"{missing} is missing; give both prices (0 is one), or neither")
        if self.spend_cap is not None and self.price_in is None:
            rule = f"spend_cap {self.spend_cap} needs price_in and price_out"
            raise ValueError(f"{rule} (USD a million tokens); add them")
        return self

    @property
    def endpoint(self) -> str | None:
        """``base_url``, else the URL that the client reads; None is its own default.

        The user, password and query of the variable's URL are left out.
        """
        url = self.base_url or _environment("OPENAI_BASE_URL")
        return _bare(url).rstrip("/") if url else None

    @property
    def address(self) -> str:
        """The URL that the client uses, with all parts of the variable's URL.

        InputError names an environment variable that the client would reject: an invalid base URL
        or proxy. An empty one counts as unset.
        """
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            for one in (name, name.lower()):
                proxy = _environment(one)
                if proxy and not _is_url(proxy if "://" in proxy else f"http://{proxy}", _PROXIES):
                    raise InputError(
                        f"judge: the environment variable {one} is {_shown(proxy)}, not a proxy "
                        "such as http://localhost:3128; export another, or unset it"
                    )
        if self.base_url:
            return self.base_url
        url = _environment("OPENAI_BASE_URL")
        if url and not _is_url(url, _WEB):
            raise InputError(
                f"judge: the environment variable OPENAI_BASE_URL is {_shown(url)}, not a URL "
                f"such as {EXAMPLE}; export another, unset it, or say judge.base_url"
            )
        return url or OPENAI

    def identity(self) -> dict[str, object]:
        """What ratings depend on; the other knobs may change before a run resumes."""
        named = self.model_dump(include={"model", "scale", "temperature", "max_tokens"})
        return {"endpoint": self.endpoint, **named}

    def cost(self, tokens_in: int, tokens_out: int) -> float | None:
        """The price of so many tokens in USD; None where it is unknown."""
        if self.price_in is None or self.price_out is None:
            return None
        return (tokens_in * self.price_in + tokens_out * self.price_out) / 1e6


def _environment(name: str) -> str:
    return os.environ.get(name, "").strip()


def _is_url(text: str, schemes: frozenset[str]) -> bool:
    try:
        parts = urlsplit(text)
        whole = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets, a port above 65535
        return False
    return whole and text.isprintable() and " " not in text


def _shown(url: str) -> str:
    return shown(repr(_bare(url)), 80)


def _bare(url: str) -> str:
    """A URL without user, password and query."""
    return re.sub(r"[?#].*", "", re.sub(r"//[^/?#]*@", "//", url))
