"""The posterior on a grid: priors, weights and means against what can be worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from bolus.core.errors import BadRecipe
from bolus.core.grid import Grid
from bolus.core.series import Concentration
from bolus.core.units import TISSUE_SCALE, Modality, Unit
from bolus.core.vessel import VesselCurve
from bolus.deconvolve import METHODS, anywhere, deconvolve
from bolus.deconvolve.atoms import DELAYS_S, SHAPES, TRANSITS_S, log_prior, make_atoms, whitened
from bolus.deconvolve.mixture import INVERTED, LEAST_NOISE, Mixture, believe, weights
from bolus.deconvolve.posterior import averaged, learn_shapes, shape_weights, surplus
from bolus.deconvolve.problem import pose, sharpened
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import RESIDUES, antiderivative, tissue_curves

TIMES = np.arange(60.0)
BOLUS = GammaVariate(300.0, 10.0, 3.0, 1.5)
AIF = BOLUS(TIMES)
PER_SECOND = 6000 * TISSUE_SCALE


def tissue(
    cbf: object, mtt: object, delay: object, *, residue: str = "exponential", sd: float = 1.0, n: int = 1
) -> np.ndarray:
    truth = tuple(np.atleast_1d(np.asarray(p, dtype=np.float64)) for p in (cbf, mtt, delay))
    clean = np.repeat(tissue_curves(BOLUS, TIMES, truth, residue=RESIDUES[residue]), n, axis=0)
    noise = np.random.default_rng(7).normal(0, sd, clean.shape)
    return (clean + noise).astype(np.float32)


# Atoms


def test_every_combination_is_an_atom_once():
    atoms = make_atoms(AIF, 1.0, SHAPES)

    combinations = np.stack([atoms.shape, atoms.mtt, atoms.delay])
    assert len(atoms.curves) == len(SHAPES) * TRANSITS_S.size * DELAYS_S.size
    assert np.unique(combinations, axis=1).shape == combinations.shape


def test_a_box_atom_is_the_difference_of_two_integrals():
    atoms = make_atoms(AIF, 1.0, SHAPES)
    drawn = sharpened(AIF)
    box = list(SHAPES).index("box")
    rows = np.flatnonzero((atoms.shape == box) & (atoms.delay == 2.0))

    for row in rows:
        start = TIMES - 2.0
        whole = antiderivative(TIMES, drawn, start) - antiderivative(TIMES, drawn, start - atoms.mtt[row])
        np.testing.assert_allclose(atoms.curves[row], whole, atol=0.01 * whole.max())


def test_few_directions_hold_all_atoms():
    atoms = make_atoms(AIF, 1.0, SHAPES)

    back = (atoms.directions @ atoms.parts).T * atoms.norms[:, None]

    assert atoms.directions.shape[1] < 40
    np.testing.assert_allclose(back, atoms.curves, atol=0.02 * atoms.norms.max())


def test_the_prior_favours_prompt_tissue_of_usual_transit():
    atoms = make_atoms(AIF, 1.0, SHAPES)
    per_width = log_prior(atoms, 4.0) - np.log(atoms.width_s)

    best = np.argmax(per_width)

    assert atoms.delay[best] == 0.0
    assert abs(np.log(atoms.mtt[best] / 6.0)) < 0.1
    early, late = (per_width[(atoms.delay == d) & (atoms.mtt == atoms.mtt[best])][0] for d in (-2.0, 2.0))
    assert early < late


# Weights


def test_the_kernel_agrees_with_plain_sums():
    curves = tissue([60.0, 24.0, 11.25], [4.0, 10.0, 8.0], [0.0, 5.0, 6.0], n=5)
    atoms = make_atoms(AIF, 1.0, SHAPES)
    mixture = Mixture.of(atoms, shape_weights({}, SHAPES), averaged(atoms))

    found = believe(curves, mixture)

    for rows, likely, flow in weights(curves, mixture):
        n = len(atoms.mtt)
        np.testing.assert_allclose((likely * flow)[:, :n] @ atoms.mtt, found.volume[rows], rtol=2e-4)
        np.testing.assert_allclose(likely[:, :n] @ averaged(atoms).T, found.means[rows], rtol=1e-3, atol=1e-4)


def test_whole_arrays_weigh_like_the_kernel():
    curves = np.concatenate(
        [tissue([60.0, 24.0, 11.25], [4.0, 10.0, 8.0], [0.0, 5.0, 6.0], n=200), -tissue(60.0, 4.0, 0.0)]
    )
    curves[5], curves[6, 3] = 0.0, np.nan
    leaning = np.tile(np.float32([0.3, -0.05, 0.5, -0.2]), (len(curves), 1))
    atoms = make_atoms(AIF, 1.0, SHAPES)
    mixture = Mixture.of(atoms, shape_weights({}, SHAPES), averaged(atoms))
    kernel = believe(curves, mixture, independence=0.8, leaning=leaning)

    with np.errstate(invalid="ignore", divide="ignore"):
        found, best = anywhere.moments(
            curves, mixture.plain(), anywhere.Rules(56, 0.8, LEAST_NOISE, INVERTED), leaning
        )

    size = np.linalg.norm(curves, axis=1)
    np.testing.assert_array_equal(np.isnan(found[:, 1]), np.isnan(kernel.volume))
    np.testing.assert_allclose(found[:, 1] * size, kernel.volume, rtol=2e-3)
    np.testing.assert_allclose(found[:, 5:], kernel.means, rtol=2e-3, atol=2e-3)
    known = np.isfinite(kernel.volume)
    assert np.mean(best[known] == kernel.best[known]) > 0.98


def test_noise_is_what_the_best_atom_leaves():
    curves = tissue(60.0, 4.0, 0.5, sd=2.0, n=400)
    atoms = make_atoms(AIF, 1.0, SHAPES)

    found = believe(curves, Mixture.of(atoms, shape_weights({}, SHAPES), averaged(atoms)))

    assert np.sqrt(np.mean(found.noise)) == pytest.approx(2.0, rel=0.05)


def test_more_samples_that_say_the_same_make_no_narrower_posterior():
    curves = tissue(24.0, 10.0, 5.0, n=50)

    sure, unsure = (
        METHODS["posterior"](curves, AIF, 1.0),
        METHODS["posterior"](curves, AIF, 1.0, independence=0.25),
    )

    assert np.median(unsure.sd["delay"] / sure.sd["delay"]) > 1.4


# Estimates


@pytest.mark.parametrize("residue", ["exponential", "linear", "box"])
def test_a_known_shape_gives_flow_transit_and_delay(residue):
    curves = tissue(45.0, 6.0, 2.0, residue=residue, sd=0.3, n=200)

    found = METHODS["posterior"](curves, AIF, 1.0, shapes={residue: 1.0})

    assert np.mean(PER_SECOND * found.flow) == pytest.approx(45.0, rel=0.04)
    assert np.mean(found.mtt) == pytest.approx(6.0, rel=0.04)
    assert np.mean(found.delay) == pytest.approx(2.0, abs=0.2)


def test_flow_times_transit_is_the_posterior_volume():
    found = METHODS["posterior"](tissue(45.0, 6.0, 2.0, n=200), AIF, 1.0)

    volume = PER_SECOND * np.mean(found.flow * found.mtt) / 60
    assert volume == pytest.approx(4.5, rel=0.03)


@pytest.mark.parametrize("name", ["flow", "mtt", "delay", "tmax", "volume"])
def test_certainty_grows_with_signal(name):
    weak, strong = (METHODS["posterior"](tissue(cbf, 6.0, 2.0, n=50), AIF, 1.0) for cbf in (6.0, 60.0))

    scale = 0.1 if name in {"flow", "volume"} else 1.0
    assert np.median(scale * strong.sd[name]) < 0.5 * np.median(weak.sd[name])


def test_a_voxel_without_contrast_has_no_flow_and_says_how_little_it_knows():
    noise = np.random.default_rng(3).normal(0, 1.0, (200, 60)).astype(np.float32)

    found = METHODS["posterior"](noise, AIF, 1.0)

    assert np.isfinite(found.flow).all()
    assert np.median(PER_SECOND * found.flow) < 3.0
    assert np.median(found.sd["delay"]) > 2.0


def test_a_curve_that_goes_down_is_no_tissue():
    found = METHODS["posterior"](-tissue(60.0, 4.0, 0.0), AIF, 1.0)

    assert np.isnan(found.flow).all()
    assert np.isnan(found.sd["flow"]).all()


def test_tmax_keeps_to_what_the_posterior_expects():
    found = METHODS["posterior"](tissue(8.0, 8.0, 6.0, sd=1.5, n=300), AIF, 1.0)

    # the residue of a single noisy voxel peaks anywhere; 1.5 s is all that reading may change
    plain = METHODS["osvd"](tissue(8.0, 8.0, 6.0, sd=1.5, n=300), AIF, 1.0)
    assert np.std(found.tmax) < 0.6 * np.nanstd(plain.tmax)


@pytest.mark.parametrize("method", ["posterior", "vascular"])
def test_without_peaks_tmax_is_what_the_posterior_expects(method):
    curves = tissue([20.0, 50.0], [8.0, 4.0], [3.0, 0.0], n=20)
    read, left = (METHODS[method](curves, AIF, 1.0, peaks=peaks) for peaks in (True, False))

    np.testing.assert_array_equal(left.tmax, read.expected)
    np.testing.assert_array_equal(left.flow, read.flow)
    assert (left.sd["tmax"] <= read.sd["tmax"]).all()
    assert not np.array_equal(left.tmax, read.tmax)


def test_the_chance_of_late_tissue_is_a_chance():
    early, late = (METHODS["posterior"](tissue(30.0, 6.0, d, n=50), AIF, 1.0) for d in (0.0, 8.0))

    assert early.extra["PTmax6"].max() < 0.2
    assert late.extra["PTmax6"].min() > 0.8
    assert late.extra["PTmax6"].max() <= 1.0 + 1e-5


# Learning from the scan


@pytest.mark.parametrize("residue", ["exponential", "box"])
def test_a_scan_tells_its_residue(residue):
    rng = np.random.default_rng(0)
    n = 500
    curves = tissue(rng.uniform(10, 60, n), rng.uniform(4, 12, n), rng.uniform(0, 3, n), residue=residue)

    learned = learn_shapes(curves, AIF, 1.0, {})

    assert learned["shapes"][residue] > 0.7
    assert learned["independence"] > 0.9
    assert sum(learned["shapes"].values()) == pytest.approx(1.0)


def test_interpolated_samples_count_for_less():
    rng = np.random.default_rng(0)
    n = 300
    coarse = np.arange(0, 60, 2.0)
    truth = (rng.uniform(10, 60, n), rng.uniform(4, 12, n), rng.uniform(0, 3, n))
    curves = tissue_curves(BOLUS, coarse, truth) + rng.normal(0, 1, (n, coarse.size))
    fine = np.stack([np.interp(np.arange(0, 58.5, 0.5), coarse, c) for c in curves])

    learned = learn_shapes(fine, BOLUS(np.arange(0, 58.5, 0.5)), 0.5, {})

    assert learned["independence"] < 0.5


def test_what_is_chosen_is_not_learned():
    chosen = {"shapes": {"box": 1.0}, "independence": 0.5}

    assert learn_shapes(tissue(45.0, 6.0, 2.0, n=20), AIF, 1.0, chosen) == chosen


@pytest.mark.parametrize("shapes", [{"boxy": 1.0}, {"box": -1.0}, {"box": 0.0}, {"box": np.nan}])
def test_unknown_shapes_and_likelihoods_are_refused(shapes):
    with pytest.raises(BadRecipe):
        METHODS["posterior"](tissue(45.0, 6.0, 2.0), AIF, 1.0, shapes=shapes)


@pytest.mark.parametrize("value", [0.0, 1.5, "all", True])
def test_independence_is_a_part(value):
    with pytest.raises(BadRecipe):
        METHODS["posterior"](tissue(45.0, 6.0, 2.0), AIF, 1.0, independence=value)


# Neighbours


def patch(sd: float = 1.5) -> tuple[Concentration, np.ndarray]:
    """Return a slice of normal tissue with a late, low patch, and where the patch is."""
    late = np.zeros((24, 24, 1), dtype=bool)
    late[6:18, 6:18] = True
    cbf, mtt, delay = (np.where(late, a, b) for a, b in ((10.0, 40.0), (9.0, 4.5), (7.0, 0.5)))
    curves = tissue(cbf.ravel(), mtt.ravel(), delay.ravel(), sd=sd)
    grid = Grid(late.shape, np.diag([2.0, 2.0, 5.0, 1.0]))
    mask = np.ones(late.shape, dtype=bool)
    return Concentration(curves, TIMES, mask, grid, Modality.CT, Unit.HU, (0, 9), sd), late


def test_neighbours_make_delay_more_certain_and_more_right():
    scan, late = patch()
    artery = VesselCurve("AIF", TIMES, AIF, Unit.HU, "simulated")

    alone, together = (
        deconvolve(scan, artery, method="posterior", neighbours=lean) for lean in (False, True)
    )

    truth = np.where(late.ravel(), 7.0, 0.5)
    error = [np.sqrt(np.mean((found.delay - truth)[late.ravel()] ** 2)) for found in (alone, together)]
    assert error[1] < 0.6 * error[0]
    assert np.median(together.sd["delay"]) < np.median(alone.sd["delay"])


def test_neighbours_do_not_wash_out_an_edge():
    scan, late = patch(sd=0.8)
    artery = VesselCurve("AIF", TIMES, AIF, Unit.HU, "simulated")

    found = deconvolve(scan, artery, method="posterior", neighbours=True)

    delay = found.delay.reshape(late.shape)
    assert np.median(delay[7, 8:16]) > 5.5  # just inside
    assert np.median(delay[4, 8:16]) < 1.5  # just outside


def test_methods_that_fit_no_delay_have_no_neighbours():
    scan, _ = patch()
    artery = VesselCurve("AIF", TIMES, AIF, Unit.HU, "simulated")

    plain, asked = (deconvolve(scan, artery, method="csvd", neighbours=n) for n in (False, True))

    np.testing.assert_array_equal(plain.flow, asked.flow)


# The vascular model


def test_heterogeneity_of_exponential_tissue_is_its_transit_time():
    curves = tissue(45.0, 6.0, 1.0, sd=0.3, n=100)

    found = METHODS["vascular"](curves, AIF, 1.0, shapes={"alpha 1": 1.0})

    np.testing.assert_allclose(found.extra["CTH"], found.mtt, rtol=1e-5)
    assert set(found.sd) >= {"CTH", "mtt", "flow"}


def test_even_transit_times_show_little_heterogeneity():
    scattered, even = (
        METHODS["vascular"](tissue(45.0, 8.0, 1.0, residue=r, sd=0.3, n=100), AIF, 1.0)
        for r in ("exponential", "box")
    )

    assert np.median(even.extra["CTH"] / even.mtt) < 0.6
    assert np.median(scattered.extra["CTH"] / scattered.mtt) > 0.8


# The level before contrast


def test_noise_less_a_noisy_level_is_made_white_again():
    n_samples, n_before = 40, 6
    covariance = np.eye(n_samples) + 1.0 / n_before

    undo = whitened(np.eye(n_samples), n_before)

    np.testing.assert_allclose(undo @ covariance @ undo.T, np.eye(n_samples), atol=1e-12)


def test_an_exact_level_is_left_alone():
    curves = tissue(45.0, 6.0, 2.0)

    assert whitened(curves, 0.0) is curves


def levelled(n_before: int, sd: float = 1.0, n: int = 400) -> np.ndarray:
    """Return noisy curves less the mean of their first samples."""
    curves = tissue(45.0, 5.0, 1.0, sd=sd, n=n)
    return curves - curves[:, :n_before].mean(axis=1, keepdims=True)


def held(curves: np.ndarray, baseline: float) -> tuple[float, float]:
    """Return the part of 90 % intervals of volume that hold the truth, and the RMS error over the truth."""
    found = METHODS["posterior"](curves, AIF, 1.0, baseline=baseline, shapes={"exponential": 1.0})
    volume = found.flow * found.mtt * PER_SECOND / 60.0
    error = volume - 45.0 * 5.0 / 60.0
    inside = np.abs(error) <= 1.645 * found.sd["volume"] * PER_SECOND / 60.0
    return float(inside.mean()), float(np.sqrt(np.mean(error**2)) * 60.0 / 225.0)


def test_intervals_of_volume_allow_for_the_noise_of_the_level():
    curves = levelled(5)

    aware, error = held(curves, 5.0)
    unaware, larger = held(curves, 0.0)

    assert 0.85 <= aware <= 0.95
    assert unaware < 0.75
    assert error < 0.8 * larger


def test_a_misfit_does_not_move_the_level():
    assert surplus(pose(levelled(9), AIF, 1.0), SHAPES, shape_weights({}, SHAPES)) < 1.3
    tops = np.minimum(levelled(9, sd=0.1), 6.0)
    assert surplus(pose(tops, AIF, 1.0), SHAPES, shape_weights({}, SHAPES)) > 5.0


@pytest.mark.parametrize("wrong", [-1.0, np.inf, "5", True])
def test_a_level_known_by_no_number_of_samples_is_refused(wrong):
    with pytest.raises(BadRecipe, match="baseline is out of range"):
        METHODS["posterior"](tissue(45.0, 6.0, 2.0), AIF, 1.0, baseline=wrong)


def test_frames_before_the_baseline_do_not_count():
    scan, _ = patch()
    artery = VesselCurve("AIF", TIMES, AIF, Unit.HU, "simulated")
    unsteady = np.array(scan.curves)
    unsteady[:, :3] -= np.array([40.0, 20.0, 10.0], dtype=np.float32)

    found, plain = (
        deconvolve(replace(scan, curves=curves, baseline=(3, 9)), artery)
        for curves in (unsteady, scan.curves)
    )

    np.testing.assert_array_equal(found.flow, plain.flow)
    np.testing.assert_array_equal(found.sd["volume"], plain.sd["volume"])
