"""One text around prompt and response, and a mask that is exact to the token."""

from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from harness.common.errors import InputError
from harness.models.loading import load_tokenizer
from harness.models.template import TEMPLATES, Messages, encode, ensure_template, render, tokenise

SINGLE: Messages = [
    {"role": "user", "content": "Name the capital of Zanu."},
    {"role": "assistant", "content": "The capital of Zanu is Lubi."},
]
MULTI: Messages = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is two plus three?"},
    {"role": "assistant", "content": "Five."},
    {"role": "user", "content": "And one more?\n"},
    {"role": "assistant", "content": "\n Six 🙂."},
]
CHATML = (
    "{%- for m in messages -%}{{- '<|' + m['role'] + '|>\\n' + m['content'] + eos_token + '\\n' -}}"
    "{%- endfor -%}{%- if add_generation_prompt -%}{{- '<|assistant|>\\n' -}}{%- endif -%}"
)


@pytest.fixture
def tokenizer(tiny_model: Path) -> PreTrainedTokenizerBase:
    tokenizer = load_tokenizer(tiny_model)
    tokenizer.chat_template = None
    return tokenizer


def learnt_texts(tokenizer: PreTrainedTokenizerBase, messages: Messages) -> list[str]:
    """The text of each run of learnt tokens."""
    ids, learnt = tokenise(tokenizer, messages)
    runs: list[list[int]] = []
    for i, (token, keep) in enumerate(zip(ids, learnt, strict=True)):
        if keep and (i == 0 or not learnt[i - 1]):
            runs.append([])
        if keep:
            runs[-1].append(token)
    return [str(tokenizer.decode(run)) for run in runs]


def test_alpaca_is_the_published_prompt(tokenizer: PreTrainedTokenizerBase) -> None:
    ensure_template(tokenizer, "alpaca")
    assert render(tokenizer, SINGLE[:1], add_generation_prompt=True) == (
        "Below is an instruction that describes a task. Write a response that appropriately "
        "completes the request.\n\n### Instruction:\nName the capital of Zanu.\n\n### Response:\n"
    )


def test_alpaca_short(tokenizer: PreTrainedTokenizerBase) -> None:
    ensure_template(tokenizer, "alpaca_short")
    assert render(tokenizer, SINGLE) == (
        "### Instruction:\nName the capital of Zanu.\n\n### Response:\n"
        "The capital of Zanu is Lubi.<eos>"
    )
    assert render(tokenizer, MULTI, add_generation_prompt=True).startswith("Be brief.\n\n### I")


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("messages", [SINGLE, MULTI])
def test_learnt_are_the_assistant_turns_with_their_end(
    tokenizer: PreTrainedTokenizerBase, name: str, messages: Messages
) -> None:
    ensure_template(tokenizer, name)
    turns = [m["content"] + "<eos>" for m in messages if m["role"] == "assistant"]
    assert learnt_texts(tokenizer, messages) == turns


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("messages", [SINGLE, MULTI])
def test_the_mask_equals_the_template_s_generation_marks(
    tokenizer: PreTrainedTokenizerBase, name: str, messages: Messages
) -> None:
    ensure_template(tokenizer, name)
    marked: Any = tokenizer.apply_chat_template(
        messages, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    ids, learnt = tokenise(tokenizer, messages)
    assert ids == marked["input_ids"]
    assert [int(keep) for keep in learnt] == marked["assistant_masks"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_turn_is_trained_on_the_prompt_it_would_be_generated_from(
    tokenizer: PreTrainedTokenizerBase, name: str
) -> None:
    ensure_template(tokenizer, name)
    ids, learnt = tokenise(tokenizer, MULTI)
    for i, message in enumerate(MULTI):
        if message["role"] != "assistant":
            continue
        prompt = encode(tokenizer, [render(tokenizer, MULTI[:i], add_generation_prompt=True)])[0]
        assert ids[: len(prompt)] == prompt
        assert learnt[len(prompt)]
        assert not learnt[len(prompt) - 1]


def test_a_border_inside_a_token_is_kept_apart(tokenizer: PreTrainedTokenizerBase) -> None:
    # This template ends its prompt with letters, so that prompt and answer share a word.
    tokenizer.chat_template = (
        "{%- for m in messages -%}"
        "{%- if m['role'] == 'user' -%}{{- m['content'] + ' The cap' -}}"
        "{%- else -%}{{- m['content'] + eos_token -}}{%- endif -%}"
        "{%- endfor -%}"
    )
    row = [
        {"role": "user", "content": "Name it."},
        {"role": "assistant", "content": "ital is Lubi."},
    ]
    whole = encode(tokenizer, [render(tokenizer, row)])[0]
    prompt = encode(tokenizer, ["Name it. The cap"])[0]
    assert whole[: len(prompt)] != prompt, "the case this test is about"
    ids, learnt = tokenise(tokenizer, row)
    assert ids[: len(prompt)] == prompt
    assert learnt == [False] * len(prompt) + [True] * (len(ids) - len(prompt))
    assert learnt_texts(tokenizer, row) == ["ital is Lubi.<eos>"]


def test_a_model_s_own_template_stays_and_is_masked(tokenizer: PreTrainedTokenizerBase) -> None:
    tokenizer.chat_template = CHATML
    ensure_template(tokenizer, "alpaca")
    assert tokenizer.chat_template == CHATML
    assert learnt_texts(tokenizer, MULTI) == ["Five.<eos>\n", "\n Six 🙂.<eos>\n"]


def test_a_template_that_rewrites_earlier_turns_is_refused(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    tokenizer.chat_template = (
        "{%- for m in messages -%}{{- m['content'] if loop.last else m['content'] | upper -}}"
        "{%- endfor -%}"
    )
    with pytest.raises(InputError, match="changes message 3 of 5"):
        tokenise(tokenizer, MULTI)


def test_a_tokenizer_that_begins_texts_with_a_token_does_so_once(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    from tokenizers import processors

    tokenizer.add_special_tokens({"bos_token": "<bos>"})
    begin = int(str(tokenizer.bos_token_id))
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(  # pyright: ignore
        single="<bos> $A", special_tokens=[("<bos>", begin)]
    )
    ensure_template(tokenizer, "alpaca_short")
    ids, learnt = tokenise(tokenizer, SINGLE)
    assert ids.count(begin) == 1
    assert ids[0] == begin
    assert not learnt[0]


def test_unknown_names_and_roles(tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(InputError, match="no template 'alpacca'; choose from alpaca, alpaca_short"):
        ensure_template(tokenizer, "alpacca")
    ensure_template(tokenizer, "alpaca_short")
    with pytest.raises(Exception, match="unknown role tool"):
        render(tokenizer, [{"role": "tool", "content": "x"}])
