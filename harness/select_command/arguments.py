"""The command line of `python -m harness select`: its options, its help, its one-line errors."""

import argparse
import os
from typing import Any, NoReturn

from harness.errors import InputError, nearest

COMMAND = "python -m harness select"
USAGE = f"{COMMAND} --pool FILE --sampler NAME --budget ROWS\n           --out FILE [options]"
DESCRIPTION = """\
Choose rows of an instruction pool and write them, untouched and in the order
chosen, in the pool's own format; beside them FILE.provenance.json says how. A
table of what the subset is, beside random ones, is printed.
"""
EXAMPLES = f"""\
examples:
  {COMMAND} --list
  {COMMAND} --pool my.jsonl --sampler k_center \\
      --budget 100 --out subset.jsonl
  {COMMAND} --pool my.jsonl --sampler kmq \\
      --quality length --budget 0.1 --out subset.jsonl.gz
  {COMMAND} --pool my.jsonl --embeddings my.npy \\
      --sampler deita --param threshold=0.8 --budget 100 --out deita.jsonl \\
      --score mine=column,file=scores.csv,column=quality --quality mine
  {COMMAND} --pool my.parquet --sampler kmq --k 16 \\
      --score reward=reward_model,model=models/reward \\
      --quality 'sigmoid(reward)' --budget 100 --out subset.parquet

Embeddings are made once a pool and kept in the cache folder; give --cache to
say where. The same command writes the same bytes. docs/select.md has more.
"""
# By group, what argparse is given of each option.
OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "the pool": {
        "--pool": {"help": "JSON, JSONL or Parquet, gzipped or not; a folder or id of the hub"},
        "--on-bad-row": {
            "choices": ("error", "drop"),
            "default": "error",
            "help": "stop at a row that cannot be used, or leave it out and count it (error)",
        },
        "--limit": {
            "action": "append",
            "default": [],
            "metavar": "NAME=NUMBER",
            "help": "how much is read of a file at most: file_mb, row_mb, rows; may be repeated",
        },
        "--split": {"default": "train", "help": "of a hub id or folder (train)"},
        "--config": {"help": "of a hub id or folder"},
    },
    "what is chosen": {
        "--sampler": {"metavar": "NAME", "help": "the system; --list names them"},
        "--budget": {"metavar": "ROWS", "help": "how many rows, or a share of the pool under 1"},
        "--param": {
            "action": "append",
            "default": [],
            "metavar": "KNOB=VALUE",
            "help": "a knob of the sampler; may be repeated",
        },
        "--seed": {"default": "0", "help": "of the systems that draw by lot (0)"},
    },
    "embeddings and clusters, made where the sampler needs them or they are named": {
        "--embeddings": {"metavar": "FILE", "help": ".npy of your own, one row a row"},
        "--embedding-model": {
            "metavar": "MODEL",
            "help": "a sentence encoder: a folder, or a hub id with or without @revision (minilm)",
        },
        "--embedding-text": {
            "choices": ("prompt_completion", "prompt"),
            "help": "what is embedded of a row (prompt_completion)",
        },
        "--k": {
            "help": "how many clusters; several, as 16,64,256: the one of best silhouette; auto:"
            " of powers of two that suit the pool (auto)"
        },
        "--cluster-seed": {"default": "42", "metavar": "SEED", "help": "of k-means (42)"},
    },
    "quality": {
        "--quality": {
            "metavar": "WORDS",
            "help": "a score, or a product: length, sigmoid(reward), ifd * rank(mine); with"
            " sigmoid, minmax and rank",
        },
        "--score": {
            "action": "append",
            "default": [],
            "metavar": "NAME=SCORER,KNOB=VALUE,...",
            "help": "how a score of that name is made; may be repeated; --list has the scorers",
        },
    },
    "output": {
        "--out": {
            "metavar": "FILE",
            "help": "the subset: .jsonl, .json or .parquet, and .gz if wanted",
        },
        "--force": {"action": "store_true", "help": "replace what is there"},
        "--cache": {
            "metavar": "FOLDER",
            "help": "where embeddings and scores are kept ($XDG_CACHE_HOME/subset-bench or"
            " ~/.cache/subset-bench)",
        },
    },
}


class Parser(argparse.ArgumentParser):
    """A parser that reports a wrong command line in one line, as InputError."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found."""
        raise InputError(f"{message}; {COMMAND} --help has the options")


def parse(words: list[str]) -> argparse.Namespace:
    """The options of a command line as texts; InputError for one that is none of them."""
    for word in words:  # the provenance has what was typed
        try:
            word.encode()
        except UnicodeEncodeError:
            told = ascii(os.fsencode(word))[1:]
            raise InputError(f"{told}: not UTF-8; rename the file, or link to it") from None
    parser = Parser(
        prog=COMMAND,
        usage=USAGE,
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--list", action="store_true", help="the systems, what each needs, knobs")
    for title, options in OPTIONS.items():
        group = parser.add_argument_group(title)
        for name, about in options.items():
            group.add_argument(name, **about)
    values, unknown = parser.parse_known_args(words)
    if unknown:
        if unknown[0].startswith("-"):
            known = ["--help", "--list", *(name for group in OPTIONS.values() for name in group)]
            near = nearest(unknown[0].partition("=")[0], known).partition("; choices")[0]
            parser.error(f"{unknown[0]}: no such option{near}")
        parser.error(f"{unknown[0]}: belongs to no option; a pool is given by --pool")
    return values
