"""`make report`: the page of all results, built and opened."""

import argparse
import os
import sys
import webbrowser
from collections.abc import Sequence

from harness.common import layout
from harness.common.disk_errors import ending_in_one_line
from harness.common.errors import InputError
from harness.params.params import load_params


def main(argv: Sequence[str] | None = None) -> None:
    """Write the page where something was run here, else take the shipped one; open it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--preset", default="", help="the one that params.yaml is of")
    wanted = parser.parse_args(argv).preset
    params = load_params()
    if wanted and wanted != params.preset:
        rule = f"params.yaml is of {params.preset}; first make preset PRESET={wanted}"
        raise InputError(f"PRESET={wanted}: {rule}")
    page = layout.page_file(params.preset)
    from harness.page.write import has_main, write_page

    if has_main(params):
        write_page(params)
        print(f"report: {page} ({page.stat().st_size / 1e6:.1f} MB)")
    elif page.is_file():
        print(f"report: {page}, as shipped: nothing was run here yet (make repro)")
    else:
        raise InputError(f"{page}: no such file, and nothing was run here yet; make repro does")
    if _has_screen() and webbrowser.open(page.resolve().as_uri()):
        return
    print(f"report: open {page} in a browser")


def _has_screen() -> bool:
    """Whether a browser can open: elsewhere a text browser would take the terminal."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


if __name__ == "__main__":
    with ending_in_one_line():
        sys.exit(main())
