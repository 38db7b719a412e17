"""propagation-auditor: follows one release across every place that holds a copy."""

__all__ = ["__version__"]

__version__ = "0.1.0"
