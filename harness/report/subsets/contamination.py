"""Whether the pool asks what the benchmarks ask: by words, and by embedding."""

from dataclasses import dataclass

from harness.common import layout
from harness.common.errors import InputError, one_line
from harness.common.files import read_json
from harness.embedding.files import Reads
from harness.params.params import Params
from harness.report.shared.tables import TextTable, number

PAIRS, LONGEST = 8, 160  # pairs that are shown, and characters of a text
TEXTS = ("item", "prompt")


@dataclass(frozen=True)
class Contamination:
    """What was found: counts by target, the nearest pairs, and what counts.

    Attributes:
        pairs: None where texts are not to be shown.
        words: the definition of an overlap by words.
        removed: rows of the pool that were removed for it.
        prompts, items: how much of them the encoder read.
    """

    table: TextTable
    pairs: TextTable | None
    words: str
    encoder: str
    similarity: float
    removed: int
    prompts: Reads
    items: Reads


def read_contamination(params: Params) -> Contamination | None:
    """What the two stages found; None where there is nothing to search for."""
    card = read_json(layout.CARD_FILE, "dvc repro prepare")
    near = read_json(layout.CONTAMINATION_FILE, "dvc repro contamination")
    targets = near["targets"]
    if missing := targets.keys() - card["overlap_of_pool"].keys():
        rule = f"{layout.CARD_FILE}: nothing of {sorted(missing)[0]}; dvc repro prepare"
        raise InputError(rule)
    if not targets:
        return None
    if "reads" not in near:
        rule = "an older version's, without what the encoder read; dvc repro contamination"
        raise InputError(f"{layout.CONTAMINATION_FILE}: {rule}")
    rows = []
    for name, counts_near in targets.items():
        words = card["overlap_of_pool"][name]
        counts = [words["of"], words["items"], words["rows"], counts_near["items_near"]]
        counts += [counts_near["rows_near"]]
        texts = [number(count, 0) for count in counts]
        rows.append([name, *texts, number(counts_near["median_similarity"], 2)])
    heads = ["searched for", "items", "overlapping items", "overlapping rows", "near items"]
    heads += ["near rows", "median similarity"]
    pairs = [one for counts_near in targets.values() for one in counts_near["nearest"]]
    pairs.sort(key=lambda one: -one["similarity"])
    lines = [
        [number(one["similarity"], 2), *(one_line(one[name], LONGEST) for name in TEXTS)]
        for one in pairs[:PAIRS]
    ]
    return Contamination(
        TextTable(heads, rows),
        TextTable(["similarity", "item", "prompt"], lines) if params.report.texts else None,
        card["overlap_definition"],
        near["encoder"],
        near["similarity"],
        card["pool_rows_removed_for_overlap"],
        Reads(**near["reads"]["prompts"]),
        Reads(**near["reads"]["items"]),
    )
