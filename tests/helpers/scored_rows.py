"""Rows to score, and token-by-token references that the scorers must equal."""

import json

import pandas as pd
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.common.schemas import PoolRows
from harness.models.template import Messages, tokenise


def pair(prompt: str, response: str) -> Messages:
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]


def pool_of(*conversations: Messages) -> PoolRows:
    """A pool of these conversations, with ids a, b, c, ..."""
    return PoolRows(
        pd.DataFrame(
            {
                "id": [chr(ord("a") + i) for i in range(len(conversations))],
                "row": range(1, len(conversations) + 1),
                "prompt": ["\n\n".join(m["content"] for m in c[:-1]) for c in conversations],
                "response": [c[-1]["content"] for c in conversations],
                "messages": [json.dumps(c) for c in conversations],
            }
        )
    )


def with_columns(pool: PoolRows, **columns: object) -> PoolRows:
    """The pool with other values in some columns."""
    return PoolRows(pool.frame.assign(**columns))


POOL = pool_of(
    pair("Name the capital of Zanu.", "The capital of Zanu is Lubi."),
    pair("Add one.", "def f(x): return x + 1"),
    pair("Grüße?", "süße Grüße 🙂"),
    pair("One?", "1"),
    [{"role": "system", "content": "Be brief."}, *pair("One?", "1"), *pair("Two?", "It is two.")],
)


def decoded(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> str:
    """The text of token ids."""
    return str(tokenizer.decode(ids))


def log_probability(model: PreTrainedModel, before: list[int], token: int) -> float:
    """ln p of a token after others, by one forward pass."""
    with torch.inference_mode():
        logits = model(torch.tensor([before])).logits[0, -1].double()
    return float(torch.log_softmax(logits, dim=-1)[token])


def naive_losses(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, messages: Messages, begin: int
) -> tuple[float, float, int]:
    """-ln p of the learnt tokens given all before them, and given their turn alone; how many."""
    ids, learnt = tokenise(tokenizer, messages)
    given = alone = 0.0
    turn: list[int] = []
    for i in range(1, len(ids)):
        if not learnt[i]:
            turn = []
            continue
        given -= log_probability(model, ids[:i], ids[i])
        alone -= log_probability(model, [begin, *turn], ids[i])
        turn.append(ids[i])
    return given, alone, sum(learnt[1:])
