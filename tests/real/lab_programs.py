"""Installs every Python program that `auditor lab` can use, and names their directory.

`python -m tests.real.lab_programs` is what `make lab` calls before the lab itself.
"""

from __future__ import annotations

import sys

from auditor.lab.experiment.programs import COMMANDS
from tests.real.programs import NotInstallable
from tests.real_programs import PROGRAMS


def main() -> int:
    """Install what is missing and can be installed; say what could not be."""
    failed = 0
    for name in (n for n in COMMANDS if n in PROGRAMS):
        install = PROGRAMS[name].install
        if install is None or PROGRAMS[name].find():
            continue
        try:
            install()
        except NotInstallable as error:
            failed += 1
            sys.stderr.write(f"{name}: {error}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
