"""What the studies and reports of params.yaml list, against the rows there are."""

from collections.abc import Iterator, Mapping

from harness.errors import nearest
from harness.params import Params


def study_problems(params: Params) -> Iterator[str]:
    """A row is chosen by one study's stages only: what others list has no subset to train on."""
    home = dict.fromkeys(params.every_selection, "main")
    home |= {name: item.study for name, item in params.references.items()}
    for name, item in params.references.items():
        if item.study not in params.studies:
            near = nearest(item.study, params.studies)
            yield f"references.{name}.study: no study is called {item.study!r}{near}"
    for study, listed in params.studies.items():
        yield from _listed(f"studies.{study}.selections", listed.selections, home, study)
    # More seeds are added to rows that the main study has.
    more = params.studies["sensitivity"].more_seeds
    yield from _listed("studies.sensitivity.more_seeds", more, home, "main")
    for name in dict.fromkeys(more):
        if home.get(name) == "main" and name not in params.studies["main"].selections:
            told = f"{name!r} is not in studies.main.selections"
            yield f"studies.sensitivity.more_seeds: {told}; add it there"
    for key, listed in params.reports.items():
        if listed not in ([], [key]):
            yield f"reports.{key}: write [{key}], or [] to leave that table out, not {listed}"


def _listed(where: str, names: list[str], home: Mapping[str, str], study: str) -> Iterator[str]:
    for name in dict.fromkeys(names):
        if name not in home:
            yield f"{where}: no selection is called {name!r}{nearest(name, home)}"
        elif home[name] != study:
            told = f"{name!r} is a row of the study {home[name]!r}"
            yield f"{where}: {told}; list it there (more_seeds is for rows of main)"
        if names.count(name) > 1:
            yield f"{where}: {name!r} is listed twice; remove one"
