#!/bin/sh
# Makes or refreshes .venv from the hashed locks: `tools/bootstrap.sh runtime|dev`.
# Needs Python 3.11 or newer and pip; PYTHON=… chooses the interpreter.
set -eu
cd "$(dirname "$0")/.."

profile=${1:?usage: tools/bootstrap.sh runtime|dev}
venv=.venv

is_recent() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        if is_recent "$name"; then
            command -v "$name"
            return
        fi
    done
    echo "bootstrap: no Python 3.11 or newer among: ${PYTHON:-python3, python3.14 … python3.11}." >&2
    echo "bootstrap: install one, or name it: make PYTHON=/path/to/python3.12 demo" >&2
    return 1
}

python=$(find_python)

if ! is_recent "$venv/bin/python"; then
    rm -rf "$venv"
    # Debian keeps ensurepip in a package of its own (python3-venv). Without it the environment is
    # made without pip, and the interpreter's own pip fills it (`pip --python`, since pip 22.3).
    if "$python" -c 'import ensurepip' >/dev/null 2>&1; then
        "$python" -m venv "$venv"
    else
        "$python" -m venv --without-pip "$venv"
    fi
fi

if "$venv/bin/python" -c 'import pip' >/dev/null 2>&1; then
    pip() { "$venv/bin/python" -m pip "$@"; }
elif "$python" -m pip --version >/dev/null 2>&1; then
    pip() { "$python" -m pip --python "$venv/bin/python" "$@"; }
else
    echo "bootstrap: $python has neither pip nor ensurepip." >&2
    echo "bootstrap: on Debian: apt-get install python3-pip python3-venv" >&2
    exit 1
fi

install() {
    pip install --quiet --no-input --disable-pip-version-check "$@"
}

case $profile in
runtime) install --require-hashes -r requirements/runtime.txt -r requirements/build.txt ;;
dev) install --require-hashes -r requirements/dev.txt ;;
*)
    echo "bootstrap: unknown profile $profile; use runtime or dev" >&2
    exit 2
    ;;
esac
# The locked build backend builds it: no isolation, hence nothing unlocked is fetched.
install --no-deps --no-build-isolation --editable .

touch "$venv/.runtime"
[ "$profile" = runtime ] || touch "$venv/.dev"
