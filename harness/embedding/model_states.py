"""The base model as an encoder of texts."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.models.batches import length_batches
from harness.models.loading import load_model, load_tokenizer
from harness.models.pooling import mean_states


class StatesEncoder:
    """Embeds a text as the mean of a causal model's last hidden states over its tokens.

    The space in which DiverseEvol selects (arXiv 2311.08182, section 3), of the model before any
    fine-tuning. A text is read as it is, without a chat template, cut at its end to what the model
    reads. The interface is that of sentence-transformers.
    """

    def __init__(self, folder: Path) -> None:
        self.model = load_model(folder).eval()
        self.tokenizer = load_tokenizer(folder)
        context = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        self.max_seq_length = min(self.tokenizer.model_max_length, context or 10**9)

    def encode(
        self, texts: Sequence[str], batch_size: int, show_progress_bar: bool = False
    ) -> np.ndarray:
        """The texts' vectors: (n, d) float32; NaN for a text without a token."""
        tokenised = self.tokenizer(list(texts), verbose=False).input_ids
        rows = [ids[: self.max_seq_length] for ids in tokenised]
        width = self.model.config.get_text_config().hidden_size
        vectors = np.full((len(rows), width), np.nan, dtype=np.float32)
        for batch in length_batches([len(row) for row in rows], batch_size):
            batch = [i for i in batch if rows[i]]
            if batch:
                vectors[batch] = mean_states(self.model, [rows[i] for i in batch])
        return vectors
