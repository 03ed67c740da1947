"""Put the page together from what each report left for it, and from the models' answers."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import html_json, read_json, replacing, write_json
from harness.page.examples import examples, texts_of
from harness.params.params import MAIN, Params
from harness.params.pruning import SUBSETS
from harness.report.shared.pages import made_with
from harness.report.shared.runs import run_folder

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markupsafe import Markup

_HERE = Path(__file__).parent
MOST_BYTES = 3_000_000


def write_page(params: Params) -> Path:
    """Write ``results/<preset>/report.html``; returns it.

    Sections are those of the reports that are there: the main table's is needed. InputError names
    the stage to run where it is missing, or where a part holds texts that the page may not show,
    and a page that would be larger than `MOST_BYTES`.
    """
    parts = read_parts(params)
    if MAIN not in parts:
        raise InputError(
            f"{layout.page_part(params.preset, MAIN)}: no such file; run dvc repro report"
        )
    _check_texts(params, parts)
    text = page_html(params, parts, _examples(params))
    if len(text.encode()) > MOST_BYTES:
        rule = f"{len(text.encode()):,} bytes, more than {MOST_BYTES:,}"
        raise InputError(f"report.html: {rule}; report.texts: false leaves rows and items out")
    out = layout.page_file(params.preset)
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return out


def _check_texts(params: Params, parts: Mapping[str, Mapping[str, Any]]) -> None:
    """InputError where the report of subsets was made with texts that params now forbid.

    An older version's part does not say; it may hold them.
    """
    if SUBSETS in parts and not params.report.texts and parts[SUBSETS].get("texts", True):
        path = layout.page_part(params.preset, SUBSETS)
        rule = "may hold rows of the pool, and params.yaml says report.texts: false"
        raise InputError(f"{path}: {rule}; run dvc repro report_subsets")


def _examples(params: Params) -> dict[str, Any] | None:
    """What models answered, kept beside the page; where no run is here, as it was kept."""
    file = layout.examples_file(params.preset)
    here = any((run_folder(cell) / "metrics.json").is_file() for cell in params.cells(MAIN))
    if params.report.texts and not here and file.is_file():
        return read_json(file)
    shown = examples(params)
    write_json(file, shown)
    return shown


def read_parts(params: Params) -> dict[str, dict[str, Any]]:
    """What each report of this preset left, in the order of the params, where it was made.

    A part is ``older`` where the pool, the base model or the recipe of training has changed since.
    """
    names = (MAIN, SUBSETS, *params.studies, *params.world_reports)
    own = {name: part for name in names if (part := _own_part(params, name))}
    # Once: it reads the pool and the base model's weights whole.
    here = made_with(params, MAIN) if own else {}
    return {
        name: {**part, "older": _is_older(params, name, part, here)} for name, part in own.items()
    }


def _is_older(params: Params, name: str, part: Mapping[str, Any], here: Mapping[str, str]) -> bool:
    """Whether a part was made with something else; not all reports are of a recipe or a pool."""
    free = {"recipe"} if name == SUBSETS else set()
    free |= {"pool", "base"} if name in params.world_reports else set()
    then = part["made_with"]
    return any(value and then.get(key) != value for key, value in here.items() if key not in free)


def has_main(params: Params) -> bool:
    """Whether a page can be made here: there are a pool and a main table of this preset."""
    return layout.POOL_FILE.is_file() and _own_part(params, MAIN) is not None


def _own_part(params: Params, name: str) -> dict[str, Any] | None:
    """What a report of this preset left; an older version's does not say of which it is."""
    path = layout.page_part(params.preset, name)
    part = read_json(path) if path.is_file() else None
    made = part.get("made_with") if isinstance(part, dict) else None
    if part is None or not isinstance(made, dict) or made.get("preset") != params.preset:
        return None
    wanted = {"text", "charts"} | ({"finding", "provenance"} if name == MAIN else set())
    if missing := sorted(wanted - part.keys()):
        rule = f"has no {missing[0]}; remove the file, and run make repro"
        raise InputError(f"{path}: {rule}")
    return part


def page_html(
    params: Params, parts: Mapping[str, Mapping[str, Any]], shown: Mapping[str, Any] | None
) -> str:
    """The page of these parts; ``shown`` are the examples, if any."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_HERE), undefined=StrictUndefined, autoescape=True
    )
    environment.filters.update(markdown=markdown_html, inline=inline_html)
    # What all reports begin with, on the preset, stands in the first.
    said = body_of(parts[MAIN]["text"])[0].strip().partition("\n\n")[0]
    sections = [_section(name, part, said if name != MAIN else "") for name, part in parts.items()]
    specs = {one["id"]: one["spec"] for section in sections for one in section["charts"]}
    missing = [name for name in [*params.studies, *params.world_reports] if name not in parts]
    return environment.get_template("report.html.jinja").render(
        preset=params.preset,
        sections=sections,
        finding=parts[MAIN]["finding"],
        provenance=parts[MAIN]["provenance"],
        claims=[
            {**one, "section": name}
            for name, part in parts.items()
            for one in part.get("claims", [])
            if not part["older"]
        ],
        examples=shown,
        missing=missing,
        specs=html_json(specs),
        bundle=bundle(),
        score_text=score_text,
        texts_of=texts_of,
    )


def _section(name: str, part: Mapping[str, Any], said: str) -> dict[str, Any]:
    """A report as the page shows it, without a paragraph that it begins with."""
    first, rest = body_of(part["text"])
    charts = [{"id": f"{name}-{i}", **one} for i, one in enumerate(part["charts"], start=1)]
    return {
        "name": name,
        "title": title_of(part["text"]),
        "older": part["older"],
        "first": first.strip().removeprefix(said),
        "rest": rest,
        "charts": charts,
    }


def score_text(score: float, kind: str) -> str:
    """The score of an item in words: right or wrong, percent, or bits per byte."""
    if kind == "bits_per_byte":
        return f"{score:.3f} bits per byte"
    if kind == "judge":
        return f"{score:.1f}"
    return {0.0: "wrong", 100.0: "right"}.get(score, f"{score:.1f}%")


def title_of(text: str) -> str:
    """The first heading of a report's page."""
    return text.partition("\n")[0].removeprefix("# ").strip()


def body_of(text: str) -> tuple[str, str]:
    """A report's page up to its second heading, and from there, without the pictures.

    The charts stand in their place.
    """
    lines = [line for line in text.partition("\n")[2].splitlines() if not line.startswith("![")]
    heads = (i for i, line in enumerate(lines) if line.startswith("## "))
    end = next(heads, len(lines))
    return "\n".join(lines[:end]), "\n".join(lines[end:])


def markdown_html(text: str) -> "Markup":
    """Markdown of ours as HTML, tables in a box that scrolls."""
    from markupsafe import Markup

    wide = _markdown().render(text).replace("<table>", '<div class="wide"><table>')
    return Markup(wide.replace("</table>", "</table></div>"))


def inline_html(text: str) -> "Markup":
    """A heading in Markdown as HTML."""
    from markupsafe import Markup

    return Markup(_markdown().renderInline(text))


@cache
def _markdown() -> "MarkdownIt":
    """Raw HTML in the text is shown, not obeyed."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("table")


@cache
def bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, which sets ``vegaEmbed``."""
    import vl_convert

    made = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return made.replace("</script", "<\\/script").replace("<!--", "<\\!--")
