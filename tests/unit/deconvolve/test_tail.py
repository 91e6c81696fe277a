"""Curves that the scan cut off: what carrying them on does, and what it spares."""

import numpy as np
import pytest

from bolus.core.errors import BadRecipe
from bolus.deconvolve import csvd, ssvd
from bolus.deconvolve.tail import carry_on
from bolus.physics.transport import RESIDUES

_DELAYS = (-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0)
_FLOW, _MTT = 0.075, 3.5


def _run(dt, seconds, delay, residue="gamma"):
    """Sample an arterial curve and a tissue curve of a DSA run: injection of 2.5 s, arrival after 2.7 s."""
    step = 0.01
    fine = np.arange(0.0, seconds + 20.0, step)
    injected = np.interp(fine, [2.7, 3.0, 5.5, 5.8], [0.0, 0.65, 0.65, 0.0])
    artery = np.convolve(injected, np.exp(-fine / 0.35))[: fine.size] * step / 0.35
    tissue = _FLOW * np.convolve(artery, RESIDUES[residue](fine, np.array(_MTT)))[: fine.size] * step
    times = np.arange(0.0, seconds, dt)
    return np.interp(times, fine, artery), np.interp(times - delay, fine, tissue, left=0.0)


def _flows(method, dt, seconds, residue="gamma", **options):
    found = []
    for delay in _DELAYS:
        artery, tissue = _run(dt, seconds, delay, residue)
        found.append(float(method(tissue[None].astype(np.float32), artery, dt, **options).flow[0]))
    return np.array(found)


def test_tail_decays_from_the_mean_of_the_last_samples():
    curve = np.array([0.0, 1.0, 5.0, 3.0, 2.0, 1.0])
    longer = carry_on(curve.size, 0.5, 2.0) @ curve
    np.testing.assert_array_equal(longer[:6], curve)
    assert longer.size == 6 + 20
    np.testing.assert_allclose(longer[6:], 2.0 * np.exp(-0.25 * np.arange(1, 21)))


def test_without_a_tail_nothing_changes():
    np.testing.assert_array_equal(carry_on(7, 0.5, 0.0), np.eye(7))


@pytest.mark.parametrize("residue", ["gamma", "exponential", "linear"])
def test_flow_does_not_depend_on_delay_in_a_run_that_ends_during_the_washout(residue):
    """Goal of perfusion DSA: 3 % over -2 to 4 s, in a run of 13 s that begins 2.7 s before the bolus."""
    flows = _flows(csvd, 0.25, 13.0, residue, cutoff=0.2, tail_s=2.5)
    assert np.abs(flows / flows[2] - 1).max() < 0.03
    cut_off = _flows(csvd, 0.25, 13.0, residue, cutoff=0.2)
    assert np.abs(cut_off / cut_off[2] - 1).max() > 0.03


def test_flow_by_the_causal_method_of_the_paper_depends_on_delay():
    """Tissue that leads the artery by 2 s gets more than twice its flow."""
    flows = _flows(ssvd, 0.25, 13.0, rule="volterra")
    assert flows[0] > 2 * flows[-1]


@pytest.mark.parametrize("bad", [-1.0, "long", np.inf])
def test_a_tail_that_is_no_time_is_refused(bad):
    artery, tissue = _run(0.25, 13.0, 0.0)
    with pytest.raises(BadRecipe, match="tail_s"):
        csvd(tissue[None], artery, 0.25, tail_s=bad)
