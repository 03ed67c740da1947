"""A plan as text: models and data, stages, work, memory, disk, time."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from harness.common.locations import on_hub
from harness.common.markdown import aligned
from harness.params.params import Params
from harness.params.prepare import FROM_POOL
from harness.plan import memory
from harness.plan.models import Sizes
from harness.plan.sizes import Model, source_of
from harness.plan.stated import Card, find_card, stated
from harness.plan.work import Work, adapters, cut, judgments, uncounted, width_of
from harness.suites import load_suite

RANK = 16  # of the LoRA that stands beside full training
STAGE_SECONDS = 6.0  # of a stage beside its work: the mean of conf/durations.json
UNPINNED = "not pinned: make pin"
AVX2 = "cpu_avx2"  # the card of a CPU without AVX-512, named beside the other


@dataclass(frozen=True)
class Plan:
    """What a preset will take on a card, and what is known of its time otherwise.

    Attributes:
        params: the whole of them.
        sizes: of models and pool.
        work: of all stages that `make repro` runs.
        others: of each other study, which `dvc repro` runs too, what it takes more than those
            before it.
        stages: the names in DVC of the stages that `make repro` runs.
        more_stages: of those that the other studies run besides.
        card: what runs them.
        jobs: stages side by side, on a CPU.
        measured: seconds by stages that were measured, None where the preset never was.
    """

    params: Params
    sizes: Sizes
    work: list[Work]
    others: dict[str, list[Work]]
    stages: list[str]
    more_stages: list[str]
    card: Card
    jobs: int
    measured: float | None

    @property
    def hours(self) -> float:
        """What the work takes on the card, one at a time, with the stages' own seconds."""
        return self._hours(self.work, self.stages)

    @property
    def more_hours(self) -> float:
        """What the other studies take besides."""
        return self._hours(self.more_work, self.more_stages)

    @property
    def more_work(self) -> list[Work]:
        """That of all other studies."""
        return [one for work in self.others.values() for one in work]

    def _hours(self, work: list[Work], stages: list[str]) -> float:
        own = STAGE_SECONDS * len(stages) / self.jobs / 3600
        return own + sum(self.card.hours(one.flops, one.kind) for one in work)

    @property
    def on_cpu(self) -> bool:
        """Whether there is no card."""
        return self.card.memory_gb is None


def page(plan: Plan) -> str:
    """The whole plan, as `make plan` prints it."""
    name, card = plan.params.preset, plan.card
    head = f"{name}: what make repro will take on {card.name}, before anything runs"
    parts = [head, _models(plan), _stages(plan.stages), _work(plan), _memory(plan)]
    return "\n\n".join([*parts, _disk(plan), _time(plan), *_notes(plan)])


def _models(plan: Plan) -> str:
    pool = plan.sizes.pool
    rows = [["models and data", "size", "known how", "revision"]]
    for model in plan.sizes.models:
        size = f"{_short(model.parameters)} parameters, N {_short(model.multiplied)}"
        rows.append([model.name, size, model.how, _revision(model.on_hub, model.revision)])
    size = f"{pool.rows:,} rows of {pool.tokens:.0f} tokens"
    rows.append([pool.name, size, pool.how, _revision(on_hub(pool.name), pool.revision)])
    return aligned([*rows, *_parts(plan), *_benchmarks(plan.params)])


def _parts(plan: Plan) -> list[list[str]]:
    """What is held out or pretrained on of other sources than the pool's, a row each."""
    prepare, pool = plan.params.prepare, plan.sizes.pool
    sources: dict[tuple[str, str | None], list[str]] = {}
    for what, parts in (("held out", prepare.heldout), ("pretraining", prepare.pretraining)):
        for source in dict.fromkeys(part.source for part in parts):
            if source != FROM_POOL:
                sources.setdefault(source_of(plan.params, source), []).append(what)
    return [
        [name, ", ".join(dict.fromkeys(uses)), "–", _revision(on_hub(name), revision)]
        for (name, revision), uses in sources.items()
        if name != pool.name
    ]


def _benchmarks(params: Params) -> list[list[str]]:
    """The hub's data sets whose items the suite takes, a row each; none for a suite of files."""
    suite = load_suite(params.evaluate.suite)
    sources = dict.fromkeys((one.path, one.revision) for one in suite.data.values())
    # `make pin` writes to params alone.
    missing = f"not pinned: revision in {suite.folder.name}/suite.yaml"
    return [
        [path, f"benchmark of {suite.name}", "–", revision[:12] if revision else missing]
        for path, revision in sources
        if on_hub(path)
    ]


def _revision(on_hub: bool, revision: str | None) -> str:
    if not on_hub:
        return "–"
    return revision[:12] if revision else UNPINNED


def _stages(stages: Iterable[str]) -> str:
    counts = Counter(name.partition("@")[0] for name in stages)
    listed = ", ".join(f"{name} {count}" for name, count in counts.items())
    return f"stages: {sum(counts.values())} ({listed})"


