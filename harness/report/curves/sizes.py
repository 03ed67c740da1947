"""At which sizes a selection differs from as many random rows, in a sentence each."""

from collections.abc import Sequence

from harness.report.curves.lines import TESTED_THERE
from harness.report.shared.pages import plain_notes
from harness.report.shared.study_table import BETTER, SIMILAR, UNDECIDED, WORSE, Line
from harness.report.shared.tables import number


def size_notes(lines: Sequence[Line], digits: int) -> list[str]:
    """A sentence for every selection that is tested at two sizes or more; plain text.

    ``lines`` are those of `score_lines`; ``digits`` are the headline's.
    """
    curves: dict[str, list[Line]] = {}
    for line in lines:
        curves.setdefault(str(line["selection"]), []).append(line)
    notes = {name: _groups(own, digits) for name, own in curves.items()}
    tested = {
        name: groups
        for name, groups in notes.items()
        if sum(len(sizes) for verdict, sizes in groups.items() if verdict != TESTED_THERE) > 1
    }
    return plain_notes("curves/sizes.txt.jinja", curves=tested, tested_there=TESTED_THERE)


def _groups(lines: Sequence[Line], digits: int) -> dict[str, list[str]]:
    """The sizes of one selection by what is said of its difference there."""
    groups: dict[str, list[str]] = {BETTER: [], WORSE: [], SIMILAR: [], UNDECIDED: []}
    groups[TESTED_THERE] = []
    for line in sorted(lines, key=lambda line: line["rows"]):
        size, verdict = number(line["rows"], 0), line["verdict"]
        if line["remark"] == TESTED_THERE:
            groups[TESTED_THERE].append(size)
        elif verdict == SIMILAR:
            most = max(abs(line["diff_low"]), abs(line["diff_high"]))
            groups[SIMILAR].append(f"{size} (no more than {number(most, digits)})")
        elif verdict:
            groups[verdict].append(f"{size} ({number(line['diff'], digits, sign=True)})")
    return groups
