"""The box-shaped residue: exact where it can be, within stated bounds where it cannot."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from bolus.core.errors import BadRecipe
from bolus.core.units import TISSUE_SCALE
from bolus.deconvolve import box
from bolus.deconvolve.box import rules_of
from bolus.deconvolve.boxfit import fit_of, lattice_of, products_of
from bolus.deconvolve.overlap import shifts_of
from bolus.deconvolve.problem import pose, sharpened
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import (
    antiderivative,
    box_curves,
    box_residue,
    exponential_residue,
    tissue_curves,
)

TIMES = np.arange(60.0)
BOLUS = GammaVariate(300.0, 10.0, 3.0, 1.5)
AIF = BOLUS(TIMES)
CBF = 6000 * TISSUE_SCALE
EXACT = box_curves(TIMES, AIF, np.array([45.0]), np.array([5.7]), np.array([2.3]))
DISTURBED = EXACT + 0.8 * np.sin(2.39996 * TIMES**2)
TILES = {"normal": (60.0, 4.0, 0.0), "penumbra": (24.0, 10.0, 5.0), "core": (11.25, 8.0, 6.0)}


def plug_flow(
    truth: tuple[float, float, float], n: int = 1, sd: float = 0.0, dt: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return tissue (n, t) and arterial curves of 60 s; the artery is the mean of a hundred voxels."""
    rng = np.random.default_rng(31)
    times = np.arange(0, 60, dt)
    clean = tissue_curves(BOLUS, times, tuple(np.array([p]) for p in truth), residue=box_residue)
    noise = rng.normal(0, 1, (n, times.size)) * sd
    return clean + noise, BOLUS(times) + rng.normal(0, 1, times.size) * sd / 10


def mixed(n: int, sd: float, residue=exponential_residue) -> np.ndarray:
    rng = np.random.default_rng(5)
    parameters = (rng.uniform(8, 80, n), rng.uniform(3, 20, n), rng.uniform(-1, 8, n))
    return tissue_curves(BOLUS, TIMES, parameters, residue=residue) + rng.normal(0, sd, (n, 60))


# Known answers


@pytest.mark.parametrize(("kind", "rtol"), [(np.float64, 1e-4), (np.float32, 1e-3)])
def test_a_box_of_the_drawn_artery_is_found_again(kind, rtol):
    found = box(EXACT.astype(kind), AIF, 1.0, sharpen=False)

    assert CBF * found.flow[0] == pytest.approx(45.0, rel=rtol)
    assert found.mtt[0] == pytest.approx(5.7, rel=rtol)
    assert found.delay[0] == pytest.approx(2.3, rel=rtol)
    assert found.tmax[0] == pytest.approx(2.3 + 5.7 / 2, rel=rtol)
    assert 60 * found.index[0] ** 2 < 1e-5


def test_a_disturbed_box_has_the_agreed_fit():
    found = box(DISTURBED, AIF, 1.0, sharpen=False)

    assert CBF * found.flow[0] == pytest.approx(43.72, abs=5e-3)
    assert found.mtt[0] == pytest.approx(5.744, abs=5e-4)
    assert found.delay[0] == pytest.approx(2.375, abs=1e-3)
    assert 60 * float(found.index[0]) ** 2 == pytest.approx(14.737, abs=5e-4)


def test_the_fit_is_where_a_general_solver_ends():
    curves = mixed(12, 0.5)

    found = box(curves, AIF, 1.0, sharpen=False, steps=30)

    for row, curve in enumerate(curves):

        def residual(p, curve=curve):
            return box_curves(TIMES, AIF, *(np.array([v]) for v in p))[0] - curve

        start = [CBF * found.flow[row], found.mtt[row], found.delay[row]]
        wanted = least_squares(residual, start, x_scale=[10, 1, 1], xtol=1e-12, ftol=1e-12)
        np.testing.assert_allclose(start, wanted.x, rtol=2e-3, atol=5e-3)


# Accuracy against truth that no fit drew


@pytest.mark.parametrize("truth", [(60.0, 4.0, 2.3), (40.0, 6.0, 2.3), (24.0, 10.0, 5.0)])
def test_plug_flow_without_noise_is_recovered(truth):
    curves, aif = plug_flow(truth)

    found = box(curves, aif, 1.0)

    assert CBF * found.flow[0] == pytest.approx(truth[0], rel=0.01)
    assert found.delay[0] == pytest.approx(truth[2], abs=0.02)


@pytest.mark.parametrize(("truth", "rtol"), [((60.0, 4.0, 2.3), 0.07), ((40.0, 6.0, 2.3), 0.025)])
def test_the_artery_drawn_with_lines_biases_short_transits(truth, rtol):
    curves, aif = plug_flow(truth)

    found = box(curves, aif, 1.0, sharpen=False)

    assert truth[0] < CBF * found.flow[0] < truth[0] * (1 + rtol)
    assert found.delay[0] == pytest.approx(truth[2], abs=0.12)


