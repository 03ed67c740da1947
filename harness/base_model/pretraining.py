"""A base model from scratch: a byte-level BPE tokenizer and a tiny model, in minutes on a CPU."""

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.common.errors import InputError
from harness.common.progress import progress
from harness.models.template import encode, mark
from harness.params.base_model import PretrainParams

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

END, PAD = "<|end|>", "<|pad|>"
SPECIAL = [END, PAD]  # the trainer assigns them the first ids
LOSS_POINTS = 100


def pretrain(texts: list[str], out: Path, params: PretrainParams, seed: int) -> dict[str, Any]:
    """Train tokenizer and model on the texts and save both in `out` (safetensors).

    Float32 on the CPU, where bfloat16 is slower; the same texts, parameters and seed give the same
    weights on the same machine. Returns tokens, steps, seconds, loss_curve [{step, loss}] and
    bytes_per_token. Raises InputError if the texts do not fill one sequence.
    """
    import torch

    started = time.perf_counter()
    threads = torch.get_num_threads()
    torch.set_num_threads(params.threads)
    try:
        tokenizer = make_tokenizer(texts, params)
        stream = token_stream(texts, tokenizer)
        if len(stream) < params.block:
            raise InputError(
                f"pretraining: the texts are {len(stream)} tokens, one sequence is {params.block}; "
                "give more text or lower base_model.block"
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = make_model(tokenizer, params)
            curve = fit(model, stream, params, np.random.default_rng(seed))
    finally:
        torch.set_num_threads(threads)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    steps = step_count(params)
    return {
        "tokens": steps * sequences_a_step(params) * params.block,
        "steps": steps,
        "seconds": round(time.perf_counter() - started, 1),
        "bytes_per_token": round(sum(len(t.encode()) for t in texts) / len(stream), 3),
        "loss_curve": curve,
    }


def make_tokenizer(texts: list[str], params: PretrainParams) -> "PreTrainedTokenizerFast":
    """A byte-level BPE learnt from the texts, which encodes any string without loss."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=params.vocab_size,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer, length=len(texts))
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token=END,
        pad_token=PAD,
        model_max_length=params.context,
        clean_up_tokenization_spaces=False,
    )


def token_stream(texts: list[str], tokenizer: "PreTrainedTokenizerFast") -> np.ndarray:
    """All texts in a row, the end token after each; int64."""
    ids = encode(tokenizer, [mark(tokenizer, text) for text in texts])
    end = [tokenizer.eos_token_id]
    return np.concatenate([np.array(text + end, dtype=np.int64) for text in ids])


def make_model(tokenizer: "PreTrainedTokenizerFast", params: PretrainParams) -> "PreTrainedModel":
    """A Llama or GPT-2 of random weights and tied embeddings, which halve the vocabulary's cost."""
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    end, pad = SPECIAL.index(END), SPECIAL.index(PAD)
    if params.architecture == "gpt2":
        config = GPT2Config(
            vocab_size=len(tokenizer),
            n_embd=params.hidden,
            n_inner=4 * params.hidden,
            n_layer=params.layers,
            n_head=params.heads,
            n_positions=params.context,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=None,
            eos_token_id=end,
            pad_token_id=pad,
        )
        return GPT2LMHeadModel(config)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=params.hidden,
        intermediate_size=8 * round(params.hidden / 3),
        num_hidden_layers=params.layers,
        num_attention_heads=params.heads,
        num_key_value_heads=params.heads,
        max_position_embeddings=params.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=pad,
        use_cache=True,
        attention_dropout=0.0,
    )
    return LlamaForCausalLM(config)


def sequences_a_step(params: PretrainParams) -> int:
    """How many sequences of `block` tokens make a step."""
    return max(1, params.batch_tokens // params.block)


def step_count(params: PretrainParams) -> int:
    """How many steps see `tokens` tokens."""
    return max(1, params.tokens // (sequences_a_step(params) * params.block))


def batches(
    stream: np.ndarray, params: PretrainParams, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Endless batches (sequences, block): the stream in blocks, shuffled and cut anew each pass."""
    size, waiting = sequences_a_step(params), np.empty((0, params.block), dtype=np.int64)
    while True:
        room = len(stream) % params.block
        start = int(rng.integers(room + 1))
        count = (len(stream) - start) // params.block
        blocks = stream[start : start + count * params.block].reshape(count, params.block)
        waiting = np.concatenate([waiting, blocks[rng.permutation(count)]])
        while len(waiting) >= size:
            yield waiting[:size]
            waiting = waiting[size:]


def learning_rate(step: int, steps: int, params: PretrainParams) -> float:
    """Linear warm-up, then a cosine down to a twentieth."""
    warm = max(1, round(params.warmup * steps))
    if step < warm:
        return params.learning_rate * (step + 1) / warm
    done = (step - warm) / max(1, steps - warm)
    return params.learning_rate * (0.05 + 0.95 * (1 + math.cos(math.pi * done)) / 2)


def fit(
    model: "PreTrainedModel", stream: np.ndarray, params: PretrainParams, rng: np.random.Generator
) -> list[dict[str, float]]:
    """Train by next-token prediction (AdamW, gradients clipped at 1); the loss curve."""
    import torch

    steps = step_count(params)
    weights = list(model.parameters())
    groups = [
        {"params": [w for w in weights if w.dim() > 1], "weight_decay": params.weight_decay},
        {"params": [w for w in weights if w.dim() < 2], "weight_decay": 0.0},  # gains
    ]
    optimizer = torch.optim.AdamW(groups, lr=params.learning_rate, betas=(0.9, 0.98))
    every, since = max(1, steps // LOSS_POINTS), []
    curve: list[dict[str, float]] = []
    model.train()
    source = batches(stream, params, rng)
    for step in progress(range(steps), desc="pretraining (steps)"):
        ids = torch.from_numpy(next(source))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, params)
        loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        since.append(float(loss.detach()))
        if (step + 1) % every == 0 or step + 1 == steps:
            curve.append({"step": step + 1, "loss": round(sum(since) / len(since), 4)})
            since = []
    model.eval()
    return curve
