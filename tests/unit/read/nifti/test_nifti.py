"""NIfTI files of every kind become the same series, or say why not."""

import gzip
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from bolus.core.errors import BadGeometry, BadInput, BadTimes, NoSeries, UnreadableFile
from bolus.core.finding import Severity
from bolus.core.series import Series
from bolus.core.units import Modality, Unit
from bolus.read.nifti import is_nifti, load_nifti
from bolus.read.options import ReadOptions

ORIENTATIONS = list(product(permutations(range(3)), product((1, -1), repeat=3)))
SHAPE = (3, 4, 5)
SPACING = (0.9, 1.1, 5.0)


def head_ct(n_frames: int = 6) -> np.ndarray:
    """Voxels along left, back and head, each with a value of its own; a corner of air."""
    values = np.arange(np.prod(SHAPE) * n_frames, dtype=np.int16).reshape(*SHAPE, n_frames)
    values[0, 0] = -1000
    return values


def affine_of(order: tuple[int, ...] = (0, 1, 2), signs: tuple[int, ...] = (-1, -1, 1)) -> np.ndarray:
    affine = np.zeros((4, 4))
    for stored, (axis, sign) in enumerate(zip(order, signs, strict=True)):
        affine[axis, stored] = sign * SPACING[axis]
    affine[:, 3] = (10.0, -20.0, 30.0, 1.0)
    return affine


def save(
    path: Path,
    values: np.ndarray | None = None,
    affine: np.ndarray | None = None,
    *,
    step: float = 1.5,
    units: str = "sec",
    sidecar: Mapping[str, Any] | None = None,
) -> Path:
    image = nib.Nifti1Image(
        head_ct() if values is None else values, affine_of() if affine is None else affine
    )
    image.header.set_xyzt_units("mm", units)
    if image.ndim > 3:
        image.header["pixdim"][4] = step
    nib.save(image, path)
    if sidecar is not None:
        path.with_name(path.name.split(".")[0] + ".json").write_text(json.dumps(sidecar))
    return path


def patched(path: Path, offset: int, form: str, *values: float) -> Path:
    """Overwrite a field of the header."""
    content = bytearray(path.read_bytes())
    struct.pack_into("<" + form, content, offset, *values)
    path.write_bytes(content)
    return path


def codes(series: Series) -> set[str]:
    return {finding.code for finding in series.findings}


# --- geometry ---


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_every_orientation_gives_the_same_volume_and_goes_back(
    tmp_path: Path, order: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    wanted = head_ct()
    stored = wanted
    for axis, (sign, home) in enumerate(
        zip((signs[order.index(a)] for a in range(3)), (-1, -1, 1), strict=True)
    ):
        if sign != home:
            stored = np.flip(stored, axis)
    stored = stored.transpose(*order, 3)
    affine = affine_of(order, signs)
    path = save(tmp_path / "s.nii.gz", stored, affine)

    series = load_nifti(path)
    back, back_affine = series.grid.stored(series.frames)

    np.testing.assert_array_equal(series.frames, wanted)
    assert series.frames.flags.c_contiguous
    np.testing.assert_array_equal(back, stored)
    np.testing.assert_allclose(back_affine, nib.load(path).affine, atol=1e-6)
    corner = np.linalg.norm(affine[:3, :3], axis=0)
    assert sorted(series.grid.spacing_mm) == pytest.approx(sorted(corner))


def test_an_oblique_volume_keeps_its_place(tmp_path: Path) -> None:
    angle = np.deg2rad(20)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine = affine_of()
    affine[:3, :3] = turn @ affine[:3, :3]
    series = load_nifti(save(tmp_path / "s.nii", affine=affine))
    np.testing.assert_allclose(series.grid.affine, affine, atol=1e-5)


def test_a_sheared_sform_is_read_and_its_difference_from_the_qform_is_told(tmp_path: Path) -> None:
    affine = affine_of()
    affine[1, 2] = 2.0
    series = load_nifti(save(tmp_path / "s.nii", affine=affine))
    np.testing.assert_allclose(series.grid.affine, affine, atol=1e-5)


def test_disagreeing_forms_are_told(tmp_path: Path) -> None:
    image = nib.Nifti1Image(head_ct(), affine_of())
    other = affine_of()
    other[0, 3] += 7.0
    image.set_qform(other, code=1)
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, tmp_path / "s.nii")

    series = load_nifti(tmp_path / "s.nii")

    finding = next(f for f in series.findings if f.code == "FORMS_DISAGREE")
    assert finding.value == pytest.approx(7.0, abs=0.01)
    np.testing.assert_allclose(series.grid.affine, affine_of(), atol=1e-5)