def _work(plan: Plan) -> str:
    rows = [["work", "tokens", "FLOPs", "time"]]
    rows += [_sum(plan.card, f"{one.stage}: {one.what}", [one]) for one in plan.work]
    rows.append(_sum(plan.card, "sum", plan.work))
    for study, work in plan.others.items():
        models = sum(one.times for one in work if one.stage == "train")
        rows.append(_sum(plan.card, f"study {study}: {models} models more", work))
    text = aligned(rows)
    if plan.others:
        text += (
            "\nstudies: python -m pipeline.make.repro --target report_study@NAME (or page, all); "
            "each takes at most so much beside those above"
        )
    if plan.params.worlds:
        text += "\nother worlds are not counted"
    return text


def _sum(card: Card, what: str, work: list[Work]) -> list[str]:
    tokens, spent = sum(one.tokens for one in work), sum(one.flops for one in work)
    hours = sum(card.hours(one.flops, one.kind) for one in work)
    return [what, _short(tokens), _flops(spent), _hours(hours)]


@dataclass(frozen=True)
class Training:
    """Bytes that the training of a model takes, with so many rows of a length a step."""

    model: Model
    needs: float
    how: str
    batch: int
    length: int


def _memory(plan: Plan) -> str:
    params, rewards = plan.params, plan.sizes.rewards.values()
    made = [one.model for one in (*plan.work, *plan.more_work) if one.model is not None]
    trained = [_training(params, model, model in rewards) for model in dict.fromkeys(made)]
    trained.sort(key=lambda one: -one.needs)
    lines = [f"training {one.model.name} {_gb(one.needs)} ({one.how})" for one in trained]
    most = next((one for one in trained if one.model not in rewards), None)
    other = _other_ways(params, most) if most is not None else {}
    if most is not None and other:
        ways = ", ".join(f"{how} {_gb(size)}" for how, size in other.items())
        lines.append(f"{most.model.name} {ways}")
    rows = max(params.evaluate.batch_size, params.rounds.batch_size)
    needs, reader = max(
        (memory.reading(one.parameters, one.shape, rows, params.rounds.max_length), one.name)
        for one in plan.sizes.models
    )
    lines.append(f"reading with {reader} {_gb(needs)} ({rows} rows at once)")
    if plan.card.memory_gb is not None:
        every = [(one.needs, one.model.name) for one in trained]
        lines.append(_fits(plan.card, [*every, (needs, f"reading with {reader}")], other))
    return "memory: " + f"\n{' ' * 8}".join(lines)


def _training(params: Params, model: Model, is_reward: bool) -> Training:
    train, reward = params.train, params.reward_model
    adapter = None if is_reward else adapters(params, model)
    saves = train.gradient_checkpointing and not is_reward
    batch = 2 * reward.batch_size if is_reward else train.batch_size  # both responses of a pair
    length = reward.max_length if is_reward else train.max_length
    if model.shape is not None:
        length = min(length, model.shape.context)
    needs = memory.training(model.parameters, model.shape, batch, length, adapter, saves)
    how = "all weights" if adapter is None else "LoRA"
    how += f" of {_short(adapter)} parameters" if adapter else ""
    how += ", checkpointing" if saves else ""
    return Training(model, needs, f"{how}; {batch} rows of {length} tokens a step", batch, length)


def _other_ways(params: Params, most: Training) -> dict[str, float]:
    """Bytes with checkpointing, LoRA and both, of those that are not on."""
    shape, size, at = most.model.shape, most.model.parameters, (most.batch, most.length)
    adapter, saves = adapters(params, most.model), params.train.gradient_checkpointing
    if shape is None:
        return {}
    small, ways = memory.lora_parameters(shape, RANK), dict[str, float]()
    if not saves:
        ways["with checkpointing"] = memory.training(size, shape, *at, adapter, True)
    if adapter is None:
        ways[f"by LoRA of rank {RANK}"] = memory.training(size, shape, *at, small, saves)
    if len(ways) == 2:
        ways["by both"] = memory.training(size, shape, *at, small, True)
    return ways


