"""Training a reward model from the base model, with TRL's RewardTrainer."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.common.errors import InputError
from harness.common.memory import peak_memory_mb
from harness.models.loading import (
    load_tokenizer,
    on_one_device,
    pick_device,
    training_progress,
    without_bars,
)
from harness.models.template import check_template
from harness.params.reward_model import RewardParams
from harness.reward_model.classifier import ids_of_rows, load_classifier, logits

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl.trainer.reward_config import RewardConfig

HELD_OUT = 0.1  # of the pairs, to measure accuracy on
_POINTS = 100  # of the loss curve, at most

Pair = tuple[
    list[int], list[int]
]  # token ids of the question with the chosen and the rejected response


def train_reward(
    base: Path,
    pairs: "pd.DataFrame",
    out: Path,
    params: RewardParams,
    unseen: "pd.DataFrame | None" = None,
) -> dict[str, Any]:
    """Train a classifier of one output on pairs and save it with its tokenizer in `out`.

    The model starts from the base model with a new head; the loss is
    -log sigmoid(reward(chosen) - reward(rejected)) (Bradley-Terry; Ouyang et al. 2022, eq. 1). A
    tenth of the pairs, drawn by seed, is held out. The same arguments give the same bytes on a
    CPU. Returns pairs (trained on, held_out, too_long), accuracy on the held-out pairs (all, and by
    kind of fault), accuracy_unseen (of `unseen`), steps, tokens (of both responses of the pairs
    trained on, over all epochs), seconds, peak_memory_mb and loss_curve.
    """
    import torch

    start = time.monotonic()
    device = pick_device(params.device)
    if device == "cpu" and params.threads:
        torch.set_num_threads(params.threads)
    tokenizer = load_tokenizer(base)
    check_template(tokenizer)
    table, rows = _encoded(tokenizer, base, pairs, params)
    trained, held = _split(len(rows), params.seed)
    trained = trained[: params.pairs]
    curve: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as scratch, torch.random.fork_rng():
        torch.manual_seed(params.seed)
        config = _config(params, device, len(trained), scratch)
        model = _fresh(base, tokenizer)
        steps = _fit(model, tokenizer, [rows[i] for i in trained], config, curve)
        with without_bars():
            model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    model = load_classifier(out).to(device)  # pyright: ignore
    faults = table["fault"].to_numpy()
    report: dict[str, Any] = {
        "pairs": {
            "trained": len(trained),
            "held_out": len(held),
            "too_long": len(pairs) - len(rows),
        },
        "accuracy": _accuracy(model, [rows[i] for i in held], faults[held], params),
    }
    if unseen is not None and len(unseen):
        other, more = _encoded(tokenizer, base, unseen, params)
        report["accuracy_unseen"] = _accuracy(model, more, other["fault"].to_numpy(), params)
    return report | {
        "steps": steps,
        "tokens": params.epochs * sum(len(ids) for i in trained for ids in rows[i]),
        "seconds": round(time.monotonic() - start, 2),
        "peak_memory_mb": peak_memory_mb(device),
        "loss_curve": [{"step": p["step"], "loss": round(p["loss"], 4)} for p in curve],
    }


def _encoded(
    tokenizer: "PreTrainedTokenizerBase", base: Path, pairs: "pd.DataFrame", params: RewardParams
) -> tuple["pd.DataFrame", list[Pair]]:
    """The pairs that fit, and their token ids, rendered as the scorer renders a conversation."""
    from transformers import AutoConfig

    context = getattr(AutoConfig.from_pretrained(base), "max_position_embeddings", None)
    most = min(params.max_length, context or params.max_length)
    kept, rows = [], []
    columns = (pairs["id"], pairs["prompt"], pairs["chosen"], pairs["rejected"])
    for i, (name, prompt, *responses) in enumerate(zip(*columns, strict=True)):
        asked = {"role": "user", "content": prompt}
        both = [[asked, {"role": "assistant", "content": text}] for text in responses]
        ids = ids_of_rows(tokenizer, both, "", [f"preference pair {name!r}"] * 2)
        if max(map(len, ids)) <= most:
            kept.append(i)
            rows.append((ids[0], ids[1]))
    if len(rows) < 2:
        raise InputError(
            f"reward_model: {len(rows)} of {len(pairs)} pairs fit {most} tokens, 2 are needed; "
            "raise reward_model.max_length, or give another reward_model.source"
        )
    return pairs.iloc[kept], rows


def _split(count: int, seed: int) -> tuple[list[int], list[int]]:
    """Positions to train on and to hold out, drawn by seed, each in order."""
    order = np.random.default_rng(seed).permutation(count)
    size = max(1, round(HELD_OUT * count))
    return np.sort(order[size:]).tolist(), np.sort(order[:size]).tolist()


def _fresh(base: Path, tokenizer: "PreTrainedTokenizerBase") -> "PreTrainedModel":
    """The base model with a new head of one output."""
    import torch
    from transformers import AutoModelForSequenceClassification
    from trl.trainer.reward_trainer import suppress_seqcls_warning

    with without_bars(), suppress_seqcls_warning():
        model = AutoModelForSequenceClassification.from_pretrained(
            base, num_labels=1, dtype=torch.float32, use_safetensors=True, trust_remote_code=False
        )
    # The logit is read at the last token that is not padding.
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    return model


def _config(params: RewardParams, device: str, rows: int, scratch: str) -> "RewardConfig":
    from trl.trainer.reward_config import RewardConfig

    steps = params.epochs * -(-rows // params.batch_size)
    config = RewardConfig(
        output_dir=scratch,
        num_train_epochs=params.epochs,
        learning_rate=params.learning_rate,
        per_device_train_batch_size=params.batch_size,
        lr_scheduler_type="linear",
        warmup_steps=0.05,  # under 1: a share of the steps
        weight_decay=0.0,
        train_sampling_strategy="group_by_length",
        remove_unused_columns=False,  # keeps `length`, which the sampler reads
        max_length=None,  # pairs too long are left out and counted before
        seed=params.seed,
        data_seed=params.seed,
        use_cpu=device == "cpu",
        bf16=device == "cuda",
        activation_checkpointing=False,
        logging_steps=-(-steps // _POINTS),
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    return on_one_device(config)


def _fit(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    rows: Sequence[Pair],
    config: "RewardConfig",
    curve: list[dict[str, float]],
) -> int:
    """Train in place, add to the curve, and return how many steps it took."""
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl.trainer.reward_trainer import RewardTrainer

    columns = {
        "chosen_ids": [chosen for chosen, _ in rows],
        "rejected_ids": [rejected for _, rejected in rows],
        "length": [max(map(len, row)) for row in rows],
    }
    trainer = RewardTrainer(
        model=model,
        args=config,
        train_dataset=Dataset.from_dict(columns),
        processing_class=tokenizer,
        callbacks=[training_progress(curve, "reward model")],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return trainer.state.global_step


def _accuracy(
    model: "PreTrainedModel", rows: Sequence[Pair], faults: np.ndarray, params: RewardParams
) -> dict[str, float]:
    """The share of pairs whose chosen response gets the higher logit: all, and by fault."""
    flat = [ids for row in rows for ids in row]
    rewards = logits(model, flat, 2 * params.batch_size).reshape(-1, 2)
    right = rewards[:, 0] > rewards[:, 1]
    accuracy = {"all": round(float(right.mean()), 4)}
    for kind in sorted(set(faults)):
        accuracy[str(kind)] = round(float(right[faults == kind].mean()), 4)
    return accuracy
