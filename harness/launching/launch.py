"""Running a function in several processes at once, one a device, by accelerate's launcher."""

import os
import pickle
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, NamedTuple

from harness.common.errors import InputError, nearest
from harness.common.locations import locate
from harness.common.process_groups import Guard, end_groups
from harness.common.yaml_files import read_yaml

CONFIGS = Path(__file__).resolve().parents[2] / "conf" / "accelerate"
CALL, RESULT = "call.pickle", "result.pickle"
_SHARDED = ("FSDP", "DEEPSPEED")
_KEPT = 200  # last lines of a process's output, for the reason of a failure


class Launch(NamedTuple):
    """Into how many processes, and how accelerate is to connect them."""

    where: str  # the section of params.yaml that says so, for messages
    config: str  # a file of conf/accelerate by its name, or a path
    processes: int | None  # None: one a card
    device: Literal["cpu", "cuda"]


def launched(function: Callable[..., Any], arguments: dict[str, Any], how: Launch) -> Any:  # noqa: ANN401
    """What the first of the processes returns, all of which call the function.

    A function of a module, with arguments and a result that can be pickled. The processes end with
    this one, however it dies. InputError with the reason of one that fails, for a configuration
    that is not there or needs cards that are not, and for more processes than devices.
    """
    file, processes = _config(how), _processes(how)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        # Read by our own worker only, in a folder that is this user's.
        (folder / CALL).write_bytes(pickle.dumps((function, arguments)))
        command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(file)]
        command += ["--num_processes", str(processes), "--main_process_port", "0"]
        command += ["--mixed_precision", "no"]  # what is computed in it, params say
        command += ["-m", "harness.launching.worker", scratch]
        name = function.__name__.strip("_")
        followed(command, name, {"ACCELERATE_USE_CPU": str(how.device == "cpu").lower()})
        return pickle.loads((folder / RESULT).read_bytes())


def config_file(where: str, config: str) -> Path:
    """Where an accelerate configuration lies: one of conf/accelerate by its name, or any by path.

    InputError, which names the section ``where``, if it is neither.
    """
    named = {path.stem: path for path in sorted(CONFIGS.glob("*.yaml"))}
    path = named.get(config) or locate(config)
    if path.is_file():
        _values(where, path)
        return path
    rule = f"neither a file nor one of {', '.join(named)}{nearest(config, list(named))}"
    raise InputError(f"{where}.launcher: {config} is {rule}")


def _values(where: str, path: Path) -> dict[str, Any]:
    values = read_yaml(path)
    if not isinstance(values, dict) or "distributed_type" not in values:
        rule = "not an accelerate configuration: it has no `distributed_type: ...`"
        raise InputError(f"{where}.launcher: {path}: {rule}; accelerate config writes one")
    if (machines := values.get("num_machines", 1)) != 1:
        rule = f"num_machines is {machines}; processes are those of one machine"
        raise InputError(f"{where}.launcher: {path}: {rule}; say 1")
    return values


def _config(how: Launch) -> Path:
    """The file of accelerate's configuration; InputError where it cannot be used here."""
    path = config_file(how.where, how.config)
    kind = _values(how.where, path).get("distributed_type")
    if how.device == "cpu" and kind in _SHARDED:  # accelerate would copy the model instead
        rule = f"{how.config} ({kind}) needs CUDA, and this runs on a CPU; say ddp"
        raise InputError(f"{how.where}.launcher: {rule}")
    return path


def _processes(how: Launch) -> int:
    """How many processes; InputError for more than there are devices."""
    import torch

    on_cards = how.device == "cuda"
    there = torch.cuda.device_count() if on_cards else os.cpu_count() or 1
    wanted = how.processes or (there if on_cards else 1)
    if wanted > there:
        devices = "CUDA devices" if on_cards else "CPU cores"
        rule = f"this machine has {there} {devices}"
        raise InputError(f"{how.where}.processes: {wanted} processes, but {rule}; say {there}")
    return wanted


def followed(
    command: Sequence[str], name: str, environment: Mapping[str, str] | None = None
) -> None:
    """Run a command, passing on what it says; InputError with its last word if it fails.

    It and its children end with this process, however that dies: the next run would otherwise share
    the card with them.
    """
    with closing(Guard()) as guard:
        child = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # a group of its own, which the guard can end
            env={**os.environ, **(environment or {})},
        )
        guard.watch([child.pid])
        status, said = _passed_on(child)
    if status:
        # Our own line if there is one, as a launcher adds many of its own.
        ours = [line for line in said if line.startswith("error: ")]
        reason = (ours or said or ["it said nothing"])[-1].removeprefix("error: ")
        raise InputError(f"{name} ended with status {status}: {reason}")


def _passed_on(child: "subprocess.Popen[str]") -> tuple[int, list[str]]:
    """Pass on a process's output until it ends or fails; its status and last lines."""
    said: deque[str] = deque(maxlen=_KEPT)
    assert child.stderr is not None
    failed = False
    try:
        with child.stderr as stream:
            for line in stream:
                failed = failed or line.startswith("error: ")
                if not failed:  # then our own line is the reason, and launchers add tracebacks
                    sys.stderr.write(line)
                    sys.stderr.flush()
                said.append(line.strip())
        return child.wait(), [line for line in said if line.strip("=-")]
    except BaseException:  # Ctrl-C does not reach another session
        end_groups([child.pid])
        raise
