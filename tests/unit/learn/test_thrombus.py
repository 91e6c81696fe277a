"""What `bolus run --thrombus` answers: of one view or of both, with the place as stored, or why it cannot."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from bolus import pipeline
from bolus.core.errors import BadInput, BadRecipe
from bolus.core.finding import Finding, Severity
from bolus.core.grid import Grid
from bolus.core.research import Reply
from bolus.core.units import Modality
from bolus.export.research import ring
from bolus.learn import clot_answer, runs, thrombus
from bolus.learn.card import Card
from bolus.learn.frame import Frame
from bolus.phantom import xa

SIDE = 64
KNOWN = {
    "temperature": 2.0,
    "unsure": [0.4, 0.6],
    "pair": {"temperature": 1.0, "unsure": [0.45, 0.55]},
    "place": {"reach": 1.5, "level": 0.8},
}


@dataclass
class Oracle:
    """Stands in for a network: the same chance always, and the same place of the square."""

    chance: float
    card: Card
    place: tuple[float, float] = (40.0, 20.0)

    def __call__(self, images):
        assert images.shape == (1, 5, 3, SIDE, SIDE)
        where = runs.heat(Frame((SIDE, SIDE), SIDE), self.place)
        return np.stack([where, np.full_like(where, self.chance)])[None]


def finder(chance, **calibration):
    card = Card(
        "thrombus",
        "",
        "",
        recipe={"size": SIDE, "fitting": {"n_frames": 15}},
        calibration=KNOWN | calibration,
    )
    return thrombus.ClotFinder(Oracle(chance, card))


def xa_views():
    return xa(size=128, fps=2.0, clot="M1", external=False, seed=3).views.values()


@pytest.fixture(scope="module")
def views():
    asked = finder(0.9)
    return [pipeline.run(each.series, classifiers=(asked,)) for each in xa_views()]


def test_chances_are_put_right_and_the_place_is_that_of_the_run(views):
    (one,) = views[0].research
    assert (one.reply, one.about.modality) == (Reply.YES, Modality.XA)
    assert one.probability.value == pytest.approx(0.75)  # odds of 9, and their root
    (marker,) = one.markers
    assert (marker.x, marker.y) == (pytest.approx(80.5, abs=1), pytest.approx(40.5, abs=1))
    assert marker.radius == pytest.approx(1.5 * np.sqrt(2) * 0.02 * 128, rel=0.05)
    around = np.argwhere(ring(views[0], marker))[:, :2].mean(axis=0)
    np.testing.assert_allclose(around, [80.5, 40.5], atol=1)


def test_both_views_are_asked_together(views):
    both = finder(0.9).paired(views)
    for result, alone in zip(both, views, strict=True):
        (one,) = result.research
        assert one.probability.value == pytest.approx(
            0.9
        )  # both views say so, and pairs have their own number
        assert one.markers == alone.research[0].markers
        assert one.quantities[0].bounds.value == pytest.approx(75.0)
        assert "both views together" in one.about.how


def test_both_views_are_asked_together_whatever_each_alone_was_put_right_by():
    asked = finder(0.3, offset=2.0)
    alone = [pipeline.run(each.series, classifiers=(asked,)) for each in xa_views()]
    assert alone[0].research[0].reply is Reply.YES  # root of odds of 3 to 7, and an offset
    (one,) = asked.paired(alone)[0].research
    assert one.probability.value == pytest.approx(0.3)
    assert one.reply is Reply.NO


def test_one_view_alone_stays_as_it_is(views):
    asked = finder(0.9)
    assert asked.paired(views[:1]) == views[:1]
    refused = replace(views[0].research[0], reply=Reply.REFUSED, probability=None)
    missing = [replace(views[0], research=(refused,)), views[1]]
    assert asked.paired(missing) == missing


@pytest.mark.parametrize(
    ("chance", "reply", "marks"), [(0.5, Reply.UNSURE, 1), (0.05, Reply.NO, 0), (0.95, Reply.YES, 1)]
)
def test_there_is_a_band_in_which_it_does_not_know(views, chance, reply, marks):
    asked = finder(chance)
    seen = pipeline.Seen(xa(size=128, fps=2.0, seed=3).views["AP"].series, views[0], _contrast())
    one = asked(seen)
    assert (one.reply, len(one.markers)) == (reply, marks)
    assert bool(one.reason) == (reply is Reply.UNSURE)


def test_what_it_was_not_made_for_is_refused(views):
    series = xa(size=128, fps=2.0, seed=3).views["AP"].series
    asked, contrast = finder(0.9), _contrast()
    lost = Finding("NO_CAROTID", Severity.FAIL, "none", 0.1)
    with pytest.raises(BadInput, match="no internal carotid artery"):
        asked(pipeline.Seen(series, replace(views[0], findings=(lost,)), contrast))
    short = replace(series, frames=series.frames[..., :5], times=series.times[:5])
    with pytest.raises(BadInput, match="too short"):
        asked(pipeline.Seen(short, views[0], contrast))
    strange = {"the area with contrast [% of the picture]": [90.0, 95.0]}
    with pytest.raises(BadInput, match="unlike those"):
        finder(0.9, ranges=strange)(pipeline.Seen(series, views[0], contrast))


def _contrast():
    from bolus.pipeline.angiogram import prepare_run

    return prepare_run(xa(size=128, fps=2.0, seed=3).views["AP"].series).contrast


def test_places_are_told_as_the_file_stores_them():
    found = np.stack([runs.heat(Frame((SIDE, SIDE), SIDE), (40.0, 20.0)), np.ones((SIDE, SIDE), np.float32)])
    plain = Grid((SIDE, SIDE, 1), np.eye(4))
    turned = Grid((SIDE, SIDE, 1), np.eye(4), (1, 0, 2), (True, False, False))
    (here,) = thrombus.marked(found, (SIDE, SIDE), plain, KNOWN)
    (there,) = thrombus.marked(found, (SIDE, SIDE), turned, KNOWN)
    assert (here.x, here.y) == (40.0, 20.0)
    assert (there.x, there.y) == (SIDE - 1 - 20.0, 40.0)
    assert thrombus.marked(found, (SIDE, SIDE), plain, {}) == ()


def _read(folder):
    from bolus import read

    return read.load_views(folder / "study")


def test_a_prediction_is_written_view_by_view(tmp_path):
    from bolus.phantom.files import write_study

    made = xa(size=128, fps=2.0, clot="M1", external=False, seed=3)
    write_study(made, tmp_path / "study")
    document = clot_answer.predict(finder(0.9).network, tmp_path / "study", tmp_path / "out")
    assert [view["view"] for view in document["views"]] == ["AP", "LAT"]
    told = [view["place"] for view in document["views"]]
    answers = [pipeline.run(one, classifiers=(finder(0.9),)).research[0] for one in _read(tmp_path)]
    ringed = [answer.markers[0] for answer in answers]
    assert [(place["x"], place["y"]) for place in told] == [(ring.x, ring.y) for ring in ringed]
    assert document["pair"]["chance"] == pytest.approx(0.9)
    assert len(document["said"]) == 3
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"AP.png", "LAT.png", "prediction.json"}


def test_a_study_of_another_artery_is_refused_in_every_view(tmp_path):
    from bolus.phantom.files import write_study

    made = xa(size=256, vessel="vertebral", seed=3)
    write_study(made, tmp_path / "study")
    document = clot_answer.predict(finder(0.9).network, tmp_path / "study", tmp_path / "out")
    assert [view["reply"] for view in document["views"]] == ["refused", "refused"]
    assert all("no internal carotid artery" in view["reason"] for view in document["views"])
    assert document["pair"] is None


def test_without_a_network_the_reader_is_told_how_to_get_one(monkeypatch, tmp_path):
    monkeypatch.setattr(thrombus, "SHIPPED", tmp_path / "thrombus.onnx")
    with pytest.raises(BadRecipe, match="make weights-thrombus"):
        thrombus.clot_finder.__wrapped__()


@pytest.mark.slow
def test_the_shipped_network_points_at_a_clot_of_the_carotid():
    """An unseen simulated patient: the ring lies within 5 % of the width of the truth in both views."""
    asked = thrombus.clot_finder()
    run = xa(size=256, fps=3.0, clot="ICA", external=False, motion=False, seed=990_001)
    results = asked.paired([pipeline.run(v.series, classifiers=(asked,)) for v in run.views.values()])
    for result, view in zip(results, run.views.values(), strict=True):
        (one,) = result.research
        assert one.reply is Reply.YES
        (marker,) = one.markers
        assert np.hypot(marker.x - view.truth.clot_px[0], marker.y - view.truth.clot_px[1]) < 0.05 * 256


def test_the_shipped_network_says_what_it_is_worth():
    about = thrombus.clot_finder().about
    assert "simulated" in about.trained_on
    assert [score.data.rsplit(" ", 1)[-1] for score in about.scores] == ["A", "B"]
    known = thrombus.clot_finder().network.card.calibration
    assert {"temperature", "unsure", "pair", "place", "ranges"} <= known.keys()


@pytest.mark.parametrize("shape", [(8, 256, 256), (120, 64, 64), (9, 1024, 768)])
def test_the_shipped_network_takes_runs_of_any_size(shape):
    frames = np.full(shape, runs.GREY, np.float32)
    frames[shape[0] // 4 :, shape[1] // 2 :, shape[2] // 2] -= 80.0
    network = thrombus.clot_finder().network
    found = runs.raw_answer(network, runs.make_case(frames, patient="p", clot=False))
    assert 0 <= found[1].min() == found[1].max() <= 1
    place = runs.pointed(found, shape[1:])
    assert 0 <= place.x < shape[2]
    assert 0 <= place.y < shape[1]
