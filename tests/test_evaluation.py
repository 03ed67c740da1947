"""lm-eval on a suite: scores, items, shots, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from harness.bits_per_byte import bits_per_byte
from harness.errors import InputError
from harness.evaluation import Evaluation, evaluate
from harness.evaluation_params import EvaluateParams
from harness.models import load_model, load_tokenizer
from harness.suites import SUITES, Suite, load_suite, read_suite
from harness.template import ensure_template, render

SUITE = """
name: small
title: Small
headline: avg
columns:
  - {name: choice, label: Choice, kind: lm_eval, task: choice.yaml, metric: "acc,none",
     higher_is_better: true, chance: 25.0}
  - {name: norm, label: Norm, kind: lm_eval, task: norm.yaml, metric: "acc_norm,none",
     higher_is_better: true, shots: fit, max_shots: 6}
  - {name: text, label: Text, kind: lm_eval, task: text.yaml, metric: "exact_match,none",
     higher_is_better: true, shots: 1, items: 3}
  - {name: code, label: Code, kind: lm_eval, task: code.yaml, metric: "pass_at_k,run",
     higher_is_better: true}
  - {name: bpb_a, label: A, kind: bits_per_byte, sources: [a], higher_is_better: false}
  - {name: bpb, label: All, kind: bits_per_byte, sources: [], higher_is_better: false}
  - {name: avg, label: Average, kind: mean, of: [choice, text], higher_is_better: true}
"""
CHOICE = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: choice.jsonl, shots: choice_shots.jsonl}}}}
test_split: test
fewshot_split: shots
fewshot_config: {{sampler: first_n}}
output_type: multiple_choice
doc_to_text: prompt
doc_to_choice: choices
doc_to_target: target
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
  - {{metric: acc_norm, aggregation: mean, higher_is_better: true}}
"""
TEXT = """
task: text
dataset_path: json
dataset_kwargs: {data_files: {test: text.jsonl, shots: text.jsonl}}
test_split: test
fewshot_split: shots
fewshot_config: {sampler: first_n}
output_type: generate_until
doc_to_text: prompt
doc_to_target: target
generation_kwargs: {until: [], max_gen_toks: 6, do_sample: false}
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
"""
CODE = """
task: code
dataset_path: json
dataset_kwargs: {data_files: {test: code.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: prompt
doc_to_target: prompt
generation_kwargs: {until: [], max_gen_toks: 6, do_sample: true, temperature: 0.9, top_k: 0}
repeats: 3
unsafe_code: true
filter_list:
  - name: run
    filter: [{function: custom, filter_fn: !function harness.evaluation_code.run_answers}]
process_results: !function harness.evaluation_code.pass_at_k
metric_list: [{metric: pass_at_k, aggregation: mean, higher_is_better: true}]
"""
CHOICES = [
    {
        "id": f"q{i}",
        "prompt": f"Name number {i}.",
        "choices": [str(i), "a", "bc", "Lubi"],
        "target": i % 4,
    }
    for i in range(9)
]
TEXTS = [{"prompt": f"Say {i}.", "target": f"It is {i}."} for i in range(5)]
# Whatever the model writes stands in a comment, so that the first item always passes; the second
# has no function to call.
CODES = [
    {
        "prompt": "f",
        "prefix": "def f(x): return x + 1\n#",
        "tests": [{"call": "f(1)", "expect": "2"}],
    },
    {"prompt": "g", "prefix": "#", "tests": [{"call": "g(1)", "expect": "2"}]},
]
PARAMS = EvaluateParams(suite="small", batch_size=4)


def heldout() -> pd.DataFrame:
    rows = []
    for source, name, response in [("a", "1", "Lubi."), ("b", "1", "x + 1"), ("a", "2", "süß")]:
        turns = [{"role": "user", "content": name}, {"role": "assistant", "content": response}]
        row = {"id": name, "row": 1, "prompt": name, "response": response, "source": source}
        rows.append(row | {"messages": json.dumps(turns)})
    return pd.DataFrame(rows)


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    folder = tmp_path_factory.mktemp("suite")
    (folder / "suite.yaml").write_text(SUITE)
    for name in ("choice", "norm"):
        (folder / f"{name}.yaml").write_text(CHOICE.format(name=name))
    (folder / "text.yaml").write_text(TEXT)
    (folder / "code.yaml").write_text(CODE)
    return read_suite(folder)


@pytest.fixture(scope="module")
def benchmarks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benchmarks")
    write_lines(folder / "choice.jsonl", CHOICES)
    write_lines(folder / "choice_shots.jsonl", CHOICES[::-1])
    write_lines(folder / "text.jsonl", TEXTS)
    write_lines(folder / "code.jsonl", CODES)
    return folder


@pytest.fixture(scope="module")
def found(tiny_model: Path, suite: Suite, benchmarks: Path) -> Evaluation:
    return evaluate(tiny_model, suite, benchmarks, heldout(), PARAMS, seed=0)


