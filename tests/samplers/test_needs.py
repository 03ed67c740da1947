"""What the entries of the tables say of their functions is complete and true."""

import inspect
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.common.errors import InputError
from harness.params.knobs import Entry, knobs_of
from harness.pools.fields import Fields
from harness.pools.formats import FORMATS, format_of
from harness.round_systems import ROUND_SYSTEMS
from harness.samplers import NEEDS, SAMPLERS
from harness.scorers import FILE, MODEL, NO_MODEL, ONE_PASS, SCORERS, TWO_PASSES
from harness.suites import SUITES, load_suite
from tests.helpers.sampler_pools import check_picks, make_pool, refused, take
from tests.helpers.scored_rows import POOL

TABLES: dict[str, tuple[Mapping[str, Entry[Any]], set[str]]] = {
    "samplers": (SAMPLERS, set(NEEDS)),
    "systems in rounds": (ROUND_SYSTEMS, {*NEEDS, "models"}),
    "scorers": (SCORERS, {*MODEL, *FILE}),
}
SPARED = [(key, need) for key, entry in SAMPLERS.items() for need in entry.spared]
GROWTH = {"n": 1, "n log n": 1, "n b at most": 1, "n²": 2}  # powers of n, the budget being fixed


@pytest.mark.parametrize("table", TABLES)
def test_every_entry_is_complete(table: str) -> None:
    entries, words = TABLES[table]
    for key, entry in entries.items():
        assert entry.needs <= words, key
        assert set(entry.spared) <= entry.needs, key
        assert {knob for knob, _ in entry.spared.values()} <= set(knobs_of(entry)), key
        assert entry.source, key
        assert entry.cost, key
        assert 10 < len(entry.summary) < 100, key
        assert inspect.signature(entry) == inspect.signature(entry.function), key


@pytest.mark.parametrize("key", SAMPLERS)
def test_what_a_sampler_needs(key: str) -> None:
    """It either asks for quality, clusters and unit length, or does not look at them."""
    needs = SAMPLERS[key].needs
    pool = make_pool(30)
    picks = take(key, pool, 10).tolist()
    for need, bare in (
        ("quality", replace(pool, quality=None)),
        ("clusters", replace(pool, clusters=None)),
    ):
        if need in needs:
            assert f"needs {need}" in refused(key, bare)
        else:
            assert take(key, bare, 10).tolist() == picks
    others = replace(pool, embeddings=pool.embeddings[::-1].copy())
    assert (take(key, others, 10).tolist() != picks) == ("embeddings" in needs)
    longer = replace(pool, embeddings=pool.embeddings * np.float32(2))
    if "unit" in needs:
        assert "embeddings row 0 has length 2, not 1" in refused(key, longer)
    else:
        check_picks(take(key, longer, 10), longer, 10)


@pytest.mark.parametrize(("key", "need"), SPARED)
def test_a_knob_spares_a_sampler_a_need(key: str, need: str) -> None:
    given: dict[str, Any] = dict([SAMPLERS[key].spared[need]])
    pool = make_pool(30)
    picks = take(key, replace(pool, **{need: None}), 10, **given)
    assert picks.tolist() == take(key, pool, 10, **given).tolist()
    assert need not in SAMPLERS[key].needs_with(given)
    assert need in SAMPLERS[key].needs_with({}), "the default needs it"


def seconds(key: str, n: int) -> float:
    """Processor time of the fastest of five runs; the clusters and the budget stay as they are."""
    pool, spent = replace(make_pool(n), threads=1), []
    for _ in range(5):
        start = time.process_time()
        take(key, pool, 20)
        spent.append(time.process_time() - start)
    return min(spent)


@pytest.mark.parametrize("key", SAMPLERS)
def test_what_a_sampler_takes_grows_as_said(key: str) -> None:
    """Of a pool 8 times as large: some 8 times as long, or 64; machines differ by less than 2.8."""
    squared = GROWTH[SAMPLERS[key].cost] == 2
    seconds(key, 100)  # compiles
    n = 2000 if squared else 4000
    assert (seconds(key, 8 * n) > 22.6 * seconds(key, n)) == squared


@pytest.mark.parametrize("key", ROUND_SYSTEMS)
def test_what_a_system_in_rounds_needs(key: str) -> None:
    """And whether chance enters: in its first round already."""
    entry = ROUND_SYSTEMS[key]
    assert entry.needs == entry().needs
    pool = make_pool(60)
    picks = [entry().choose(pool, 10, np.random.default_rng(seed)).tolist() for seed in range(4)]
    assert any(other != picks[0] for other in picks) == entry.chance


@pytest.mark.parametrize("key", SCORERS)
def test_what_a_scorer_needs_is_a_knob(key: str) -> None:
    entry = SCORERS[key]
    assert {knob for knob in ("model", "file") if knob in knobs_of(entry)} == entry.needs
    assert (entry.cost == NO_MODEL) == ("model" not in entry.needs)
    absent: dict[str, Any] = {need: "./absent" for need in entry.needs}
    if "file" in entry.needs:
        absent["column"] = "q"
    if absent:
        with pytest.raises(InputError, match="absent"):
            entry(POOL, None, **absent)
    else:
        assert entry(POOL, None).shape == (len(POOL),)


PASSES = {ONE_PASS: 1, TWO_PASSES: 2}


@pytest.mark.parametrize("key", ["perplexity", "ifd"])
def test_a_scorer_passes_over_a_row_as_often_as_said(key: str, tiny_model: Path) -> None:
    from transformers import LlamaModel

    rows = 0

    def count(module: torch.nn.Module, given: Any) -> None:  # noqa: ANN401
        nonlocal rows
        rows += isinstance(module, LlamaModel)

    hook = torch.nn.modules.module.register_module_forward_pre_hook(count)
    try:
        first = SCORERS[key](POOL, None, model=str(tiny_model), batch_size=1)
    finally:
        hook.remove()
    assistant = POOL.frame["messages"].map(lambda text: text.count('"assistant"')).sum()
    # Of a conversation, ifd reads each answer alone.
    assert rows == len(POOL) + (PASSES[SCORERS[key].cost] - 1) * assistant
    torch.manual_seed(1)
    again = SCORERS[key](POOL, None, model=str(tiny_model), batch_size=1)
    np.testing.assert_array_equal(first, again)
    assert not SCORERS[key].chance


def test_every_format_is_known_by_its_field() -> None:
    """And is read from that field and the first of the others that it names."""
    turns = {
        "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
        "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}],
    }
    for key, form in FORMATS.items():
        beside = form.beside.split("`")[1::2]
        row = {form.field: turns[form.field]} if form.field in turns else {form.field: "a"}
        for answer in beside if form.field not in turns else [form.field]:
            fields = Fields({**row, answer: row.get(answer, "b")})
            assert format_of(fields) == key
            read = json.dumps(form.read(fields, form.field))
            assert read == json.dumps(turns["messages"])
        assert form.source


@pytest.mark.parametrize("key", SUITES)
def test_every_suite_says_what_it_is(key: str) -> None:
    suite = load_suite(key)
    assert suite.name == key
    assert suite.title
    assert suite.source
    for column in suite.columns:
        if column.chance is not None:
            assert column.kind == "lm_eval", column.name
