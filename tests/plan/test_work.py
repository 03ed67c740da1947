"""The planned work against what the lab's runs recorded, and by hand."""

import csv
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from harness.common.errors import InputError
from harness.params.params import MAIN, Params, ScorerParams, load_params
from harness.params.selections import RoundSelection
from harness.params.training import LoraParams
from harness.plan.models import Sizes, read_sizes
from harness.plan.sizes import pool_size
from harness.plan.work import Work, every_work, rows_of
from tests.helpers.presets import preset_file
from tests.helpers.small_repo import ROOT, selection


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> tuple[Params, Sizes]:
    monkeypatch.chdir(ROOT)
    params = load_params(preset_file("lab"))
    return params, read_sizes(params, pool_size(params, measured=True))


def recorded(path: str) -> dict[str, dict[str, str]]:
    with (ROOT / "results" / "lab" / path).open(encoding="utf-8") as file:
        return {line["selection"]: line for line in csv.DictReader(file)}


def tokens(work: list[Work], stage: str, what: str = "") -> float:
    return sum(one.tokens for one in work if one.stage == stage and what in one.what)


def test_the_lab_s_trainings_and_rounds_come_out_as_recorded(lab: tuple[Params, Sizes]) -> None:
    params, sizes = lab
    work = every_work(params, sizes, params.cells(MAIN))
    lines = recorded("main/table.csv")
    trained = sum(int(line["seeds"]) * float(line["train_tokens"]) for line in lines.values())
    assert tokens(work, "train") == pytest.approx(trained, rel=0.05)
    models = next(one.times for one in work if one.stage == "train")
    assert models == sum(int(line["seeds"]) for line in lines.values()) - 1  # none is not trained
    for name in ("kmq_iterative_rm", "diverse_evol"):
        line = lines[name]
        spent = int(line["seeds"]) * float(line["select_tokens"])
        assert tokens(work, "select_rounds", name) == pytest.approx(spent, rel=0.1), name


def test_every_part_is_in_the_sum(lab: tuple[Params, Sizes]) -> None:
    params, sizes = lab
    work = every_work(params, sizes, params.cells(MAIN))
    stages = ["base_model", "reward_model", "embed", "cluster", "score", "select_rounds"]
    stages += ["train", "evaluate"]
    assert list(dict.fromkeys(one.stage for one in work)) == stages
    assert {one.kind for one in work if "kmq_iterative" in one.what} == {
        *("train", "read", "generate")
    }
    n, r = sizes.base.multiplied, sizes.rewards["reward"]
    for one in work:
        if "kmq_iterative" in one.what:
            each = {"training": 6 * n, "feedback by reward": 2 * r.multiplied}
            part = one.what.removeprefix("kmq_iterative_rm: ")
            assert one.flops == pytest.approx(one.tokens * each.get(part, 2 * n))


def loop(params: Params, sizes: Sizes, sampler: str, **knobs: Any) -> dict[str, float]:  # noqa: ANN401
    """Tokens of each part of a selection in rounds, in rows of the pool, over one seed."""
    item = RoundSelection.model_validate(selection(sampler, budget=600, seeds=[0], **knobs))
    changed = {"selections_rounds": {"sel": item}, "seed_groups": ["s0"]}
    changed |= {"table": ["sel"], "further": {}}
    alone = params.model_copy(update=changed)
    work = every_work(alone, sizes, alone.cells(MAIN))
    parts = [one for one in work if one.stage == "select_rounds"]
    return {one.what.removeprefix("sel: "): one.tokens / sizes.pool.tokens for one in parts}


