"""Log-likelihoods of continuations that share what comes before them, which is read only once.

lm-eval reads an item's prompt once for each of its choices, and the examples of a benchmark once
for each item. Here the choices of an item are one row of tokens, each choice hidden from the others
by the attention mask, and rows that begin alike are read on top of one cache of what they share.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.launching.ranks import gathered, shard
from harness.models.batches import MOST_TOKENS, length_batches

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel
    from transformers.cache_utils import DynamicCache

Answer = tuple[float, bool]  # log-likelihood (nats), and whether greedy decoding gives the same
_LEAST_SHARED = 16  # tokens: a shorter beginning is not worth a cache
_MOST_CACHE = 2**30  # bytes of a cache, repeated for the rows of a batch
_MOST_MASK = 2**27  # elements of a batch's attention mask


class Request(NamedTuple):
    """Token ids of a context, at least one, and of the continuation that is scored."""

    context: tuple[int, ...]
    continuation: tuple[int, ...]


class _Row(NamedTuple):
    """A context and its continuations, each with the positions of the requests that ask for it."""

    context: tuple[int, ...]
    continuations: dict[tuple[int, ...], list[int]]

    def size(self, shared: int) -> int:
        return len(self.context) - shared + sum(len(c) - 1 for c in self.continuations)


class _Group(NamedTuple):
    """Rows whose contexts begin with the same so many tokens."""

    shared: int
    rows: list[_Row]


def can_share(model: "PreTrainedModel", longest: int) -> bool:
    """Whether the model's attention is full and can be masked, for texts of so many tokens."""
    config: Any = model.config.get_text_config()
    full = set(getattr(config, "layer_types", None) or ["full_attention"]) == {"full_attention"}
    window = getattr(config, "sliding_window", None)
    masked = config._attn_implementation in ("sdpa", "eager")
    rotary = getattr(config, "rope_parameters", None)  # positions are an argument
    # Those of dynamic and longrope depend on the longest text that is read at once.
    steady = bool(rotary) and rotary.get("rope_type") not in ("dynamic", "longrope")
    return full and masked and steady and (not window or window >= longest)


def loglikelihoods(
    model: "PreTrainedModel",
    requests: Sequence[Request],
    batch_size: int,
    step: Callable[[int, Answer], object] = lambda place, answer: None,
) -> list[Answer]:
    """The log-likelihood in nats of each continuation after its context, in the requests' order.

    Equal to reading each request by itself, up to rounding. A batch has at most `batch_size` rows;
    ``step`` gets each answer as it is known.
    """
    import torch

    known: dict[int, Answer] = {}
    groups = _groups(_rows(requests))
    work = [(group, batch) for group in groups for batch in _batches(model, group, batch_size)]
    last, cache = None, []
    with torch.inference_mode():
        for group, batch in shard(work):
            if group is not last:
                last, cache = group, _read_shared(model, group)
            for row, own in zip(batch, _score(model, group.shared, cache, batch), strict=True):
                for places, answer in zip(row.continuations.values(), own, strict=True):
                    for place in places:
                        known[place] = answer
                        step(place, answer)
    answers = {place: answer for part in gathered(known) for place, answer in part.items()}
    return [answers[place] for place in range(len(requests))]


def tokens_read(requests: Sequence[Request]) -> tuple[int, int]:
    """Tokens that are read with and without sharing; the second as lm-eval's HFLM does it.

    Which reads the continuations of one context together if each is a single token.
    """
    rows = _rows(requests)
    shared = sum(g.shared + sum(r.size(g.shared) for r in g.rows) for g in _groups(rows))
    apart = {(row.context, c[:-1]) for row in rows for c in row.continuations}
    return shared, sum(len(context) + len(rest) for context, rest in apart)


def _rows(requests: Sequence[Request]) -> list[_Row]:
    """One row a context, in lexicographic order."""
    rows: dict[tuple[int, ...], _Row] = {}
    for place, (context, continuation) in enumerate(requests):
        row = rows.setdefault(context, _Row(context, {}))
        row.continuations.setdefault(continuation, []).append(place)
    return [rows[context] for context in sorted(rows)]


def _groups(rows: Sequence[_Row]) -> list[_Group]:
    """Neighbours that share a beginning, as long as another row adds to what is saved."""
    groups: list[_Group] = []
    alone: list[_Row] = []
    start = 0
    while start < len(rows):
        shared, end = len(rows[start].context) - 1, start + 1
        while end < len(rows):
            longest = min(shared, len(rows[end].context) - 1)
            common = _common(rows[start].context, rows[end].context, longest)
            if common * (end - start) < shared * (end - start - 1) or common < _LEAST_SHARED:
                break
            shared, end = common, end + 1
        if end - start == 1:
            alone.append(rows[start])
        else:
            groups.append(_Group(shared, list(rows[start:end])))
        start = end
    return [*groups, _Group(0, alone)]


def _common(one: Sequence[int], other: Sequence[int], most: int) -> int:
    """How many tokens both begin with, at most ``most``."""
    if one[:most] == other[:most]:
        return most
    return next(i for i in range(most) if one[i] != other[i])


