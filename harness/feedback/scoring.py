"""Scores of responses for eq. 4 of arXiv 2409.11378, by perplexity, reward model or judge.

``FEEDBACK_SCORERS[key](task, responses)`` returns one score a response, (n,) float64, higher being
better, not finite where there is none; and its cost.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.common import flops
from harness.common.progress import counting
from harness.common.schemas import PoolRows
from harness.models.size import parameter_counts
from harness.models.template import Messages, tokenise_all

if TYPE_CHECKING:
    from harness.models.reader import Reader

log = logging.getLogger(__name__)

Response = tuple[str, Messages]  # an instance's id; its prompt and a response to it
Scored = tuple[np.ndarray, dict[str, float]]


def prompt_of(messages: Messages) -> Messages:
    """A conversation up to its last answer."""
    last = max(i for i, message in enumerate(messages) if message["role"] == "assistant")
    return messages[:last]


def given_and_generated(rows: PoolRows, answers: Path) -> list[Response]:
    """The given responses of n instances, then the generated ones from the file."""
    import pandas as pd

    given, generated = [], []
    texts = pd.read_parquet(answers)["answer"]
    for name, whole, text in zip(rows.ids, rows.conversations(), texts, strict=True):
        prompt = prompt_of(whole)
        given.append((name, whole[: len(prompt) + 1]))
        generated.append((name, [*prompt, {"role": "assistant", "content": text}]))
    return [*given, *generated]


def trained_model(task: dict[str, Any]) -> "Reader":
    """The model that a phase observes, as its task says."""
    from harness.models.adapters import load_trained
    from harness.models.reader import read_with

    load = partial(load_trained, base=Path(task["base"]) if "base" in task else None)
    how = task["max_length"], task["device"], task["threads"]
    return read_with(load, str(Path(task["model"]).resolve()), None, *how)


def by_perplexity(task: dict[str, Any], responses: Sequence[Response]) -> Scored:
    """The log perplexity of prompt and response under the trained model: eq. 7.

    Not negated: gold minus generated then is -log(PPL(generated) / PPL(gold)). A text too long for
    the model loses its beginning: cut at its end, a long prompt would leave no response.
    """
    from harness.models.likelihood import Text, losses

    reader = trained_model(task)
    names = [f"instance {name!r}" for name, _ in responses]
    texts = [messages for _, messages in responses]
    whole = [ids for ids, _ in tokenise_all(reader.tokenizer, texts, names)]
    ids, cost = _cut(reader, whole, responses, whole_model(task))
    scored = [Text(one, [False, *[True] * (len(one) - 1)]) for one in ids]
    with counting("score perplexity", len(scored)) as step:
        totals = losses(reader.model, scored, task["batch_size"], step)
    counts = np.array([sum(text.scored) for text in scored])
    return totals / np.maximum(counts, 1), cost


def by_reward_model(task: dict[str, Any], responses: Sequence[Response]) -> Scored:
    """The sigmoid of a reward model's logit, whose own scale is too wide for the exp of eq. 6."""
    from harness.models.reader import find_model, read_with
    from harness.reward_model.classifier import ids_of_rows, load_classifier, logits

    how = task["max_length"], task["device"], task["threads"]
    reader = read_with(load_classifier, task["reward_model"], task["revision"], *how)
    names = [f"instance {name!r}" for name, _ in responses]
    texts = [messages for _, messages in responses]
    whole = ids_of_rows(reader.tokenizer, texts, task["template"], names)
    folder = find_model(task["reward_model"], task["revision"])
    ids, cost = _cut(reader, whole, responses, folder)
    with counting("score reward", len(ids)) as step:
        values = logits(reader.model, ids, task["batch_size"], step)
    # The sigmoid by tanh: no overflow, whatever the logit.
    return 0.5 * (1 + np.tanh(values / 2)), cost


def reading_flops(model: str | Path, tokens: int) -> float:
    """FLOPs that the model in a folder takes to read, or to generate, tokens."""
    return flops.reading(tokens, parameter_counts(Path(model))["multiplied_parameters"])


def whole_model(task: dict[str, Any]) -> str:
    """The folder of the observed model's weights: its base's where it is an adapter."""
    return task.get("base", task["model"])


def _cut(
    reader: "Reader", whole: list[list[int]], responses: Sequence[Response], model: str | Path
) -> tuple[list[list[int]], dict[str, float]]:
    """Each text cut at its beginning to what the model reads; and the cost of scoring."""
    from harness.reward_model.classifier import cut_ids

    long = [name for (name, _), ids in zip(responses, whole, strict=True) if len(ids) > reader.most]
    if long:
        log.warning(
            "score: %d of %d texts (prompt and response) are longer than the %d tokens that the "
            "scorer's model reads and lose their beginning, %r first",
            *(len(long), len(whole), reader.most, long[0]),
        )
    ids = [cut_ids(reader.tokenizer, one, reader.most) for one in whole]
    tokens = sum(len(one) for one in ids)
    counts = {"scored": len(ids), "tokens_scored": tokens, "texts_cut": len(long)}
    return ids, {**counts, "flops": reading_flops(model, tokens)}


def by_judge(task: dict[str, Any], responses: Sequence[Response]) -> Scored:
    """An LLM judge's rating; NaN where two answers had none.

    Answers to an earlier round's questions come from the cache and were counted there.
    """
    import pandas as pd

    from harness.feedback.judge.judge import judge
    from harness.params.judge import JudgeParams

    params, cache = JudgeParams.model_validate(task["judge"]), Path(task["judge_cache"])
    before: list[Response] = []
    for folder in map(Path, task["judged_before"]):
        rows = PoolRows(pd.read_parquet(folder / "rows.parquet"))
        before += given_and_generated(rows, folder / "answers.parquet")
    with counting("judge", len(responses)) as step:
        judged = judge(_asked(responses), params, cache, step, _asked(before))
    cost: dict[str, float] = {
        "scored": judged.questions,
        "judge_answers": judged.answers,
        "judge_left_out": judged.unparsable + judged.refused,
        "tokens_scored": judged.tokens_in + judged.tokens_out,
    }
    if judged.spend is not None:
        cost["usd"] = judged.spend
    return judged.scores, cost


FEEDBACK_SCORERS: dict[str, Callable[[dict[str, Any], Sequence[Response]], Scored]] = {
    "perplexity": by_perplexity,
    "reward_model": by_reward_model,
    "judge": by_judge,
}


def _asked(responses: Sequence[Response]) -> list[tuple[str, str]]:
    """Pairs of instruction and response for the judge."""
    return [(_instruction(one), one[-1]["content"]) for _, one in responses]


def _instruction(messages: Messages) -> str:
    """The messages before the last answer: a single one as it is, several with their roles."""
    before = messages[:-1]
    if len(before) == 1:
        return before[0]["content"]
    return "\n\n".join(f"{message['role']}: {message['content']}" for message in before)
