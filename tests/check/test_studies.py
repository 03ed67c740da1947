"""`make check` refuses what DVC could not parse, and studies that no stage could run."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.check.check import check_params
from harness.common.yaml_files import read_yaml
from harness.params.params import load_params
from tests.helpers.small_repo import further, yaml

ROOT = Path(__file__).resolve().parents[2]


def check(folder: Path, values: dict[str, Any]) -> list[str]:
    path = folder / "params.yaml"
    yaml().dump(values, path)
    problems = check_params(path)
    assert all("\n" not in problem for problem in problems)
    return problems


def words(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield key
            yield from words(value)
    elif isinstance(node, list):
        for value in node:
            yield from words(value)
    else:
        yield str(node)


def keys_that_dvc_reads() -> set[str]:
    """What dvc.yaml interpolates or lists as params, cells' own keys spelt out for one cell."""
    stages = read_yaml(ROOT / "dvc.yaml")["stages"]
    keys = {key for word in words(stages) for key in re.findall(r"\$\{([^}]+)\}", word)}
    for stage in stages.values():
        keys |= {key for key in stage.get("do", stage).get("params", []) if "$" not in key}
    cells = {key for key in keys if key == "key" or key.startswith("item.")}
    assert {"item.sampler", "item.base", "item.group"} < cells
    rows = ("selections.random", "selections_scored.kmq", "selections_rounds.diverse_evol")
    cell_keys = {f"{row}.{key}" for row in rows for key in ("sampler", "k", "embedding")}
    entry = "further.scorers_random_200"
    cell_keys |= {f"{entry}.{key}" for key in ("study", "of", "group", "base")}
    return (keys - cells) | cell_keys


@pytest.mark.parametrize("key", sorted(keys_that_dvc_reads()))
def test_a_key_that_dvc_reads_is_missed(tmp_path: Path, key: str) -> None:
    values = read_yaml(ROOT / "params.yaml")
    *folders, last = key.split(".")
    node = values
    for folder in folders:
        node = node[folder]
    del node[last]
    message = "\n".join(check(tmp_path, values))
    assert "missing" in message
    assert last in message


def test_the_keys_that_dvc_reads_are_found() -> None:
    wanted = {"cluster.k", "cluster.seed", "seed_groups", "table", "further", "studies"}
    wanted |= {"base_models", "defaults.budget", "defaults.embedding", "evaluate.suite"}
    assert wanted <= keys_that_dvc_reads()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (further("main", "oracle", "s3_4"), "oracle has no subsets for 's3_4'; add `more_groups:"),
        (
            further("main", "random", "s8"),
            "random has no subsets for 's8'; add `more_groups: [s8]`",
        ),
        (further("main", "random", "s0_1_2"), "`table` has seed 0 of random too; remove one"),
        (further("sensitivity", "random", "s3_4"), "sensitivity_random_3_4 has seed 3 of random"),
        (
            further("main", "oracle", "s0_1_2"),
            "`study: main` is for more seeds of a row of `table`",
        ),
        (further("rounds", "random", "s0_1_2", base="big"), "no base model is called 'big'"),
    ],
)
def test_an_entry_names_only_what_exists(
    tmp_path: Path, entry: dict[str, Any], message: str
) -> None:
    values = read_yaml(ROOT / "params.yaml")
    values["further"]["more"] = entry
    assert any("further.more" in line and message in line for line in check(tmp_path, values))


def test_more_seeds_are_of_rows_that_main_has(tmp_path: Path) -> None:
    values = read_yaml(ROOT / "params.yaml")
    values["further"]["random_3_4"] = further("main", "random", "s3_4")
    assert check(tmp_path, values) == []
    values["report"]["metrics"] = None
    values["table"].remove("random")
    (problem,) = check(tmp_path, values)
    assert "further.random_3_4: `study: main` is for more seeds of a row of `table`" in problem


def test_a_study_of_a_name_that_is_near_another_is_refused(tmp_path: Path) -> None:
    values = read_yaml(ROOT / "params.yaml")
    values["further"]["scorers_random"]["study"] = "scorrers"
    (problem,) = check(tmp_path, values)
    assert "no study is called 'scorrers'; did you mean 'scorers'?" in problem


