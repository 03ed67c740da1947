"""What `make repro` asks of DVC: the stages of a target, and which of them are out of date."""

import sys
from pathlib import Path
from typing import Any

from harness.errors import InputError
from harness.runner import Graph


def plan(root: Path, target: str) -> tuple[Graph, int]:
    """The stages to run for a target, and how many stages it has in all.

    In the graph are the stages that are out of date and all that wait for them, upstream first.
    DVC is asked once for all of them: a `dvc repro` a stage would take seconds each.

    Raises:
        InputError: no such stage, an unreadable dvc.yaml, no git repository, or another DVC
            process that holds the lock.
    """
    import networkx as nx
    from dvc.exceptions import DvcException
    from dvc.lock import LockError
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo, repo.lock:
            graph: Any = repo.index.graph  # an edge goes from a stage to what it waits for
            (last,) = repo.stage.from_target(target)
            wanted = list(nx.dfs_postorder_nodes(graph, last))
            stale = {stage.addressing for stage in wanted if stage.status()}
            needs = {s.addressing: {n.addressing for n in graph.successors(s)} for s in wanted}
    except LockError:
        raise InputError("another dvc process is at work in this repository; wait for it") from None
    except DvcException as error:
        raise InputError(f"dvc: {' '.join(str(error).split())}") from None
    touched: set[str] = set()
    for stage in needs:  # upstream first
        if stage in stale or needs[stage] & touched:
            touched.add(stage)
    stages = [stage for stage in needs if stage in touched]
    return Graph(stages, {stage: needs[stage] & touched for stage in stages}, stale), len(needs)


def repro_command(stage: str) -> list[str]:
    """The command that runs one stage, and only that one, if it is out of date."""
    return [sys.executable, "-m", "dvc", "repro", "--single-item", stage]


class Outputs:
    """What dvc.lock says each stage's outputs are; tells whether a run changed them."""

    def __init__(self, lock: Path) -> None:
        self.lock = lock
        self.before = self._read()

    def changed(self, stage: str) -> bool:
        """Whether a stage's outputs differ from what they were when this was made."""
        before = self.before.get(stage)
        return before is None or self._read().get(stage) != before

    def _read(self) -> dict[str, Any]:
        """Outputs by stage; none while another process writes the file: all count as changed."""
        import yaml

        if not self.lock.is_file():
            return {}
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            content = yaml.load(self.lock.read_text(encoding="utf-8"), Loader=loader)
        except yaml.YAMLError:
            return {}
        stages = content.get("stages", {}) if isinstance(content, dict) else {}
        return {name: entry.get("outs") for name, entry in stages.items()}