def test_sharpening_matters_most_between_wide_frames():
    curves, aif = plug_flow((40.0, 6.0, 2.3), dt=2.0)

    sharp, lines = (CBF * box(curves, aif, 2.0, sharpen=s).flow[0] / 40.0 - 1 for s in (True, False))

    assert abs(sharp) < 0.03
    assert lines > 0.08


@pytest.mark.parametrize("tile", TILES)
def test_plug_flow_in_noise_is_recovered(tile):
    truth = TILES[tile]
    curves, aif = plug_flow(truth, n=1500, sd=0.5)

    found = box(curves, aif, 1.0)

    assert CBF * found.flow.mean() == pytest.approx(truth[0], rel=0.03)
    assert found.delay.mean() == pytest.approx(truth[2], abs=0.1)
    assert found.delay.std() < 0.5


@pytest.mark.parametrize("tile", TILES)
def test_standard_deviations_are_those_of_repeated_noise(tile):
    curves, aif = plug_flow(TILES[tile], n=1500, sd=0.5)

    found = box(curves, aif, 1.0)

    for name in ("flow", "tmax", "mtt", "delay"):
        assert np.median(found.sd[name]) == pytest.approx(getattr(found, name).std(), rel=0.15), name


def test_well_mixed_tissue_keeps_its_order():
    flows, transits = np.array([15.0, 30, 45, 60, 75]), np.full(5, 5.0)
    curves = tissue_curves(BOLUS, TIMES, (flows, transits, np.full(5, 1.0)))

    found = CBF * box(curves, AIF, 1.0).flow

    assert np.corrcoef(found, flows)[0, 1] > 0.999
    assert np.all((found > 0.4 * flows) & (found < 0.6 * flows))


# Solvers and options


