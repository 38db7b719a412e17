"""A process that has loaded pip once and forks for every run of it: a script, see `preloaded_pip`.

Loading takes most of the time of a small download. It reads one request per line, as JSON: `id`,
`arguments`, `environment`, `directory`. It answers each with the line `ID EXIT-CODE`, in any order.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from importlib import import_module

# What a `pip download` imports as it goes along.
_USED = (
    *("pip._internal.cli.main", "pip._internal.commands.download", "pip._internal.req"),
    *("pip._internal.index.package_finder", "pip._internal.network.session"),
    *("pip._internal.resolution.resolvelib.resolver", "pip._internal.operations.prepare"),
    *("pip._internal.metadata.importlib", "pip._vendor.requests", "pip._vendor.rich.console"),
    *("pip._internal.commands", "pip._vendor.cachecontrol", "pip._internal.utils.unpacking"),
)


def main() -> None:
    """Serve until nobody asks any more."""
    for module in _USED:
        with suppress(ImportError):  # of another version of pip: it loads that itself, or has none
            import_module(module)
    # Nobody waits for the children: each answers for itself.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in iter(sys.stdin.buffer.readline, b""):
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _answer(json.loads(line))
            os._exit(0)


def _answer(request: dict[str, object]) -> None:
    child = os.fork()
    if child == 0:
        code = _run(request)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
    _, status = os.waitpid(child, 0)
    # A line as short as this is written whole, whoever else writes.
    os.write(1, f"{request['id']} {os.waitstatus_to_exitcode(status)}\n".encode())


def _run(request: dict[str, object]) -> int:
    directory, environment = str(request["directory"]), request["environment"]
    arguments = request["arguments"]
    output = os.open(os.path.join(directory, "pip.log"), os.O_WRONLY | os.O_CREAT)  # noqa: PTH118  # pathlib is loaded by pip, not for us
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.chdir(directory)
    os.environ.clear()
    if isinstance(environment, dict):
        os.environ.update(environment)
    words = [str(word) for word in arguments] if isinstance(arguments, list) else []
    sys.argv = ["pip", *words]
    try:
        return int(import_module("pip._internal.cli.main").main(words))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001  # whatever it is, this run of pip failed
        return 1


if __name__ == "__main__":
    main()
