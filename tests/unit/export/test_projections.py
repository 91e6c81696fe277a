"""The report of X-ray runs tells of each view what is true of it."""

from dataclasses import replace

import pytest

from bolus.core.finding import Finding, Severity
from bolus.core.research import About, Marker, Reply, ResearchResult
from bolus.core.units import Modality, Unit
from bolus.core.xray import XRay
from bolus.export import layout, projections

RING = ResearchResult(
    About("thrombus", "Is there a clot?", Modality.XA, "It looks.", "Not for diagnosis.", "phantoms"),
    Reply.YES,
    markers=(Marker("clot", 12.0, 30.0, 0.0, 5.0, 0.9),),
)


@pytest.fixture
def injection(make_result):
    """Two views of one injection; the head moved in the second."""
    one = make_result(modality=Modality.XA, lesions=None)
    one = replace(
        one,
        noise=0.0034,
        curves=replace(one.curves, unit=Unit.NAT),
        steps=("motion: 0 of 45 frames moved",),
        findings=(Finding("CLOCK", Severity.INFO, "Frame times come from FrameTimeVector."),),
    )
    ap, lateral = (
        replace(one, acquisition=replace(one.acquisition, xray=XRay(primary_deg=angle))) for angle in (0, 90)
    )
    return [ap, replace(lateral, steps=("motion: 7 of 45 frames moved",))]


def page(results):
    return projections.render([(r, dict.fromkeys(layout.figure_names(r), b"PNG")) for r in results])


def test_the_methods_of_both_views_are_told(injection):
    text = page(injection)
    first, _, second = text.partition("Lateral (+90 degrees), where it differs:")
    assert "AP (+0 degrees): An X-ray angiography series of " in first
    assert "0 of 45 frames moved" in first
    assert "7 of 45 frames moved" in second
    assert "An X-ray angiography series" not in second
    assert "where it differs" not in page(injection[:1])


def test_noise_of_densities_is_told_to_its_own_size(injection):
    assert "Noise of one sample before the bolus: 0.0034 nat." in page(injection)


def test_the_ring_is_explained_where_there_is_one(injection):
    assert "Blue ring" not in page(injection)
    assert "Blue ring" in page([injection[0], replace(injection[1], research=(RING,))])
