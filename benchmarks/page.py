"""The page of results: a table, what it was measured on, and how to read it."""

import math
import os
import platform
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.cases import LIMIT, Case, Peer
from harness.common.files import replacing
from harness.common.markdown import markdown_text

PACKAGES = ("numpy", "numba", "scikit-learn", "faiss-cpu", "apricot-select", "vendi-score")


@dataclass(frozen=True)
class Row:
    """One line of the table: ours beside a peer, or alone."""

    case: Case
    peer: Peer | None
    seconds: float
    memory: float  # GB beside the embeddings; NaN where it was not measured
    peer_seconds: float = math.nan
    agreement: str = ""
    agrees: bool = True
    full: bool = True  # in full size, where the goals hold

    @property
    def ratio(self) -> float:
        """How many times as long the peer takes."""
        return self.peer_seconds / self.seconds

    def cells(self) -> list[str]:
        """The line as text, cell by cell."""
        beside = self.peer.name if self.peer else "–"
        ratio = "–" if math.isnan(self.ratio) else f"{self.ratio:.3g} x"
        memory = "–" if math.isnan(self.memory) else f"{self.memory:.2f} GB"
        theirs = _seconds(self.peer_seconds)
        goals, reached = self._goals()
        return [
            *(self.case.name, self.case.size, _seconds(self.seconds), memory),
            *(beside, theirs, ratio, self.agreement or "–", goals, reached),
        ]

    def line(self) -> str:
        """The line for a terminal."""
        named = zip(HEAD, self.cells(), strict=True)
        return "; ".join(
            cell if i < 2 else f"{head} {cell}" for i, (head, cell) in enumerate(named)
        )

    def _goals(self) -> tuple[str, str]:
        """What is to be reached, and whether it was: yes, no, or – where there is no goal."""
        goals: list[tuple[str, bool]] = []
        if not self.full:
            return "–", "–"
        if self.peer and self.peer.faster and not math.isnan(self.ratio):
            goals.append((f"{self.peer.faster:g} x", self.ratio >= self.peer.faster))
        if self.case.limit:
            goals.append((f"{self.case.limit:g} s", self.seconds <= self.case.limit))
        if not math.isnan(self.memory):
            goals.append((f"{LIMIT:g} GB", self.memory <= LIMIT))
        if not goals:
            return "–", "–"
        met = self.agrees and all(ok for _, ok in goals)
        return ", ".join(text for text, _ in goals), "yes" if met else "NO"


HEAD = ("what", "size", "ours", "memory", "beside", "theirs", "ratio", "agreement", "goal", "met")


def write_page(path: Path, rows: list[Row], command: str, begun: float) -> None:
    """Write the table as Markdown, with what it was measured on."""
    minutes = (time.perf_counter() - begun) / 60
    lines = [list(HEAD), *(row.cells() for row in rows)]
    cells = [[markdown_text(cell) for cell in line] for line in lines]
    widths = [max(len(line[i]) for line in cells) for i in range(len(HEAD))]
    table = [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |"
        for line in cells
    ]
    table.insert(1, "| " + " | ".join("-" * w for w in widths) + " |")
    text = [
        "# The selection algorithms beside others that do the same",
        "",
        markdown_text(
            f"Written by `{command}` on {datetime.now(UTC):%Y-%m-%d} in {minutes:.0f} min; commit "
            f"{_commit()}; {_machine()}; {_versions()}."
        ),
        "",
        "Unit vectors made by seed: `separated`, around 1,000 directions of very unequal size; "
        "`overlapping`, clusters that run into each other. Ours and its peer run in turn in one "
        "process, each as many threads as it likes; seconds are medians of 3 rounds (1 for "
        "vendi-score's n x n, and where there is no peer). Memory: the peak beside the "
        "embeddings, in a process of its own. Ratio: how many times as long the peer takes. Goal: "
        "a ratio of at least, seconds and memory of at most.",
        "",
        *table,
    ]
    with replacing(path) as file:
        file.write_text("\n".join(text) + "\n")


def _seconds(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3g} s"


def _machine() -> str:
    model = platform.processor() or platform.machine()
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        names = [it for it in listing.read_text().splitlines() if it.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    return f"{os.cpu_count()} cores of {model}"


def _versions() -> str:
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(versions)


def _commit() -> str:
    asked = ["git", "describe", "--always", "--dirty"]
    described = subprocess.run(
        asked, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return described.stdout.strip() or "unknown"
