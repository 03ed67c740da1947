"""The beginnings of subsets, for scores by round and by size."""

from typing import TYPE_CHECKING

from harness.errors import InputError, nearest
from harness.files import replacing_folder
from harness.layout import CUTS, subset_folder
from harness.params import Cut, Params
from harness.schemas import SUBSET, read_subset, write_frame
from harness.stores import seal

if TYPE_CHECKING:
    import pandas as pd


def write_cuts(params: Params, name: str) -> None:
    """Write the beginning of each seed's subset of the selection that a cut names.

    A selection's order is that in which it took its instances, or, by cluster, one of which each
    beginning is shared out as the whole is: a beginning is what a smaller budget would have taken,
    but for rounding and chance.

    Raises:
        InputError: no such cut, or more rounds or rows than the subset has.
    """
    if name not in params.cuts:
        raise InputError(f"cuts: no cut is called {name!r}{nearest(name, params.cuts)}")
    item = params.cuts[name]
    whole = subset_folder("main", item.of)
    with replacing_folder(subset_folder(CUTS, name)) as folder:
        for group in params.groups.main:
            (folder / group).mkdir()
            for seed in params.seeds_of(name, group):
                path = whole / group / f"seed_{seed}.parquet"
                subset = read_subset(path, params.subset_stage(item.of))
                cut = beginning(subset, item, name)
                write_frame(folder / group / f"seed_{seed}.parquet", cut, SUBSET)
            seal(folder / group)


def beginning(subset: "pd.DataFrame", item: Cut, name: str) -> "pd.DataFrame":
    """The rows of the first rounds, or the first rows."""
    subset = subset.sort_values("order", kind="stable")
    if item.rows is not None:
        if item.rows > len(subset):
            told = f"{item.rows} rows of {item.of}, which has {len(subset)}"
            raise InputError(f"cuts.{name}.rows: {told}")
        return subset.head(item.rows).reset_index(drop=True)
    assert item.rounds is not None
    rounds = subset["round"].to_numpy()
    most = int(rounds.max())
    if item.rounds > most:
        rule = f"which has {most}" if most else "which takes all at once"
        raise InputError(f"cuts.{name}.rounds: {item.rounds} rounds of {item.of}, {rule}")
    return subset.loc[rounds <= item.rounds].reset_index(drop=True)
