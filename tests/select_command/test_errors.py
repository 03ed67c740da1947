"""A wrong command ends with one line, and an existing subset stays as it was."""

import json
from pathlib import Path

import numpy as np
import pytest

from harness.common.errors import InputError
from harness.select_command.command import run
from tests.helpers.pool_files import DROP
from tests.helpers.select_files import embedding, pool, refused, select, vectors, words

LENGTH = ("--quality", "length")

# The words after --pool, --budget and --out, and what the line says.
WRONG_WORDS = {
    "system in rounds": (["diverse_evol"], "--sampler diverse_evol: trains models to choose by"),
    "unknown system": (["kqm"], "--sampler: no system is called 'kqm'; did you mean 'kmq'?"),
    "quality missing": (["kmq"], "--sampler kmq reads quality: give --quality length, or"),
    "unknown option": (["random", "--sead", "1"], "--sead: no such option; did you mean '--seed'?"),
    "loose word": (["random", "my.jsonl"], "my.jsonl: belongs to no option"),
    "unknown knob": (
        ["deita", *LENGTH, "--param", "thresold=1"],
        "--param thresold: deita takes no such param; did you mean 'threshold'?",
    ),
    "knob of none": (["top_k", *LENGTH, "--param", "a=1"], "--param a: top_k takes no such param"),
    "knob of a wrong type": (
        ["deita", *LENGTH, "--param", "threshold=high"],
        "--param threshold: input should be a valid number, not 'high'",
    ),
    "choice of a knob": (
        ["k_center", "--param", "start=middle"],
        "--param start: input should be 'mean' or 'random', not 'middle'",
    ),
    "knob without a value": (["k_center", "--param", "start"], "needed: name=value"),
    "knob twice": (
        ["k_center", "--param", "start=mean", "--param", "start=random"],
        "--param start: given twice",
    ),
    "seed": (["random", "--seed", "-1"], "--seed -1: needed: a whole number from 0"),
    "k": (["kmq", *LENGTH, "--k", "0"], "--k 0: needed: a whole number from 1"),
    "k in words": (["kmq", *LENGTH, "--k", "many"], "--k many: needed: a whole number from 1"),
    "unknown score": (
        ["top_k", "--quality", "sigmoid(lenght)"],
        "--quality 'sigmoid(lenght)': no score is called 'lenght'; did you mean 'length'?",
    ),
    "filter without a quality": (["random", "--keep-best", "0.5"], "give --quality, too"),
    "filter that keeps all": (
        ["random", *LENGTH, "--keep-best", "1.0"],
        "--keep-best 1.0: needed: a share of the pool between 0 and 1",
    ),
    "quality in other words": (["top_k", "--quality", "length + 1"], "join terms by *"),
    "unknown scorer": (
        ["top_k", *LENGTH, "--score", "a=colunm,file=x"],
        "--score a: no scorer is called 'colunm'; did you mean 'column'?",
    ),
    "score without a scorer": (["top_k", *LENGTH, "--score", "a"], "--score a: needed: name=value"),
    "score twice": (
        ["top_k", *LENGTH, "--score", "a=length", "--score", "a=length"],
        "--score a: given twice",
    ),
    "score called id": (
        ["top_k", *LENGTH, "--score", "id=length"],
        "--score id: the column of ids is called so",
    ),
    "knob of a scorer": (
        ["top_k", "--quality", "a", "--score", "a=column,file=x,colum=y"],
        "--score a: colum: column takes no such param; did you mean 'column'?",
    ),
    "needed knob of a scorer": (
        ["top_k", "--quality", "a", "--score", "a=column,file=x"],
        "--score a: column: column needs it",
    ),
    "two embeddings": (
        ["k_center", "--embeddings", "a.npy", "--embedding-model", "minilm"],
        "--embedding-model: --embeddings is given",
    ),
    "no embedding file": (["k_center", "--embeddings", "no.npy"], "no.npy: no such embedding file"),
    "no encoder": (["k_center", "--embedding-model", "./none"], "none: no such model folder"),
    "no score file": (
        ["top_k", "--quality", "a", "--score", "a=column,file=no.csv,column=y"],
        "no.csv",
    ),
}