def test_no_orientation_is_told(tmp_path: Path) -> None:
    image = nib.Nifti1Image(head_ct(), None)
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, tmp_path / "s.nii")
    assert "ORIENTATION_UNKNOWN" in codes(load_nifti(tmp_path / "s.nii"))


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1000.0), ("micron", 0.001)])
def test_other_units_of_length_become_millimetres(tmp_path: Path, unit: str, factor: float) -> None:
    affine = affine_of()
    affine[:3] /= factor
    image = nib.Nifti1Image(head_ct(), affine)
    image.header.set_xyzt_units(unit, "sec")
    nib.save(image, tmp_path / "s.nii")
    assert load_nifti(tmp_path / "s.nii").grid.spacing_mm == pytest.approx(SPACING, rel=1e-5)


SROW = 280


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 0.0])
def test_an_unusable_affine_is_refused_with_the_file(tmp_path: Path, bad: float) -> None:
    path = patched(save(tmp_path / "s.nii"), SROW, "4f", bad, 0.0, 0.0, 0.0)
    with pytest.raises(BadGeometry) as caught:
        load_nifti(path)
    assert caught.value.where == str(path)


def test_absurd_spacing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadGeometry, match="absurd"):
        load_nifti(save(tmp_path / "s.nii", affine=np.diag([900.0, 1.0, 1.0, 1.0])))


# --- times ---


@pytest.mark.parametrize(("step", "units"), [(1.5, "sec"), (1500.0, "msec"), (1.5e6, "usec")])
def test_pixdim_is_read_in_its_unit(tmp_path: Path, step: float, units: str) -> None:
    series = load_nifti(save(tmp_path / "s.nii", step=step, units=units))
    np.testing.assert_allclose(series.times, np.arange(6) * 1.5)
    assert series.acquisition.clock == "pixdim[4]"
    assert "TIME_FROM_TR" in codes(series)
    assert "TIME_GUESSED" not in codes(series)


@pytest.mark.parametrize(
    ("step", "units"), [(1.5, "unknown"), (1500.0, "unknown"), (1500.0, "sec"), (1.5, "msec")]
)
def test_a_missing_or_wrong_unit_is_guessed_and_told(tmp_path: Path, step: float, units: str) -> None:
    series = load_nifti(save(tmp_path / "s.nii", step=step, units=units))
    np.testing.assert_allclose(series.times, np.arange(6) * 1.5)
    assert "TIME_GUESSED" in codes(series)


@pytest.mark.parametrize(
    ("step", "units"), [(0.0, "sec"), (-1.5, "sec"), (float("nan"), "sec"), (0.05, "sec"), (2.0, "hz")]
)
def test_no_usable_time_asks_for_dt(tmp_path: Path, step: float, units: str) -> None:
    path = save(tmp_path / "s.nii", step=step, units=units)
    with pytest.raises(BadTimes, match="--dt"):
        load_nifti(path)
    np.testing.assert_allclose(load_nifti(path, ReadOptions(dt_s=2.0)).times, np.arange(6) * 2.0)


def test_a_header_that_nobody_filled_in_asks_for_dt(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(head_ct(), np.eye(4)), tmp_path / "s.nii")
    with pytest.raises(BadTimes, match="no unit"):
        load_nifti(tmp_path / "s.nii")


def test_dt_replaces_whatever_the_files_say(tmp_path: Path) -> None:
    path = save(
        tmp_path / "s.nii",
        sidecar={"VolumeTiming": [0, 1, 2, 3, 4, 9], "SliceTiming": [0, 0.1, 0.2, 0.3, 0.4]},
    )
    series = load_nifti(path, ReadOptions(dt_s=2.5))
    np.testing.assert_allclose(series.times, np.arange(6) * 2.5)
    assert series.acquisition.clock == "--dt"


