"""Whether a chat template renders a row, found out before any model runs."""

import hashlib
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.common.errors import InputError
from harness.params.prepare import OnBadRow
from harness.pools.formats import Message
from harness.pools.raw_rows import BadRowError

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedTokenizerBase

    from harness.params.params import Params

Check = Callable[[list[Message]], None]


def base_model_check(params: "Params") -> Check:
    """The check by the template of `base_model.source`, of which no weights are read.

    InputError where there is none to be had, or where make repro has seen another.
    """
    from harness.models.template import source_tokenizer

    base = params.base_model
    tokenizer = source_tokenizer(base.source, base.revision, params.template)
    if params.prepare.template_sha256 not in (None, template_hash(tokenizer)):
        rule = "its chat template is not the one that prepare.template_sha256 names"
        raise InputError(f"{base.source}: {rule}; make repro takes up the template as it is now")
    return renders(tokenizer)


def template_hash(tokenizer: "PreTrainedTokenizerBase") -> str:
    """SHA-256 of the template's text: what a row may be is decided by it, never by weights."""
    from harness.models.template import template_text

    return hashlib.sha256((template_text(tokenizer) or "").encode()).hexdigest()


def renders(*tokenizers: "PreTrainedTokenizerBase") -> Check:
    """What raises BadRowError for a conversation that one of the tokenizers' templates refuses."""
    from harness.models.template import RefusedError, check_conversation

    def check(messages: list[Message]) -> None:
        for tokenizer in tokenizers:
            try:
                check_conversation(tokenizer, messages)
            except RefusedError as error:
                detail = tokenizer.name_or_path if error.told == error.rule else str(error)
                raise BadRowError(error.rule, detail) from None

    return check


def rendered_pairs(
    pairs: "pd.DataFrame", check: Check, on_bad_row: OnBadRow
) -> "tuple[pd.DataFrame, dict[str, int]]":
    """The preference pairs both of whose responses are rendered; and how many went, by rule."""
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
    found: Any = pairs.iloc[kept].reset_index(drop=True)
    return found, dict(dropped)
