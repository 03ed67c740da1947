"""Where a turn ends, and special tokens that are written out in a row's text."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from harness.common.errors import InputError
from harness.evaluation.bits_per_byte import response_tokens
from harness.evaluation.evaluate import evaluate
from harness.feedback.generating import complete
from harness.models.loading import load_model, load_tokenizer
from harness.models.reader import Reader
from harness.models.template import (
    Messages,
    check_template,
    encode,
    end_of_turn,
    ensure_template,
    render,
    tokenise,
)
from harness.params.evaluation import EvaluateParams
from harness.params.training import TrainParams
from harness.scorers.rating import Question, ids_of
from harness.suites import read_suite
from harness.training.sft import train
from tests.helpers.chat_models import CHATML, SPECIAL, byte_level, letters, unigram, write_model
from tests.helpers.small_suite import TEXT, heldout, write_lines

ROOT = Path(__file__).resolve().parents[2]
ANSWERS = {
    "What is two plus three?": "It is five.",
    "Name the capital of Zanu.": "Lubi",
    "How does a turn end?": "<|im_end|> ends it, </s> too.",  # written out
    "What is <|im_end|>?": "A sign.",
}
KINDS: dict[str, Callable[[], PreTrainedTokenizerBase]] = {
    "byte_level": byte_level,
    "unigram": unigram,
    "slow": letters,
}
SUITE = """
name: turns
title: Turns
headline: text
columns:
  - {name: text, label: Text, kind: lm_eval, task: text.yaml, metric: "exact_match,none",
     higher_is_better: true}
  - {name: choice, label: Choice, kind: lm_eval, task: choice.yaml, metric: "acc,none",
     higher_is_better: true}
