"""The rows of a subset that a cell is trained on: all, or its beginning."""

from typing import TYPE_CHECKING

from harness.common.errors import InputError
from harness.common.layout import subset_folder
from harness.common.schemas import read_subset
from harness.params.params import Cell, Params

if TYPE_CHECKING:
    import pandas as pd


def cell_subset(params: Params, cell: Cell, seed: int) -> "pd.DataFrame":
    """The rows that a seed of a cell is trained on, in the order of selection."""
    path = subset_folder(cell.of) / cell.group / f"seed_{seed}.parquet"
    return beginning(read_subset(path, params.subset_stage(cell.of)), cell)


def beginning(subset: "pd.DataFrame", cell: Cell) -> "pd.DataFrame":
    """The rows of a subset that a cell is trained on: all, the first few, or the first rounds'.

    A subset is in the order of selection, or in one whose every beginning shares out the clusters
    like the whole: but for rounding and chance, a smaller budget would have taken the same.

    Raises InputError for more rows or rounds than there are.
    """
    subset = subset.sort_values("order", kind="stable")
    if cell.rows is not None:
        if cell.rows > len(subset):
            raise InputError(
                f"further.{cell.key}.rows: {cell.rows} rows of {cell.of}, which has {len(subset)}"
            )
        subset = subset.head(cell.rows)
    if cell.rounds is not None:
        rounds = subset["round"].to_numpy()
        most = int(rounds.max())
        if cell.rounds > most:
            rule = f"which has {most}" if most else "which takes all at once"
            wanted = f"{cell.rounds} rounds of {cell.of}"
            raise InputError(f"further.{cell.key}.rounds: {wanted}, {rule}")
        subset = subset.loc[rounds <= cell.rounds]
    return subset.reset_index(drop=True)
