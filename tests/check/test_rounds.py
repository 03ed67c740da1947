"""`make check` on selections in rounds and on beginnings of subsets: each problem in one line."""

import math
from pathlib import Path

import pytest

from harness.check.check import check_params
from tests.helpers.presets import preset_file
from tests.helpers.small_repo import further, selection, yaml

CONF = preset_file("lab")


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        ("selections_rounds.diverse_evol.roundz", 3, "diverse_evol takes no such param"),
        ("selections_rounds.diverse_evol.rounds", "3", "not '3'"),
        ("selections_rounds.diverse_evol.sampler", "kmq", "no sampler is called 'kmq'"),
        ("selections_rounds.diverse_evol.criterion", "entropi", "not 'entropi'"),
        ("selections_rounds.kmq_iterative_rm.scorer", "reward", "not 'reward'"),
        ("selections_rounds.kmq_iterative_rm.temperature", 0, "greater than 0, not 0"),
        ("selections_rounds.kmq_iterative_rm.feedback_epochs", 0, "equal to 1, not 0"),
        ("selections_rounds.kmq_iterative_rm.min_per_cluster", -1, "equal to 0, not -1"),
        ("selections_rounds.kmq_iterative_rm.max_new_tokens", 0, "equal to 1, not 0"),
        ("selections_rounds.kmq_iterative_rm.sampling_temperature", -1, "equal to 0, not -1"),
        ("selections_rounds.kmq_iterative_rm.sampling_temperature", math.nan, "a finite number"),
        ("selections_rounds.diverse_evol.whiten", 0, "equal to 1, not 0"),
        ("selections_rounds.diverse_evol.initial", 0, "equal to 1, not 0"),
        (
            "selections_rounds.diverse_evol_static.criterion",
            "margin",
            "_static.space: criterion margin",
        ),
        (
            "selections_rounds.diverse_evol",
            selection("diverse_evol", whiten=4, criterion="entropy"),
            "diverse_evol.whiten: criterion entropy reads the model's probabilities, no space: 4",
        ),
        (
            "selections_rounds.diverse_evol_static.warm_start",
            True,
            "diverse_evol_static.warm_start: space static trains nothing: True would do nothing",
        ),
        (
            "selections_rounds.kmq_iterative_rm",
            selection("kmq_iterative", k=16, quality="sigmoid(reward)", model="other"),
            "kmq_iterative_rm.model: scorer perplexity reads no reward model: 'other' would",
        ),
        ("train.processes", 2, "processes is 2, but launcher is null, which starts none"),
        ("selections_rounds.kmq_iterative_rm.quality", "sigmoid(rewrd)", "no scorer is called"),
        ("selections_rounds.kmq_iterative_ppl.quality", None, "kmq_iterative draws by one"),
        ("selections.random.sampler", "diverse_evol", "no sampler is called 'diverse_evol'"),
        ("budget_unit", "tokens", "takes its budget in rows, round by round"),
        (
            "further.rounds_random_100.of",
            "randm",
            "further.rounds_random_100.of: no selection is called 'randm'",
        ),
        (
            "further.scorers_kmq_200",
            further("scorers", "kmq", "s0_1_2", rounds=1),
            "kmq takes all at once; say `rows` instead",
        ),
        (
            "further.scorers_kmq_200",
            further("scorers", "kmq", "s0_1_2"),
            "further.scorers_kmq: scorers_kmq_200 has seed 0 of kmq too; remove one",
        ),
        (
            "further.scorers_kmq_200",
            further("scorers", "kmq", "s0_1_2", rows=1, rounds=1),
            "further.scorers_kmq_200: has `rows` and `rounds`; remove one",
        ),
        (
            "further.scorers_kmq_iterative_rm_2.rounds",
            4,
            "4 rounds of kmq_iterative_rm, which has 3; lower",
        ),
        (
            "further.rounds_diverse_evol_5.rounds",
            7,
            "7 rounds of diverse_evol, which has 6; lower it",
        ),
        ("further.scorers_kmq_200.rows", 0, "greater than or equal to 1"),
        (
            "further.kmq",
            further("main", "kmq", "s0_1_2"),
            "further.kmq: a row of `table` is called so; rename one",
        ),
        (
            "table",
            ["random", "scorers_kmq_200"],
            "table: no selection is called 'scorers_kmq_200'",
        ),
        ("further.more", further("rounds", "random", "s0_1_2"), "has seed 0 of random too; remove"),
        (
            "further.more",
            further("main", "random", "s3_4", rows=5),
            "further.more: `study: main` is for more seeds of a row of `table`",
        ),
        ("rounds.executor", "ray", "rounds.executor"),
        ("selections_rounds.kmq_iterative_rm.max_new_tokens", 256, "no room in rounds.max_length"),
        ("rounds.batch_size", 0, "rounds.batch_size"),
        ("rounds.max_length", 0, "equal to 2, not 0"),
        ("rounds.max_length", 1, "equal to 2, not 1"),
        ("rounds.launchr", [], "rounds.launchr: unknown key"),
        ("judge.modell", "x", "judge.modell: unknown key"),
    ],
)
def test_a_problem_is_named(tmp_path: Path, where: str, value: object, message: str) -> None:
    params = yaml().load(CONF)
    *folders, last = where.split(".")
    node = params
    for folder in folders:
        node = node[folder]
    if value is None:
        del node[last]
    else:
        node[last] = value
    path = tmp_path / "params.yaml"
    yaml().dump(params, path)
    problems = check_params(path)
    assert [line for line in problems if message in line], problems
    assert all("\n" not in line for line in problems)


def test_the_presets_are_fine() -> None:
    for path in sorted(CONF.parent.glob("*.yaml")):
        assert check_params(path) == []
