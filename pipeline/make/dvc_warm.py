"""A process that has imported DVC and the libraries once, and forks into stages.

As a script, this is that process. It imports nothing of ours: a stage reads that as it then is.
`end_with_dvc` knows a stage's process by the dvc in this file's name.
"""

import argparse
import gc
import importlib
import json
import logging
import os
import re
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

# Not those that report their memory as the cost of a selection: theirs would be that of all below.
STAGES = re.compile(r"(describe|train|evaluate)(_further)?@.*")
FEWEST = 4  # with fewer, the imports take longer than they save
PATIENCE_S = 10.0  # a fork takes milliseconds
LIBRARIES = (
    *("dvc.repo", "dvc.commands.repro", "pandera.pandas", "psutil", "pydantic", "scipy.stats"),
    *("datasets", "transformers.models.llama.modeling_llama", "trl.trainer.sft_trainer"),
    *("lm_eval.tasks", "lm_eval.models.huggingface"),
)
MODULE = re.compile(r"python -m (pipeline\.\w+)")


def warm_stages(stages: Iterable[str]) -> set[str]:
    """The stages to fork; none where they are few, or torch may have started CUDA's driver."""
    forked = {stage for stage in stages if STAGES.fullmatch(stage)}
    can_fork = sys.platform == "linux" and version("torch").endswith("+cpu")
    return forked if can_fork and len(forked) >= FEWEST else set()


class WarmStage:
    """A stage's process, the leader of its group; as much of `Popen` as the runner uses."""

    def __init__(self, pid: int, pipe: BinaryIO) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._pipe, self._status = pipe, -signal.SIGKILL  # a killed process does not say

    def poll(self) -> int | None:
        """The exit status, None while the process is there."""
        while self.returncode is None and select.select([self._pipe], [], [], 0)[0]:
            if line := self._pipe.readline():
                self._status = int(line)
            else:
                self.returncode = self._status
                self._pipe.close()
        return self.returncode


class Warm:
    """The process that forks; it imports in the background, and ends with this one."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        self._is_ready = False
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", __file__],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )

    def start(self, stage: str, log: BinaryIO, environment: Mapping[str, str]) -> WarmStage | None:
        """Fork into a stage; None during the imports, and where no answer comes."""
        request = json.dumps([stage, dict(environment)]).encode()
        with suppress(OSError):
            self._is_ready = self._is_ready or self._socket.recv(1) != b""
        if not self._is_ready:
            return None
        reading, writing = os.pipe()
        pipe = open(reading, "rb", buffering=0)  # noqa: SIM115  (`poll` closes it)
        with suppress(OSError), open(writing, "wb") as theirs:
            socket.send_fds(self._socket, [request], [log.fileno(), theirs.fileno()])
        if select.select([pipe], [], [], PATIENCE_S)[0] and (pid := pipe.readline()):
            return WarmStage(int(pid), pipe)
        self.process.kill()
        pipe.close()  # a stage that was forked after all fails where it says its number
        return None

    def close(self) -> None:
        """End the process; stages that it has forked go on."""
        self._socket.close()
        self.process.kill()
        self.process.wait()


def main() -> None:
    """Import, then fork into each stage that is asked for, until the input closes."""
    argparse.ArgumentParser(description="`make repro` starts this itself.").parse_args()
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read at import
    for library in LIBRARIES:
        importlib.import_module(library)
    gc.freeze()  # a collection would write to the pages that the stages share
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies
    asking = socket.socket(fileno=os.dup(0))
    asking.send(b".")
    while True:
        request, files, _, _ = socket.recv_fds(asking, 2**20, 2, socket.MSG_CMSG_CLOEXEC)
        if not request:
            return
        if os.fork() == 0:
            asking.close()
            _run_stage(*json.loads(request), *files)
        for file in files:
            os.close(file)


def _run_stage(stage: str, environment: dict[str, str], log: int, pipe: int) -> None:
    """Do in this process what the process of `repro_command` does; never returns."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for file, number in ((os.open(os.devnull, os.O_RDONLY), 0), (log, 1), (log, 2)):
        os.dup2(file, number)
    os.environ.update(environment)
    os.write(pipe, b"%d\n" % os.getpid())
    # Before DVC opens databases and starts threads, which a fork must not share.
    hand_over, worker = os.pipe(), os.fork()
    if worker == 0:
        os.close(pipe)
        _run_module(*hand_over)
    os.close(hand_over[0])
    _forking_commands(worker, hand_over[1])
    script = Path(__file__).with_name("dvc_stage.py")
    sys.argv = [str(script), stage]
    status: Any = 1
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as end:
        status = end.code or 0
        raise
    finally:
        os.write(pipe, b"%d\n" % status)


def _forking_commands(worker: int, hand_over: int) -> None:
    """Make DVC hand a stage's command to the worker; any other goes to a shell, as before."""
    import dvc.stage.run
    from dvc.stage.exceptions import StageCmdFailedError

    in_shell = dvc.stage.run._run
    stream = open(hand_over, "w")  # noqa: SIM115  (closed where the command is known)

    def run(executable: str, command: str, **how: Any) -> None:  # noqa: ANN401
        called = MODULE.fullmatch(command)
        if called is None or stream.closed:
            in_shell(executable, command, **how)
            return
        with stream:
            json.dump([called[1], how["cwd"], how["env"]], stream)
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as DVC: the worker ends first
        status = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
        signal.signal(signal.SIGINT, before)
        if status:
            raise StageCmdFailedError(command, status)

    dvc.stage.run._run = run


def _run_module(reading: int, writing: int) -> None:
    """Do what `python -m` does with the module that is handed over, if any; never returns."""
    os.close(writing)
    with open(reading) as stream:
        text = stream.read()
    if not text:
        os._exit(0)
    module, folder, environment = json.loads(text)
    os.chdir(folder)
    os.environ.update(environment)
    sys.path.insert(0, folder)
    # Colorama's, which DVC's import set up, obey control characters; log handlers have them too.
    colorama, sys.stdout, sys.stderr = sys.stderr, sys.__stdout__, sys.__stderr__
    progress = importlib.import_module("harness.common.progress")
    progress.guard_output()
    for logger in logging.root.manager.loggerDict.values():
        for handler in getattr(logger, "handlers", ()):
            if getattr(handler, "stream", None) is colorama:
                handler.setStream(sys.stderr)
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    sys.exit()


if __name__ == "__main__":
    main()
