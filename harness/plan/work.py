"""What each kind of stage reads, trains and generates: tokens and FLOPs, from params and sizes."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from harness.common import flops
from harness.params.knobs import knobs_of
from harness.params.params import MAIN, Cell, Params, ScorerParams
from harness.params.selections import Reference, RoundSelection
from harness.plan.memory import lora_parameters
from harness.plan.models import BASE, REWARD, Sizes, preference_pairs, reward_params, scorer_knobs
from harness.plan.sizes import Model, Pool, part_size
from harness.plan.stated import CHARACTERS_A_TOKEN, stated, suite_counts
from harness.round_systems import ROUND_SYSTEMS
from harness.scorers.responses import read_responses
from harness.suites import Column, Suite, load_suite, task_values

Kind = Literal["train", "read", "generate"]
ITERATIONS = 30  # of k-means, assumed
MINILM = 256  # tokens that it reads at most
MINILM_WIDTH = 384


@dataclass(frozen=True)
class Work:
    """So many tokens that models train on, read or generate, for a kind of stage."""

    stage: str
    what: str
    kind: Kind
    tokens: float
    flops: float
    times: int = 1  # trainings, or models that are evaluated
    model: Model | None = None  # of a training: what learns


def every_work(
    params: Params, sizes: Sizes, cells: Iterable[Cell], done: Iterable[Cell] = ()
) -> list[Work]:
    """The work of all stages that some cells need, in the order of the pipeline.

    A model is trained and evaluated once, however many cells have it. Beside cells that are
    ``done`` it is what others take more: nothing of what all studies share.
    """
    done = list(done)
    cells = list(_not_done(cells, done))
    made = [*_pretraining(params, sizes, cells, done)]
    if not done:
        made += [*_reward_model(params, sizes), *_embedding(params, sizes)]
        made += _scoring(params, sizes)
    made += _rounds(params, sizes, {cell.of for cell in cells} - {cell.of for cell in done})
    made += [*_training(params, sizes, cells), *_evaluating(params, sizes, cells)]
    return [one for one in made if one.flops]


def _not_done(cells: Iterable[Cell], done: Iterable[Cell]) -> Iterator[Cell]:
    """Cells with those of their seeds that no cell before has."""
    known = {(*cell.row, seed) for cell in done for seed in cell.seeds}
    for cell in cells:
        seeds = tuple(seed for seed in cell.seeds if (*cell.row, seed) not in known)
        known.update((*cell.row, seed) for seed in seeds)
        yield replace(cell, seeds=seeds)


def cut(params: Params, pool: Pool) -> float:
    """Tokens of a row that training reads, by the mean."""
    return min(pool.tokens, params.train.max_length)


def _pretraining(
    params: Params, sizes: Sizes, cells: list[Cell], done: list[Cell]
) -> Iterator[Work]:
    wanted = {MAIN, *(cell.base for cell in cells)}
    if done:
        wanted -= {MAIN, *(cell.base for cell in done)}
    models = {MAIN: sizes.base, **sizes.bases}
    for name, item in {MAIN: params.base_model, **params.base_models}.items():
        if item.source == "scratch" and name in wanted:
            spent = flops.training(item.tokens, models[name].multiplied)
            yield Work("base_model", f"pretraining of {name}", "train", item.tokens, spent)


def _reward_model(params: Params, sizes: Sizes) -> Iterator[Work]:
    for name, item in reward_params(params).items():
        model = sizes.rewards.get(name)
        if item.source == BASE and model is not None:
            pairs = preference_pairs(params)
            learnt = 0.9 * pairs if item.pairs is None else min(item.pairs, 0.9 * pairs)
            each = min(sizes.pool.tokens, item.max_length)
            tokens = learnt * 2 * each * item.epochs  # a tenth is held out
            spent = flops.training(tokens, model.multiplied)
            what = f"{name}: on {learnt:,.0f} pairs"
            yield Work("reward_model", what, "train", tokens, spent, model=model)


def _embedding(params: Params, sizes: Sizes) -> Iterator[Work]:
    pool = sizes.pool
    for name, model in sizes.encoders.items():
        if model is not None:
            prompt = params.every_embedding[name].text == "prompt"
            read = pool.prompt if prompt else pool.tokens
            tokens = pool.rows * (min(read, MINILM) if model.name == "minilm" else read)
            spent = flops.reading(tokens, model.multiplied)
            yield Work("embed", f"{name}: {pool.rows:,} rows", "read", tokens, spent)
        width, tried = width_of(model), params.cluster.k
        spent = sum(flops.clustering(pool.rows, width, k, ITERATIONS) for k in tried)
        yield Work("cluster", f"{name}: k-means, {ITERATIONS} iterations", "read", 0, spent)


def width_of(encoder: Model | None) -> int:
    """Numbers in an encoder's vectors; MiniLM's where its shape is not known."""
    return MINILM_WIDTH if encoder is None or encoder.shape is None else encoder.shape.hidden


def _scoring(params: Params, sizes: Sizes) -> Iterator[Work]:
    conditioned = set[tuple[object, ...]]()  # readings that perplexity and IFD share
    for name, item in params.scorers.items():
        model = _scorer_model(name, item, sizes)
        if model is None:
            continue
        knobs = scorer_knobs(item)
        most = int(knobs["max_length"])
        whole = sizes.pool.rows * min(sizes.pool.tokens, most)
        tokens = whole
        if item.scorer in ("ifd", "perplexity"):
            reading = tuple(knobs[name] for name in knobs_of(read_responses))
            tokens = 0 if reading in conditioned else whole
            conditioned.add(reading)
            if item.scorer == "ifd":
                tokens += sizes.pool.rows * min(sizes.pool.response, most)
        spent = flops.reading(tokens, model.multiplied)
        yield Work("score", f"{name} by {model.name}", "read", tokens, spent)


def _scorer_model(name: str, item: ScorerParams, sizes: Sizes) -> Model | None:
    model = scorer_knobs(item).get("model")
    if model is None or (model == REWARD and REWARD not in sizes.rewards):
        return None
    known = {BASE: sizes.base, **sizes.rewards}
    return known[model] if model in known else sizes.scorers[name]


def _rounds(params: Params, sizes: Sizes, wanted: set[str]) -> Iterator[Work]:
    for name, item in params.selections_rounds.items():
        if name in wanted:
            seeds = sum(len(params.seeds_of(name, group)) for group in params.groups_of(name))
            for one in _loop(params, sizes, name, item):
                yield replace(one, tokens=seeds * one.tokens, flops=seeds * one.flops, times=seeds)


def _loop(params: Params, sizes: Sizes, name: str, item: RoundSelection) -> Iterator[Work]:
    """One seed's loop: after each round but the last it trains, and asks what it has trained."""
    system = ROUND_SYSTEMS[item.sampler](**item.sampler_params)
    taken = [*_sums(system.sizes(_budget(params, name, sizes.pool)))]
    knobs: dict[str, Any] = vars(system)
    if "models" not in system.needs:
        return
    newest = [now - before for before, now in zip([0, *taken], taken, strict=False)]
    trained = sum((newest if knobs["warm_start"] else taken)[:-1])
    epochs = knobs["feedback_epochs"] or params.train.epochs
    pool, stage = sizes.pool, "select_rounds"
    tokens = trained * epochs * cut(params, pool)
    yield _trained(stage, f"{name}: training", tokens, sizes.base, params)
    most = params.rounds.max_length
    if item.sampler == "diverse_evol":
        rows = len(taken[:-1]) * pool.rows
        if knobs["criterion"] != "k_center":
            rows -= sum(taken[:-1])
        yield _read(stage, f"{name}: reading the pool", rows * min(pool.tokens, most), sizes.base)
        return
    asked = sum((newest if knobs["feedback_on"] == "newest" else taken)[:-1])
    answer = min(pool.response, knobs["max_new_tokens"])
    yield _read(stage, f"{name}: prompts", asked * min(pool.prompt, most), sizes.base)
    spent = flops.reading(asked * answer, sizes.base.multiplied)
    yield Work(stage, f"{name}: answers", "generate", asked * answer, spent)
    scorer = sizes.base if knobs["scorer"] == "perplexity" else None
    if knobs["scorer"] == "reward_model":
        scorer = sizes.rewards.get(knobs["model"]) or sizes.scorers.get(name)
    if scorer is not None:  # what a judge computes is not known
        both = asked * (min(pool.tokens, most) + min(pool.prompt + answer, most))
        yield _read(stage, f"{name}: feedback by {scorer.name}", both, scorer)


