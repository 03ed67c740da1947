"""Conversations and params of short trainings, and what they give."""

from pathlib import Path

import torch

from harness.common.files import file_hash
from harness.models.loading import load_model, load_tokenizer
from harness.models.template import Messages, ensure_template
from harness.params.training import TrainParams
from harness.training.sft import encode_rows

ROWS: list[Messages] = [
    [
        {"role": "user", "content": f"Name the capital of land {i}."},
        {"role": "assistant", "content": f"The capital is town {i}."},
    ]
    for i in range(12)
]
PARAMS = TrainParams(epochs=2, learning_rate=1e-2, batch_size=4, max_length=96)


def plain_loss(model: Path, tokenizer_from: Path) -> float:
    """Mean loss over all assistant tokens, by hand."""
    tokenizer = load_tokenizer(tokenizer_from)
    ensure_template(tokenizer, "alpaca_short")
    loaded = load_model(model)
    total, count = 0.0, 0
    for row in encode_rows(tokenizer, ROWS, 96)[0]:
        with torch.inference_mode():
            logits = loaded(torch.tensor([row["input_ids"]])).logits[0, :-1]
        labels = torch.tensor(row["labels"])[1:]
        kept = labels != -100
        logs = torch.log_softmax(logits[kept].double(), dim=-1)
        total -= float(logs.gather(1, labels[kept][:, None]).sum())
        count += int(kept.sum())
    return total / count


def weights(folder: Path) -> str:
    return file_hash(folder / "model.safetensors")