def test_a_name_that_an_anchor_gives_to_many_entries_is_reported_once(tmp_path: Path) -> None:
    values = read_yaml(ROOT / "params.yaml")
    keys = [key for key, entry in values["further"].items() if entry["study"] == "scorers"]
    for key in keys:
        values["further"][key] |= {"study": "scorrers"}
    values["further"]["rounds_random"]["base"] = "big"
    study, base = check(tmp_path, values)
    assert study.startswith(f"params.yaml: further.{keys[0]}.study: no study is called 'scorrers'")
    assert study.endswith(f"; add it to `studies` ({', '.join(keys[1:])} too)")
    assert base.startswith("params.yaml: further.rounds_random.base: no base model is called 'big'")


@pytest.mark.parametrize("report", ["scores", "curves", "sensitivity"])
def test_a_study_without_cells_is_refused(tmp_path: Path, report: str) -> None:
    values = read_yaml(ROOT / "params.yaml")
    values["studies"]["mian"] = {"report": report}
    (problem,) = check(tmp_path, values)
    assert "studies.mian: no entry of `further` has `study: mian`; add one" in problem


@pytest.mark.parametrize("name", ["main", "subsets"])
def test_a_study_called_as_a_report_of_its_own_is_refused(tmp_path: Path, name: str) -> None:
    values = read_yaml(ROOT / "params.yaml")
    values["studies"][name] = {"report": "scores"}
    values["further"]["more"] = further(name, "full", "s0_1_2", rows=5)
    message = "\n".join(check(tmp_path, values))
    assert f"studies.{name}: a report of its own is called so; rename the study" in message


def test_the_name_of_the_main_base_model_is_taken(tmp_path: Path) -> None:
    values = read_yaml(ROOT / "params.yaml")
    values["base_models"]["main"] = values["base_model"]
    (problem,) = check(tmp_path, values)
    assert "base_models.main: `base_model` is called so; rename this one" in problem


def test_a_report_is_of_a_kind_that_there_is(tmp_path: Path) -> None:
    values = read_yaml(ROOT / "params.yaml")
    values["studies"]["rounds"]["report"] = "curve"
    (problem,) = check(tmp_path, values)
    assert (
        "studies.rounds.report: input should be 'scores', 'curves', 'clusters' or 'sensitivity'"
        in problem
    )


@pytest.mark.parametrize(
    ("name", "share", "message"),
    [
        ("noise_25", None, "references.noise_25: rows noise need `share`"),
        ("skills_25", None, "references.skills_25: rows coverage need `share`"),
        ("oracle", 0.5, "references.oracle: rows oracle take no `share` (0.5)"),
        ("none", 0.0, "references.none: rows none take no `share` (0.0)"),
    ],
)
def test_doses_have_a_share_and_others_none(
    tmp_path: Path, name: str, share: float | None, message: str
) -> None:
    values = read_yaml(ROOT / "params.yaml")
    values["references"][name]["share"] = share
    (problem,) = check(tmp_path, values)
    assert message in problem


@pytest.mark.parametrize(("budget", "rows"), [(0.1, 60), (0.0001, 1), (1, 1), (600, 600)])
def test_a_budget_is_a_share_or_whole_rows(tmp_path: Path, budget: float, rows: int) -> None:
    values = read_yaml(ROOT / "params.yaml")
    values["defaults"]["budget"] = values["selections"]["random"]["budget"] = budget
    entries = values["further"]  # without those that take fewer rows than some of these budgets
    values["further"] = {key: one for key, one in entries.items() if "rows" not in one}
    assert check(tmp_path, values) == []
    params = load_params(tmp_path / "params.yaml")
    assert [params.absolute_budget(name, 600) for name in ("random", "oracle")] == [rows, rows]
    assert params.absolute_budget("k_center", 600) == 60


