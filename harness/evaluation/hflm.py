"""lm-eval's Hugging Face model, made to share what requests have in common, and to chat.

Imported only where a model is evaluated: lm-eval takes seconds to import.
"""

import math
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from harness.common.errors import InputError
from harness.evaluation.language_model import NOT_A_NUMBER
from harness.evaluation.served import Server
from harness.evaluation.shared_prefix import Answer, Request, can_share, loglikelihoods
from harness.launching.ranks import in_shards
from harness.models.template import Messages, encode, end_of_turn, mark, render, stop_tokens

_HFLM: Any = HFLM  # its registration hides its type


class PlainModel(_HFLM):
    """HFLM that reads shared beginnings once, notes which items it cuts, and refuses NaN."""

    def __init__(self, **how: object) -> None:
        super().__init__(**how)
        self.server: Server | None = None
        self.cut: set[tuple[str, int]] = set()  # items cut to fit the context: task and place
        self._items: list[tuple[str, int]] = []
        # lm-eval asks for a prompt's ids for each of its choices and samples, twice.
        self._encoded = lru_cache(2**11)(self._encode)

    def _encode(self, text: str, special: bool | None) -> list[int]:
        return super().tok_encode(text, add_special_tokens=special)

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **_: object
    ) -> list[int]:
        """Token ids of a text."""
        return list(self._encoded(string, add_special_tokens))

    @cached_property
    def _line_end(self) -> list[int]:
        return self.tokenizer.encode("\n", add_special_tokens=False)

    def tok_decode(self, tokens: int | Sequence[int], skip_special_tokens: bool = True) -> str:
        """The text of one token, or of an answer's.

        As what follows a line's end: at the beginning of a text, decoders of SentencePiece's kind
        take a space away, which in a program is part of its first line's indent.
        """
        if isinstance(tokens, int):
            return super().tok_decode(tokens, skip_special_tokens)
        before = super().tok_decode(self._line_end, skip_special_tokens)
        whole = super().tok_decode([*self._line_end, *tokens], skip_special_tokens)
        return whole.removeprefix(before)

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[Answer]:
        """The answer to each request."""
        self._items = [(str(one.task_name), int(str(one.doc_id))) for one in requests]
        return super().loglikelihood(requests, disable_tqdm)

    def _loglikelihood_tokens(
        self,
        requests: list[tuple[tuple[str, str], list[int], list[int]]],
        disable_tqdm: bool = False,
        override_bs: int | None = None,
    ) -> list[Answer]:
        fitted = [
            self._fit(item, context, continuation)
            for item, (_, context, continuation) in zip(self._items, requests, strict=True)
        ]

        def refuse_nan(place: int, answer: Answer) -> None:
            if math.isnan(answer[0]):
                raise InputError(f"{self._items[place][0]}: {NOT_A_NUMBER}")

        def known(place: int, answer: Answer) -> None:
            refuse_nan(place, answer)
            self.cache_hook.add_partial("loglikelihood", requests[place][0], answer)

        longest = max((len(c) + len(rest) for c, rest in fitted), default=0)
        if can_share(self.model, longest):
            return loglikelihoods(self.model, fitted, self.batch_size, known)
        whole = super()._loglikelihood_tokens
        answers = in_shards(requests, lambda part: whole(part, disable_tqdm, override_bs))
        for place, answer in enumerate(answers):
            refuse_nan(place, answer)
        return answers

    def _fit(self, item: tuple[str, int], context: list[int], rest: list[int]) -> Request:
        """The request cut on the left to the model's context, as lm-eval cuts it."""
        room = self.max_length + 1 - len(rest)  # the last token is only predicted
        if room < 1:
            rule = f"an answer of {len(rest)} tokens, the model's context is {self.max_length}"
            raise InputError(f"{item[0]}, item {item[1] + 1}: {rule}; leave the item out")
        if len(context) > room:
            self.cut.add(item)
        return Request(tuple(context[-room:]), tuple(rest))

    @property
    def stops(self) -> list[int]:
        """The tokens that end an answer, besides those that a model itself names."""
        return []

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """The model's text for each request."""
        for one in requests:
            asked: Any = one.args  # whose annotation holds for log-likelihoods only
            context, how = asked
            room = self.max_length - int(how.get("max_gen_toks", self.max_gen_toks))
            if len(self._encoded(context, None)) > room:
                self.cut.add((str(one.task_name), int(str(one.doc_id))))
        if self.server is not None:
            return self._by_server(requests, self.server)
        whole = super().generate_until
        return in_shards(requests, lambda part: whole(part, disable_tqdm))

    def _by_server(self, requests: list[Instance], server: Server) -> list[str]:
        prompts, hows = [], []
        for one in requests:
            asked: Any = one.args
            how = {"max_gen_toks": self.max_gen_toks, **asked[1]}
            room = self.max_length - int(how["max_gen_toks"])
            prompts.append(self.tok_encode(asked[0])[-room:])
            hows.append(how)

        def done(place: int, text: str) -> None:
            self.cache_hook.add_partial("generate_until", requests[place].args, text)

        seed = torch.initial_seed() % 2**63
        return server.answers(prompts, hows, seed, done, self.stops)

    def _model_generate(
        self,
        context: Any,  # noqa: ANN401  (a tensor)
        max_length: int,
        stop: list[str],
        **how: object,
    ) -> Any:  # noqa: ANN401
        return super()._model_generate(
            context, max_length, stop, logits_processor=[_refuse_nan], **how
        )


