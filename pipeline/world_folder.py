"""The folder in which the pipeline's stages run in another generated world."""

import os
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

from harness.common import layout
from harness.common.files import write_json
from harness.common.yaml_files import read_yaml
from harness.params.params import Params, load_params
from pipeline.stage import entry


@contextmanager
def inside_world(world: str) -> Iterator[Params]:
    """Work in a world's folder, where params.yaml has its seed; yields those params."""
    worlds = load_params().worlds
    values = read_yaml(Path("params.yaml"))
    values["lab"] = {**values["lab"], "seed": entry(worlds, world, "worlds", "world").seed}
    values |= {"further": {}, "studies": {}, "worlds": {}}
    # For processes that are started from there.
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [os.getcwd(), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    write_json(layout.WORLDS / world / "params.yaml", values)  # JSON is YAML
    with chdir(layout.WORLDS / world):
        yield load_params()
