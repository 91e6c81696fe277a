"""The rules: each measures one number and has a limit for each severity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from bolus.core.finding import Finding, Severity
from bolus.core.units import Modality
from bolus.quality import measures
from bolus.quality.clipping import clipped_percent
from bolus.quality.evidence import Evidence
from bolus.quality.measures import Measure

_CT, _MR, _XA = (frozenset({m}) for m in (Modality.CT, Modality.MR, Modality.XA))
_ALL: Final = _CT | _MR | _XA
_TISSUE: Final = _CT | _MR


@dataclass(frozen=True, slots=True)
class Rule:
    """One number and its limits.

    Parameters
    ----------
    code
        Name of the finding; several rules may share one, and the worst of them speaks.
    measure
        Gives the number.
    bad
        Whether numbers above or below the limits are bad.
    limits
        Severity and limit, mildest first; a number at the limit itself passes.
    text
        Sentence for the reader; `{value}` and `{limit}` are filled in.
    source
        Where the limits come from.
    modalities
        Which series it applies to.
    """

    code: str
    measure: Measure
    bad: Literal["above", "below"]
    limits: tuple[tuple[Severity, float], ...]
    text: str
    source: str
    modalities: frozenset[Modality] = _ALL

    def judge(self, evidence: Evidence) -> Finding | None:
        """Return the finding, None where all is well or the rule does not apply."""
        if evidence.series.modality not in self.modalities:
            return None
        value = float(self.measure(evidence))
        sign = 1.0 if self.bad == "above" else -1.0
        passed = [(s, limit) for s, limit in self.limits if sign * value > sign * limit]
        if not passed:  # NaN passes no limit either
            return None
        severity, limit = passed[-1]
        return Finding(self.code, severity, self.text.format(value=value, limit=limit), value)


_I, _W, _F = Severity.INFO, Severity.WARN, Severity.FAIL
_HOUSE: Final = "chosen for bolus"
_KASASBEH: Final = (
    "Kasasbeh et al. 2016, PMC5134896: venous curves cut above 0.39 of their peak change volumes"
)
_ISLES: Final = "RAPID's curves of 93 ISLES 2018 cases: 5, 75 and 95 % of arterial peaks 17, 92 and 215 HU"
_ISLES_WIDTH: Final = "the same cases: 75 and 95 % of arterial widths are 14 and 19 s"
_ISLES_RATIO: Final = (
    "the same cases: 5-95 % of area ratios are 1.2-9.6, so that a large one alone fails nothing"
)
_ISLES_LAG: Final = "the same cases: 5-95 % of the lags are 4-9 s"
_OEI: Final = "Oei et al., ECR 2013: CBF falls when sampling is slower than 2 s"
_RELAXIVITY: Final = (
    "Calamante 2013, doi:10.1016/j.pnmrs.2013.04.002: relaxivities of blood and tissue differ and are unknown"
)

RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "TRUNCATED",
        measures.vof("tail"),
        "above",
        ((_W, 0.4), (_F, 0.7)),
        "The scan ends while the veins still hold {value:.2f} of their peak (limit {limit:g}): CBV "
        "and MTT are too low where blood arrives late. Scan longer (60-70 s).",
        _KASASBEH,
    ),
    Rule(
        "TRUNCATED",
        measures.aif("tail"),
        "above",
        ((_W, 0.4), (_F, 0.7)),
        "The scan ends while the artery still holds {value:.2f} of its peak (limit {limit:g}): the "
        "bolus is cut off. Scan longer, or check the place of the AIF.",
        "the same, for the artery; 95 % of RAPID's arterial tails in ISLES 2018 are below 0.36",
    ),
    Rule(
        "TRUNCATED",
        measures.tissue_tail,
        "above",
        ((_W, 0.6), (_F, 0.8)),
        "The scan ends while tissue still holds {value:.2f} of its peak (limit {limit:g}): the bolus is cut "
        "off. Scan longer.",
        _HOUSE + ": where no vein is found, this alone tells that contrast has not left",
        _TISSUE,
    ),
    Rule(
        "TRUNCATED",
        measures.missing_s,
        "above",
        ((_W, 0.0),),
        "The scan ends {value:.0f} s before the veins can have emptied: delayed tissue is cut off.",
        _HOUSE + ": arterial arrival + 1.6 venous widths + 5 s",
        _TISSUE,
    ),
    Rule(
        "NO_BASELINE",
        measures.baseline_frames,
        "below",
        ((_F, 2.0),),
        "{value:.0f} frames lie before the bolus (at least {limit:g} needed): absolute maps are not valid.",
        _HOUSE,
    ),
    Rule(
        "SHORT_BASELINE",
        measures.short_baseline,
        "below",
        ((_W, 3.0),),
        "Only {value:.0f} frames lie before the bolus ({limit:g} wanted): the baseline is noisy.",
        _HOUSE,
    ),
    Rule(
        "MOTION",
        measures.from_motion(lambda m: m.max_shift_mm),
        "above",
        ((_W, 3.0),),
        "The head moved by up to {value:.1f} mm (corrected): look at the motion plot and for streaks.",
        _HOUSE,
    ),
    Rule(
        "MOTION",
        measures.from_motion(lambda m: m.max_rotation_deg),
        "above",
        ((_W, 3.0),),
        "The head turned by up to {value:.1f} degrees (corrected): look at the motion plot and for streaks.",
        _HOUSE,
    ),
    Rule(
        "MOTION",
        measures.from_motion(measures.far_frames),
        "above",
        ((_F, 5.0),),
        "In {value:.0f} frames the head lies more than 8 mm away: slices at the ends left the scanned range.",
        _HOUSE,
    ),
    Rule(
        "MOTION",
        measures.from_motion(lambda m: float(len(m.rejected))),
        "above",
        ((_W, 0.0), (_F, 5.0)),
        "{value:.0f} frames could not be aligned and were left where they were.",
        _HOUSE,
    ),
    Rule(
        "MOTION",
        measures.from_motion(measures.worst_match),
        "below",
        ((_W, 0.9),),
        "After alignment one frame matches the reference by only {value:.2f} (wanted {limit:g}): "
        "motion may remain.",
        _HOUSE,
        _TISSUE,
    ),
    Rule(
        "MOTION",
        measures.from_motion(lambda m: m.max_residual_nat),
        "above",
        ((_W, 0.1),),
        "At the edges of bone {value:.2f} nat remain after alignment (limit {limit:g}): look for shadows of "
        "bone in the maps.",
        _HOUSE,
        _XA,
    ),
    Rule(
        "POOR_BOLUS",
        measures.measured_peak,
        "below",
        ((_W, 50.0), (_F, 15.0)),
        "The arterial peak is {value:.0f} HU (wanted {limit:g}): too little contrast, or an artery of"
        " partial volume.",
        _ISLES,
        _CT,
    ),
    Rule(
        "POOR_BOLUS",
        measures.signal_drop,
        "below",
        ((_W, 20.0),),
        "The arterial signal drops by {value:.0f} % (wanted {limit:g} %): too little contrast, or no artery.",
        _HOUSE,
        _MR,
    ),
    Rule(
        "POOR_BOLUS",
        measures.measured_peak,
        "below",
        ((_W, 0.15),),
        "The arterial density is {value:.2f} nat (wanted {limit:g}): too little contrast, or no artery.",
        _HOUSE,
        _XA,
    ),
    Rule(
        "WIDE_BOLUS",
        measures.aif("fwhm_s"),
        "above",
        ((_W, 15.0), (_F, 20.0)),
        "The arterial curve is {value:.0f} s wide (limit {limit:g}): slow injection, poor heart, or "
        "no artery.",
        _ISLES_WIDTH,
        _TISSUE,
    ),
    Rule(
        "AIF_LATE",
        measures.tissue_lag_s,
        "below",
        ((_F, 1.0),),
        "Tissue peaks {value:.1f} s after the AIF (at least {limit:g} wanted): give an earlier artery"
        " with --aif.",
        _HOUSE,
        _TISSUE,
    ),
    Rule(
        "AIF_LATE",
        measures.negative_tmax,
        "above",
        ((_F, 10.0),),
        "{value:.0f} % of normal tissue seems to fill before the AIF (limit {limit:g} %): give an "
        "earlier artery with --aif.",
        _HOUSE,
        _TISSUE,
    ),
    Rule(
        "AIF_SHAPE",
        measures.second_peak,
        "above",
        ((_W, 0.5),),
        "The arterial curve has a second peak of {value:.2f} of the first (limit {limit:g}): look at "
        "the AIF figure.",
        _HOUSE + "; recirculation reaches about 0.25",
        _TISSUE,
    ),
    Rule(
        "AIF_SHAPE",
        measures.aif("gamma_r2"),
        "below",
        ((_W, 0.85),),
        "The arterial curve is unlike a bolus (r2 {value:.2f} with a gamma-variate, wanted {limit:g}).",
        _HOUSE,
        _TISSUE,
    ),
    Rule(
        "PV_RATIO",
        measures.area_ratio,
        "above",
        ((_W, 10.0),),
        "The venous area is {value:.1f} times the arterial one (limit {limit:g}): absolute CBF and "
        "CBV are too high.",
        _ISLES_RATIO,
        _TISSUE,
    ),
    Rule(
        "PV_RATIO",
        measures.area_ratio,
        "below",
        ((_W, 0.9),),
        "The venous area is {value:.2f} times the arterial one (at least {limit:g} wanted): check AIF"
        " and VOF.",
        _ISLES_RATIO,
        _TISSUE,
    ),
    Rule(
        "VOF_EARLY",
        measures.venous_lag_s,
        "below",
        ((_W, 2.0),),
        "The vein peaks {value:.1f} s after the artery (at least {limit:g} wanted): check the places "
        "of both.",
        _ISLES_LAG,
        _TISSUE,
    ),
    Rule(
        "VOF_EARLY",
        measures.venous_lag_s,
        "above",
        ((_W, 15.0),),
        "The vein peaks {value:.1f} s after the artery (at most {limit:g} expected): check the places"
        " of both.",
        _ISLES_LAG,
        _TISSUE,
    ),
    Rule(
        "LOW_SNR",
        measures.tissue_cnr,
        "below",
        ((_W, 5.0), (_F, 3.0)),
        "Tissue peaks at {value:.1f} times the noise (wanted {limit:g}): maps are mostly noise below 3.",
        _HOUSE + "; pure noise over 60 frames peaks at 2.3",
    ),
    Rule(
        "TIME_IRREGULAR",
        measures.interval_cv,
        "above",
        ((_I, 5.0),),
        "Intervals between frames vary by {value:.0f} %: curves were resampled to an even grid.",
        _HOUSE,
    ),
    Rule(
        "UNDERSAMPLED",
        measures.interval_s,
        "above",
        ((_W, 2.0), (_F, 3.0)),
        "A frame every {value:.1f} s is too few (limit {limit:g} s): CBF is too low and times are coarse.",
        _OEI,
        _CT,
    ),
    Rule(
        "UNDERSAMPLED",
        measures.interval_s,
        "above",
        ((_W, 2.5),),
        "A frame every {value:.1f} s is too few (limit {limit:g} s): CBF is too low and times are coarse.",
        _HOUSE,
        _MR,
    ),
    Rule(
        "UNDERSAMPLED",
        measures.interval_s,
        "above",
        ((_W, 1.0),),
        "A frame every {value:.1f} s is too few (limit {limit:g} s).",
        _HOUSE,
        _XA,
    ),
    Rule(
        "COVERAGE",
        measures.coverage_mm,
        "below",
        ((_I, 40.0),),
        "The scan covers {value:.0f} mm of the head: lesions outside are not counted in any volume.",
        _HOUSE,
        _TISSUE,
    ),
    Rule(
        "COVERAGE",
        measures.cut_voxels,
        "above",
        ((_I, 0.2),),
        "The brain touches the edge of the images ({value:.1f} % of its voxels): part of it is cut off.",
        _HOUSE,
        _TISSUE,
    ),
    Rule(
        "MASK_SMALL",
        measures.large_scan_brain_ml,
        "below",
        ((_F, 600.0),),
        "The brain mask holds {value:.0f} mL of a whole head (at least {limit:g} wanted): give one "
        "with --mask.",
        _HOUSE,
        _TISSUE,
    ),
    Rule(
        "SATURATED",
        measures.frames_without_signal,
        "above",
        ((_W, 1.0),),
        "In {value:.0f} frames the artery has no signal left: its peak is cut and CBF too high. "
        "Choose a smaller one.",
        _HOUSE,
        _MR,
    ),
    Rule(
        "SATURATED",
        clipped_percent,
        "above",
        ((_W, 2.0),),
        "{value:.1f} % of the pixels of vessels hold the last value of the detector's range (limit {limit:g} "
        "%): contrast is cut off there, and CBV and CBF are wrong.",
        _HOUSE + ": from 2 % on the arterial peak is 2 % too low in simulated runs, 8 % at worst",
        _XA,
    ),
    Rule(
        "HU_RANGE",
        measures.brain_hu,
        "below",
        ((_W, 20.0), (_F, 0.0)),
        "Brain has {value:.0f} HU before contrast (20-50 expected): check the modality and the rescaling.",
        _HOUSE,
        _CT,
    ),
    Rule(
        "HU_RANGE",
        measures.brain_hu,
        "above",
        ((_W, 50.0), (_F, 100.0)),
        "Brain has {value:.0f} HU before contrast (20-50 expected): check the modality and the rescaling.",
        _HOUSE,
        _CT,
    ),
    Rule(
        "NONQUANT",
        measures.is_unscaled,
        "above",
        ((_I, 0.5),),
        "CBF and CBV of DSC-MRI are relative here: the arterial curve was not scaled to a vein.",
        _HOUSE,
        _MR,
    ),
    Rule(
        "RELATIVE_ONLY",
        measures.is_uncalibrated,
        "above",
        ((_I, 0.5),),
        "CBF and CBV of DSC-MRI are uncalibrated: their units are nominal. Compare values within this "
        "study only; ratios, times and lesions by them do not depend on the scale.",
        _RELAXIVITY,
        _MR,
    ),
    Rule(
        "RELATIVE_ONLY",
        measures.is_by_numbers,
        "above",
        ((_F, 0.5),),
        "CBF and CBV of DSC-MRI are uncalibrated, and the lesion rule compares them with numbers: its "
        "volumes are withheld. Choose a rule that compares with healthy tissue, such as rapid.",
        _RELAXIVITY,
        _MR,
    ),
    Rule(
        "MAP_GAPS",
        measures.map_gaps,
        "above",
        ((_W, 5.0), (_F, 50.0)),
        "{value:.0f} % of brain tissue has no CBF (limit {limit:g} %): volumes leave it out.",
        _HOUSE,
    ),
    Rule(
        "METHOD_DISAGREE",
        measures.agreement,
        "below",
        ((_W, 0.85),),
        "Two methods rank CBF alike by only {value:.3f} (wanted {limit:g}): trust neither alone.",
        _HOUSE,
    ),
)
"""Every rule, in the order of the work."""
