"""TRL's trainer as params ask for it, and its loss where we compute it faster."""

import logging
from math import ceil
from typing import TYPE_CHECKING

from harness.common.errors import InputError
from harness.launching.ranks import in_launch, world
from harness.models.adapters import lora_config, without_peft_warning
from harness.models.loading import on_one_device
from harness.params.training import TrainParams
from harness.training.sharing import share_of, sharing

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

log = logging.getLogger(__name__)

_POINTS = 100  # of the loss curve, at most
_SCHEDULES = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}
IGNORED = -100  # the label that torch's cross entropy ignores


def whole_steps(params: TrainParams, sequences: int) -> int:
    """The optimiser steps of a run over so many rows or packs, on one device."""
    batches = -(-sequences // params.batch_size)
    return params.epochs * -(-batches // params.gradient_accumulation)


def uses_bf16(params: TrainParams, device: str) -> bool:
    """Whether products are computed in bfloat16 (weights and sums stay in float32).

    InputError for a card that cannot.
    """
    from transformers.utils import is_torch_bf16_gpu_available

    asked = params.precision == "bf16" or (params.precision == "auto" and device == "cuda")
    if asked and device == "cuda" and not is_torch_bf16_gpu_available():
        rule = f"{params.precision} is bfloat16 on CUDA, which this card cannot compute"
        raise InputError(f"train.precision: {rule}; say float32")
    return asked


def training_config(
    params: TrainParams, seed: int, device: str, whole: int, scratch: str
) -> "SFTConfig":
    """The arguments of a run of ``whole`` steps, or of ``max_steps`` where that is less."""
    from trl.trainer.sft_config import SFTConfig

    share = share_of(params, world())
    steps = min(params.max_steps or whole, whole)
    warmup = params.warmup
    if isinstance(warmup, float):
        # The first warm-up step has rate zero: a run of one step would train nothing.
        warmup = min(ceil(warmup * steps), steps - 1)
    elif warmup >= steps:
        log.warning(
            "warning: train.warmup: %d steps of %d there are: the learning rate ends at %.2g",
            *(warmup, steps, params.learning_rate * (steps - 1) / warmup),
        )
    grouped = params.group_by_length and not params.packing  # packs are full: nothing to group
    counted = "all" if params.packing else "non_padding"
    config = SFTConfig(
        output_dir=scratch,
        num_train_epochs=params.epochs,
        max_steps=steps if steps < whole else -1,
        include_num_input_tokens_seen=counted if steps < whole else "no",
        learning_rate=params.learning_rate,
        per_device_train_batch_size=share.rows,
        gradient_accumulation_steps=share.accumulated,
        lr_scheduler_type=_SCHEDULES[params.schedule],
        warmup_steps=warmup,
        weight_decay=params.weight_decay,
        train_sampling_strategy="group_by_length" if grouped else "random",
        max_length=None,  # rows were cut and counted before
        padding_free=params.packing,
        dataset_kwargs={"skip_prepare_dataset": True},
        seed=seed,
        data_seed=seed,
        use_cpu=device == "cpu",
        bf16=uses_bf16(params, device),
        logging_steps=-(-steps // _POINTS),
        logging_nan_inf_filter=False,  # a loss of NaN must show
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        activation_checkpointing=params.gradient_checkpointing,
    )
    return on_one_device(config)


def make_trainer(
    model: "PreTrainedModel | PeftModel",
    tokenizer: "PreTrainedTokenizerBase",
    rows: list[dict[str, list[int]]],
    params: TrainParams,
    config: "SFTConfig",
    callback: "TrainerCallback",
) -> "SFTTrainer":
    """A trainer of the model or, with ``lora``, of an adapter to it.

    The trainer draws a new adapter's initial weights, after it has set the seed; one that a
    PeftModel brings goes on.
    """
    from datasets import Dataset
    from peft import PeftModel
    from transformers import PrinterCallback
    from trl.trainer.sft_trainer import SFTTrainer

    adapter = None
    if params.lora is not None and not isinstance(model, PeftModel):
        adapter = lora_config(model, **params.lora.model_dump())
    plain = config.use_cpu and not config.bf16 and model.config.model_type == "llama"
    kind = response_loss_trainer() if plain and not in_launch() else SFTTrainer
    if in_launch():
        kind, rows = sharing(kind), [*rows, blank_row(rows[0])]
    with without_peft_warning():
        trainer = kind(
            model=model,
            args=config,
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
            callbacks=[callback],
            peft_config=adapter,
        )
    trainer.remove_callback(PrinterCallback)
    return trainer


def blank_row(row: dict[str, list[int]]) -> dict[str, list[int]]:
    """A row that is read and teaches nothing."""
    blank = {"input_ids": row["input_ids"][:2], "labels": [IGNORED, IGNORED]}
    return blank | ({"seq_lengths": [2]} if "seq_lengths" in row else {})


def response_loss_trainer() -> "type[SFTTrainer]":
    """SFTTrainer with the same loss, computed at the learnt positions only.

    Without Triton, TRL 1.16 projects every position onto the vocabulary, prompts and padding
    included, twice: nearly half of a 1M model's time. Only for models whose logits are the head
    applied to the last hidden state, and in float32: mixed precision, and what several processes do
    to a model, are matters of its ``forward``, which this goes around.
    """
    from accelerate.utils import is_peft_model
    from torch.nn.functional import cross_entropy
    from trl.trainer.sft_trainer import SFTTrainer

    class ResponseLossTrainer(SFTTrainer):
        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):  # noqa: ANN001, ANN202
            if return_outputs:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            labels = inputs["labels"][:, 1:]
            learnt = labels != IGNORED
            read = {name: value for name, value in inputs.items() if name != "labels"}
            # An adapter's layers are within the model's own.
            whole = model.get_base_model() if is_peft_model(model) else model
            hidden = whole.base_model(**read, use_cache=False).last_hidden_state
            logits = whole.get_output_embeddings()(hidden[:, :-1][learnt])
            total = cross_entropy(logits, labels[learnt], reduction="sum")
            return total / (learnt.sum() if num_items_in_batch is None else num_items_in_batch)

    return ResponseLossTrainer
