"""A program cannot give the answer without computing it; each attempt is made for real."""

import pytest

from harness.evaluation.sandbox import Outcome, Program, run_programs


def run(source: str, *calls: str) -> Outcome:
    return run_programs([Program(source, calls)])[0]


@pytest.mark.parametrize(
    "source",
    [
        'import os\nprint(\'{"values": [42], "why": ""}\')\nos._exit(0)',
        "import os\nos._exit(0)",
        "import sys\nsys.exit(0)",
        "import builtins\nbuiltins.eval = lambda *_: None\nexit = None",
        "class Yes:\n    def __eq__(self, other):\n        return True\ndef f(): return Yes()",
        "def f(): raise SystemExit(0)",
        "import json\njson.dumps = lambda *_: '[42]'\ndef f(): return 0",
    ],
)
def test_an_answer_cannot_be_given_without_computing_it(source: str) -> None:
    # The caller expects 42; it is nowhere inside the sandbox.
    assert run(source, "f()").values != [42]


def test_what_is_expected_never_enters() -> None:
    from harness.evaluation.code import run_answers

    # Looks through every object and frame it can reach for the expected text.
    spy = (
        "import gc, sys\n"
        "def f(x):\n"
        "    frame, texts = sys._getframe(), []\n"
        "    while frame:\n"
        "        texts.append(repr(frame.f_locals)); frame = frame.f_back\n"
        "    texts += [repr(o) for o in gc.get_objects() if isinstance(o, (dict, list, tuple))]\n"
        "    text = ' '.join(texts)\n"
        "    return 'secret-{}'.format(7390 + x) if 'secret-{}'.format(7390 + x) in text else 0\n"
    )
    doc = {"tests": [{"call": "f(1)", "expect": '"secret-7391"'}]}
    honest = "def f(x):\n    return 'secret-' + str(7390 + x)"
    assert run_answers([[spy]], [doc]) == [[False]]
    assert run_answers([[honest]], [doc]) == [[True]]
    # The spy is good at it: what is inside (here in another call) it does find.
    assert run(spy, "f(1)", "'secret-7391'[:0]").values == ["secret-7391", ""]