def test_every_column_is_there(found: Evaluation) -> None:
    columns = ["choice", "norm", "text", "code", "bpb_a", "bpb", "avg"]
    assert sorted(found.scores) == sorted(columns)
    assert found.n == {
        "choice": 9,
        "norm": 9,
        "text": 3,
        "code": 2,
        "bpb_a": 2,
        "bpb": 3,
        "avg": 12,
    }
    assert list(dict.fromkeys(found.samples["task"])) == columns[:-1]
    assert set(found.samples["seed"]) == {0}
    assert set(found.seconds) == {"load", "tasks", "benchmarks", "bits_per_byte"}


def test_a_score_is_the_weighted_mean_of_its_items(found: Evaluation) -> None:
    for name, frame in found.samples.groupby("task"):
        mean = (frame["score"] * frame["weight"]).sum() / frame["weight"].sum()
        assert found.scores[str(name)] == pytest.approx(mean)
    assert found.scores["avg"] == (found.scores["choice"] + found.scores["text"]) / 2


def items(found: Evaluation, task: str) -> pd.DataFrame:
    return found.samples.loc[found.samples["task"] == task].reset_index(drop=True)


def test_choices_are_scored_after_the_chat_prompt(found: Evaluation, tiny_model: Path) -> None:
    # By hand: log p of each choice after the prompt from which an answer would be generated.
    tokenizer, model = load_tokenizer(tiny_model), load_model(tiny_model)
    ensure_template(tokenizer, "alpaca_short")
    told = items(found, "choice")
    assert told["item"].tolist() == [f"q{i}" for i in range(9)]
    for i, item in enumerate(CHOICES):
        question = [{"role": "user", "content": str(item["prompt"])}]
        prompt = render(tokenizer, question, add_generation_prompt=True)
        start = len(tokenizer(prompt).input_ids)
        logs = []
        for choice in item["choices"]:
            ids = torch.tensor(tokenizer(prompt + choice).input_ids)
            with torch.inference_mode():
                table = torch.log_softmax(model(ids[None]).logits[0, :-1], dim=-1)
            logs.append(float(table.gather(1, ids[1:, None])[start - 1 :].sum()))
        best = logs.index(max(logs))
        assert told["prediction"].tolist()[i] == item["choices"][best]
        assert told["score"].tolist()[i] == (100.0 if best == item["target"] else 0.0)


def test_shots_are_as_many_as_fit_and_are_told(found: Evaluation) -> None:
    # 128 tokens hold a few of these examples, not six.
    assert found.shots["choice"] == 0
    assert 1 <= found.shots["norm"] < 6
    assert found.shots["text"] == 1
    assert found.truncated["norm"] == 0


def test_items_too_long_are_cut_and_counted(
    tiny_model: Path, suite: Suite, tmp_path: Path, benchmarks: Path
) -> None:
    for file in benchmarks.iterdir():
        (tmp_path / file.name).write_text(file.read_text())
    long = [item | {"prompt": "long " * 200} for item in CHOICES[:4]]
    write_lines(tmp_path / "choice.jsonl", long + CHOICES[4:])
    again = evaluate(tiny_model, suite, tmp_path, heldout(), PARAMS, seed=0)
    assert again.truncated["choice"] == 4
    assert again.shots["norm"] >= 1, "no more items are cut with shots than without"
    assert again.truncated["norm"] == 4


def test_code_is_run(found: Evaluation) -> None:
    told = items(found, "code")
    assert told["score"].tolist() == [100.0, 0.0]
    assert json.loads(told["prediction"].tolist()[1]) == [False, False, False]


def test_bits_per_byte_are_those_of_the_function(found: Evaluation, tiny_model: Path) -> None:
    tokenizer = load_tokenizer(tiny_model)
    ensure_template(tokenizer, "alpaca_short")
    direct = bits_per_byte(load_model(tiny_model), tokenizer, heldout(), 4)
    total = (direct["score"] * direct["weight"]).sum() / direct["weight"].sum()
    assert found.scores["bpb"] == pytest.approx(total)
    assert items(found, "bpb_a")["item"].tolist() == ["a:1", "a:2"]


def test_again_the_same_and_a_changed_file_is_read_again(
    found: Evaluation, tiny_model: Path, suite: Suite, tmp_path: Path, benchmarks: Path
) -> None:
    for file in benchmarks.iterdir():
        (tmp_path / file.name).write_text(file.read_text())
    again = evaluate(tiny_model, suite, tmp_path, heldout(), PARAMS, seed=0)
    assert again.samples.equals(found.samples)
    # The same path, the same size: what a cache keyed by either would not notice.
    changed = (tmp_path / "code.jsonl").read_text().replace('"expect": "2"', '"expect": "3"')
    (tmp_path / "code.jsonl").write_text(changed)
    assert evaluate(tiny_model, suite, tmp_path, heldout(), PARAMS, seed=0).scores["code"] == 0


