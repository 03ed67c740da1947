"""Where every file of a run lies, relative to the repository."""

from pathlib import Path

DATA = Path("data")
POOL_FILE = DATA / "pool.parquet"
HELDOUT_FILE = DATA / "heldout.parquet"
TRUTH_FILE = DATA / "truth.parquet"
PRETRAINING_FILE = DATA / "pretraining.parquet"
PREFERENCES_FILE = DATA / "preferences.parquet"
CARD_FILE = DATA / "data_card.json"
SCORES_FILE = DATA / "scores.parquet"
SCORE_COSTS_FILE = DATA / "scores.json"
BENCHMARKS = DATA / "benchmarks"
BASE_MODEL = DATA / "base_model"
REWARD_MODEL = DATA / "reward_model"
EMBEDDINGS = DATA / "embeddings"
CLUSTERS = DATA / "clusters"
SILHOUETTES = DATA / "silhouettes"
RUNS = Path("runs")
RESULTS = Path("results")


def costs_file(unit: str) -> Path:
    """What each instance costs in a unit of the budget."""
    return DATA / "costs" / f"{unit}.npy"


def cluster_folder(k: int | str) -> Path:
    """The clustering with k clusters; k is a number or `auto`."""
    return CLUSTERS / f"k_{k}"


def silhouette_file(k: int) -> Path:
    """What is known of the clustering with k clusters, without its arrays."""
    return SILHOUETTES / f"k_{k}.json"


def subset_folder(study: str, selection: str) -> Path:
    """The subsets of a selection: ``<group>/seed_<s>.parquet``."""
    return DATA / "subsets" / study / selection


def selection_file(study: str, selection: str) -> Path:
    """What choosing cost, by seed."""
    return DATA / "selections" / study / f"{selection}.json"


def cell_folder(study: str, selection: str, group: str) -> Path:
    """A cell: one selection and one seed group of a study."""
    return RUNS / study / selection / group