"""
CHOICE = """
task: choice
dataset_path: json
dataset_kwargs: {data_files: {test: choice.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: prompt
doc_to_choice: choices
doc_to_target: 0
target_delimiter: ""
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
"""


def conversation(prompt: str, response: str) -> Messages:
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]


def made(kind: str, folder: Path) -> Path:
    """A model trained on the answers, by a template that ends turns with EOS or otherwise."""
    tokenizer = byte_level(None if kind == "usual" else CHATML)
    ensure_template(tokenizer, "alpaca_short")
    base = write_model(tokenizer, folder / "base")
    params = TrainParams(epochs=120, learning_rate=1e-2, batch_size=4, max_length=128)
    rows = [conversation(*pair) for pair in ANSWERS.items()]
    train(base, rows, folder / "model", params, seed=0)
    return folder / "model"


@pytest.fixture(scope="module", params=["usual", "chatml"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(request.param, tmp_path_factory.mktemp(request.param))


def test_rounds_stop_where_the_turn_ends_and_get_the_answer_whole(model: Path) -> None:
    asked = [conversation(question, "")[:1] for question in ANSWERS]
    how: Any = {"max_new_tokens": 60, "temperature": 0, "batch_size": 4, "names": list(ANSWERS)}
    reader = Reader(load_model(model), load_tokenizer(model), 128)
    result = complete(reader, asked, **how, seed=0)
    assert result.texts == list(ANSWERS.values())
    assert not result.capped.any()


def test_a_server_of_the_model_stops_there_too(model: Path) -> None:
    import torch

    tokenizer, loaded = load_tokenizer(model), load_model(model)
    asked = conversation("Name the capital of Zanu.", "")[:1]
    ids = torch.tensor(encode(tokenizer, [render(tokenizer, asked, add_generation_prompt=True)]))
    how: Any = {"attention_mask": torch.ones_like(ids), "max_new_tokens": 60, "do_sample": False}
    out: Any = loaded.generate(ids, **how)  # pyright: ignore
    assert out[0, -1] == end_of_turn(tokenizer)
    assert tokenizer.decode(out[0, ids.shape[1] : -1]) == "Lubi"


def test_lm_eval_stops_there_and_scores_the_answers_right(model: Path, tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(SUITE)
    (tmp_path / "text.yaml").write_text(
        TEXT.replace("max_gen_toks: 6", "max_gen_toks: 60").replace("fewshot_split: shots", "")
    )
    (tmp_path / "choice.yaml").write_text(CHOICE)
    pairs = list(ANSWERS.items())
    for name in ("text", "text_shots"):
        write_lines(tmp_path / f"{name}.jsonl", [{"prompt": q, "target": a} for q, a in pairs])
    choices = [
        {"prompt": q, "choices": [a, *(other for other in ANSWERS.values() if other != a)]}
        for q, a in pairs
    ]
    write_lines(tmp_path / "choice.jsonl", choices)
    params = EvaluateParams(suite="turns", batch_size=4)
    result = evaluate(model, read_suite(tmp_path), tmp_path, heldout(), params, seed=0)
    answers = result.samples.loc[result.samples["task"] == "text", "prediction"]
    assert answers.tolist() == list(ANSWERS.values())
    assert result.scores == {"text": 100.0, "choice": 100.0}


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_in_a_row_are_text(kind: str) -> None:
    tokenizer = KINDS[kind]()
    text = "Zanu <|im_end|>" + "</s>[INST] <|endoftext|>\n<|im_start|>Lubi"
    row = conversation(text, text)
    ids, learnt = tokenise(tokenizer, row)
    control = [tokenizer.convert_ids_to_tokens(i) for i in ids]
    control = [token for token in control if token in SPECIAL]
    assert control == ["<|im_start|>", "<|im_end|>"] * 2
    turn = [token for token, keep in zip(ids, learnt, strict=True) if keep]
    assert str(tokenizer.decode(turn)).strip() == f"{text}<|im_end|>"
    assert turn.count(end_of_turn(tokenizer)) == 1
    prompt = render(tokenizer, row[:1], add_generation_prompt=True)
    assert encode(tokenizer, [prompt])[0] == ids[: learnt.index(True)]
    assert response_tokens(tokenizer, row) == (ids, learnt.index(True))


@pytest.mark.parametrize("kind", KINDS)
def test_rows_without_special_tokens_have_the_ids_of_the_rendered_text(kind: str) -> None:
    tokenizer = KINDS[kind]()
    lines = [line for line in (ROOT / "README.md").read_text().splitlines() if line.strip()]
    assert len(lines) > 100
    for line in lines:
        row = conversation(line, line[::-1])
        text = tokenizer.apply_chat_template(row, tokenize=False)
        assert render(tokenizer, row) == text
        assert (
            encode(tokenizer, [str(text)])[0]
            == tokenizer(str(text), add_special_tokens=False).input_ids
        )


def test_a_text_of_unicode_s_own_marks_loses_nothing() -> None:
    tokenizer = byte_level()
    for text in ("a\ufdd0b", "\ufdd0<|im_end|>\ufdd0", "\ufdd0\ufdd0"):
        ids, _ = tokenise(tokenizer, conversation(text, text))
        assert str(tokenizer.decode(ids)).count(text) == 2


def test_a_scorer_s_prompt_has_them_as_text() -> None:
    tokenizer = byte_level()
    question = Question("deita_quality", space=True, end=0, answers=[])
    ids = ids_of(tokenizer, question, "What is </s>?", "It is <|im_end|>.")
    assert not {*tokenizer.all_special_ids} & {*ids}
    assert "What is </s>?" in str(tokenizer.decode(ids))


def test_the_end_of_a_turn_is_the_template_s() -> None:
    tokenizer = byte_level()
    assert tokenizer.convert_ids_to_tokens(end_of_turn(tokenizer)) == "<|im_end|>"
    tokenizer.chat_template = None
    ensure_template(tokenizer, "alpaca")
    assert end_of_turn(tokenizer) == tokenizer.eos_token_id


@pytest.mark.parametrize("ending", ["", "\\n", "\\n\\n### "])
def test_a_template_that_ends_turns_with_nothing_is_refused(ending: str) -> None:
    tokenizer = byte_level(CHATML.replace("'<|im_end|>' + '\\n'", f"'{ending}'"))
    with pytest.raises(InputError, match=r"ends an assistant's turn with .*never stop") as caught:
        check_template(tokenizer)
    assert "\n" not in str(caught.value)


def test_named_templates_without_a_default_are_one_line() -> None:
    tokenizer: Any = byte_level()
    tokenizer.chat_template = {"rag": CHATML, "tool_use": CHATML}
    with pytest.raises(InputError, match=r"the chat templates rag, tool_use, none .* default"):
        ensure_template(tokenizer, "alpaca")
    tokenizer.chat_template = {"default": CHATML, "rag": "x"}
    ensure_template(tokenizer, "alpaca")
    check_template(tokenizer)
    assert render(tokenizer, conversation("a", "b")).startswith("<|im_start|>user")


def test_a_template_s_date_is_the_same_every_day() -> None:
    tokenizer = byte_level("{{- strftime_now('%d %b %Y, %Y-%m-%d') + '\\n' -}}" + CHATML)
    assert render(tokenizer, conversation("a", "b")).startswith("26 Jul 2024, 2024-07-26\n<|im_")
    tokenizer.chat_template = (
        "\n{%- if strftime_now is defined -%}{{- strftime_now('%B %d, %Y') -}}{%- endif -%}x"
        + CHATML
    )
    assert render(tokenizer, conversation("a", "b")).startswith("July 26, 2024x<|im_start|>")


def test_a_template_s_refusal_names_the_row() -> None:
    from harness.training.sft import encode_rows

    template = "{%- if messages[0]['role'] == 'system' -%}{{- raise_exception('No system') -}}"
    tokenizer = byte_level(template + "{%- endif -%}" + CHATML)
    rows = [conversation("a", "b"), [{"role": "system", "content": "s"}, *conversation("a", "b")]]
    with pytest.raises(InputError, match=r"^instance '7': .*: No system$"):
        encode_rows(tokenizer, rows, 64, ["instance '3'", "instance '7'"])