@pytest.mark.parametrize("key", ["FrameTimesStart", "VolumeTiming"])
def test_lists_of_times_may_be_uneven(tmp_path: Path, key: str) -> None:
    times = [3.0, 4.5, 6.0, 9.0, 12.0, 18.0]
    series = load_nifti(save(tmp_path / "s.nii.gz", sidecar={key: times, "RepetitionTime": 1.0}))
    np.testing.assert_allclose(series.times, np.array(times) - 3.0)
    assert "TIME_FROM_TR" not in codes(series)


def test_frame_durations_add_up(tmp_path: Path) -> None:
    series = load_nifti(save(tmp_path / "s.nii", sidecar={"FrameDuration": [1, 1, 2, 2, 3, 3]}))
    np.testing.assert_allclose(series.times, [0, 1, 2, 4, 6, 9])


@pytest.mark.parametrize(
    "sidecar",
    [
        {"FrameTimesStart": [3000, 4500, 6000, 9000, 12000, 18000]},
        {"VolumeTiming": [3e6, 4.5e6, 6e6, 9e6, 12e6, 18e6]},
        {"FrameDuration": [1500, 1500, 3000, 3000, 6000, 6000]},
        {"SliceTimes": [[3000, 4500, 6000, 9000, 12000, 18000]] * 5},
    ],
)
def test_lists_in_other_units_are_put_into_seconds_and_said(tmp_path: Path, sidecar: dict[str, Any]) -> None:
    series = load_nifti(save(tmp_path / "s.nii", sidecar=sidecar))
    np.testing.assert_allclose(series.times.reshape(-1, 6)[0], [0, 1.5, 3, 6, 9, 15])
    assert "not in seconds" in next(f.text for f in series.findings if f.code == "TIME_GUESSED")


@pytest.mark.parametrize("step", [1 / 30, 60.0])
def test_fast_and_slow_lists_stay_in_seconds(tmp_path: Path, step: float) -> None:
    times = (np.arange(6) * step).tolist()
    series = load_nifti(save(tmp_path / "s.nii", sidecar={"FrameTimesStart": times}))
    np.testing.assert_allclose(series.times, times)
    assert "TIME_GUESSED" not in codes(series)


def test_repetition_time_goes_before_pixdim_and_the_conflict_is_told(tmp_path: Path) -> None:
    series = load_nifti(save(tmp_path / "s.nii", step=1.5, sidecar={"RepetitionTime": 1.8}))
    assert series.median_dt == pytest.approx(1.8)
    assert "TIME_GUESSED" in codes(series)


def test_an_excitation_interval_is_no_frame_interval(tmp_path: Path) -> None:
    series = load_nifti(save(tmp_path / "s.nii", step=1.5, sidecar={"RepetitionTime": 0.017}))
    assert series.median_dt == pytest.approx(1.5)


@pytest.mark.parametrize(
    "sidecar",
    [
        {"VolumeTiming": [0, 1, 2]},
        {"VolumeTiming": [0, 1, 1, 2, 3, 4]},
        {"FrameTimesStart": [0, 2, 1, 3, 4, 5]},
        {"FrameTimesStart": [0, 1, 2, 3, 4, "soon"]},
        {"FrameTimesStart": {"a": 1}},
        {"FrameDuration": [1, 1, 0, 1, 1, 1]},
        {"SliceTimes": [[0, 1, 2, 3, 4, 5]]},
        {"SliceTimes": [[0, 1, 2, 3, 4, float("nan")]] * 5},
        {"VolumeTiming": [0, 3e8, 6e8, 9e8, 12e8, 15e8]},
        {"FrameTimesStart": [0, 1e-6, 2e-6, 3e-6, 4e-6, 5e-6]},
    ],
)
def test_times_that_cannot_be_are_refused(tmp_path: Path, sidecar: dict[str, Any]) -> None:
    with pytest.raises(BadTimes, match="--dt"):
        load_nifti(save(tmp_path / "s.nii", sidecar=sidecar))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("direction", ["", "k", "k-"])
