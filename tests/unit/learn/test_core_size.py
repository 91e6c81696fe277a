"""Two slices over time become what the core-size network sees, and its answer is scored as it was trained."""

from dataclasses import replace

import numpy as np
import pytest

from bolus.core.errors import BadInput, BadRecipe
from bolus.core.grid import Grid
from bolus.core.units import Modality
from bolus.learn import core_size, strokes
from bolus.learn.card import Card
from bolus.learn.cases import Case
from bolus.learn.making import Order, orders
from bolus.phantom import Physiology, ct, xa
from bolus.prepare import Levels


@pytest.fixture(scope="module")
def study():
    return ct(
        shape=(96, 96, 8), n_frames=12, dt=2.0, noise_hu=2.0, physiology=Physiology(lesion_size=0.8), seed=2
    )


def volume_case(volume):
    image = np.zeros((2, 32, 16, 16), np.float32)
    return core_size.make_case(image, core_ml=volume, patient="p", levels=Levels(2, 5, "vertex"))


def test_a_study_becomes_two_slices_over_time(study):
    image, levels = core_size.network_input(study.series)
    assert image.shape == (2, 32, 128, 128)
    assert (image.min(), image.max()) == core_size.WINDOW_HU
    assert levels.how == "vertex"
    assert (image[:, :, 64, 2] == -50).all()  # air beside the head
    assert image[:, :, 20:108, 30:98].mean() > 20  # the brain in the middle
    last = core_size.STEP_S * np.arange(32) > study.series.times[-1]
    assert (np.ptp(image[:, last], axis=1) == 0).all()  # the last frame is repeated


def test_contrast_comes_when_it_came(study):
    image, levels = core_size.network_input(study.series)
    brain = study.truth.masks["tissue"][:, :, levels.ganglionic]
    frames = np.stack([study.series.frame(t)[:, :, levels.ganglionic] for t in range(12)])
    true = np.interp(core_size.STEP_S * np.arange(16), study.series.times, frames[:, brain].mean(axis=1))
    seen = image[0, :16, 40:88, 40:88].mean(axis=(1, 2))
    assert np.corrcoef(true, seen)[0, 1] > 0.97


def test_pixels_cover_200_mm_about_the_brain():
    picture = np.full((100, 100), 0.0, np.float32)
    picture[50:60, 30] = 100.0  # x 50 to 59, y 30
    made = core_size._square(picture, np.array([54.5, 30.0]), (3.125, 3.125))
    rows, columns = np.where(made > 40)
    assert (columns.min() + columns.max()) / 2 == pytest.approx(63.5, abs=1)
    assert (rows.min() + rows.max()) / 2 == pytest.approx(63.5, abs=1)
    assert columns.max() - columns.min() + 1 == pytest.approx(10 * 3.125 / 1.5625, abs=2)


def test_given_levels_and_other_studies(study):
    _, levels = core_size.network_input(study.series, levels=(1, 4))
    assert (levels.slices, levels.how) == ((1, 4), "given")
    with pytest.raises(BadRecipe, match="no such levels"):
        core_size.network_input(study.series, levels=(1, 9))
    with pytest.raises(BadInput, match="from CT only"):
        core_size.network_input(xa(size=64, duration_s=3.0).views["AP"].series)


def test_labels_are_by_volume():
    assert core_size.fit(volume_case(32.4), 16)["target"].tolist() == [1]
    assert core_size.fit(volume_case(32.3), 16)["target"].tolist() == [0]
    assert core_size.fit(volume_case(60.0), 16, threshold_ml=70.0)["target"].tolist() == [0]
    assert core_size.median_ml([volume_case(v) for v in (5.0, 80.0, 20.0)]) == 20.0
    made = core_size.fit(volume_case(60.0), 8)
    assert made["image"].shape == (2, 32, 8, 8)
    assert made["volume"].tolist() == [60.0]
    assert (made["heat"] == -1).all()


