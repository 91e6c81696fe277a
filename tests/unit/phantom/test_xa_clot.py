"""A clot stops contrast: oracles on the tree and on the pixels."""

import numpy as np
import pytest

from bolus import phantom
from bolus.phantom.angiogram import films
from bolus.phantom.angiogram.curves import Kind
from bolus.phantom.angiogram.patient import make_patient
from bolus.phantom.angiogram.run import frame_times, generators
from bolus.phantom.options import XaOptions

SITES = ["ICA", "M1", "M2", "M3", "A2"]


def patient_of(**changes):
    options = XaOptions(size=128, fps=3.0, duration_s=14.0, external=False, **changes)
    body, clock, *_ = generators(options)
    times = frame_times(options, clock)
    return make_patient(options, times, body), times


@pytest.mark.parametrize("site", SITES)
def test_nothing_passes_the_clot(site):
    """Behind it all contrast is collateral and later than the clot by at least 3 s; its own edge included."""
    patient, _ = patient_of(clot=site, seed=1)
    clot = patient.clot
    behind = [v for v in patient.vessels if v.kind is Kind.COLLATERAL]
    assert behind
    stump = [v for v in patient.vessels if v.kind is Kind.STUMP][-1]
    assert np.linalg.norm(stump.course[-1, :3] - clot.place) < 2.0
    front = float(stump.delay_s[-1])
    assert min(float(v.delay_s.min()) for v in behind) > front + 2.9
    reached = [v for v in patient.vessels if v.kind in {Kind.ARTERY, Kind.STUMP}]
    lost_ends = {tuple(v.course[-1].round(6)) for v in behind}
    assert not lost_ends & {tuple(v.course[-1].round(6)) for v in reached}


@pytest.mark.parametrize("site", SITES)
def test_pixels_behind_the_clot_stay_empty_without_collaterals(site):
    open_, shut = (
        phantom.xa(size=128, fps=1.0, external=False, clot=clot, collaterals=0.0, seed=1)
        for clot in ("none", site)
    )
    assert open_.tici_fraction == 0.0
    assert shut.tici_fraction > 0.0
    patient, _ = patient_of(clot=site, seed=1, collaterals=0.0)
    assert not [v for v in patient.vessels if v.kind is Kind.COLLATERAL]
    assert shut.views["AP"].truth.masks["arteries"].sum() < open_.views["AP"].truth.masks["arteries"].sum()


def test_contrast_ends_at_the_face_of_the_clot():
    """Line integrals along M1 in the front view: full before the clot, none from one radius behind it."""
    for seed in range(1, 12):
        run = phantom.xa(size=256, fps=2.0, external=False, clot="M1", collaterals=0.0, seed=seed)
        view = run.views["AP"]
        place = view.truth.clot_px
        m1 = view.truth.names.index("M1")
        if place is None:
            continue
        segment = np.argwhere(view.truth.segments[:, :, 0] == m1)
        beyond = segment[:, 0] - place[0] if run.side == "left" else place[0] - segment[:, 0]
        assert beyond.max() * view.truth.pixel_mm < 3.0  # the radius, and the slope of the face
        return
    pytest.fail("no clot in view")


def test_collaterals_come_late_and_weak():
    runs = {
        c: phantom.xa(size=128, fps=3.0, external=False, clot="M1", collaterals=c, seed=2)
        for c in (0.0, 0.2, 0.9)
    }
    late = {c: r.views["LAT"].truth.density[..., -12:].sum() for c, r in runs.items()}
    early = {c: r.views["LAT"].truth.density[..., :12].sum() for c, r in runs.items()}
    assert late[0.0] < late[0.2] < late[0.9]
    assert early[0.0] == pytest.approx(early[0.9], rel=1e-3)


def test_lost_fraction_orders_the_sites():
    lost = {site: np.mean([patient_of(clot=site, seed=s)[0].lost for s in range(3)]) for site in SITES}
    assert lost["ICA"] > 0.9
    assert lost["ICA"] > lost["M1"] > lost["M2"] > lost["M3"] > 0.0
    assert 0.05 < lost["A2"] < lost["M1"]
    assert phantom.xa(size=48, clot="ICA", seed=0).tici in {"0", "1"}


def test_clot_is_marked_in_both_views():
    run = phantom.xa(size=128, clot="M1", seed=3)
    assert run.clot == "M1"
    for view in run.views.values():
        x, y = view.truth.clot_px
        assert 0 <= x < 128
        assert 0 <= y < 128
    assert phantom.xa(size=48, seed=3).views["AP"].truth.clot_px is None


def test_carotid_mask_ends_at_its_clot():
    run = phantom.xa(size=192, clot="ICA", collaterals=0.9, seed=5, external=False)
    names = run.views["LAT"].truth.names
    assert (
        not {"M1", "A1"} & {names[n] for n in np.unique(run.views["LAT"].truth.segments)}
        or run.tici_fraction > 0.9
    )
    assert run.views["LAT"].truth.masks["ica"].any()


@pytest.mark.parametrize("site", ["M1", "M2"])
def test_a_clot_can_show_in_nothing_but_time(site):
    """Sums over time are those without a clot, where the run is long enough to see all of it."""
    options = {"size": 96, "fps": 1.0, "duration_s": 60.0, "external": False, "seed": 4}
    open_ = films(**options)
    late = films(**options, clot=site, only_late=True)
    shut = films(**options, clot=site, collaterals=1.0)
    for view, film in late.items():
        whole, passed = open_[view].density, film.density
        rest, lost = (np.abs(x.sum(axis=2) - whole.sum(axis=2)) for x in (passed, shut[view].density))
        assert rest.sum() < 0.02 * whole.sum() < lost.sum()
        early = slice(0, 6)
        assert passed[..., early].sum() < 0.9 * whole[..., early].sum()
    assert phantom.xa(size=48, clot=site, only_late=True, seed=4).tici_fraction > 0.0