def test_progress_is_told_off_a_terminal(
    tiny_model: Path,
    suite: Suite,
    benchmarks: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("harness.progress.PLAIN_EVERY_S", 0.0)
    with caplog.at_level("INFO", logger="harness.progress"):
        evaluate(tiny_model, suite, benchmarks, heldout(), PARAMS, seed=0)
    # Nine questions of four choices twice, three texts, two programs three times.
    lines = [line for line in caplog.messages if line.startswith("evaluate: ")]
    assert len(lines) == 2 * 36 + 3 + 6
    assert lines[-1].startswith("evaluate: 81 of 81, ")


def test_the_limit(tiny_model: Path, suite: Suite, benchmarks: Path) -> None:
    params = PARAMS.model_copy(update={"limit": 1})
    few = evaluate(tiny_model, suite, benchmarks, heldout(), params, seed=0)
    assert few.n == {"choice": 1, "norm": 1, "text": 1, "code": 1, "bpb_a": 1, "bpb": 2, "avg": 2}


def test_a_home_without_anything_stays_so(
    tiny_model: Path, suite: Suite, benchmarks: Path, tmp_path: Path
) -> None:
    script = (
        "import sys, pandas as pd\nfrom pathlib import Path\n"
        "from harness.evaluation import evaluate\nfrom harness.suites import read_suite\n"
        "from harness.evaluation_params import EvaluateParams\n"
        "model, suite, benchmarks = map(Path, sys.argv[1:4])\n"
        "rows = pd.read_json(sys.argv[4], dtype={'id': str})\n"
        "evaluate(model, read_suite(suite), benchmarks, rows, EvaluateParams(suite='small'), 0)\n"
    )
    (tmp_path / "home").mkdir()
    rows = tmp_path / "heldout.json"
    rows.write_text(str(heldout().to_json(orient="records")))
    home = {"HOME": str(tmp_path / "home"), "PYTHONPATH": ".", "PATH": "/usr/bin:/bin"}
    arguments = [str(tiny_model), str(suite.folder), str(benchmarks), str(rows)]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], env=home, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "it/s" not in done.stderr, "no bars off a terminal"
    left = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert left == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("choice.jsonl", None, "choice.jsonl: benchmark file missing"),
        ("choice.jsonl", "", "choice.jsonl: no items"),
        ("text.jsonl", '{"prompt": "a", "target": "b"}\n{"prompt"', "text.jsonl, line 2: not JSON"),
        ("text.jsonl", "[1]\n", "text.jsonl, line 1: not a JSON object"),
    ],
)
def test_bad_benchmark_files(
    tiny_model: Path,
    suite: Suite,
    benchmarks: Path,
    tmp_path: Path,
    name: str,
    content: str | None,
    message: str,
) -> None:
    for file in benchmarks.iterdir():
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message.replace(".", r"\.")):
        evaluate(tiny_model, suite, tmp_path, heldout(), PARAMS, seed=0)


def test_a_held_out_source_that_is_missing(tiny_model: Path) -> None:
    own = load_suite("own")
    rows = heldout()
    with pytest.raises(InputError, match="no rows of any source for column bpb; it has none"):
        evaluate(tiny_model, own, Path(), rows.iloc[:0], PARAMS, seed=0)
    alpaca = load_suite("alpaca_cpu")
    bits = alpaca.model_copy(update={"columns": alpaca.columns[:3]})
    with pytest.raises(InputError, match="no rows of alpaca for column bpb_alpaca; it has a, b"):
        evaluate(tiny_model, bits, Path(), rows, PARAMS, seed=0)


@pytest.mark.parametrize("name", SUITES)
def test_the_suites_read(name: str) -> None:
    suite = load_suite(name)
    assert suite.name == name
    assert suite.headline in {column.name for column in suite.columns}


def test_a_metric_that_does_not_exist(tiny_model: Path, suite: Suite, benchmarks: Path) -> None:
    column = suite.column("text").model_copy(update={"metric": "f1,none"})
    wrong = suite.model_copy(update={"columns": [column]})
    with pytest.raises(InputError, match="no metric 'f1,none'; it has exact_match,none"):
        evaluate(tiny_model, wrong, benchmarks, heldout(), PARAMS, seed=0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("headline: avg", "headline: average", "no column 'average'"),
        ("kind: mean, of: [choice, text]", "kind: mean", "column avg: kind mean needs `of`"),
        ("sources: [a]", "sources: [a], task: x.yaml", "bits_per_byte has no use for `task`"),
        ("task: text.yaml", "task: nowhere.yaml", "column text: no task file nowhere.yaml"),
        ("name: norm", "name: choice", "two columns share a name"),
        ("label: Code", "lable: Code", "label"),
        ("title: Small", "title: [", "cannot be read as a suite"),
    ],
)
def test_malformed_suites(suite: Suite, tmp_path: Path, old: str, new: str, message: str) -> None:
    for file in suite.folder.iterdir():
        (tmp_path / file.name).write_text(file.read_text())
    assert old in SUITE
    (tmp_path / "suite.yaml").write_text(SUITE.replace(old, new))
    with pytest.raises(InputError, match=message) as told:
        read_suite(tmp_path)
    assert "suite.yaml" in str(told.value)


def test_an_unknown_suite() -> None:
    with pytest.raises(InputError, match="no suite 'labb'; choose from lab, alpaca_cpu, own"):
        load_suite("labb")