def test_where_the_core_lies_is_shown_at_the_size_of_the_image(study):
    image, levels = core_size.network_input(study.series, still=True)
    core = np.asarray(study.truth.masks["core"])
    cells = core_size.core_map(core, study.series, levels)
    for k, one in zip(levels.slices, cells, strict=True):
        area = core[:, :, k].sum() * np.prod(study.series.grid.spacing_mm[:2])
        assert one.sum() / 100 * 3.125**2 == pytest.approx(area, rel=0.05, abs=30)
    case = core_size.make_case(image, core_ml=50.0, patient="p", levels=levels, core=cells)
    for size in (128, 64):
        heat = core_size.fit(case, size)["heat"]
        assert heat.shape == (2, size // 2, size // 2)
        assert heat.mean() == pytest.approx(cells.mean() / 100, rel=0.01)
    full = core_size.fit(case, 128)
    i = int(cells.sum(axis=(1, 2)).argmax())
    rise = full["image"][i].max(axis=0) - full["image"][i][0]
    inside = np.kron(full["heat"][i] > 0.5, np.ones((2, 2))) > 0
    assert rise[inside].mean() < 0.8 * rise[inside[:, ::-1]].mean()  # the other side fills more


class Oracle:
    """A network that always says 0.8."""

    card = Card("core-size", "", "", recipe={"size": 16, "fitting": {"threshold_ml": 70.0}}, files={})

    def __call__(self, images):
        assert images.shape == (1, 2, 32, 16, 16)
        return np.full((1, 1), 0.8, np.float32)


def test_scores_go_by_the_volume_that_was_trained_with():
    found = core_size.answer(Oracle(), volume_case(60.0))
    scores = core_size.score(found, volume_case(60.0))
    assert scores["chance"] == pytest.approx(0.8)
    assert (scores["truth"], scores["core_ml"]) == (0.0, 60.0)
    assert scores["log_loss"] == pytest.approx(-np.log(0.2), rel=1e-5)


def test_patients_have_small_and_large_cores_and_sites_differ():
    drawn = {s: [strokes.options(o) for o in orders(200, seed=0, setting=s, size=96)] for s in "AB"}
    sizes = [o.physiology.lesion_size for o in drawn["A"] if o.lesion != "none"]
    assert 0.4 < np.mean(np.array(sizes) ** 3 * 54.0 > 32.4) < 0.7  # half-axes of 20, 31 and 21 mm make 54 mL
    assert {o.dt for o in drawn["A"]} == {1.5}
    assert all(o.dt * o.n_frames >= 48 for options in drawn.values() for o in options)
    assert np.mean([o.peak_hu for o in drawn["B"]]) < np.mean([o.peak_hu for o in drawn["A"]]) - 50
    with pytest.raises(BadRecipe, match="unknown setting"):
        strokes.options(Order("a", 1, "C", 96))


@pytest.mark.slow
def test_a_simulated_patient_has_one_case():
    (case,) = strokes.simulate(orders(1, seed=5, setting="A", size=96)[0])
    assert isinstance(case, Case)
    assert case.site == "simulated A"
    assert case.image.shape == (2, 32, 128, 128)
    assert case.target[0] == pytest.approx(case.meta["core"])
    assert case.meta["levels_by"] == "vertex"
    assert case.meta["core"] <= case.meta["little_blood"] < 2 * case.meta["core"] + 5


def test_slices_with_clocks_of_their_own_are_read_by_them(study):
    series = study.series
    clocks = series.times[None] + 0.2 * np.arange(8)[:, None]
    own, _ = core_size.network_input(replace(series, times=clocks), levels=(2, 5))
    one, _ = core_size.network_input(series, levels=(2, 5))
    np.testing.assert_array_equal(own, one)  # each slice's own clock begins with its own first frame


def test_modalities_and_grids_stay():
    series = ct(shape=(32, 32, 2), n_frames=3).series
    one = core_size._slice(series, 1, np.array([15.5, 15.5]))
    assert one.modality is Modality.CT
    assert isinstance(one.grid, Grid)
    np.testing.assert_allclose(
        one.grid.position_mm((63.5, 63.5, 0)), series.grid.position_mm((15.5, 15.5, 1))
    )


@pytest.mark.slow
def test_a_patient_of_many_strokes_has_one_head(monkeypatch):
    monkeypatch.setattr(strokes, "A_HEAD", 2)
    first, second = strokes.simulate(Order("p", 5, "A", 96, strokes.STROKES))
    assert first.patient == second.patient == "p"
    assert first.meta["seed"] != second.meta["seed"]
    assert first.target[0] != second.target[0]
    assert not any(case.meta["moves"] for case in (first, second))
    assert first.digest != second.digest
