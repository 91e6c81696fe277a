"""One run in every encoding: the same density of contrast comes out."""

import numpy as np
import pytest

from bolus.core.errors import BadInput, MissingTag, NoBolus
from bolus.core.series import Concentration
from bolus.core.units import Unit
from bolus.core.xray import MaskOperation, Relationship
from bolus.physics.features import area
from bolus.tracer import find_baseline, minip, subtract, to_concentration, to_density
from bolus.tracer.mask_frames import masks_of

TOP = 4095
FILM = MaskOperation("AVG_SUB", (0, 1))


def stored(values):
    return np.clip(np.rint(values), 0, TOP).astype(np.int16)


def encoded(lines, way):
    """Return stored values of line integrals and what their file would say of them."""
    kind, sign, *rest = way.split()
    if kind == "LIN":
        values = 4000.0 * np.exp(-lines)
        beam = {"relationship": Relationship.LINEAR}
    elif kind == "SUB":
        values = 3100.0 - 1500.0 * (lines - lines[..., :1])
        beam = {"relationship": Relationship.LOGARITHMIC, "subtracted": True}
    else:
        values = 3600.0 - 900.0 * lines
        beam = {"relationship": None if kind == "DISP" else Relationship.LOGARITHMIC}
    bright = sign == "bright"
    values = TOP - stored(values) if bright else stored(values)
    if "silent" in rest:
        beam = {"relationship": beam["relationship"]}
    else:
        beam |= {"sign": -1 if bright else 1}
    return values, beam


WAYS = [
    f"{kind} {sign}{silent}"
    for kind in ("LIN", "LOG", "SUB", "DISP")
    for sign in ("dark", "bright")
    for silent in ("", " silent")
]


def codes(series):
    return {finding.code for finding in series.findings}


@pytest.fixture(scope="module")
def truth(angiogram_of):
    return angiogram_of()


def density_of(series, **options):
    return subtract(to_density(series), **options)


def ratio_map(series):
    """CBV of every pixel over that of the artery."""
    total = series.frames.sum(axis=-1)[..., 0]
    return total / total[45:49, 60:90].mean()


@pytest.fixture(scope="module")
def expected(truth, run_of):
    values = truth[0].astype(np.float32)
    series = run_of(values - values[..., :1], unit=Unit.NAT, subtracted=True)
    return ratio_map(subtract(series))


@pytest.mark.parametrize("way", WAYS)
def test_every_encoding_gives_the_same_ratios(truth, run_of, expected, way):
    values, beam = encoded(truth[0], way)
    series = density_of(run_of(values, full_scale=TOP, **beam))
    found = ratio_map(series)
    vessel = expected > 0.3
    assert np.abs(found[vessel] / expected[vessel] - 1).mean() < 0.01
    assert np.abs(found[vessel].mean() / expected[vessel].mean() - 1) < 0.003
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.998
    assert series.acquisition.xray.subtracted is True
    assert ("SIGN_GUESSED" in codes(series)) is ("silent" in way)
    assert ("NONQUANT" in codes(series)) is way.startswith("DISP")


@pytest.mark.parametrize("way", ["LIN dark", "LIN bright silent"])
def test_linear_pixels_give_density_in_nat(truth, run_of, way):
    values, beam = encoded(truth[0], way)
    series = density_of(run_of(values, full_scale=TOP, **beam))
    assert series.unit is Unit.NAT
    assert series.frames.dtype == np.float32
    assert np.abs(series.frames - truth[1]).std() < 0.015
    assert abs(float((series.frames - truth[1]).mean())) < 1e-3


def test_to_density_keeps_the_background(truth, run_of):
    values, beam = encoded(truth[0], "LIN dark")
    series = to_density(run_of(values, full_scale=TOP, **beam))
    assert series.acquisition.xray.subtracted is False
    assert np.allclose(series.frames[48, 48], truth[0][48, 48] + np.log(TOP / 4000), atol=5e-3)


def test_a_rescaled_run_and_floats_are_the_same(truth, run_of):
    values, beam = encoded(truth[0], "LIN dark")
    plain = to_density(run_of(values, full_scale=TOP, **beam)).frames
    floats = to_density(run_of(values.astype(np.float32), full_scale=TOP, **beam)).frames
    assert np.allclose(plain, floats, atol=1e-5)


def test_a_linear_run_that_is_subtracted_cannot_be_quantified(truth, run_of):
    values, _ = encoded(truth[0], "SUB dark")
    series = to_density(run_of(values, relationship=Relationship.LINEAR, subtracted=True, sign=1))
    assert "NONQUANT" in codes(series)


# --- masks ----------------------------------------------------------------------------------------------