def test_slice_timing_gives_each_slice_its_clock(tmp_path: Path, sign: int, direction: str) -> None:
    offsets = np.array([0.0, 0.6, 0.3, 0.9, 1.2])
    sidecar = {"SliceTiming": offsets.tolist()} | ({"SliceEncodingDirection": direction} if direction else {})
    path = save(tmp_path / "s.nii", affine=affine_of(signs=(-1, -1, sign)), sidecar=sidecar)

    times = load_nifti(path).times

    upwards = offsets if (sign > 0) != (direction == "k-") else offsets[::-1]
    np.testing.assert_allclose(times, upwards[:, None] + np.arange(6) * 1.5)


def test_slices_of_a_sagittal_stack_keep_their_clocks(tmp_path: Path) -> None:
    sidecar = {"SliceTiming": [0.0, 0.6, 0.3, 0.9, 1.2]}
    path = save(tmp_path / "s.nii", affine=affine_of(order=(1, 2, 0), signs=(-1, 1, -1)), sidecar=sidecar)
    series = load_nifti(path)
    assert series.grid.shape[2] == 5
    np.testing.assert_allclose(series.times[:, 0], sidecar["SliceTiming"])


def test_slices_along_a_stored_first_axis_keep_their_clocks(tmp_path: Path) -> None:
    stored = head_ct().transpose(2, 0, 1, 3)
    sidecar = {"SliceTiming": [0.0, 0.6, 0.3, 0.9, 1.2], "SliceEncodingDirection": "i"}
    path = save(tmp_path / "s.nii", stored, affine_of((2, 0, 1), (1, -1, -1)), sidecar=sidecar)
    series = load_nifti(path)
    np.testing.assert_array_equal(series.frames, head_ct())
    np.testing.assert_allclose(series.times[:, 0], sidecar["SliceTiming"])


def test_in_plane_slices_share_one_clock_and_it_is_told(tmp_path: Path) -> None:
    sidecar = {"SliceTiming": [0.0, 0.5, 1.0], "SliceEncodingDirection": "i"}
    series = load_nifti(save(tmp_path / "s.nii", sidecar=sidecar))
    np.testing.assert_allclose(series.times, np.arange(6) * 1.5)
    assert "SLICE_TIMES_UNUSED" in codes(series)


def test_slice_timing_in_milliseconds_is_understood(tmp_path: Path) -> None:
    sidecar = {"SliceTiming": [0.0, 600.0, 300.0, 900.0, 1200.0]}
    times = load_nifti(save(tmp_path / "s.nii", sidecar=sidecar)).times
    np.testing.assert_allclose(times[:, 0], np.array(sidecar["SliceTiming"]) / 1000)


@pytest.mark.parametrize(
    "values", [[0.0, 1.0], [0.0, 1.0, 2.0, 3.0, 9.0], [-1, 0, 0, 0, 0], "none", None, [0, 0, 0, 0, "x"]]
)
def test_slice_timing_that_cannot_be_is_left_out_and_told(tmp_path: Path, values: Any) -> None:
    series = load_nifti(save(tmp_path / "s.nii", sidecar={"SliceTiming": values}))
    assert series.times.ndim == 1
    assert "SLICE_TIMES_UNUSED" in codes(series)


def test_one_offset_for_all_slices_is_one_clock(tmp_path: Path) -> None:
    assert load_nifti(save(tmp_path / "s.nii", sidecar={"SliceTiming": [0.0] * 5})).times.ndim == 1


def test_slice_times_of_a_shuttle_are_taken_as_they_are(tmp_path: Path) -> None:
    there = np.arange(6) * 3.0
    times = np.array([there + 0.2 * k * (-1) ** np.arange(6) for k in range(5)]) + 1.0
    series = load_nifti(save(tmp_path / "s.nii", sidecar={"SliceTimes": times.tolist()}))
    np.testing.assert_allclose(series.times, times - times.min())


# --- values ---


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "f4", "f8"])
def test_every_number_type_is_read(tmp_path: Path, order: str, kind: str) -> None:
    values = (head_ct() % 97).astype(order + kind)
    header = nib.Nifti1Header(endianness=order)
    header.set_data_dtype(order + kind)
    image = nib.Nifti1Image(values, affine_of(), header, dtype=order + kind)
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, tmp_path / "s.nii")

    series = load_nifti(tmp_path / "s.nii")

    np.testing.assert_array_equal(series.frames, values)
    assert series.frames.dtype.isnative
    assert series.frames.dtype == (np.dtype(kind) if kind[0] in "iu" and kind[1] != "8" else np.float32)


