"""`make pin`: look up the commits of the hub ids that presets name, for conf/pins.yaml."""

import argparse
from pathlib import Path

from harness.common.disk_errors import ending_in_one_line
from harness.common.errors import InputError, nearest
from harness.common.files import replacing
from harness.common.yaml_files import parse_yaml
from pipeline.make.pins import PINS, pin
from pipeline.make.preset import current_preset, is_edited, of_size, preset_text, presets


def pin_presets(root: Path, names: list[str]) -> list[str]:
    """Pin what presets name; params.yaml follows where it is one of theirs, unedited.

    InputError for an unknown preset, and for an id that the hub does not know or that cannot be
    looked up; what was found before it is kept.
    """
    known, current = presets(root), current_preset(root)
    follows = current in names and not is_edited(root, current)
    lines = []
    for name in names:
        if name not in known:
            raise InputError(f"conf/: no preset is called {name!r}{nearest(name, known)}")
        lines += pin(root, parse_yaml(preset_text(root, name), known[name]))
    if lines and follows and current is not None:
        with replacing(root / "params.yaml") as temporary:
            temporary.write_text(preset_text(root, current), encoding="utf-8")
        lines.append("params.yaml: with these revisions")
    return lines or [f"{PINS}: nothing to add"]


def main() -> None:
    """Pin the presets named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("preset", nargs="?", help="a file of conf/; without it every preset")
    parser.add_argument("--size", help="gpu: conf/<preset>_gpu.yaml instead")
    given = parser.parse_args()
    with ending_in_one_line():
        root = Path.cwd()
        preset = of_size(root, given.preset, given.size)
        for line in pin_presets(root, [preset] if preset else list(presets(root))):
            print(f"pin: {line}")


if __name__ == "__main__":
    main()
