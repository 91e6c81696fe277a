"""A simulated X-ray run: its contrast, its truth and its encodings."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, map_coordinates

from bolus import phantom
from bolus.core.errors import BadRecipe
from bolus.core.units import Modality, Unit
from bolus.core.xray import Relationship

SMALL = {"size": 128, "duration_s": 12.0, "fps": 2.0, "external": False}


@pytest.fixture(scope="module")
def plain():
    return phantom.xa(**SMALL, seed=3)


def test_same_seed_same_run():
    a, b, other = (phantom.xa(size=48, fps=1.0, seed=seed, motion=True) for seed in (5, 5, 6))
    for name in ("AP", "LAT"):
        np.testing.assert_array_equal(a.views[name].series.frames, b.views[name].series.frames)
        np.testing.assert_array_equal(a.views[name].truth.segments, b.views[name].truth.segments)
        assert (a.views[name].series.frames != other.views[name].series.frames).any()


def test_series_is_an_x_ray_run_of_two_views(plain):
    assert list(plain.views) == ["AP", "LAT"]
    for name, view in plain.views.items():
        series = view.series
        assert (series.modality, series.unit, series.frames.dtype) == (Modality.XA, Unit.SIGNAL, np.uint16)
        assert series.frames.shape == (128, 128, 1, series.times.size)
        assert series.acquisition.xray.view == name
        assert series.acquisition.xray.relationship is Relationship.LOGARITHMIC
        assert series.acquisition.xray.subtracted


def test_masks_lie_within_each_other(plain):
    for view in plain.views.values():
        masks = view.truth.masks
        assert masks["ica"].sum() > masks["ica_top"].sum() > 0
        for inner, outer in (
            ("ica_top", "ica"),
            ("arteries", "vessels"),
            ("veins", "vessels"),
            ("ica", "field"),
        ):
            assert not (masks[inner] & ~masks[outer]).any()
        names = np.array(view.truth.names)[view.truth.segments[masks["ica"]]]
        assert np.isin(names, ["ICA", "ICA top"]).mean() > 0.6


def test_contrast_in_the_carotid_is_attenuation_times_chord():
    """The neck in the front view: no other vessel lies before it, and it runs in the plane."""
    from bolus.phantom.angiogram.film import Camera, contrast
    from bolus.phantom.angiogram.motion import Hold
    from bolus.phantom.angiogram.patient import Patient

    for size in (150, 600):
        patient = _tube(Patient, radius=2.5, slope=0.5)
        camera = Camera("AP", size, 60.0 / size, (1.0, 0.0, 0.0), (0.0, 0.0))
        density = contrast(patient, camera, [Hold(0, 1)], np.ones((4, 4), dtype=np.float32))[..., 0]
        middle = density[:, size // 2]
        oblique = np.sqrt(1 + 0.5**2)  # the tube leans towards the detector: rays stay longer in it
        assert middle.max() == pytest.approx(0.15 * 2 * 2.5 * oblique, rel=0.01)
        inside = np.abs((np.arange(size) - (size - 1) / 2) * camera.pixel_mm)
        chord = 2 * np.sqrt(np.maximum(2.5**2 - inside**2, 0.0))
        far = np.abs(inside - 2.5) > 1.5 * camera.pixel_mm
        np.testing.assert_allclose(middle[far], 0.15 * oblique * chord[far], atol=0.015)
        assert density.sum() * camera.pixel_mm**2 == pytest.approx(  # nothing lost: volume times attenuation
            0.15 * np.pi * 2.5**2 * 60.0 * oblique, rel=0.03
        )


def _tube(make, radius, slope):
    from bolus.phantom.angiogram.curves import Injection, Kind
    from bolus.phantom.angiogram.flow import Strand, Terminals

    z = np.linspace(-40.0, 40.0, 60)
    course = np.column_stack([np.zeros(60), slope * z, z, np.full(60, radius)])
    strand = Strand("ICA", Kind.ARTERY, course, np.zeros(60), np.ones(60))
    nothing = Terminals(np.empty((0, 3)), np.empty(0), np.empty(0), np.empty(0))
    table = np.ones((len(Kind), 3, 1), dtype=np.float32)
    return make("left", (strand,), nothing, 0.0, 0.15, Injection(0.0, 2.0), table, None, None, 0.0, np.eye(3))


def test_curve_of_the_carotid_is_the_mean_of_its_pixels(plain):
    truth = plain.views["LAT"].truth
    np.testing.assert_allclose(truth.aif.values, truth.density[truth.masks["ica"]].mean(axis=0), rtol=1e-4)
    assert 0.2 < truth.aif.values.max() < 1.5
    assert truth.aif.values[plain.views["LAT"].series.times < plain.injection_s].max() == 0.0


@pytest.mark.parametrize("seed", [3, 8])
def test_contrast_reaches_arteries_then_tissue_then_veins(seed):
    run = phantom.xa(**SMALL, seed=seed)
    for view in run.views.values():
        truth, times = view.truth, view.series.times
        only = {
            "artery": truth.masks["ica"],
            "tissue": ~binary_dilation(truth.masks["vessels"], iterations=3) & np.isfinite(truth.arrival),
            "vein": truth.masks["veins"] & ~binary_dilation(truth.masks["arteries"], iterations=2),
        }
        centre = {}
        for name, where in only.items():
            curve = truth.density[where].sum(axis=0)
            centre[name] = float(curve @ times / curve.sum())
        assert centre["artery"] + 1.0 < centre["tissue"] < centre["vein"]
        arrival = {name: float(np.nanmedian(truth.arrival[where])) for name, where in only.items()}
        assert arrival["artery"] < arrival["tissue"] < arrival["vein"]


def test_volume_is_relative_to_the_carotid(plain):
    truth = plain.views["LAT"].truth
    cbv = truth.maps["CBV"].values
    assert np.nanmean(cbv[truth.masks["ica"]]) == pytest.approx(1.0, rel=1e-3)
    tissue = ~binary_dilation(truth.masks["vessels"], iterations=2)
    assert 0.05 < np.nanmedian(cbv[tissue]) < 0.6


def test_encodings_hold_the_same_contrast():
    """What is left between encodings is the rounding of stored values."""
    common = {**SMALL, "size": 64, "duration_s": 7.0, "seed": 4, "photons": 1e6}
    found = {}
    for encoding in ("SUB", "LOG", "LIN"):
        for sign, photometric in (
            (0, "MONOCHROME2"),
            (0, "MONOCHROME1"),
            (-1, "MONOCHROME2"),
            (1, "MONOCHROME1"),
        ):
            view = phantom.xa(**common, encoding=encoding, sign=sign, photometric=photometric).views["AP"]
            found[encoding, sign, photometric] = _contrast(view, sign, photometric)
            assert view.series.acquisition.xray.sign == sign
    first = found["SUB", 0, "MONOCHROME2"]
    bright = phantom.xa(**common).views["AP"].truth.masks["field"][:, :, 0]
    for key, other in found.items():
        tolerance = 0.02 if key[0] == "LIN" else 0.004
        assert np.abs(other - first)[bright].max() < tolerance, key
    truth = phantom.xa(**common).views["AP"].truth
    assert np.corrcoef(first[bright].ravel(), truth.density[:, :, 0][bright].ravel())[0, 1] > 0.98


def _contrast(view, sign, photometric):
    beam = view.series.acquisition.xray
    stored = view.series.frames[:, :, 0].astype(float)
    if sign < 0 or (sign == 0 and photometric == "MONOCHROME1"):
        stored = beam.full_scale - stored
    if beam.subtracted:
        return (3100.0 - stored) / 1500.0
    logs = np.log(np.maximum(stored, 0.5)) if beam.relationship is Relationship.LINEAR else stored / 700.0
    return logs[..., list(beam.operations[0].frames)].mean(axis=-1, keepdims=True) - logs


def test_noise_is_that_of_photons():
    run = phantom.xa(size=64, fps=4.0, vessel="none", seed=1, encoding="LIN", photons=4000.0)
    stored = run.views["AP"].series.frames[28:36, 24:32, 0].astype(float)
    assert np.std(np.diff(np.log(stored), axis=-1)) == pytest.approx(np.sqrt(2 / 4000.0), rel=0.25)


def test_table_makes_logarithmic_values_linear():
    common = {"size": 48, "fps": 1.0, "seed": 2}
    log = phantom.xa(**common, encoding="LOG", lut=True).views["AP"]
    linear = phantom.xa(**common, encoding="LIN").views["AP"].series.frames.astype(float)
    through = log.truth.to_linear[log.series.frames].astype(float)
    open_ = log.truth.masks["field"] & (linear.max(axis=-1) < 16000) & (linear.min(axis=-1) > 300)
    ratio = (through / linear)[open_]
    assert ratio.std() / ratio.mean() < 0.01


def test_frame_rate_falls_after_the_arterial_phase():
    times = phantom.xa(size=32, fps=4.0, fps_late=1.0, duration_s=12.0).views["AP"].series.times
    steps = np.round(np.diff(times), 3)
    assert set(steps) == {0.25, 1.0}
    assert (np.diff(steps) >= 0).all()


def test_injected_from_first_has_contrast_in_the_first_frame():
    for encoding in ("SUB", "LIN"):
        view = phantom.xa(size=96, injected_from_first=True, encoding=encoding, seed=2).views["LAT"]
        assert view.truth.aif.values[0] > 0.2 * view.truth.aif.values.max()
        assert not view.series.acquisition.xray.operations
    assert view.series.acquisition.xray.subtracted is None


@pytest.mark.parametrize("vessel", ["vertebral", "external", "none"])
def test_other_injections_show_no_carotid(vessel):
    run = phantom.xa(size=96, fps=2.0, vessel=vessel, seed=1)
    for view in run.views.values():
        assert not view.truth.masks["ica"].any()
        assert np.isnan(view.truth.aif.values).all()
        assert view.truth.masks["arteries"].any() == (vessel != "none")


def test_motion_moves_contrast_and_bone():
    still, moving = (phantom.xa(**SMALL, seed=7, motion=motion).views["AP"] for motion in (False, True))
    assert not still.truth.motion.any()
    path = moving.truth.motion
    assert not path[0].any()
    assert 0.2 < np.abs(path).max() < 8.0
    residue = [
        v.series.frames.astype(float).std(axis=-1)[~v.truth.masks["vessels"]].mean() for v in (still, moving)
    ]
    assert residue[1] > 1.3 * residue[0]


def test_layered_carotid_is_pale_dark_pale():
    means = {}
    for layered in (False, True):
        run = phantom.xa(**SMALL, seed=11, layered=layered)
        course, _ = _ica(run)
        means[layered] = course
    dark = means[True].max()
    assert means[True][0] < 0.6 * dark
    assert means[True][-1] < 0.6 * dark
    assert means[False].min() > 0.55 * means[False].max()


def _ica(run):
    """Contrast along the carotid as the tree has it, from the neck to its end."""
    from bolus.phantom.angiogram.patient import make_patient
    from bolus.phantom.angiogram.run import generators
    from bolus.phantom.options import XaOptions

    options = XaOptions(**SMALL, seed=run.seed, layered=run.layered)
    patient = make_patient(options, run.views["AP"].series.times, generators(options)[0])
    parts = [v for v in patient.vessels if v.name in {"ICA", "ICA top"}]
    return np.concatenate([v.strength for v in parts]), patient


def test_catheter_is_subtracted_badly():
    without, with_ = (
        phantom.xa(**SMALL, seed=9, catheter=catheter, encoding="LOG").views["AP"].series.frames.astype(float)
        for catheter in (False, True)
    )
    assert np.abs(with_ - without)[..., 0].max() > 50


def test_settings_differ():
    a, b = (phantom.xa(size=96, seed=4, setting=setting).views["AP"] for setting in ("A", "B"))
    assert b.truth.noise > a.truth.noise
    assert b.truth.mu < a.truth.mu
    assert b.series.median_dt != a.series.median_dt


@pytest.mark.parametrize(
    "changes",
    [{"clot": "M4"}, {"size": 8}, {"fps": 20.0}, {"encoding": "RAW"}, {"clot": "M1", "vessel": "vertebral"},
     {"sign": 2}, {"setting": "C"}, {"colaterals": 0.2}],
)  # fmt: skip
def test_wrong_options_are_refused(changes):
    with pytest.raises(BadRecipe):
        phantom.xa(**changes)


def test_pixels_of_the_truth_lie_on_the_vessel():
    """The path of the carotid projected by hand falls into its mask."""
    run = phantom.xa(**SMALL, seed=13)
    _, patient = _ica(run)
    truth = run.views["LAT"].truth
    room = patient.ica[0][:, :3] @ patient.head.T
    inside = truth.masks["ica"][:, :, 0]
    x, y = -room[:, 1] / truth.pixel_mm, -room[:, 2] / truth.pixel_mm
    best = max(
        map_coordinates(inside.astype(float), [x + dx, y + dy], order=0).mean()
        for dx in range(30, 75, 2)
        for dy in range(45, 90, 2)
    )
    assert best > 0.6  # the rest lies below the field
