"""A random classifier of one output, and its logits one text at a time."""

from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification

from harness.models.loading import load_tokenizer


def save_classifier(base: Path, out: Path, *, pad: bool = True, labels: int = 1) -> Path:
    """A classifier with a random head on a causal model's weights."""
    from trl.trainer.reward_trainer import suppress_seqcls_warning

    with torch.random.fork_rng(), suppress_seqcls_warning():
        torch.manual_seed(1)
        model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=labels)
        torch.nn.init.normal_(model.score.weight)
    model.config.pad_token_id = 0 if pad else None
    model.save_pretrained(out)
    load_tokenizer(base).save_pretrained(out)
    return out


def one_by_one(folder: Path, ids: list[list[int]]) -> list[float]:
    """The logits of rows that stand alone, without padding."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        return [float(model(torch.tensor([row])).logits[0, 0]) for row in ids]
