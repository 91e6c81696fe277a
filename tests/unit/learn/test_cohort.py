"""Simulated patients of CT and MR perfusion become cases, a slice each, with maps that are true."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bolus.core.errors import BadRecipe
from bolus.learn import cohort
from bolus.learn.cases import read_case, write_case
from bolus.learn.making import orders
from bolus.learn.maps import CTP, DSC

A, B = (orders(1, seed=3, setting=setting, size=32)[0] for setting in "AB")


@pytest.fixture(scope="module")
def ctp():
    return cohort.simulate_ctp(A)


@pytest.fixture(scope="module")
def dsc():
    return cohort.simulate_dsc(A)


@pytest.mark.parametrize(("modality", "plan"), [("ctp", CTP), ("dsc", DSC)])
def test_each_slice_with_brain_is_a_case(modality, plan, request, tmp_path):
    cases = request.getfixturevalue(modality)
    n_frames = cases[0].meta["n_frames"]
    assert 4 <= len(cases) <= 12
    for case in cases:
        assert case.image.shape == (n_frames, 32, 32)
        assert case.target.shape == (len(plan.maps), 32, 32)
        assert case.target.dtype == np.float32
        assert case.extra["times"].shape == case.extra["aif"].shape == (n_frames,)
        assert case.extra["brain"].mean() >= cohort.LEAST_BRAIN
        assert not case.target[:, case.extra["brain"] == 0].any()
        json.dumps(case.meta)
    assert len({case.digest for case in cases}) == len(cases)
    write_case(cases[0], tmp_path / "case.npz")
    again = read_case(tmp_path / "case.npz")
    assert again.digest == cases[0].digest
    assert again.meta == json.loads(json.dumps(cases[0].meta))


def test_maps_of_ct_are_those_of_the_phantom(ctp):
    cbf, cbv, centre = (np.concatenate([c.target[i].ravel() for c in ctp]) for i in range(3))
    tissue = cbf > 1
    mtt = 60 * cbv[tissue] / cbf[tissue]
    assert 15 < np.median(cbf[tissue]) < 70
    assert (centre[tissue] >= mtt / 2 - 0.01).all()  # and the delay on top


def test_curves_of_mr_peak_when_their_map_says(dsc):
    errors = []
    for case in dsc:
        healthy = (case.target[0] > 30) & (case.extra["lesion"] == 0)
        after = case.extra["times"] > 8  # past what precedes the steady state
        peaks = case.extra["times"][after][np.argmin(case.image[after], axis=0)]
        errors.append((peaks - case.target[4])[healthy])
    assert abs(float(np.median(np.concatenate(errors)))) < case.meta["dt"]


def test_the_lesion_is_where_contrast_comes_late(dsc):
    case = max(dsc, key=lambda c: int((c.extra["lesion"] > 0).sum()))
    lesion = case.extra["lesion"]
    assert set(np.unique(lesion)) <= {0, 1, 2}
    if (lesion > 0).any():
        assert case.target[3][lesion == 1].min() > 6  # Tmax [s]


def test_signals_of_mr_are_scaled_by_bright_brain(dsc):
    scale = float(dsc[0].extra["scale"])
    brain = np.concatenate([c.image[:4, c.extra["brain"] > 0].ravel() for c in dsc])
    assert 0.8 < np.percentile(brain, 99) / scale < 1.4


@pytest.mark.parametrize("draw", [cohort.ct_options, cohort.mr_options])
def test_patients_differ_and_the_other_site_differs_more(draw):
    wanted = orders(40, seed=1, setting="A", size=32)
    drawn = [draw(order) for order in wanted]
    assert draw(wanted[0]) == drawn[0]
    assert len({options.dt for options in drawn}) > 20
    assert {options.lesion for options in drawn} > {"mca-right", "mca-left", "none"}
    assert any(options.lesion.startswith("blob") for options in drawn)
    assert any(options.motion for options in drawn)
    assert len({options.shape[2] for options in drawn}) == 3
    other = [draw(order) for order in orders(40, seed=1, setting="B", size=32)]
    for name in ("flow", "aif_beta_s", "lesion_delay_s"):
        one, two = (np.mean([getattr(o.physiology, name) for o in all_]) for all_ in (drawn, other))
        assert abs(one - two) > 0.1


@pytest.mark.parametrize("draw", [cohort.ct_options, cohort.mr_options])
def test_flow_strays_in_half_of_a_mixed_cohort(draw):
    drawn = [draw(order).physiology.decoupling for order in orders(60, seed=1, setting="mixed", size=32)]
    none = sum(one == 0.0 for one in drawn)
    assert 20 < none < 40
    assert 0.0 < min(one for one in drawn if one) < 0.1
    assert 0.3 < max(drawn) <= 0.4
    assert len(set(drawn)) == 61 - none


@pytest.mark.parametrize(
    ("draw", "scan", "size"),
    [
        (cohort.ct_options, cohort.ct, 128),
        (cohort.mr_options, cohort.mr, 64),
    ],  # CT at 64 pixels has no artery
    ids=["ct", "mr"],
)
def test_bolus_makes_reference_maps_on_the_scale_of_the_truth(draw, scan, size):
    options = replace(draw(orders(2, seed=3, setting="A", size=size)[1]), n_frames=40, motion=False)
    study = scan(options)
    found, true = cohort.reference_maps(study, options), cohort.true_maps(study, options)
    healthy = study.truth.masks["gm"] & ~study.truth.masks["hypoperfused"] & np.isfinite(found["CBV"])
    assert 0.7 < np.median(found["CBF"][healthy] / true["CBF"][healthy]) < 1.3
    assert 0.7 < np.median(found["CBV"][healthy] / true["CBV"][healthy]) < 2.0
    assert abs(np.median(found["centre"][healthy] - true["centre"][healthy])) < 2.0
    assert abs(np.median(found["TTP"][healthy] - true["TTP"][healthy])) < 2.0


def test_flow_may_come_loose_from_anatomy():
    loose = cohort.ct_options(replace(A, setting="decoupled"))
    assert loose.physiology.decoupling > 0
    assert replace(loose.physiology, decoupling=0.0) == cohort.ct_options(A).physiology


def test_heads_that_move_are_put_right(dsc):
    order = next(o for o in orders(40, seed=5, setting="A", size=48) if cohort.mr_options(o).motion)
    options = replace(cohort.mr_options(order), n_frames=40)
    moving = cohort._cases(DSC, order, options, cohort.mr(options))
    still = cohort._cases(
        DSC, order, replace(options, motion=False), cohort.mr(replace(options, motion=False))
    )
    shaken = cohort.mr(options).series
    last = options.n_frames - 1
    for case, same in list(zip(moving, still, strict=True))[2:4]:
        brain = case.extra["brain"] > 0
        raw = shaken.frame(last)[:, :, case.meta["slice"]].T
        assert (
            np.abs(case.image[last] - same.image[last])[brain].mean()
            < np.abs(raw - same.image[last])[brain].mean()
        )


def test_unknown_settings_and_references_are_refused():
    with pytest.raises(BadRecipe, match="unknown setting"):
        cohort.ct_options(replace(A, setting="C"))
    with pytest.raises(BadRecipe, match="unknown reference"):
        cohort.simulate_dsc(replace(A, reference="other"))