def _sums(sizes: list[int]) -> Iterator[int]:
    total = 0
    for size in sizes:
        total += size
        yield total


def _trained(stage: str, what: str, tokens: float, model: Model, params: Params) -> Work:
    adapter = adapters(params, model)
    size = model.multiplied + (adapter or 0)
    spent = flops.training(tokens, size, adapter)
    return Work(stage, what, "train", tokens, spent, model=model)


def adapters(params: Params, model: Model) -> int | None:
    """Parameters of the LoRA that `train` asks for, as if on every matrix; None without one.

    0 where the model's shape is not known: they are few beside those that stay as they are.
    """
    lora = params.train.lora
    if lora is None:
        return None
    return 0 if model.shape is None else lora_parameters(model.shape, lora.rank)


def _read(stage: str, what: str, tokens: float, model: Model) -> Work:
    return Work(stage, what, "read", tokens, flops.reading(tokens, model.multiplied))


def _training(params: Params, sizes: Sizes, cells: list[Cell]) -> Iterator[Work]:
    """The trainings of each base model."""
    by_base: dict[str, list[int]] = {}  # the rows of each model that is trained
    for cell in cells:
        if rows := rows_of(params, cell, sizes.pool):
            by_base.setdefault(cell.base, []).extend([rows] * len(cell.seeds))
    a_row, most = params.train.epochs * cut(params, sizes.pool), _trial(params, sizes.pool)
    for base, models in by_base.items():
        model = sizes.bases.get(base, sizes.base)
        tokens = sum(min(rows * a_row, most) for rows in models)
        made = _trained("train", f"{len(models)} models of {model.name}", tokens, model, params)
        yield replace(made, times=len(models))


