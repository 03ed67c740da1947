"""The command line of `python -m harness relative-score`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.common.errors import InputError, printable, shown
from harness.common.markdown import aligned

if TYPE_CHECKING:
    from harness.relative_score.judgments import Judgments

COMMAND = "python -m harness relative-score"
HELP = f"""\
usage: {COMMAND} JUDGMENTS.jsonl...

The pairwise score of DiverseEvol (arXiv 2311.08182): 100 x the sum of the
model's scores / the sum of the reference's, over all judgments that parsed,
with a 95% interval over questions. One line a file, and one for all of several.

A file has a JSON object a line, a line a question, gzipped or not:

  {{"eval_QUERY0": [7, 9], "eval_QUERY1": [8, 9], "question_text": "Why?"}}

eval_QUERY0 is the judgment with the model's answer first, eval_QUERY1 the one
with the reference's first. In both, the model's score comes first: [model,
reference]. [-1, -1], null or a missing key is a judgment that was not parsed.
Other keys are not read. Lines of one question_text, in whichever file, are
judgments of one question.

example:
  {COMMAND} vicuna.jsonl koala.jsonl wizardlm.jsonl

docs/judge.md has more.
"""
LEGEND = """\
score: 100 x sum of the model's scores / sum of the reference's (arXiv 2311.08182)
[95%]: over questions; QUERY0 has the model's answer first, QUERY1 the reference's"""


def run(words: list[str], say: Callable[[str], None]) -> None:
    """Run the command with these arguments; `say` prints its output.

    Raises InputError for an option, no file, a file given twice, and what a file breaks.
    """
    if any(word in ("-h", "--help") for word in words):
        say(HELP)
        return
    for word in words:
        if word.startswith("-"):
            raise InputError(f"{shown(word)}: no such option; {COMMAND} --help")
    if not words:
        raise InputError(f"no file of judgments is named; {COMMAND} --help has an example")
    from harness.relative_score.judgments import read_judgments, together

    paths = [Path(word) for word in words]
    for i, path in enumerate(paths):
        if path.resolve() in [other.resolve() for other in paths[:i]]:
            raise InputError(f"{path}: given twice; its judgments would count twice")
    files = [read_judgments(path) for path in paths]
    rows = [_line(one) for one in files]
    if len(files) > 1:
        rows.append(_line(together(files, "all")))
    head = ["file", "score", "[95%]", "questions", "QUERY0 parsed", "QUERY1 parsed"]
    say(f"{aligned([head, *rows])}\n\n{LEGEND}")


def _line(one: "Judgments") -> list[str]:
    score = one.relative_score()
    interval = f"[{score.low:.2f}, {score.high:.2f}]" if score.low == score.low else "–"
    lines = len(one.questions)
    parsed = [f"{count} of {lines}" for count in one.parsed.sum(axis=0)]
    return [
        printable(one.name),
        f"{score.value:.2f}",
        interval,
        str(len({*one.questions})),
        *parsed,
    ]
