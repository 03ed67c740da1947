"""Rows that the base model's chat template refuses: reported by prepare, before any model runs."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from harness.common.errors import InputError
from harness.common.schemas import POOL, PoolRows, write_frame
from harness.models.sources import source_tokenizer
from harness.models.template import tokenise
from harness.params.params import ScorerParams, load_params
from harness.params.prepare import PrepareParams
from harness.pools.prepare import Prepared, prepare, prepare_section
from harness.pools.rendering import rendered_pairs, renders
from harness.scorers.score_pool import make_scores
from harness.select_command.command import run
from pipeline.make.source_hashes import record_templates
from tests.helpers.chat_models import CHATML, byte_level
from tests.helpers.pool_files import as_jsonl, messages
from tests.helpers.presets import preset_file

ROOT = Path(__file__).resolve().parents[2]
NO_SYSTEM = (
    "{%- if messages[0]['role'] == 'system' -%}{{- raise_exception('System role not supported') -}}"
    "{%- endif -%}"
)
ALTERNATE = (
    "{%- for m in messages -%}{%- if (m['role'] == 'user') != (loop.index0 % 2 == 0) -%}"
    "{{- raise_exception('Conversation roles must alternate') -}}{%- endif -%}{%- endfor -%}"
)
LAST_THOUGHT = CHATML.replace(
    "m['content']", "(m['content'] if loop.last else m['content'].split('</think>')[-1])"
)
SILENT = CHATML.replace("for m in messages", "for m in messages if m['role'] != 'system'")
PLAIN = [messages(("user", f"Name hill {i}"), ("assistant", f"Hill {i}.")) for i in range(5)]
SYSTEM = messages(("system", "Be brief."), ("user", "x"), ("assistant", "y"))
TWO_USERS = messages(("user", "Hello"), ("user", "Which hill?"), ("assistant", "Bald Hill."))
TWO_ANSWERS = messages(("user", "x"), ("assistant", "y"), ("assistant", "z"))
THOUGHT = messages(
    ("user", "x"), ("assistant", "<think>1</think>y"), ("user", "x"), ("assistant", "z")
)
REFUSES = "the chat template refuses the conversation"
CASES = {
    "no system": (NO_SYSTEM + CHATML, SYSTEM, f"{REFUSES}: System role not supported"),
    "two users": (ALTERNATE + CHATML, TWO_USERS, f"{REFUSES}: Conversation roles must alternate"),
    "two answers": (
        ALTERNATE + CHATML,
        TWO_ANSWERS,
        f"{REFUSES}: Conversation roles must alternate",
    ),
    "undefined": ("{{- messages[3].x.y if messages | length == 3 -}}" + CHATML, SYSTEM, REFUSES),
    "changed": (LAST_THOUGHT, THOUGHT, "the chat template changes a turn when others follow"),
    "left out": (SILENT, SYSTEM, "the chat template leaves out (part of) a turn"),
}


def write_tokenizer(folder: Path, template: str | None) -> Path:
    """A model's folder without its weights."""
    byte_level(template).save_pretrained(folder)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    return folder


def made(path: Path, model: Path, **changes: Any) -> Prepared:  # noqa: ANN401
    check = renders(source_tokenizer(str(model), None, "alpaca_short"))
    return prepare_section(PrepareParams(source=str(path), **changes), check=check)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_row_that_the_template_refuses_is_named_or_counted(
    tmp_path: Path, case: tuple[str, dict[str, Any], str]
) -> None:
    template, bad, rule = case
    model = write_tokenizer(tmp_path / "model", template)
    as_jsonl(tmp_path / "pool.jsonl", [*PLAIN[:2], bad, *PLAIN[2:]])
    with pytest.raises(InputError) as caught:
        made(tmp_path / "pool.jsonl", model)
    assert str(caught.value).startswith(f"{tmp_path}/pool.jsonl, row 3: {rule}")
    assert str(model) in str(caught.value)
    assert "\n" not in str(caught.value)
    kept = made(tmp_path / "pool.jsonl", model, on_bad_row="drop")
    assert kept.pool["row"].tolist() == [1, 2, 4, 5, 6]
    (counted,) = kept.card["sources"].values()
    ((key, count),) = counted["rows_dropped"].items()
    assert key.startswith(rule)
    assert count == 1


@pytest.mark.parametrize("template", ["alpaca", "alpaca_short"])
def test_our_templates_refuse_no_row_and_learn_two_answers_in_a_row(
    tmp_path: Path, template: str
) -> None:
    rows = [*PLAIN, SYSTEM, TWO_USERS, TWO_ANSWERS, THOUGHT]
    as_jsonl(tmp_path / "pool.jsonl", rows)
    check = renders(source_tokenizer("scratch", None, template))
    assert (
        len(prepare_section(PrepareParams(source=str(tmp_path / "pool.jsonl")), None, check).pool)
        == 9
    )
    tokenizer = source_tokenizer(str(write_tokenizer(tmp_path / "model", None)), None, template)
    ids, learnt = tokenise(tokenizer, TWO_ANSWERS["messages"])
    turns = "".join(
        str(tokenizer.convert_ids_to_tokens(i)) if keep else "."
        for i, keep in zip(ids, learnt, strict=True)
    )
    assert [turn for turn in turns.split(".") if turn] == ["y<|endoftext|>", "z<|endoftext|>"]


