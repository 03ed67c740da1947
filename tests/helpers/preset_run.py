"""Runs a preset's stages in this process on tiny models, a few rows and a few benchmark items."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml as pyyaml
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
)

from harness.common.files import write_json
from harness.common.yaml_files import read_yaml
from harness.models.loading import load_tokenizer
from harness.models.template import ensure_template
from harness.params.params import Cell, Params, load_params
from harness.suites import SUITES
from tests.helpers.classifiers import save_classifier
from tests.helpers.presets import preset_file
from tests.helpers.small_suite import write_lines

ROWS = 40
BUDGET = 12
CLUSTERS = [1, 2, 4]
CONTEXT = 512
# As Llama 3's: headers of roles, a token that ends a turn.
LLAMA3 = (
    "{%- for m in messages -%}{{- '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' "
    "+ m['content'] + '<|eot_id|>' -}}{%- endfor -%}{%- if add_generation_prompt -%}"
    "{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' -}}{%- endif -%}"
)
SHAPE: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
SHAPE |= {"num_attention_heads": 4, "max_position_embeddings": CONTEXT, "pad_token_id": 0}
SHAPE |= {"bos_token_id": None, "eos_token_id": 1}
# Entries of `further` that would add time alone: other sizes, rounds and clusters of one study.
LEFT_OUT = ("kmq_512", "kmq_2048", "kmq_8192", "_6667", "_rm_2", "_random_400", "_random_700")
LEFT_OUT += ("_evol_4", "_evol_7", "mistral_kmq", "llama3_kmq", "iterations_random")
# Rows and rounds of the presets' entries of `further`, for a budget of 12 in three rounds.
SMALLER = {100: 3, 400: 6, 700: 9, 1100: 12, 3333: 4, 6667: 8}
ROUNDS = {1: 1, 2: 2, 4: 2, 7: 3, 11: 4}


def tiny_models(base: Path, folder: Path) -> dict[str, str]:
    """A model of the architecture of each that the presets name, with the tokenizer of `base`."""
    tokenizer = load_tokenizer(base)
    common: dict[str, Any] = {**SHAPE, "vocab_size": len(tokenizer) + 4}
    llama, grouped = LlamaConfig(**common), {**common, "num_key_value_heads": 2}
    tied = LlamaConfig(**{**common, "tie_word_embeddings": True})
    kinds: dict[str, PreTrainedModel] = {
        "HuggingFaceTB/SmolLM2-135M": LlamaForCausalLM(tied),
        "meta-llama/Llama-2-7b-hf": LlamaForCausalLM(llama),
        "huggyllama/llama-7b": LlamaForCausalLM(llama),
        "mistralai/Mistral-7B-v0.1": MistralForCausalLM(MistralConfig(**grouped)),
        "meta-llama/Meta-Llama-3-8B": LlamaForCausalLM(LlamaConfig(**grouped)),
    }
    places = {}
    for number, (name, model) in enumerate(kinds.items()):
        place = folder / f"model_{number}"
        model.save_pretrained(place)
        own = load_tokenizer(base)
        own.chat_template = None
        if "Llama-3" in name:
            turns = ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
            own.add_special_tokens({"additional_special_tokens": turns})
            own.chat_template = LLAMA3
        own.save_pretrained(place)
        places[name] = str(place)
    reward = folder / "reward"
    ensure_template(tokenizer, "alpaca_short")
    places["sfairXC/FsfairX-LLaMA3-RM-v0.1"] = str(save_classifier(base, reward))
    return places


def pool_rows(folder: Path, name: str = "pool", rows: int = ROWS) -> str:
    """A file of rows in the form of the presets' pools; two names have no row in common."""
    asked = [f"Name the {name} number after {i}, as a word." for i in range(rows)]
    answers = [f"It is {name} {i} and one." * (1 + i % 3) for i in range(rows)]
    lines = [{"instruction": q, "output": a} for q, a in zip(asked, answers, strict=True)]
    write_lines(folder / f"{name}.jsonl", lines)
    return str(folder / f"{name}.jsonl")


def local_suite(name: str, folder: Path, columns: tuple[str, ...] = ()) -> Path:
    """A suite with a few items in local files and short answers; of some columns where named."""
    place = folder / f"{name}_{len(columns)}"
    shutil.copytree(SUITES[name], place)
    suite = pyyaml.safe_load((place / "suite.yaml").read_text())
    if columns:
        suite["columns"] = [one for one in suite["columns"] if one["name"] in (*columns, "avg")]
        suite["columns"][-1]["of"] = list(columns)
    for key, source in suite["data"].items():
        write_lines(folder / f"{key}.jsonl", items_of(key))
        kept = {"text": source["text"]} if "text" in source else {}
        suite["data"][key] = {"path": str(folder / f"{key}.jsonl"), **kept}
    (place / "suite.yaml").write_text(pyyaml.safe_dump(suite, sort_keys=False))
    for file in place.glob("*.yaml"):
        text = file.read_text()
        file.write_text(text.replace("max_gen_toks: 1024", "max_gen_toks: 8"))
    return place


