"""Classifiers are asked after the maps; those that cannot answer refuse, and the run goes on."""

from dataclasses import dataclass

import pytest

from bolus import pipeline
from bolus.core.errors import BadInput, BadRecipe
from bolus.core.recipe import DEFAULT
from bolus.core.research import About, Reply, ResearchResult
from bolus.core.units import Modality
from bolus.phantom import ct, xa


@dataclass
class Asked:
    """Remembers what it was shown."""

    modality: Modality
    refuses: Exception | None = None
    seen: pipeline.Seen | None = None

    @property
    def about(self) -> About:
        return About("asked", "Is it?", self.modality, "By asking.", "Not for diagnosis.")

    def __call__(self, seen: pipeline.Seen) -> ResearchResult:
        self.seen = seen
        if self.refuses:
            raise self.refuses
        return ResearchResult(self.about, Reply.YES)


@pytest.fixture(scope="module")
def head():
    return ct(shape=(32, 32, 3), n_frames=24, dt=2.0, noise_hu=2.0, seed=1).series


def test_answers_join_the_result(head):
    kind = Asked(Modality.CT)
    strict = Asked(Modality.CT, refuses=BadInput("there is only one slice"))
    told = Asked(Modality.CT, refuses=BadRecipe("no such levels"))
    recipe = DEFAULT.from_sections({"prepare": {"motion": "none"}, "deconvolve": {"method": "csvd"}})
    result = pipeline.run(head, recipe, classifiers=(kind, strict, told))
    assert [one.reply for one in result.research] == [Reply.YES, Reply.REFUSED, Reply.REFUSED]
    assert "only one slice" in result.research[1].reason
    assert "no such levels" in result.research[2].reason
    assert kind.seen.series is head
    assert kind.seen.result.maps.keys() == result.maps.keys()
    assert kind.seen.contrast is None
    assert "classify" in result.timings_s


def test_x_ray_runs_come_with_their_contrast():
    asked = Asked(Modality.XA)
    series = xa(size=64, duration_s=8.0, seed=3).views["AP"].series
    result = pipeline.run(series, classifiers=(asked,))
    contrast = asked.seen.contrast
    assert contrast.curves.shape == (contrast.mask.sum(), contrast.times.size)
    assert contrast.curves.size > 0
    assert result.research[0].reply is Reply.YES


def test_other_modalities_are_refused_before_the_work(head):
    with pytest.raises(BadRecipe, match="asked is not told from such a study"):
        pipeline.run(head, classifiers=(Asked(Modality.XA),))
