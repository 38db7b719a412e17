"""Every surface of PyPI beside the pages that installers read: what, how, and how old."""

from probes.pypi_surfaces.asking import SurfaceReader
from probes.pypi_surfaces.session import KeepingSession

__all__ = ["KeepingSession", "SurfaceReader"]