EXAMPLES = {"mmlu_dev": 5, "gsm8k_train": 5, "hellaswag_train": 12, "arc_challenge_train": 26}
PROGRAM = {"entry_point": "f", "canonical_solution": "    return 1\n"}
PROGRAM["test"] = "def check(f):\n    assert f() == 1\n"


def items_of(name: str) -> list[dict[str, Any]]:
    """Two questions, or as many examples as a task asks for, in the fields of the hub's data."""
    return [item_of(name, i) for i in range(EXAMPLES.get(name, 2))]


def item_of(name: str, i: int) -> dict[str, Any]:
    kind = name.removesuffix("_train").removesuffix("_dev")
    asked, choices = f"What comes after {name} {i}?", [f"{i + j}" for j in range(4)]
    if kind == "mmlu":
        return {"question": asked, "choices": choices, "answer": 1, "subject": "anatomy"}
    if kind == "hellaswag":
        where = {"ind": i, "split": "x", "split_type": "y", "source_id": f"{i}"}
        texts = {"activity_label": "Counting", "ctx_a": asked, "ctx_b": "he", "ctx": asked}
        return {**where, **texts, "endings": choices, "label": "1"}
    if kind == "arc_challenge":
        listed = {"text": choices, "label": list("ABCD")}
        return {"id": f"{name}{i}", "question": asked, "choices": listed, "answerKey": "B"}
    if kind == "truthfulqa":
        right = {"choices": choices, "labels": [1, 0, 0, 0]}
        return {"question": asked, "mc1_targets": right, "mc2_targets": right}
    if kind == "humaneval":
        return {"task_id": f"HumanEval/{i}", "prompt": f"def f():\n    # {i}\n", **PROGRAM}
    answer = f"It is one more.\n#### {i + 1}"
    return {"id": f"{name}{i}", "question": asked, "answer": answer}


def shrunk(preset: str, places: Mapping[str, str], pool: str) -> dict[str, Any]:
    """The preset's params with its hub ids replaced, for a budget of 12 rows of 40."""
    values: dict[str, Any] = json.loads(json.dumps(read_yaml(preset_file(preset))))
    for section in (values["base_model"], values["reward_model"], *values["base_models"].values()):
        section["source"] = places.get(section["source"], section["source"])
        section.pop("revision", None)
    for source in values["prepare"]["sources"].values():
        source.pop("revision", None)
        source["path"] = pool
    values["prepare"].pop("rows", None)
    for part in [*values["prepare"].get("pretraining", []), *values["prepare"].get("heldout", [])]:
        part["rows"] = 8
    values["prepare"]["preference_pairs"] = 8
    values["cluster"]["k"] = CLUSTERS
    tables = ("selections", "selections_scored", "selections_rounds")
    for item in (item for table in tables for item in values[table].values()):
        item |= {"budget": BUDGET, "k": min(item["k"], 4) if item["k"] != "auto" else "auto"}
        for name, value in (("rounds", 3), ("initial", 3), ("max_new_tokens", 8)):
            item |= {name: value} if name in item else {}
    values["defaults"]["budget"] = BUDGET
    for key in [key for key in values["further"] if key.endswith(LEFT_OUT)]:
        del values["further"][key]
    for item in values["further"].values():
        item |= {"rows": SMALLER[item["rows"]]} if "rows" in item else {}
        item |= {"rounds": ROUNDS[item["rounds"]]} if "rounds" in item else {}
    values["rounds"]["executor"] = "inprocess"
    values["seed_groups"] = ["s0"]
    values["evaluate"] |= {"limit": 1, "code_samples": 10}
    values["train"] |= {"max_length": CONTEXT, "epochs": 1, "gradient_accumulation": 1}
    return values


def run_preset(values: Mapping[str, Any]) -> Params:
    """Run every stage that the preset's reports need, in the working directory."""
    from pipeline import (
        base_model,
        choose_k,
        cluster,
        contamination,
        cost,
        cost_shared,
        embed,
        prepare,
        report,
        reward_model,
        score,
        select_reference,
        select_rounds,
        select_subset,
    )

    Path("dvc.yaml").touch()
    write_json(Path("params.yaml"), values)  # JSON is YAML
    params = load_params()
    prepare.run()
    contamination.run()
    base_model.run("")
    for name in params.base_models:
        base_model.run(name)
    for name in ("", *params.reward_models):
        reward_model.run(name)
    for name in params.every_embedding:
        embed.run(name)
        for k in params.cluster.k:
            cluster.run(name, str(k))
        choose_k.run(name)
    score.run()
    for unit in ("rows", "tokens"):
        cost.run(unit)
    cost_shared.run()
    cells = params.every_cell()
    for name in dict.fromkeys(cell.of for cell in cells):
        stage = params.subset_stage(name).partition("@")[0]
        run = {"select_rounds": select_rounds.run, "select_reference": select_reference.run}
        run.get(stage, select_subset.run)(name)
    for cell in cells:
        run_cell(cell)
    report.run("subsets")
    for study in params.every_study:
        report.run(study)
    return params


def run_cell(cell: Cell) -> None:
    """Describe, train and evaluate a cell."""
    from pipeline import describe, evaluate, train

    names = (cell.key, "") if cell.key else (cell.of, cell.group)
    for stage in (describe, train, evaluate):
        stage.run(*names)
