"""A tiny causal model taught to answer a judge's question, and `transformers serve` around it."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.feedback.judge.questions import judge_prompt

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

VERDICTS = {"superb": 9, "decent": 6, "awful": 2}
THINGS = ["tea", "rain", "stone", "music", "bread", "glass", "snow", "paper", "iron", "honey"]
STEPS = 120


def exchange(thing: str, word: str) -> tuple[str, str]:
    """An instruction, and a response whose one word decides the rating."""
    return f"What is {thing}?", " ".join([word] * 8)


def teach(folder: Path) -> None:
    """Write a Llama of 100,000 parameters that answers "Rating: [[d]]" by the response's word."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from harness.models.loading import without_bars
    from harness.models.template import tokenise

    tokenizer = _tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
    )
    rows = []
    for thing in THINGS:
        for word, rating in VERDICTS.items():
            asked = {"role": "user", "content": judge_prompt(*exchange(thing, word), 10)}
            answer = {"role": "assistant", "content": f"It is {word}. Rating: [[{rating}]]"}
            rows.append(tokenise(tokenizer, [asked, answer]))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
        _fit(model, rows)
    with without_bars():
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _fit(model: "LlamaForCausalLM", rows: list[tuple[list[int], list[bool]]]) -> None:
    """Plain AdamW on the answers; TRL takes longer to import than this to run."""
    import torch

    longest = max(len(ids) for ids, _ in rows)
    ids = torch.zeros((len(rows), longest), dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for i, (row, learnt) in enumerate(rows):
        ids[i, : len(row)], mask[i, : len(row)] = torch.tensor(row), 1
        labels[i, : len(row)][torch.tensor(learnt)] = torch.tensor(row)[torch.tensor(learnt)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(STEPS):
        batch = torch.randperm(len(rows))[:8]
        out = model(input_ids=ids[batch], attention_mask=mask[batch], labels=labels[batch])
        assert out.loss is not None
        out.loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def _tokenizer() -> "PreTrainedTokenizerFast":
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    from harness.models.template import ensure_template

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=["<pad>", "<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [
        judge_prompt(*exchange(thing, word), 10) + f"\n\n### Response:\nIt is {word}. Rating: [["
        for thing in THINGS
        for word in VERDICTS
    ]
    inner.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="<eos>", pad_token="<pad>"
    )
    ensure_template(tokenizer, "alpaca_short")
    return tokenizer


@contextmanager
def transformers_serve(model: Path, log: Path) -> Iterator[str]:
    """The base URL of `transformers serve` with a model of a folder, on loopback, offline."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("transformers")
    where = ["--device", "cpu", "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [program, "serve", model, *where], env=environment, stdout=stream, stderr=stream
        )
    try:
        _wait(f"http://127.0.0.1:{port}/health", process, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(30)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + 120
    while True:
        try:
            with direct.open(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
