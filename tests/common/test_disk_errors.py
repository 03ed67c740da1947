"""A full disk, one that is read-only, a file over the limit: one line with the file's name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.common.disk_errors import ending_in_one_line
from harness.common.files import write_json

ROOT = Path(__file__).parents[2]
# Every kind of writer, first of little, then of much: what little it wrote must stay.
WRITE = """
import gzip, os, resource, shutil, sys
from pathlib import Path
import numpy as np
import pandas as pd
from safetensors.numpy import save_file
from harness.common.errors import InputError
from harness.feedback.judge.cache import Answer, AnswerCache
from harness.common.files import file_hash, folder_hash, replacing, replacing_folder, write_json
from harness.rounds.phases import naming
from harness.common.disk_errors import ending_in_one_line
from harness.common.stores import keeping
from harness.report.shared.plots import new_figure, save_figure
from harness.common.schemas import SCORES, write_frame
from harness.select_command.pool_file import sink

OUT = Path("out")

def noise(n):
    return np.random.default_rng(0).random(n)

def parquet(path, n):
    write_frame(path, pd.DataFrame({"id": [str(i) for i in range(n)], "x": noise(n)}), SCORES)

def array(path, n):
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, noise(n))

def safetensors(path, n):
    with replacing(path) as temporary:
        save_file({"values": noise(n)}, temporary)

def json(path, n):
    write_json(path, noise(n).tolist())

def zipped(path, n):
    with replacing(path) as temporary, temporary.open("wb") as raw, sink(raw, True) as stream:
        stream.write(noise(n).tobytes())

def png(path, n):
    figure = new_figure(1 + n / 40_000, 1 + n / 40_000)
    figure.add_subplot().imshow(noise(n // 100 * 100).reshape(100, -1), aspect="auto")
    save_figure(figure, path)

def copied(path, n):
    Path("source").write_bytes(noise(n).tobytes()) if not LIMIT or n < 1000 else None
    with replacing(path) as temporary:
        shutil.copyfile("source" if n < 1000 else "large", temporary)

def folder(path, n):
    with replacing_folder(path) as temporary:
        save_file({"values": noise(n)}, temporary / "model.safetensors")

def phase(path, n):  # in a folder of its own, which takes its place only when it ends
    path.parent.mkdir(exist_ok=True)
    with naming(path):
        np.save(path, noise(n))

def blocks(path, n):
    with keeping(path) as temporary:
        np.save(temporary, noise(n))

def answers(path, n):
    AnswerCache(path, "judge").keep(str(n), Answer("x" * n * 8, 1, 1))

WRITERS = {
    "scores.parquet": parquet, "values.npy": array, "model.safetensors": safetensors,
    "card.json": json, "rows.jsonl.gz": zipped, "map.png": png, "subset.parquet": copied,
    "model": folder, "phase/scores.npy": phase, "embed/block_00000000.npy": blocks,
    "answers.jsonl": answers,
}
INTACT = [name for name in WRITERS if not name.startswith(("phase", "embed", "answers"))]
LIMIT = sys.argv[1] == "limit"
Path("large").write_bytes(noise(100_000).tobytes())

def sums():
    paths = {name: OUT / name for name in INTACT if (OUT / name).exists()}
    return {n: folder_hash(p) if p.is_dir() else file_hash(p) for n, p in paths.items()}

if sys.argv[1] != "read-only":
    for name, write in WRITERS.items():
        write(OUT / name, 200)
    assert len(sums()) == len(INTACT)
if LIMIT:
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
before, there = sums(), sorted(p for p in OUT.rglob("*"))
for name, write in WRITERS.items():
    try:
        with ending_in_one_line():
            write(OUT / name, 100_000)
        print(name, "was written")
    except SystemExit as end:
        print(end.code)
    for path in ("phase/scores.npy", "embed/block_00000000.npy"):
        if sys.argv[1] != "read-only":
            (OUT / path).unlink(missing_ok=True)
assert sums() == before
left = {p for p in OUT.rglob("*") if p not in there}
assert not left, left
"""
NAMES = (
    *("scores.parquet", "values.npy", "model.safetensors", "card.json", "rows.jsonl.gz", "map.png"),
    *("subset.parquet", "model", "phase/scores.npy", "embed/block_00000000.npy"),
    "answers.jsonl",
)
DISKS = {
    "full": ("mount -t tmpfs -o size=400k none out", "the disk is full; free some space"),
    "read-only": ("mount -t tmpfs -o ro none out", "the file system is read-only; results"),
    "limit": ("true", "the file is over the size that is allowed; raise it (ulimit -f)"),
}


@pytest.mark.parametrize("disk", DISKS)
def test_each_writer_names_its_file_and_leaves_what_was_there(disk: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    prepare, why = DISKS[disk]
    confined = ["unshare", "--user", "--map-root-user", "--mount"] if disk != "limit" else []
    if subprocess.run(
        [*confined, "sh", "-c", prepare], cwd=tmp_path, capture_output=True
    ).returncode:
        pytest.skip("this kernel lets no user mount a file system of its own")
    script = f"{prepare} && cd . && {sys.executable} - {disk}"
    done = subprocess.run(
        [*confined, "sh", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=WRITE,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(NAMES)
    for name, line in zip(NAMES, lines, strict=True):
        assert line.startswith("error: out/")
        if disk != "read-only":  # there the folder cannot be made either
            assert line.startswith(f"error: out/{name}: ")
        assert why in line


OTHERS = {
    "a/b.json": ("a", False, "a: a file stands where a folder is needed; move it away"),
    "a/b/c.json": ("a", False, "a/b: a file stands where a folder is needed; move it away"),
    "a.json": ("a.json", True, "a.json: a folder stands where a file is needed; move it away"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_file_in_the_place_of_a_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place, folder, message = OTHERS[name]
    Path(place).mkdir() if folder else Path(place).touch()
    with pytest.raises(SystemExit, match=f"^error: {message}$"), ending_in_one_line():
        write_json(Path(name), {})
    assert os.listdir(tmp_path) == [place]


def test_a_lock_that_cannot_say_who_holds_it_is_named(tmp_path: Path) -> None:
    code = (
        "import resource\n"
        "from pathlib import Path\n"
        "from harness.common.disk_errors import ending_in_one_line\n"
        "from harness.common.stores import locked\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))\n"
        "with ending_in_one_line(), locked(Path()):\n"
        "    pass\n"
    )
    command = [sys.executable, "-c", code]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    message = "error: .lock: the file is over the size that is allowed; raise it (ulimit -f)\n"
    assert done.stderr == message


def test_a_disk_error_that_a_library_wraps_is_recognised(tmp_path: Path) -> None:
    code = (
        "from harness.common.disk_errors import ending_in_one_line\n"
        "with ending_in_one_line():\n"
        "    try:\n"
        "        raise OSError(28, 'No space left on device', 'cache/a.arrow')\n"
        "    except OSError as error:\n"
        "        raise RuntimeError('the dataset could not be generated') from error\n"
    )
    command = [sys.executable, "-c", code]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert (
        done.stderr == "error: cache/a.arrow: the disk is full; free some space and run it again\n"
    )
