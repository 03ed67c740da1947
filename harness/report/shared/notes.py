"""What a table's reader must know: what stands for what, chance, shots, how intervals are made."""

from math import isnan, sqrt
from typing import Any

from harness.common import layout
from harness.common.files import read_json
from harness.common.markdown import markdown_text
from harness.report.shared.study_table import StudyTable
from harness.report.shared.text_tables import digits_of, number

NORMAL_95 = 1.96
# What stands for what where nothing larger than a toy can run.
STANDS_FOR = (
    " Quality is the score of a reward model trained here, from the base model, on pairs of a good "
    "and a truncated or off-topic response, and complexity is instruction-following difficulty "
    "(IFD) under the base model: they stand for the published reward models and Deita scorers."
)
CLEARLY = 3.0  # standard errors: a table has many cells, and 2 would be passed by chance

# {size}: the base model's parameters, from what the stage that made it wrote.
PRESET_NOTES = {
    "lab": (
        "A miniature. The pool is generated, with planted near-duplicates and noise, and stands "
        "for an instruction set of unequal skills; the model is a Llama of {size} parameters "
        "pretrained here from scratch and stands for a pretrained language model; the benchmarks "
        "are generated and mirror those of the paper in kind and metric, not in difficulty. It "
        "tells how selection systems compare in this world, with one base model and one world: "
        "nothing here was measured on a model of billions of parameters."
        + STANDS_FOR
        + " Garbled and wrong responses, planted in the pool too, the reward model never saw."
    ),
    "alpaca_cpu": (
        "Real text, toy model. The pool and the held-out rows are real instruction data; the model "
        "is a Llama of {size} parameters pretrained here from scratch on other text. It is far "
        "too small to solve GSM8K or ARC: read response bits-per-byte (lower is better), which is "
        "measured on held-out responses; the benchmark columns show that the code runs."
        + STANDS_FOR
    ),
    "own": (
        "Your pool, toy model. The model, of {size} parameters, is pretrained here from scratch "
        "and is far too small to follow instructions: read response bits-per-byte (lower is "
        "better) on the held-out rows." + STANDS_FOR
    ),
}


def study_notes(table: StudyTable) -> list[str]:
    """The notes under a table, each a paragraph; what is said of chance is computed."""
    found = [_reading(table), _intervals(table), _costs(table)]
    columns = "\n".join(map(markdown_text, _columns(table)))
    return [note for note in (*map(markdown_text, found), columns) if note]


def preset_note(preset: str) -> str:
    """What the preset's table is, in honest words; empty for a preset with nothing to add."""
    return PRESET_NOTES.get(preset, "").format(size=_model_size())


def _model_size() -> str:
    path = layout.BASE_MODEL / "base_model.json"
    n = read_json(path).get("parameters") if path.is_file() else None
    if n is None:
        return "an unstated number of"
    return f"{n / 1e6:.1f}M" if n >= 1e5 else f"{n:,}"


def _reading(table: StudyTable) -> str:
    single = [row.name for row in table.rows if len(row.seeds) == 1]
    text = "Scores are means over seeds ± standard deviation over seeds (n − 1)."
    if single:
        text += f" One seed only, hence no deviation: {', '.join(single)}."
    text += (
        f" The selections take the same number of {table.params.budget_unit}; `none` is the base "
        "model untrained, the other references are no selection systems and take what their row "
        "count says."
    )
    return text


def _intervals(table: StudyTable) -> str:
    if all(isnan(line["diff"]) for line in table.lines):
        return ""
    tested = sum(not isnan(line["p"]) for line in table.lines)
    return (
        "Difference from random: paired by benchmark item and, where the seeds are the same, by "
        "seed. The 95% interval resamples the items of each benchmark (4,000 draws, the same "
        "items for both rows) and adds a seed error from Student's t; a row of one seed is given "
        "the deviation of random (`none`, which is not trained, none). It does not cover another "
        "base model or another pool, and is each row's own. p: two-sided, of the same draws, "
        f"corrected by Holm's method for the {tested} selection{'s' * (tested > 1)} compared with "
        "random. Bold: the selection with the best headline, only if it is better than random by "
        "p < 0.05."
    )


def _costs(table: StudyTable) -> str:
    """What the tokens for selection are, where a selection has any."""
    if not any(line.get("select_tokens") for line in table.lines):
        return ""
    return (
        "Tokens for selection: those that a selection's own models trained on (once an epoch), "
        "generated, scored and embedded, and selection (s) what that took, for one seed; the "
        "scores of the pool, made once for all, are not in it: `../subsets/table.md` has what they "
        "cost."
    )


def _columns(table: StudyTable) -> list[str]:
    lines = []
    for column in table.suite.columns:
        if column.kind == "mean":
            of = ", ".join(table.suite.column(name).label for name in column.of or [])
            lines.append(f"- {column.label}: {f'the mean of {of}' if of else 'not run'}.")
        elif column.kind == "bits_per_byte":
            n = _one(table, "n", column.name)
            lines.append(
                f"- {column.label}: bits per byte of held-out responses, lower is better"
                f"{f'; {n:,} responses' if n else ''}."
            )
        else:
            lines.append(_benchmark(table, column.name))
    return lines


def _benchmark(table: StudyTable, name: str) -> str:
    column = table.suite.column(name)
    n, shots = _one(table, "n", name), _one(table, "shots", name)
    if n is None:
        return f"- {column.label}: not run."
    parts = [f"metric {(column.metric or '').split(',')[0]}", f"{n:,} items"]
    shots = column.shots if shots is None else shots
    parts.append(f"{shots} shots" if shots != "fit" else f"as many of {column.max_shots} as fit")
    cut = _one(table, "truncated", name)
    if cut:
        parts.append(f"{cut:,} items cut from the left to fit the context")
    if column.chance is None:
        return f"- {column.label}: {', '.join(parts)}."
    parts.append(f"chance {number(column.chance, 1)}")
    return f"- {column.label}: {', '.join(parts)}. {_against_chance(table, name, n)}".rstrip()


def _against_chance(table: StudyTable, name: str, n: int) -> str:
    """Whether no row is told apart from guessing, by the binomial error, or some lie below it."""
    column = table.suite.column(name)
    values = [line[name] for line in table.lines if not isnan(line[name])]
    if column.chance is None or not values:
        return ""
    p, digits = column.chance / 100, digits_of(table.suite, column)
    error = 100 * sqrt(p * (1 - p) / n)
    # Where chance is nil there is no such interval: two right answers tell nothing yet.
    if max(abs(value - column.chance) for value in values) <= max(NORMAL_95 * error, 200 / n):
        low, high = number(min(values), digits), number(max(values), digits)
        return f"At chance: all rows lie between {low} and {high}, none told apart from guessing."
    below = [
        f"{line['selection']} ({number(line[name], digits)})"
        for line in table.lines
        if line[name] < column.chance - CLEARLY * error
    ]
    if not below:
        return ""
    return (
        f"Below chance: {', '.join(below)}. Guessing gives more: what these models prefer there is "
        "wrong, so a part of any gain over them is the loss of that preference."
    )


def _one(table: StudyTable, field: str, column: str) -> Any:  # noqa: ANN401  (a JSON value)
    """A field of the metrics for a column, of the first run that has it; None where none has."""
    runs = (row.metrics[seed] for row in table.rows for seed in row.seeds)
    return next((found[column] for run in runs if column in (found := getattr(run, field))), None)