def test_named_masks_are_taken_off(truth, run_of):
    values, beam = encoded(truth[0], "LIN dark")
    series = density_of(run_of(values, full_scale=TOP, operations=(FILM,), **beam))
    assert "mask frames 1, 2" in series.steps[-1]
    assert series.n_frames == truth[0].shape[3]
    assert np.abs(series.frames - truth[1]).std() < 0.015


@pytest.mark.parametrize(
    ("operation", "all_clear"),
    [
        (MaskOperation("TID", offset=2), False),
        (MaskOperation("REV_TID", ranges=((4, 24),), offset=1), False),
        (MaskOperation("AVG_SUB", (12, 13)), False),
        (MaskOperation("AVG_SUB", (1,), ranges=((3, 24),)), True),
    ],
    ids=["TID", "REV_TID", "a mask with contrast", "a range"],
)
def test_masks_with_contrast_are_replaced(truth, run_of, operation, all_clear):
    values, beam = encoded(truth[0], "LIN dark")
    series = density_of(run_of(values, full_scale=TOP, operations=(operation,), **beam))
    assert np.abs(series.frames - truth[1]).std() < 0.02
    assert ("MASK_REPLACED" in codes(series)) is not all_clear


def test_a_shifted_mask_undoes_motion_unless_the_frames_were_aligned(truth, run_of):
    lines = np.array(truth[0])
    lines[..., 8:] = np.roll(lines[..., 8:], (3, -2), axis=(0, 1))
    values, beam = encoded(lines, "LIN dark")
    still = MaskOperation("AVG_SUB", (0, 1), ((0, 8),))
    moved = MaskOperation("AVG_SUB", (0, 1), ((8, 24),), shift_px=(3.0, -2.0))
    run = run_of(values, full_scale=TOP, operations=(still, moved), **beam)
    moved_truth = np.roll(truth[1][..., 8:], (3, -2), axis=(0, 1))
    inner = (slice(8, -8), slice(8, -8))
    right = density_of(run).frames[..., 8:] - moved_truth
    wrong = density_of(run, aligned=True).frames[..., 8:] - moved_truth
    assert right[inner].std() < 0.02
    assert wrong[inner].std() > 0.05


def test_each_frame_may_move_the_mask_by_its_own_shift(truth, run_of):
    lines = np.array(truth[0])
    shifts = [(0.0, 0.0)] * 8 + [(float(t % 4), float(-(t % 3))) for t in range(8, 24)]
    for t, (x, y) in enumerate(shifts):
        lines[..., t] = np.roll(lines[..., t], (int(x), int(y)), axis=(0, 1))
    values, beam = encoded(lines, "LIN dark")
    moved = MaskOperation("AVG_SUB", (0, 1), shift_px=(7.0, 7.0), frame_shifts_px=tuple(shifts))
    found = density_of(run_of(values, full_scale=TOP, operations=(moved,), **beam)).frames
    for t, (x, y) in enumerate(shifts):
        wanted = np.roll(truth[1][..., t], (int(x), int(y)), axis=(0, 1))
        assert np.std((found[..., t] - wanted)[8:-8, 8:-8]) < 0.03


def test_reversed_masks_are_counted_from_the_first_of_all_ranges():
    """PS3.3 C.7.6.10.1.1: MFN = (FCFN - TID Offset) - (CFN - FCFN), FCFN the first of the first pair."""
    operation = MaskOperation("REV_TID", ranges=((9, 11), (12, 14)), offset=2)
    masks, spoilt = masks_of((operation,), 16, 16)
    named = {frame: mask.frames for frame, mask in enumerate(masks) if mask.frames}
    assert named == {9: (7,), 10: (6,), 12: (4,), 13: (3,)}
    assert spoilt == 0


def test_a_positive_offset_takes_an_earlier_frame():
    """PS3.3 C.7.6.10.1.1, notes: with a positive TID Offset mask frames have lower numbers."""
    masks, _ = masks_of((MaskOperation("TID", offset=3),), 6, 6)
    assert [mask.frames for mask in masks] == [(), (), (), (0,), (1,), (2,)]


def test_an_unsubtracted_first_frame_of_a_subtracted_run_is_left_out(truth, run_of):
    values, beam = encoded(truth[0], "SUB dark")
    values[..., 0] = encoded(truth[0], "LOG dark")[0][..., 0]
    series = density_of(run_of(values, **beam))
    assert "MASK_FRAME" in codes(series)
    assert series.n_frames == values.shape[3] - 1
    assert series.times[0] == 0.5


# --- baselines and bad input -----------------------------------------------------------------------------


