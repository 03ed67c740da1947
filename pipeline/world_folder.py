"""The folder in which the pipeline's stages run in another generated world."""

import os
import re
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import write_json
from harness.common.yaml_files import read_yaml
from harness.params.params import Params, load_params
from pipeline.stage import entry

OF_ROW = re.compile(r"select\w*|describe|train|evaluate")  # stages that world_row runs
STAGE = re.compile(
    rf"(dvc repro(?: -[fs])*) (({OF_ROW.pattern})|prepare|base_model|reward_model|embed|score"
    r"|cluster|choose_k|cost_\w+)(@[\w-]+|\b(?!@))"
)


@contextmanager
def inside_world(world: str, row: str = "") -> Iterator[Params]:
    """Work in a world's folder, where params.yaml has its seeds; yields those params.

    An InputError in there gets the stages of the world, and of its ``row``, for those it names.
    """
    worlds = load_params().worlds
    values = read_yaml(Path("params.yaml"))
    seed = entry(worlds, world, "worlds", "world").seed
    values |= {name: {**values[name], "seed": seed} for name in ("lab", "base_model")}
    values |= {"further": {}, "studies": {}, "worlds": {}, "world_rows": [], "world_reports": {}}
    for table in ("embeddings", "embeddings_states"):  # what rows of worlds read
        only = values["defaults"]["embedding"]
        values[table] = {name: item for name, item in values[table].items() if name == only}
    before = os.environ.get("PYTHONPATH", "")
    write_json(layout.WORLDS / world / "params.yaml", values)  # JSON is YAML
    try:
        # For processes that are started from there.
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [os.getcwd(), before]))
        with chdir(layout.WORLDS / world):
            yield load_params()
    except InputError as error:
        raise InputError(f"{layout.WORLDS / world}: {_of_world(str(error), world, row)}") from None
    finally:
        os.environ["PYTHONPATH"] = before


def _of_world(message: str, world: str, row: str) -> str:
    """A message that names the stages of a world instead of those of the repository's own."""
    stages = {True: f"world_row@{world}-{row}", False: f"world@{world}"}
    return STAGE.sub(lambda stage: f"{stage[1]} {stages[bool(row and stage[3])]}", message)