def _trial(params: Params, pool: Pool) -> float:
    """The most tokens that a training reads where `max_steps` makes it a trial."""
    train = params.train
    rows = train.batch_size * train.gradient_accumulation
    return (train.max_steps or math.inf) * rows * cut(params, pool)


def _budget(params: Params, name: str, pool: Pool) -> int:
    """The rows of a selection: of a budget in tokens as many as have them on the mean."""
    if params.budget_unit == "rows":
        return min(params.absolute_budget(name, pool.rows), pool.rows)
    tokens = params.absolute_budget(name, round(pool.rows * pool.tokens))
    return min(max(1, round(tokens / pool.tokens)), pool.rows)


def rows_of(params: Params, cell: Cell, pool: Pool) -> int:
    """How many rows a cell trains on, of a pool."""
    item, whole = params.chosen_by(cell.of), pool.rows
    budget = _budget(params, cell.of, pool)
    if isinstance(item, Reference):
        clean = round(whole * (1 - params.lab.noise))
        budget = {"none": 0, "full": whole, "clean": clean}.get(item.rows, budget)
    if cell.rounds is not None and isinstance(item, RoundSelection):
        parts = ROUND_SYSTEMS[item.sampler](**item.sampler_params).sizes(budget)
        budget = sum(parts[: cell.rounds])
    return min(budget, cell.rows or budget)


def _evaluating(params: Params, sizes: Sizes, cells: list[Cell]) -> Iterator[Work]:
    suite = load_suite(params.evaluate.suite)
    counted = [_column(params, suite, column) or (0.0, 0.0) for column in suite.columns]
    read, generated = (sum(tokens) for tokens in zip(*counted, strict=True))
    read += _held_out(params, sizes.pool, [c for c in suite.columns if c.kind == "bits_per_byte"])
    for base in dict.fromkeys(cell.base for cell in cells):
        model = sizes.bases.get(base, sizes.base)
        times = sum(len(cell.seeds) for cell in cells if cell.base == base)
        parts: list[tuple[str, Kind, float]] = [("reading", "read", read)]
        parts.append(("answers", "generate", generated))
        for what, kind, tokens in parts:
            spent = times * flops.reading(tokens, model.multiplied)
            name = f"{suite.name}: {what}, {times} models of {model.name}"
            yield Work("evaluate", name, kind, times * tokens, spent, times)


def uncounted(params: Params) -> list[str]:
    """The columns of the suite whose tokens were not counted."""
    suite = load_suite(params.evaluate.suite)
    return [c.name for c in suite.columns if _column(params, suite, c) is None]


def judgments(params: Params, work: Iterable[Work]) -> int:
    """How often a judge is asked to compare two answers: in both orders, of every model."""
    suite, limit = load_suite(params.evaluate.suite), params.evaluate.limit or math.inf
    asked = sum(min(stated().judged.questions.get(name, 0), limit) for name in suite.judged)
    models = sum(one.times for one in work if (one.stage, one.kind) == ("evaluate", "generate"))
    return int(2 * asked * models)


def _column(params: Params, suite: Suite, column: Column) -> tuple[float, float] | None:
    """Tokens that are read and generated for a column's items; None where they were not counted.

    Those of bits per byte are the pool's, and a mean has none.
    """
    if column.kind in ("bits_per_byte", "mean"):
        return 0.0, 0.0
    if column.kind == "judge":
        judged = stated().judged
        items = min(judged.questions.get(column.name, 0), params.evaluate.limit or math.inf)
        return items * judged.prompt, items * judged.response
    for name in (suite.name, "paper_local"):  # the same tasks as `paper`, measured from local files
        if counts := suite_counts().get(name, {}).get(column.name):
            limits = (n for n in (column.items, params.evaluate.limit) if n is not None)
            share = min([1.0, *(n / counts["items"] for n in limits)])
            read, generated = (
                share * counts[kind] / CHARACTERS_A_TOKEN for kind in ("read", "generated")
            )
            return read, _sampled(params, suite, column) * generated
    return None


def _sampled(params: Params, suite: Suite, column: Column) -> float:
    """How many answers a code column samples for each that its task file asks for."""
    task = task_values(suite.folder / column.task) if column.task else {}
    asked = params.evaluate.code_samples if task.get("unsafe_code") else None
    return 1.0 if asked is None else asked / task["repeats"]


def _held_out(params: Params, pool: Pool, columns: list[Column]) -> float:
    """Tokens of the held-out rows that bits per byte read, each once."""
    parts = params.prepare.heldout
    wanted = {name for column in columns for name in column.sources or [p.name for p in parts]}
    rows = [part_size(part, pool.rows) for part in parts if part.name in wanted]
    limit = params.evaluate.limit
    return sum(min(size, limit or size) for size in rows) * pool.tokens
