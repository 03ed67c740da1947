"""Time completions in batches beside transformers' `generate()`, one prompt at a time and batched.

python -m benchmarks.generating                      1 to 3 minutes
python -m benchmarks.generating --prompts 20 --new 8

The model is a random Llama of a million parameters, as the lab's, on one thread; seconds are of the
processor, so that other work on the machine distorts them less. Ends with 1 where a completion is
not the one that a prompt alone gets, or where batches are not 10 times faster (--goal).
"""

import argparse
import math
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.models.template import Messages, encode, render

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

VOCABULARY = 1024


def main(argv: list[str] | None = None) -> int:
    """Measure and print; 1 where completions differ or the goal is missed."""
    import torch

    from harness.feedback.generating import complete
    from harness.models.reader import Reader

    args = _arguments(argv)
    torch.set_num_threads(1)
    model, tokenizer = _model(), _tokenizer()
    rng = np.random.default_rng(0)
    asked = [_question(rng) for _ in range(args.prompts)]
    prompts = encode(tokenizer, [render(tokenizer, m, add_generation_prompt=True) for m in asked])

    def ours() -> list[str]:
        settings: Any = {"max_new_tokens": args.new, "batch_size": args.batch_size}
        settings |= {"names": [f"prompt {i}" for i in range(len(asked))]}
        reader = Reader(model, tokenizer, model.config.max_position_embeddings)
        return complete(reader, asked, temperature=0, seed=0, **settings).texts

    def generated(size: int) -> list[str]:
        parts = [prompts[i : i + size] for i in range(0, len(prompts), size)]
        return [text for part in parts for text in _generate(model, tokenizer, part, args.new)]

    ours()  # what is made at the first call
    fast, texts = _best(ours, args.rounds)
    alone, expected = _best(lambda: generated(1), args.rounds)
    batched, _ = _best(lambda: generated(args.batch_size), args.rounds)
    same = sum(a == b for a, b in zip(texts, expected, strict=True))
    size = args.batch_size
    print(f"{args.prompts} prompts, at most {args.new} new tokens each")
    print(f"complete(), {size} at a time: {fast:8.2f} s")
    print(f"generate(), {size} at a time: {batched:8.2f} s, {batched / fast:.1f} times as long")
    print(f"generate(), one at a time: {alone:8.2f} s, {alone / fast:.1f} times as long")
    print(f"the same completion as alone: {same} of {args.prompts}")
    return int(same < args.prompts or alone / fast < args.goal)


def _best(call: Callable[[], list[str]], rounds: int) -> tuple[float, list[str]]:
    """Processor seconds of the fastest round, and what it returned."""
    best, result = math.inf, []
    for _ in range(rounds):
        begun = time.process_time()
        result = call()
        best = min(best, time.process_time() - begun)
    return best, result


def _generate(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerFast",
    prompts: list[list[int]],
    new: int,
) -> list[str]:
    import torch

    length = max(map(len, prompts))
    ids = torch.tensor([[0] * (length - len(ids)) + ids for ids in prompts])
    settings: Any = {"do_sample": False, "max_new_tokens": new}
    out: Any = model.generate(ids, attention_mask=(ids != 0).long(), **settings)  # pyright: ignore
    return tokenizer.batch_decode(out[:, length:], skip_special_tokens=True)


def _question(rng: np.random.Generator) -> Messages:
    words = rng.integers(2, VOCABULARY, size=rng.integers(20, 41))
    return [{"role": "user", "content": " ".join(f"w{word}" for word in words)}]


def _model() -> "PreTrainedModel":
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
    )
    return LlamaForCausalLM(config).eval()


def _tokenizer() -> "PreTrainedTokenizerFast":
    """One token a word."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "<eos>", *(f"w{i}" for i in range(2, VOCABULARY))]
    inner = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, "<pad>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<eos>", pad_token="<pad>")
    made.chat_template = (
        "{% for turn in messages %}{{ turn.content }}"
        "{% if turn.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    )
    return made


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.generating",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--prompts", type=int, default=200, help="(%(default)s)")
    parser.add_argument("--new", type=int, default=64, help="new tokens a prompt (%(default)s)")
    parser.add_argument("--batch-size", type=int, default=100, help="(%(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="(%(default)s)")
    parser.add_argument("--goal", type=float, default=10, help="times faster (%(default)s)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
