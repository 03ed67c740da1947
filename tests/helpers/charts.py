"""The charts that a report leaves for the page, drawn as a browser draws them."""

import re

import vl_convert

from harness.common import layout
from harness.common.files import read_json


def drawn_charts(study: str) -> dict[str, str]:
    """Each chart of a part of the page as SVG, by its title; every one shows marks."""
    drawn = {}
    for one in read_json(layout.page_part("lab", study))["charts"]:
        spec = {**one["spec"], "width": 400}
        drawn[one["title"]] = vl_convert.vegalite_to_svg(spec)
        assert re.search(
            r'class="mark-(symbol|rule|line|rect)[^"]*"[^>]*><path', drawn[one["title"]]
        )
    return drawn