def test_integers_stay_integers_with_their_scaling(tmp_path: Path) -> None:
    path = patched(save(tmp_path / "s.nii"), 112, "2f", 0.5, -10.0)
    series = load_nifti(path)
    assert series.frames.dtype == np.int16
    np.testing.assert_allclose(series.frame(2), head_ct()[..., 2] * 0.5 - 10.0)


def test_reals_are_scaled_at_once(tmp_path: Path) -> None:
    path = patched(save(tmp_path / "s.nii", head_ct().astype(np.float32)), 112, "2f", 0.5, -10.0)
    series = load_nifti(path)
    assert (series.slope, series.intercept) == (1.0, 0.0)
    np.testing.assert_allclose(series.frames, head_ct() * 0.5 - 10.0)


@pytest.mark.parametrize("slope", [0.0, float("nan")])
def test_a_slope_of_zero_means_no_scaling(tmp_path: Path, slope: float) -> None:
    series = load_nifti(patched(save(tmp_path / "s.nii"), 112, "2f", slope, 5.0))
    np.testing.assert_array_equal(series.frame(0), head_ct()[..., 0])


def test_an_infinite_slope_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="scaling"):
        load_nifti(patched(save(tmp_path / "s.nii"), 112, "2f", float("inf"), 0.0))


def test_many_small_batches_read_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bolus.read.nifti.values._BATCH_BYTES", 300)
    np.testing.assert_array_equal(load_nifti(save(tmp_path / "s.nii.gz")).frames, head_ct())


def test_nifti2_and_files_of_the_wrong_ending_are_read(tmp_path: Path) -> None:
    image = nib.Nifti2Image(head_ct(), affine_of())
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, tmp_path / "two.nii")
    packed = tmp_path / "packed.nii"
    packed.write_bytes(gzip.compress(save(tmp_path / "s.nii").read_bytes()))
    for path in (tmp_path / "two.nii", packed):
        np.testing.assert_array_equal(load_nifti(path).frames, head_ct())


def test_voxels_without_a_number_become_background_and_are_counted(tmp_path: Path) -> None:
    values = head_ct().astype(np.float32)
    values[1, 2, 3, 4] = np.nan
    values[2, 2, 3] = np.inf
    series = load_nifti(save(tmp_path / "s.nii", values, sidecar={"Modality": "CT"}))
    assert next(f for f in series.findings if f.code == "NAN_VALUES").value == 2
    np.testing.assert_array_equal(series.frames[1, 2, 3], -1024.0)
    assert np.isfinite(series.frames).all()


def test_a_frame_without_numbers_is_named(tmp_path: Path) -> None:
    values = head_ct().astype(np.float32)
    values[..., 3] = np.nan
    with pytest.raises(BadInput, match="frames 3"):
        load_nifti(save(tmp_path / "s.nii", values))


@pytest.mark.parametrize("value", [0.0, 7.0, np.nan])
def test_an_image_without_information_is_refused(tmp_path: Path, value: float) -> None:
    with pytest.raises(BadInput, match=r"constant|no voxel"):
        load_nifti(save(tmp_path / "s.nii", np.full((*SHAPE, 6), value, dtype=np.float32)))


# --- modality and sidecar ---


def test_air_below_zero_means_ct_and_the_guess_is_told(tmp_path: Path) -> None:
    ct = load_nifti(save(tmp_path / "ct.nii"))
    mr = load_nifti(save(tmp_path / "mr.nii", np.abs(head_ct())))
    assert (ct.modality, ct.unit, mr.modality, mr.unit) == (Modality.CT, Unit.HU, Modality.MR, Unit.SIGNAL)
    assert "MODALITY_GUESSED" in codes(ct) & codes(mr)


@pytest.mark.parametrize(
    ("sidecar", "modality"),
    [
        ({"Modality": "MR"}, Modality.MR),
        ({"Modality": "CT"}, Modality.CT),
        ({"EchoTime": 0.03}, Modality.MR),
        ({"XRayExposure": 5}, Modality.CT),
    ],
)
def test_the_sidecar_tells_the_modality(tmp_path: Path, sidecar: dict[str, Any], modality: Modality) -> None:
    series = load_nifti(save(tmp_path / "s.nii", sidecar=sidecar))
    assert series.modality is modality
    assert "MODALITY_GUESSED" not in codes(series)