@pytest.mark.parametrize("case", WRONG_WORDS.values(), ids=WRONG_WORDS.keys())
def test_wrong_words(case: tuple[list[str], str], tmp_path: Path) -> None:
    given, message = case
    out = tmp_path / "out.jsonl"
    out.write_text("old")
    assert message in refused(pool(tmp_path), out, *given, "--force")


@pytest.mark.parametrize("budget", ["0", "-3", "1.5", "1.0", "0.0", "nan", "ten", "1e400", ""])
def test_a_budget_is_rows_or_a_share(budget: str, tmp_path: Path) -> None:
    line = refused(pool(tmp_path), tmp_path / "out.jsonl", "random", budget=budget)
    assert line.startswith(f"--budget {budget}: needed: a whole number of rows from 1")


@pytest.mark.parametrize("name", ["pool", "sampler", "budget", "out"])
def test_what_is_missing_is_named(name: str, tmp_path: Path) -> None:
    given = words(pool(tmp_path), tmp_path / "out.jsonl")
    at = given.index(f"--{name}")
    with pytest.raises(InputError, match=f"^--{name} is missing"):
        run(given[:at] + given[at + 2 :], print)


def test_budget_and_k_over_the_pool(tmp_path: Path) -> None:
    path, out = pool(tmp_path), tmp_path / "out.jsonl"
    line = refused(path, out, "random", budget=41)
    assert line == "--budget 41: the pool has 40 rows; give at most that"
    more = ("--embeddings", str(embedding(tmp_path)), "--k", "8,41")
    assert (
        refused(path, out, "km_random", *more) == "--k 41: the pool has 40 rows; give at most that"
    )


def test_an_existing_subset_needs_force(tmp_path: Path) -> None:
    path, out = pool(tmp_path), tmp_path / "out.jsonl"
    out.write_text("old")
    # Reported before the pool is read.
    line = refused(tmp_path / "none.jsonl", out, "random")
    assert line == f"--out {out}: {out} is there already; --force replaces it"
    out.unlink()
    beside = tmp_path / "out.jsonl.provenance.json"
    beside.write_text("old")
    assert f"{beside} is there already" in refused(path, out, "random")
    select(path, out, "random", "--force")
    select(path, out, "random", "--force")
    assert json.loads(beside.read_text())["subset"]["rows"] == 5


@pytest.mark.parametrize("force", [[], ["--force"]])
@pytest.mark.parametrize("kind", ["same", "link", "hard"])
def test_what_is_read_is_never_written(kind: str, force: list[str], tmp_path: Path) -> None:
    path, out = pool(tmp_path), tmp_path / "other.jsonl"
    if kind == "same":
        out = tmp_path / "." / "my.jsonl"
    elif kind == "link":
        out.symlink_to(path)
    else:
        out.hardlink_to(path)
    assert "the command reads" in refused(path, out, "random", *force)


def test_scores_are_never_written_over(tmp_path: Path) -> None:
    path, out = pool(tmp_path), tmp_path / "scores.jsonl"
    out.write_text("".join(json.dumps({"q": i}) + "\n" for i in range(40)))
    mine = ("--quality", "a", "--score", f"a=column,file={out},column=q")
    assert "the command reads" in refused(path, out, "top_k", *mine, "--force")


NAMES = {
    "out.csv": "needed: a name that ends in .jsonl, .ndjson, .json, .parquet",
    "out": "needed: a name that ends in",
    "out.gz": "needed: a name that ends in",
    "out.parquet": "the pool is JSON, and so is its subset; name it .jsonl or .json",
    "no/out.jsonl": "make it first",
}


@pytest.mark.parametrize("name", NAMES)
def test_names_that_fit_no_form(name: str, tmp_path: Path) -> None:
    assert NAMES[name] in refused(pool(tmp_path), tmp_path / name, "random")


