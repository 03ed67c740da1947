"""A model's answers scored by a judge against a reference's: the columns of kind `judge`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.common.errors import InputError
from harness.common.progress import counting
from harness.evaluation.tasks import Prepared, item_id
from harness.feedback.judge.client import Endpoint, read_key
from harness.feedback.judge.pairwise import Pair, compare
from harness.params.judge import JudgeParams
from harness.suites import Suite
from harness.suites.metrics import JudgingCost

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Judge:
    """Who compares answers, and the file that keeps what was said."""

    params: JudgeParams
    cache: Path

    def missing(self) -> str:
        """Why it cannot be asked, and the remedy; empty if it can be."""
        try:
            Endpoint(self.params, read_key(self.params))
        except InputError as error:
            return str(error)
        return ""

    def reason(self, error: InputError) -> str:
        """What an error says, with no path of this machine: it is kept with the scores."""
        return str(error).replace(f"{self.cache.parent.parent}/", "")


def unasked(suite: Suite, judge: Judge | None) -> dict[str, str]:
    """Why each column of a suite that is to be judged cannot be; empty where all can."""
    if not suite.judged:
        return {}
    why = "no judge is named" if judge is None else judge.missing()
    return dict.fromkeys(suite.judged, why) if why else {}


def judge_answers(
    prepared: Prepared, answers: "pd.DataFrame", judge: Judge
) -> "tuple[pd.DataFrame, JudgingCost]":
    """The answers to a column's questions with their scores, and what judging them took.

    The mean of the scores is the column's relative score; `item_scores` has the scores of items.
    InputError as `compare`.
    """
    asked = _questions(prepared)
    pairs = [
        Pair(asked[item][0], answer, asked[item][1])
        for item, answer in zip(answers["item"], answers["prediction"], strict=True)
    ]
    with counting(f"judge {prepared.column.name}", 2 * len(pairs)) as step:
        judged = compare(pairs, judge.params, judge.cache, step)
    missing = np.isnan(judged.scores[:, :, 0]).sum(axis=0)
    cost = JudgingCost(
        model=judge.params.model,
        asked=2 * len(pairs),
        unparsed=[int(count) for count in missing],
        refused=judged.refused,
        answers=judged.answers,
        tokens_in=judged.tokens_in,
        tokens_out=judged.tokens_out,
        unmetered=judged.unmetered,
        usd=judged.spend,
    )
    return answers.assign(score=item_scores(judged.scores), weight=1.0), cost


def item_scores(scores: np.ndarray) -> np.ndarray:
    """(n,) what each question adds to the relative score of scores (n, 2, 2), in percent.

    The relative score R is 100 x the sum of the model's scores / the sum of the reference's. With a
    question's own sums m and f and the mean f' of f, its score is R + (100 m - R f) / f': the mean
    over questions is R, and the spread that of R, linearised. (Scores m / f of weight f would give
    the same mean, but each model weights of its own, and items of two models are compared.) A
    question without a parsed judgment has the score R. One judgment at least is parsed.
    Source: Cochran 1977, Sampling Techniques, section 6.3.
    """
    model, reference = np.nansum(scores, axis=1).T
    relative = 100 * model.sum() / reference.sum()
    return relative + (100 * model - relative * reference) / reference.mean()


def _questions(prepared: Prepared) -> Mapping[str, tuple[str, str]]:
    """Question and reference's answer by the item's id."""
    (task,) = prepared.tasks.values()
    return {
        item_id(doc, place): (str(task.doc_to_text(doc)), str(task.doc_to_target(doc)))
        for place, doc in enumerate(task.eval_docs)
    }
