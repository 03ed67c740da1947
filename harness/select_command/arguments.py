"""The command line of `python -m harness select`: its options, its help, its one-line errors."""

import argparse
import os
from typing import Any, NoReturn

from harness.common.errors import InputError, nearest

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
AGAIN: dict[str, Any] = {"action": "append", "default": []}
# By group: each option's help text and its further arguments to argparse.
OPTIONS: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "the pool": {
        "--pool": ("JSON, JSONL or Parquet, gzipped or not; a folder or id of the hub", {}),
        "--on-bad-row": (
            "stop at a row that cannot be used, or leave it out and count it (error)",
            {"choices": ("error", "drop"), "default": "error"},
        ),
        "--limit": (
            "the most that is read of a file: file_mb, row_mb, rows; may be repeated",
            {"metavar": "NAME=NUMBER", **AGAIN},
        ),
        "--split": ("of a hub id or folder (train)", {"default": "train"}),
        "--config": ("of a hub id or folder", {}),
    },
    "what is chosen": {
        "--sampler": ("the system; --list names them", {"metavar": "NAME"}),
        "--budget": ("how many rows, or a share of the pool under 1", {"metavar": "ROWS"}),
        "--param": ("a knob of the sampler; may be repeated", {"metavar": "KNOB=VALUE", **AGAIN}),
        "--seed": ("for systems that draw at random (0)", {"default": "0"}),
    },
    "embeddings and clusters, made where the sampler needs them or they are named": {
        "--embeddings": (".npy of your own, one row a row", {"metavar": "FILE"}),
        "--embedding-model": (
            "a sentence encoder: a folder, or a hub id with or without @revision (minilm)",
            {"metavar": "MODEL"},
        ),
        "--embedding-text": (
            "what is embedded of a row (prompt_completion)",
            {"choices": ("prompt_completion", "prompt")},
        ),
        "--k": (
            "how many clusters; several, as 16,64,256: the one of best silhouette; auto: among"
            " powers of two that suit the pool (auto)",
            {},
        ),
        "--cluster-seed": ("of k-means (42)", {"default": "42", "metavar": "SEED"}),
    },
    "quality": {
        "--quality": (
            "a score, or a product: length, sigmoid(reward), ifd * rank(mine); with sigmoid,"
            " minmax and rank",
            {"metavar": "WORDS"},
        ),
        "--keep-best": (
            "choose only among this share of the pool, the best by quality: 0.5",
            {"metavar": "SHARE"},
        ),
        "--score": (
            "how a score of that name is made; may be repeated; --list has the scorers",
            {"metavar": "NAME=SCORER,KNOB=VALUE,...", **AGAIN},
        ),
    },
    "output": {
        "--out": ("the subset: .jsonl, .json or .parquet, .gz if wanted", {"metavar": "FILE"}),
        "--force": ("replace what is there", {"action": "store_true"}),
        "--cache": (
            "where embeddings and scores are kept ($XDG_CACHE_HOME/subset-bench or"
            " ~/.cache/subset-bench)",
            {"metavar": "FOLDER"},
        ),
    },
}


class Parser(argparse.ArgumentParser):
    """A parser that reports a wrong command line in one line, as InputError."""

    def error(self, message: str) -> NoReturn:
        """Raise argparse's message."""
        raise InputError(f"{message}; {COMMAND} --help has the options")


def parse(words: list[str]) -> argparse.Namespace:
    """Parse a command line, values as text; InputError for an unknown option."""
    for word in words:  # the provenance quotes what was typed
        try:
            word.encode()
        except UnicodeEncodeError:
            typed = ascii(os.fsencode(word))[1:]
            raise InputError(f"{typed}: not UTF-8; rename the file, or link to it") from None
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
        for name, (text, more) in options.items():
            group.add_argument(name, help=text, **more)
    values, unknown = parser.parse_known_args(words)
    if unknown:
        if unknown[0].startswith("-"):
            known = ["--help", "--list", *(name for group in OPTIONS.values() for name in group)]
            near = nearest(unknown[0].partition("=")[0], known).partition("; choices")[0]
            parser.error(f"{unknown[0]}: no such option{near}")
        parser.error(f"{unknown[0]}: belongs to no option; a pool is given by --pool")
    return values
