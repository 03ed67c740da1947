"""`make check`: every problem of params.yaml is one clear line, and none of them needs torch."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.check.check import check_params
from harness.common.errors import InputError
from harness.params.params import read_yaml
from pipeline.make.preset import presets
from tests.helpers.presets import preset_file

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "params.yaml"
LINES = CONF.read_text().splitlines()
SEED = LINES.index("  seed: 42") + 1  # the line of cluster.seed


def problems_after(tmp_path: Path, old: str, new: str) -> list[str]:
    """What is wrong with the lab's params once ``old`` is replaced by ``new``."""
    text = CONF.read_text(encoding="utf-8")
    assert text.count(old) >= 1, f"{old!r} is not in {CONF.name} any more"
    path = tmp_path / "params.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return check_params(path)


@pytest.mark.parametrize("name", presets(ROOT))
def test_every_preset_is_fine(name: str) -> None:
    assert check_params(preset_file(name)) == []


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        # misspelt keys and names get the nearest known one
        ("budget:", "budgett:", ["budgett: unknown key; did you mean 'budget'?"]),
        (
            "cluster:\n  k:",
            "cluster:\n  kk:",
            ["cluster.kk: unknown key", "cluster.k: this key is"],
        ),
        ("sampler: k_center", "sampler: kcenter", ["no sampler is called 'kcenter'", "'k_center'"]),
        ("start: mean", "strat: mean", ["selections.k_center.strat: k_center takes no", "'start'"]),
        ("scorer: length", "scorer: lenght", ["scorers.length.scorer: no scorer", "'length'"]),
        ("scorer: ifd, model", "scorer: ifd, modle", ["scorers.ifd.modle: ifd takes", "'model'"]),
        ("allow_unisolated: false", "allow_unisolated: 1", ["evaluate.allow_unisolated: input"]),
        ("allow_unisolated:", "allow_unisolate:", ["did you mean 'allow_unisolated'?"]),
        ("scorer: length", "scorer: length, x: 1", ["scorers.length.x: length takes no such"]),
        ("  length: {scorer", "  id: {scorer", ["scorers.id: the column of ids is called so"]),
        ("  length: {scorer", "  len-gth: {scorer", ["scorers.len-gth: names hold", "'len_gth'"]),
        (
            "quality: ifd * ",
            "quality: idf * ",
            ["deita.quality: no scorer is called 'idf'", "'ifd'"],
        ),
        ("quality: ifd * ", "quality: ifd + ", ["selections_scored.deita.quality", "is neither"]),
        ("ifd * sigmoid(", "ifd * sigmod(", ["no transform is called 'sigmod'", "'sigmoid'"]),
        ("top_k, quality: sigmoid(reward)", "top_k", ["top_k.quality: this key"]),
        ("threshold: 0.9", "treshold: 0.9", ["deita.treshold: deita takes no", "'threshold'"]),
        ("diversity: sum", "diversity: max", ["qdit.diversity: input should be 'sum' or 'mean'"]),
        ("budget_unit: rows", "budget_unit: row", ["budget_unit: input should be 'rows' or 'tok"]),
        ("suite: lab", "suite: labb", ["evaluate.suite: no suite is called 'labb'", "'lab'"]),
        ("embedding: minilm", "embedding: mini", ["embedding: no embedding is called", "'minilm'"]),
        ("template: alpaca_short", "template: alpaca-short", ["template: no template", "_short'"]),
        (
            "group_by_length: true",
            "launcher: dpd",
            ["train.launcher: dpd is neither a file nor one of ddp", "did you mean 'ddp'?"],
        ),
        (
            "group_by_length: true",
            "launcher: ddp\n  processes: 3",
            ["train.processes: a step of batch_size", "which 3 processes cannot share evenly"],
        ),
        (
            "  suite: lab\n",
            "  suite: lab\n  code_samples: 9\n",
            ["evaluate.code_samples: 9 answers give no pass@10 (column code); say 10 or more"],
        ),
        (
            "  suite: lab\n",
            "  suite: lab\n  backend: endpoint\n  server: [no-such, '{model}', '{port}']\n",
            ["evaluate.server: no-such is not installed; see docs/suites.md"],
        ),
        ("start: mean", "stat: random", ["k_center.stat: k_center takes", "mean 'start'?"]),
        # what one part says of another
        ("[none, random,", "[none, randm,", ["table: no selection", "'random'"]),
        ("[none, random,", "[none, none,", ["table: 'none' is listed twice"]),
        (
            "km_random, k: auto",
            "km_random, k: 63",
            ["selections.km_random.k: 63 is not in cluster.k"],
        ),
        (
            "k: [1, 8, 16, 32, 64, 128, 256, 512, 1024]",
            "k: [1]",
            ["selections_scored.kmq.k: auto picks among cluster.k [1]; add one over 1"],
        ),
        ("seeds: [0]", "seeds: [17]", ["references.none.seeds: 17 is in none of its groups"]),
        ("  k_center: {", "  full: {", ["references.full: selections has this name too"]),
        ("  deita: {", "  random: {", ["selections_scored.random: selections has this name too"]),
        (
            "study: sensitivity, of: none",
            "study: sensitivty, of: none",
            ["further.sensitivity_none.study: no study is called 'sensitivty'", "'sensitivity'"],
        ),
        (
            "km_random, k: auto",
            "km_random, k: atuo",
            ["random.k: 'atuo' is neither a number of"],
        ),
        ("km_random, k: auto", "km_random, k: 0", ["km_random.k: 0 is neither a number of clust"]),
        ("km_random, k: auto", "km_random, k: true", ["km_random.k: True is neither a number of"]),
        (
            "random: {<<: *defaults, ",
            "random: {",
            ["random.k: this key is missing; begin the entry"],
        ),
        ("random: {<<: *defaults, ", "random: {", ["`<<: *defaults`, or add k: 1 (the pool as"]),
        ("random: {<<: *defaults, ", "random: {", ["random.budget: this key is missing; begin"]),
        ("random: {<<: *defaults, ", "random: {", ["random.embedding: this key is missing; beg"]),
        ("study: scorers, of", "studdy: scorers, of", ["_random.study: this key is missing; add"]),
        ("  k: 1\n", "", ["defaults.k: this key is missing; conf/base.yaml has it"]),
        ("prepare: {source: lab}", "prepare: {}", ["prepare.source: this key is missing; add it"]),
        ("source: lab}", "source: x.jsonl}", ["references.oracle: rows oracle needs planted trut"]),
        (
            "source: lab}",
            "source: x.jsonl}",
            ["evaluate.suite: lab has items of `prepare.sou"],
        ),
        # names and groups
        ("  k_center: {", "  2nd: {", ["selections.2nd: names hold", "say to 's_2nd'"]),
        ("  k_center: {", "  a b: {", ["selections.a b: names hold", "say to 'a_b'"]),
        ("  k_center: {", "  é: {", ["selections.é: names hold", "say to 's'"]),
        ("  k_center: {", "  random-: {", ["selections.random-: names", "say to 'random_2'"]),
        ("  km_random: {", "  km-random: {", ["selections.km-random: names hold", "'km_random'"]),
        (
            "seed_groups: [s0_1_2]",
            "seed_groups: [0_1_2]",
            ["seed_groups: 12 is not a seed group", "s0_1_2"],
        ),
        (
            "seed_groups: [s0_1_2]",
            "seed_groups: [0-1-2]",
            ["seed_groups: '0-1-2' is not a seed group"],
        ),
        (
            "random: {<<: *defaults, sampler: random,",
            "random: {<<: *defaults, sampler: random, keep_best: 0.5,",
            ["selections.random.keep_best: move the entry to selections_scored"],
        ),
        (
            "more_groups: [s3_4, s5",
            "more_groups: [s3_4, s4_5",
            ["selections.random.more_groups: s4_5_6_7: seed 4 is in s3_4 already"],
        ),
        (
            "more_groups: [s3_4, s5",
            "more_groups: [s2_4, s5",
            ["selections.random.more_groups: s2_4: seed 2 is in s0_1_2 already"],
        ),
        (
            "seed_groups: [s0_1_2]",
            "seed_groups: [s0_1_1]",
            ["seed_groups: s0_1_1: seed 1 is in s0_1_1 already"],
        ),
        ("seed_groups: [s0_1_2]", "seed_groups: [s4294967296]", ["seed 4294967296 is too large"]),
        # values
        ("budget: 0.1", "budget: -1", ["budget: -1 is neither: a share"]),
        ("budget: 0.1", "budget: 1.0", ["budget: 1.0 is neither", "a number of rows is whole"]),
        ("budget: 0.1", "budget: 600.7", ["budget: 600.7 is neither"]),
        ("budget: 0.1", "budget: true", ["budget: True is neither"]),
        ("hidden: 128", "hidden: 100", ["base_model: hidden 100 with heads 4", "2 * heads"]),
        ("heads: 4", "heads: 3", ["base_model: hidden 128 with heads 3"]),
        ("block: 128", "block: 300", ["base_model: block 300 with context 256"]),
        ("rows: oracle", "rows: oracel", ["references.oracle.rows: input should be 'none'"]),
        ("seed: 42", "seed: -1", ["cluster.seed: input should be greater than or equal to 0"]),
        ("seed: 42", "seed: 4294967296", ["cluster.seed: input should be less than 4294967296"]),
        ("k: [1, 8, ", "k: [1, 8, 1, ", ["cluster.k: 1 is listed twice; remove one"]),
        ("k: [1, 8, ", "k: [1, true, 8, ", ["cluster.k.1: input should be a valid integer"]),
        ("k: [1, 8,", 'k: [1, "8",', ["cluster.k.1: input should be a valid integer"]),
        (
            "k: [1, 8, 16, 32, 64, 128, 256, 512, 1024]",
            "k: []",
            ["k: list should have at least 1 item, not []"],
        ),
        ("  epochs: 3", "  epochs: true", ["reward_model.epochs: input should be a valid integer"]),
        ("  epochs: 3", '  epochs: "3"', ["reward_model.epochs: input should be a valid integer"]),
        ("  epochs: 10", '  epochs: "3"', ["train.epochs: input should be a valid integer"]),
        (
            "keep_models: full",
            "keep_models: adapter",
            ["train: keep_models is adapter, but lora is null", "or lora: {rank: 16}"],
        ),
        (
            "  epochs: 10",
            "  lora: {rank: 0}",
            ["train.lora.rank: input should be greater", "not 0"],
        ),
        ("  epochs: 10", "  lora: {rnk: 4}", ["train.lora.rnk: unknown key", "'rank'"]),
        (
            "  epochs: 10",
            "  lora: {targets: []}",
            ["train.lora.targets: [] is neither all_linear nor a list of layers' names"],
        ),
        ("  epochs: 10", "  max_steps: 0", ["train.max_steps: input should be greater"]),
        ("  epochs: 10", "  precision: fp16", ["train.precision: input should be 'auto', 'bf16'"]),
        (
            "warmup: 0.03",
            "warmup: 1.5",
            ["train.warmup: 1.5 is neither: a share of the steps is under 1"],
        ),
        ("learning_rate: 1.0e-3", "learning_rate: .inf", ["learning_rate: input should be a fin"]),
        ("preset: lab", "preset: ../zz", ["preset: string should match pattern"]),
        ("preset: lab", 'preset: ""', ["preset: string should match pattern"]),
        ("seeds: [0]", "seeds: []", ["seeds: list should have at least 1 item"]),
        ("source: scratch", 'source: ""', ["base_model.source: string should have at least 1"]),
        (
            "source: scratch",
            "source: SmolLM2",
            ["base_model.source: 'SmolLM2' is no folder", "did you mean 'smollm2'?"],
        ),
        ("suite: lab", "suite: own", ["evaluate.suite: own needs held-out rows for its column"]),
        ("suite: lab", "suite: alpaca_cpu", ["needs the held-out rows 'alpaca' for its column"]),
        ("  km_random: {", f"  {'k' * 101}: {{", ["and have at most 100 characters"]),
        # YAML
        ("budget: 0.1", "budget: &a [*a]", ["an anchor (&) contains itself"]),
        ("seed: 42", "seed: 1:30", ["cluster.seed: input should be a valid integer, not '1:30'"]),
        ("budget: 0.1", "budget: 0.1\n  budget: 0.2", ["not YAML", "budget", ", line "]),
        ("budget: 0.1", "budget: [0.1", ["not YAML"]),
        (
            "seed: 42",
            "seed: 2024-13-45",
            [f", line {SEED}: '2024-13-45' is not a valid value (month must be"],
        ),
        (
            "seed: 42",
            f"seed: {'9' * 5000}",
            [f", line {SEED}: '9999", "is not a valid value (Exceeds the limit"],
        ),
        (
            "seed: 42",
            "seed: 42\n  on: 1\n  yes: 2",
            ["cluster.on: unknown key", "cluster.yes: unknown key"],
        ),
        ("seed: 42", "seed: 42\n  [a]: 1", ["cluster.('a',): keys should be strings"]),
        ("seed: 42", f"seed: {'[' * 5000}{']' * 5000}", ["params.yaml: nested too deeply"]),
    ],
)
def test_a_problem_is_named(tmp_path: Path, old: str, new: str, parts: list[str]) -> None:
    problems = problems_after(tmp_path, old, new)
    text = "\n".join(problems)
    assert problems
    assert all("\n" not in problem for problem in problems)
    for part in parts:
        assert part in text


