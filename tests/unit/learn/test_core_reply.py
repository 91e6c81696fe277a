"""Whether the core is large: by the volume of the maps, with a network's answer beside it, or not at all."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from bolus import pipeline
from bolus.core.errors import BadInput, BadRecipe
from bolus.core.finding import Finding, Severity
from bolus.core.recipe import DEFAULT
from bolus.core.research import Reply
from bolus.learn import core_answer, core_reply, core_size, core_volume, strokes
from bolus.learn.card import Card
from bolus.learn.core_volume import NOISE, WIDE_MM, chance_above, measured, remarks
from bolus.learn.making import orders
from bolus.phantom import Physiology, ct, write_study
from bolus.read import load

AUC = {"value": 0.98, "low": 0.95, "high": 0.99}
MAPS, FEW = {"all": {"auc": AUC, "cases": 40}}, {"all": {"auc": AUC, "cases": 4}}
SCORES = {
    "site A": {"rivals": {"maps": MAPS}, "verdicts": {"all": {"auc": AUC, "cases": 50}}},
    "site B": {"rivals": {"maps": FEW}},
}


class Says:
    """A network that gives one chance, and a core in the lower slice."""

    where = "says.onnx"

    def __init__(self, chance: float = 0.9, **calibration: object) -> None:
        self.chance = chance
        self.card = Card(
            "core-size",
            "",
            "",
            data={"train": {"patients": 85}},
            recipe={"size": 128, "fitting": {"threshold_ml": 32.4}},
            scores=SCORES,
            calibration=calibration,
            files={"says.onnx": "0"},
        )

    def __call__(self, images: np.ndarray) -> np.ndarray:
        assert images.shape == (1, 2, 32, 128, 128)
        said = np.zeros((1, 3, 128, 64), np.float32)
        said[:, 0, :64], said[:, 1] = 1.0, self.chance
        return said


@pytest.fixture(scope="module")
def head():
    return ct(
        shape=(64, 64, 8), n_frames=24, dt=2.0, noise_hu=2.0, physiology=Physiology(lesion_size=1.1), seed=2
    )


@pytest.fixture(scope="module")
def result(head):
    return pipeline.run(head.series, replace(DEFAULT, motion="none"))


def seen(head, result, volumes):
    """What a run saw, with another volume of the core between its bounds."""
    lesions = result.lesions
    low, core, high = volumes
    intervals = replace(lesions.intervals, volumes_ml={**lesions.intervals.volumes_ml, "core": (low, high)})
    changed = replace(lesions, intervals=intervals, volumes_ml={**lesions.volumes_ml, "core": core})
    return pipeline.Seen(head.series, replace(result, lesions=changed))


def test_the_chance_goes_by_the_interval():
    for limit in (20.0, 32.4, 70.0):
        drawn = norm(np.log1p(40.0), 0.3)
        bounds = tuple(np.expm1(drawn.ppf([0.05, 0.95])))
        assert chance_above(limit, 40.0, bounds) == pytest.approx(drawn.sf(np.log1p(limit)))
    assert chance_above(40.0, 40.0, (30.0, 60.0)) == 0.5
    assert 0 < chance_above(32.4, 0.0, (0.0, 0.0)) < 1e-5
    assert chance_above(32.4, 33.0, (33.0, 33.0)) < 0.7  # no interval is that narrow


@pytest.mark.parametrize(
    ("volumes", "wanted"),
    [((60, 70, 80), Reply.YES), ((2, 3, 5), Reply.NO), ((25, 33, 40), Reply.UNSURE)],
)
def test_the_answer_is_that_of_the_volume(head, result, volumes, wanted):
    found = core_reply.LargeCore(Says())(seen(head, result, volumes))
    assert found.reply is wanted
    assert found.probability.value == pytest.approx(chance_above(32.4, volumes[1], volumes[::2]))
    assert ("too near to 32 mL" in found.reason) == (wanted is Reply.UNSURE)
    names = [one.name for one in found.quantities]
    assert names == ["core volume", "chance of 70 mL or more", "chance by the network"]
    volume = found.quantities[0].bounds
    assert (volume.low, volume.high) == (min(volumes), max(volumes))
    assert found.quantities[2].bounds.value == pytest.approx(90.0)
    assert found.about.question == "Is the core 32 mL or larger?"
    assert found.about.scores[0].auc.value == 0.98
    assert [(score.data, score.n) for score in found.about.scores] == [
        ("simulated patients of site A by the maps", 40),
        ("simulated patients of site A by the network", 50),
    ]
    assert found.about.how.endswith("The maps gave no answer in 10 of 50 of site A.")
    assert found.about.trained_on == "85 simulated patients (the network)"


def test_a_run_asks_and_tells(head, result):
    asked = core_reply.LargeCore(Says())
    found = pipeline.run(head.series, replace(DEFAULT, motion="none"), classifiers=(asked,)).research[0]
    assert found.reply is asked(pipeline.Seen(head.series, result)).reply
    true = head.truth.volumes_ml["core"]
    assert found.quantities[0].bounds.value == pytest.approx(true, rel=0.4)


def test_a_network_that_cannot_answer_leaves_the_maps_to_answer(head, result):
    strange = Says(ranges={"contrast of the brain at its peak [HU]": [100.0, 120.0]})
    found = core_reply.LargeCore(strange)(seen(head, result, (60, 70, 80)))
    assert found.reply is Reply.YES
    assert [one.name for one in found.quantities] == ["core volume", "chance of 70 mL or more"]
    assert "unlike those that the network was trained with" in found.reason


def withheld(result, *codes):
    """The result, its volumes withheld by findings."""
    failed = tuple(Finding(code, Severity.FAIL, "too bad") for code in codes)
    return replace(result, lesions=None, findings=failed)


@pytest.fixture
def second_look(monkeypatch, result):
    """What a second look is asked for; it finds what the first one did."""
    asked = []

    def run(series, recipe):
        asked.append(recipe)
        return result

    monkeypatch.setattr(core_volume.pipeline, "run", run)
    return asked


def test_withheld_volumes_are_no_answer(head, result, second_look):
    for codes in (("TRUNCATED",), ("NO_BASELINE", "MASK_SMALL")):
        with pytest.raises(BadInput, match=f"withheld.*{codes[0]}"):
            measured(head.series, withheld(result, *codes))
    bare = replace(result, lesions=replace(result.lesions, intervals=None))
    with pytest.raises(BadInput, match="no intervals"):
        measured(head.series, bare)
    vessels = replace(result.vessels, aif=replace(result.vessels.aif, measured=False))
    with pytest.raises(BadInput, match="no artery"):
        measured(head.series, replace(result, vessels=vessels))
    assert not second_look
    told = remarks(head.series, withheld(result, "TRUNCATED"), 32.4)
    assert told.pop("maps_withheld") == ["TRUNCATED"]
    assert set(told.values()) == {None}
    assert set(remarks(head.series, None, 32.4).values()) == {None}
    told = remarks(head.series, result, 32.4)
    assert told["maps_low_ml"] <= told["maps_core_ml"] <= told["maps_high_ml"]
    assert (told["maps_again"], told["maps_withheld"]) == (False, [])


def test_noise_alone_has_the_maps_made_anew_from_wider_averages(head, result, second_look):
    noisy = withheld(result, NOISE, "AIF_LATE")
    found = core_reply.LargeCore(Says())(pipeline.Seen(head.series, noisy))
    (recipe,) = second_look
    assert (recipe.filter, recipe.filter_sigma_mm, recipe.method) == ("profile", WIDE_MM, "posterior")
    assert found.probability.value == measured(head.series, result).chance_above(32.4)
    assert "averaged more widely" in found.reason
    assert "so noisy that no volume" in found.about.caution
    assert [one.name for one in found.quantities] == ["chance of 70 mL or more", "chance by the network"]
    told = remarks(head.series, noisy, 32.4)
    assert (told["maps_again"], told["maps_withheld"]) == (True, [NOISE, "AIF_LATE"])


def test_a_second_look_that_withholds_volumes_is_no_answer(head, result, monkeypatch):
    again = withheld(result, NOISE)
    monkeypatch.setattr(core_volume.pipeline, "run", lambda *_: again)
    with pytest.raises(BadInput, match="averaging more widely does not help"):
        measured(head.series, again)


@pytest.mark.slow
def test_a_core_drowned_in_noise_is_still_told_from_a_large_one():
    found = []
    for size in (0.5, 1.2):
        lesion = Physiology(lesion_size=size)
        study = ct(shape=(96, 96, 10), n_frames=32, noise_hu=9.0, peak_hu=190.0, physiology=lesion, seed=11)
        noisy = pipeline.run(study.series, replace(DEFAULT, motion="none"))
        assert noisy.lesions is None
        found.append((study.truth.volumes_ml["core"], measured(study.series, noisy)))
    (small, low), (large, high) = found
    assert small < 32.4 < large
    assert low.again
    assert high.again
    assert low.chance_above(32.4) < 0.2
    assert high.chance_above(32.4) > 0.8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: replace(s, frames=s.frames[..., :5], times=s.times[:5]), "too few time points"),
        (lambda s: replace(s, frames=np.repeat(s.frames[..., :1], 24, -1)), "no passage of contrast"),
        (lambda s: replace(s, frames=np.full_like(s.frames, -1000)), "brain"),
    ],
)
def test_bad_studies_are_refused_in_a_sentence(head, change, message):
    with pytest.raises(BadInput, match=message):
        core_reply.ask(Says(), change(head.series))


def test_one_slice_is_refused(head):
    grid = head.series.grid.with_shape((64, 64, 1), head.series.grid.affine)
    with pytest.raises(BadInput, match="slice"):
        core_reply.ask(Says(), replace(head.series, frames=head.series.frames[:, :, 3:4], grid=grid))


def test_levels_can_be_given(head):
    assert core_reply.ask(Says(), head.series, levels=(2, 4)).levels.slices == (2, 4)
    with pytest.raises(BadRecipe, match="no such levels"):
        core_reply.ask(Says(), head.series, levels=(2, 40))


def test_temperature_and_band_come_from_the_card(head):
    found = core_reply.ask(Says(0.9, temperature=2.0), head.series)
    assert found.chance == pytest.approx(0.75)
    assert core_reply.reply(0.7, (0.4, 0.6)) is Reply.YES
    assert core_reply.reply(0.45, (0.4, 0.6)) is Reply.UNSURE
    assert core_reply.reply(0.5, (0.5, 0.5)) is Reply.YES
    assert (found.where[0] == 1).all()
    assert (found.where[1] == 0).all()


def test_features_say_what_the_study_is_like(head):
    image, _ = core_size.network_input(head.series, still=True)
    told = core_size.features(image)
    assert 100 < told["brain in both slices [cm2]"] < 400
    assert 20 < told["attenuation before contrast [HU]"] < 45
    assert 1 < told["contrast of the brain at its peak [HU]"] < 30
    assert told["time of that peak [s]"] > 5
    doubled = core_size.features(np.clip(image[:, :1] + 2 * (image - image[:, :1]), -50, 250))
    peak = "contrast of the brain at its peak [HU]"
    assert doubled[peak] == pytest.approx(2 * told[peak], rel=0.25)
    assert core_size.features(np.full_like(image, -50))["brain in both slices [cm2]"] == 0


def test_predict_writes_what_it_says(head, tmp_path):
    write_study(head, tmp_path / "study")
    document = core_answer.predict(Says(0.9), tmp_path / "study" / "dicom", tmp_path / "out")
    assert document["reply"] == "yes"
    assert document["said"][0] == "core of 32 mL or more: yes, chance 0.90"
    assert json.loads((tmp_path / "out" / "prediction.json").read_text()) == document
    assert (tmp_path / "out" / "slices.png").stat().st_size > 5000
    assert load(tmp_path / "study" / "dicom").n_frames == 24


@pytest.mark.slow
def test_simulated_patients_can_remark_what_the_maps_say():
    (case,) = strokes.simulate(orders(1, seed=3, setting="A", size=96, reference="bolus")[0])
    assert case.meta["maps_core_ml"] == pytest.approx(case.meta["core"], rel=0.3, abs=5.0)
    assert 0 < case.meta["maps_chance"] < 1


def test_the_shipped_network_is_small_calibrated_and_knows_its_scores():
    card = core_reply.shipped().card
    assert core_reply.SHIPPED.stat().st_size < 2_000_000
    assert card.calibration.keys() >= {"temperature", "unsure", "ranges"}
    scores = core_reply.large_core().about.scores
    told = {score.data for score in scores}
    assert told >= {
        "simulated patients of site A by the maps",
        *(f"simulated patients of site {site} by the network" for site in "AB"),
    }
    assert "The maps gave no answer in" in core_reply.large_core().about.how
    assert all(0.5 <= score.auc.low <= score.auc.value <= score.auc.high <= 1 for score in scores)


@pytest.mark.slow
def test_the_shipped_network_tells_simulated_patients_apart():
    found = []
    for size in (0.5, 1.2):
        study = ct(shape=(96, 96, 10), n_frames=32, physiology=Physiology(lesion_size=size), seed=11)
        found.append(core_reply.ask(core_reply.shipped(), study.series, still=True).chance)
    assert found[0] < 0.5 < found[1]
