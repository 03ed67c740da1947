"""A small DVC repository of shell stages, and `make repro` in it."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
REPORT = "| row | score |\\n|---|---|\\n| **random** | 1.5 |"
PIPELINE = f"""
stages:
  prepare:
    cmd: sh step.sh prepare a
    deps: [source]
    outs: [a]
  base:
    cmd: sh step.sh base b
    deps: [a]
    outs: [b]
  train:
    foreach: [x, y]
    do:
      cmd: sh step.sh train_${{item}} t_${{item}} only_${{item}}
      deps: [b, "only_${{item}}"]
      outs: ["t_${{item}}"]
  report:
    cmd: sh step.sh report r && printf '{REPORT}\\n' > results/lab/main/table.md
    deps: [t_x, t_y]
    outs: [r, {{results/lab/main/table.md: {{cache: false}}}}]
  unrelated:
    cmd: sh step.sh unrelated u
    deps: [source]
    outs: [u]
"""
# A step notes when it begins and ends, waits where `slow_<name>` says so, and fails where
# `fail_<name>` is; its output is the first letter of `source` only, so that changes can fade out.
STEP = """
echo "$1 begin $(date +%s.%N) gpu=$CUDA_VISIBLE_DEVICES omp=$OMP_NUM_THREADS" >> trace
echo "working on $1"
echo "note: $1: 2 of 9 rows dropped: blank response 2" >&2
echo "warning: $1: not run: code" >&2
[ -f slow_$1 ] && sleep "$(cat slow_$1)"
error='error: source: row 3: blank instruction; fix it'
[ -f fail_$1 ] && { printf "$error\\033]0;pwned\\007\\n" >&2; exit 1; }
cut -c1 source > "$2"
[ -n "$3" ] && cat "$3" >> "$2"
echo "$1 end $(date +%s.%N)" >> trace
"""


def make_repo(folder: Path) -> Path:
    """A DVC repository of shell stages in which nothing has run yet."""
    (folder / "results" / "lab" / "main").mkdir(parents=True)
    (folder / "params.yaml").write_text("preset: lab\n")
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "step.sh").write_text(STEP)
    (folder / "source").write_text("1\n")
    for item in "xy":
        (folder / f"only_{item}").write_text(f"{item}\n")
    (folder / ".gitignore").write_text("/.store\n")
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=folder, check=True)
    with (folder / ".dvc" / "config").open("a") as stream:
        stream.write("[core]\n    analytics = false\n    check_update = false\n")
    return folder


# Every stage is forked, the first ones too.
WARM = """
import select
from pipeline.make.dvc_warm import Warm
start = Warm.__init__
def start_and_wait(warm, environment):
    start(warm, environment)
    select.select([warm._socket], [], [])
Warm.__init__ = start_and_wait
repro.warm_stages = set
"""


def command(jobs: int = 2, gpus: str = "", warm: bool = False) -> list[str]:
    """`make repro` without the check of params.yaml, which here is of one line, and MLflow."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import pipeline.make.repro as repro; "
    code += (
        "from types import SimpleNamespace as Any; repro.check_params = list; repro.prune = id; "
    )
    code += "repro.load_params = lambda: Any(train=Any(keep_models='full', threads=1)); "
    code += "repro.EarlyTables.ended = lambda *_: []; "
    code += f"repro._track = lambda: None\n{WARM if warm else ''}\nrepro.main()"
    flags = ["--jobs", str(jobs), "--gpus", gpus, "--target", "report"]
    return [sys.executable, "-c", code, *flags]


def repro(
    repo: Path, jobs: int = 2, gpus: str = "", warm: bool = False
) -> subprocess.CompletedProcess[str]:
    words = command(jobs, gpus, warm)
    return subprocess.run(words, cwd=repo, capture_output=True, text=True, check=False, timeout=120)


def trace(repo: Path) -> list[tuple[str, str, float]]:
    """(name, begin or end, seconds) in the order written, and the trace is emptied."""
    path = repo / "trace"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return [(line.split()[0], line.split()[1], float(line.split()[2])) for line in lines]


def ran(repo: Path) -> list[str]:
    return [name for name, what, _ in trace(repo) if what == "begin"]


def text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def workers(repo: Path) -> list[list[str]]:
    """The commands of the processes that still work in the repository."""
    processes = psutil.process_iter(["cwd", "cmdline"])
    return [process.info["cmdline"] for process in processes if process.info["cwd"] == str(repo)]


def wait_for(condition: Callable[[], bool], seconds: float = 100) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