def _fits(card: Card, needs: list[tuple[float, str]], other: Mapping[str, float]) -> str:
    """Whether everything fits a card, of bytes with what takes them; else which other way would."""
    assert card.memory_gb is not None
    room = card.memory_gb * memory.GB
    large = [what for size, what in needs if size > room]
    if not large:
        return f"fits {card.name} ({card.memory_gb:g} GB)"
    cards = -(-max(needs)[0] // room)
    ways = [how for how, size in other.items() if size <= room]
    ways.append(f"on {cards:.0f} cards that share it (train.launcher: fsdp or zero3)")
    rule = f"does not fit {card.name} ({card.memory_gb:g} GB): {', '.join(large)}"
    return f"{rule}; would fit: {', '.join(ways)}"


def _disk(plan: Plan) -> str:
    sizes = plan.sizes
    fetched = sum(2 * model.parameters for model in sizes.models if model.on_hub)
    bases = (sizes.base, *sizes.bases.values(), *sizes.rewards.values())
    copied = 2 * sum(_copied(model) for model in bases)  # and in DVC's cache
    kept, models = _kept(plan)
    vectors = sum(4 * sizes.pool.rows * width_of(model) for model in sizes.encoders.values())
    arrays = 2 * vectors  # and in DVC's cache
    total = fetched + copied + kept + arrays
    studies = ", the other studies' included" if plan.others else ""
    return (
        f"disk: {_gb(total)}{studies}: {_gb(fetched)} fetched, {_gb(copied)} of models in data/ "
        f"and DVC's cache, {_gb(kept)} of {models}, {_gb(arrays)} of vectors"
    )


def _kept(plan: Plan) -> tuple[float, str]:
    """Bytes of trained weights that lie side by side, and in words what they are."""
    how = plan.params.train.keep_models
    works = [one for work in (plan.work, *plan.others.values()) for one in work]
    made = [(one.times, one.model) for one in works if one.stage == "train" and one.model]
    sizes = [4 * _written(plan.params, model) for _, model in made]
    count = sum(times for times, _ in made)
    if how != "none":
        total = sum(size * times for size, (times, _) in zip(sizes, made, strict=True))
        return total, f"{count} trained models (keep_models: {how})"
    # A stage trains the models of a cell, and `make repro` evaluates them before it trains others.
    cell = max(len(one.seeds) for one in plan.params.every_cell())
    most = min(count, plan.jobs * cell)
    models = "1 trained model" if most == 1 else f"{most} trained models"
    return most * max(sizes, default=0), f"{models} at once (keep_models: none)"


def _written(params: Params, model: Model) -> int:
    """Parameters in the files of a trained model."""
    adapter = adapters(params, model) if params.train.keep_models != "full" else None
    return model.parameters if adapter is None else adapter


def _copied(model: Model) -> int:
    return (2 if model.on_hub else 4) * model.parameters


def _time(plan: Plan) -> str:
    more = f"; {_hours(plan.more_hours)} more for the other studies" if plan.others else ""
    what = f"{_hours(plan.hours)} on {plan.card.name}"
    if not plan.on_cpu:
        share = f"{plan.card.train:.0%}, {plan.card.read:.0%} and {plan.card.generate:.1%}"
        what += f", at {share} of its peak in training, reading and generating (assumed)"
        return f"time: {what}{more}"
    jobs = f"{plan.jobs} stages side by side" if plan.jobs > 1 else "one stage at a time"
    what += f", {jobs}, by FLOPs and {STAGE_SECONDS:g} s a stage{more}"
    if plan.measured is not None:
        what = f"{_hours(plan.measured / 3600)} by the stages' measured seconds; {what}"
    older = replace(plan, card=find_card(AVX2))
    if plan.card == older.card:
        return f"time: {what}"
    return f"time: {what}\n      {_hours(older.hours)} on {older.card.name} (CARD={AVX2})"


def _notes(plan: Plan) -> list[str]:
    long = plan.sizes.pool.tokens > cut(plan.params, plan.sizes.pool)
    notes = ["formulas and what they leave out: docs/plan.md"]
    if left := uncounted(plan.params):
        suite = plan.params.evaluate.suite
        how = f"python -m scripts.measure_suites {suite}"
        notes.insert(0, f"not counted: evaluating {', '.join(left)} of {suite} ({how})")
    if asked := judgments(plan.params, plan.work):
        more = judgments(plan.params, plan.more_work)
        others = f", {more:,} more for the other studies" if more else ""
        judge = f"a judge ({plan.params.judge.model}) is asked {asked:,} times{others}"
        notes.insert(0, f"{judge}{_judge_usd(plan.params, asked + more)}: docs/judge.md")
    if long:
        most = plan.params.train.max_length
        notes.insert(0, f"rows are longer than train.max_length on the mean, and are cut to {most}")
    return notes


def _judge_usd(params: Params, asked: int) -> str:
    """What so many judgments cost, where params have prices."""
    each = stated().judged
    usd = params.judge.cost(round(asked * each.read), round(asked * each.written))
    if usd is None:
        return ""
    lengths = f"{each.read:g} tokens read and {each.written:g} written each: assumed"
    return f", about USD {usd:,.0f} ({lengths})"


def _short(value: float) -> str:
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.0f}"


def _flops(value: float) -> str:
    return f"{value:.1e}".replace("e+0", "e").replace("e+", "e")


def _gb(value: float) -> str:
    return f"{value / memory.GB:.3g} GB"


def _hours(value: float) -> str:
    if value < 1 / 60:
        return f"{3600 * value:.0f} s"
    if value < 1:
        return f"{60 * value:.0f} min"
    return f"{value:.1f} h" if value < 48 else f"{value / 24:.1f} days"