def _read_shared(
    model: "PreTrainedModel", group: _Group
) -> "list[tuple[torch.Tensor, torch.Tensor]]":
    """Keys and values of a group's common beginning, a pair a layer; none where it has none."""
    if not group.shared:
        return []
    import torch
    from transformers.cache_utils import DynamicCache

    cache = DynamicCache()
    ids = torch.tensor([group.rows[0].context[: group.shared]], device=model.device)
    model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return [(layer.keys, layer.values) for layer in cache.layers]  # pyright: ignore


def _batches(model: "PreTrainedModel", group: _Group, batch_size: int) -> list[list[_Row]]:
    config: Any = model.config.get_text_config()
    sizes = [row.size(group.shared) for row in group.rows]
    if group.shared:
        token = 2 * config.num_hidden_layers * model.dtype.itemsize * config.hidden_size
        batch_size = max(1, min(batch_size, _MOST_CACHE // (group.shared * token)))
    longest = max(sizes, default=1)
    most = min(MOST_TOKENS, max(longest, _MOST_MASK // (longest + group.shared)))
    return [[group.rows[i] for i in batch] for batch in length_batches(sizes, batch_size, most)]


def _score(
    model: "PreTrainedModel",
    shared: int,
    cache: "list[tuple[torch.Tensor, torch.Tensor]]",
    batch: Sequence[_Row],
) -> list[list[Answer]]:
    """The answers of each row's continuations, read after what the rows share."""
    import torch

    ids, positions, segments, targets, sources = _packed(batch, shared)
    ids, positions, segments = (tensor.to(model.device) for tensor in (ids, positions, segments))
    first = int(sources[:, 1].min())
    keep = torch.arange(first, ids.shape[1], device=model.device)
    logits = model(
        ids,
        position_ids=positions,
        attention_mask=_mask(segments, shared, model.dtype),
        past_key_values=_repeated(cache, len(batch)) if cache else None,
        use_cache=bool(cache),
        logits_to_keep=keep,
    ).logits
    at = sources.to(model.device)
    logits = logits[at[:, 0], at[:, 1] - first].float()
    wanted = targets.to(model.device)
    logs = torch.log_softmax(logits, dim=-1).gather(1, wanted[:, None])[:, 0].cpu().double()
    greedy = (logits.argmax(dim=-1) == wanted).cpu()
    answers: list[list[Answer]] = []
    place = 0
    for row in batch:
        answers.append([])
        for continuation in row.continuations:
            own = slice(place, place + len(continuation))
            answers[-1].append((float(logs[own].sum()), bool(greedy[own].all())))
            place = own.stop
    return answers


def _packed(batch: Sequence[_Row], shared: int) -> "tuple[torch.Tensor, ...]":
    """The rows' token ids, positions and segments; the targets, and where each is predicted.

    Segment 0 is the context, then one a continuation without its last token, which only is
    predicted; -1 is padding. Targets (m,) are the continuations' tokens, row after row; their
    sources (m, 2) are a row and a position in it.
    """
    import torch

    longest = max(row.size(shared) for row in batch)
    ids = torch.zeros((len(batch), longest), dtype=torch.long)
    positions, segments = torch.zeros_like(ids), torch.full_like(ids, -1)
    targets: list[int] = []
    sources: list[tuple[int, int]] = []
    for i, row in enumerate(batch):
        own = list(row.context[shared:])
        places = list(range(shared, len(row.context)))
        parts = [0] * len(own)
        last = len(own) - 1
        for number, continuation in enumerate(row.continuations, 1):
            sources += [(i, last), *((i, len(own) + j) for j in range(len(continuation) - 1))]
            targets += continuation
            own += continuation[:-1]
            places += range(len(row.context), len(row.context) + len(continuation) - 1)
            parts += [number] * (len(continuation) - 1)
        ids[i, : len(own)] = torch.tensor(own)
        positions[i, : len(own)] = torch.tensor(places)
        segments[i, : len(own)] = torch.tensor(parts)
    return ids, positions, segments, torch.tensor(targets), torch.tensor(sources)


def _mask(segments: "torch.Tensor", shared: int, dtype: "torch.dtype") -> "torch.Tensor":
    """What each position sees, as the attention adds it: (rows, 1, tokens, shared + tokens).

    All that is shared, its row's context, and its own continuation, up to itself.
    """
    import torch

    size = segments.shape[1]
    before = torch.ones((size, size), dtype=torch.bool, device=segments.device).tril()
    alike = segments[:, :, None] == segments[:, None, :]
    seen = before & (alike | (segments[:, None, :] == 0))
    seen = torch.nn.functional.pad(seen, (shared, 0), value=True)
    hidden = torch.zeros(seen.shape, dtype=dtype, device=segments.device)
    return hidden.masked_fill_(~seen, torch.finfo(dtype).min)[:, None]


def _repeated(cache: "list[tuple[torch.Tensor, torch.Tensor]]", rows: int) -> "DynamicCache":
    """The cache for so many rows, without a copy: a layer's own keys are joined as it is read."""
    from transformers.cache_utils import DynamicCache

    whole = [tuple(part.expand(rows, -1, -1, -1) for part in layer) for layer in cache]
    return DynamicCache(ddp_cache_data=whole)
