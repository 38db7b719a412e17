#!/bin/sh
# Writes requirements/*.txt anew: every distribution with its hashes, and no address of an index.
# Needs a network; runs in an environment of its own that is thrown away.
set -eu
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT INT TERM
"${PYTHON:-python3}" -m venv "$scratch/venv"
"$scratch/venv/bin/python" -m pip install --quiet --disable-pip-version-check uv

# Universal: one lock with environment markers serves every platform and Python from 3.11 on.
# No header and no annotations: they would name paths of the machine that made the lock.
lock() {
    "$scratch/venv/bin/uv" --no-config pip compile --quiet --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
        "$@"
}

lock ${LOCK_OPTIONS:---upgrade} pyproject.toml --group dev --output-file "$scratch/dev.txt"
# The same versions everywhere: what users run is what was tested.
lock pyproject.toml --constraint "$scratch/dev.txt" --output-file "$scratch/runtime.txt"
lock --group build --constraint "$scratch/dev.txt" --output-file "$scratch/build.txt"
# The servers that tests start have environments of their own, and need not agree with ours.
lock requirements/real.in --output-file "$scratch/real.txt"

for name in dev runtime build real; do
    if grep -q '://' "$scratch/$name.txt"; then
        echo "lock: requirements/$name.txt would contain a URL; nothing was changed" >&2
        exit 1
    fi
done
mv "$scratch/dev.txt" "$scratch/runtime.txt" "$scratch/build.txt" "$scratch/real.txt" requirements/
echo "lock: wrote requirements/dev.txt, runtime.txt, build.txt and real.txt"
