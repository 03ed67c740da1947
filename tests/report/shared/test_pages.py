"""Pages from templates: values are escaped once and make no markup, paragraphs are one line."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from harness.common.errors import printable
from harness.common.markdown import markdown_text
from harness.report.shared import pages
from harness.report.shared.tables import TextTable, markdown_table

TEMPLATE = """\
{% macro quoted(value) %}"{{ value }}"{% endmacro %}
Some
{{ value }}
text, {{ [value, value] | join(", ") }}
{% if value %}
and {{ quoted(value) }}.
{% endif %}


{{ table | table }}

- {{ value }} and
  more
- a < b
"""


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(pages, "TEMPLATES", tmp_path)
    pages.environment.cache_clear()
    (tmp_path / "page.jinja").write_text(TEMPLATE, encoding="utf-8")
    yield "page.jinja"
    pages.environment.cache_clear()


@pytest.mark.parametrize(
    "value",
    ["# head", "- item", "|cell|", "<b>&amp;", "[x](y)", "a\n\nb", "{{ x }}", "\x02", "1 < 2"],
)
def test_values_are_escaped_once_and_begin_no_line(template: str, value: str) -> None:
    table = TextTable(["name", value], [[value, "1"]])
    one = markdown_text(value)
    assert pages.page(template, value=value, table=table) == (
        f'Some {one} text, {one}, {one} and "{one}".\n\n{markdown_table(table)}\n\n'
        f"- {one} and more\n- a < b\n"
    )
    first, *_ = pages.plain_notes(template, value=value, table=table)
    plain = printable(value)
    assert first == f'Some {plain} text, {plain}, {plain} and "{plain}".'


def test_an_unknown_value_in_a_template_is_an_error(template: str) -> None:
    with pytest.raises(UndefinedError, match="'table' is undefined"):
        pages.page(template, value="a")
