"""A judge that is stopped, by its spend cap or from outside, goes on where it was."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.common.errors import InputError
from harness.feedback.judge.judge import judge
from harness.feedback.judge.questions import judge_prompt
from harness.params.judge import JudgeParams
from tests.helpers.judge_server import Reply, Seen, message_of, pairs, rated, serving
from tests.helpers.small_repo import ROOT, wait_for

pytestmark = pytest.mark.usefixtures("key_stays_out")

# A token costs 1 USD; a prompt is of so many bytes, and an answer of at most 10 tokens.
PRICED = {"model": "m", "price_in": 1e6, "price_out": 1e6, "max_tokens": 10}
BYTES = len(judge_prompt("Why?", "0", 10))
DEAREST = BYTES + 64 + 10
RUN = """
import json
import sys
from pathlib import Path
from harness.feedback.judge.judge import judge
from harness.params.judge import JudgeParams
from tests.helpers.judge_server import pairs
params = JudgeParams(base_url=sys.argv[1], concurrency=4, **json.loads(sys.argv[3]))
judge(pairs(60), params, Path(sys.argv[2]))
"""


def by_prompt(seen: Seen) -> float:
    """The rating of a prompt, 1 to 10, by its last digits."""
    return int(seen.prompt.rpartition(" ")[2]) % 10 + 1


def answers(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_cap_that_is_reached_and_raised(tmp_path: Path, concurrency: int) -> None:
    cap = 5 * 110 + DEAREST  # what six answers of 110 tokens pass, and five do not
    with serving(lambda place, seen: rated(f"[[{by_prompt(seen)}]]", after_s=0.02)) as server:
        params = JudgeParams(base_url=server.url, spend_cap=cap, concurrency=concurrency, **PRICED)
        with pytest.raises(InputError) as error:
            judge(pairs(10), params, tmp_path / "a.jsonl")
        assert f"m at {server.url} has cost 660.0000 of spend_cap {cap} USD" in message_of(error)
        assert f"the next answer may cost {DEAREST}.0000; 6 answers are kept" in message_of(error)
        assert "raise spend_cap and run the same again: it goes on" in message_of(error)
        assert len(server.seen) == 6
        with pytest.raises(InputError, match="has cost 660"):
            judge(pairs(10), params, tmp_path / "a.jsonl")
        assert len(server.seen) == 6

        raised = params.model_copy(update={"spend_cap": 5000})
        judged = judge(pairs(10), raised, tmp_path / "a.jsonl")
        assert judged.scores.tolist() == [float(i + 1) for i in range(10)]
        assert (judged.asked, judged.cached, judged.spend) == (4, 6, 1100.0)
        assert set(server.prompts().values()) == {1}


def test_a_cap_waits_for_costly_answers_in_flight(tmp_path: Path) -> None:
    """Four at once may cost four times the dearest; together they must not pass the cap."""
    billed: list[int] = []

    def answering(place: int, seen: Seen) -> Reply:
        billed.append(BYTES + 64 + 10)
        return rated("[[5]]", tokens=(BYTES + 64, 10), after_s=0.5)

    with serving(answering) as server:
        cap = 3.5 * DEAREST
        params = JudgeParams(base_url=server.url, spend_cap=cap, concurrency=4, **PRICED)
        with pytest.raises(InputError, match="3 answers are kept"):
            judge(pairs(10), params, tmp_path / "a.jsonl")
        assert sum(billed) <= cap
        assert server.most_under_way == 3


def test_unreported_tokens_count_as_upper_bounds(tmp_path: Path) -> None:
    with serving(lambda place, seen: rated("[[5]]", tokens=None)) as server:
        params = JudgeParams(base_url=server.url, spend_cap=2.5 * DEAREST, **PRICED)
        judged = judge(pairs(2), params, tmp_path / "a.jsonl")
        assert (judged.unmetered, judged.spend) == (2, 2.0 * DEAREST)
        with pytest.raises(InputError, match="2 answers are kept"):
            judge(pairs(3), params, tmp_path / "a.jsonl")
        assert len(server.seen) == 2


def test_without_prices_the_spend_is_unknown(tmp_path: Path) -> None:
    with serving(lambda place, seen: rated("[[5]]")) as server:
        params = JudgeParams(model="m", base_url=server.url)
        judged = judge(pairs(1), params, tmp_path / "a.jsonl")
        assert (judged.spend, judged.tokens_in, judged.tokens_out) == (None, 100, 10)


def start(url: str, folder: Path, **knobs: object) -> "subprocess.Popen[bytes]":
    """A process that judges 60 exchanges, four at once."""
    message = json.dumps({"model": "m", **knobs})
    with (folder / "output.txt").open("wb") as stream:
        return subprocess.Popen(
            [sys.executable, "-c", RUN, url, folder / "a.jsonl", message],
            cwd=ROOT,
            stdout=stream,
            stderr=stream,
        )


def test_killed_and_resumed(tmp_path: Path) -> None:
    with serving(lambda place, seen: rated(f"[[{by_prompt(seen)}]]", after_s=0.04)) as server:
        process = start(server.url, tmp_path)
        wait_for(lambda: answers(tmp_path / "a.jsonl") >= 15)
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(0.1)
        before, kept = len(server.seen), answers(tmp_path / "a.jsonl")
        assert kept < 60
        assert before - kept <= 4  # those in flight
        params = JudgeParams(model="m", base_url=server.url)
        judged = judge(pairs(60), params, tmp_path / "a.jsonl")
        assert judged.scores.tolist() == [i % 10 + 1.0 for i in range(60)]
        assert (judged.asked, judged.cached) == (60 - kept, kept)
        assert judged.tokens_in == 60 * 100
        assert sum(count - 1 for count in server.prompts().values()) == before - kept


def test_two_processes_keep_to_one_cap(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cap = 5 * 110 + DEAREST  # six answers, whoever asks
    with serving(lambda place, seen: rated("[[5]]", after_s=0.3)) as server:
        process = start(server.url, tmp_path, **PRICED, spend_cap=cap)
        wait_for(lambda: answers(tmp_path / "a.jsonl") >= 1)
        assert process.poll() is None
        params = JudgeParams(base_url=server.url, spend_cap=cap, **PRICED)
        with pytest.raises(InputError, match=r"has cost 660.* 6 answers are kept"):
            judge(pairs(60)[30:], params, tmp_path / "a.jsonl")
        assert process.wait(20) != 0
        assert "has cost 660" in (tmp_path / "output.txt").read_text()
        assert len(server.seen) == 6
        assert f"a.jsonl: waiting for process {process.pid}, at work since " in caplog.text


def test_an_interrupt_ends_it_at_once(tmp_path: Path) -> None:
    with serving(lambda place, seen: rated("[[5]]", after_s=0 if place < 10 else 30)) as server:
        process = start(server.url, tmp_path)
        wait_for(lambda: len(server.seen) == 14)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.wait(20)
        assert time.monotonic() - sent < 10
        assert process.returncode != 0
        assert "KeyboardInterrupt" in (tmp_path / "output.txt").read_text()
        rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
        assert [row["text"] for row in rows] == ["[[5]]"] * 10
        assert len(server.seen) == 14
