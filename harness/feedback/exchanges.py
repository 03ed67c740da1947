"""What scorers read: the prompts a model answered, each with a given or a generated response."""

from pathlib import Path

from harness.schemas import Messages, PoolRows

Exchange = tuple[str, Messages]  # an instance's id; its prompt and a response


def before_answer(messages: Messages) -> Messages:
    """A conversation up to its last answer."""
    last = max(i for i, message in enumerate(messages) if message["role"] == "assistant")
    return messages[:last]


def exchanges_of(rows: PoolRows, answers: Path) -> list[Exchange]:
    """The prompts of n instances with the given responses, then with a file's generated ones."""
    import pandas as pd

    given, made = [], []
    texts = pd.read_parquet(answers)["answer"]
    for name, whole, text in zip(rows.ids, rows.conversations(), texts, strict=True):
        before = before_answer(whole)
        given.append((name, whole[: len(before) + 1]))
        made.append((name, [*before, {"role": "assistant", "content": text}]))
    return [*given, *made]
