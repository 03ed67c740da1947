"""The rows of a study as the statistics of differences read them, and which pairs are tested."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from harness.common.errors import InputError
from harness.params.params import MAIN, Cell, Params
from harness.report.shared.runs import BASELINE, Row, described
from harness.statistics.differences import NAN, Difference, RowTable, Runs, corrected
from harness.statistics.items import Items
from harness.suites import Suite

Pair = tuple[str, str]  # names of a row and of what it is compared with


def judged(params: Params, suite: Suite, rows: Sequence[Row]) -> RowTable:
    """Every row whose headline was run, over the same items.

    Raises InputError where two rows were evaluated on different items, or a seed lacks some.
    """
    head = suite.column(suite.headline)
    measured = [row for row in rows if row.has(head.name)]
    runs: dict[str, Runs] = {}
    items, names = Items.even(np.zeros(1, dtype=np.int64)), None
    for row in measured:
        own, own_names, scores = headline_items(suite, row)
        if names not in (None, own_names):
            raise InputError(
                f"{row.name} and {measured[0].name} were evaluated on different items; "
                "dvc repro evaluates both on the same"
            )
        items, names = own, own_names
        budget = _budget(params, row)
        runs[row.name] = Runs(scores, _same_subset(row), budget, row.trained, row.runs)
    trained = [name for name, one in runs.items() if one.trained]
    named = [BASELINE, *params.report.baselines, *trained]
    main = next((name for name in named if name in runs), next(iter(runs), ""))
    sign = 1 if head.higher_is_better else -1
    return RowTable(items, runs, runs[main].budget if runs else None, sign)


def families(
    params: Params, study: str, table: RowTable, rows: Sequence[Row]
) -> dict[str, dict[str, Difference]]:
    """By baseline of `report.baselines`, the difference from it of every row of other models.

    A row is compared with the baseline of its own base model. Each baseline has a family of its
    own: the selections at its budget, whose p-values are corrected together. A pair that two
    families hold is tested in the first, whose p the second repeats.
    """
    done: dict[str, dict[str, Difference]] = {}
    known: dict[tuple[Hashable, Hashable], Difference] = {}  # by the models of the tested pair
    runs = {row.name: row.runs for row in rows}
    for baseline in params.report.baselines:
        theirs = baselines_of(table, rows, baseline)
        pairs = {
            (row.name, other): row.of in params.every_selection
            for row in rows
            if row.name in table.rows
            and (other := theirs.get(row.cells[0].base))
            and runs[row.name] != runs[other]
        }
        if not theirs:
            continue
        budgets = {table.rows[other].budget for other in theirs.values()}
        at = {budget: table.at(budget) for budget in budgets}
        gaps = {
            (name, other): at[table.rows[other].budget].difference(name, other)
            for name, other in pairs
        }
        tested = [
            (name, other)
            for (name, other), is_selection in pairs.items()
            if is_selection
            and (runs[other], runs[name]) not in known
            and table.rows[name].budget == table.rows[other].budget
        ]
        family = one_p_each(params, study, rows, gaps, tested)
        for name, other in pairs:
            if own := known.get((runs[other], runs[name])):  # seen from the other side
                family[name, other] = _with_p(family[name, other], own)
        known |= {(runs[name], runs[other]): gap for (name, other), gap in family.items()}
        done[baseline] = {name: gap for (name, _), gap in family.items()}
    return done


def baselines_of(table: RowTable, rows: Sequence[Row], baseline: str) -> dict[str, str]:
    """The rows of a baseline by the base model that they train: its whole subsets, if measured."""
    return {
        row.cells[0].base: row.name
        for row in rows
        if row.of == baseline
        and row.name in table.rows
        and row.cells[0].rows is None
        and row.cells[0].rounds is None
    }


def one_p_each(
    params: Params,
    study: str,
    rows: Sequence[Row],
    gaps: Mapping[Pair, Difference],
    tested: Sequence[Pair],
) -> dict[Pair, Difference]:
    """The differences, those of the pairs ``tested`` with p-values corrected together.

    A pair of the main table has its p there and none in another study; pairs of the same runs
    count once and share a p.
    """
    cells = {row.name: row.cells[0] for row in rows}
    first = {row.name: row.runs for row in rows}
    family: dict[Hashable, Difference] = {}
    for pair in tested:
        if not in_main_table(params, study, *(cells[name] for name in pair)):
            family.setdefault(tuple(first[name] for name in pair), gaps[pair])
    known = corrected(family)
    chosen = {
        pair: known.get(tuple(first[name] for name in pair)) if pair in tested else None
        for pair in gaps
    }
    return {pair: _with_p(gap, chosen[pair]) for pair, gap in gaps.items()}


def in_main_table(params: Params, study: str, ours: Cell, theirs: Cell) -> bool:
    """Whether a pair of another study's rows is compared in the main table, too."""
    both = {ours.name, theirs.name} <= set(params.table)
    return study != MAIN and both and theirs.name in params.report.baselines


