"""Time the samplers, k-means, silhouette and Vendi score beside others that do the same.

python -m benchmarks.selection                       all of it: 12 minutes on two cores
python -m benchmarks.selection k_center vendi        only these
python -m benchmarks.selection --rows 5000 --picks 250 --out small.md

Peers that are not installed are left out, and said: pip install -e '.[bench]' has them all.
Ends with 1 where a result is not a peer's.
"""

import argparse
import math
import sys
import time
from pathlib import Path

from tqdm import tqdm

from benchmarks import timing
from benchmarks.cases import CASES, Case, Peer, Sizes
from benchmarks.page import Row, write_page

RESULTS = Path(__file__).with_name("results.md")


def main(argv: list[str] | None = None) -> int:
    """Measure what was asked for and write the page; 1 where anything disagrees."""
    args = _arguments(argv)
    sizes = Sizes(args.rows, args.width, args.picks, args.clusters, args.pairs, args.pair_picks)
    names = args.names or list(CASES)
    out = args.out or (RESULTS if names == list(CASES) and sizes == Sizes() else None)
    begun, rows = time.perf_counter(), []
    bar = tqdm(names, desc="benchmarks", disable=None)
    for name in bar:
        for case in CASES[name](sizes):
            bar.set_postfix_str(f"{case.name}, {case.size}")
            for row in _measured(case, sizes == Sizes()):
                rows.append(row)
                tqdm.write(row.line(), file=sys.stdout)
    if out:
        asked = " ".join(sys.argv[1:] if argv is None else argv)
        write_page(out, rows, f"python -m benchmarks.selection {asked}".strip(), begun)
        tqdm.write(f"benchmarks: written to {out}", file=sys.stdout)
    return int(not all(row.agrees for row in rows))


def _measured(case: Case, full: bool) -> list[Row]:
    seconds, memory = math.nan, math.nan
    if case.memory:  # its compiled code is kept for the rounds beside others
        seconds, size = timing.alone(*case.memory)
        memory = size / 1e9
    if not case.peers:
        return [Row(case, None, seconds, memory, full=full)]
    return [_beside(case, peer, memory, full) for peer in case.peers]


def _beside(case: Case, peer: Peer, memory: float, full: bool) -> Row:
    try:
        ours, theirs = timing.in_turn(case.call, peer.call, peer.rounds)
    except ImportError as error:
        missing = f"{error.name} is not installed"
        ours = timing.clocked(case.call)
        return Row(case, peer, ours.median, memory, agreement=missing, full=full)
    agreement, agrees = peer.agree(ours.result, theirs.result)
    return Row(case, peer, ours.median, memory, theirs.median, agreement, agrees, full)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.selection",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    full = Sizes()
    parser.add_argument("names", nargs="*", metavar="name", help=f"some of: {', '.join(CASES)}")
    parser.add_argument("--rows", type=int, default=full.rows, help="(%(default)s)")
    parser.add_argument("--width", type=int, default=full.width, help="dimensions (%(default)s)")
    parser.add_argument("--picks", type=int, default=full.picks, help="(%(default)s)")
    parser.add_argument("--clusters", type=int, default=full.clusters, help="(%(default)s)")
    many = "rows where a peer holds all pairs (%(default)s)"
    parser.add_argument("--pairs", type=int, default=full.pairs, help=many)
    parser.add_argument("--pair-picks", type=int, default=full.pair_picks, help="(%(default)s)")
    written = "the page to write; benchmarks/results.md where everything is measured in full size"
    parser.add_argument("--out", type=Path, help=written)
    args = parser.parse_args(argv)
    if unknown := sorted(set(args.names) - set(CASES)):
        parser.error(f"no benchmark {unknown[0]!r}; choose from {', '.join(CASES)}")
    _check_sizes(parser, args)
    return args


def _check_sizes(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    for small, large in (("picks", "rows"), ("clusters", "rows"), ("pair_picks", "pairs")):
        value, most = getattr(args, small), getattr(args, large) // 2
        if not 1 <= value <= most:
            flag = f"--{small.replace('_', '-')}"
            parser.error(f"{flag} is {value}; it must be 1 to {most}, half of --{large}")
    if args.width < 2:
        parser.error(f"--width is {args.width}; it must be at least 2")


if __name__ == "__main__":
    sys.exit(main())
