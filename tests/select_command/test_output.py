"""Paths that cannot be written are reported before any work; names may be anything."""

import errno
import json
import os
from pathlib import Path

import pytest

from harness.common.disk_errors import refusal
from harness.common.errors import InputError
from harness.common.files import replacing, try_replacing
from harness.select_command.command import run
from tests.helpers.select_files import pool, refused, select, shell, words

NOWHERE = {
    "long": ("a" * 242 + ".jsonl", "the name is too long for the file system; give a shorter one"),
    # The subset's own name would do; that of the file beside it, while it is written, would not.
    "long beside": ("a" * 220 + ".jsonl", "the name is too long for the file system"),
    "longer than any": ("a" * 300 + "/b.jsonl", "the name is too long for the file system"),
    "no such user": ("~no_such_user/b.jsonl", "no such home; write the path out"),
    "no files there": ("/proc/b.jsonl", "No such file or directory; name another place"),
    "a file's": ("my.jsonl/b.jsonl", "there is no folder my.jsonl; make it first"),
}


@pytest.mark.parametrize("case", NOWHERE.values(), ids=NOWHERE.keys())
def test_an_out_that_cannot_be_is_reported_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: tuple[str, str]
) -> None:
    pool(tmp_path)
    monkeypatch.chdir(tmp_path)
    # The pool is missing: had it been read, the message would say so.
    with pytest.raises(InputError) as error:
        run(words(Path("none.jsonl"), Path(case[0])), print)
    line = str(error.value)
    assert line.startswith("--out ")
    assert "\n" not in line
    assert case[1] in line
    assert len(line) < 350


def test_the_longest_name_that_is_taken_is_written(tmp_path: Path) -> None:
    path = pool(tmp_path)
    added = len(f"..provenance.json.tmp{os.getpid()}.12345678.json")
    name = "a" * (os.pathconf(tmp_path, "PC_NAME_MAX") - added - 6) + ".jsonl"
    select(path, tmp_path / name, "random")
    assert (tmp_path / name).is_file()
    assert "too long" in refused(path, tmp_path / f"a{name}", "random")


CACHES = {
    "long": ("a" * 300, "the name is too long for the file system"),
    "deep": ("/".join(["tmp", *["a" * 200] * 30]), "the name is too long for the file system"),
    "no such user": ("~no_such_user/c", "no such home; write the path out"),
    "no files there": ("/proc/c", "No such file or directory; name another place"),
    "a file's": ("my.jsonl/c", "a file stands where a folder is needed; move it away"),
}


@pytest.mark.parametrize("case", CACHES.values(), ids=CACHES.keys())
def test_a_cache_that_cannot_be_is_reported_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: tuple[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = pool(tmp_path)
    given = ["random", "--embedding-model", "minilm", "--cache", case[0]]
    line = refused(path, tmp_path / "out.jsonl", *given)
    assert line.startswith("--cache ")
    assert case[1] in line


def test_a_cache_that_is_not_needed_is_not_made(tmp_path: Path) -> None:
    select(pool(tmp_path), tmp_path / "out.jsonl", "random", "--cache", "/proc/c")


def test_a_link_to_nothing_is_there_already(tmp_path: Path) -> None:
    path, out = pool(tmp_path), tmp_path / "out.jsonl"
    out.symlink_to(tmp_path / "gone.jsonl")
    assert f"{out} is there already; --force replaces it" in refused(path, out, "random")
    select(path, out, "random", "--force")
    assert not out.is_symlink()
    assert not (tmp_path / "gone.jsonl").exists()


@pytest.mark.parametrize("option", ["--out", "--pool"])
def test_a_name_that_is_not_text(tmp_path: Path, option: str) -> None:
    given = words(pool(tmp_path), tmp_path / "out.jsonl")
    at = given.index(option) + 1
    given[at] = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jsonl")
    (tmp_path / "my.jsonl").rename(given[at])
    ended = shell(tmp_path, "select", *given)
    assert ended.returncode == 1
    assert (
        ended.stderr
        == f"error: '{tmp_path}/\\xff.jsonl': not UTF-8; rename the file, or link to it\n"
    )
    (tmp_path / "my.jsonl").symlink_to(given[at])
    select(tmp_path / "my.jsonl", tmp_path / "out.jsonl")


def test_other_letters_are_text(tmp_path: Path) -> None:
    out = tmp_path / "ünter 你好.jsonl"
    select(pool(tmp_path), out)
    info = json.loads(Path(f"{out}.provenance.json").read_text(encoding="utf-8"))
    assert info["subset"]["name"] == out.name


LONG = {
    "budget": (["random", "--budget", "9" * 5000], "--budget 999"),
    "seed": (["random", "--seed", "9" * 5000], "--seed 999"),
    "k": (["kmq", "--quality", "length", "--k", "9" * 5000], "--k 999"),
}


@pytest.mark.parametrize("case", LONG.values(), ids=LONG.keys())
def test_thousands_of_characters_are_cut(tmp_path: Path, case: tuple[list[str], str]) -> None:
    line = refused(pool(tmp_path), tmp_path / "out.jsonl", *case[0])
    assert line.startswith(case[1])
    assert len(line) < 300


def test_a_score_called_length_is_that_of_the_table(tmp_path: Path) -> None:
    path, out = pool(tmp_path), tmp_path / "out.jsonl"
    line = refused(path, out, "top_k", "--quality", "length", "--score", "length=ifd")
    assert line.startswith("--score length: the table's mean length is of characters; give")
    select(path, out, "top_k", "--quality", "length", "--score", "length=length")


def test_a_disk_that_refuses_a_name() -> None:
    assert refusal(OSError(errno.ENAMETOOLONG, "x")) is not None
    assert refusal(OSError(errno.ELOOP, "x")) is not None


def test_trying_leaves_nothing(tmp_path: Path) -> None:
    try_replacing(tmp_path / "a.json")
    assert not list(tmp_path.iterdir())
    with pytest.raises(OSError, match="File name too long"):
        try_replacing(tmp_path / ("a" * 240))
    with pytest.raises(OSError, match="File name too long"), replacing(tmp_path / ("a" * 240)):
        raise AssertionError


def test_a_column_of_csv_given_twice(tmp_path: Path) -> None:
    path, out, file = pool(tmp_path), tmp_path / "out.jsonl", tmp_path / "s.csv"
    file.write_text("q,q\n" + "1,2\n" * 40)
    given = ("--quality", "m", "--score", f"m=column,file={file},column=q")
    assert refused(path, out, "top_k", *given) == (
        f"{file}, row 1: two columns are called 'q'; rename one, or leave it out"
    )
    file.write_text("q,,\n" + "1,2,3\n" * 40)  # as spreadsheets write them
    select(path, out, "top_k", *given)
