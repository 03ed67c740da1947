"""Sequence classifiers of one output, such as reward models: loading them, and their logits."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.common.errors import InputError
from harness.launching.ranks import joined, shard, world
from harness.models.batches import length_batches, padded
from harness.models.loading import check_ids, load_weights, loading, model_folder
from harness.models.template import TEMPLATES, Messages, about, encode, render, template_text

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def check_classifier(folder: Path) -> None:
    """Raise InputError if the folder's model is not a classifier of one output."""
    from transformers import AutoConfig

    with loading(folder, "model"):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    if config.num_labels != 1:
        rule = "a reward model is a sequence classifier of one (num_labels: 1)"
        raise InputError(f"{folder}: a model of {config.num_labels} outputs; {rule}")


def load_classifier(
    path_or_id: str | Path, revision: str | None = None, dtype: "torch.dtype | None" = None
) -> "PreTrainedModel":
    """Load a sequence classifier of one output in `dtype` (default float32) on the CPU.

    Raises InputError if it is missing, broken, not safetensors, of several outputs, or without
    weights for its head, as a causal language model: a random head gives meaningless scores.
    """
    from transformers import AutoModelForSequenceClassification

    folder = model_folder(path_or_id, revision)
    check_classifier(folder)
    model, missing = load_weights(AutoModelForSequenceClassification, folder, dtype)
    if missing:
        rule = f"the weights lack {missing[0]}; not a saved sequence classifier"
        raise InputError(f"{folder}: {rule}")
    return model.eval()


def conversation_ids(
    tokenizer: "PreTrainedTokenizerBase", messages: Messages, template: str
) -> list[int]:
    """Token ids of a conversation as a classifier reads it.

    Rendered by the tokenizer's own chat template; without one, by ours of that name, with the
    special tokens that the tokenizer puts around a text (a BERT pools its first).
    """
    how: dict[str, Any] = {}
    if not template_text(tokenizer):
        if template not in TEMPLATES:
            choices = ", ".join(TEMPLATES)
            raise InputError(f"template: no template {template!r}; choose from {choices}")
        how["chat_template"] = TEMPLATES[template].read_text(encoding="utf-8")
        how["eos_token"] = tokenizer.eos_token or ""
    text = render(tokenizer, messages, **how)
    return encode(tokenizer, [text], add_special_tokens=bool(how))[0]


def ids_of_rows(
    tokenizer: "PreTrainedTokenizerBase",
    conversations: Sequence[Messages],
    template: str,
    names: Sequence[str],
) -> list[list[int]]:
    """`conversation_ids` of many; InputError names the one that a template refuses."""
    rows = []
    for name, messages in zip(names, conversations, strict=True):
        with about(name):
            rows.append(conversation_ids(tokenizer, messages, template))
    return rows


def cut_ids(tokenizer: "PreTrainedTokenizerBase", ids: list[int], most: int) -> list[int]:
    """At most so many ids, cut at the beginning, less a special token that opens the text.

    Most classifiers are read at the last token, and only an answer's end shows that it is complete.
    """
    if len(ids) <= most:
        return ids
    kept = ids[:1] if ids[0] in tokenizer.all_special_ids else []
    return kept + ids[len(ids) - most + len(kept) :]


def logits(
    model: "PreTrainedModel",
    rows: Sequence[list[int]],
    batch_size: int,
    step: Callable[[int], object] = lambda _: None,
) -> np.ndarray:
    """The model's one logit for each row of token ids: (n,) float64.

    Rows of like length share a batch, padded on the right, which changes logits by rounding only.
    `step` receives how many more are done.
    """
    import torch

    check_ids(model, rows)
    values = np.zeros(len(rows))
    config = model.config.get_text_config()
    given = config.pad_token_id
    own = shard(length_batches([len(ids) for ids in rows], batch_size))
    for batch in own:
        # A causal classifier is read at the last token that is not padding: if it has no padding
        # token, one that ends none of the rows serves.
        pad = given
        if pad is None:
            ends = {rows[i][-1] for i in batch}
            pad = config.pad_token_id = next(t for t in range(len(ends) + 1) if t not in ends)
        ids = padded([rows[i] for i in batch], pad).to(model.device)
        mask = padded([[1] * len(rows[i]) for i in batch]).to(model.device)
        with torch.inference_mode():
            out = model(input_ids=ids, attention_mask=mask).logits
        values[batch] = out[:, 0].double().cpu().numpy()
        step(len(batch) * world())
    return joined(values, own)
