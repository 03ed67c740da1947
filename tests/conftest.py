"""What several test files share: a tiny model, made once a session."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.clustering.files import write_clustering
from harness.clustering.kmeans import kmeans
from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import file_hash, write_json
from harness.common.schemas import POOL, write_frame
from harness.common.stores import shared_data
from harness.embedding.files import CARD, VECTORS
from tests.helpers.presets import preset_file
from tests.helpers.small_repo import SMALL, edit_params, make_small_runs

# The files that take minutes begin first, so that two workers end at about the same time. The first
# makes `small_runs`; those that wait for them come after two that do not.
LONGEST = (
    *("pipeline/test_kills.py", "pipeline/test_worlds.py", "pipeline/make/test_dvc_warm.py"),
    *("pipeline/test_studies.py", "pipeline/test_pipeline.py", "rounds/test_executors.py"),
    *("rounds/test_kills.py", "pipeline/test_presets.py", "launching/test_training.py"),
    *("training/test_cell.py", "pipeline/make/test_runner.py", "evaluation/test_paper_suite.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here, places = Path(__file__).parent, {name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(str(item.path.relative_to(here)), len(LONGEST)))


CORPUS = [
    "What is two plus three?\nTwo plus three is five.",
    "Name the capital of Zanu.\nThe capital of Zanu is Lubi.",
    "Write a function that adds one.\ndef f(x): return x + 1",
    "### Instruction:\n### Response:\nÄußerst süße Grüße, naïve café — 你好, emoji 🙂.",
]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random Llama of 30,000 parameters and 128 tokens of context."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from harness.common.stores import seal
    from harness.models.template import ensure_template

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<pad>", "<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(CORPUS * 3, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="<eos>", pad_token="<pad>"
    )
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=128,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
    )
    folder = tmp_path_factory.mktemp("tiny_model")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)
    ensure_template(tokenizer, "alpaca_short")
    tokenizer.save_pretrained(folder)
    seal(folder)
    return folder


@pytest.fixture(scope="session")
def real_data() -> None:
    """Skip where the folder of real data is absent."""
    try:
        shared_data()
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def small_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small repositories that have run, made once for all workers; to copy."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "small_runs"
    folder.mkdir(exist_ok=True)
    return make_small_runs(folder)


@pytest.fixture
def key_stays_out(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Iterator[None]:
    """A judge's key in the environment, which must be in no file, log or output at the end."""
    from tests.helpers.judge_server import secret_key

    with secret_key(monkeypatch, caplog, capfd, tmp_path):
        yield


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with its tables made, which takes seconds, and nothing in them."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the selection stages can run: 30 instances, one embedding, clusters."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / "params.yaml").write_bytes(preset_file("lab").read_bytes())
    edit_params(tmp_path, **SMALL)
    ids = [f"i{i}" for i in range(30)]
    table = {"id": ids, "row": range(1, 31), "prompt": ids, "response": ids, "messages": ids}
    layout.POOL_FILE.parent.mkdir()
    write_frame(layout.POOL_FILE, pd.DataFrame(table), POOL)
    vectors = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)
    folder = layout.EMBEDDINGS / "minilm"
    folder.mkdir(parents=True)
    np.save(folder / VECTORS, vectors)
    card = {"pool_sha256": file_hash(layout.POOL_FILE), "rows": 30, "dimensions": 8}
    write_json(folder / CARD, card)
    for k in (1, 6):
        write_clustering(layout.cluster_folder("minilm", k), kmeans(vectors, k, seed=42))
    layout.costs_file("rows").parent.mkdir()
    np.save(layout.costs_file("rows"), np.ones(30, dtype=np.int64))
    return tmp_path


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random sentence encoder of a few thousand parameters."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    signs = ["<pad>", "<unk>", *"0123456789abcdefghijklmnopqrstuvwxyzé"]
    inner = Tokenizer(models.WordLevel({sign: i for i, sign in enumerate(signs)}, "<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", unk_token="<unk>", model_max_length=64
    )
    config = BertConfig(
        vocab_size=len(signs),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
    )
    folder = tmp_path_factory.mktemp("encoder")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder / "bert")
    tokenizer.save_pretrained(folder / "bert")
    modules = [Transformer(str(folder / "bert")), Pooling(16)]
    SentenceTransformer(modules=modules).save_pretrained(str(folder / "whole"))
    return folder / "whole"
