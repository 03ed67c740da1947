"""`python -m harness`: what can be done without the pipeline."""

import logging
import signal
import sys
from types import FrameType

from harness.common.disk_errors import ending_in_one_line
from harness.common.errors import InputError, nearest
from harness.common.progress import on_terminal

COMMANDS = ("select", "relative-score")
HELP = """\
usage: python -m harness select --pool FILE --sampler NAME --budget ROWS
           --out FILE [options]
       python -m harness relative-score JUDGMENTS.jsonl...

Choose instruction data, or score a judge's answers, without the pipeline.

  select          write the rows of a pool that a selection system chooses
  select --list   the systems: what each needs, its knobs and their defaults
  select --help   every option, with examples
  relative-score  a pairwise judge's scores of a model, relative to a reference
  relative-score --help   the form of its files, with an example

The pipeline, which trains and compares what was chosen, is `make repro`.
"""


def main(words: list[str]) -> None:
    """Run the command that the first word names."""
    if not words or words[0] in ("-h", "--help"):
        _say(HELP)
        return
    if words[0] not in (*COMMANDS, "--list"):
        hint = nearest(words[0], COMMANDS)
        raise InputError(f"no command is called {words[0]!r}{hint}; python -m harness --help")
    erase = "\r\033[K" if on_terminal() else ""  # wipes a progress bar off the line
    logging.basicConfig(level=logging.WARNING, format=f"{erase}%(message)s", stream=sys.stderr)
    logging.getLogger("harness").setLevel(logging.INFO)
    # Its warnings are printed as notes.
    logging.getLogger("harness.selecting.subsets").setLevel(logging.ERROR)
    if words[0] == "relative-score":
        from harness.relative_score.command import run
    else:
        from harness.select_command.command import run
    run(words[1:] if words[0] in COMMANDS else words, _say)


def _say(text: str) -> None:
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    sys.stdout.flush()


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt  # so that half-written files are removed


if __name__ == "__main__":
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _stop)
    try:
        with ending_in_one_line():
            main(sys.argv[1:])
    except BrokenPipeError:  # the reader of the pipe, such as `head`, has closed it
        sys.stderr.close()
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped\n")
        sys.exit(130)
