#!/bin/sh
# Installs the programs that only Debian can give us, where they are missing and we may.
# Where we may not, it says what will be skipped; with CI=true that is a failure.
set -eu

missing=""
need() { # PACKAGE COMMAND...: any of the commands will do
    package=$1
    shift
    for name in "$@"; do
        if command -v "$name" >/dev/null 2>&1; then return; fi
    done
    missing="$missing $package"
}
need chromium chromium chromium-browser google-chrome
need curl curl
need openssl openssl
[ -n "$missing" ] || exit 0
missing=${missing# }

if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" -eq 0 ]; then
    echo "test: installing Debian packages: $missing"
    apt-get update -qq
    # shellcheck disable=SC2086  # a list of names
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends $missing \
        </dev/null >/dev/null
    exit 0
fi

echo "test: SKIPPED: not installed, and only root may install it: $missing"
echo "test: tests that need it are skipped; as root: apt-get install $missing"
[ "${CI:-}" != true ] || {
    echo "test: in CI nothing may be skipped" >&2
    exit 1
}
