"""`python -m harness select --list`: all systems and scorers, with needs, costs and knobs."""

import textwrap
from collections.abc import Iterator
from typing import Any

from harness.params.knobs import Entry, knob_text, knobs_of
from harness.samplers import NEEDS, SAMPLERS

WIDTH = 79
END = """\
n is the pool's size, b the budget. Embeddings and clusters are made where they
are needed; quality is --quality. A scorer's model is a folder or hub id; base
and reward are those of the pipeline."""
NAMES = 18  # columns before the text


def listing() -> str:
    """Every system and then every scorer: summary, needs, cost, source and knobs."""
    from harness.scorers import SCORERS

    lines = ["systems (--sampler), the knobs of each (--param) with their defaults:", ""]
    for name, sampler in SAMPLERS.items():
        needs = ", ".join(need for need in NEEDS if need in sampler.needs - {"unit"}) or "nothing"
        chance = "; draws at random" if sampler.chance else ""
        lines += _entry(name, sampler, f"needs: {needs}{chance}; takes: {sampler.cost}")
    lines += ["", "scorers (--score name=scorer,knob=value,...):", ""]
    for name, scorer in SCORERS.items():
        lines += _entry(name, scorer, f"takes: {scorer.cost}")
    lines += ["", END]
    return "\n".join(lines)


def _entry(name: str, entry: Entry[Any], details: str) -> Iterator[str]:
    knobs = ", ".join(knob_text(knob) for knob in knobs_of(entry).values())
    texts = [
        entry.summary,
        f"{details}; source: {entry.source}",
        f"knobs: {knobs}" if knobs else "",
    ]
    head = name.ljust(NAMES)
    for text in filter(None, texts):
        blank = " " * NAMES
        yield from textwrap.wrap(text, WIDTH, initial_indent=head, subsequent_indent=f"{blank}  ")
        head = blank
