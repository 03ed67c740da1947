"""`make samples RUN=name`: a page of what a run was asked and answered, item by item."""

import argparse
import re
import sys
from pathlib import Path

from harness.common.disk_errors import ending_in_one_line
from harness.common.errors import InputError
from harness.params.params import load_params

_EXAMPLES = "make samples RUN=random, RUN=kmq:1 (a seed), RUN=kmq VS=random (side by side)"


def main() -> None:
    """Write the page and say where it is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "run", nargs="?", default="", help="a row of a table, with :seed if not its first"
    )
    parser.add_argument("--vs", default="", help="a second run, beside the first")
    parser.add_argument(
        "--items", default="500", help="of a benchmark at most: a number, or all (500)"
    )
    args = parser.parse_args()
    if not args.run:
        raise InputError(f"RUN: no run is named; {_EXAMPLES}")
    if args.items != "all" and not re.fullmatch(r"[1-9]\d{0,8}", args.items):
        raise InputError(f"ITEMS={args.items}: neither a number from 1 nor all")
    from harness.viewer.page import find_run, write_page

    params = load_params()
    named = {"RUN": args.run} | ({"VS": args.vs} if args.vs else {})
    runs = [find_run(params, name, variable) for variable, name in named.items()]
    name = "_vs_".join(one.replace(":", "_seed_") for one in named.values())
    out = Path("samples") / params.preset / f"{name}.html"
    write_page(params, runs, None if args.items == "all" else int(args.items), out)
    print(f"samples: open {out} in a browser ({out.stat().st_size / 1e6:.1f} MB)")


if __name__ == "__main__":
    with ending_in_one_line():
        sys.exit(main())
