"""What the items of a suite ask, rendered as they were when a model was evaluated."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.common.schemas import PoolRows
from harness.evaluation.benchmarks import FEWSHOT_SEED, column_tasks
from harness.evaluation.tasks import item_id, quiet
from harness.models.loading import load_tokenizer
from harness.models.template import about, render
from harness.params.evaluation import EvaluateParams
from harness.suites import Column, Suite

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Question:
    """What an item asks: the prompt, the answers to choose from, if any, and the right one."""

    prompt: str
    choices: tuple[str, ...]
    right: str
    prompt_hash: str | None  # as in the samples; None where none was kept


Chat = Callable[..., str]


def chat_of(model: Path) -> Chat:
    """How conversations are put into a model's chat template."""
    tokenizer = load_tokenizer(model)

    def chat(messages: Any, add_generation_prompt: bool = True) -> str:  # noqa: ANN401
        how = {"continue_final_message": not add_generation_prompt}
        return render(tokenizer, messages, add_generation_prompt=add_generation_prompt, **how)

    return chat


def benchmark_questions(
    suite: Suite,
    column: Column,
    benchmarks: Path,
    params: EvaluateParams,
    shots: int,
    chat: Chat,
) -> dict[str, Question]:
    """The questions of a column of kind lm_eval by item, after so many examples.

    In the chat template where the params say so. InputError as for `column_tasks`.
    """
    from lm_eval.utils import hash_string

    asked: dict[str, Question] = {}
    with quiet():
        for task in column_tasks(suite, column, benchmarks, params).values():
            one: Any = task
            one.set_config("num_fewshot", shots)
            one.set_fewshot_seed(FEWSHOT_SEED)
            one.build_all_requests(
                apply_chat_template=params.chat_template,
                fewshot_as_multiturn=params.chat_template,
                chat_template=chat if params.chat_template else None,
            )
            for request in one.instances:
                name = item_id(request.doc, request.doc_id)
                if name not in asked:
                    prompt = str(request.args[0])
                    choices, right = _answers(one, request.doc)
                    asked[name] = Question(prompt, choices, right, hash_string(prompt))
    return asked


def _answers(task: Any, doc: dict[str, Any]) -> tuple[tuple[str, ...], str]:  # noqa: ANN401
    """An item's choices and the right one; of several right ones no one is named."""
    target = task.doc_to_target(doc)
    if task.OUTPUT_TYPE != "multiple_choice":
        return (), str(target)
    choices = tuple(task.doc_to_choice(doc))
    labels = [
        value["labels"]
        for name, value in doc.items()
        if name.endswith("_targets")
        and isinstance(value, dict)
        and len(value["labels"]) == len(choices)
    ]
    if labels:  # TruthfulQA: several are right
        return choices, " | ".join(c for c, label in zip(choices, labels[-1], strict=True) if label)
    return choices, choices[target] if isinstance(target, int) else str(target)


def heldout_questions(rows: "pd.DataFrame", chat: Chat) -> dict[str, Question]:
    """Held-out rows by item: what comes before the last response, which is scored, and that."""
    asked: dict[str, Question] = {}
    held = PoolRows(rows)
    for source, name, messages in zip(rows["source"], held.ids, held.conversations(), strict=True):
        last = max(i for i, message in enumerate(messages) if message["role"] == "assistant")
        with about(f"held-out row {name!r}"):
            prompt = chat(messages[:last])
        asked[f"{source}:{name}"] = Question(prompt, (), str(messages[last]["content"]), None)
    return asked
