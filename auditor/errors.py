"""The errors of the auditor. Each message names the cause and the next step.

AuditorError
├── UsageError            the command line or the question itself is wrong (exit code 2)
│   └── ConfigError       the configuration file is wrong; carries every problem at once
├── ProbeError            a probe could not look; becomes an observation, never a traceback
│   ├── GuardRefused      the request guard did not let a request out
│   ├── Unreachable       nothing answered, or not in time
│   ├── Denied            the server wants other credentials (401, 403, 407)
│   └── Malformed         the answer is not what an index may answer
├── ObservationsError     a stored observations or run file is damaged (exit code 2)
├── HistoryError          the file of past runs cannot be used (exit code 2; 4 beside an audit)
├── RegistryError         a plugin cannot be loaded, or two claim one name (exit code 2)
└── RenderError           a report could not be written (exit code 2)
"""

from __future__ import annotations

__all__ = [
    "AuditorError",
    "ConfigError",
    "Denied",
    "GuardRefused",
    "HistoryError",
    "Malformed",
    "ObservationsError",
    "ProbeError",
    "RegistryError",
    "RenderError",
    "Unreachable",
    "UsageError",
]


class AuditorError(Exception):
    """Base of every error that the auditor raises on purpose."""


class UsageError(AuditorError):
    """The question cannot be answered as it was asked."""


class ConfigError(UsageError):
    """The configuration is wrong.

    Attributes:
        problems: one line each, `FILE:LINE: KEY: cause; next step`.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class ProbeError(AuditorError):
    """A probe could not find something out; the text says why."""


class GuardRefused(ProbeError):
    """The request guard refused to send a request because it could do harm."""


class Unreachable(ProbeError):
    """Nothing answered: connection refused, name not found, time-out, broken transfer.

    Attributes:
        connected: whether a connection was ever made. False everywhere means that we are offline.
    """

    def __init__(self, message: str, *, connected: bool) -> None:
        super().__init__(message)
        self.connected = connected


class Denied(ProbeError):
    """The server refused these credentials, or wants some."""


class Malformed(ProbeError):
    """The answer cannot be read as what it should be."""


class ObservationsError(AuditorError):
    """A stored file of observations or a stored run cannot be used; the text names the line."""


class HistoryError(AuditorError):
    """The file of past runs cannot be read or written; the text names cause and next step."""


class RegistryError(AuditorError):
    """A probe, renderer or notifier cannot be registered."""


class RenderError(AuditorError):
    """A report cannot be rendered or written."""
