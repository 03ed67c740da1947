"""The command line of `python -m harness select`: its options, its help, its one-line errors."""

import argparse
import os
from typing import NoReturn

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


class Parser(argparse.ArgumentParser):
    """A parser that tells a wrong command line in one line, as InputError."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found."""
        raise InputError(f"{message}; {COMMAND} --help has the options")


def check_words(words: list[str]) -> None:
    """Raise InputError for a word that is no text: what is written says what was typed."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            told = ascii(os.fsencode(word))[1:]
            raise InputError(f"{told}: not UTF-8; rename the file, or link to it") from None


def parse(words: list[str]) -> argparse.Namespace:
    """The options of a command line as texts; InputError for one that is none of them."""
    parser = _parser()
    values, unknown = parser.parse_known_args(words)
    if unknown:
        if unknown[0].startswith("-"):
            known = [name for action in parser._actions for name in action.option_strings]
            near = nearest(unknown[0].partition("=")[0], known).partition("; choices")[0]
            parser.error(f"{unknown[0]}: no such option{near}")
        parser.error(f"{unknown[0]}: belongs to no option; a pool is given by --pool")
    return values


def _parser() -> Parser:
    parser = Parser(
        prog=COMMAND,
        usage=USAGE,
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--list", action="store_true", help="the systems, what each needs, knobs")
    _pool(parser)
    _system(parser)
    _embedding(parser)
    _scores(parser)
    _output(parser)
    return parser


def _pool(parser: Parser) -> None:
    group = parser.add_argument_group("the pool")
    group.add_argument(
        "--pool", help="JSON, JSONL or Parquet, gzipped or not; a folder or id of the hub"
    )
    group.add_argument(
        "--on-bad-row",
        choices=("error", "drop"),
        default="error",
        help="stop at a row that cannot be used, or leave it out and count it (error)",
    )
    group.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="how much is read of a file at most: file_mb, row_mb, rows; may be repeated",
    )
    group.add_argument("--split", default="train", help="of a hub id or folder (train)")
    group.add_argument("--config", help="of a hub id or folder")


def _system(parser: Parser) -> None:
    group = parser.add_argument_group("what is chosen")
    group.add_argument("--sampler", metavar="NAME", help="the system; --list names them")
    group.add_argument(
        "--budget", metavar="ROWS", help="how many rows, or a share of the pool under 1"
    )
    group.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="KNOB=VALUE",
        help="a knob of the sampler; may be repeated",
    )
    group.add_argument("--seed", default="0", help="of the systems that draw by lot (0)")


def _embedding(parser: Parser) -> None:
    group = parser.add_argument_group(
        "embeddings and clusters", "made where the sampler needs them, or for the report if given"
    )
    group.add_argument("--embeddings", metavar="FILE", help=".npy of your own, one row a row")
    group.add_argument(
        "--embedding-model",
        metavar="MODEL",
        help="a sentence encoder: a folder, or a hub id with or without @revision (minilm)",
    )
    group.add_argument(
        "--embedding-text",
        choices=("prompt_completion", "prompt"),
        help="what is embedded of a row (prompt_completion)",
    )
    group.add_argument(
        "--k",
        help="how many clusters; several, as 16,64,256: the one of best silhouette; auto: of"
        " powers of two that suit the pool (auto)",
    )
    group.add_argument("--cluster-seed", default="42", metavar="SEED", help="of k-means (42)")


def _scores(parser: Parser) -> None:
    group = parser.add_argument_group("quality")
    group.add_argument(
        "--quality",
        metavar="WORDS",
        help="a score, or a product: length, sigmoid(reward), ifd * rank(mine);"
        " with sigmoid, minmax and rank",
    )
    group.add_argument(
        "--score",
        action="append",
        default=[],
        metavar="NAME=SCORER,KNOB=VALUE,...",
        help="how a score of that name is made; may be repeated; --list has the scorers",
    )


def _output(parser: Parser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument(
        "--out", metavar="FILE", help="the subset: .jsonl, .json or .parquet, and .gz if wanted"
    )
    group.add_argument("--force", action="store_true", help="replace what is there")
    group.add_argument(
        "--cache",
        metavar="FOLDER",
        help="where embeddings are kept ($XDG_CACHE_HOME/subset-bench or ~/.cache/subset-bench)",
    )
