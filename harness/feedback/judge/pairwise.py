"""Two answers to a question, compared by the judge in both orders.

What is asked, and how scores are to be given, follows DiverseEvol (arXiv 2311.08182, appendix A).
The words are ours, and so is the mark on the lines that part the texts. It is a hash of the texts,
which none of them can contain: so no answer can end itself and go on as the request.
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import NamedTuple

import numpy as np

from harness.common.files import value_hash
from harness.feedback.judge.judge import Step, settle
from harness.feedback.judge.questions import Form, Judged, Question, after_thinking, summarise
from harness.params.judge import JudgeParams

_PROMPT = Path(__file__).with_name("pairwise.txt").read_text(encoding="utf-8")
_NUMBER = r"([0-9]{1,4}(?:\.[0-9]{1,4})?)"
_SCORES = re.compile(rf"[*_`\s]*{_NUMBER}(?:\s*[,;]\s*|\s+){_NUMBER}[*_`\s]*")
_NONE = (np.nan, np.nan)


class Pair(NamedTuple):
    """A question with the answers of the model and of the reference."""

    question: str
    model: str
    reference: str


def pairwise_prompt(question: str, first: str, second: str, scale: int) -> str:
    """The request to rate two answers, with lines between the texts that no text can imitate."""
    mark = value_hash([question, first, second])[:12]
    texts = {"question": question, "first": first, "second": second}
    return Template(_PROMPT.removesuffix("\n")).substitute(texts, mark=mark, scale=scale)


def read_scores(text: str, scale: int) -> tuple[float, float] | None:
    """The two scores of the first line after an answer's thinking; None if they are not there.

    What comes later explains the scores, and may quote the answers.
    """
    lines = (after_thinking(text) or "").strip().splitlines()
    scores = _SCORES.fullmatch(lines[0]) if lines else None
    if scores is None:
        return None
    first, second = float(scores[1]), float(scores[2])
    return (first, second) if 1 <= first <= scale and 1 <= second <= scale else None


TWO = Form(read_scores, "no first line of two scores on the scale")


def compare(
    pairs: Sequence[Pair], params: JudgeParams, cache: Path, step: Step = lambda _: None
) -> Judged:
    """Rate the answers of each pair in both orders: scores (n, 2, 2), NaN where left out.

    By order, the model's answer first and then second; in both, the model's score comes first.
    Cache, cost and errors are those of `judge`; `step` receives how many more judgments are done.
    """
    prompts = []
    for question, model, reference in pairs:
        for first, second in ((model, reference), (reference, model)):
            prompts.append(pairwise_prompt(question, first, second, params.scale))
    questions = {text: Question(text, params, n, TWO) for text, n in Counter(prompts).items()}
    asked, cached = settle(list(questions.values()), params, cache, step)
    rows = [questions[prompt] for prompt in prompts]
    scores = np.array([question.rating or _NONE for question in rows]).reshape(-1, 2, 2)
    scores[:, 1] = scores[:, 1, ::-1].copy()
    return summarise(scores, rows, list(questions.values()), params, asked, cached)
