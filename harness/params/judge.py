"""The knobs of the LLM judge, apart from the code that asks it."""

import os
import re
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from harness.common.errors import InputError, shown

OPENAI = "https://api.openai.com/v1"
EXAMPLE = "http://localhost:8000/v1"
_WEB = frozenset({"http", "https"})
_PROXIES = _WEB | {"socks5", "socks5h"}  # what the client takes


class JudgeParams(BaseModel):
    """Which endpoint is asked, how fast, and for how much money at most.

    The key itself is no param: it is read from the environment variable `key_env` names.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True
    )

    model: str = Field(min_length=1, description="as the endpoint names it: gpt-4-turbo")
    base_url: str | None = Field(
        default=None,
        description="of an OpenAI-compatible endpoint, http://localhost:8000/v1; null is the "
        "client's own default (OPENAI_BASE_URL, else OpenAI)",
    )
    key_env: str = Field(
        default="OPENAI_API_KEY",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="the environment variable that holds the key",
    )
    scale: Literal[5, 10] = Field(
        default=10, description="ratings are 1 to this: 10 in figure 6, 5 in the text of appendix C"
    )
    temperature: float | None = Field(
        default=0.0, ge=0, le=2, description="null sends none, for models that refuse one"
    )
    max_tokens: int = Field(default=1024, ge=1, le=1_000_000, description="of an answer")
    limit_field: Literal["max_tokens", "max_completion_tokens"] = Field(
        default="max_tokens",
        description="what the endpoint calls that limit; reasoning models of OpenAI: the second",
    )
    concurrency: int = Field(default=8, ge=1, le=1000, description="requests under way at once")
    requests_per_minute: float | None = Field(
        default=None,
        gt=0,
        le=10**6,
        description="of this process, retries included; null is no limit",
    )
    timeout_s: float = Field(
        default=60.0, gt=0, le=86_400, description="seconds a request may take in all"
    )
    retries: int = Field(
        default=6, ge=0, le=100, description="of a request that got no answer, or 429, or 5xx"
    )
    backoff_s: float = Field(
        default=1.0,
        ge=0,
        le=3600,
        description="seconds before the first retry; doubles up to a minute",
    )
    price_in: float | None = Field(
        default=None, ge=0, le=10**6, description="USD a million tokens read; null is unknown"
    )
    price_out: float | None = Field(
        default=None, ge=0, le=10**6, description="USD a million tokens written; null is unknown"
    )
    spend_cap: float | None = Field(
        default=None,
        gt=0,
        le=10**9,
        description="USD for all answers of this model that the cache holds",
    )

    @field_validator("base_url")
    @classmethod
    def _bare_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
        except ValueError:
            raise ValueError(f"no URL; such as {EXAMPLE}") from None
        # Params are committed and errors are shown: neither is a place for a password or a key.
        if parts.username or parts.password or parts.query or parts.fragment:
            told = "holds a user, a password or a query"
            raise ValueError(f"{told}; put the key in the variable key_env names, the rest goes")
        if not _is_url(value, _WEB):
            raise ValueError(f"{shown(repr(value), 80)} is no URL; such as {EXAMPLE}")
        return value

    @model_validator(mode="after")
    def _prices(self) -> Self:
        if (self.price_in is None) != (self.price_out is None):
            missing = "price_in" if self.price_in is None else "price_out"
            raise ValueError(f"{missing} is missing; give both prices (0 is one), or neither")
        if self.spend_cap is not None and self.price_in is None:
            told = f"spend_cap {self.spend_cap} needs price_in and price_out"
            raise ValueError(f"{told} (USD a million tokens); add them")
        return self

    @property
    def endpoint(self) -> str | None:
        """Who is asked: ``base_url``, else what the client reads; None is its own default.

        Without the user, the password and the query that the variable's URL may hold.
        """
        url = self.base_url or _environment("OPENAI_BASE_URL")
        return _bare(url).rstrip("/") if url else None

    @property
    def address(self) -> str:
        """Where the client is sent, with all that the variable's URL holds.

        Raises InputError, naming it, for a variable of the environment over which the client would
        stumble: a base URL or a proxy that is none. One that is empty counts as unset.
        """
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            for one in (name, name.lower()):
                proxy = _environment(one)
                if proxy and not _is_url(proxy if "://" in proxy else f"http://{proxy}", _PROXIES):
                    raise InputError(
                        f"judge: the environment variable {one} is {_shown(proxy)}, no proxy "
                        "such as http://localhost:3128; export another, or unset it"
                    )
        if self.base_url:
            return self.base_url
        url = _environment("OPENAI_BASE_URL")
        if url and not _is_url(url, _WEB):
            raise InputError(
                f"judge: the environment variable OPENAI_BASE_URL is {_shown(url)}, no URL "
                f"such as {EXAMPLE}; export another, unset it, or say judge.base_url"
            )
        return url or OPENAI

    def identity(self) -> dict[str, object]:
        """What ratings depend on; the other knobs may change between a run and its resumption."""
        told = self.model_dump(include={"model", "scale", "temperature", "max_tokens"})
        return {"endpoint": self.endpoint, **told}

    def cost(self, tokens_in: int, tokens_out: int) -> float | None:
        """USD for so many tokens; None where the prices are unknown."""
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
    """Without user, password and query."""
    return re.sub(r"[?#].*", "", re.sub(r"//[^/?#]*@", "//", url))
