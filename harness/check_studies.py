"""What the studies and reports of params.yaml list, against the rows there are."""

from collections.abc import Iterator, Mapping

from harness.errors import InputError, nearest
from harness.layout import CUTS
from harness.params import BY_ROUND, Params

_LARGE = 10**9  # a budget that holds the rounds of any selection: the pool's size is not known here


def study_problems(params: Params) -> Iterator[str]:
    """A row is listed where its subsets are trained on: what others list has none there."""
    home = dict.fromkeys(params.every_selection, "main")
    home |= {name: item.study for name, item in params.references.items()}
    home |= dict.fromkeys(params.cuts, CUTS)
    yield from _cuts(params)
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


def _cuts(params: Params) -> Iterator[str]:
    """A cut is of a selection that there is, by rounds only where there are any."""
    for name, item in params.cuts.items():
        if name in params.every_selection or name in params.references:
            yield f"cuts.{name}: another row has this name; rename one"
        if item.of not in params.every_selection:
            near = nearest(item.of, params.every_selection)
            yield f"cuts.{name}.of: no selection is called {item.of!r}{near}"
        elif item.rounds is not None and item.of not in params.selections_rounds:
            yield f"cuts.{name}.rounds: {item.of} takes all at once; say `rows` instead"
        elif item.rounds is not None and item.rounds > (most := _rounds(params, item.of)):
            told = f"{item.rounds} rounds of {item.of}, which has {most}"
            yield f"cuts.{name}.rounds: {told}; lower it"


def _rounds(params: Params, name: str) -> int:
    """How many rounds a selection has; whatever a cut asks for where that is told as wrong."""
    from harness.round_systems import ROUND_SYSTEMS

    item = params.selections_rounds[name]
    try:
        return len(ROUND_SYSTEMS[item.sampler](**item.sampler_params).sizes(_LARGE))
    except (InputError, KeyError, TypeError):
        return _LARGE


def _listed(where: str, names: list[str], home: Mapping[str, str], study: str) -> Iterator[str]:
    for name in dict.fromkeys(names):
        if name not in home:
            yield f"{where}: no selection is called {name!r}{nearest(name, home)}"
        elif home[name] == CUTS and study not in BY_ROUND:
            yield f"{where}: {name!r} is a cut; list it in {' or '.join(BY_ROUND)}"
        elif home[name] != CUTS and study in BY_ROUND:
            yield f"{where}: {name!r} is no cut; list one of `cuts`, say of {name!r} with its size"
        elif home[name] not in (study, CUTS):
            told = f"{name!r} is a row of the study {home[name]!r}"
            yield f"{where}: {told}; list it there (more_seeds is for rows of main)"
        if names.count(name) > 1:
            yield f"{where}: {name!r} is listed twice; remove one"
