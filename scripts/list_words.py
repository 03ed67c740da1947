"""List the words that this project says otherwise, wherever they stand; exit 1 where there are any.

    python scripts/list_words.py [FOLDER OR FILE ...]

Code, comments, messages, tests, docs, params and the written reports are looked through; in Python,
names of variables and modules too.
"""

import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE = Path(__file__).relative_to(ROOT).as_posix()
SUFFIXES = (".py", ".md", ".yaml", ".toml", ".sh", ".jinja", ".html", ".txt")
OTHERS = ("Makefile", ".ci/run")  # texts without a suffix

# What not to write, and what to write instead. An underscore ends a word, as in test_told_once.
WORDS = {
    r"told|tell(?:s|ing)?(?! apart| .{1,40} apart| from)": "message, say, note, report",
    r"mend(?:s|ed|ing)?": "fix",
    r"found again": "reused when a run resumes",
    r"(?:by|from|for) who": "when a run ...",
    r"nil": "zero, none",
    r"in (?-i:[Tt]ruth)": "under the null hypothesis, in fact",
    r"nobody": "no one, or name who",
    r"signs(?= (?:of a|long)\b)": "characters",
}
NAMES = {"found": "result, or what it is"}  # of variables
# Words of the generated world are data: in its families, and in the rows that a page shows.
WORLD = re.compile(r"harness/lab/families/\w+\.yaml|results/\w+/report\.html")
MODULES = {"facts", "places", "records", "made_with", "exchanges", "refusals", "text"}


def listed(path: str, text: str) -> Iterator[tuple[int, str, str]]:
    """Line, word and remedy of each word in a file's text."""
    for word, remedy in WORDS.items():
        # Two words may be parted by a line's end and a comment sign.
        spaced = word.replace(" ", r"[\s#]+")
        pattern = re.compile(rf"(?<![^\W_])(?:{spaced})(?![^\W_])", re.IGNORECASE)
        for hit in pattern.finditer(text):
            yield text.count("\n", 0, hit.start()) + 1, " ".join(hit[0].split()), remedy
    if path.endswith(".py"):
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.NAME and token.string in NAMES:
                yield token.start[0], token.string, NAMES[token.string]
        if Path(path).stem.removeprefix("test_") in MODULES:
            yield 1, path, "a name that says what is inside"


def tracked(where: list[str]) -> list[str]:
    """The project's files of text, but this one."""
    command = ["git", "ls-files", "-z", "--", *where]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    names = done.stdout.split("\0")
    skipped = {HERE, *filter(WORLD.fullmatch, names)}
    texts = [name for name in names if name.endswith(SUFFIXES) or name in OTHERS]
    return [name for name in texts if name not in skipped and (ROOT / name).is_file()]


def main() -> int:
    """Print each place with its remedy, and how many there are."""
    hits = [
        (path, *hit)
        for path in tracked(sys.argv[1:])
        for hit in sorted(listed(path, (ROOT / path).read_text(encoding="utf-8")))
    ]
    for path, line, word, remedy in hits:
        sys.stdout.write(f"{path}:{line}: {word!r}: write {remedy}\n")
    sys.stdout.write(f"{len(hits)} words to change\n")
    return int(bool(hits))


if __name__ == "__main__":
    raise SystemExit(main())