@pytest.mark.parametrize(("onset_s", "code"), [(2.0, None), (0.6, "SHORT_BASELINE"), (-1.2, "NO_BASELINE")])
def test_few_frames_before_the_bolus_are_said(angiogram_of, run_of, onset_s, code):
    lines, _ = angiogram_of(onset_s=onset_s)
    values, beam = encoded(lines, "LIN dark")
    series = density_of(run_of(values, full_scale=TOP, **beam))
    assert codes(series) & {"SHORT_BASELINE", "NO_BASELINE"} == ({code} if code else set())


def test_contrast_from_the_first_frame_keeps_the_background_of_a_subtracted_run(angiogram_of, run_of):
    lines, density = angiogram_of(onset_s=-1.2)
    before = lines[..., :1] - density[..., :1]
    values = stored(3100.0 - 1500.0 * (lines - before))
    series = density_of(run_of(values, relationship=Relationship.LOGARITHMIC, subtracted=True, sign=1))
    assert "NO_BASELINE" in codes(series)
    inside = density.max(axis=-1) > 0.3
    found = series.frames[inside].sum() / density[inside].sum()
    assert found == pytest.approx(4095 / 1500 / 2.73 * 1.0, rel=0.1) or found == pytest.approx(1.0, rel=0.1)


def test_runs_without_contrast_are_refused(run_of):
    rng = np.random.default_rng(1)
    lines = np.linspace(0, 2, 64)[:, None, None, None] + rng.normal(0, 0.01, (64, 64, 1, 20))
    values = stored(4000 * np.exp(-lines))
    run = run_of(values, np.arange(20.0), relationship=Relationship.LINEAR, sign=1)
    with pytest.raises(NoBolus):
        density_of(run)
    still = run_of(np.repeat(values[..., :1], 20, axis=3), np.arange(20.0))
    with pytest.raises(BadInput, match="never change"):
        to_density(still)


def test_short_runs_are_refused(truth, run_of):
    values, beam = encoded(truth[0], "LIN dark")
    with pytest.raises(NoBolus, match="too short"):
        density_of(run_of(values[..., :4], np.arange(4.0), **beam))


def test_only_x_ray_runs_in_the_right_unit_are_taken(truth, run_of):
    values, beam = encoded(truth[0], "LIN dark")
    run = run_of(values, **beam)
    with pytest.raises(BadInput, match="to_density"):
        subtract(run)
    with pytest.raises(BadInput, match="as read"):
        to_density(to_density(run))


# --- onwards ---------------------------------------------------------------------------------------------


def concentration_of(series) -> Concentration:
    voxels = series.within(np.ones(series.grid.shape, dtype=bool))
    return to_concentration(voxels, find_baseline(voxels))


def test_density_becomes_concentration(truth, run_of):
    values, beam = encoded(truth[0], "LIN dark")
    series = density_of(run_of(values, full_scale=TOP, **beam))
    found = concentration_of(series)
    assert found.unit is Unit.NAT
    assert found.noise == pytest.approx(0.01, rel=0.25)
    artery = found.image(area(found.curves, found.times))[45:49, 60:90].mean()
    true = area(truth[1][45:49, 60:90, 0].reshape(-1, 24).astype(np.float32), series.times).mean()
    assert artery == pytest.approx(true, rel=0.01)


def test_stored_pixels_do_not_become_concentration(truth, run_of):
    values, beam = encoded(truth[0], "LIN dark")
    voxels = to_density(run_of(values, **beam)).within(np.ones((96, 96, 1), dtype=bool))
    raw = run_of(values, **beam).within(np.ones((96, 96, 1), dtype=bool))
    with pytest.raises(MissingTag, match="to_density"):
        to_concentration(raw, find_baseline(voxels))


def test_the_projection_holds_every_vessel(truth, run_of):
    values, beam = encoded(truth[0], "LIN dark")
    series = density_of(run_of(values, full_scale=TOP, **beam))
    for picture in (minip(series), minip(concentration_of(series))):
        assert picture.shape == (96, 96, 1)
        assert np.abs(picture - truth[1].max(axis=-1)).mean() < 0.03
        assert np.corrcoef(picture.ravel(), truth[1].max(axis=-1).ravel())[0, 1] > 0.98


def test_the_projection_of_a_fast_run_has_less_noise(run_of):
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, (8, 8, 1, 60)).astype(np.float32)
    slow = minip(run_of(noise, np.arange(60) * 1.0, unit=Unit.NAT))
    fast = minip(run_of(noise, np.arange(60) / 15, unit=Unit.NAT))
    assert np.array_equal(slow, noise.max(axis=-1))
    assert fast.mean() < 0.7 * slow.mean()
