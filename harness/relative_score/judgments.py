"""Files of pairwise judgments, as DiverseEvol released them, and their relative score."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.common.errors import InputError, nearest, shown
from harness.pools.json_text import json_lines
from harness.pools.raw_rows import BadRowError
from harness.pools.unpacking import Unpacked
from harness.statistics.ratios import ratio_of_sums
from harness.statistics.seeds import Interval

# The model's answer first, then second; in both, the model's score comes first.
ORDERS = ("eval_QUERY0", "eval_QUERY1")
FORM = '{"eval_QUERY0": [7, 9], "eval_QUERY1": [8, 9]}'
_UNPARSED = [-1, -1]
_MOST = 10**6  # of a score: sums of any number of such are exact enough


@dataclass(frozen=True)
class Judgments:
    """The judgments of q questions.

    Attributes:
        name: what the table calls them.
        questions: (q,) the question's text or, where the line has none, its place.
        scores: (q, 2, 2) by order, then of the model and of the reference; NaN where unparsed.
    """

    name: str
    questions: tuple[str, ...]
    scores: np.ndarray

    @property
    def parsed(self) -> np.ndarray:
        """(q, 2) whether the judgment of each order has scores."""
        return ~np.isnan(self.scores[:, :, 0])

    def relative_score(self) -> Interval:
        """100 x the sum of the model's scores / the sum of the reference's, over all parsed.

        The interval is over questions: both judgments of a question, and all those of one text, are
        one draw. Raises InputError where nothing is parsed or the reference's sum is 0.
        Source: arXiv 2311.08182.
        """
        if not self.parsed.any():
            rule = f"none of its {self.parsed.size} judgments has scores"
            raise InputError(f"{self.name}: {rule}; let the judge answer again")
        numbers = {text: number for number, text in enumerate(dict.fromkeys(self.questions))}
        place = np.array([numbers[text] for text in self.questions])
        sums = np.nansum(self.scores, axis=1)
        asked = np.unique(place[self.parsed.any(axis=1)])
        model, reference = (np.bincount(place, sums[:, i])[asked] for i in (0, 1))
        if not reference.sum():
            rule = "the reference's scores sum to 0, so that nothing can be relative to them"
            raise InputError(f"{self.name}: {rule}; give judgments whose second score is its own")
        with np.errstate(over="ignore", invalid="ignore"):
            score = ratio_of_sums(100 * model, reference)
        if not np.isfinite(score.value):
            rule = f"the reference's scores sum to {reference.sum():.3g}, too little to divide by"
            raise InputError(f"{self.name}: {rule}; give judgments on one scale")
        return score


def read_judgments(path: Path) -> Judgments:
    """The judgments of a JSONL file, gzipped or not, a question a line.

    InputError names the file, the line and the rule it breaks.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "not a regular file"
        raise InputError(f"{path}: {what if path.exists() else 'no such file'}; name a JSONL file")
    questions, scores = [], []
    try:
        with Unpacked(path, str(path)) as stream:
            for line in json_lines(stream, path.name):
                where, row = f"{path}, line {line.number}", line.value
                if isinstance(row, BadRowError):
                    detail = f" ({row.detail})" if row.detail else ""
                    raise InputError(f"{where}: {row.rule}{detail}; a line is as {FORM}")
                assert isinstance(row, dict)
                questions.append(_question(row.get("question_text"), where))
                scores.append(_scores(row, where))
    except InputError as error:  # of the limits: those of the pipeline are not for this file
        raise InputError(re.sub(r"raise prepare\.limits\.\w+, or ", "", str(error))) from None
    if not questions:
        raise InputError(f"{path}: empty, no judgments; a line is as {FORM}")
    return Judgments(str(path), tuple(questions), np.array(scores, dtype=np.float64))


def together(parts: Sequence[Judgments], name: str) -> Judgments:
    """The judgments of several files as one."""
    questions = tuple(question for part in parts for question in part.questions)
    return Judgments(name, questions, np.concatenate([part.scores for part in parts]))


def _question(text: object, where: str) -> str:
    """A line's question; its place where it has none."""
    if text is not None and not isinstance(text, str):
        rule = f"question_text is {shown(repr(text))}; it is a text, or left out"
        raise InputError(f"{where}: {rule}")
    return text if text and text.strip() else where


def _scores(row: dict[str, object], where: str) -> list[list[float]]:
    for key in row:
        if key.lower().startswith("eval_query") and key not in ORDERS:
            raise InputError(f"{where}: {shown(repr(key))} is no order{nearest(key, ORDERS)}")
    return [_pair(row.get(order), f"{where}: {order}") for order in ORDERS]


def _pair(value: object, where: str) -> list[float]:
    """The scores of the model and of the reference; NaN where the judge's answer was not parsed."""
    if value is None or value == _UNPARSED:
        return [np.nan, np.nan]
    if isinstance(value, list) and len(value) == 2 and all(map(_is_score, value)):
        return [float(score) for score in value]
    rule = f"needed: two numbers from 0 to {_MOST:,}, [model, reference]; {_UNPARSED} if unparsed"
    raise InputError(f"{where} is {shown(repr(value))}; {rule}")


def _is_score(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MOST
