"""Asks DVC for the stages of a target and which of them are out of date, for `make repro`."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.common.errors import InputError
from harness.common.progress import guard_output
from pipeline.make.dvc_lock import read_stages
from pipeline.make.runner import BUSY_PATIENCE_S, Graph

if TYPE_CHECKING:
    from dvc.repo import Repo


def plan(root: Path, targets: Sequence[str], say: Callable[[str], None]) -> tuple[Graph, int]:
    """The stages to run for some targets, and how many stages they have in all.

    In the graph are the stages that are out of date and all that wait for them, upstream first.
    DVC is asked once for all of them: a `dvc repro` a stage would take seconds each. Where
    another DVC process holds the repository's lock, that is said once and waited for.

    Raises:
        InputError: no such stage, an unreadable dvc.yaml, or no git repository.
    """
    from dvc.exceptions import DvcException
    from dvc.lock import LockError
    from dvc.scm import SCMError

    guard_output()  # anew: dvc puts a stream before ours that obeys control characters, and fails
    deadline = time.monotonic() + BUSY_PATIENCE_S
    has_said = False
    while True:
        try:
            needs, stale = _ask(root, targets)
            break
        except LockError:
            if time.monotonic() > deadline:
                raise InputError("another dvc process holds .dvc/tmp/lock; end it") from None
            if not has_said:
                say("another dvc process holds the lock; waiting for it")
                has_said = True
        except SCMError:
            raise InputError(
                f"{root}: no git repository (unpacked from an archive?), and DVC works in one; "
                "git init && git add -A && git commit -m start; or, without git: "
                ".venv/bin/dvc config core.no_scm true"
            ) from None
        except DvcException as error:
            raise InputError(f"dvc: {' '.join(str(error).split())}") from None
    touched: set[str] = set()
    for stage in needs:  # upstream first
        if stage in stale or needs[stage] & touched:
            touched.add(stage)
    stages = [stage for stage in needs if stage in touched]
    return Graph(stages, {stage: needs[stage] & touched for stage in stages}, stale), len(needs)


def _ask(root: Path, targets: Sequence[str]) -> tuple[dict[str, set[str]], set[str]]:
    """What each stage of the targets waits for, upstream first, and which are out of date."""
    from dvc.lock import LockError
    from dvc.repo import Repo

    with Repo(str(root)) as repo, repo.lock:
        graph: Any = repo.index.graph  # an edge goes from a stage to what it waits for
        stale: set[str] = set()
        needs: dict[str, set[str]] = {}
        for stage in _upstream_first(repo, graph, targets):
            needs[stage.addressing] = {other.addressing for other in graph.successors(stage)}
            try:
                out_of_date = bool(stage.status())
            except LockError:  # another DVC process is running it: decided when its turn comes
                out_of_date = True
            if out_of_date:
                stale.add(stage.addressing)
    return needs, stale


def _upstream_first(repo: "Repo", graph: Any, targets: Sequence[str]) -> Iterator[Any]:  # noqa: ANN401
    """Each stage that the targets need, once."""
    import networkx as nx

    seen: set[str] = set()
    for target in targets:
        (last,) = repo.stage.from_target(target)
        for stage in nx.dfs_postorder_nodes(graph, last):
            if stage.addressing not in seen:
                seen.add(stage.addressing)
                yield stage


def repro_command(stage: str) -> list[str]:
    """The command that runs one stage, and only that one, if it is out of date."""
    return [sys.executable, "-P", str(Path(__file__).with_name("dvc_stage.py")), stage]


class Outputs:
    """What dvc.lock says each stage's outputs are; says whether a run changed them."""

    def __init__(self, lock: Path) -> None:
        self.lock = lock
        self.before = self._read()

    def changed(self, stage: str) -> bool:
        """Whether a stage's outputs differ from what they were when this was made."""
        before = self.before.get(stage)
        return before is None or self._read(stage).get(stage) != before

    def _read(self, only: str = "") -> dict[str, Any]:
        """Outputs by stage; none while another process writes the file: all count as changed."""
        import yaml

        try:
            stages = read_stages(self.lock, only)
        except yaml.YAMLError:
            return {}
        return {name: entry.get("outs") for name, entry in stages.items()}
