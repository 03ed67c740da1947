"""`make push-results TO=place`, `make pull-results FROM=place`: every run, to and from an archive.

The archive is a DVC remote: a folder, or for pulling a URL under which such a folder is served.
With it, a clone has every run of its `dvc.lock` without training: `make report`, `make ui`.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

from harness.common import layout
from harness.common.disk_errors import ending_in_one_line
from harness.common.errors import InputError, one_line
from harness.params.params import load_params

REMOTE = "results"
_URL = re.compile(r"[a-z][a-z0-9+.-]*://")
VARIABLES = {"push": "TO", "pull": "FROM"}


def main() -> None:
    """Push or pull, and say what is there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("way", choices=VARIABLES)
    parser.add_argument("place", nargs="?", default="", help="a folder, or a URL")
    args = parser.parse_args()
    place = located(args.way, args.place)
    force = ["--force"] if args.way == "pull" else []
    failed = _dvc("remote", "add", "--local", "--force", REMOTE, place)
    failed = failed or _dvc(args.way, "--remote", REMOTE, *force)
    if failed:
        raise InputError(f"{args.way} {place}: {failed}")
    if args.way == "push":
        print(f"pushed to {place}; elsewhere: make pull-results FROM={place}")
        return
    cells = load_params().every_cell()
    there = [cell for cell in cells if (layout.RUNS / cell.path / "metrics.json").is_file()]
    print(f"{len(there)} of {len(cells)} cells of params.yaml are here; make report, make ui")


def located(way: str, place: str) -> str:
    """The place as DVC takes it: a URL as it is, a folder as an absolute path."""
    variable = VARIABLES[way]
    if not place:
        raise InputError(f"{variable}: no place is named; make {way}-results {variable}=folder")
    if _URL.match(place):
        return place
    folder = Path(place).expanduser().resolve()
    if way == "pull" and not folder.is_dir():
        raise InputError(f"{variable}={place}: no such folder, and no URL (https://...)")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{variable}={place}: is a file; name a folder")
    return str(folder)


def _dvc(*words: str) -> str:
    """Run DVC, its progress shown; what went wrong in a line, empty where nothing did."""
    command = [sys.executable, "-m", "dvc", *words]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode == 0:
        return ""
    said = done.stderr.partition("ERROR: ")[2] or done.stderr
    listed = said.partition("targets:\n")[2].partition("\nIs your cache")[0]
    missing = len(listed.splitlines())
    if missing:
        return f"{missing} outputs of dvc.lock are not there: it is of another commit or preset"
    return one_line(said, 300)


if __name__ == "__main__":
    with ending_in_one_line():
        sys.exit(main())