def test_rounds_by_hand(lab: tuple[Params, Sizes]) -> None:
    params, sizes = lab
    prompt = sizes.pool.prompt / sizes.pool.tokens
    answer = sizes.pool.response / sizes.pool.tokens
    three = loop(params, sizes, "kmq_iterative", k=6, quality="sigmoid(reward)", rounds=3)
    # 200, then 400 rows are trained on once and asked about; after the last round nothing is.
    assert three == pytest.approx(
        {
            "training": 600,
            "prompts": 600 * prompt,
            "answers": 600 * answer,
            "feedback by scratch": 600 * 2,
        }
    )
    knobs: dict[str, Any] = {"k": 6, "quality": "sigmoid(reward)", "rounds": 3}
    newest = loop(params, sizes, "kmq_iterative", **knobs, feedback_on="newest", warm_start=True)
    assert newest["training"] == pytest.approx(400)
    assert newest["prompts"] == pytest.approx(400 * prompt)
    judge = loop(params, sizes, "kmq_iterative", **knobs, scorer="judge")
    assert list(judge) == ["training", "prompts", "answers"]
    evolved = loop(params, sizes, "diverse_evol", rounds=5, initial=100)
    taken = [100, 200, 300, 400, 500]
    assert evolved["training"] == pytest.approx(sum(taken) * params.train.epochs)
    assert evolved["reading the pool"] == pytest.approx(5 * sizes.pool.rows)
    unsure = loop(params, sizes, "diverse_evol", rounds=5, initial=100, criterion="margin")
    assert unsure["reading the pool"] == pytest.approx(5 * sizes.pool.rows - sum(taken))
    assert loop(params, sizes, "diverse_evol", rounds=5, space="static") == {}


def test_lora_trains_for_about_4_n_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    params = load_params(preset_file("paper_alpaca"))
    sizes, cells = read_sizes(params, pool_size(params, measured=True)), params.cells(MAIN)
    train = params.train.model_copy(update={"lora": LoraParams(rank=16)})
    small = params.model_copy(update={"train": train})
    n = sizes.base.multiplied
    whole, less = (every_work(one, sizes, cells) for one in (params, small))
    trainings = [(a, b) for a, b in zip(whole, less, strict=True) if a.kind == "train"]
    assert [a.stage for a, _ in trainings] == ["select_rounds", "train"]
    for a, b in trainings:
        assert a.tokens == b.tokens
        assert a.flops == pytest.approx(6 * n * a.tokens)
        assert b.flops == pytest.approx(4 * n * b.tokens, rel=0.02)
        assert b.flops > 4 * n * b.tokens, "the adapters' own"
    assert [a.flops for a in whole if a.kind != "train"] == [
        b.flops for b in less if b.kind != "train"
    ]


def test_a_study_takes_what_is_not_done_yet(lab: tuple[Params, Sizes]) -> None:
    params, sizes = lab
    main, more = params.cells(MAIN), params.cells("rounds")
    assert every_work(params, sizes, main, main) == []
    assert every_work(params, sizes, [*main, *main]) == every_work(params, sizes, main)
    added = every_work(params, sizes, more, main)
    both = every_work(params, sizes, [*main, *more])
    # In main already: the full budget of random and of diverse_evol, and what all share.
    starts = [one for one in added if one.stage == "select_rounds"]
    assert all("diverse_evol_" in one.what for one in starts)
    assert {one.stage for one in added} == {"select_rounds", "train", "evaluate"}
    trained = {cell.name for cell in more} - {"random", "diverse_evol"}
    models = [cell for cell in more if cell.name in trained]
    train = next(one for one in added if one.stage == "train")
    assert train.times == sum(len(cell.seeds) for cell in models)
    alone = every_work(params, sizes, main)
    assert sum(one.flops for one in both) == pytest.approx(
        sum(one.flops for one in [*alone, *added])
    )


def test_scratch_models_of_two_sizes_are_two(lab: tuple[Params, Sizes]) -> None:
    params, _ = lab
    large = params.base_model.model_copy(update={"layers": 8})
    more = params.model_copy(update={"base_models": {"same": params.base_model, "large": large}})
    models = [
        one
        for one in read_sizes(more, pool_size(more, measured=True)).models
        if one.name == "scratch"
    ]
    assert len({one.parameters for one in models}) == len(models) == 2


