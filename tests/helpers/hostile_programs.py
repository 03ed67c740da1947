"""Programs that try to get out, by kind; each sets `out = True` where it got what it wanted.

Run as a module, behind the second wall only: every one beside honest programs, then what they did
to the files, processes and ports around them, as JSON.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from harness.evaluation.sandbox import Limits, Program, run_programs
from tests.helpers.second_wall import assert_wall

VICTIM, PORT = "/tmp/victim/secret", 47113

HOSTILE: dict[str, list[str]] = {
    "resources": [
        "while True: pass",
        "x = 'a' * 10**10",
        "x = []\nwhile True: x.append('a' * 10**6)",
        "b = bytearray(50_000_000)\nwhile True:\n    c = b[:]\n    del c",
        "x = 3 ** (3 ** 20)",
        "x = 1\nwhile True: x = x * x + 1",
        "import re\nre.match('(a+)+$', 'a' * 60 + 'b')",
        "def f(): return f()\nimport sys\nsys.setrecursionlimit(10**9)\nf()",
        "import time\nwhile True: time.time()",
        "import os\nwhile True: os.urandom(1 << 20)",
        "import time\ntime.sleep(10**9)\nwhile True: time.sleep(1)",
        "import itertools\nlist(itertools.count())",
        "a = []\nfor _ in range(10**7): a = [a]",
        "import zlib\nx = zlib.compress(bytes(10**8))\nwhile True: zlib.decompress(x)",
        "import sys\nsys.stdout.write('a' * 10**7)\nwhile True: print('a' * 10**6)",
        "import hashlib\nhashlib.pbkdf2_hmac('sha256', b'a', b'b', 10**9)",
        "out = len(str('x' * 70_000)) and 'x' * 70_000",
    ],
    "files": [
        f"out = bool(open({VICTIM!r}).read())",
        f"open({VICTIM!r}, 'w').write('gone')\nout = True",
        "out = bool(open('/etc/passwd').read())",
        "out = bool(open('/etc/shadow').read())",
        "import os\nout = bool(os.listdir('/'))",
        "import os\nos.mkdir('1')\nos.mkdir('2')\nout = True",
        "import os\nfor _ in range(3000):\n    os.mkdir('d')\n    os.chdir('d')\nout = True",
        "import json\nopen(json.__file__, 'w').write('raise SystemExit')\nout = True",
        "import os\nos.symlink('/', 'root')\nout = bool(os.listdir('root'))",
        "import os\nout = bool(os.open('../../../../etc/passwd', os.O_RDONLY))",
        "import pathlib\nout = bool(list(pathlib.Path('/tmp').iterdir()))",
        "import os\nfor fd in range(3, 64):\n    try:\n        os.read(fd, 1)\n        out = True\n"
        "    except OSError: pass",
        "import os\nfor fd in range(64):\n    try:\n        os.write(fd, b'ready\\n')\n"
        "    except OSError: pass",
        f"import shutil\nshutil.rmtree({os.path.dirname(VICTIM)!r})\nout = True",
        f"import sqlite3\nsqlite3.connect({VICTIM + '.db'!r}).execute('create table t(x)')\n"
        "out = True",
        "import tempfile\nout = bool(tempfile.NamedTemporaryFile(dir='/tmp'))",
        "open('sitecustomize.py', 'w').write('import os')\nout = True",
        "out = bool(open('/proc/self/environ').read())",
        "out = bool(open('/proc/self/mem', 'rb').read(1))",
        "out = bool(open('/dev/zero', 'rb').read(1))",
    ],
    "network": [
        f"import socket\nsocket.create_connection(('127.0.0.1', {PORT}), 1)\nout = True",
        "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        f"s.sendto(b'x', ('127.0.0.1', {PORT}))\nout = True",
        "import socket\ns = socket.socket()\ns.bind(('127.0.0.1', 0))\ns.listen()\nout = True",
        "import socket\nout = bool(socket.getaddrinfo('localhost', 80))",
        "import socket\nsocket.socket(socket.AF_UNIX).connect('/run/docker.sock')\nout = True",
        f"import urllib.request\nurllib.request.urlopen('http://127.0.0.1:{PORT}', timeout=1)\n"
        "out = True",
        "import socket\nout = bool(socket.socketpair())",
        "import asyncio\nasyncio.run(asyncio.sleep(0))\nout = True",
    ],
    "processes and signals": [
        "import os\nout = os.fork() >= 0",
        "import os\nwhile True: os.fork()",
        "import os\nos.execv('/bin/sh', ['sh', '-c', 'touch /tmp/victim/pwned'])",
        "import os\nout = os.system('touch /tmp/victim/pwned') == 0",
        "import subprocess\nsubprocess.run(['touch', '/tmp/victim/pwned'])\nout = True",
        "import os\nout = bool(os.posix_spawn('/bin/touch', ['touch', '/tmp/victim/pwned'], {}))",
        "import threading\nthreading.Thread(target=print).start()\nout = True",
        "import multiprocessing\nmultiprocessing.Process(target=print).start()\nout = True",
        "import os, signal\nos.kill(os.getppid(), signal.SIGINT)\nout = True",
        "import os\nfor pid in range(1, 500):\n    os.kill(pid, 9)\nout = True",
        "import os, signal\nos.killpg(0, signal.SIGKILL)",
        "import signal\nsignal.raise_signal(signal.SIGKILL)",
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass",
        "import os\nos.abort()",
        "import os\nos._exit(0)",
        "import sys\nsys.exit(0)",
        "import faulthandler\nfaulthandler._sigsegv()",
        "from concurrent.futures import ThreadPoolExecutor as Pool\nPool().submit(print)\nout = 1",
    ],
    "system calls": [
        "import ctypes\nctypes.string_at(0)",
        "import ctypes\nout = ctypes.CDLL(None).syscall(39) > 0",
        "import ctypes\nctypes.CDLL(None).rt_sigqueueinfo(1, 2, 0)\nout = True",
        "import fcntl\nfcntl.fcntl(0, fcntl.F_SETOWN, 1)\nout = True",
        "import mmap\nmmap.mmap(-1, 4096)\nout = True",
        "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nout = True",
        "import os\nout = bool(os.setuid(0))",
        "import os\nos.chroot('/')\nout = True",
        "import os\nos.ptsname(os.openpty()[0])\nout = True",
        "import posix\nposix.sched_setaffinity(0, {0})\nout = True",
        "import select\nselect.select([], [], [], 10**6)",
        "import select\nselect.poll().poll(10**9)",
        "import multiprocessing.shared_memory as m\nm.SharedMemory('x', True, 1)\nout = True",
        "import _posixshmem\nout = True",
        "from types import CodeType, FunctionType\ncode = compile('1', '', 'eval')\n"
        "FunctionType(code.replace(co_code=bytes([255, 255] * 50)), {})()",
        "from types import FunctionType\ncode = compile('1', '', 'eval')\n"
        "FunctionType(code.replace(co_code=bytes(range(256)) * 4, co_stacksize=1), {})()",
    ],
    "faked verdicts": [
        'import json\njson.dumps = lambda *_: \'{"values": [42], "why": ""}, ready\'',
        "import guest\nguest.answer = guest.WitWorld.answer = lambda *_: '[42]'\nout = 0",
        "import builtins\nbuiltins.eval = lambda *_: 42\nraise SystemExit",
        'import os\nos.write(1, b\'{"answer": "x", "why": ""}\\n\' * 100)',
        'print(\'{"answer": "x", "why": ""}\\n\' * 100, flush=True)',
        "import sys\nfor m in list(sys.modules): sys.modules[m] = None",
        "import builtins\nbuiltins.__dict__.clear()",
        "import gc\ndel gc.get_objects()[:]\nfor o in gc.get_objects():\n"
        "    if type(o) is dict and o is not globals(): o.clear()",
        "class Yes(int):\n    def __eq__(self, other): return True\nout = Yes(0)",
        "import math, random, functools\nmath.pi = 3\nrandom.seed(1)\n"
        "functools.reduce = sorted = print = len = None",
        "import gc\ntext = repr([o for o in gc.get_objects() if type(o) in (list, dict, tuple)])\n"
        "out = 'honest_' + 'neighbour' in text",
    ],
    "parser bombs": [
        "(" * 200_000,
        "x = " + "[" * 50_000 + "]" * 50_000,
        "x = " + "-" * 200_000 + "1",
        "x = " + "+".join(["1"] * 200_000),
        "x = " + "a." * 100_000 + "b",
        "f'" + "{" * 500 + "}" * 500 + "'",
        "if 1:\n" + "".join(" " * i + "if 1:\n" for i in range(1, 150)) + " " * 150 + "pass",
        "x = 0x" + "f" * 2_000_000,
        "x = " + "9" * 500_000,
        "\x00",
        "'\ud800'",
        "# -*- coding: nonsense -*-\nx = 1",
        "import json\njson.loads('[' * 100_000)",
        "import ast\nast.literal_eval('(' * 10_000)",
        "x = 0\nfor _ in range(10**5): x = [x]\nout = x",
        "lambda: " * 50_000 + "1",
    ],
}


def honest(number: int) -> Program:
    """A program of its own for each neighbour, which looks whether the one before left anything."""
    source = (
        "import math, random, functools, builtins, json, os\n"
        "clean = math.pi > 3.1 and callable(functools.reduce) and 'out' not in globals()\n"
        f"def honest_neighbour(x): return sorted([x + {number}, {number}])[0] if clean else None\n"
    )
    return Program(source, (f"honest_neighbour({number})", "random.random()"))


def main() -> None:
    """Try them all; the effects are looked for from outside the sandbox."""
    assert_wall()
    # Only from here on is anything run that a model could have written.
    os.makedirs(os.path.dirname(VICTIM))
    Path(VICTIM).write_text("kept")
    signals: list[int] = []
    for number in set(range(1, 32)) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        signal.signal(number, lambda got, _: signals.append(got))
    asked: list[str] = []
    server = socket.create_server(("127.0.0.1", PORT))
    threading.Thread(target=lambda: asked.append(str(server.accept())), daemon=True).start()
    bystander = subprocess.Popen(["sleep", "600"])
    sources = [source for group in HOSTILE.values() for source in group]
    programs = [honest(0)]
    for i, source in enumerate(sources, 1):
        programs += [Program(source, ("out",)), honest(i)]
    library = Path(json.__file__).read_bytes()
    outcomes = run_programs(programs, Limits(instructions=2 * 10**9, wall_s=60))
    left = sorted(str(path) for path in Path("/tmp/victim").rglob("*"))
    alive = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    report = {
        "hostile": [[*outcome] for outcome in outcomes[1::2]],
        "honest": [outcome.values for outcome in outcomes[::2]],
        "victim": [left, Path(VICTIM).read_text()],
        "library": library == Path(json.__file__).read_bytes(),
        "signals": signals,
        "asked": asked,
        "bystander": bystander.poll(),
        "processes": sorted(alive) == sorted({os.getpid(), bystander.pid}),
        "tmp": sorted(path.name for path in Path("/tmp").iterdir()),
    }
    bystander.kill()
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
