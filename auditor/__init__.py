"""propagation-auditor: follows one release across every place that holds a copy.

As a library: `await auditor.audit(…)`, `await auditor.audit_config(path)`, `auditor.render(run,
"html")`. Everything but the version is imported when it is first used, so that importing this
package costs nothing.
"""

# Type checkers take it for true; importing it from `typing` would cost ten milliseconds.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from auditor.api import audit, audit_config, render
    from auditor.contracts import Credentials
    from auditor.engine import Event
    from auditor.errors import AuditorError, ConfigError, RegistryError, UsageError
    from auditor.model import Run

__all__ = [
    "AuditorError",
    "ConfigError",
    "Credentials",
    "Event",
    "RegistryError",
    "Run",
    "UsageError",
    "__version__",
    "audit",
    "audit_config",
    "render",
]

__version__ = "0.1.0"

# Where each public name comes from.
_HOMES = {
    **dict.fromkeys(("audit", "audit_config", "render"), "auditor.api"),
    **dict.fromkeys(
        ("AuditorError", "ConfigError", "RegistryError", "UsageError"), "auditor.errors"
    ),
    "Credentials": "auditor.contracts",
    "Event": "auditor.engine",
    "Run": "auditor.model",
}


def __getattr__(name: str) -> object:
    """Import what is asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Name what can be imported, imported or not."""
    return sorted({*globals(), *__all__})
