"""Decoding a batch of prompts token by token over the model's own cache."""

import inspect
from typing import TYPE_CHECKING

import numpy as np

from harness.common.progress import Step
from harness.feedback.inference import not_finite

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

# Finished rows leave the batch once they are this share of it: a step's time grows with its rows,
# and shrinking the cache takes about a tenth of a step.
_LEAVE = 0.125


class Decoding:
    """A batch that is decoded token by token; finished rows leave it.

    `transformers.generate()` keeps finished rows, and draws all rows from one generator, so that
    an answer would depend on its neighbours.
    """

    def __init__(self, model: "PreTrainedModel", prompts: list[list[int]], cap: int) -> None:
        import torch
        from transformers import DynamicCache

        length = max(len(ids) for ids in prompts)
        ids = torch.zeros((len(prompts), length), dtype=torch.long)
        mask = torch.zeros((len(prompts), length + cap), dtype=torch.long)
        # Padded on the left, so that all rows' next tokens have the same position in the cache.
        for i, prompt in enumerate(prompts):
            ids[i, length - len(prompt) :] = torch.tensor(prompt)
            mask[i, length - len(prompt) :] = 1
        self.model, self.cap, self.length = model, cap, length
        self.ids, self.mask = ids.to(model.device), mask.to(model.device)
        self.positions = (self.mask[:, :length].cumsum(1) - 1).clamp(min=0)
        # Models without position embeddings (ALiBi) take no positions.
        self.takes_positions = "position_ids" in inspect.signature(model.forward).parameters
        self.cache = DynamicCache(config=model.config)
        self.rows = torch.arange(len(prompts), device=model.device)  # indices into the batch
        self.ended = torch.zeros(len(prompts), dtype=torch.bool, device=model.device)

    def run(
        self,
        ends: set[int],
        temperature: float,
        draws: np.ndarray | None,
        names: list[str],
        step: Step,
    ) -> list[list[int]]:
        """The tokens of each row, including its end token if one came."""
        import torch

        device = self.model.device
        last = torch.tensor(sorted(ends), device=device)
        uniform = None if draws is None else torch.from_numpy(draws).to(device)
        written = torch.zeros((len(names), self.cap), dtype=torch.long, device=device)
        counts = torch.full((len(names),), self.cap, device=device)
        left = len(names)
        for t in range(self.cap):
            logits = self._logits(t)
            best, tokens = logits.max(dim=-1)  # NaN counts as the greatest
            lost = self.rows[~torch.isfinite(best) & ~self.ended]
            if len(lost):
                raise not_finite(names[int(lost.min())], "logits")
            if uniform is not None:
                tokens = draw(
                    (logits - best[:, None]).double() / temperature, uniform[self.rows, t]
                )
            written[self.rows, t] = tokens
            ending = torch.isin(tokens, last) & ~self.ended
            counts[self.rows[ending]] = t + 1
            self.ended |= ending
            going = int((~self.ended).sum())
            step(left - going)
            left = going
            if not going:
                break
            self._go_on(tokens, going)
        step(left)
        table, sizes = written.tolist(), counts.tolist()
        return [row[:size] for row, size in zip(table, sizes, strict=True)]

    def _logits(self, t: int) -> "torch.Tensor":
        """Logits of every row's t-th new token: (rows, vocabulary) float32."""
        positions = {"position_ids": self.positions} if self.takes_positions else {}
        out = self.model(
            input_ids=self.ids,
            attention_mask=self.mask[:, : self.length + t],
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
            **positions,
        )
        return out.logits[:, -1].float()

    def _go_on(self, tokens: "torch.Tensor", going: int) -> None:
        """Feed the tokens back; drop finished rows once they are many."""
        self.ids, self.positions = tokens[:, None], self.positions[:, -1:] + 1
        if going > (1 - _LEAVE) * len(self.rows):
            return
        keep = (~self.ended).nonzero()[:, 0]
        self.cache.batch_select_indices(keep)
        self.ids, self.positions, self.mask = self.ids[keep], self.positions[keep], self.mask[keep]
        self.rows, self.ended = self.rows[keep], self.ended[keep]


def draw(logits: "torch.Tensor", uniform: "torch.Tensor") -> "torch.Tensor":
    """Draw a token per row by inverting its distribution at its number in [0, 1): (n,).

    In float64, as sums over a large vocabulary would lose likely tokens to rounding.
    """
    import torch

    passed = torch.softmax(logits.double(), dim=-1).cumsum(dim=-1)
    wanted = uniform[:, None] * passed[:, -1:]
    tokens = torch.searchsorted(passed, wanted, right=True)[:, 0]
    return tokens.clamp(max=logits.shape[1] - 1)
