"""The sentence on the sizes at which a selection differs from as many random rows."""

from harness.report.curves.lines import TESTED_THERE
from harness.report.curves.sizes import size_notes
from harness.report.shared.study_table import Line


def line(name: str, rows: int, verdict: str, diff: float, remark: str = "") -> Line:
    low, high = diff - 1, diff + 2
    said = {"verdict": verdict, "diff": diff, "diff_low": low, "diff_high": high}
    return {"selection": name, "rows": rows, "remark": remark, **said}


def test_a_sentence_for_each_selection_of_several_tested_sizes() -> None:
    lines = [
        line("qdit", 2400, "no difference found", 0.5),
        line("qdit", 300, "better", 6.13),
        line("qdit", 1200, "better", 4.2),
        line("qdit", 600, "", 10.0, TESTED_THERE),
        line("kmq", 300, "worse", -2.0),
        line("kmq", 600, "", 1.0, TESTED_THERE),
        line("random", 300, "", 0.0),
    ]
    assert size_notes(lines, 1) == [
        "qdit by the number of rows, against as many random ones: better at 300 (+6.1), "
        "1,200 (+4.2); no difference found at 2,400 (no more than 2.5). "
        "At 600 rows the main table tests it."
    ]
    assert size_notes(lines[4:], 1) == []
