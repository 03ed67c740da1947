"""Checks, before any model runs, that the chat template renders every row."""

import hashlib
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.common.errors import InputError
from harness.params.source import OnBadRow
from harness.pools.formats import Message
from harness.pools.raw_rows import BadRowError

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedTokenizerBase

    from harness.params.params import Params

Check = Callable[[list[Message]], None]


def base_model_check(params: "Params") -> Check:
    """The check against the template of `base_model.source`, whose weights are not read.

    InputError where it cannot be read, or is not the one that make repro has seen.
    """
    from harness.models.sources import source_tokenizer

    base = params.base_model
    tokenizer = source_tokenizer(base.source, base.revision, params.template)
    if params.prepare.template_sha256 not in (None, template_hash(tokenizer)):
        rule = "its chat template is not the one that prepare.template_sha256 names"
        raise InputError(f"{base.source}: {rule}; make repro uses the template as it is now")
    return renders(tokenizer)


def template_hash(tokenizer: "PreTrainedTokenizerBase") -> str:
    """SHA-256 of the template's text: it decides which rows are valid, the weights do not."""
    from harness.models.template import template_text

    return hashlib.sha256((template_text(tokenizer) or "").encode()).hexdigest()


def renders(*tokenizers: "PreTrainedTokenizerBase") -> Check:
    """A check that raises BadRowError for a conversation that one of the templates refuses."""
    from harness.models.template import RefusedError, check_conversation

    def check(messages: list[Message]) -> None:
        for tokenizer in tokenizers:
            try:
                check_conversation(tokenizer, messages)
            except RefusedError as error:
                detail = tokenizer.name_or_path if error.message == error.rule else str(error)
                raise BadRowError(error.rule, detail) from None

    return check


def rendered_pairs(
    pairs: "pd.DataFrame", check: Check, on_bad_row: OnBadRow
) -> "tuple[pd.DataFrame, dict[str, int]]":
    """The pairs both of whose responses the template renders; and how many others, by rule."""
    kept: list[int] = []
    dropped: Counter[str] = Counter()
    columns = (pairs["id"], pairs["prompt"], pairs["chosen"], pairs["rejected"])
    for i, (name, prompt, *responses) in enumerate(zip(*columns, strict=True)):
        try:
            for response in responses:
                asked = {"role": "user", "content": prompt}
                check([asked, {"role": "assistant", "content": response}])
        except BadRowError as bad:
            if on_bad_row == "error":
                raise InputError(
                    f"preference pair {name!r}: {bad.rule} ({bad.detail}); set on_bad_row: drop, "
                    "or preference_pairs: 0"
                ) from None
            dropped[bad.rule] += 1
            continue
        kept.append(i)
    return pairs.iloc[kept].reset_index(drop=True), dict(dropped)
