"""`make plan` and the stages it counts, against DVC and against what was measured."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.common.errors import InputError
from harness.common.locations import on_hub
from harness.common.yaml_files import read_yaml
from harness.params.training import LoraParams
from harness.plan.page import page
from harness.plan.stated import find_card, suite_counts
from harness.suites import load_suite
from pipeline.make.plan import make_plan
from pipeline.make.preset import preset_text, presets
from pipeline.make.repro import TARGETS
from pipeline.make.stage_graph import stage_needs, upstream
from tests.helpers.small_repo import ROOT

PLAN = [sys.executable, "-m", "pipeline.make.plan"]


@pytest.fixture(autouse=True)
def _root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.filterwarnings("ignore:_NoneStep")  # of a library that DVC uses
def test_stages_and_what_they_wait_for_are_those_of_dvc() -> None:
    from dvc.repo import Repo

    with Repo(str(ROOT)) as repo:
        graph = repo.index.graph
        wanted = {
            stage.addressing: {other.addressing for other in graph.successors(stage)}
            for stage in graph
        }
    values = read_yaml(ROOT / "params.yaml")
    needs = stage_needs(read_yaml(ROOT / "dvc.yaml")["stages"], values)
    assert needs == wanted
    stages = list(upstream(needs, TARGETS))
    assert all(stages.index(need) < stages.index(one) for one in stages for need in needs[one])
    assert "report_study@rounds" not in stages
    with pytest.raises(InputError, match="no stage is called 'nothing'"):
        upstream(needs, ["nothing"])


@pytest.mark.parametrize(("preset", "minutes"), [("lab", 39), ("alpaca_cpu", 33)])
def test_measured_presets_come_out_near_what_they_took(preset: str, minutes: float) -> None:
    plan = make_plan(ROOT, preset)
    assert plan.measured is not None
    assert 0.85 * minutes < plan.measured / 60 < 1.1 * minutes
    assert 0.5 * minutes < 60 * plan.hours < 1.5 * minutes, "by FLOPs"
    assert "two cores" in page(plan)


def test_the_page_has_all_that_it_promises() -> None:
    plan = make_plan(ROOT, "lab")
    text = page(plan)
    total = sum(one.flops for one in plan.work)
    line = next(line for line in text.splitlines() if line.startswith("sum "))
    assert f"{total:.1e}".replace("e+", "e") in line
    for part in ("models and data", "stages: ", "memory: ", "disk: ", "time: ", "docs/plan.md"):
        assert part in text
    assert "select_rounds: diverse_evol: reading the pool" in text
    assert "study rounds: " in text
    assert "more for the other studies" in text
    assert "(CARD=cpu_avx2)" in text
    gpu = page(make_plan(ROOT, "lab", "a100"))
    assert "fits NVIDIA A100 SXM 80 GB (80 GB)" in gpu
    assert "of its peak in training, reading and generating (assumed)" in gpu


def row_of(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(f"{name}  "))


@pytest.mark.parametrize("preset", presets(ROOT))
def test_the_plan_of_every_preset(
    preset: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    pool = tmp_path / "my.jsonl"
    rows = [{"instruction": "x" * 40, "output": f"{i} " * 40} for i in range(300)]
    pool.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    if "smollm2" in preset:
        request.getfixturevalue("real_data")
    plan = make_plan(ROOT, preset, pool=str(pool) if preset == "own" else None)
    text = page(plan)
    params = plan.params
    for base in (params.base_model, *params.base_models.values()):
        line = row_of(text, base.source)
        if on_hub(base.source):
            assert (base.revision or "not pinned")[:12] in line
        assert f"training {base.source} " in text
    for item in load_suite(params.evaluate.suite).data.values():
        if on_hub(item.path):
            assert (item.revision or "not pinned")[:12] in row_of(text, item.path)
    assert {"tokens", "FLOPs", "time"} < set(text.split("\n\n")[3].splitlines()[0].split())
    parts = {part.partition(": ")[0] for part in text.split("\n\n")}
    assert {"stages", "memory", "disk", "time"} <= parts
    assert plan.hours > 0
    if preset == "smollm2":
        assert plan.card == find_card("cpu")
        assert plan.hours < 2.5


def test_models_of_other_studies_count_in_memory_disk_and_time() -> None:
    text = page(make_plan(ROOT, "paper_transfer", "h200"))
    memory = text[text.index("memory: ") :]
    assert memory.startswith("memory: training meta-llama/Meta-Llama-3-8B "), "the largest"
    large = "does not fit NVIDIA H200 SXM (141 GB): meta-llama/Meta-Llama-3-8B; would fit: by LoRA"
    assert f"{large} of rank 16, on 2 cards that share it (train.launcher: fsdp or zero3)" in memory
    three = 2 * (6.74 + 7.24 + 8.03 + 7.50)
    assert f"{three:.0f} GB fetched, {2 * three:.0f} GB of models in data/" in text
    assert f"{4 * 8.03:.1f} GB of 1 trained model at once (keep_models: none)" in text
    assert "study transfer: 6 models more" in text
    assert "h more for the other studies" in text
    assert page(make_plan(ROOT, "paper_alpaca")).count("other studies") == 0


def test_adapters_take_little_memory_and_disk() -> None:
    plan = make_plan(ROOT, "paper_alpaca")
    one = 4 * 0.03998
    for keep, kept in (
        ("adapter", f"{28 * one:.3g} GB of 28 trained models (keep_models: adapter)"),
        ("none", f"{one:.3g} GB of 1 trained model at once (keep_models: none)"),
    ):
        train = plan.params.train.model_copy(
            update={"lora": LoraParams(rank=16), "keep_models": keep}
        )
        text = page(replace(plan, params=plan.params.model_copy(update={"train": train})))
        assert "training meta-llama/Llama-2-7b-hf 40.5 GB (LoRA of 40M parameters, check" in text
        assert kept in text
        assert "fits NVIDIA H100" in text


def test_a_cpu_without_avx_512_takes_longer() -> None:
    new, old = make_plan(ROOT, "lab"), make_plan(ROOT, "lab", "cpu_avx2")
    assert old.measured is None, "on the other"
    sums = [sum(plan.card.hours(one.flops, one.kind) for one in plan.work) for plan in (new, old)]
    assert sums[1] / sums[0] == pytest.approx(1.8, rel=0.02)
    assert "CARD=" not in page(old)


def test_records_are_of_the_preset_as_it_is(tmp_path: Path) -> None:
    """A larger pool, longer training or another file has other seconds and rows."""
    for name in ("conf", "results"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "dvc.yaml").symlink_to(ROOT / "dvc.yaml")
    text = preset_text(ROOT, "lab")
    for old, new, measured, rows in (
        ("", "", True, 6000),
        ("instances: 6000 ", "instances: 60000 ", False, 60000),
        ("epochs: 10", "epochs: 50", False, 6000),
    ):
        assert old in text
        (tmp_path / "params.yaml").write_text(text.replace(old, new, 1))
        plan = make_plan(tmp_path)
        assert (plan.measured is not None, plan.sizes.pool.rows) == (measured, rows)
    rows = [{"instruction": f"{i} " * 9, "output": "x " * 9} for i in range(900)]
    pool = tmp_path / "my.jsonl"
    pool.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert make_plan(ROOT, "own", pool=str(pool)).measured is None


def test_columns_that_were_not_counted_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {name: own for name, own in suite_counts()["lab"].items() if name != "code"}
    monkeypatch.setattr("harness.plan.work.suite_counts", lambda: {"lab": counts})
    note = "not counted: evaluating code of lab (python -m scripts.measure_suites lab)"
    assert note in page(make_plan(ROOT, "lab"))


def test_benchmarks_that_are_not_pinned_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = load_suite("paper")
    mmlu = suite.data["mmlu"].model_copy(update={"revision": None})
    changed = suite.model_copy(update={"data": {"mmlu": mmlu}})
    monkeypatch.setattr("harness.plan.page.load_suite", lambda _: changed)
    text = page(make_plan(ROOT, "paper_alpaca"))
    assert row_of(text, "cais/mmlu").endswith("not pinned: revision in paper/suite.yaml")


def test_what_it_cannot_plan_is_one_line() -> None:
    for preset, card, message in (
        ("labb", None, "conf/: no preset is called 'labb'; did you mean 'lab'"),
        ("lab", "h100x", "CARD=h100x: no such card; choices: h100, h200"),
        ("own", None, "my.jsonl: no such file"),
    ):
        with pytest.raises(InputError) as caught:
            make_plan(ROOT, preset, card)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)


def test_params_with_problems_are_refused(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("preset: mine\n")
    with pytest.raises(InputError, match=r"params.yaml: .*this key is missing"):
        make_plan(tmp_path)


def test_the_command_imports_nothing_heavy() -> None:
    code = (
        "import sys, runpy\nsys.argv = ['plan', 'lab', '--card', 'cpu']\n"
        "runpy.run_module('pipeline.make.plan', run_name='__main__')\n"
        "print([m for m in ('torch', 'transformers', 'dvc', 'mlflow') if m in sys.modules])\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "[]"
    ended = subprocess.run(
        [*PLAN, "lab", "--size", "gpu"], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert ended.stderr == "error: SIZE=gpu: lab does not come in it; leave SIZE out\n"
