"""Embeddings that are no sentence encoder's: the base model's states, and letter trigrams."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from harness.common import layout
from harness.common.errors import InputError
from harness.common.schemas import PoolRows
from harness.common.stores import seal
from harness.common.timings import read_timed
from harness.embedding.embed import load_encoder, make_embedding
from harness.embedding.files import CARD, VECTORS
from harness.embedding.lexical import lexical
from harness.models.loading import load_model
from harness.params.params import EmbeddingParams
from tests.helpers.selection_tree import N, build_tree
from tests.helpers.small_repo import edit_params

TEXTS = [
    "Name the hill.",
    "Name the hill, please.",
    "What is two plus three?",
    "Two plus three is five.",
]


@pytest.fixture
def base(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a base model."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_model, layout.BASE_MODEL)
    return layout.BASE_MODEL


def test_states_are_the_mean_of_the_last_hidden_ones(base: Path) -> None:
    import torch

    encoder = load_encoder("base", None)
    vectors = encoder.encode(TEXTS, batch_size=3)
    model = load_model(base)
    for text, vector in zip(TEXTS, vectors, strict=True):
        ids = torch.tensor([encoder.tokenizer(text).input_ids])
        with torch.inference_mode():
            states = model(ids, output_hidden_states=True).hidden_states[-1][0]
        np.testing.assert_allclose(vector, states.mean(dim=0).numpy(), atol=1e-5)


def test_a_text_longer_than_the_context_is_cut_at_its_end(base: Path) -> None:
    encoder = load_encoder("base", None)
    long = "one two three " * 200
    assert len(encoder.tokenizer(long).input_ids) > encoder.max_seq_length == 128
    cut = encoder.tokenizer.decode(encoder.tokenizer(long).input_ids[:128])
    both = encoder.encode([long, cut], batch_size=2)
    np.testing.assert_allclose(both[0], both[1], atol=1e-5)


def test_a_text_without_a_token_is_named(base: Path, tmp_path: Path) -> None:
    ids = ["a", "b"]
    frame = pd.DataFrame({"id": ids, "row": [1, 2], "prompt": ["p", ""], "response": ids})
    pool = PoolRows(frame.assign(messages="[]"))
    item = EmbeddingParams(model="base", text="prompt")
    with pytest.raises(InputError, match="embeddings: row 2: 'base' gave a vector that is zero"):
        make_embedding(pool, item, tmp_path / "scratch")


def test_without_a_base_model_the_stage_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="dvc repro base_model"):
        load_encoder("base", None)


def test_texts_of_the_same_letters_are_near() -> None:
    vectors, spent = lexical(TEXTS)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    near = unit @ unit.T
    # As many components as texts: the angles are those of the table itself.
    table = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3), sublinear_tf=True)
    counted = table.fit_transform(TEXTS)
    np.testing.assert_allclose(near, (counted @ counted.T).toarray(), atol=1e-6)
    assert min(near[0, 1], near[2, 3]) > 2 * near[0, 2]
    assert spent > 0
    assert (lexical(TEXTS)[0] == vectors).all(), "the same bytes each time"


@pytest.mark.parametrize("model", ["base", "lexical"])
def test_the_stage_writes_vectors_and_their_cost(
    model: str, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline import cost_shared, embed

    monkeypatch.chdir(tmp_path)
    build_tree(tmp_path)
    shutil.copytree(tiny_model, layout.BASE_MODEL, dirs_exist_ok=True)
    seal(layout.BASE_MODEL)
    edit_params(tmp_path, embeddings={"minilm": {"model": model, "text": "prompt_completion"}})
    monkeypatch.setattr(embed, "code_hash", lambda _: "")
    embed.run("minilm")
    vectors = np.load(layout.EMBEDDINGS / "minilm" / VECTORS)
    assert len(vectors) == N
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    card = read_timed(layout.EMBEDDINGS / "minilm" / CARD)
    assert ("reads" in card, "flops" in card) == (model == "base", model == "lexical")
    cost_shared.run()
    cost = read_timed(layout.SHARED_COSTS_FILE)["embeddings"]["minilm"]
    assert cost["flops"] > 0
    assert cost["seconds"] == card["seconds"] >= 0
    assert (cost["tokens"] > 0) == (model == "base")
