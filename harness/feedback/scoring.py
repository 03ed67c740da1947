"""The score of a conversation in eq. 4 of arXiv 2409.11378, by perplexity, reward model or judge.

``FEEDBACK_SCORERS[key](task, exchanges)`` returns one score an exchange, (n,) float64, the higher
the better, not finite where there is none, and what it cost.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.feedback.exchanges import Exchange, exchanges_of
from harness.progress import counting
from harness.schemas import PoolRows
from harness.template import Messages, tokenise_all

if TYPE_CHECKING:
    from harness.scorers.loading import Reader

log = logging.getLogger(__name__)

Scored = tuple[np.ndarray, dict[str, float]]


def by_perplexity(task: dict[str, Any], exchanges: Sequence[Exchange]) -> Scored:
    """The log perplexity of prompt and response under the trained model: eq. 7.

    Of the whole text, as eq. 7 concatenates both. It is not negated: with gold minus generated it
    gives -log(PPL(generated) / PPL(gold)). A text too long for the model loses its beginning, as in
    generation: cut at its end, a long prompt would be all that is left of both.
    """
    from harness.models import load_model
    from harness.scorers.likelihood import Text, losses
    from harness.scorers.loading import read_with

    how = task["max_length"], task["device"], task["threads"]
    reader = read_with(load_model, str(Path(task["model"]).resolve()), None, *how)
    names = [f"instance {name!r}" for name, _ in exchanges]
    texts = [messages for _, messages in exchanges]
    whole = [ids for ids, _ in tokenise_all(reader.tokenizer, texts, names)]
    ids, cost = _cut(reader, whole, exchanges)
    scored = [Text(one, [False, *[True] * (len(one) - 1)]) for one in ids]
    with counting("score perplexity", len(scored)) as step:
        found = losses(reader.model, scored, task["batch_size"], step)
    counts = np.array([sum(text.scored) for text in scored])
    return found / np.maximum(counts, 1), cost


def by_reward_model(task: dict[str, Any], exchanges: Sequence[Exchange]) -> Scored:
    """A reward model's logit through the sigmoid: logits have no scale that exp could bear."""
    from harness.classifiers import ids_of_rows, load_classifier, logits
    from harness.scorers.loading import read_with

    how = task["max_length"], task["device"], task["threads"]
    reader = read_with(load_classifier, task["reward_model"], task["revision"], *how)
    names = [f"instance {name!r}" for name, _ in exchanges]
    texts = [messages for _, messages in exchanges]
    whole = ids_of_rows(reader.tokenizer, texts, task["template"], names)
    ids, cost = _cut(reader, whole, exchanges)
    with counting("score reward", len(ids)) as step:
        found = np.array(logits(reader.model, ids, task["batch_size"], step))
    # Halves of tanh: no overflow, whatever the logit.
    return 0.5 * (1 + np.tanh(found / 2)), cost


def _cut(
    reader: "Reader", whole: list[list[int]], exchanges: Sequence[Exchange]
) -> tuple[list[list[int]], dict[str, float]]:
    """Each text's end, as much as the model reads, and what scoring these costs."""
    from harness.classifiers import cut_ids

    long = [name for (name, _), ids in zip(exchanges, whole, strict=True) if len(ids) > reader.most]
    if long:
        log.warning(
            "score: %d of %d texts (prompt and response) are longer than the %d tokens that the "
            "scorer's model reads and lose their beginning, %r first",
            *(len(long), len(whole), reader.most, long[0]),
        )
    ids = [cut_ids(reader.tokenizer, one, reader.most) for one in whole]
    tokens = sum(len(one) for one in ids)
    return ids, {"scored": len(ids), "tokens_scored": tokens, "texts_cut": len(long)}


def by_judge(task: dict[str, Any], exchanges: Sequence[Exchange]) -> Scored:
    """An LLM judge's rating; NaN where its answer could not be read twice.

    What an earlier round of the run has asked is found in the cache, and was counted there.
    """
    import pandas as pd

    from harness.feedback.judge import judge
    from harness.judge_params import JudgeParams

    params, cache = JudgeParams.model_validate(task["judge"]), Path(task["judge_cache"])
    before: list[Exchange] = []
    for folder in map(Path, task["judged_before"]):
        rows = PoolRows(pd.read_parquet(folder / "rows.parquet"))
        before += exchanges_of(rows, folder / "answers.parquet")
    with counting("judge", len(exchanges)) as step:
        found = judge(_asked(exchanges), params, cache, step, _asked(before))
    cost: dict[str, float] = {
        "scored": found.questions,
        "judge_answers": found.answers,
        "judge_left_out": found.unparsable + found.refused,
        "tokens_scored": found.tokens_in + found.tokens_out,
    }
    if found.spend is not None:
        cost["usd"] = found.spend
    return found.scores, cost


FEEDBACK_SCORERS: dict[str, Callable[[dict[str, Any], Sequence[Exchange]], Scored]] = {
    "perplexity": by_perplexity,
    "reward_model": by_reward_model,
    "judge": by_judge,
}


def _asked(exchanges: Sequence[Exchange]) -> list[tuple[str, str]]:
    """What a judge is to read: instruction and response."""
    return [(_instruction(one), one[-1]["content"]) for _, one in exchanges]


def _instruction(messages: Messages) -> str:
    """What the last answer is to: one question as it is, more with who said what."""
    before = messages[:-1]
    if len(before) == 1:
        return before[0]["content"]
    return "\n\n".join(f"{message['role']}: {message['content']}" for message in before)
