"""`python -m harness select --list`: the systems and scorers there are, and what each takes."""

import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from harness.knobs import knobs_of
from harness.samplers import SAMPLERS
from harness.select_command.needs import first_sentence, knob_text, needs_text

WIDTH = 79
END = """\
Embeddings and clusters are made where they are needed; quality is --quality. A
scorer's model is a folder or hub id; base and reward are those of the pipeline."""
NAMES = 18  # columns before the text


def listing() -> str:
    """Every system with a line of what it does, what it needs and its knobs; then the scorers."""
    from harness.scorers import SCORERS

    lines = ["systems (--sampler), the knobs of each (--param) with their defaults:", ""]
    for name, sampler in SAMPLERS.items():
        lines += _entry(name, sampler, f"needs: {needs_text(name)}")
    lines += ["", "scorers (--score name=scorer,knob=value,...):", ""]
    for name, scorer in SCORERS.items():
        lines += _entry(name, scorer)
    lines += ["", END]
    return "\n".join(lines)


def _entry(name: str, function: Callable[..., Any], *more: str) -> Iterator[str]:
    knobs = ", ".join(knob_text(knob) for knob in knobs_of(function).values())
    texts = [first_sentence(function), *more, f"knobs: {knobs}" if knobs else ""]
    head = name.ljust(NAMES)
    for text in filter(None, texts):
        blank = " " * NAMES
        yield from textwrap.wrap(text, WIDTH, initial_indent=head, subsequent_indent=f"{blank}  ")
        head = blank
