"""`make check`: params.yaml against its schema and the tables, one line a problem."""

import argparse
import sys
from pathlib import Path

from harness.check.check import check_params
from harness.common.progress import guard_output


def main() -> None:
    """Print the problems of params.yaml and exit with 1, or say that there are none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="the file to read")
    path = parser.parse_args().params
    guard_output()
    problems = check_params(path)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if problems:
        sys.exit(1)
    print(f"check: {path} is fine")


if __name__ == "__main__":
    main()
