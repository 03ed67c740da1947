"""DVC that forks stages from a process that has the libraries: imports are most of a small stage.

Each stage is a process of its own and reads our code as it then is. Called in a repository's root.
"""

import importlib
import json
import os
import re
import runpy
import signal
import socket
import sys
from typing import Any

# By its path: an import would leave the test's own `pipeline` in every stage.
WARM = runpy.run_path("pipeline/make/dvc_warm.py")
LEARNING = ("datasets", "transformers.", "trl.", "lm_eval.")
WITHOUT_MODELS = re.compile(
    r"pipeline\.(prepare|cluster|choose_k|cost\w*|select_subset|select_reference|report\w*|track)"
)


def main() -> None:
    """Call DVC with this process's arguments."""
    asking, answering = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        asking.close()
        _fork_into_stages(answering)
    answering.close()
    import dvc.stage.run
    from dvc.cli import main as dvc_main
    from dvc.stage.exceptions import StageCmdFailedError

    in_shell = dvc.stage.run._run

    def run(executable: str, command: str, **how: Any) -> None:  # noqa: ANN401
        called = WARM["MODULE"].fullmatch(command)
        if called is None:
            in_shell(executable, command, **how)
            return
        asking.send(json.dumps([called[1], how["cwd"], how["env"]]).encode())
        if status := int(asking.recv(16)):
            raise StageCmdFailedError(command, status)

    dvc.stage.run._run = run
    sys.exit(dvc_main(sys.argv[1:]))


def _fork_into_stages(answering: socket.socket) -> None:
    """Fork into each stage that is asked for, until the other end closes; never returns."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while text := answering.recv(2**20):
        for library in WARM["LIBRARIES"]:
            learning = library.startswith(LEARNING)
            if not library.startswith("dvc.") and not (learning and _needs_none(text)):
                importlib.import_module(library)
        if (child := os.fork()) == 0:
            answering.close()
            reading, writing = os.pipe()
            os.write(writing, text)
            WARM["_run_module"](reading, writing)
        answering.send(b"%d" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    os._exit(0)


def _needs_none(text: bytes) -> bool:
    return WITHOUT_MODELS.fullmatch(json.loads(text)[0]) is not None


if __name__ == "__main__":
    main()
