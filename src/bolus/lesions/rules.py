"""Which tissue counts as core and as hypoperfused: one record a style.

Thresholds are data, so that a report can print what was applied. "-like" is meant: the makers' exact
regions, filters and references are not public, and none of these rules is anybody's software.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal

import numpy as np

from bolus.core.arrays import Mask, Volume
from bolus.core.errors import BadRecipe
from bolus.core.maps import Map
from bolus.core.units import TISSUE_DENSITY_G_ML, Unit

_PER_100_ML: Final[Mapping[str, Unit]] = MappingProxyType(
    {"mL/100 mL": Unit.VOLUME, "mL/100 mL/min": Unit.FLOW}
)


class Against(StrEnum):
    """What a threshold is compared with."""

    VALUE = "value"
    RATIO = "ratio"
    DIFFERENCE = "difference"


@dataclass(frozen=True, slots=True)
class Threshold:
    """One comparison of one map.

    Parameters
    ----------
    quantity
        Name of the map.
    sign
        `<` or `>`; a value on the threshold itself does not count.
    value
        A value in `unit`, a fraction of the healthy reference, or a difference from it in `unit`.
    against
        Which of the three `value` is.
    unit
        Unit as the source prints it; empty for a fraction.
    stand_in
        What is compared instead where the map was not made.
    """

    quantity: str
    sign: Literal["<", ">"]
    value: float
    against: Against = Against.VALUE
    unit: str = ""
    stand_in: Threshold | None = None

    def limit(self, unit: Unit, reference: float) -> float:
        """Return the threshold in the unit of the map.

        Parameters
        ----------
        unit
            Unit of the map.
        reference
            Median of healthy tissue in that unit.

        Raises
        ------
        BadRecipe
            If the map is in a unit that the threshold cannot be turned into.

        Notes
        -----
        100 mL of tissue weigh 104 g, so a figure per 100 mL is 1.04 times the figure per 100 g.
        """
        if self.against is Against.RATIO:
            return self.value * reference
        plain = self.value
        if _PER_100_ML.get(self.unit) == unit:
            plain = self.value / TISSUE_DENSITY_G_ML
        elif self.unit != unit.value:
            raise BadRecipe(
                f"a threshold of {self.text} does not fit the {self.quantity} map",
                wanted=self.unit,
                found=unit.value,
                remedy="Choose a rule with relative thresholds, such as rapid.",
            )
        return plain + (reference if self.against is Against.DIFFERENCE else 0.0)

    def met(self, values: Volume, unit: Unit, reference: float) -> Mask:
        """Return where a map meets the threshold; NaN never does."""
        limit = self.limit(unit, reference)
        with np.errstate(invalid="ignore"):
            met: Mask = values < limit if self.sign == "<" else values > limit
        return met

    @property
    def text(self) -> str:
        """The comparison in words and numbers."""
        if self.against is Against.RATIO:
            return f"{self.quantity} {self.sign} {100 * self.value:g} % of healthy tissue"
        if self.against is Against.DIFFERENCE:
            return f"{self.quantity} {self.sign} healthy tissue {self.value:+g} {self.unit}"
        return f"{self.quantity} {self.sign} {self.value:g} {self.unit}"


@dataclass(frozen=True, slots=True)
class Rule:
    """Which tissue is core and which is hypoperfused.

    Parameters
    ----------
    key
        Name in recipes.
    label
        Name in reports.
    core, hypoperfused
        Thresholds that must all be met.
    source
        Where the numbers come from.
    evidence
        How sure they are, and what was added here.
    core_inside_hypoperfused
        Whether core counts only where tissue is hypoperfused.
    hypoperfused_on_affected_side
        Whether hypoperfusion counts on the affected side only, as it must where healthy tissue of the
        other side may meet the threshold. The core always does, where there is an affected side.
    """

    key: str
    label: str
    core: tuple[Threshold, ...]
    hypoperfused: tuple[Threshold, ...]
    source: str
    evidence: str
    core_inside_hypoperfused: bool = False
    hypoperfused_on_affected_side: bool = False

    @property
    def quantities(self) -> tuple[str, ...]:
        """Names of the maps that it needs, each once."""
        return tuple(dict.fromkeys(t.quantity for t in (*self.core, *self.hypoperfused)))

    @property
    def needs_scale(self) -> bool:
        """Whether it compares flow or volume with a number, and not with healthy tissue."""
        thresholds = (*self.core, *self.hypoperfused)
        return any(t.quantity in {"CBF", "CBV"} and t.against is Against.VALUE for t in thresholds)

    @property
    def text(self) -> str:
        """The rule in one sentence."""
        core = " and ".join(t.text for t in self.core)
        if self.core_inside_hypoperfused:
            core += ", inside hypoperfused tissue"
        low = " and ".join(t.text for t in self.hypoperfused)
        return f"{self.label}: core where {core}; hypoperfused where {low} ({self.source})."


def _label(style: str) -> str:
    return f"{style}-like, not the vendor's software"


def _ratio(quantity: str, sign: Literal["<", ">"], value: float) -> Threshold:
    return Threshold(quantity, sign, value, Against.RATIO)


_CBF_30: Final = _ratio("CBF", "<", 0.30)
_TMAX_6: Final = Threshold("Tmax", ">", 6.0, unit="s")
_ARRIVAL_3: Final = Threshold("BAT", ">", 3.0, Against.DIFFERENCE, "s")
_DELAY_3: Final = Threshold("delay", ">", 3.0, unit="s", stand_in=_ARRIVAL_3)
_RMTT_145: Final = _ratio("MTT", ">", 1.45)


def _later(seconds: float) -> Threshold:
    return Threshold("TTP", ">", seconds, Against.DIFFERENCE, "s")


_TABLE: Final = (
    Rule(
        "rapid",
        _label("RAPID"),
        (_CBF_30,),
        (_TMAX_6,),
        "Straka 2010, doi:10.1002/jmri.22338; Albers 2018, doi:10.1056/NEJMoa1713973",
        "Thresholds published and used in trials; the maker's reference region and filters are not public.",
    ),
    Rule(
        "mistar",
        _label("MIStar"),
        (_CBF_30,),
        (_DELAY_3,),
        "Suomalainen 2022",
        "Without a fitted delay, arrival 3 s after healthy tissue stands in for it, which is noisier.",
        core_inside_hypoperfused=True,
    ),
    Rule(
        "syngo",
        _label("syngo.via"),
        (Threshold("CBV", "<", 1.2, unit="mL/100 mL"),),
        (Threshold("CBF", "<", 27.0, unit="mL/100 mL/min"),),
        "maker's defaults as reported in studies",
        "CBF < 27 mL/100 mL/min is unverified; healthy white matter lies close to it.",
        core_inside_hypoperfused=True,
        hypoperfused_on_affected_side=True,
    ),
    Rule(
        "philips",
        _label("Philips"),
        (Threshold("CBV", "<", 2.0, unit="mL/100 g"),),
        (_RMTT_145,),
        "Wintermark 2006, doi:10.1161/01.STR.0000209238.61459.39",
        "Thresholds from the cited study; that the maker uses them today is unverified.",
        core_inside_hypoperfused=True,
        hypoperfused_on_affected_side=True,
    ),
    Rule(
        "ge",
        _label("GE"),
        (_CBF_30,),
        (_TMAX_6,),
        "maker's defaults as reported in studies",
        "Unverified; older versions used absolute CBF and CBV (Murphy 2006).",
    ),
    Rule(
        "vitrea_bayes",
        _label("Vitrea (Bayesian)"),
        (_ratio("CBV", "<", 0.68), _later(5.3)),
        (_later(5.3),),
        "Rava 2020",
        "Best thresholds of patients without intervention; with intervention CBV -29 % and TTP +4.8 s.",
        core_inside_hypoperfused=True,
        hypoperfused_on_affected_side=True,
    ),
    Rule(
        "vitrea_svd",
        _label("Vitrea (SVD+)"),
        (_ratio("CBV", "<", 0.71), _later(5.8)),
        (_later(5.8),),
        "Rava 2020",
        "A second set of best thresholds is CBV -26 % and TTP +6.3 s.",
        core_inside_hypoperfused=True,
        hypoperfused_on_affected_side=True,
    ),
    Rule(
        "cbf38",
        "rCBF < 38 % (CT perfusion against DWI), no vendor's software",
        (_ratio("CBF", "<", 0.38),),
        (_TMAX_6,),
        "Cereda 2016, doi:10.1177/0271678X15610586",
        "The source gives the core only; hypoperfused tissue is that of `rapid`.",
    ),
    Rule(
        "mtt_abs",
        "MTT > 13.5 s (delay-corrected), no vendor's software",
        (_CBF_30,),
        (Threshold("MTT", ">", 13.5, unit="s"),),
        "Kamalian 2012, doi:10.3174/ajnr.A2809",
        "The source gives hypoperfused tissue only; the core is that of `rapid`. For delay-sensitive "
        "deconvolution it gives 12 s.",
    ),
)

RULES: Final[Mapping[str, Rule]] = MappingProxyType({rule.key: rule for rule in _TABLE})
"""Rules by style."""


def find_rule(key: str, maps: Mapping[str, Map]) -> Rule:
    """Return a rule by name, once the maps that it needs are there.

    Raises
    ------
    BadRecipe
        If there is no such rule, or a map that it needs was not made.
    """
    if key not in RULES:
        raise BadRecipe("there is no such lesion rule", wanted=", ".join(RULES), found=key)
    rule = _with_stand_ins(RULES[key], maps)
    missing = [q for q in dict.fromkeys(("CBF", "Tmax", *rule.quantities)) if q not in maps]
    if missing:
        raise BadRecipe(
            f"the lesion rule {key} needs maps that were not made",
            wanted=", ".join(missing),
            found=", ".join(maps),
            remedy="Choose a deconvolution method that gives them, or another rule, such as rapid.",
        )
    return rule


def _with_stand_ins(rule: Rule, maps: Mapping[str, Map]) -> Rule:
    """Replace thresholds on maps that were not made by their stand-ins."""

    def made(threshold: Threshold) -> Threshold:
        other = threshold.stand_in
        return other if other and threshold.quantity not in maps else threshold

    return replace(
        rule,
        core=tuple(made(t) for t in rule.core),
        hypoperfused=tuple(made(t) for t in rule.hypoperfused),
    )
