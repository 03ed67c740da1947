"""A program cannot have the answer without computing it. Each attempt is made for real."""

import pytest

from harness.sandbox import Isolation, Limits, Outcome, Program, isolation, run_programs


@pytest.fixture(scope="module")
def layers() -> Isolation:
    return isolation()


def run(source: str, *calls: str, limits: Limits | None = None) -> Outcome:
    return run_programs([Program(source, calls or ("1",))], limits)[0]


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
def test_an_answer_cannot_be_had_without_computing_it(source: str) -> None:
    # The caller expects 42; it is nowhere inside the sandbox.
    assert run(source, "f()").values != [42]


def test_what_is_expected_never_enters() -> None:
    from harness.evaluation_code import run_answers

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


def test_another_program_s_answer_cannot_be_written() -> None:
    # Every descriptor is tried; only the program's own pipe is there.
    vandal = (
        "import os\n"
        "for d in range(64):\n"
        "    try:\n"
        '        os.write(d, b\'{"answer": "{}", "why": ""}\\n\' * 3)\n'
        "    except OSError:\n"
        "        pass\n"
    )
    programs = [Program(vandal, ("1",)), Program("", ("6 * 7",)), Program(vandal, ("2",))]
    assert run_programs(programs)[1] == Outcome([42], "")


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.kill(os.getppid(), 9)",
        "import os\nos.kill(-1, 9)",
        "import ctypes\nctypes.CDLL(None).ptrace(16, __import__('os').getppid(), 0, 0)",
        "import os\nopen(f'/proc/{os.getppid()}/mem', 'rb')",
    ],
)
def test_the_supervisor_cannot_be_touched(layers: Isolation, source: str) -> None:
    if not layers.seccomp:
        pytest.skip(f"no seccomp here: {layers.why}")
    outcomes = run_programs([Program(source, ("1",)), Program("", ("6 * 7",))])
    assert outcomes[1] == Outcome([42], "")
