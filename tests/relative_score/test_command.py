"""`python -m harness relative-score`: what it prints, in this process and from a shell."""

import re
from pathlib import Path

import pytest

from harness.common.errors import InputError
from harness.relative_score.command import HELP, run
from tests.helpers.select_files import shell


def printed(*words: object) -> str:
    """Run the command; what it prints."""
    said: list[str] = []
    run([str(word) for word in words], said.append)
    return "\n".join(said)


def refused(*words: object) -> str:
    """Run a command that must be refused; its one line."""
    with pytest.raises(InputError) as caught:
        printed(*words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two benchmarks: of the second a judgment was not parsed."""
    one = [
        '{"eval_QUERY0": [7, 9], "eval_QUERY1": [8, 9]}',
        '{"eval_QUERY0": [5, 8], "eval_QUERY1": [6, 8]}',
    ]
    (tmp_path / "vicuna.jsonl").write_text("\n".join(one))
    (tmp_path / "koala.jsonl").write_text('{"eval_QUERY0": [3, 10], "eval_QUERY1": [-1, -1]}\n')
    return [tmp_path / "vicuna.jsonl", tmp_path / "koala.jsonl"]


def test_a_line_a_file_and_one_for_all(files: list[Path]) -> None:
    text = printed(*files)
    rows = [re.split(" {2,}", line) for line in text.split("\n\n")[0].splitlines()]
    assert rows[0] == ["file", "score", "[95%]", "questions", "QUERY0 parsed", "QUERY1 parsed"]
    # t(0.975, 1) is 12.7062, a question's deviation 15 - 18 x 26 / 34.
    assert rows[2] == [str(files[0]), "76.47", "[-15.86, 168.80]", "2", "2 of 2", "2 of 2"]
    assert rows[3] == [str(files[1]), "30.00", "–", "1", "1 of 1", "0 of 1"]
    assert [*rows[4][:2], *rows[4][3:]] == ["all", "65.91", "3", "3 of 3", "2 of 3"]  # 29 / 44
    assert text.endswith("QUERY0 has the model's answer first, QUERY1 the reference's")


def test_a_single_file_has_no_line_for_all(files: list[Path]) -> None:
    assert printed(files[0]).count("76.47") == 1


def test_a_name_cannot_steer_the_terminal(files: list[Path]) -> None:
    named = files[0].rename(files[0].with_name("a\x1b[2J.jsonl"))
    assert "\x1b" not in printed(named)


def test_a_wrong_command_line_is_refused(files: list[Path], tmp_path: Path) -> None:
    assert refused() == (
        "no file of judgments is named; python -m harness relative-score --help has an example"
    )
    assert refused("--all", files[0]).startswith("--all: no such option; ")
    (tmp_path / "link.jsonl").symlink_to(files[0])
    message = refused(files[0], tmp_path / "link.jsonl")
    assert message == f"{tmp_path}/link.jsonl: given twice; its judgments would count twice"


def test_from_the_shell(files: list[Path], tmp_path: Path) -> None:
    done = shell(tmp_path, "relative-score", "vicuna.jsonl", "koala.jsonl")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[2].startswith("vicuna.jsonl  76.47  [-15.86, 168.80]")
    files[1].write_text('{"eval_QUERY0": [3, "10"]}\n')
    done = shell(tmp_path, "relative-score", "vicuna.jsonl", "koala.jsonl")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: koala.jsonl, line 1: eval_QUERY0 is [3, '10']; needed: ")
    assert len(done.stderr.splitlines()) == 1


def test_the_help_shows_a_line_that_the_command_takes(tmp_path: Path) -> None:
    example = next(line for line in HELP.splitlines() if line.strip().startswith("{"))
    (tmp_path / "a.jsonl").write_text(example)
    assert "83.33" in printed(tmp_path / "a.jsonl")  # 15 / 18
    assert printed("--help") == HELP