def test_the_option_tells_the_modality(tmp_path: Path) -> None:
    series = load_nifti(save(tmp_path / "s.nii"), ReadOptions(modality=Modality.MR))
    assert series.modality is Modality.MR
    assert "MODALITY_GUESSED" not in codes(series)


def test_an_option_against_the_sidecar_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoSeries, match="no CT series"):
        load_nifti(save(tmp_path / "s.nii", sidecar={"Modality": "MR"}), ReadOptions(modality=Modality.CT))


def test_the_sidecar_tells_about_the_scan(tmp_path: Path) -> None:
    sidecar = {
        "EchoTime": 0.029,
        "RepetitionTime": 1.5,
        "Manufacturer": "Siemens",
        "SeriesDescription": "ep2d\x00perf\n<b>",
        "SeriesInstanceUID": "1.2.3/../4",
    }
    seen = load_nifti(save(tmp_path / "s.nii.gz", sidecar=sidecar)).acquisition
    assert seen.te_ms == pytest.approx(29.0)
    assert seen.tr_ms == pytest.approx(1500.0)
    assert seen.source == "nifti"
    assert seen.manufacturer == "Siemens"
    assert seen.description.isprintable()
    assert not seen.series_uid


def test_an_echo_time_in_milliseconds_is_understood_and_the_option_fills_in(tmp_path: Path) -> None:
    told = load_nifti(save(tmp_path / "a.nii", sidecar={"EchoTime": 29}), ReadOptions(te_ms=40.0))
    asked = load_nifti(save(tmp_path / "b.nii"), ReadOptions(te_ms=40.0))
    assert (told.acquisition.te_ms, asked.acquisition.te_ms) == (29.0, 40.0)


@pytest.mark.parametrize(
    "content", [b"{", b"[1, 2]", b"\xff\xfe\x00", b"[" * 100_000, b'{"RepetitionTime": 1.5']
)
def test_a_broken_sidecar_is_refused(tmp_path: Path, content: bytes) -> None:
    path = save(tmp_path / "s.nii")
    path.with_suffix(".json").write_bytes(content)
    with pytest.raises(UnreadableFile, match="JSON"):
        load_nifti(path)


@pytest.mark.parametrize("value", [None, "fast", True, [1.5], 1e400, 10**400])
def test_a_number_that_is_none_counts_as_absent(tmp_path: Path, value: Any) -> None:
    path = save(tmp_path / "s.nii", sidecar={"RepetitionTime": value, "EchoTime": value})
    series = load_nifti(path)
    assert series.median_dt == 1.5
    assert series.acquisition.te_ms is None


# --- files ---


def test_nifti_is_known_by_name_and_pairs_by_content(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Pair(head_ct(), affine_of()), tmp_path / "pair.img")
    (tmp_path / "scan.img").write_bytes(b"\0" * 128 + b"DICM")
    known = {
        name: is_nifti(tmp_path / name)
        for name in ("a.nii", "a.NII.GZ", "pair.img", "pair.hdr", "scan.img", "a.dcm")
    }
    assert known == {
        "a.nii": True,
        "a.NII.GZ": True,
        "pair.img": True,
        "pair.hdr": True,
        "scan.img": False,
        "a.dcm": False,
    }


@pytest.mark.parametrize("name", ["pair.img", "pair.hdr"])
def test_a_pair_is_refused_with_the_remedy(tmp_path: Path, name: str) -> None:
    nib.save(nib.Nifti1Pair(head_ct(), affine_of()), tmp_path / "pair.img")
    with pytest.raises(UnreadableFile, match="Convert the pair"):
        load_nifti(tmp_path / name)


@pytest.mark.parametrize("shape", [SHAPE, (*SHAPE, 1), (3, 4), (*SHAPE, 1, 6), (*SHAPE, 2, 3)])
def test_anything_but_four_axes_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    image = nib.Nifti1Image(np.arange(np.prod(shape), dtype=np.int16).reshape(shape), affine_of())
    nib.save(image, tmp_path / "s.nii")
    with pytest.raises(BadInput, match="four axes"):
        load_nifti(tmp_path / "s.nii")


