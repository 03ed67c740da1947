"""The samplers as a tool: the subset's bytes, its order, the file beside it, what is printed."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from harness.common.files import file_hash
from harness.samplers import SAMPLERS, Pool
from harness.select_command.choices import read_knobs
from harness.select_command.inputs import automatic, pool_clusters
from tests.helpers.pool_files import messages
from tests.helpers.select_files import chosen, embedding, pool, pool_rows, refused, select, vectors


def written(out: Path) -> dict:
    """The file beside a subset."""
    return json.loads(out.with_name(f"{out.name}.provenance.json").read_text())


@pytest.mark.parametrize("key", SAMPLERS)
def test_every_system_runs_with_defaults(key: str, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    vector_file = str(embedding(tmp_path))
    more = ["--quality", "length"] if "quality" in SAMPLERS[key].needs else []
    said = select(pool(tmp_path), out, key, "--embeddings", vector_file, *more)
    assert len(set(chosen(out))) == 5
    assert f"5 of 40 rows, in the order chosen by {key}" in said
    info = written(out)
    defaults = {name: str(value) for name, value in info["params"].items()}
    assert (info["sampler"], info["seed"]) == (key, 0)
    assert read_knobs("", key, SAMPLERS[key], defaults) == info["params"]


def test_any_system_may_choose_among_the_best_half_only(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    more = ["--quality", "length", "--keep-best", "0.5"]
    said = select(pool(tmp_path), out, "random", *more, budget=20)
    lengths = sorted((len(row["output"]) for row in pool_rows()), reverse=True)
    left = sorted((len(pool_rows()[i]["output"]) for i in chosen(out)), reverse=True)
    assert left == lengths[:20] != lengths[20:]
    assert written(out)["keep_best"] == 0.5
    assert re.search(r"among the best +100.0%", said)
    line = refused(tmp_path / "my.jsonl", tmp_path / "b.jsonl", "random", *more, budget=21)
    assert line == ("--keep-best 0.5: leaves 20 rows, --budget is 21; raise it or lower the budget")


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    path, vector_file = pool(tmp_path), str(embedding(tmp_path))
    more = ["--embeddings", vector_file, "--quality", "rank(length)", "--k", "2,4"]
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        select(path, tmp_path / folder / "out.jsonl.gz", "kmq", *more, budget=0.3)
    for name in ("out.jsonl.gz", "out.jsonl.gz.provenance.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    info = written(tmp_path / "a/out.jsonl.gz")
    assert info["budget"] == 0.3
    assert info["subset"] == {
        "name": "out.jsonl.gz",
        "sha256": file_hash(tmp_path / "a/out.jsonl.gz"),
        "rows": 12,
        "order": "of selection",
    }
    assert info["pool"]["sha256"] == file_hash(path)
    assert info["embedding"] == {"file": vector_file, "sha256": file_hash(Path(vector_file))}
    assert set(info["clusters"]["silhouettes"]) == {"2", "4"}
    assert {"numba", "numpy", "scipy"} <= set(info["versions"])
    assert "scikit-learn" not in info["versions"], "nothing of it decides a choice"


def test_seed_and_knobs_reach_the_system(tmp_path: Path) -> None:
    path, vector_file = pool(tmp_path), str(embedding(tmp_path))
    results = {}
    for start, seed in (("mean", "0"), ("mean", "1"), ("random", "0"), ("random", "1")):
        out = tmp_path / f"{start}{seed}.jsonl"
        knob = ("--param", f"start={start}", "--seed", seed)
        select(path, out, "k_center", "--embeddings", vector_file, *knob)
        results[start, seed] = chosen(out)
        rng = np.random.default_rng(int(seed))
        want = SAMPLERS["k_center"](Pool(vectors()), 5, rng, start=start)
        assert results[start, seed] == want.tolist()
    assert results["mean", "0"] == results["mean", "1"]
    assert results["random", "0"] != results["random", "1"]


def test_rows_of_any_length_are_scaled_where_a_cosine_is_read(tmp_path: Path) -> None:
    path, vector_file = pool(tmp_path), embedding(tmp_path)
    rest = ("deita", "--quality", "length", "--embeddings")
    select(path, tmp_path / "unit.jsonl", *rest, str(vector_file))
    assert written(tmp_path / "unit.jsonl")["notes"] == []
    np.save(tmp_path / "long.npy", 7 * vectors())
    said = select(path, tmp_path / "long.jsonl", *rest, str(tmp_path / "long.npy"))
    assert chosen(tmp_path / "long.jsonl") == chosen(tmp_path / "unit.jsonl")
    note = f"rows of {tmp_path / 'long.npy'} scaled to length 1: deita compares them by cosine"
    assert f"note: {note}" in said
    assert written(tmp_path / "long.jsonl")["notes"] == [note]


def test_clusters_for_the_table_change_no_choice(tmp_path: Path) -> None:
    path, x = pool(tmp_path), vectors() * np.linspace(1, 9, 40, dtype=np.float32)[:, None]
    np.save(tmp_path / "my.npy", x)
    results = []
    for name, more in (("a", ()), ("b", ("--k", "1")), ("c", ("--k", "4"))):
        given = ("--embeddings", str(tmp_path / "my.npy"), *more)
        select(path, tmp_path / f"{name}.jsonl", "k_center", *given)
        results.append(chosen(tmp_path / f"{name}.jsonl"))
    want = SAMPLERS["k_center"](Pool(x), 5, np.random.default_rng(0)).tolist()
    assert results == [want, want, want]


def test_a_knob_spares_a_system_its_quality(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    more = ("--embeddings", str(embedding(tmp_path)), "--param", "quality_weight=0")
    select(pool(tmp_path), out, "qdit", *more)
    rng = np.random.default_rng(0)
    assert chosen(out) == SAMPLERS["qdit"](Pool(vectors()), 5, rng, quality_weight=0.0).tolist()
    assert written(out)["quality"] is None


def test_what_a_system_warns_of_is_printed_and_kept(tmp_path: Path) -> None:
    rest = ("--quality", "length", "--embeddings", str(embedding(tmp_path)))
    out = tmp_path / "out.jsonl"
    said = select(pool(tmp_path), out, "deita", *rest, "--param", "threshold=-1", budget=9)
    assert [note for note in written(out)["notes"] if "8 of 9" in note]
    assert "note: 8 of 9 are of those passed over" in said


def test_bad_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    path, out = pool(tmp_path, 3), tmp_path / "out.jsonl"
    bad = b'{"instruction": "a", "output": " "}\nhello\n'
    path.write_bytes(bad + path.read_bytes())
    select(path, out, "top_k", "--quality", "length", "--on-bad-row", "drop", budget=0.9)
    assert sorted(chosen(out)) == [0, 1, 2]
    counted = {"blank response": 1, "not JSON": 1}
    assert written(out)["pool"]["rows_dropped"] == counted
    assert written(out)["pool"]["rows"] == 3
    # An unused field is reported and stays in the subset.
    assert written(out)["pool"]["fields_left_out"] == {"more": 3}
    assert all("more" in json.loads(line) for line in out.read_text().splitlines())


def test_conversations_stay_whole(tmp_path: Path) -> None:
    turns = [("system", "Be kind."), ("user", "Hi."), ("assistant", "Yo."), ("user", "Bye.")]
    (tmp_path / "c.jsonl").write_text(json.dumps(messages(*turns)) + "\n")
    select(tmp_path / "c.jsonl", tmp_path / "out.jsonl", budget=1)
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "c.jsonl").read_bytes()


def test_the_table_fits_a_narrow_terminal_and_has_a_random_subset(tmp_path: Path) -> None:
    rest = ("--quality", "sigmoid(length)", "--embeddings", str(embedding(tmp_path)), "--k", "4")
    said = select(pool(tmp_path), tmp_path / "out.jsonl", "kmq", *rest)
    table = said.split("\n\n")[1].splitlines()
    assert table[0].split() == ["kmq", "random"]
    assert max(map(len, said.splitlines()[2:])) <= 79
    labels = [re.split(r"\s{2,}", line)[0] for line in table[2:]]
    assert {"rows", "mean length", "facility location", "clusters reached"} <= set(labels)
    # Random ones are five, and say by how much chance alone moves a measure.
    assert "mean ± standard deviation of 5 draws" in said
    spread = {re.split(r"\s{2,}", line)[0]: line.count("±") for line in table[2:]}
    assert (spread["rows"], spread["facility location"]) == (0, 1)


def test_without_an_embedding_the_table_says_how_to_get_one(tmp_path: Path) -> None:
    said = select(pool(tmp_path), tmp_path / "out.jsonl", "random")
    assert "facility location" not in said
    assert "--embedding-model minilm" in said


def test_clusters_tried_suit_the_pool() -> None:
    assert automatic(10) == [1]
    assert automatic(40) == [2, 4]
    assert automatic(1000) == [2, 4, 8, 16, 32, 64]
    assert automatic(1024) == [16, 32, 64, 128]
    assert automatic(6000) == [16, 32, 64, 128, 256, 512]
    assert automatic(10**6) == [16, 32, 64, 128, 256, 512, 1024, 2048, 4096]
    result, _, notes = pool_clusters(vectors(), "auto", 42)
    assert result.k == 4  # as many as there are centres
    assert pool_clusters(vectors(), (2, 1), 42)[0].k == 2  # one cluster has no silhouette
    message = "k is 4, the largest tried: give --k larger ones to see if they suit"
    assert notes == (message,)
    assert pool_clusters(vectors(), (2, 4, 8), 42)[2] == ()
    alone, _, notes = pool_clusters(vectors(9), "auto", 42)
    assert alone.k == 1
    assert notes == ("k is 1: no number of clusters tried on 9 rows has a silhouette",)


@pytest.mark.parametrize("least", [40, 0])
def test_a_quality_that_saturates_is_said_with_the_remedy(
    least: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Logits of 40 and more are all 1 to a sigmoid: the best by it are the file's first rows."""
    scores = tmp_path / "scores.csv"
    scores.write_text("reward\n" + "".join(f"{least + i}\n" for i in range(40)))
    declared = ("--score", f"mine=column,file={scores},column=reward")
    out = tmp_path / "out.jsonl"
    with caplog.at_level("INFO"):
        said = select(pool(tmp_path), out, "top_k", *declared, "--quality", "sigmoid(mine)")
    assert chosen(out) == ([0, 1, 2, 3, 4] if least else [37, 38, 39, 36, 35])
    if not least:
        return
    flat = "sigmoid(mine) is 1 for 40 of 40 rows whose scores differ (mine is 40 to 79): "
    messages = [
        f"{flat}use rank(mine), which keeps their order",
        "40 rows share the quality at the cut, 1; taken of them, in the pool's order: 5; name a "
        "quality that tells them apart, as rank(...) does where sigmoid(...) saturates",
    ]
    assert written(out)["notes"] == messages
    for note in messages:
        assert f"note: {note}" in said
        assert f"top_k, seed 0: {note}" in caplog.text
    select(pool(tmp_path), tmp_path / "r.jsonl", "top_k", *declared, "--quality", "rank(mine)")
    assert chosen(tmp_path / "r.jsonl") == [39, 38, 37, 36, 35]
    assert written(tmp_path / "r.jsonl")["notes"] == []
