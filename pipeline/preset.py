"""`make preset PRESET=name`: write params.yaml from conf/name.yaml, the user's edits kept."""

import argparse
from pathlib import Path

from harness.errors import InputError
from harness.preset import presets, switch_preset
from harness.refusals import ending_in_one_line
from harness.stores import locked, run_lock


def main() -> None:
    """Switch to the preset named, or list those there are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("preset", nargs="?", help="a file of conf/, without .yaml")
    parser.add_argument("--pool", help="what becomes prepare.source: a file or a hub id")
    arguments = parser.parse_args()
    root = Path.cwd()
    with ending_in_one_line():
        if arguments.preset is None:
            named = ", ".join(presets(root))
            raise InputError(f"name a preset: make preset PRESET=...; {named}")
        # What runs reads params.yaml at the start of each stage.
        with locked(run_lock(), lambda told: print(f"preset: make repro runs; {told}")):
            for line in switch_preset(root, arguments.preset, arguments.pool):
                print(f"preset: {line}")
    print("preset: dvc params diff shows what changed; make repro runs it")


if __name__ == "__main__":
    main()