def test_held_out_rows_are_rendered_and_the_base_model_s_text_is_not(tmp_path: Path) -> None:
    model = write_tokenizer(tmp_path / "model", NO_SYSTEM + CHATML)
    as_jsonl(tmp_path / "pool.jsonl", PLAIN)
    as_jsonl(tmp_path / "other.jsonl", [PLAIN[0], SYSTEM])
    sources = {"other": {"path": str(tmp_path / "other.jsonl")}}
    part = [{"name": "other", "source": "other"}]
    text = {"sources": sources, "pretraining": part, "preference_pairs": 0}
    assert len(made(tmp_path / "pool.jsonl", model, **text).pretraining) >= 1
    with pytest.raises(InputError, match=rf"other.jsonl, row 2: {REFUSES}"):
        made(tmp_path / "pool.jsonl", model, sources=sources, heldout=part)


def test_preference_pairs_are_rendered_too() -> None:
    template = (
        "{%- if 'evil' in messages[1]['content'] -%}{{- raise_exception('no') -}}{%- endif -%}"
    )
    check = renders(byte_level(template.replace("messages[1]", "messages[-1]") + CHATML))
    pairs = pd.DataFrame(
        [("a", "x", "y", "z", "truncated"), ("b", "x", "y", "evil", "truncated")],
        columns=pd.Index(["id", "prompt", "chosen", "rejected", "fault"]),
    )
    with pytest.raises(InputError, match=rf"^preference pair 'b': {REFUSES}: no "):
        rendered_pairs(pairs, check, "error")
    kept, dropped = rendered_pairs(pairs, check, "drop")
    assert kept["id"].tolist() == ["a"]
    assert dropped == {f"{REFUSES}: no": 1}


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The own preset over a pool of 40 rows, one of them with a system turn, and a base model."""
    monkeypatch.chdir(tmp_path)
    rows = [
        messages(("user", f"Name hill {i}"), ("assistant", f"Hill {i} a b.")) for i in range(39)
    ]
    as_jsonl(tmp_path / "my.jsonl", [*rows, SYSTEM])
    write_tokenizer(tmp_path / "model", CHATML)
    text = preset_file("own").read_text().replace("source: scratch", "source: model")
    text = text.replace("min_rows: 200", "min_rows: 5").replace("at_least: 100", "at_least: 5")
    (tmp_path / "params.yaml").write_text(text.replace("at_least: 20", "at_least: 5"))
    return tmp_path


def test_other_weights_with_the_same_template_give_the_same_pool(repo: Path) -> None:
    def pool() -> bytes:
        write_frame(repo / "pool.parquet", prepare(load_params()).pool, POOL)
        return (repo / "pool.parquet").read_bytes()

    first = pool()
    (repo / "model" / "model.safetensors").write_bytes(b"no weights are read")
    assert pool() == first
    write_tokenizer(repo / "model", NO_SYSTEM + CHATML)
    with pytest.raises(InputError, match=f"my.jsonl, row 40: {REFUSES}: System role not supported"):
        pool()


def test_an_edited_template_is_noticed_by_its_hash(repo: Path) -> None:
    assert record_templates(repo) == ["params.yaml: template_sha256, of the chat template of model"]
    assert record_templates(repo) == []
    first = load_params().prepare.template_sha256
    assert first
    prepare(load_params())
    write_tokenizer(repo / "model", CHATML + "{#- edited -#}")
    with pytest.raises(InputError, match=r"model: its chat template is not the one .* make repro"):
        prepare(load_params())
    assert len(record_templates(repo)) == 1
    assert load_params().prepare.template_sha256 != first
    prepare(load_params())
    write_tokenizer(repo / "model", CHATML.replace("'<|im_end|>' + ", ""))
    with pytest.raises(InputError, match="model: its chat template ends an assistant's turn with"):
        record_templates(repo)


@pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # of pygtrie, in DVC
def test_an_edited_template_makes_both_stages_that_read_it_run_again(repo: Path) -> None:
    from dvc.repo import Repo

    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    idle = {
        name: {"cmd": "true", "params": stages[name]["params"]}
        for name in ("prepare", "base_model")
    }
    (repo / "dvc.yaml").write_text(yaml.safe_dump({"stages": idle}))
    with Repo.init(str(repo), no_scm=True) as opened:
        record_templates(repo)
        opened.reproduce()  # pyright: ignore[reportCallIssue]  # wrapped by DVC's own decorator
        assert opened.status() == {}
    write_tokenizer(repo / "model", CHATML + "{#- edited -#}")
    record_templates(repo)
    with Repo(str(repo)) as opened:
        assert opened.status().keys() == {"prepare", "base_model"}


def test_scores_refuse_before_any_model_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = write_tokenizer(tmp_path / "model", NO_SYSTEM + CHATML)
    pool = pd.DataFrame(
        {"id": ["a", "b"], "messages": [json.dumps(r["messages"]) for r in (PLAIN[0], SYSTEM)]}
    )
    items = {"ppl": ScorerParams.model_validate({"scorer": "perplexity", "model": str(model)})}
    with pytest.raises(InputError, match=rf"^instance 'b': .*{REFUSES}: System role not"):
        make_scores(PoolRows(pool), items)


def test_select_names_the_row_or_counts_it(tmp_path: Path) -> None:
    model = write_tokenizer(tmp_path / "model", NO_SYSTEM + CHATML)
    as_jsonl(tmp_path / "pool.jsonl", [*PLAIN, SYSTEM])
    words = f"--pool {tmp_path}/pool.jsonl --sampler top_k --budget 2 --out {tmp_path}/out.jsonl"
    words += f" --cache {tmp_path}/cache --quality p --score p=perplexity,model={model}"
    with pytest.raises(InputError, match=rf"row 6: {REFUSES}.*--on-bad-row drop"):
        run(words.split(), print)
    # The row is left out, and what fails then is the model, which has no weights.
    with pytest.raises(InputError, match="the model cannot be loaded"):
        run([*words.split(), "--on-bad-row", "drop"], print)
