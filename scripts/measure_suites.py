"""Count what evaluating a model on each suite reads and writes: harness/plan/suites.json.

python -m scripts.measure_suites [SUITE ...]

Characters, as tokens depend on the model: the tasks are rendered as the stage renders them and read
by a tokenizer of single bytes, so that what requests share is counted once. An answer is taken to
be as long as the reference's. Suites that need the network are counted by their local twins
(`SHARED_DATA`); bits per byte are left out, as held-out rows are the pool's.
"""

import argparse
import logging
import tempfile
from pathlib import Path
from typing import Any

from harness.common.disk_errors import ending_in_one_line
from harness.common.files import read_json, write_json
from harness.evaluation.language_model import language_model
from harness.evaluation.shared_prefix import tokens_read
from harness.evaluation.tasks import prepare_column, quiet
from harness.params.evaluation import EvaluateParams
from harness.params.params import load_params
from harness.params.prepare import PrepareParams
from harness.plan.stated import CHARACTERS_A_TOKEN, SUITES_FILE
from harness.pools.prepare import prepare
from harness.suites import SUITES, Column, load_suite
from tests.helpers.byte_level import byte_level
from tests.helpers.presets import preset_file
from tests.helpers.small_suite import write_lines

log = logging.getLogger(__name__)

# Suites with items of their own, and a preset whose context and world they are measured in.
PRESETS = {"lab": "lab", "alpaca_cpu": "alpaca_cpu", "smollm2": "smollm2", "paper_local": ""}
FIRST = 500  # items of a benchmark that are counted
LONGEST = 4096  # tokens of the context of a model on the hub


def main() -> None:
    """Measure the suites named, or all, and write them."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log.setLevel(logging.INFO)
    parser = argparse.ArgumentParser(description="Count what each suite reads and writes.")
    parser.add_argument("suites", nargs="*", default=list(PRESETS), choices=list(SUITES))
    known = read_json(SUITES_FILE) if SUITES_FILE.is_file() else {}
    for name in parser.parse_args().suites:
        known[name] = measured(name, PRESETS.get(name, ""))
        write_json(SUITES_FILE, dict(sorted(known.items())))


def measured(name: str, preset: str) -> dict[str, dict[str, int]]:
    """By column of lm-eval: its items, and the characters that are read and generated."""
    params = load_params(preset_file(preset or "lab"))
    update: dict[str, Any] = {"evaluate": EvaluateParams(suite=name, chat_template=False)}
    # Whose template checks rows does not matter here.
    update["base_model"] = params.base_model.model_copy(update={"source": "scratch"})
    if not preset:
        update["prepare"] = PrepareParams(source="lab")
    made = prepare(params.model_copy(update=update))
    context = params.base_model.context if preset in ("lab", "alpaca_cpu") else LONGEST
    suite, counts = load_suite(name), {}
    with tempfile.TemporaryDirectory() as folder:
        for file, rows in made.benchmarks.items():
            write_lines(Path(folder) / f"{file}.jsonl", rows)
        lm = reader(Path(folder) / "model", round(CHARACTERS_A_TOKEN * context))
        for column in (one for one in suite.columns if one.kind == "lm_eval"):
            with quiet():
                counts[column.name] = counted(lm, suite, column, Path(folder), update["evaluate"])
            if column.splits is not None:
                counts[column.name] = scaled(
                    counts[column.name], len(made.benchmarks[items_file(column)])
                )
            log.info("%s %s: %s", name, column.name, counts[column.name])
    return counts


def reader(folder: Path, context: int) -> Any:  # noqa: ANN401  (HFLM's registration hides its type)
    """A model that reads single bytes, as lm-eval asks it."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from harness.models.template import ensure_template

    shape: dict[str, Any] = {"vocab_size": 300, "hidden_size": 16, "intermediate_size": 16}
    shape |= {"num_hidden_layers": 1, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(**shape, max_position_embeddings=context)).save_pretrained(folder)
    tokenizer = byte_level(merged=False)
    ensure_template(tokenizer, "alpaca_short")
    tokenizer.save_pretrained(folder)
    return language_model(folder, "cpu", 1, chat_template=False)


def items_file(column: Column) -> str:
    """The file of a builtin column's items, which are no examples."""
    assert column.splits is not None
    return next(column.splits[name] for name in ("test", "validation") if name in column.splits)


def scaled(counts: dict[str, int], items: int) -> dict[str, int]:
    """The counts of so many items, from those of the first of them."""
    return {name: round(count * items / counts["items"]) for name, count in counts.items()}


def counted(
    lm: Any,  # noqa: ANN401
    suite: Any,  # noqa: ANN401
    column: Column,
    folder: Path,
    params: EvaluateParams,
) -> dict[str, int]:
    """A column's items, and the characters read and generated for them."""
    if column.subset is None:  # a group's examples are shared by all items of a task
        params = params.model_copy(update={"limit": FIRST})
    prepared = prepare_column(lm, suite, column, folder, params)
    items = read = generated = 0
    tasks: list[Any] = list(prepared.tasks.values())  # of which a protocol names a part
    for task in tasks:
        task.set_fewshot_seed(1234)
        task.build_all_requests()
        requests: list[Any] = task.instances
        items += len({one.doc_id for one in requests})
        if task.OUTPUT_TYPE == "generate_until":
            samples = int(task.config.repeats or 1)
            read += samples * sum(len(lm.tok_encode(one.args[0])) for one in requests)
            generated += samples * sum(len(reference(task, one.doc)) for one in requests)
            continue
        lm._items = [(one.task_name, one.doc_id) for one in requests]
        pairs = [lm._encode_pair(*one.args) for one in requests]
        read += tokens_read(
            [lm._fit(item, *pair) for item, pair in zip(lm._items, pairs, strict=True)]
        )[0]
    return {"items": items, "read": read, "generated": generated}


def reference(task: Any, doc: dict[str, Any]) -> str:  # noqa: ANN401
    """The answer that an item gives; a program's is its solution."""
    return str(doc.get("canonical_solution") or task.doc_to_target(doc))


if __name__ == "__main__":
    with ending_in_one_line():
        main()
