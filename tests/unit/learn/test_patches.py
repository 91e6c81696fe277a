"""Simulated patches obey the physics that they teach."""

from dataclasses import replace

import numpy as np
import pytest

from bolus.core.errors import BadRecipe
from bolus.deconvolve import METHODS
from bolus.learn import bolus_family as family
from bolus.learn import patches, sight
from bolus.learn.making import Order

PLAIN = (family.Tissue(("exponential", "exponential"), 1.0, 0.0), family.Tissue(("gamma", "gamma"), 1.0, 0.0))


def quiet(seed: int, **changes):
    rng = np.random.default_rng(seed)
    drawn = patches.draw("A", 48, rng)
    still = {
        "noise_hu": 0.02,
        "artery_noise": 1e-4,
        "filter": "none",
        "dt_s": 1.0,
        "grows": 0.0,
        "tissues": PLAIN,
    }
    design = replace(drawn, **(still | {"after_s": 60.0} | changes))
    return design, patches.make(design, rng)


@pytest.mark.parametrize("seed", [1, 4, 5])
def test_deconvolution_of_a_quiet_patch_finds_its_truth(seed: int) -> None:
    _, patch = quiet(seed)
    tissue = patch.tissue[patch.mask]
    truth = {name: values[patch.mask][tissue] for name, values in patch.truth.items()}

    found = METHODS["posterior"](patch.curves[tissue], patch.aif, 1.0)
    tmax = METHODS["osvd"](patch.curves[tissue], patch.aif, 1.0).tmax

    assert np.median(found.flow * found.mtt / truth["CBV"]) == pytest.approx(1.0, abs=0.03)
    assert np.median(found.flow / truth["CBF"]) == pytest.approx(1.0, abs=0.08)
    assert np.median(found.delay - truth["delay"]) == pytest.approx(0.0, abs=0.3)
    assert np.median(tmax - truth["Tmax"]) == pytest.approx(0.0, abs=1.0)


def test_volume_is_flow_times_transit_time() -> None:
    _, patch = quiet(3)
    np.testing.assert_allclose(patch.truth["CBF"] * patch.truth["MTT"], patch.truth["CBV"])


def test_noise_is_as_strong_as_the_design_says() -> None:
    design, patch = quiet(2, noise_hu=3.0, after_s=50.0)
    before = patch.raw[:, : int(design.injection.onset_s - 2)]
    assert before.std(axis=1, ddof=1).mean() == pytest.approx(3.0, rel=0.15)


def test_dispersion_keeps_the_area_of_a_residue_and_delays_its_peak() -> None:
    sharp, dispersed = (family.Tissue(("box", "box"), 1.0, s) for s in (0.0, 3.0))
    rows = [family.residues(one, np.array([5.0]))[0] for one in (sharp, dispersed)]

    assert [row.sum() * family.FINE_S for row in rows] == pytest.approx([5.0, 5.0], rel=0.01)
    assert family.peaks(rows[1][None]) > family.peaks(rows[0][None])


def test_cases_repeat_and_hold_finite_numbers_near_1() -> None:
    order = Order("one", 7, "A", 64)
    one, other = patches.simulate(order)[0], patches.simulate(order)[0]

    assert one.digest == other.digest
    assert one.image.shape == (sight.CHANNELS - sight.N_TOKEN, 64, 64)
    assert one.target.shape == (len(sight.OUTPUTS), 64, 64)
    assert np.isfinite(one.target).all()
    assert 0.1 < np.median(one.target[1][one.extra["tissue"] > 0]) < 4.0


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(BadRecipe, match="A, B"):
        patches.simulate(Order("one", 7, "Z", 64))