def _refuse_nan(ids: Any, scores: Any) -> Any:  # noqa: ANN401  (tensors, of transformers' interface)
    if bool(scores.isnan().any()):
        raise InputError(f"generation: {NOT_A_NUMBER}")
    return scores


class ChatModel(PlainModel):
    """The same, made to render, encode and stop as training does."""

    @property
    def eot_token_id(self) -> int:
        """The token that ends a turn."""
        return end_of_turn(self.tokenizer)

    @cached_property
    def stops(self) -> list[int]:
        """The tokens that end an answer."""
        return stop_tokens(self.model, self.tokenizer)

    def apply_chat_template(
        self, chat_history: Messages, add_generation_prompt: bool = True
    ) -> str:
        """A conversation as training renders it."""
        return render(
            self.tokenizer,
            chat_history,
            add_generation_prompt=add_generation_prompt,
            continue_final_message=not add_generation_prompt,
        )

    def _encode(self, text: str, special: bool | None) -> list[int]:
        return encode(self.tokenizer, [text])[0]

    def tok_batch_encode(
        self,
        strings: list[str],
        padding_side: str = "left",
        left_truncate_len: int | None = None,
        **_: object,
    ) -> tuple[Any, Any]:
        """Token ids of texts, padded, and the mask of what is no padding."""
        rows, how = {"input_ids": encode(self.tokenizer, strings)}, {"return_tensors": "pt"}
        result = self.tokenizer.pad(rows, padding_side=padding_side, verbose=False, **how)
        kept = slice(-left_truncate_len if left_truncate_len else None, None)
        return result["input_ids"][:, kept], result["attention_mask"][:, kept]

    def _encode_pair(self, context: str, continuation: str) -> tuple[list[int], list[int]]:
        return super()._encode_pair(context, mark(self.tokenizer, continuation))

    def tok_decode(self, tokens: int | Sequence[int], skip_special_tokens: bool = True) -> str:
        """An answer up to its end token; that token alone is not a text to stop at."""
        if isinstance(tokens, int):
            return ""
        end = next((i for i, token in enumerate(tokens) if token in self.stops), len(tokens))
        return super().tok_decode(tokens[:end], skip_special_tokens)

    def _model_generate(
        self,
        context: Any,  # noqa: ANN401  (a tensor)
        max_length: int,
        stop: list[str],
        **how: object,
    ) -> Any:  # noqa: ANN401
        # By number: the text of an answer may contain the same characters.
        how["eos_token_id"] = self.stops
        return super()._model_generate(context, max_length, [t for t in stop if t], **how)
