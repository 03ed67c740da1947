"""Supervised fine-tuning of a causal language model with TRL's SFTTrainer."""

import logging
import tempfile
import time
from collections.abc import Sequence
from math import ceil, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.common.errors import InputError
from harness.common.files import replacing_folder
from harness.common.memory import peak_memory_mb
from harness.models.loading import (
    load_model,
    load_tokenizer,
    pick_device,
    training_progress,
    without_bars,
)
from harness.models.template import Messages, check_template, stop_tokens, tokenise_all
from harness.params.training import TrainParams

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

log = logging.getLogger(__name__)

_POINTS = 100  # of the loss curve, at most
_SCHEDULES = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}
_IGNORED = -100  # the label that torch's cross entropy ignores


def train(
    base: Path,
    messages: Sequence[Messages],
    out: Path,
    params: TrainParams,
    seed: int,
    names: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Fine-tune `base` on conversations, write model and tokenizer to `out`, return a report.

    The loss falls on every assistant turn and its end token only. The same arguments give the same
    bytes on a CPU. The report has steps, tokens (read, over all epochs), seconds, peak_memory_mb
    (of the process; on CUDA of the card), loss_curve [{step, epoch, loss}], truncated (rows cut to
    `max_length` or the model's context) and dropped (rows whose response was cut off). The model's
    generation config stops where its template ends a turn. Raises InputError for a model that
    cannot be loaded or has no chat template, for rows that leave nothing to learn, and, by its
    name of `names`, for a row that the template refuses.
    """
    import torch

    start = time.monotonic()
    device = pick_device(params.device)
    if device == "cpu" and params.threads:
        torch.set_num_threads(params.threads)
    tokenizer = load_tokenizer(base)
    check_template(tokenizer)
    model = load_model(base)
    _stop_where_turns_end(model, tokenizer)
    context = getattr(model.config, "max_position_embeddings", None) or params.max_length
    longest = min(params.max_length, context)
    rows, truncated, dropped = encode_rows(tokenizer, messages, longest, names)
    if truncated or dropped:
        log.warning(
            "warning: train seed %d: of %d rows %d cut to %d tokens (train.max_length, or the "
            "model's context), %d dropped, as no response was left",
            *(seed, len(messages), truncated, longest, dropped),
        )
    curve: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as scratch:
        config = _config(params, seed, device, len(rows), scratch)
        callback = training_progress(curve, f"train seed {seed}")
        trainer = _trainer(model, tokenizer, rows, config, callback)
        trainer.train()
        _check_finite(curve, model)
        with without_bars(), replacing_folder(out) as folder:
            trainer.save_model(str(folder))
            # A pickle of the arguments, with paths of the machine: differs from run to run.
            (folder / "training_args.bin").unlink(missing_ok=True)
    return {
        "steps": trainer.state.global_step,
        "tokens": params.epochs * sum(len(row["input_ids"]) for row in rows),
        "seconds": round(time.monotonic() - start, 2),
        "peak_memory_mb": peak_memory_mb(device),
        "loss_curve": curve,
        "truncated": truncated,
        "dropped": dropped,
    }


def _stop_where_turns_end(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> None:
    """Set the end tokens in the generation config, where servers of the model read them."""
    stops, config = stop_tokens(model, tokenizer), model.generation_config
    assert config is not None
    if stops != [config.eos_token_id]:
        config.eos_token_id = stops


def _check_finite(curve: list[dict[str, float]], model: "PreTrainedModel") -> None:
    import torch

    lost = next((point for point in curve if not isfinite(point["loss"])), None)
    if lost is not None or not all(torch.isfinite(w).all() for w in model.parameters()):
        at = f"at step {lost['step']:.0f}" if lost else "at the end"
        problem = f"train: loss or weights are not finite {at}"
        raise InputError(f"{problem}; lower train.learning_rate")


def encode_rows(
    tokenizer: "PreTrainedTokenizerBase",
    messages: Sequence[Messages],
    max_length: int,
    names: Sequence[str] | None = None,
) -> tuple[list[dict[str, list[int]]], int, int]:
    """Rows of input_ids and labels; how many were cut to `max_length`, and how many dropped."""
    rows: list[dict[str, list[int]]] = []
    truncated = dropped = 0
    for ids, learnt in tokenise_all(tokenizer, messages, names):
        truncated += len(ids) > max_length
        labels = [token if keep else _IGNORED for token, keep in zip(ids, learnt, strict=True)]
        # Nothing predicts the first token.
        if all(label == _IGNORED for label in labels[1:max_length]):
            dropped += 1
            continue
        rows.append({"input_ids": ids[:max_length], "labels": labels[:max_length]})
    if not rows:
        rule = f"none of {len(messages)} rows leaves a response within {max_length} tokens"
        raise InputError(f"train: {rule}; raise train.max_length or the model's context")
    return rows, truncated, dropped


def _config(params: TrainParams, seed: int, device: str, rows: int, scratch: str) -> "SFTConfig":
    from trl.trainer.sft_config import SFTConfig

    batches = -(-rows // params.batch_size)
    steps = params.epochs * -(-batches // params.gradient_accumulation)
    return SFTConfig(
        output_dir=scratch,
        num_train_epochs=params.epochs,
        learning_rate=params.learning_rate,
        per_device_train_batch_size=params.batch_size,
        gradient_accumulation_steps=params.gradient_accumulation,
        lr_scheduler_type=_SCHEDULES[params.schedule],
        # The first warm-up step has rate zero: a run of one step would train nothing.
        warmup_steps=min(ceil(params.warmup * steps), steps - 1),
        weight_decay=params.weight_decay,
        train_sampling_strategy="group_by_length" if params.group_by_length else "random",
        max_length=None,  # rows were cut and counted before
        dataset_kwargs={"skip_prepare_dataset": True},
        seed=seed,
        data_seed=seed,
        use_cpu=device == "cpu",
        bf16=device == "cuda",
        logging_steps=max(1, steps // _POINTS),
        logging_nan_inf_filter=False,  # a loss of NaN must show
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        activation_checkpointing=False,
    )


def _trainer(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    rows: list[dict[str, list[int]]],
    config: "SFTConfig",
    callback: "TrainerCallback",
) -> "SFTTrainer":
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl.trainer.sft_trainer import SFTTrainer

    plain = config.use_cpu and model.config.model_type == "llama"
    trainer = (_response_loss_trainer() if plain else SFTTrainer)(
        model=model,
        args=config,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=[callback],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _response_loss_trainer() -> "type[SFTTrainer]":
    """SFTTrainer with the same loss, computed at the learnt positions only.

    Without Triton, TRL 1.16 projects every position onto the vocabulary, prompts and padding
    included, twice: nearly half of a 1M model's time. Only for models whose logits are the head
    applied to the last hidden state.
    """
    from torch.nn.functional import cross_entropy
    from trl.trainer.sft_trainer import SFTTrainer

    class ResponseLossTrainer(SFTTrainer):
        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):  # noqa: ANN001, ANN202
            if return_outputs:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            labels = inputs["labels"][:, 1:]
            learnt = labels != _IGNORED
            hidden = model.base_model(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                use_cache=False,
            ).last_hidden_state
            logits = model.get_output_embeddings()(hidden[:, :-1][learnt])
            total = cross_entropy(logits, labels[learnt], reduction="sum")
            return total / (learnt.sum() if num_items_in_batch is None else num_items_in_batch)

    return ResponseLossTrainer
