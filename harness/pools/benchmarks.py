"""The items of a suite's benchmarks, read where they are published and drawn by seed."""

from collections.abc import Mapping, Sequence

import numpy as np

from harness.common.errors import InputError, nearest, shown
from harness.lab.randomness import stream
from harness.params.prepare import Part, PrepareParams
from harness.pools.instances import raw_items
from harness.pools.sources import load
from harness.pools.splits import draw
from harness.suites.items import CONVERTERS, Item, ItemSource

WORLD_TEXT = ["question", "prompt"]  # where the items of a generated world have their question


def read_items(params: PrepareParams, data: Mapping[str, ItemSource]) -> dict[str, list[Item]]:
    """The items of each file that a suite names, in the fields that its tasks read.

    InputError for a missing or empty file, a bad row, and fewer rows than are to be taken.
    """
    made = {}
    for name, wanted in data.items():
        source = params.completed(wanted)
        rows = list(raw_items(load(source), source.where, name))
        if not rows:
            raise InputError(f"benchmark {name}: {source.path} has no items; give its file again")
        items = [_converted(row, wanted.convert, name, n) for n, row in enumerate(rows, 1)]
        _check_ids(items, name)
        stream_name = f"benchmarks/{name}"
        if wanted.evenly is None:
            part = Part(name=name, source=source.path, rows=wanted.rows, take=wanted.take)
            made[name] = draw(items, part, len(items), params.seed, stream_name)
        else:
            made[name] = drawn_evenly(items, wanted, params.seed, stream_name)
    return made


def _converted(row: Item, convert: str | None, name: str, number: int) -> Item:
    if convert is None:
        return row
    if convert not in CONVERTERS:
        raise InputError(f"benchmark {name}: convert {convert!r}{nearest(convert, CONVERTERS)}")
    try:
        return CONVERTERS[convert](row)
    except KeyError as error:
        rule = f"no field {error}; it has {', '.join(sorted(row))}"
    except (ValueError, TypeError, AttributeError) as error:
        rule = str(error)
    raise InputError(f"benchmark {name}, row {number}: {rule}") from None


def _check_ids(items: Sequence[Item], name: str) -> None:
    """Raise InputError for an id of two items: scores are kept by it."""
    places: dict[object, int] = {}
    for number, item in enumerate(items, 1):
        if (first := places.setdefault(item.get("id", number), number)) != number:
            rule = f"id {shown(repr(item['id']))} is also that of row {first}"
            raise InputError(f"benchmark {name}, row {number}: {rule}; give each its own, or none")


def drawn_evenly(items: Sequence[Item], wanted: ItemSource, seed: int, name: str) -> list[Item]:
    """So many items, as evenly as there are over the values of a field, in their old order.

    Each value gives one in turn, in a random order of values and of items, until there are enough.
    """
    size = wanted.rows
    if not isinstance(size, int) or size > len(items):
        rule = f"rows is {size}; with evenly it must be a whole number from 1 to {len(items)}"
        raise InputError(f"benchmark {wanted.path}: {rule}")
    rng = stream(seed, name)
    turns: dict[str, list[int]] = {}
    for i in rng.permutation(len(items)):
        value = items[i].get(str(wanted.evenly))
        if not isinstance(value, str):
            rule = f"an item has no text in field {wanted.evenly!r}, but {shown(repr(value))}"
            raise InputError(f"benchmark {wanted.path}: {rule}")
        turns.setdefault(value, []).append(int(i))
    # The k-th item of each value, for k = 0, 1, ...; within a turn in the order of first drawn.
    order = sorted((k, place) for place, own in enumerate(turns.values()) for k in range(len(own)))
    groups = list(turns.values())
    return [items[i] for i in np.sort([groups[place][k] for k, place in order[:size]])]


def searched_texts(
    benchmarks: Mapping[str, Sequence[Item]], data: Mapping[str, ItemSource]
) -> dict[str, list[str]]:
    """The texts in which a pool is searched for each benchmark: ``benchmark/<name>``."""
    texts = {}
    for name, items in benchmarks.items():
        fields = data[name].text if name in data else WORLD_TEXT
        if own := item_texts(name, items, fields):
            texts[f"benchmark/{name}"] = own
    return texts


def item_texts(name: str, items: Sequence[Item], fields: Sequence[str]) -> list[str]:
    """The text of each item in which a pool is searched for it; none without such fields."""
    texts = [" ".join(str(item[f]) for f in fields if item.get(f)) for item in items]
    if fields and items and not any(texts):
        given = ", ".join(sorted(items[0]))
        raise InputError(f"benchmark {name}: no item has {' or '.join(fields)}; fields: {given}")
    return texts if fields else []
