"""Supervised fine-tuning of a causal language model with TRL's SFTTrainer."""

import logging
import tempfile
import time
from collections.abc import Iterable, Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.common import flops
from harness.common.errors import InputError
from harness.common.files import replacing_folder
from harness.common.memory import peak_memory_mb
from harness.launching.launch import Launch, launched
from harness.launching.ranks import in_launch, rank
from harness.models.adapters import load_trained, merged, save_adapter, with_adapter
from harness.models.loading import (
    load_model,
    load_tokenizer,
    pick_device,
    training_progress,
    without_bars,
)
from harness.models.size import parameter_counts
from harness.models.template import Messages, check_template, stop_tokens, tokenise_all
from harness.params.training import TrainParams
from harness.training.kernels import use_liger
from harness.training.packing import check_packing, packed, use_varlen_attention
from harness.training.trainer import IGNORED, make_trainer, training_config, whole_steps

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl.trainer.sft_trainer import SFTTrainer

log = logging.getLogger(__name__)


def train(
    base: Path,
    messages: Sequence[Messages],
    out: Path,
    params: TrainParams,
    seed: int,
    names: Sequence[str] | None = None,
    adapter: Path | None = None,
) -> dict[str, Any]:
    """Fine-tune `base` on conversations, write model and tokenizer to `out`, return a report.

    The loss falls on every assistant turn and its end token only. The same arguments give the same
    bytes on a CPU. With `lora` an adapter to `base` is trained (that of the trained model `adapter`
    goes on, if given), and is written instead of merged weights unless `keep_models` is full. The
    model's generation config stops where its template ends a turn.

    The report has steps and whole_steps (more than steps in a trial), tokens (over all epochs),
    flops, parameters (of `base`), trainable_parameters, precision, seconds, peak_memory_mb (of the
    process; on CUDA of the card), loss_curve [{step, epoch, loss}], truncated (rows cut to
    `max_length` or the context) and dropped (rows without a response left). InputError for a model
    that cannot be loaded or has no chat template, rows that leave nothing to learn, params that
    model or machine cannot follow, and, by its name of `names`, a row that the template refuses.
    """
    arguments = locals()
    if params.launcher is None:
        return _train(**arguments)
    how = Launch("train", params.launcher, params.processes, pick_device(params.device))
    done = launched(_train, arguments, how)
    if params.lora is not None and params.keep_models == "full":
        _merge(out, base)
    return done


def _train(
    base: Path,
    messages: Sequence[Messages],
    out: Path,
    params: TrainParams,
    seed: int,
    names: Sequence[str] | None,
    adapter: Path | None,
) -> dict[str, Any]:
    """The same, in this process or in each of several; of these the first writes the model."""
    start = time.monotonic()
    device = _device(params)
    tokenizer = load_tokenizer(base)
    check_template(tokenizer)
    model = load_model(base)
    _stop_where_turns_end(model, tokenizer)
    rows, longest, lost = _rows(model, tokenizer, messages, names, params, seed)
    sequences = _packed(model, rows, longest) if params.packing else rows
    if params.liger:
        use_liger(model, device)
    curve: list[dict[str, float]] = []
    whole, size = whole_steps(params, len(sequences)), model.num_parameters()
    with tempfile.TemporaryDirectory() as scratch:
        config = training_config(params, seed, device, whole, scratch)
        if params.packing and config.bf16 and device == "cuda":
            use_varlen_attention(model)
        adapted = with_adapter(model, adapter, trainable=True) if adapter else model
        callback = training_progress(curve, f"train seed {seed}")
        trainer = make_trainer(adapted, tokenizer, sequences, params, config, callback)
        learnt = sum(w.numel() for w in model.parameters() if w.requires_grad)
        trainer.train()
        _save(trainer, tokenizer, out, curve, merge=params.keep_models == "full")
    done = _done(trainer, whole, params.epochs * sum(len(row["input_ids"]) for row in rows))
    return {
        **done,
        "flops": _flops(base, done["tokens"], learnt if params.lora else None),
        "parameters": size,
        "trainable_parameters": learnt,
        "precision": "bfloat16" if config.bf16 else "float32",
        "seconds": round(time.monotonic() - start, 2),
        "peak_memory_mb": peak_memory_mb(device),
        "loss_curve": curve,
        **lost,
    }


def _packed(
    model: "PreTrainedModel", rows: list[dict[str, list[int]]], longest: int
) -> list[dict[str, list[int]]]:
    check_packing(model, rows)
    return packed(rows, longest)


