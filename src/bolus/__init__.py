"""Contrast bolus to perfusion: CT perfusion, DSC-MRI and perfusion DSA. Research software.

>>> import bolus
>>> series = bolus.load("study/dicom")  # doctest: +SKIP
>>> result = bolus.run(series)  # doctest: +SKIP
>>> result.maps["Tmax"].values, result.lesions.volumes_ml["core"]  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bolus.core.errors import BolusError
from bolus.core.recipe import DEFAULT, Recipe

if TYPE_CHECKING:
    from bolus.export import write
    from bolus.pipeline import run
    from bolus.read import load

__version__ = "0.1.0"
__all__ = ["DEFAULT", "BolusError", "Recipe", "__version__", "load", "run", "write"]

_HOMES = {"load": "bolus.read", "run": "bolus.pipeline", "write": "bolus.export"}


def __getattr__(name: str) -> Any:
    """Import a stage when it is first asked for, so that `import bolus` stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'bolus' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - kept off the quick path

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Name the stages too, which completion would not find before they are asked for."""
    return sorted({*globals(), *__all__})