def test_more_of_anything_costs_more(lab: tuple[Params, Sizes]) -> None:
    params, sizes = lab
    cells = params.cells(MAIN)

    def total(**changes: Any) -> float:  # noqa: ANN401
        changed = params.model_copy(update=changes)
        return sum(one.flops for one in every_work(changed, sizes, cells))

    train, evaluate = params.train, params.evaluate
    epochs = [total(train=train.model_copy(update={"epochs": n})) for n in (1, 2, 4)]
    limits = [total(evaluate=evaluate.model_copy(update={"limit": n})) for n in (10, 50, None)]
    fewer = [total(scorers={}), total()]
    for series in (epochs, limits, fewer):
        assert all(a < b for a, b in pairwise(series))


def test_perplexity_and_ifd_read_what_they_share_once(lab: tuple[Params, Sizes]) -> None:
    params, sizes = lab
    work = every_work(params, sizes, params.cells(MAIN))
    scores = [one for one in work if one.stage == "score" and "scratch" in one.what]
    read = sizes.pool.rows * (sizes.pool.tokens + sizes.pool.response)
    assert sum(one.tokens for one in scores) == pytest.approx(read)


def test_scorers_are_read_with_their_defaults(lab: tuple[Params, Sizes]) -> None:
    params, sizes = lab
    given = {"scorer": "perplexity", "max_length": 2048, "batch_size": 32}
    scorers = {
        name: ScorerParams.model_validate(one)
        for name, one in (
            ("bare", {"scorer": "perplexity"}),
            ("stated", {"scorer": "perplexity", "model": "base"}),
            ("apart", {**given, "batch_size": 4}),
            ("reward", {"scorer": "reward_model"}),  # by default the pipeline's own
        )
    }
    work = every_work(params.model_copy(update={"scorers": scorers}), sizes, params.cells(MAIN))
    scores = [one for one in work if one.stage == "score"]
    whole = sizes.pool.rows * sizes.pool.tokens
    # The second shares the reading of the first; the third's batches are others.
    assert [one.tokens for one in scores] == [whole, whole, whole]
    assert [one.what.partition(" by ")[2] for one in scores] == ["scratch", "scratch", "reward"]
    unknown = ScorerParams.model_validate({"scorer": "deita_quality"})
    asked = params.model_copy(update={"scorers": {"q": unknown}})
    with pytest.raises(InputError, match=r"scorers\.q\.model: hkust-nlp/deita-quality-scorer: its"):
        read_sizes(asked, sizes.pool)


def test_a_budget_in_tokens_is_rows_of_the_mean_length(lab: tuple[Params, Sizes]) -> None:
    params, sizes = lab
    cell = next(one for one in params.cells(MAIN) if one.of == "random")
    tokens = params.model_copy(update={"budget_unit": "tokens"})
    assert rows_of(tokens, cell, sizes.pool) == rows_of(params, cell, sizes.pool) == 600
    item = params.selections["random"].model_copy(update={"budget": 4_800})
    whole = tokens.model_copy(update={"selections": {**params.selections, "random": item}})
    assert rows_of(whole, cell, sizes.pool) == round(4_800 / sizes.pool.tokens)


def test_more_samples_of_a_program_are_more_tokens(lab: tuple[Params, Sizes]) -> None:
    params, sizes = lab
    made = []
    for samples in (None, 10, 40):
        how = params.evaluate.model_copy(update={"code_samples": samples})
        work = every_work(params.model_copy(update={"evaluate": how}), sizes, params.cells(MAIN))
        made.append(tokens([one for one in work if one.kind == "generate"], "evaluate"))
    assert made[0] == made[1] < made[2]


def test_suites_are_counted_where_their_items_are(tmp_path: Path) -> None:
    from harness.plan.stated import suite_counts
    from harness.suites import SUITES, load_suite

    for name in SUITES:
        measured = suite_counts().get(name) or suite_counts()["paper_local"]
        listed = {column.name for column in load_suite(name).columns if column.kind == "lm_eval"}
        assert listed <= set(measured), f"python -m scripts.measure_suites {name}"