def _flops(base: Path, tokens: int, adapter: int | None) -> float:
    """FLOPs of learning from tokens: of all weights, or of an adapter's so many alone."""
    multiplied = parameter_counts(base)["multiplied_parameters"] + (adapter or 0)
    return flops.training(tokens, multiplied, adapter)


def _done(trainer: "SFTTrainer", whole: int, tokens: int) -> dict[str, int]:
    """The steps done, those of a whole run, and the tokens read: in a whole run `tokens`."""
    done, read = trainer.state.global_step, trainer.state.num_input_tokens_seen
    return {"steps": done, "whole_steps": whole, "tokens": tokens if done == whole else int(read)}


def _device(params: TrainParams) -> str:
    """`cuda` or `cpu`, with as many threads as asked for."""
    import torch

    device = pick_device(params.device)
    if device == "cpu" and params.threads:
        torch.set_num_threads(params.threads)
    return device


def _rows(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    messages: Sequence[Messages],
    names: Sequence[str] | None,
    params: TrainParams,
    seed: int,
) -> tuple[list[dict[str, list[int]]], int, dict[str, int]]:
    """The rows, the most tokens that one may have, and how many were truncated and dropped."""
    context = getattr(model.config, "max_position_embeddings", None) or params.max_length
    longest = min(params.max_length, context)
    rows, truncated, dropped = encode_rows(tokenizer, messages, longest, names)
    if truncated or dropped:
        log.warning(
            "warning: train seed %d: of %d rows %d cut to %d tokens (train.max_length, or the "
            "model's context), %d dropped, as no response was left",
            *(seed, len(messages), truncated, longest, dropped),
        )
    return rows, longest, {"truncated": truncated, "dropped": dropped}


def _save(
    trainer: "SFTTrainer",
    tokenizer: "PreTrainedTokenizerBase",
    out: Path,
    curve: list[dict[str, float]],
    *,
    merge: bool,
) -> None:
    """Write the trained model: its weights, or an adapter that is not to be merged.

    Several processes gather what they hold of it; an adapter of theirs is merged afterwards.
    InputError for a loss or weights that are not finite.
    """
    from peft import PeftModel

    model: Any = trainer.model
    gathered: Any = None
    if in_launch():
        gathered = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if rank():
        return
    _check_finite(curve, model.parameters() if gathered is None else gathered.values())
    with without_bars(), replacing_folder(out) as folder:
        if gathered is not None and not isinstance(model, PeftModel):
            model.save_pretrained(folder, state_dict=gathered)
            tokenizer.save_pretrained(folder)
            return
        merge = merge and gathered is None
        if isinstance(model, PeftModel) and not merge:
            save_adapter(model, folder, gathered)
            tokenizer.save_pretrained(folder)
            return
        if isinstance(model, PeftModel):
            trainer.model = merged(model)
        trainer.save_model(str(folder))
        # A pickle of the arguments, with paths of the machine: differs from run to run.
        (folder / "training_args.bin").unlink(missing_ok=True)


def _merge(folder: Path, base: Path) -> None:
    """Put the merged model in place of the adapter that several processes have trained."""
    tokenizer, model = load_tokenizer(folder), load_trained(folder, base)
    with without_bars(), replacing_folder(folder) as new:
        model.save_pretrained(new)
        tokenizer.save_pretrained(new)


def _stop_where_turns_end(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> None:
    """Set the end tokens in the generation config, where servers of the model read them."""
    stops, config = stop_tokens(model, tokenizer), model.generation_config
    assert config is not None
    if stops != [config.eos_token_id]:
        config.eos_token_id = stops


def _check_finite(curve: list[dict[str, float]], weights: "Iterable[torch.Tensor]") -> None:
    import torch

    lost = next((point for point in curve if not isfinite(point["loss"])), None)
    if lost is not None or not all(torch.isfinite(w).all() for w in weights):
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
        labels = [token if keep else IGNORED for token, keep in zip(ids, learnt, strict=True)]
        # Nothing predicts the first token.
        if all(label == IGNORED for label in labels[1:max_length]):
            dropped += 1
            continue
        rows.append({"input_ids": ids[:max_length], "labels": labels[:max_length]})
    if not rows:
        rule = f"none of {len(messages)} rows leaves a response within {max_length} tokens"
        raise InputError(f"train: {rule}; raise train.max_length or the model's context")
    return rows, truncated, dropped
