"""Write what the documents have of the code's tables and of the lab's results.

`python -m scripts.write_tables` replaces what stands between `<!-- made: <name> -->` and the next
`<!-- end -->`; tests/docs/test_docs.py holds the pages to it.
"""

import csv
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.common.disk_errors import ending_in_one_line
from harness.common.errors import InputError
from harness.params.knobs import Entry, knob_text, knobs_of
from harness.pools.formats import FORMATS
from harness.report.shared.tables import p_text
from harness.round_systems import ROUND_SYSTEMS
from harness.samplers import SAMPLERS
from harness.scorers import SCORERS
from harness.suites import SUITES, load_suite

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "results"
PAGES = ("README.md", "docs/fidelity.md", "docs/paper.md", "docs/pools.md", "docs/select.md")
# What a table could have shown: a baseline, and the difference that the tests against it find.
POWER = re.compile(
    r"Tests against (\w+): .*?; (a difference of [\d. to]+ \D+? is found with 80% power)"
)
MARKED = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
SYSTEMS: Mapping[str, Entry[Any]] = {**SAMPLERS, **ROUND_SYSTEMS}


def _table(heads: str, rows: Iterable[list[str]]) -> str:
    cells = [heads.split(" | "), ["---"] * (heads.count(" | ") + 1), *rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)


def systems() -> str:
    """What each system does, what it reads and where it is from."""
    return _table(
        "system | what it does | needs | at random | source",
        (
            [f"`{key}`", it.summary, _words(it.needs), "yes" if it.chance else "no", it.source]
            for key, it in SYSTEMS.items()
        ),
    )


def knobs() -> str:
    """The knobs of each system, and what choosing takes."""
    return _table(
        "system | knobs and their defaults | takes",
        ([f"`{key}`", _knobs(it), it.cost] for key, it in SYSTEMS.items()),
    )


def scorers() -> str:
    """What each scorer gives and what it takes."""
    return _table(
        "scorer | a score is | needs | takes | source",
        (
            [f"`{key}`", it.summary, _words(it.needs), it.cost, it.source]
            for key, it in SCORERS.items()
        ),
    )


def formats() -> str:
    """What each format is known by."""
    return _table(
        "format | field | with | as in",
        ([f"`{key}`", f"`{it.field}`", it.beside, it.source] for key, it in FORMATS.items()),
    )


def suites() -> str:
    """The columns of each suite."""
    rows = []
    for suite in map(load_suite, SUITES):
        columns = ", ".join(column.label for column in suite.columns)
        rows.append([f"`{suite.name}`", suite.title, columns, suite.source])
    return _table("suite | title | columns | source", rows)


SHOWN = ("selection", "rows", "seeds", "Average")  # of the main table, and its differences


def main_table() -> str:
    """Of the lab's main table the headline and the differences; its page has the benchmarks."""
    page = (RESULTS / "lab" / "main" / "table.md").read_text(encoding="utf-8")
    table = page.split("\n| ", 1)[1].split("\n\n", 1)[0]
    lines = [line.strip("| ").split(" | ") for line in table.splitlines()]
    heads = [head.strip() for head in lines[0]]
    kept = [i for i, head in enumerate(heads) if head in SHOWN or head.endswith((")", "]"))]
    rows = (" | ".join(line[i] for i in kept) for line in lines)
    return "\n" + "".join(f"| {row} |\n" for row in rows) + "\n"


def verdicts() -> str:
    """What the lab's main table says of its rows."""
    return _verdicts("lab/main")


def world_verdicts() -> str:
    """What the lab's table over worlds says of its rows."""
    return _verdicts("lab/worlds")


def alpaca_verdicts() -> str:
    """What the main table of the preset alpaca_cpu says of its rows."""
    return _verdicts("alpaca_cpu/main")


def smollm2_verdicts() -> str:
    """What the main table of the preset smollm2 says of its rows."""
    return _verdicts("smollm2/main")


def claims() -> str:
    """Each claim of arXiv 2409.11378: as printed, and as the presets that ran here have it."""
    here = {preset: _claims_of(preset) for preset in ("lab", "alpaca_cpu", "smollm2")}
    known = {key: claim for own in reversed(here.values()) for key, claim in own.items()}
    rows = []
    for key in dict.fromkeys(key for own in here.values() for key in own):
        first = known[key]
        printed = f"{first['published']:+.2f}".replace("-", "−")
        rows.append(
            [f"{first['says']} ({first['where'].partition(', ')[2]})", key, printed]
            + [_claim_cell(preset, claims_here.get(key)) for preset, claims_here in here.items()]
        )
    return "\n" + _table(" | ".join(["claim | as | published", *here]), rows) + "\n"


def _claims_of(preset: str) -> dict[str, dict[str, Any]]:
    """The claims that a preset's studies judged, by the rows compared."""
    claims_here: dict[str, dict[str, Any]] = {}
    files = RESULTS.glob(f"{preset}/*/claims.csv")
    for path in sorted(files, key=lambda file: (file.parent.name != "main", file)):
        for line in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
            claims_here[line["pair"]] = {**line, "study": path.parent.name} | {
                name: float(line[name] or "nan") for name in ("published", "value", "p")
            }
    return claims_here


def _claim_cell(preset: str, claim: dict[str, Any] | None) -> str:
    if claim is None:
        return "–"
    link = f"../results/{preset}/{claim['study']}/table.md"
    digits = 2 if claim["pair"] == "rank correlation" else 1 if preset == "lab" else 3
    value = f"{claim['value']:+.{digits}f}".replace("-", "−")
    return f"{value}, p {p_text(claim['p'])}: [{claim['verdict']}]({link})"


def _verdicts(table: str) -> str:
    page = (RESULTS / table / "table.md").read_text(encoding="utf-8")
    said = [text for text in page.split("\n\n") if text.startswith("Against ")]
    said += [" ".join(f"Against {name}, {most}." for name, most in POWER.findall(page))]
    return "\n" + "".join(f"{textwrap.fill(text, 100)}\n\n" for text in said if text)


MADE = (systems, knobs, scorers, formats, suites, claims)
MADE += (main_table, verdicts, world_verdicts, alpaca_verdicts, smollm2_verdicts)
TABLES: dict[str, Callable[[], str]] = {made.__name__: made for made in MADE}


def _words(needs: frozenset[str]) -> str:
    # Rows of any length are scaled to 1 for those that need it.
    return ", ".join(sorted(needs - {"unit"})) or "–"


def _knobs(entry: Entry[Any]) -> str:
    texts = [knob_text(knob) for knob in knobs_of(entry).values()]
    return ", ".join("`" + text.replace("|", "\\|") + "`" for text in texts) or "–"


def written(page: str) -> str:
    """A page's text with its tables made anew."""
    return MARKED.sub(lambda match: match[1] + TABLES[match[2]]() + match[3], page)


def main() -> None:
    """Write every page."""
    for name in PAGES:
        path = ROOT / name
        try:
            text = written(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            rule = "no such file; git checkout results brings the shipped one back"
            raise InputError(f"{error.filename}: {rule}") from None
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    with ending_in_one_line():
        main()
