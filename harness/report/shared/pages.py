"""The one writer of reports: text from the Jinja templates beside each report's code, and files.

A template holds the English, Python computes the values. In a page, every value is escaped for
Markdown unless a filter or macro made it Markdown; in plain text it is made printable.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.common import layout
from harness.common.errors import InputError, printable
from harness.common.files import file_hash, replacing_folder, value_hash, write_json
from harness.common.markdown import markdown_text
from harness.params.params import Params
from harness.params.pruning import SUBSETS
from harness.report.shared.charts import Chart, plain_values
from harness.report.shared.tables import TextTable, markdown_table, number, percent

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).resolve().parents[1]  # harness/report
_VALUE = "\x02"  # before a value, which holds no such character: it never begins a line of its own
# A line break inside a paragraph or list item; lines of tables, items and headings begin anew.
_WRAPPED = re.compile(r"(?<=\S)[ ]*\n[ ]*(?=[^\s|#-])")


def page(template: str, **values: Any) -> str:  # noqa: ANN401  (whatever the template shows)
    """A Markdown page from a template in harness/report, one line a paragraph."""
    return _filled(markdown_text, template, values) + "\n"


def plain_notes(template: str, **values: Any) -> list[str]:  # noqa: ANN401
    """The paragraphs of a template as plain text, to be escaped by whatever they are put into."""
    text = _filled(printable, template, values)
    return text.split("\n\n") if text else []


def _filled(escape: Callable[[object], str], template: str, values: dict[str, Any]) -> str:
    text = environment(escape).get_template(template).render(values)
    paragraphs = re.sub(r"\n\s*\n", "\n\n", text).strip()
    return _WRAPPED.sub(" ", paragraphs).replace(_VALUE, "")


@cache
def environment(escape: Callable[[object], str]) -> "Environment":
    """Templates whose values are escaped by this function, once."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def escaped(value: object) -> Markup:
        if isinstance(value, Markup):
            return value
        text = escape(value)
        return Markup(_VALUE + text if text else "")

    def table(shown: TextTable) -> Markup:
        return Markup(markdown_table(shown))  # whose cells are escaped

    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,  # macros then return Markup, which `escaped` leaves alone
        finalize=escaped,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(table=table, number=number, percent=percent)
    return made


def made_with(params: Params, study: str) -> dict[str, str]:
    """What the reports of one page share: preset, training recipe, pool, base model.

    The report of subsets is of no training, those over worlds are of pools and base models of
    their own. Without a base model here its hash is empty.
    """
    own_pool = study in params.world_reports
    if not own_pool and not layout.POOL_FILE.is_file():
        raise InputError(f"{layout.POOL_FILE}: no such file; dvc repro prepare")
    recipe = "" if study == SUBSETS else value_hash(params.train.recipe)
    pool = "" if own_pool else file_hash(layout.POOL_FILE)
    weights = [] if own_pool else sorted(layout.BASE_MODEL.glob("*.safetensors"))
    base = value_hash([file_hash(path) for path in weights]) if weights else ""
    return {"preset": params.preset, "recipe": recipe, "pool": pool, "base": base}


def write_report(
    params: Params,
    study: str,
    files: dict[str, str | Callable[[Path], object]],
    charts: Sequence[Chart] = (),
    **shown: Any,  # noqa: ANN401  (JSON values)
) -> Path:
    """Write a report's files, each a text or a function that writes it; returns the folder.

    The folder is replaced when all are written; a failure leaves the old one. What the preset's
    page shows of the report is written beside the data: ``table.md``, the charts, and ``shown``.
    """
    part = {"text": files["table.md"], "charts": [asdict(one) for one in charts], **shown}
    part["made_with"] = made_with(params, study)
    report = layout.report_folder(params.preset, study)
    with replacing_folder(report) as folder:
        for name, content in files.items():
            if isinstance(content, str):
                (folder / name).write_text(content, encoding="utf-8")
            else:
                content(folder / name)
    write_json(layout.page_part(params.preset, study), plain_values(part))
    return report
