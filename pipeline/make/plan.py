"""`make plan PRESET=name`: what a preset will take, before anything runs or is fetched."""

import argparse
from pathlib import Path

from harness.check.check import check_values
from harness.common.disk_errors import ending_in_one_line
from harness.common.errors import InputError, nearest
from harness.common.files import read_json
from harness.common.yaml_files import parse_yaml, read_yaml, yaml_text
from harness.params.params import MAIN, Params
from harness.plan.models import Sizes, read_sizes
from harness.plan.page import Plan, page
from harness.plan.sizes import base_model, pool_size
from harness.plan.stated import Card, find_card
from harness.plan.work import Work, every_work
from pipeline.make.durations import Durations, time_left
from pipeline.make.preset import of_size, preset_text, presets
from pipeline.make.repro import SHIPPED, TARGETS, jobs_of
from pipeline.make.source_hashes import check_pool
from pipeline.make.stage_graph import stage_needs, upstream

OWN = "own"  # the preset of a pool that the user names
LARGEST_ON_CPU = 200_000_000  # parameters
GPU_SIZE = "_gpu"


def make_plan(
    root: Path,
    preset: str | None = None,
    card: str | None = None,
    pool: str | None = None,
    jobs: int | None = None,
) -> Plan:
    """The plan of a preset, or of params.yaml as it is; of another pool where one is named.

    ``jobs`` stages run side by side on a CPU, by default as many as `make repro` runs.

    InputError for an unknown preset or card, params that `make check` would refuse, and models or
    data whose size is not known.
    """
    path, text = root / "params.yaml", ""
    if preset is None:
        text = yaml_text(path)
    elif preset in (known := presets(root)):
        path, text = known[preset], preset_text(root, preset)
    else:
        raise InputError(f"conf/: no preset is called {preset!r}{nearest(preset, known)}")
    values = parse_yaml(text, path)
    if pool is not None and isinstance(values, dict):
        check_pool(pool)
        values["prepare"] = {**(values.get("prepare") or {}), "source": pool}
    if problems := check_values(values, path.name):
        raise InputError(problems[0])
    params = Params.model_validate(values)
    needs = stage_needs(read_yaml(root / "dvc.yaml")["stages"], values)
    stages = upstream(needs, TARGETS)
    everything = upstream(needs, [*TARGETS, *(f"report_study@{name}" for name in params.studies)])
    changed = _changed(root, params)
    sizes = read_sizes(params, pool_size(params, measured=not changed & {"prepare", "lab"}))
    on = _card(params, card)
    jobs = jobs or (jobs_of(params) if on.memory_gb is None else 1)
    # The seconds were measured on that one.
    known = on == find_card("cpu") and not changed
    measured = _measured(root, params.preset, stages, jobs) if known else None
    return Plan(
        params,
        sizes,
        every_work(params, sizes, params.cells(MAIN)),
        _others(params, sizes),
        list(stages),
        [stage for stage in everything if stage not in stages],
        on,
        jobs,
        measured,
    )


def _changed(root: Path, params: Params) -> set[str]:
    """The sections in which params are not as their preset, of which records were made.

    All of them for a preset that is not there, or takes whatever pool it is given.
    """
    sections = set(Params.model_fields)
    if params.preset == OWN or params.preset not in (known := presets(root)):
        return sections
    values = parse_yaml(preset_text(root, params.preset), known[params.preset])
    shipped = Params.model_validate(values)
    return {name for name in sections if _section(params, name) != _section(shipped, name)}


def _section(params: Params, name: str) -> object:
    """A section's values without the hashes of outside files that `make repro` adds."""
    return _without_hashes(params.model_dump(include={name}))


def _without_hashes(value: object) -> object:
    if not isinstance(value, dict):
        return value
    kept = {key: one for key, one in value.items() if not str(key).endswith("_sha256")}
    return {key: _without_hashes(one) for key, one in kept.items()}


def _others(params: Params, sizes: Sizes) -> dict[str, list[Work]]:
    """Of each study beside the main table, what it takes more than that and those before it."""
    done, others = params.cells(MAIN), dict[str, list[Work]]()
    for study in params.studies:
        others[study] = every_work(params, sizes, params.cells(study), done)
        done += params.cells(study)
    return others


def _card(params: Params, name: str | None) -> Card:
    """The card named; without one the CPU for what is small, else an H100."""
    large = base_model(params.base_model).parameters > LARGEST_ON_CPU
    return find_card(name or ("h100" if large or params.preset.endswith(GPU_SIZE) else "cpu"))


def _measured(root: Path, preset: str, stages: dict[str, set[str]], jobs: int) -> float | None:
    """Seconds of the stages by what they took on another machine; None without such a record."""
    shipped = read_json(root / SHIPPED) if (root / SHIPPED).is_file() else {}
    if preset not in shipped:
        return None
    durations = Durations(None, shipped[preset])
    seconds = {stage: durations.estimate(stage) or 0.0 for stage in stages}
    return time_left(stages, stages, seconds, jobs)


def main() -> None:
    """Print the plan."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("preset", nargs="?", help="a file of conf/; without it params.yaml")
    parser.add_argument("--size", help="gpu: conf/<preset>_gpu.yaml instead")
    parser.add_argument("--card", help="a card of harness/plan/stated.yaml: h100, a100, cpu, ...")
    parser.add_argument("--pool", help="with own: your instruction data")
    parser.add_argument("--jobs", type=int, help="stages side by side on a CPU")
    given = parser.parse_args()
    if given.jobs is not None and given.jobs < 1:
        parser.error(f"--jobs is {given.jobs}; it is a number from 1")
    with ending_in_one_line():
        root = Path.cwd()
        preset = of_size(root, given.preset, given.size)
        print(page(make_plan(root, preset, given.card, given.pool, given.jobs)))


if __name__ == "__main__":
    main()
