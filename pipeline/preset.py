"""`make preset PRESET=name`: write params.yaml from conf/name.yaml, the user's edits kept."""

import argparse
import sys
from pathlib import Path

from harness.errors import InputError
from harness.preset import presets, switch_preset


def main() -> None:
    """Switch to the preset named, or list those there are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("preset", nargs="?", help="a file of conf/, without .yaml")
    parser.add_argument("--pool", help="what becomes prepare.source: a file or a hub id")
    arguments = parser.parse_args()
    root = Path.cwd()
    try:
        if arguments.preset is None:
            sys.exit(f"error: name a preset: make preset PRESET=...; {', '.join(presets(root))}")
        told = switch_preset(root, arguments.preset, arguments.pool)
    except InputError as error:
        sys.exit(f"error: {error}")
    for line in told:
        print(f"preset: {line}")
    print("preset: dvc params diff shows what changed; make repro runs it")


if __name__ == "__main__":
    main()
