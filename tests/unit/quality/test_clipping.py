"""Values of vessels that were cut off at the end of the range pile up there; noise does not."""

from dataclasses import replace

import numpy as np
import pytest

from bolus.core.brain import Brain
from bolus.core.finding import Severity
from bolus.core.grid import Grid
from bolus.core.series import Concentration, Series
from bolus.core.units import Modality, Unit
from bolus.core.vessel import VesselCurve, Vessels
from bolus.quality import Evidence, check
from bolus.quality.clipping import clipped_percent

SHAPE = (40, 40, 1)
TIMES = np.arange(20) * 0.5
VESSEL = np.zeros(SHAPE, dtype=bool)
VESSEL[15:25] = True


def stored(bits=12, seed=0):
    """Return a run `(x, y, 1, t)` of dark vessels, of different depth, in noise."""
    rng = np.random.default_rng(seed)
    full = 2**bits - 1
    depth = np.where(VESSEL, rng.uniform(0.15, 0.5, SHAPE), 0.02)[..., None]
    bolus = np.exp(-0.5 * ((TIMES - 4.0) / 1.5) ** 2)
    values = full * (0.7 - depth * bolus + 0.006 * rng.standard_normal((*SHAPE, TIMES.size)))
    return np.clip(np.rint(values), 0, full).astype(np.uint16)


def evidence_of(frames):
    series = Series(frames, TIMES, Grid(SHAPE, np.eye(4)), Modality.XA, Unit.SIGNAL)
    everything = np.ones(SHAPE, dtype=bool)
    curves = np.ones((everything.sum(), TIMES.size), dtype=np.float32)
    contrast = Concentration(curves, TIMES, everything, series.grid, Modality.XA, Unit.NAT, (0, 3), 0.01)
    aif = VesselCurve("AIF", TIMES, np.ones(TIMES.size), Unit.NAT, "test")
    brain = Brain(everything, everything & ~VESSEL, np.zeros_like(everything))
    return Evidence(series, None, brain, contrast, contrast, Vessels(aif), {})


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_noise_alone_is_no_pile(bits):
    """One pixel in 400 is the lowest, by chance alone."""
    assert clipped_percent(evidence_of(stored(bits))) < 0.5


@pytest.mark.parametrize("bright", [False, True])
def test_the_share_of_pixels_that_were_cut_off_is_found(bright):
    frames = stored()
    level = int(np.quantile(frames[VESSEL].min(axis=1), 0.1))
    cut = np.maximum(frames, level)
    cut = 4095 - cut if bright else cut
    assert clipped_percent(evidence_of(cut)) == pytest.approx(10.0, abs=1.0)


def test_a_saturated_run_is_said():
    frames = stored()
    level = int(np.quantile(frames[VESSEL].min(axis=1), 0.05))
    (finding,) = [f for f in check(evidence_of(np.maximum(frames, level))) if f.code == "SATURATED"]
    assert finding.severity is Severity.WARN
    assert "5.0 %" in finding.text
    assert not [f for f in check(evidence_of(frames)) if f.code == "SATURATED"]


def test_too_few_vessel_pixels_tell_nothing():
    run = evidence_of(stored())
    tissue = np.ones(SHAPE, dtype=bool)
    assert np.isnan(clipped_percent(replace(run, brain=Brain(tissue, tissue, np.zeros_like(tissue)))))