def test_a_folder_cannot_be_the_subset(tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").mkdir()
    line = refused(pool(tmp_path), tmp_path / "out.jsonl", "random", "--force")
    assert line.endswith("out.jsonl is a folder; name a file")


def test_parquet_has_no_lines(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "p.parquet"
    pq.write_table(pa.table({"prompt": ["a"], "response": ["b"]}), path)
    line = refused(path, tmp_path / "out.jsonl", "random", budget=1)
    assert line.endswith("the pool is Parquet, and so is its subset; name it .parquet")


def test_a_malformed_pool_is_reported_as_in_the_pipeline(tmp_path: Path) -> None:
    path, out = pool(tmp_path), tmp_path / "out.jsonl"
    path.write_bytes(path.read_bytes() + b'{"instruction": "a"}\n')
    remedy = DROP.replace("set on_bad_row: drop", "give --on-bad-row drop")
    want = f"{path}, row 41: no response (no field output or response); {remedy}"
    assert refused(path, out, "random") == want
    assert "no such file" in refused(tmp_path / "no.jsonl", out, "random")
    assert refused(Path("lab"), out, "random").startswith("--pool lab: ")


def test_an_embedding_that_does_not_fit(tmp_path: Path) -> None:
    path, out, file = pool(tmp_path), tmp_path / "out.jsonl", tmp_path / "v.npy"
    given = ("k_center", "--embeddings", str(file))
    np.save(file, vectors(39))
    assert "shape (39, 8); the pool has 40 rows" in refused(path, out, *given)
    x = vectors()
    x[6, 2] = np.nan
    np.save(file, x)
    assert refused(path, out, *given).endswith("row 7 is NaN, infinite or all zeros")
    np.save(file, np.arange(40)[:, None])
    assert "an embedding is of floats" in refused(path, out, *given)
    file.write_bytes(b"no array")
    assert "not a .npy array" in refused(path, out, *given)


def test_scores_that_cannot_be_a_quality(tmp_path: Path) -> None:
    path, out, file = pool(tmp_path), tmp_path / "out.jsonl", tmp_path / "s.csv"
    mine = ("--score", f"mine=column,file={file},column=q")
    file.write_text("q\n" + "1\n" * 38 + "nan\n-2\n")
    assert f"{file}, row 40: q is nan" in refused(path, out, "top_k", "--quality", "mine", *mine)
    file.write_text("q\n" + "1\n" * 39 + "-2\n")
    line = refused(path, out, "top_k", "--quality", "mine", *mine)
    assert line == (
        "quality 'mine': mine of instance '40' (-2) is negative; use sigmoid(...), minmax(...) or "
        "rank(...) of the column"
    )
    select(path, out, "top_k", "--quality", "rank(mine) * length", *mine)


def test_what_a_system_refuses_is_reported(tmp_path: Path) -> None:
    path, out = pool(tmp_path), tmp_path / "out.jsonl"
    given = ("--embeddings", str(embedding(tmp_path)), "--quality", "length")
    line = refused(path, out, "deita", *given, "--param", "threshold=2")
    assert line == "sampler deita: threshold is 2.0; a cosine similarity is -1 to 1"


def test_a_pool_that_changes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.select_command import inputs

    path, out = pool(tmp_path), tmp_path / "out.jsonl"
    original = inputs.make_inputs

    def slowly(*given: object) -> object:
        pool(tmp_path, 39)
        return original(*given)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(inputs, "make_inputs", slowly)
    out.write_text("old")
    with pytest.raises(InputError, match=r"changed while rows were chosen; run it again"):
        select(path, out, "random", "--force")
    assert out.read_text() == "old"
    assert not list(tmp_path.glob(".*"))


def test_scores_by_ids_from_0_are_refused_for_a_pool_without_ids(tmp_path: Path) -> None:
    """Each row would get the score of the one before, and no id would be missing."""
    scores = tmp_path / "s.csv"
    scores.write_text("id,q\n" + "".join(f"{i},{i}\n" for i in range(41)))
    more = ("--score", f"mine=column,file={scores},column=q", "--quality", "mine")
    line = refused(pool(tmp_path), tmp_path / "out.jsonl", "top_k", *more)
    assert "row 2: id 0, but the pool has no ids of its own and its rows count from 1" in line
