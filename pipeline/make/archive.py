"""`make push-results TO=place`, `make pull-results FROM=place`: every run, to and from an archive.

The archive is a DVC remote: a folder, or for pulling a URL under which such a folder is served.
With it, a clone has every run of its `dvc.lock` without training: `make report`, `make ui`.
"""

import argparse
import json
import re
import subprocess
import sys
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from harness.common import layout
from harness.common.disk_errors import ending_in_one_line
from harness.common.errors import InputError, one_line
from harness.params.params import load_params

REMOTE = "results"
_URL = re.compile(r"[a-z][a-z0-9+.-]+://[^/]", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)
VARIABLES = {"push": "TO", "pull": "FROM"}


def main() -> None:
    """Push or pull, and say what is there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("way", choices=VARIABLES)
    parser.add_argument("place", nargs="?", default="", help="a folder, or a URL")
    args = parser.parse_args()
    place = located(args.way, args.place)
    _nothing_lost(args.way, args.place)
    _reached(place)
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
    if _SCHEME.match(place):
        raise InputError(f"{variable}={place}: no folder, and no URL (https://host/path)")
    folder = Path(place).expanduser().resolve()
    if way == "pull" and not folder.is_dir():
        raise InputError(f"{variable}={place}: no such folder, and no URL (https://...)")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{variable}={place}: is a file; name a folder")
    return str(folder)


def _nothing_lost(way: str, place: str) -> None:
    """Refuse to push what is not all here, and to pull over what is in no cache."""
    variable, state = VARIABLES[way], _data_status()
    missing = state.get("not_in_cache", [])
    changed = state.get("uncommitted", {})
    if way == "push" and (missing := [*missing, *changed.get("deleted", [])]):
        rule = f"{len(missing)} outputs of dvc.lock are not here ({missing[0]}, ...)"
        raise InputError(f"{variable}={place}: {rule}; make repro or dvc checkout makes them")
    if way == "pull" and (own := [*changed.get("modified", []), *changed.get("added", [])]):
        rule = f"{own[0]} is not as dvc.lock has it and would be replaced"
        raise InputError(f"{variable}={place}: {rule}; move it, or keep it by dvc commit")


def _reached(place: str) -> None:
    """Whether a web server answers; to DVC one that does not is an archive without files."""
    if not place.lower().startswith(("http://", "https://")):
        return
    try:
        urlopen(place, timeout=30).close()
    except HTTPError:
        return  # of the folder itself; its files may be there
    except (OSError, ValueError, HTTPException) as error:
        raise InputError(f"{place}: cannot be reached ({one_line(error, 200)})") from None


def _data_status() -> dict[str, Any]:
    """What of the outputs is in no cache, and what differs from ``dvc.lock`` here."""
    command = [sys.executable, "-m", "dvc", "data", "status", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(one_line(done.stderr.partition("ERROR: ")[2] or done.stderr, 300))
    state: dict[str, Any] = json.loads(done.stdout)
    return state


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
        rule = "it is not whole, or of another commit or preset"
        return f"{missing} outputs of dvc.lock could not be had from there: {rule}"
    own = said.partition("Having any troubles?")[0]  # what follows is about DVC's support
    return one_line(own.removeprefix("unexpected error - "), 300)


if __name__ == "__main__":
    with ending_in_one_line():
        sys.exit(main())
