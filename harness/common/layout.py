"""The path of every file of a run, relative to the repository."""

from pathlib import Path

DATA = Path("data")
POOL_FILE = DATA / "pool.parquet"
HELDOUT_FILE = DATA / "heldout.parquet"
TRUTH_FILE = DATA / "truth.parquet"
PRETRAINING_FILE = DATA / "pretraining.parquet"
PREFERENCES_FILE = DATA / "preferences.parquet"
CARD_FILE = DATA / "data_card.json"
CONTAMINATION_FILE = DATA / "contamination.json"  # the pool beside benchmarks, by embedding
SCORES_FILE = DATA / "scores.parquet"
SCORE_COSTS_FILE = DATA / "scores.json"
SHARED_COSTS_FILE = DATA / "costs" / "shared.json"
BENCHMARKS = DATA / "benchmarks"
BASE_MODELS = DATA / "base_models"
BASE_MODEL = BASE_MODELS / "main"
REWARD_MODELS = DATA / "reward_models"
REWARD_MODEL = REWARD_MODELS / "main"
EMBEDDINGS = DATA / "embeddings"
CLUSTERS = DATA / "clusters"
SILHOUETTES = DATA / "silhouettes"
RUNS = Path("runs")
WORLDS = Path("worlds")  # a folder each, with the `data` and `runs` of that world
RESULTS = Path("results")
SUBSETS = DATA / "subsets"
SELECTIONS = DATA / "selections"
DESCRIBED = DATA / "described"


def costs_file(unit: str) -> Path:
    """What each instance costs, in a unit of the budget."""
    return DATA / "costs" / f"{unit}.npy"


def cluster_folder(embedding: str, k: int | str) -> Path:
    """The clustering of an embedding with k clusters; k is a number or `auto`."""
    return CLUSTERS / embedding / f"k_{k}"


def silhouette_file(embedding: str, k: int) -> Path:
    """The measures of the clustering with k clusters, without its arrays."""
    return SILHOUETTES / embedding / f"k_{k}.json"


def report_folder(preset: str, name: str) -> Path:
    """The tables and plots of a report: a study's, or the one of the subsets."""
    return RESULTS / preset / name


def page_parts(preset: str) -> Path:
    """What the page of a preset is put together from."""
    return RESULTS / preset / "page"


def page_part(preset: str, name: str) -> Path:
    """What the page shows of a report: its text, its charts."""
    return page_parts(preset) / f"{name}.json"


def examples_file(preset: str) -> Path:
    """The answers of models that the page shows."""
    return RESULTS / preset / "examples.json"


def page_file(preset: str) -> Path:
    """The page of all of a preset's results."""
    return RESULTS / preset / "report.html"


def subset_folder(selection: str) -> Path:
    """The subsets of a selection: ``<group>/seed_<s>.parquet``."""
    return SUBSETS / selection


def selection_folder(selection: str) -> Path:
    """What selecting cost, by seed (``costs.json``), and a record of each round, if any."""
    return SELECTIONS / selection
