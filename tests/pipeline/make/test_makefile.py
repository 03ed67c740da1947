"""The Makefile and the environment it makes: what a newcomer meets first."""

import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MAKE = shutil.which("make") or "make"
TOOLS = (
    "bash",
    "sh",
    "awk",
    "cat",
    "cksum",
    "df",
    "dirname",
    "git",
    "grep",
    "python3",
    "rm",
    "tee",
)
OLD_PYTHON = "#!/bin/sh\nexit 1\n"
NO_VENV = '#!/bin/sh\ncase "$2" in *venv*) exit 1 ;; esac\nexit 0\n'
SMALL_DISK = "#!/bin/sh\necho header\necho /dev/disk 100000000 99000000 1000000 99% /\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What `make env` reads, in a folder of its own with no environment yet."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "scripts/env.sh"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def make(
    folder: Path, *arguments: str, path: Path | None = None
) -> subprocess.CompletedProcess[str]:
    kept = {"HOME", "LANG", "TMPDIR"}
    env = {key: value for key, value in os.environ.items() if key in kept or "PIP" in key}
    env["PATH"] = str(path or os.environ["PATH"])
    return subprocess.run(
        [MAKE, *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False
    )


def fake_path(folder: Path, without: str = "", **scripts: str) -> Path:
    """A folder with the tools `make env` uses, less one, some replaced by scripts."""
    path = folder / "bin"
    path.mkdir()
    for tool in TOOLS:
        place = sys.executable if tool == "python3" else shutil.which(tool)
        if tool != without and place:
            (path / tool).symlink_to(place)
    for name, text in scripts.items():
        (path / name).unlink(missing_ok=True)
        (path / name).write_text(text)
        (path / name).chmod(0o755)
    return path


def errors(ended: subprocess.CompletedProcess[str]) -> list[str]:
    """What was said, less make's own line that a target failed."""
    return [line for line in ended.stderr.splitlines() if not line.startswith("make")]


def test_help_is_the_default_and_lists_every_target(clone: Path) -> None:
    ended = make(clone)
    assert ended.returncode == 0
    phony = re.search(r"^\.PHONY: (.*)$", (clone / "Makefile").read_text(), re.MULTILINE)
    assert phony
    for target in phony[1].split():
        assert re.search(rf"^  make {target} +\S", ended.stdout, re.MULTILINE), target
    assert not (clone / ".venv").exists()


@pytest.mark.parametrize(
    ("without", "scripts", "message"),
    [
        ("python3", {}, "no Python 3.11 or newer"),
        ("", {"python3": OLD_PYTHON}, "no Python 3.11 or newer"),
        ("git", {}, "no git"),
        ("", {"python3": NO_VENV}, "no venv module"),
        ("", {"df": SMALL_DISK}, "976 MB of disk are free"),
    ],
    ids=["no python", "old python", "no git", "no venv", "small disk"],
)
def test_what_is_missing_is_one_line_with_the_remedy(
    clone: Path, without: str, scripts: dict[str, str], message: str
) -> None:
    path = fake_path(clone, without, **scripts)
    for target in ("env", "repro", "test"):
        ended = make(clone, target, path=path)
        assert ended.returncode != 0
        (line,) = errors(ended)
        assert line.startswith("error: ")
        assert message in line
        assert "remedy: " in line
        assert not (clone / ".venv").exists()


def test_a_python_that_is_named_is_the_one_that_is_used(clone: Path) -> None:
    ended = make(clone, "env", "PYTHON=no-such-python", path=fake_path(clone))
    assert "no Python 3.11 or newer called no-such-python" in errors(ended)[0]


def test_an_unknown_torch_is_refused(clone: Path) -> None:
    ended = make(clone, "env", "TORCH=rocm")
    assert ended.returncode != 0
    assert errors(ended) == ["error: TORCH=rocm; choices: cpu, cuda"]


def stamp(clone: Path, torch: str) -> None:
    """Stand for an environment that was made from the files as they are."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", clone / ".venv"], check=True)
    recipe = "cat pyproject.toml constraints.txt | cksum"
    checksum = subprocess.run(
        recipe, shell=True, cwd=clone, capture_output=True, text=True, check=True
    )
    (clone / ".venv" / ".installed").write_text(f"{torch} {checksum.stdout}")


@pytest.mark.parametrize("torch", ["cpu", "cuda"])
def test_an_environment_that_is_up_to_date_is_left_alone(clone: Path, torch: str) -> None:
    stamp(clone, torch)
    start = time.monotonic()
    ended = make(clone, "env")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert time.monotonic() - start < 5


ARGUMENTS = '#!/bin/sh\nfor given; do printf "%s\\n" "$given"; done\n'


@pytest.mark.parametrize(
    "name", ["my.jsonl", 'it\'s a "pool"; $(x) $HOME `id`.jsonl', "#1 %.jsonl"]
)
@pytest.mark.parametrize("target", ["preset", "repro"])
def test_a_pool_is_handed_on_as_it_is_called(clone: Path, target: str, name: str) -> None:
    stamp(clone, "cpu")
    python = clone / ".venv" / "bin" / "python"
    python.unlink()
    python.write_text(ARGUMENTS)
    python.chmod(0o755)
    ended = make(clone, target, "PRESET=own", f"POOL={name}")
    assert ended.stdout.splitlines()[-2:] == ["--pool", name]
    assert "--pool" not in make(clone, target, "PRESET=own").stdout
    quoted = "o'wn"
    assert quoted in make(clone, target, f"PRESET={quoted}").stdout.splitlines()


@pytest.mark.parametrize("changed", ["constraints.txt", "pyproject.toml", "TORCH=cuda"])
def test_it_is_made_again_when_its_recipe_changes(clone: Path, changed: str) -> None:
    stamp(clone, "cpu")
    arguments = ["env"]
    if "=" in changed:
        arguments.append(changed)
    else:
        with (clone / changed).open("a") as stream:
            stream.write("# a new version\n")
    ended = make(clone, *arguments)
    # This environment has no pip, so that nothing is fetched here: it is seen to try, and to fail.
    assert ended.stdout.startswith("env: making the environment in")
    assert ended.returncode != 0
    assert "see .venv/install.log" in errors(ended)[-1]
    assert not (clone / ".venv" / ".installed").exists()


def wheel(folder: Path, version: str) -> Path:
    """A folder with a package called torch of that version, and nothing in it."""
    folder.mkdir()
    info = f"torch-{version}.dist-info"
    files = {
        "torch.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"torch-{version}-py3-none-any.whl", "w") as file:
        for name, text in files.items():
            file.writestr(name, text)
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="one build of torch for both elsewhere")
def test_the_build_of_torch_that_is_asked_for_replaces_the_other(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the real pip; torch is an empty package, of which there is one build at a time."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    ask = "from importlib.metadata import version; print(version('torch'))"
    for torch, version in (("cpu", "2.13.0+cpu"), ("cuda", "2.13.0"), ("cpu", "2.13.0+cpu")):
        shutil.rmtree(clone / "wheels", ignore_errors=True)
        monkeypatch.setenv("PIP_FIND_LINKS", str(wheel(clone / "wheels", version)))
        ended = make(clone, "env", f"TORCH={torch}")
        # Nothing else is to be had here, so that it ends after torch.
        assert "env: the other packages" in ended.stdout, ended.stderr
        assert ended.returncode != 0
        done = subprocess.run(
            [clone / ".venv/bin/python", "-c", ask], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == version


@pytest.mark.slow
def test_from_nothing_and_then_nothing(clone: Path) -> None:
    """The whole environment, two to four minutes; a second call takes no time."""
    for folder in ("harness", "pipeline"):
        shutil.copytree(ROOT / folder, clone / folder)
    for name in ("README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone / name)
    ended = make(clone, "env")
    assert ended.returncode == 0, ended.stderr
    code = "import torch, harness.samplers; print(torch.__version__)"
    done = subprocess.run(
        [clone / ".venv/bin/python", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("2.13.0")
    start = time.monotonic()
    again = make(clone, "env")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert time.monotonic() - start < 5
