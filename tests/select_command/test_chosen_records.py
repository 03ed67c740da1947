"""A subset's records are the pool's own, in each form that a pool may have."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from harness.samplers import SAMPLERS, Pool
from tests.helpers.local_hub import COMMIT, local_hub
from tests.helpers.pool_files import WRITERS
from tests.helpers.select_files import pool, pool_rows, select, shell, words


def test_lines_keep_their_bytes_and_stand_in_the_order_of_selection(tmp_path: Path) -> None:
    path, out = tmp_path / "odd.jsonl", tmp_path / "out.jsonl"
    lines = [
        b'\xef\xbb\xbf{"instruction":"a","output":"long enough"}\r\n',
        b'  {"output" : "b\\u00e9", "instruction": "a", "n": 1.0e2} \n',
        b"\n",
        '{"instruction": "a", "output": "é", "u": "\u2028"}\n'.encode(),
        b'{"instruction": "a", "output": "the last, with no end"}',
    ]
    path.write_bytes(b"".join(lines))
    select(path, out, "top_k", "--quality", "length", budget=4)
    first = lines[0].removeprefix(b"\xef\xbb\xbf")
    assert out.read_bytes() == b"".join([lines[4] + b"\n", first, lines[1], lines[3]])


@pytest.mark.parametrize("name", WRITERS)
def test_every_form_comes_back_as_it_was(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    WRITERS[name](path, pool_rows())
    ending = ".jsonl" if "." not in name else path.suffix
    out = tmp_path / f"out{ending}"
    select(path, out, "top_k", "--quality", "length", budget=3)
    again = tmp_path / f"again{ending}"
    select(out, again, "random", budget=3)  # a subset is a pool
    best = sorted(pool_rows(), key=lambda row: -len(row["output"]))[:3]
    if ending == ".parquet":
        import pyarrow.parquet as pq

        assert pq.read_table(out).to_pylist() == best
    elif name == "pool.json":
        assert json.loads(out.read_text()) == best
    else:
        assert [json.loads(line) for line in out.read_text().splitlines()] == best


def test_a_list_and_lines_are_written_as_the_other(tmp_path: Path) -> None:
    text = '[{"instruction": "a",\n  "output": "b \\n c",\n\t"x": [1,\r\n 2.50]},\n {"instruction":'
    text += ' "q", "output": "é"}]'
    (tmp_path / "p.json").write_text(text, encoding="utf-8", newline="")
    select(tmp_path / "p.json", tmp_path / "o.jsonl", "top_k", "--quality", "length", budget=2)
    assert (tmp_path / "o.jsonl").read_text() == (
        '{"instruction": "a", "output": "b \\n c", "x": [1, 2.50]}\n'
        '{"instruction": "q", "output": "é"}\n'
    )
    select(tmp_path / "o.jsonl", tmp_path / "o.json", "top_k", "--quality", "length", budget=2)
    assert (tmp_path / "o.json").read_text() == (
        '[\n{"instruction": "a", "output": "b \\n c", "x": [1, 2.50]},\n'
        '{"instruction": "q", "output": "é"}\n]\n'
    )
    select(tmp_path / "p.json", tmp_path / "same.json", "top_k", "--quality", "length", budget=1)
    first = text[1 : text.index("},") + 1]
    assert (tmp_path / "same.json").read_bytes() == f"[\n{first}\n]\n".encode()


def test_gzip_is_read_and_written_by_the_name(tmp_path: Path) -> None:
    plain = pool(tmp_path)
    zipped = tmp_path / "z.jsonl.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    select(zipped, tmp_path / "a.jsonl")
    select(plain, tmp_path / "a.jsonl.gz")
    assert (
        gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes())
        == (tmp_path / "a.jsonl").read_bytes()
    )


def test_parquet_keeps_its_schema_and_compression(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    n = 2500  # more than one batch
    columns = {
        "instruction": pa.array([f"Say {i}." for i in range(n)], pa.large_string()),
        "output": pa.array(["a" * (1 + i % 50) for i in range(n)]).dictionary_encode(),
        "when": pa.array([i * 1000 for i in range(n)], pa.timestamp("ms", tz="UTC")),
        "parts": pa.array([[i, None] for i in range(n)], pa.list_(pa.int16())),
    }
    table = pa.table(columns).replace_schema_metadata({"made": "by a test"})
    path, out = tmp_path / "p.parquet", tmp_path / "o.parquet"
    pq.write_table(table, path, compression="gzip", row_group_size=700)
    select(path, out, "random", "--seed", "3", budget=600)
    picks = SAMPLERS["random"](Pool(np.ones((n, 1))), 600, np.random.default_rng(3))
    made = pq.read_table(out)
    assert made.schema.equals(pq.read_table(path).schema, check_metadata=True)
    assert made.to_pylist() == table.take(picks).to_pylist()
    assert pq.ParquetFile(out).metadata.row_group(0).column(0).compression == "GZIP"


def dataset(folder: Path, name: str = "set") -> str:
    """A folder laid out like a dataset of the hub, with a value that JSON has no form for."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist(pool_rows(9)).drop_columns("more")
    when = pa.array(range(9), pa.timestamp("ms"))
    (folder / name).mkdir(parents=True)
    pq.write_table(table.append_column("when", when), folder / name / "train.parquet")
    return name


def test_a_folder_of_the_hub_is_written_as_parquet(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    given = words(Path(dataset(tmp_path)), Path("o.parquet"), "top_k", "--quality", "length")
    done = shell(tmp_path, "select", *given)
    assert done.returncode == 0, done.stderr
    best = sorted(pool_rows(9), key=lambda row: -len(row["output"]))[:5]
    made = pq.read_table(tmp_path / "o.parquet").to_pylist()
    assert [row["output"] for row in made] == [row["output"] for row in best]
    assert made[0]["when"] is not None


def test_a_row_that_is_not_json_is_refused(tmp_path: Path) -> None:
    done = shell(tmp_path, "select", *words(Path(dataset(tmp_path)), Path("o.jsonl")))
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: --out o.jsonl: a row is not JSON")
    assert last.endswith("name it .parquet")
    assert not list(tmp_path.glob("*o.jsonl*"))


def test_a_dataset_of_the_hub(tmp_path: Path) -> None:
    folder = tmp_path / "hub/someone/some_set"
    folder.mkdir(parents=True)
    WRITERS["pool.jsonl"](folder / "train.jsonl", pool_rows(9))
    given = words(Path("someone/some_set"), Path("o.jsonl.gz"), "random", "--split", "train")
    with local_hub(tmp_path / "hub") as address:
        done = shell(tmp_path, "select", *given, HF_ENDPOINT=address, HF_HUB_OFFLINE="0")
    assert done.returncode == 0, done.stderr
    lines = gzip.decompress((tmp_path / "o.jsonl.gz").read_bytes()).decode().splitlines()
    picks = SAMPLERS["random"](Pool(np.ones((9, 1))), 5, np.random.default_rng(0))
    assert [json.loads(line) for line in lines] == [pool_rows(9)[i] for i in picks]
    info = json.loads((tmp_path / "o.jsonl.gz.provenance.json").read_text())["pool"]
    assert info["revision"] == COMMIT
