"""Groups of processes are ended whole, and by a guard only once the process it guards is gone."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from harness.common.process_groups import Guard, end_groups
from tests.helpers.shell_repo import wait_for

STUBBORN = "trap '' INT; sleep 60 & echo $!; wait"  # its child outlives an interrupt too


@pytest.fixture
def group() -> Iterator[subprocess.Popen[str]]:
    """A shell with a child, in a group of its own."""
    process = subprocess.Popen(
        ["sh", "-c", STUBBORN], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    yield process
    end_groups([process.pid])
    process.communicate()


def is_alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_group_ends_with_what_it_started(group: subprocess.Popen[str]) -> None:
    assert group.stdout is not None
    child = int(group.stdout.readline())
    end_groups([group.pid])
    wait_for(lambda: not is_alive(child), 10)
    end_groups([group.pid])  # of what is gone already, nothing is said


def test_a_guard_that_is_closed_ends_nothing(group: subprocess.Popen[str]) -> None:
    guard = Guard()
    guard.watch([group.pid])
    guard.close()
    assert group.poll() is None


def test_a_guard_ends_the_groups_it_watched_last(group: subprocess.Popen[str]) -> None:
    guard = Guard()
    guard.watch([group.pid])
    assert guard.process.stdin is not None
    guard.process.stdin.close()  # as the death of this process would
    assert group.wait(timeout=30) != 0
    guard.process.wait(timeout=30)


def test_work_goes_on_without_its_guard(group: subprocess.Popen[str]) -> None:
    guard = Guard()
    guard.process.kill()
    guard.process.wait()
    guard.watch([group.pid])
    guard.watch([group.pid])
    guard.close()
    assert group.poll() is None
