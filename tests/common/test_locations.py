"""What a path names: `@` begins a revision in a hub id only."""

import os
from pathlib import Path
from typing import Any

import pytest

from harness.common.errors import InputError
from harness.common.locations import split_revision
from harness.params.prepare import PrepareParams
from harness.params.source import Source
from harness.pools.prepare import prepare_section
from tests.helpers.pool_files import as_jsonl, read


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("owner/name@v1", ("owner/name", "v1")),
        ("owner/name@refs/pr/1", ("owner/name", "refs/pr/1")),
        ("owner/name", ("owner/name", None)),
        ("owner/name@", ("owner/name@", None)),
        ("/home/me@corp/my.jsonl", ("/home/me@corp/my.jsonl", None)),
        ("./a/b@c", ("./a/b@c", None)),
        ("shared:pools/a@b", ("shared:pools/a@b", None)),
        ("data/my@v2.jsonl", ("data/my@v2.jsonl", None)),
        ("me@corp/my", ("me@corp/my", None)),
        ("lab", ("lab", None)),
    ],
)
def test_only_a_hub_id_is_split(
    path: str, parts: tuple[str, str | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARED_DATA", str(tmp_path))
    assert split_revision(path) == parts


def test_what_exists_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert split_revision("data/pool@v2") == ("data/pool", "v2")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "pool@v2").write_text("")
    assert split_revision("data/pool@v2") == ("data/pool@v2", None)


def test_a_named_source_may_carry_its_revision_in_its_path() -> None:
    named = PrepareParams(
        source="mine",
        sources={
            "mine": Source(path="owner/name@v1"),
            "at": Source(path="owner/name", revision="v2"),
        },
    )
    result = [named.find_source(name) for name in ("mine", "at", "owner/name@v3")]
    assert [(s.path, s.revision) for s in result] == [("owner/name", f"v{i}") for i in (1, 2, 3)]


def test_a_pool_in_a_folder_with_an_at_sign_is_read(tmp_path: Path) -> None:
    rows = [{"instruction": f"q{i}", "output": f"a{i}"} for i in range(3)]
    (tmp_path / "me@corp").mkdir()
    path = tmp_path / "me@corp" / "my.jsonl"
    as_jsonl(path, rows)
    assert len(prepare_section(PrepareParams(source=str(path))).pool) == 3


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("x" * 300 + ".jsonl", "File name too long"),
        ("shared:" + "x" * 300, "File name too long"),
        ("~no-such-user/x.jsonl", "Could not determine home directory."),
    ],
    ids=["name", "shared", "home"],
)
def test_a_path_that_no_file_can_have_is_named(
    path: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARED_DATA", str(tmp_path))
    with pytest.raises(InputError) as caught:
        prepare_section(PrepareParams(source=path))
    remedy = "give a JSON, JSONL or Parquet file or a hub id"
    assert str(caught.value) == f"{path}: no such file ({why}); {remedy}"


@pytest.mark.parametrize("path", ["owner/" + "x" * 300, "owner/a--b"], ids=["long", "dashes"])
def test_a_name_that_is_neither_a_file_s_nor_the_hub_s(path: str) -> None:
    with pytest.raises(InputError) as caught:
        prepare_section(PrepareParams(source=path))
    rule = "no such file here, and not a name that the hub allows; correct the name"
    assert str(caught.value) == f"{path}: {rule}"


def test_a_pipe_or_a_device_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    for path in (tmp_path / "pipe.jsonl", Path("/dev/zero")):
        with pytest.raises(InputError) as caught:
            read(path)
        remedy = "give a JSON, JSONL or Parquet file or a hub id"
        assert str(caught.value) == f"{path}: not a regular file; {remedy}"


def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "my.jsonl"
    path.write_text("{}\n")

    original = Path.open

    def refuse(self: Path, *given: Any, **named: Any) -> object:  # noqa: ANN401
        if self == path:
            raise OSError(5, "Input/output error")
        return original(self, *given, **named)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError) as caught:
        read(path)
    rule = "cannot be read (Input/output error); make it readable, or copy it again"
    assert str(caught.value) == f"{path}: {rule}"
