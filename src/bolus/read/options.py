"""What the caller may say about a study before it is read."""

from __future__ import annotations

from dataclasses import dataclass

from bolus.core.errors import BadRecipe
from bolus.core.recipe import Recipe
from bolus.core.units import Modality

_LONGEST_DT_S, _LONGEST_TE_MS = 60.0, 1000.0


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Choices that stand in for what the files do not say, or say wrongly.

    Parameters
    ----------
    series
        Which series to read: its UID or the start of it, its number, its description, or the short
        name that `bolus info` prints. None: the best candidate.
    modality
        Read only series of this modality.
    dt_s
        Frame interval [s]; replaces whatever the files say about time.
    te_ms
        Echo time [ms] where the files do not say.

    Raises
    ------
    BadRecipe
        If `dt_s` or `te_ms` is not a positive number within reason.
    """

    series: str | None = None
    modality: Modality | None = None
    dt_s: float | None = None
    te_ms: float | None = None

    def __post_init__(self) -> None:
        _check("dt", self.dt_s, _LONGEST_DT_S, "s")
        _check("te", self.te_ms, _LONGEST_TE_MS, "ms")

    @classmethod
    def of(cls, recipe: Recipe) -> ReadOptions:
        """Return what a recipe says about reading: its section `read`.

        Raises
        ------
        BadRecipe
            If its modality is unknown, or a number is out of range.
        """
        wanted = recipe.modality.upper()
        if wanted and wanted not in set(Modality):
            raise BadRecipe("unknown modality", wanted="ct, mr or xa", found=recipe.modality)
        return cls(
            series=recipe.series or None,
            modality=Modality(wanted) if wanted else None,
            dt_s=recipe.dt,
            te_ms=recipe.te_ms,
        )


def _check(name: str, value: float | None, longest: float, unit: str) -> None:
    if value is not None and not 0 < value <= longest:
        raise BadRecipe(
            f"--{name} is out of range", wanted=f"above 0, at most {longest:g} {unit}", found=f"{value:g}"
        )