def tested_in_main_table(
    params: Params, study: str, rows: Sequence[Row], baselines: Iterable[str]
) -> list[str]:
    """The selections of another study whose difference from a baseline the main table tests."""
    cells = {row.name: row.cells[0] for row in rows}
    return [
        name
        for name, cell in cells.items()
        if cell.of in params.every_selection
        and any(
            name != base and base in cells and in_main_table(params, study, cell, cells[base])
            for base in baselines
        )
    ]


def _with_p(gap: Difference, tested: Difference | None) -> Difference:
    if tested is None:
        return replace(gap, p=NAN)
    return replace(gap, holm=tested.holm, critical=tested.critical)


def headline_items(suite: Suite, row: Row) -> tuple[Items, list[tuple[str, str]], np.ndarray]:
    """The items of the headline's benchmarks, their names, and the scores: (seeds, items).

    Benchmarks in the suite's order, items in order of their id, scores in the table's scale.
    Raises InputError where items of a seed are missing.
    """
    import pandas as pd

    head = suite.column(suite.headline)
    of = head.of or [head.name]
    columns = ["task", "item", "seed", "score", "weight", "cluster"]
    samples = row.samples.loc[row.samples["task"].isin(of), columns]
    table = samples.pivot(index=["task", "item"], columns="seed", values="score")
    table = table.reindex(columns=list(row.seeds)).loc[
        sorted(table.index, key=lambda name: (of.index(name[0]), name[1]))
    ]
    missing = set(of) - set(table.index.get_level_values("task"))
    if missing or not np.isfinite(table.to_numpy()).all():
        raise InputError(
            f"samples of {row.name}: items of some seed of {list(row.seeds)} are missing; run "
            f"dvc repro -f -s {' '.join(row.stages)}"
        )
    facts = samples.drop_duplicates(["task", "item"]).set_index(["task", "item"]).loc[table.index]
    items = Items(
        benchmark=np.array([of.index(task) for task in table.index.get_level_values("task")]),
        weight=facts["weight"].to_numpy(),
        cluster=pd.factorize(facts["cluster"])[0],  # -1 where there is none
        share=np.full(len(of), 1 / len(of)),
    )
    return items, list(table.index), table.to_numpy().T


def _same_subset(row: Row) -> bool:
    """Whether every seed trains on the same subset; of one seed that is not known."""
    hashes = {str(manifest.get("subset_hash")) for manifest in row.manifests.values()}
    return len(row.seeds) > 1 and len(hashes) == 1


def _budget(params: Params, row: Row) -> Hashable:
    """What a row's subsets were selected for, and the base model that is trained.

    A number of rows, the mean over seeds; of tokens, where budgets count them.
    """
    cell = row.cells[0]
    whole = cell.rows is None and cell.rounds is None
    if whole and params.budget_unit == "tokens" and cell.of in params.every_selection:
        return cell.base, f"{params.every_selection[cell.of].budget} tokens"
    return cell.base, round(float(np.mean([len(one.picks) for one in described(row).values()])))
