"""The presets of models on the hub run to their tables, on tiny models of their architectures."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.common import layout
from harness.common.files import read_json
from harness.evaluation.sandbox import missing_walls
from harness.suites import SUITES, load_suite
from pipeline.make.preset import presets
from tests.helpers.judge_server import comparing, serving
from tests.helpers.preset_run import local_suite, pool_rows, run_preset, shrunk, tiny_models
from tests.helpers.small_repo import ROOT

# What is compared in each: the other rows of their tables run in the lab's tests.
ROWS = {
    "small_gpu": ["none", "random", "kmq", "kmq_iterative_rm"],
    "paper_alpaca": ["random", "qdit", "kmq_iterative_rm"],
    "paper_wizardlm": ["random", "kmq_iterative_rm"],
    "paper_transfer": ["random", "kmq_iterative_rm"],
    "paper_diverse_evol": ["random", "diverse_evol"],
}
# All six benchmarks in one preset; in the others two of them, which take a third of the time.
WHOLE = "small_gpu"
QUICK = ("mmlu", "arc_challenge")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("presets")
    return {
        "models": tiny_models(tiny_model, folder),
        "pool": pool_rows(folder),
        "whole": local_suite("paper", folder),
        "quick": local_suite("paper", folder, QUICK),
        "judged": local_suite("judge_pairwise", folder),
    }


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    with serving(comparing(lambda text: 1 + len(text) % 9)) as server:
        yield server.url


def test_every_preset_of_the_hub_is_here() -> None:
    hub = [name for name, path in presets(ROOT).items() if "\nextends: " in path.read_text()]
    assert sorted(ROWS) == sorted(name for name in hub if not name.startswith("smollm2"))


@pytest.mark.slow
def test_smollm2_on_a_card_runs_to_its_table(
    shared: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of its systems, on a tiny model; the same without its size is what results hold."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setitem(SUITES, "paper_local", shared["quick"])
    values = shrunk("smollm2_gpu", shared["models"], "")
    values["base_model"]["source"] = shared["models"]["HuggingFaceTB/SmolLM2-135M"]
    for name, source in values["prepare"]["sources"].items():
        source.pop("where", None)
        source["path"] = pool_rows(tmp_path, name, 80)
    params = run_preset(values)
    table = lines(layout.RESULTS / "smollm2_gpu" / "main")
    assert list(table) == params.table
    assert len(table) == 12
    scored = ("avg", "mmlu", "arc_challenge", "bpb", "bpb_alpaca", "bpb_code_alpaca", "bpb_gsm8k")
    assert all(float(line[name]) >= 0 for line in table.values() for name in scored)
    assert all(float(table[name]["select_flops"]) > 0 for name in params.selections_rounds)


@pytest.mark.parametrize("preset", ROWS)
def test_a_preset_runs_to_its_tables(
    preset: str,
    shared: dict[str, Any],
    judge: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if preset == WHOLE and (why := missing_walls()):
        pytest.skip(why)  # programs would not run, and the average would be missing
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setitem(SUITES, "paper", shared["whole" if preset == WHOLE else "quick"])
    monkeypatch.setitem(SUITES, "judge_pairwise", shared["judged"])
    values = shrunk(preset, shared["models"], shared["pool"])
    values["table"] = ROWS[preset]
    values["judge"] |= {"base_url": judge}
    params = run_preset(values)
    results, head = layout.RESULTS / preset, load_suite(params.evaluate.suite).headline
    table = lines(results / "main")
    assert list(table) == ROWS[preset]
    for name, line in table.items():
        assert float(line[head]) >= 0
        if name != "none":
            assert all(float(line[f"train_{cost}"]) > 0 for cost in ("flops", "seconds", "tokens"))
    looped = [name for name in table if name in params.selections_rounds]
    assert looped
    assert all(float(table[name]["select_flops"]) > 0 for name in looped)
    assert lines(results / "subsets").keys() >= set(ROWS[preset]) - {"none"}
    for study in params.studies:
        made = lines(results / study, "row")
        assert set(made) == {cell.name for cell in params.cells(study)}
        assert all(float(line[head]) >= 0 for line in made.values())
    if preset == "paper_transfer":
        runs = [layout.RUNS / "transfer" / f"{base}_random" for base in ("mistral", "llama3")]
        one, other = (read_json(run / "train" / "seed_0.json") for run in runs)
        assert one["subset_hash"] == other["subset_hash"], "chosen with Llama-2 for both"
        assert one["base_hash"] != other["base_hash"]


def lines(folder: Path, by: str = "selection") -> dict[str, dict[str, str]]:
    """The lines of a report's table by the name of their row."""
    with (folder / "table.csv").open(encoding="utf-8") as file:
        listed = list(csv.DictReader(file))
    return {line.get(by) or line["selection"]: line for line in listed}