@pytest.mark.parametrize("source", ["someone/scratch", "gpt2", "x" * 300])
def test_another_name_of_the_hub_is_no_misspelt_word(source: str, tmp_path: Path) -> None:
    assert problems_after(tmp_path, "source: scratch", f"source: {source}") == []


def test_numbers_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    assert problems_after(tmp_path, "seed: 42", "seed: 0042") == []
    assert read_yaml(tmp_path / "params.yaml")["cluster"]["seed"] == 42  # 34 in YAML 1.1


def test_all_problems_are_listed_at_once(tmp_path: Path) -> None:
    problems = problems_after(tmp_path, "{scorer: length}", "{scorer: x}\n  a-b: {scorer: y}")
    assert len(problems) == 3


@pytest.mark.parametrize("key", ["sk-proj-hush", "sk proj hush"])
def test_a_key_in_the_place_of_its_variable_is_not_shown(tmp_path: Path, key: str) -> None:
    (line,) = problems_after(tmp_path, "judge: {", f"judge: {{key_env: {key}, ")
    assert "judge.key_env: string should match pattern" in line
    assert "hush" not in line


def test_a_long_value_does_not_make_a_long_line(tmp_path: Path) -> None:
    for old in ("template: alpaca_short", "suite: lab", "start: mean", "scorer: length"):
        key = old.partition(":")[0]
        problems = problems_after(tmp_path, old, f"{key}: {'x' * 100_000}")
        assert all(len(line) < 2100 for line in problems)
        assert problems


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    for coding in ("utf-16", "utf-32", "latin-1"):
        path.write_bytes(
            CONF.read_text(encoding="utf-8").replace("lab", "é").encode(coding, "replace")
        )
        [line] = check_params(path)
        assert line.startswith(f"{path}: not UTF-8 (byte 0x")