@pytest.mark.slow  # compiling the simplex takes most of it
@pytest.mark.parametrize("sd", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("residue", [box_residue, exponential_residue])
def test_projection_leaves_no_more_than_the_simplex(residue, sd):
    curves = mixed(600, sd, residue)

    projected, simplex = (box(curves, AIF, 1.0, solver=s).index for s in ("projection", "simplex"))

    assert np.mean(~(projected > simplex * (1 + 1e-6))) >= 0.97


def test_steps_bring_the_fit_to_its_end():
    curves = mixed(400, 1.0)
    left = [np.nanmean(box(curves, AIF, 1.0, steps=steps).index.astype(float)) for steps in (0, 1, 4, 30)]

    assert left[0] > left[1] > left[2]
    assert left[2] == pytest.approx(left[3], rel=1e-4)


def test_an_offset_is_told_from_flow():
    plain, lifted = (box(EXACT + level, AIF, 1.0, sharpen=False, offset=True) for level in (0.0, 3.0))

    assert CBF * plain.flow[0] == pytest.approx(45.0, rel=1e-4)
    assert lifted.flow[0] == pytest.approx(plain.flow[0], rel=1e-6)
    assert box(EXACT + 3.0, AIF, 1.0, sharpen=False).mtt[0] > 7


def test_the_prior_tames_noise_and_leaves_clear_curves():
    curves, aif = plug_flow(TILES["core"], n=800, sd=2.0)

    free, expected = (CBF * box(curves, aif, 1.0, prior=p).flow for p in (False, True))

    assert np.mean(np.abs(expected - 11.25)) < 0.6 * np.mean(np.abs(free - 11.25))
    assert CBF * box(EXACT, AIF, 1.0, sharpen=False, prior=True).flow[0] == pytest.approx(45.0, rel=1e-3)


def test_flow_can_be_bounded():
    vessel = 0.5 * AIF[None]

    free, bounded = (CBF * box(vessel, AIF, 1.0, flow_limit=limit).flow[0] for limit in (np.inf, 200.0))

    assert free > 1000
    assert bounded == pytest.approx(200.0, rel=1e-6)


@pytest.mark.parametrize("solver", ["projection", pytest.param("simplex", marks=pytest.mark.slow)])
@pytest.mark.parametrize("dt", [0.5, 1.0, 3.0])
def test_fits_stay_within_bounds(solver, dt):
    times = np.arange(60) * dt
    curves = np.random.default_rng(2).normal(0, 1, (300, 60))
    aif = BOLUS(times)

    found = box(curves, aif, dt, solver=solver)

    known = np.isfinite(found.flow)
    assert known.mean() > 0.3  # most noise is no flow to the simplex
    assert found.mtt[known].min() >= max(1.5, dt) - 1e-5
    assert found.mtt[known].max() <= 30.0 + 1e-5
    assert found.delay[known].min() >= -5.0 - 1e-5
    # the artery's peak, delayed, is in the scan
    assert found.delay[known].max() <= min(20.0, times[-1] - times[np.argmax(aif)]) + 1e-5


def test_a_wash_out_after_the_scan_has_no_deviation():
    aif = BOLUS(np.arange(24.0))
    curve = box_curves(np.arange(24.0), aif, np.array([20.0]), np.array([25.0]), np.array([2.0]))

    found = box(curve, aif, 1.0, sharpen=False)

    assert np.isfinite(found.flow[0])
    assert np.isnan(found.sd["mtt"][0])


def test_residues_are_boxes():
    found = box(DISTURBED, AIF, 1.0, residues=True)

    inside = (found.lags >= found.delay) & (found.lags < found.delay + found.mtt)
    assert inside.sum() in {5, 6}
    np.testing.assert_array_equal(found.residues[0], np.where(inside, found.flow, 0))


def test_voxels_without_flow_have_no_residue():
    found = box(np.zeros((1, 60)), AIF, 1.0, residues=True)

    assert np.isnan(found.residues).all()
    assert np.isnan(found.sd["flow"]).all()


@pytest.mark.parametrize(
    "options",
    [
        {"steps": -1},
        {"steps": 2.5},
        {"steps": "4"},
        {"steps": True},
        {"flow_limit": 0.0},
        {"flow_limit": "200"},
        {"prior": "yes"},
        {"offset": 1},
        {"sharpen": None},
        {"solver": "newton"},
        {"solver": "simplex", "prior": True},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(BadRecipe):
        box(EXACT, AIF, 1.0, **options)


# What the fit is made of


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize(("dt", "first", "last"), [(1.0, 0.0, 0.0), (1.3, 20.0, 7.0), (0.5, 0.0, 0.0)])
@pytest.mark.parametrize(("delay", "width"), [(-4.3, 2.2), (2.3, 5.7), (0.0, 3.0), (-5.0, 1.5), (19.9, 30.0)])
def test_products_are_those_of_curves_made_in_full(dt, first, last, delay, width, centred):
    times = np.arange(60) * dt
    aif = BOLUS(times)
    aif[0], aif[-1] = first, last
    tissue = np.random.default_rng(1).normal(size=60)
    shifts = shifts_of(aif, dt, (-5.0, 50.0), centred=centred)

    found = products_of(shifts, shifts.basis @ tissue, delay, width)

    def shifted(when):
        at = times - when
        height = np.where(at >= 0, np.interp(at, times, aif), 0.0)
        return np.array([antiderivative(times, aif, at), height])

    (a_d, c_d), (a_e, c_e) = shifted(delay), shifted(delay + width)
    curves = np.array([a_d - a_e, c_e - c_d, c_e])
    if centred:
        curves -= curves.mean(axis=1, keepdims=True)
    box_, by_delay, by_width = curves
    size = np.linalg.norm(box_)
    wanted = {
        "gg": box_ @ box_,
        "gc": box_ @ tissue,
        "g_delay": box_ @ by_delay,
        "g_width": box_ @ by_width,
        "c_delay": tissue @ by_delay,
        "c_width": tissue @ by_width,
        "delay_delay": by_delay @ by_delay,
        "delay_width": by_delay @ by_width,
        "width_width": by_width @ by_width,
    }
    for name, value in wanted.items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-7, abs=1e-8 * max(size**2, 1.0)), name


def test_second_derivatives_are_those_of_first_ones():
    shifts = shifts_of(AIF, 1.0, (-5.0, 50.0))
    overlap = shifts.basis @ DISTURBED[0]
    at, step = (2.35, 5.83), 1e-5

    here = products_of(shifts, overlap, *at)
    up, down = (products_of(shifts, overlap, at[0], at[1] + s) for s in (step, -step))
    later, sooner = (products_of(shifts, overlap, at[0] + s, at[1]) for s in (step, -step))

    by_width = (up.c_width - down.c_width) / (2 * step)
    by_delay = (later.c_delay - sooner.c_delay) / (2 * step)
    assert by_width == pytest.approx(-here.c_end, rel=1e-5)
    assert by_delay == pytest.approx(here.c_start - here.c_end, rel=1e-5)
    # g itself moves as well: d(g . g') = g' . g' + g . g''
    assert (up.g_width - down.g_width) / (2 * step) == pytest.approx(here.width_width - here.g_end, rel=1e-5)


def test_boxes_of_the_lattice_have_unit_norm():
    rules = rules_of(pose(EXACT, AIF, 1.0), 4, np.inf, prior=False, offset=False)
    shifts = shifts_of(AIF, 1.0, (rules.earliest, rules.latest + rules.widest))

    lattice = lattice_of(shifts, rules)

    step = lattice.edges[1] - lattice.edges[0]
    overlap = shifts.basis @ EXACT[0]
    for i, width in enumerate(lattice.widths):
        fit = fit_of(overlap, shifts, lattice.edges[3], width * step, rules)
        assert lattice.scales[i, 3] * np.sqrt(fit.products.gg) == pytest.approx(1.0, rel=1e-9)


def test_sharpening_keeps_area_and_mean_and_takes_the_blur():
    sharp = sharpened(AIF)

    assert sharp.sum() == pytest.approx(AIF.sum(), rel=1e-9)
    assert sharp @ TIMES == pytest.approx(AIF @ TIMES, rel=1e-9)
    variance = [np.average((TIMES - TIMES @ c / c.sum()) ** 2, weights=c) for c in (sharp, AIF)]
    assert variance[1] - variance[0] == pytest.approx(1 / 6, rel=1e-6)
