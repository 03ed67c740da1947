"""`make check` on selections in rounds and on cuts: each problem in one line."""

from pathlib import Path

import pytest

from harness.check import check_params
from tests.small_repo import yaml

CONF = Path(__file__).resolve().parent.parent / "conf" / "lab.yaml"


@pytest.mark.parametrize(
    ("where", "value", "told"),
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
        ("selections_rounds.diverse_evol.whiten", 0, "equal to 1, not 0"),
        ("selections_rounds.diverse_evol.initial", 0, "equal to 1, not 0"),
        (
            "selections_rounds.diverse_evol_static.criterion",
            "margin",
            "_static.space: criterion margin",
        ),
        (
            "selections_rounds.diverse_evol",
            {"sampler": "diverse_evol", "k": 1, "whiten": 4, "criterion": "entropy"},
            "diverse_evol.whiten: criterion entropy reads the model's probabilities, no space: 4",
        ),
        (
            "selections_rounds.diverse_evol_static.warm_start",
            True,
            "diverse_evol_static.warm_start: space static trains nothing: True would do nothing",
        ),
        (
            "selections_rounds.kmq_iterative_rm",
            {"sampler": "kmq_iterative", "k": 4, "quality": "sigmoid(reward)", "model": "other"},
            "kmq_iterative_rm.model: scorer perplexity reads no reward model: 'other' would",
        ),
        ("rounds.launcher", ["accelerate"], "executor inprocess starts nothing, but launcher is"),
        ("selections_rounds.kmq_iterative_rm.quality", "sigmoid(rewrd)", "no scorer is called"),
        ("selections_rounds.kmq_iterative_rm.quality", None, "kmq_iterative draws by one"),
        ("selections.random.sampler", "diverse_evol", "no sampler is called 'diverse_evol'"),
        ("budget_unit", "tokens", "takes its budget in rows, round by round"),
        ("cuts.random_100.of", "randm", "cuts.random_100.of: no selection is called 'randm'"),
        ("cuts.kmq_200", {"of": "kmq", "rounds": 1}, "kmq takes all at once; say `rows` instead"),
        ("cuts.kmq_200", {"of": "kmq"}, "needs one of `rounds` and `rows`, not both"),
        ("cuts.kmq_200", {"of": "kmq", "rows": 1, "rounds": 1}, "needs one of `rounds` and"),
        ("cuts.kmq_iterative_rm_3.rounds", 4, "4 rounds of kmq_iterative_rm, which has 3; lower"),
        ("cuts.diverse_evol_6.rounds", 7, "7 rounds of diverse_evol, which has 6; lower it"),
        ("cuts.kmq_200.rows", 0, "greater than or equal to 1"),
        ("cuts.kmq", {"of": "kmq", "rows": 5}, "cuts.kmq: another row has this name"),
        ("studies.main.selections", ["random", "kmq_200"], "'kmq_200' is a cut; list it in"),
        ("studies.rounds.selections", ["random"], "'random' is no cut; list one of `cuts`"),
        ("rounds.executor", "ray", "rounds.executor"),
        ("selections_rounds.kmq_iterative_rm.max_new_tokens", 256, "no room in rounds.max_length"),
        ("rounds.batch_size", 0, "rounds.batch_size"),
        ("rounds.launchr", [], "rounds.launchr: unknown key"),
        ("judge.modell", "x", "judge.modell: unknown key"),
    ],
)
def test_a_problem_is_named(tmp_path: Path, where: str, value: object, told: str) -> None:
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
    assert [line for line in problems if told in line], problems
    assert all("\n" not in line for line in problems)


def test_the_presets_are_fine() -> None:
    for path in sorted(CONF.parent.glob("*.yaml")):
        assert check_params(path) == []