def test_a_value_that_is_not_a_number_is_reported_once(tmp_path: Path) -> None:
    problems = problems_after(tmp_path, "budget: 0.1", "budget: .nan")
    assert len(problems) == 1
    assert problems[0].startswith("params.yaml: defaults.budget: nan is neither: a share")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("budget: 0.1", "budget: 2.5", "defaults.budget: 2.5 is neither"),
        ("seed_groups: [s0_1_2]", "seed_groups: [0_1_2]", "seed_groups: 12 is not a seed group"),
        ("seed_groups: [s0_1_2]", "seed_groups: [s0_1_1]", "seed_groups: s0_1_1: seed 1"),
    ],
)
def test_what_all_entries_inherit_is_reported_once(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    (problem,) = problems_after(tmp_path, old, new)
    assert problem.startswith(f"params.yaml: {message}")


def test_an_entry_s_own_problem_is_reported_beside_that_of_the_defaults(tmp_path: Path) -> None:
    text = CONF.read_text(encoding="utf-8").replace("budget: 0.1", "budget: 2.5", 1)
    own = text.replace("sampler: random,", "sampler: random, budget: 3.5,", 1)
    (tmp_path / "params.yaml").write_text(own, encoding="utf-8")
    problems = check_params(tmp_path / "params.yaml")
    assert [problem.split(" is")[0] for problem in problems] == [
        "params.yaml: defaults.budget: 2.5",
        "params.yaml: selections.random.budget: 3.5",
    ]


@pytest.mark.parametrize("content", ["", "- a\n- b\n", "just text\n"])
def test_a_file_that_is_not_a_mapping(tmp_path: Path, content: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(content)
    assert len(check_params(path)) == 1


def run_check(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline.make.check", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_command_exits_1_without_traceback(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("preset: lab\nbudgett: 1\n")
    ended = run_check("--params", str(tmp_path / "params.yaml"))
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert all(line.startswith("error: params.yaml: ") for line in ended.stderr.splitlines())


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    ended = run_check("--params", str(tmp_path / "nothing.yaml"))
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1


def test_command_is_fast_and_imports_no_torch() -> None:
    start = time.monotonic()
    assert run_check("--params", str(CONF)).returncode == 0
    # Two seconds are the promise; other work on the machine is allowed for.
    assert time.monotonic() - start < 4
    code = "import sys, harness.check.check as c; c.check_params(); print('torch' in sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "False"


def test_two_scorers_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("scorers:\n  a: {scorer: length}\n  b: {scorer: ifd}\n  a: {scorer: ifd}\n")
    with pytest.raises(InputError) as caught:
        read_yaml(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert 'duplicate key "a"' in str(caught.value)
