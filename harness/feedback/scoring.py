"""The score of a conversation in eq. 4 of arXiv 2409.11378, by perplexity, reward model or judge.

``FEEDBACK_SCORERS[key](task, conversations)`` returns one score a conversation, (n,) float64, the
higher the better, not finite where there is none, and what it cost.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.progress import counting
from harness.template import Messages, tokenise

Scored = tuple[np.ndarray, dict[str, float]]


def by_perplexity(task: dict[str, Any], conversations: Sequence[Messages]) -> Scored:
    """The log perplexity of prompt and response under the trained model: eq. 7.

    Of the whole text, as eq. 7 concatenates both. It is not negated: with gold minus generated it
    gives -log(PPL(generated) / PPL(gold)).
    """
    from harness.models import load_model
    from harness.scorers.likelihood import Text, cut, losses
    from harness.scorers.loading import read_with

    how = task["max_length"], task["device"], task["threads"]
    reader = read_with(load_model, str(Path(task["model"]).resolve()), None, *how)
    texts = []
    for one in conversations:
        ids, _ = tokenise(reader.tokenizer, one)
        texts.append(cut(Text(ids, [False, *[True] * (len(ids) - 1)]), reader.most))
    with counting("score perplexity", len(texts)) as step:
        found = losses(reader.model, texts, task["batch_size"], step)
    counts = np.array([sum(text.scored) for text in texts])
    scores = found / np.maximum(counts, 1)
    return scores, {
        "scored": len(texts),
        "tokens_scored": int(sum(len(text.ids) for text in texts)),
    }


def by_reward_model(task: dict[str, Any], conversations: Sequence[Messages]) -> Scored:
    """A reward model's logit through the sigmoid: logits have no scale that exp could bear."""
    from harness.classifiers import conversation_ids, cut_ids, load_classifier, logits
    from harness.scorers.loading import read_with

    how = task["max_length"], task["device"], task["threads"]
    reader = read_with(load_classifier, task["reward_model"], task["revision"], *how)
    template = task["template"]
    ids = [conversation_ids(reader.tokenizer, one, template) for one in conversations]
    ids = [cut_ids(reader.tokenizer, one, reader.most) for one in ids]
    with counting("score reward", len(ids)) as step:
        found = np.array(logits(reader.model, ids, task["batch_size"], step))
    # Halves of tanh: no overflow, whatever the logit.
    return 0.5 * (1 + np.tanh(found / 2)), {
        "scored": len(ids),
        "tokens_scored": sum(len(one) for one in ids),
    }


def by_judge(task: dict[str, Any], conversations: Sequence[Messages]) -> Scored:
    """An LLM judge's rating; NaN where its answer could not be read twice."""
    from harness.feedback.judge import judge
    from harness.judge_params import JudgeParams

    exchanges = [(_asked(one), one[-1]["content"]) for one in conversations]
    with counting("judge", len(exchanges)) as step:
        found = judge(
            exchanges, JudgeParams.model_validate(task["judge"]), Path(task["judge_cache"]), step
        )
    cost = {
        "scored": len(exchanges),
        # Answers: those found on disk were paid for by an attempt that was killed, or another run.
        "judge_calls": found.asked + found.cached,
        "judge_left_out": found.unparsable + found.refused,
        "tokens_scored": found.tokens_in + found.tokens_out,
        "usd": found.spend or 0.0,
    }
    return found.scores, cost


FEEDBACK_SCORERS: dict[str, Callable[[dict[str, Any], Sequence[Messages]], Scored]] = {
    "perplexity": by_perplexity,
    "reward_model": by_reward_model,
    "judge": by_judge,
}


def _asked(messages: Messages) -> str:
    """What the last answer is to: one question as it is, more with who said what."""
    before = messages[:-1]
    if len(before) == 1:
        return before[0]["content"]
    return "\n\n".join(f"{message['role']}: {message['content']}" for message in before)