def test_two_rows_of_a_study_have_two_names(tmp_path: Path) -> None:
    values = read_yaml(ROOT / "params.yaml")
    kmq = values["selections_scored"]["kmq"]
    values["selections_scored"]["kmq_200"] = {**kmq, "budget": 200}
    # The same name in another study is another row.
    values["further"]["rounds_kmq_200"] = further("rounds", "kmq_200", "s0_1_2")
    assert check(tmp_path, values) == []
    values["selections_scored"]["kmq_200"]["more_groups"] = ["s3"]
    values["further"]["more"] = further("scorers", "kmq_200", "s3")
    assert check(tmp_path, values) == [
        "params.yaml: further.more: its row would be called kmq_200, as that of scorers_kmq_200 "
        "is; rename a selection or base model"
    ]


def test_a_wrong_group_hides_no_other_problem(tmp_path: Path) -> None:
    values = read_yaml(ROOT / "params.yaml")
    values["further"]["rounds_random"]["group"] = "0-1"
    values["further"]["rounds_diverse_evol"]["base"] = "big"
    values["further"]["rounds_random_100"]["group"] = "s9"
    values["further"]["twice"] = further("sensitivity", "random", "s3_4")
    values["studies"]["empty"] = {"report": "curves"}
    lines = "\n".join(check(tmp_path, values)).replace("params.yaml: ", "").splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        *("further.rounds_random.group", "further.rounds_random_100.group"),
        *("further.rounds_diverse_evol.base", "further.twice", "studies.empty"),
    ]


def test_what_follows_from_a_wrong_group_is_not_reported(tmp_path: Path) -> None:
    values = read_yaml(ROOT / "params.yaml")
    values["selections"]["random"]["more_groups"] = ["s3-4", "s5_6_7"]
    values["further"]["rounds_diverse_evol"]["group"] = 12
    lines = check(tmp_path, values)
    assert [line.split(": ")[1] for line in lines] == [
        "selections.random.more_groups",
        "further.rounds_diverse_evol.group",
    ]


@pytest.mark.parametrize(
    ("table", "name", "other"),
    [("worlds", "A", "a"), ("further", "Rounds_random", "rounds_random")],
)
def test_names_that_differ_by_case_alone_are_refused(
    tmp_path: Path, table: str, name: str, other: str
) -> None:
    values = read_yaml(ROOT / "params.yaml")
    values["worlds"] = {"a": {"seed": 1}}
    item = {"worlds": {"seed": 2}, "further": further("rounds", "full", "s0_1_2")}
    values[table][name] = item[table]
    (line,) = check(tmp_path, values)
    assert line.startswith(f"params.yaml: {table}.{name}: {other} differs only by case")


@pytest.mark.parametrize("table", ["selections", "references"])
def test_no_row_is_called_table(tmp_path: Path, table: str) -> None:
    values = read_yaml(ROOT / "params.yaml")
    values[table]["table"] = next(iter(values[table].values()))
    (line,) = check(tmp_path, values)
    assert line == f"params.yaml: {table}.table: in MLflow a study's table is called so; rename it"


def test_a_row_of_worlds_reads_the_embedding_that_they_make(tmp_path: Path) -> None:
    values = read_yaml(ROOT / "params.yaml")
    values["world_rows"].append("kmq_states")
    (problem,) = check(tmp_path, values)
    rule = "kmq_states reads the embedding states, and a world makes minilm alone"
    assert f"world_rows: {rule} (defaults.embedding); take another row" in problem


def test_metrics_are_of_rows_of_the_table(tmp_path: Path) -> None:
    values = read_yaml(ROOT / "params.yaml")
    values["report"]["metrics"] = ["random", "k_centre"]
    (problem,) = check(tmp_path, values)
    assert "report.metrics: 'k_centre' is no row of `table`; did you mean 'k_center'?" in problem


@pytest.mark.parametrize(
    ("table", "name", "message"),
    [
        ("studies", "recipe", "a report of its own is called so"),
        ("studies", "subsets", "a report of its own is called so"),
        ("reward_models", "main", "another model is called so"),
        ("reward_models", "base", "another model is called so"),
        ("reward_models", "reward", "another model is called so"),
        ("base_models", "main", "`base_model` is called so"),
    ],
)
def test_names_that_are_taken(tmp_path: Path, table: str, name: str, message: str) -> None:
    values = read_yaml(ROOT / "params.yaml")
    values[table][name] = next(iter(values[table].values()))
    assert any(f"{table}.{name}: {message}" in line for line in check(tmp_path, values))