def test_a_trailing_axis_of_one_is_no_axis(tmp_path: Path) -> None:
    assert load_nifti(save(tmp_path / "s.nii", head_ct()[..., None])).n_frames == 6


@pytest.mark.parametrize("dtype", [np.complex64, [("R", "u1"), ("G", "u1"), ("B", "u1")]])
def test_voxels_that_are_no_plain_numbers_are_refused(tmp_path: Path, dtype: Any) -> None:
    nib.save(nib.Nifti1Image(np.zeros((*SHAPE, 6), dtype=dtype), affine_of()), tmp_path / "s.nii")
    with pytest.raises(UnreadableFile, match="plain numbers"):
        load_nifti(tmp_path / "s.nii")


def damages() -> Iterator[tuple[str, Callable[[Path], Path]]]:
    yield "dim[0] is 8", lambda p: patched(p, 40, "h", 8)
    yield "dim[0] is 0", lambda p: patched(p, 40, "h", 0)
    yield "a negative size", lambda p: patched(p, 42, "h", -3)
    yield "a huge size", lambda p: patched(p, 42, "4h", 32767, 32767, 32767, 32767)
    yield "voxels beyond the file", lambda p: patched(p, 108, "f", 1e7)
    yield "voxels inside the header", lambda p: patched(p, 108, "f", 100.0)
    yield "an offset that is no number", lambda p: patched(p, 108, "f", float("nan"))
    yield "an unknown datatype", lambda p: patched(p, 70, "h", 999)
    yield "no magic", lambda p: patched(p, 344, "4s", b"\0\0\0\0")
    yield "the magic of a pair", lambda p: patched(p, 344, "4s", b"ni1\0")


@pytest.mark.parametrize("damage", [d for _, d in damages()], ids=[n for n, _ in damages()])
@pytest.mark.parametrize("packed", [False, True])
def test_a_header_that_lies_is_refused(tmp_path: Path, damage: Callable[[Path], Path], packed: bool) -> None:
    path = damage(save(tmp_path / "s.nii"))
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(UnreadableFile) as caught:
        load_nifti(path)
    assert caught.value.remedy
    assert caught.value.where == str(path)


def test_an_image_larger_than_the_machine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bolus.read.memory.MAX_BYTES", 500)
    with pytest.raises(UnreadableFile, match="too large"):
        load_nifti(save(tmp_path / "s.nii"))


@pytest.mark.parametrize("keep", [0, 3, 200, 348, 400])
def test_a_truncated_file_is_refused(tmp_path: Path, keep: int) -> None:
    path = save(tmp_path / "s.nii")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UnreadableFile):
        load_nifti(path)


def test_damage_in_a_compressed_file_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(save(tmp_path / "s.nii").read_bytes())
    flipped = bytearray(whole)
    flipped[-6] ^= 0xFF
    for i, content in enumerate([whole[:-20], whole[:30], whole + b"garbage", bytes(flipped), b"\x1f\x8b"]):
        path = tmp_path / f"{i}.nii.gz"
        path.write_bytes(content)
        with pytest.raises(UnreadableFile, match="gzip -t"):
            load_nifti(path)


def test_a_huge_extension_is_skipped_not_read(tmp_path: Path) -> None:
    content = bytearray(save(tmp_path / "s.nii").read_bytes())
    struct.pack_into("<f", content, 108, 352 + 4096)
    extension = struct.pack("<4B2i", 1, 0, 0, 0, 2**31 - 16, 6)
    path = tmp_path / "e.nii"
    path.write_bytes(content[:348] + extension.ljust(4100, b"\0") + content[352:])
    np.testing.assert_array_equal(load_nifti(path).frames, head_ct())


def test_bytes_after_the_voxels_are_told(tmp_path: Path) -> None:
    path = save(tmp_path / "s.nii")
    path.write_bytes(path.read_bytes() + bytes(100))
    finding = next(f for f in load_nifti(path).findings if f.code == "TRAILING_BYTES")
    assert (finding.value, finding.severity) == (100.0, Severity.INFO)


def test_a_missing_and_a_forbidden_file_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnreadableFile, match="cannot be read"):
        load_nifti(tmp_path / "none.nii")

    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = save(tmp_path / "s.nii")
    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(UnreadableFile, match="Permission denied"):
        load_nifti(path)
