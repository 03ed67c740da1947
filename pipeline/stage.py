"""What every stage starts with: its arguments, its log, and errors of one line."""

import argparse
import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from harness.common.disk_errors import ending_in_one_line
from harness.common.errors import InputError, nearest, shown
from harness.params.params import Cell, Params, load_params
from harness.tracking.system import sample_in_background

if TYPE_CHECKING:
    import psutil

Item = TypeVar("Item")

# The arguments of a stage that works on one cell of a study.
CELL = (
    ("name", "a row of params.yaml: table, or without a group an entry of params.yaml: further"),
    ("group?", "a seed group, as s0_1_2"),
)
NAMES = re.compile(r"[A-Za-z0-9_]+")  # of rows, embeddings, seed groups; numbers of clusters


def main(run: Callable[..., None], *arguments: tuple[str, str]) -> None:
    """Run a stage with its positional arguments, given as (name, help) pairs.

    An argument called `name?` may be absent. DVC passes those of a cell in the environment. Bad
    input ends the stage with one line and status 1. The stage ends with the process that started
    it: the child of a killed ``dvc`` would otherwise go on beside the next one.
    """
    parser = argparse.ArgumentParser(description=(run.__doc__ or "").splitlines()[0])
    for name, text in arguments:
        optional: dict[str, Any] = {"nargs": "?", "default": ""} if name.endswith("?") else {}
        parser.add_argument(name.removesuffix("?"), help=text, **optional)
    try:
        with ending_in_one_line():
            values = vars(parser.parse_args([*sys.argv[1:], *names_of_cell()]))
            logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
            logging.getLogger("harness").setLevel(logging.INFO)
            if stage := os.environ.get("DVC_STAGE", "").rpartition(":")[2]:
                end_with_dvc()
                if stage.startswith("train"):
                    sample_in_background(stage)
            run(**values)
    except KeyboardInterrupt:
        sys.exit(130)


def entry(table: Mapping[str, Item], name: str, section: str, noun: str) -> Item:
    """The entry of that name in a section of params.yaml; InputError where there is none."""
    if name not in table:
        raise InputError(f"{section}: no {noun} is called {name!r}{nearest(name, table)}")
    return table[name]


def named_cell(name: str, group: str) -> tuple[Params, Cell]:
    """The params, and in them the cell of a row and its group or of an entry of `further`."""
    params = load_params()
    return params, params.main_cell(name, group) if group else params.further_cell(name)


def names_of_cell() -> list[str]:
    """The names of the cell that DVC runs; none for a stage without cells, or without DVC.

    They are not part of the stage's command: DVC gives that to a shell, which would run a name.
    """
    # `train@random-s0_1`, after the path of dvc.yaml where DVC was called elsewhere.
    called = re.match(r"(?:[^@]*:)?([^@]*)@?", os.environ.get("DVC_STAGE", ""))
    assert called is not None
    cell = called.string[called.end() :]
    names = cell.split("-") if cell else []
    if not all(NAMES.fullmatch(name) for name in names):
        raise InputError(
            f"params.yaml: {called[1]} of {shown(repr(cell), 110)}: names hold letters, digits and "
            "_ only; make check says which to rename"
        )
    return names


def end_with_dvc() -> None:
    """End this process within half a second of the ``dvc`` that started it, however that died.

    ``dvc`` starts a stage through a shell, so the parent may live on: the ancestor that runs
    ``dvc`` is watched instead. Unfinished work stays in scratch folders for the next run.
    """
    import psutil

    ancestors = psutil.Process().parents()
    watched = [p for p in ancestors if any("dvc" in part for part in _command(p))][:1]

    def watch(process: psutil.Process) -> None:
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)

    if not watched and os.getppid() == 1:
        os.kill(os.getpid(), signal.SIGKILL)  # `dvc` had died already
    for process in watched:
        threading.Thread(target=watch, args=(process,), daemon=True).start()


def _command(process: "psutil.Process") -> list[str]:
    import psutil

    try:
        # The program and its first arguments: `dvc repro` or `python -m dvc repro`.
        return [os.path.basename(part) for part in process.cmdline()[:3]]
    except psutil.Error:
        return []
