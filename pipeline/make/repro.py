"""`make repro`: check the params, run what is out of date for the main table, and show it."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from types import FrameType

from harness.check.check import check_params
from harness.common import layout
from harness.common.disk_errors import ending_in_one_line
from harness.common.errors import InputError
from harness.common.files import read_json, write_json
from harness.common.markdown import aligned, first_table, notes_below
from harness.common.stores import locked, run_lock
from harness.common.yaml_files import read_yaml
from harness.params.params import MAIN, Params, load_params
from harness.params.pruning import SUBSETS, prune
from pipeline.make.durations import Durations, spoken
from pipeline.make.dvc_lock import copy_lock
from pipeline.make.dvc_plan import Outputs, plan, repro_command
from pipeline.make.dvc_warm import warm_stages
from pipeline.make.early_tables import SUBSET_STAGE, EarlyTables, before
from pipeline.make.pins import record_pins
from pipeline.make.preset import of_size, switch_preset
from pipeline.make.progress_lines import Screen
from pipeline.make.runner import Runner, StageFailed
from pipeline.make.source_hashes import record_pool, record_score_files, record_templates
from pipeline.make.stage_logs import error_lines, fresh_log, note_lines

SHIPPED = Path("conf/durations.json")
LOGS = Path(".store/logs")
TARGETS = ["report_subsets", "report"]
PAGE = "page"
CORES = 2  # that a run on a CPU takes, whatever the machine has


def main() -> None:
    """Run the stages of the main table, several side by side, and end with the next command."""
    arguments = _arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    with ending_in_one_line():
        try:
            with locked(run_lock(), lambda holder: _say(f"another make repro runs; {holder}")):
                _repro(arguments)
        except StageFailed as failure:
            reason = "\n  ".join(failure.reasons)
            sys.exit(
                f"error: stage {failure.stage} failed:\n  {reason}\n"
                f"  its log: {failure.log}\n  to go on where it stopped: {_again(arguments)}"
            )
        except KeyboardInterrupt:
            sys.exit(f"\nstopped; what is finished is kept; to go on: {_again(arguments)}")


def _repro(arguments: argparse.Namespace) -> None:
    preset = of_size(Path.cwd(), arguments.preset, arguments.size)
    if preset:
        for line in switch_preset(Path.cwd(), preset, arguments.pool):
            _say(f"preset: {line}")
    elif arguments.pool:
        raise InputError("POOL needs a preset to go with it: PRESET=own POOL=my.jsonl")
    for line in [*record_pool(Path.cwd()), *record_pins(Path.cwd())]:
        _say(f"preset: {line}")
    problems = check_params()
    for problem in problems[:-1]:
        print(f"error: {problem}", file=sys.stderr)
    if problems:
        raise InputError(problems[-1])
    _say("check: params.yaml is fine")
    prune(load_params())
    _run(arguments)
    _end(arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    rule = "stages side by side (one a GPU; on a CPU as many as train.threads leaves of 2 cores)"
    parser.add_argument("--jobs", type=int, help=rule)
    parser.add_argument("--gpus", default="", help="cards to spread them over, as in 0,1")
    parser.add_argument("--preset", help="switch to this preset first")
    parser.add_argument("--size", help="with --preset smollm2: gpu, the whole on a card")
    parser.add_argument("--pool", help="with --preset own: your instruction data")
    parser.add_argument(
        "--target",
        nargs="+",
        default=TARGETS,
        help="the stages to make; the table of the last is shown",
    )
    parser.add_argument(
        "--ship-durations",
        action="store_true",
        help=f"write the stages' durations to {SHIPPED}, the first guess on other machines",
    )
    values = parser.parse_args()
    values.gpus = [card for card in values.gpus.split(",") if card]
    if values.jobs is not None and values.jobs < 1:
        parser.error(f"--jobs is {values.jobs}; it is a number from 1")
    return values


def urgent(needs: Mapping[str, set[str]], params: Params) -> set[str]:
    """The stages that are started before all others that could be.

    What the subsets' report waits for; and evaluations, where weights go once they are evaluated.
    """
    first = before(SUBSET_STAGE, needs)
    if params.train.keep_models == "none":
        first |= {stage for stage in needs if stage.startswith("evaluate")}
    return first


def jobs_of(params: Params) -> int:
    """How many stages run side by side without ``--jobs`` or ``--gpus``.

    One with a CUDA build of torch, so that no two stages share a card.
    """
    if sys.platform == "linux" and not version("torch").endswith("+cpu"):
        return 1
    return max(1, CORES // (params.train.threads or CORES))


def _run(arguments: argparse.Namespace) -> None:
    """Bring the target up to date."""
    begin = time.monotonic()
    jobs = arguments.jobs or len(arguments.gpus) or jobs_of(load_params())
    for line in [*record_templates(Path.cwd()), *record_score_files(Path.cwd())]:
        _say(f"preset: {line}")
    graph, in_all = plan(Path.cwd(), arguments.target, _say)
    preset = _preset()
    shipped = read_json(SHIPPED, f"git checkout {SHIPPED}") if SHIPPED.is_file() else {}
    durations = Durations(Path(f".store/durations/{preset}.json"), shipped.get(preset))
    if graph.stages:
        tables = EarlyTables(load_params(), set(graph.stages), _columns)
        show, first = _show if _on_terminal() else None, urgent(graph.needs, load_params())
        screen = Screen(graph, durations, jobs, _say, show, tables.ended, first)
        _say(f"{len(graph.stages)} of {in_all} stages to look at, {jobs} side by side")
        runner = Runner(
            command=repro_command,
            changed=Outputs(Path("dvc.lock")).changed,
            screen=screen,
            logs=LOGS,
            jobs=jobs,
            gpus=arguments.gpus,
            priority=screen.priority,
            warm=warm_stages(graph.stages),
        )
        runner.run(graph)
        _say(f"all {in_all} stages up to date after {spoken(time.monotonic() - begin)}")
    else:
        _say(f"nothing to run: all {in_all} stages are up to date")
    if arguments.ship_durations:
        write_json(SHIPPED, {**shipped, preset: dict(sorted(durations.own.items()))})


def _end(arguments: argparse.Namespace) -> None:
    """Keep the lock beside the results, bring MLflow up to date, and print the table."""
    last = arguments.target[-1]
    if not last.startswith("report") and last != PAGE:
        return
    own = {"report": MAIN, PAGE: MAIN, "report_subsets": SUBSETS}
    name = own.get(last) or last.partition("@")[2]
    results = Path("results") / _preset()
    copy_lock(results)
    if last != PAGE:
        _page()
    _track()
    table = results / name / "table.md"
    if not table.is_file():
        raise InputError(f"{table}: the report did not write it; see {LOGS}")
    text = table.read_text(encoding="utf-8")
    print(f"\n{aligned(first_table(text))}\n")
    for note in notes_below(text):
        print(f"{textwrap.fill(note, 100)}\n")
    print(f"table: {table}")
    subsets = results / SUBSETS / "table.md"
    if name == MAIN and subsets.is_file():
        print(f"       {subsets} says what each subset is, before any training")
    page = layout.page_file(_preset())
    if page.is_file():
        print(f"page:  {page} (make report opens it)")
    print(
        "next:  make ui shows every run; change params.yaml and make repro runs what that touches"
    )


def _page() -> None:
    """Write the page of all results, once there is a main table; a failure is only reported."""
    from harness.page.write import has_main

    if has_main(load_params()):
        _view("page", "the page could not be written")


def _track() -> None:
    """Bring MLflow up to date; a failure is only reported: MLflow is a view of the results."""
    _view("track", "MLflow does not have them")


def _view(stage: str, lacks: str) -> None:
    """Run a stage that shows results and makes none; its failure is a warning."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{stage}.log"
    with fresh_log(log).open("wb") as stream:
        command = [sys.executable, "-m", f"pipeline.{stage}"]
        ended = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, check=False)
    if ended.returncode != 0:
        why = error_lines(log)[-1]
        _say(f"warning: the results are complete, but {lacks}: {why} ({log})")
    for line in note_lines(log):  # a dead server, say, which is no failure of the stage
        _say(line)


def _preset() -> str:
    return str(read_yaml(Path("params.yaml"))["preset"])


def _again(arguments: argparse.Namespace) -> str:
    """The command that goes on; `make repro` has no variable for other targets."""
    given = {"jobs": str(arguments.jobs or ""), "gpus": ",".join(arguments.gpus)}
    if arguments.target != TARGETS:
        flags = [f" --{name} {value}" for name, value in given.items() if value]
        called = "python -m pipeline.make.repro"
        return "".join([called, *flags, " --target ", " ".join(arguments.target)])
    return "make repro" + "".join(f" {n.upper()}={value}" for n, value in given.items() if value)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _on_terminal() -> bool:
    return sys.stdout.isatty() and not os.environ.get("CI")


def _say(text: str) -> None:
    erase = "\r\033[K" if _on_terminal() else ""
    print(f"{erase}{text}", flush=True)


def _show(text: str) -> None:
    print(f"\r\033[K{text[: _columns()]}", end="", flush=True)


def _columns() -> int:
    return shutil.get_terminal_size((100, 24)).columns - 1


if __name__ == "__main__":
    main()
