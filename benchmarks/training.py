"""Time fine-tuning of a model beside bare TRL, in full and by LoRA, on a card or a CPU.

python -m benchmarks.training --model FOLDER                        Alpaca rows of SHARED_DATA
python -m benchmarks.training --model FOLDER --steps 50 --card h100

Both train on the same rows in the same order, in turn, in one process. Tokens are those that are
read, without padding; the share of the peak counts 6 N FLOPs a token (about 4 N with LoRA,
docs/plan.md). On CUDA it then compares log-likelihoods in bfloat16 with those in float32.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.common import flops
from harness.common.disk_errors import ending_in_one_line
from harness.common.memory import peak_memory_mb
from harness.models.likelihood import losses, texts_of
from harness.models.loading import load_model, load_tokenizer, pick_device, training_progress
from harness.models.size import parameter_counts
from harness.models.template import Messages
from harness.params.source import Source
from harness.params.training import LoraParams, TrainParams
from harness.plan.stated import find_card
from harness.pools.instances import read_instances
from harness.pools.sources import load
from harness.training.sft import encode_rows
from harness.training.trainer import make_trainer, training_config

HOWS = {"full": None, "LoRA, rank 16": LoraParams()}


class Timed(NamedTuple):
    """A training: seconds, the most memory so far in MiB, how many weights it changed, its loss."""

    seconds: float
    memory: float
    learnt: int
    loss: float


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    import torch

    args = _arguments(argv)
    device = pick_device("auto")
    if device == "cpu":
        torch.set_num_threads(args.threads)
    if device == "cuda" and args.card == "cpu":
        raise SystemExit("--card: name the card, as h100 (harness/plan/stated.yaml)")
    peak = find_card(args.card).peak
    pool = Source(path="shared:pools/alpaca_union.jsonl.gz")
    kept = read_instances(load(pool), {}, "drop").kept
    messages = [one.messages for one in kept[: args.steps * args.batch_size]]
    rows = encode_rows(load_tokenizer(args.model), messages, args.max_length)[0]
    tokens = sum(len(row["input_ids"]) for row in rows)
    print(
        f"{device}, {len(rows)} rows of {tokens / len(rows):.0f} tokens, {args.batch_size} a step"
    )
    heads = ("tokens/s", "bare TRL", "ratio", "of peak", "MiB", "loss", "bare")
    print(f"{'training':<16}" + "".join(f"{head:>10}" for head in heads))
    for name, lora in HOWS.items():
        params = TrainParams(
            epochs=1,
            learning_rate=1e-5,
            batch_size=args.batch_size,
            lora=lora,
            warmup=0.0,
            max_length=args.max_length,
            group_by_length=False,
        )
        pairs = [
            (_ours(args.model, rows, params, device), _bare(args.model, rows, params, device))
            for _ in range(args.repeats)
        ]
        ours = statistics.median(pair[0].seconds for pair in pairs)
        bare = statistics.median(pair[1].seconds for pair in pairs)
        learnt = pairs[0][0].learnt
        n = parameter_counts(args.model)["multiplied_parameters"] + (learnt if lora else 0)
        share = flops.training(tokens, n, learnt if lora else None) / ours / peak
        memory = max(pair[0].memory for pair in pairs)
        print(
            f"{name:<16}{tokens / ours:>10.0f}{tokens / bare:>10.0f}{bare / ours:>10.2f}"
            f"{share:>10.1%}{memory:>10.0f}{pairs[0][0].loss:>10.4f}{pairs[0][1].loss:>10.4f}"
        )
    if device == "cuda":
        _compare_precisions(args.model, messages)
    return 0


def _ours(model: Path, rows: list[Any], params: TrainParams, device: str) -> Timed:
    """As the stage `train` does it."""
    with tempfile.TemporaryDirectory() as scratch:
        config = training_config(params, 0, device, -(-len(rows) // params.batch_size), scratch)
        progress = training_progress([], "training")
        loaded, tokenizer = load_model(model), load_tokenizer(model)
        return _timed(make_trainer(loaded, tokenizer, rows, params, config, progress), device)


def _bare(model: Path, rows: list[Any], params: TrainParams, device: str) -> Timed:
    """As TRL does it by itself, in the same precision."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers.trainer_callback import PrinterCallback
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    with tempfile.TemporaryDirectory() as scratch:
        config = SFTConfig(
            output_dir=scratch,
            num_train_epochs=1,
            learning_rate=params.learning_rate,
            per_device_train_batch_size=params.batch_size,
            max_length=None,
            seed=0,
            use_cpu=device == "cpu",
            bf16=device == "cuda",
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            logging_strategy="no",
            activation_checkpointing=False,
            dataset_kwargs={"skip_prepare_dataset": True},
        )
        lora = params.lora and LoraConfig(
            r=params.lora.rank, lora_alpha=int(params.lora.alpha), target_modules="all-linear"
        )
        trainer = SFTTrainer(
            model=load_model(model),
            args=config,
            train_dataset=Dataset.from_list(rows),
            processing_class=load_tokenizer(model),
            peft_config=lora,
        )
        trainer.remove_callback(PrinterCallback)  # which would print into the table
        return _timed(trainer, device)


def _timed(trainer: Any, device: str) -> Timed:  # noqa: ANN401
    import torch

    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        torch.cuda.synchronize()
    learnt = sum(w.numel() for w in trainer.model.parameters() if w.requires_grad)
    start = time.perf_counter()
    loss = trainer.train().training_loss
    if device == "cuda":
        torch.cuda.synchronize()
    return Timed(time.perf_counter() - start, peak_memory_mb(device), learnt, loss)


def _compare_precisions(model: Path, messages: Sequence[Messages]) -> None:
    """Log-likelihoods of responses in bfloat16 beside those in float32."""
    import torch

    tokenizer, some = load_tokenizer(model), messages[:200]
    texts = texts_of(tokenizer, some, [f"row {i}" for i in range(len(some))])
    nats = [
        losses(load_model(model, dtype=dtype).to("cuda"), texts, 16)  # pyright: ignore
        for dtype in (torch.bfloat16, torch.float32)
    ]
    counts = [sum(text.scored) for text in texts]
    apart = abs(nats[0] - nats[1]) / counts
    print(
        f"bfloat16 against float32, nats a token: mean {apart.mean():.4f}, most {apart.max():.4f}"
    )


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time fine-tuning beside bare TRL.")
    parser.add_argument("--model", type=Path, required=True, help="a model's folder")
    parser.add_argument("--card", default="cpu", help="a card of harness/plan/stated.yaml")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3, help="each, in turn; medians are shown")
    parser.add_argument("--threads", type=int, default=2, help="on a CPU")
    return parser.parse_args(argv)


if __name__ == "__main__":
    with ending_in_one_line():
        raise SystemExit(main())
