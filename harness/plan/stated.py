"""Numbers that are stated, not counted here, each with its source: stated.yaml, suites.json."""

from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from harness.common.errors import InputError
from harness.common.files import read_json
from harness.common.yaml_files import read_yaml

HERE = Path(__file__).parent
SUITES_FILE = HERE / "suites.json"
CHARACTERS_A_TOKEN = 4.0  # of English text, by the tokenizers of models on the hub


class Stated(BaseModel):
    """A part of stated.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Card(Stated):
    """A device: FLOP/s at its peak, memory in GB, and the shares of the peak that work reaches."""

    name: str
    peak: float
    memory_gb: float | None
    train: float
    read: float
    generate: float
    source: str

    def hours(self, flops: float, kind: str) -> float:
        """What so many operations of a kind (train, read, generate) take."""
        return flops / (self.peak * getattr(self, kind)) / 3600


class PoolLengths(Stated):
    """How many rows a pool has, and the mean tokens of a row's prompt and response."""

    rows: int | None = None
    prompt: float
    response: float
    source: str


class Judged(Stated):
    """How many questions a judged column has; mean tokens of a question, an answer, a judgment."""

    questions: dict[str, int]
    prompt: float
    response: float
    read: float
    written: float
    source: str


class Shape(Stated):
    """The sizes of a Llama, Mistral or the like, which give its parameters."""

    vocabulary: int
    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    tied: bool
    context: int
    classifier: bool = False

    @property
    def kv_width(self) -> int:
        """Numbers of a token's keys, and as many of its values, in a layer."""
        return self.hidden // self.heads * self.kv_heads

    @property
    def multiplied(self) -> int:
        """N of `harness.common.flops`: queries, keys, values, output, MLP, norms, the head."""
        attention = 2 * self.hidden * (self.hidden + self.kv_width)
        layer = attention + 3 * self.hidden * self.intermediate + 2 * self.hidden
        head = self.hidden * (1 if self.classifier else self.vocabulary)
        return self.layers * layer + self.hidden + head

    @property
    def parameters(self) -> int:
        """All of them: with a table of tokens that is not the output head, too."""
        looked_up = self.classifier or not self.tied
        return self.multiplied + (self.vocabulary * self.hidden if looked_up else 0)


class Tables(Stated):
    """All of stated.yaml."""

    cards: dict[str, Card]
    judged: Judged
    models: dict[str, Shape]
    pools: dict[str, PoolLengths]


@cache
def stated() -> Tables:
    """What stated.yaml holds."""
    return Tables.model_validate(read_yaml(HERE / "stated.yaml"))


def find_card(name: str) -> Card:
    """The card of that name; InputError with the choices."""
    cards = stated().cards
    if name not in cards:
        raise InputError(f"CARD={name}: no such card; choices: {', '.join(cards)}")
    return cards[name]


@cache
def suite_counts() -> dict[str, dict[str, dict[str, int]]]:
    """By suite and column: items, characters read and generated (scripts/measure_suites.py)."""
    counts: dict[str, Any] = read_json(SUITES_FILE)
    return counts
