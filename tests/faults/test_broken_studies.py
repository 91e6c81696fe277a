"""Studies whose files do not belong together, or whose geometry, times or values cannot be."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from bolus.core.errors import AmbiguousSeries, BadGeometry, BadInput, BadTimes, NoSeries
from bolus.core.units import Modality
from bolus.read import ReadOptions, load

pytestmark = pytest.mark.timeout(60)

Edit = Callable[[Dataset, int, int], object]


def with_all(**values: Any) -> Edit:
    def edit(file: Dataset, k: int, frame: int) -> None:
        for name, value in values.items():
            setattr(file, name, value)

    return edit


def without(*names: str) -> Edit:
    def edit(file: Dataset, k: int, frame: int) -> None:
        for name in names:
            delattr(file, name)

    return edit


def join(target: Path, source: Path, prefix: str) -> Path:
    for file in source.iterdir():
        shutil.copy(file, target / (prefix + file.name))
    return target


# --- geometry ---


def test_one_missing_slice_is_filled_and_told(make_study, accepted):
    series = accepted(make_study(lambda _file, k, frame: (k, frame) != (1, 3)), "MISSING_SLICES")
    assert series.frames.shape == (20, 16, 4, 10)


def test_a_hole_of_two_frames_drops_them(make_study, accepted):
    series = accepted(make_study(lambda _file, k, frame: not (k == 1 and frame in {3, 4})), "FRAMES_DROPPED")
    np.testing.assert_allclose(series.times, np.delete(np.arange(10) * 1.5, [3, 4]))


def test_a_missing_frame_leaves_a_gap_in_the_times(make_study, accepted):
    series = accepted(make_study(lambda _file, _k, frame: frame != 4), "TIME_IRREGULAR")
    np.testing.assert_allclose(series.times, np.delete(np.arange(10) * 1.5, 4))


def test_a_slice_missing_in_all_frames_is_refused(make_study, refused):
    assert isinstance(refused(make_study(lambda _file, k, _frame: k != 1)), BadGeometry)


def test_two_slice_spacings_are_refused(make_study, refused):
    def edit(file: Dataset, k: int, frame: int) -> None:
        file.ImagePositionPatient = [-10, -8, (0, 5, 10, 25)[k]]

    assert "evenly" in refused(make_study(edit)).what


def test_a_tilted_gantry_keeps_its_shear(make_study, accepted):
    angle = np.deg2rad(15)

    def edit(file: Dataset, k: int, frame: int) -> None:
        file.ImageOrientationPatient = [1, 0, 0, 0, round(np.cos(angle), 6), round(np.sin(angle), 6)]

    series = accepted(make_study(edit), "GANTRY_TILT")
    assert series.grid.voxel_ml == pytest.approx(5.0 * np.cos(angle) / 1000, rel=1e-4)


def test_a_mixed_matrix_is_refused(make_study, refused):
    def edit(file: Dataset, k: int, frame: int) -> None:
        if frame >= 5:
            file.Rows = file.Columns = 8
            file.PixelData = bytes(128)

    assert "5 frames" in refused(make_study(edit)).found


def test_a_mixed_field_of_view_is_refused(make_study, refused):
    def edit(file: Dataset, k: int, frame: int) -> None:
        file.PixelSpacing = [2, 2] if frame >= 5 else [1, 1]

    refused(make_study(edit))


@pytest.mark.parametrize(
    "edit",
    [
        with_all(PixelSpacing=[0, 0]),
        with_all(PixelSpacing=[-1, -1]),
        without("PixelSpacing"),
        with_all(ImageOrientationPatient=[0] * 6),
        with_all(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]),
        without("ImagePositionPatient"),
        without("ImageOrientationPatient"),
        without("ImagePositionPatient", "ImageOrientationPatient"),
        with_all(ImagePositionPatient=[0, 0]),
    ],
)
def test_geometry_that_cannot_be_is_refused(make_study, refused, edit):
    refused(make_study(edit))


def test_absurd_spacing_is_refused(make_study, refused):
    folder = make_study(with_all(PixelSpacing=[900, 900]))
    error = refused(folder)
    assert isinstance(error, BadGeometry)
    assert "absurd" in error.what
    assert error.where == str(folder)


# --- which series ---


def test_an_angiography_in_the_same_folder_is_left_out(make_study, accepted):
    folder = make_study()
    angiography = make_study(with_all(SeriesDescription="CTA", SeriesNumber=6), name="cta", uid=2, n_frames=1)
    series = accepted(join(folder, angiography, "a"), "FILES_NOT_USED")
    assert series.acquisition.description == "Perfusion 1.5 s"


def test_two_equal_candidates_are_for_the_user_to_choose(make_study, refused):
    folder = join(make_study(), make_study(name="other", uid=2), "b")
    error = refused(folder)
    assert isinstance(error, AmbiguousSeries)
    chosen = error.found.split("--series ")[1].split(";")[0].strip()
    assert load(folder, options=ReadOptions(series=chosen)).n_frames == 10


def test_two_patients_in_one_folder_are_never_mixed(make_study, refused):
    other = make_study(with_all(PatientID="P2"), name="other", uid=2)
    assert isinstance(refused(join(make_study(), other, "b")), AmbiguousSeries)


def test_two_patients_under_one_series_uid_are_never_mixed(make_study, refused):
    other = make_study(with_all(PatientID="P2"), name="other")
    refused(join(make_study(), other, "b"))


def test_another_image_under_the_same_uid_is_told(make_study, accepted):
    folder = make_study()
    file = pydicom.dcmread(sorted(folder.iterdir())[5])
    file.PixelData = bytes(640)
    file.save_as(folder / "copy.dcm")
    accepted(folder, "DUPLICATE_IMAGES", "FILES_NOT_USED")


def test_every_image_twice_is_one_study(make_study, accepted):
    folder = make_study()
    good = load(folder)
    series = accepted(join(folder, make_study(name="copy"), "again-"), "DUPLICATE_IMAGES")
    np.testing.assert_array_equal(series.frames, good.frames)


@pytest.mark.parametrize("n_frames", [1, 2, 7])
def test_too_few_frames_are_no_perfusion_series(make_study, refused, n_frames):
    assert f"{n_frames} frame" in refused(make_study(n_frames=n_frames)).found


def test_a_single_image_is_no_perfusion_series(make_study, refused):
    assert isinstance(refused(sorted(make_study().iterdir())[0]), NoSeries)


@pytest.mark.parametrize("modality", ["PT", "US", "SR"])
def test_another_modality_is_refused(make_study, refused, modality):
    assert isinstance(refused(make_study(with_all(Modality=modality))), NoSeries)


def test_the_modality_asked_for_must_be_there(make_study, refused):
    error = refused(make_study(), options=ReadOptions(modality=Modality.MR))
    assert "not MR" in error.found


def test_an_unknown_series_name_is_refused(make_study, refused):
    assert isinstance(refused(make_study(), options=ReadOptions(series="no such")), NoSeries)


# --- times ---


def test_one_time_for_all_files_asks_for_dt(make_study, refused, accepted):
    folder = make_study(with_all(AcquisitionTime="120000", ContentTime="120000"))
    assert isinstance(refused(folder), BadTimes)
    series = accepted(folder, "TIME_GUESSED", options=ReadOptions(dt_s=1.5))
    np.testing.assert_allclose(series.times, np.arange(10) * 1.5)


def test_no_times_ask_for_dt(make_study, refused):
    error = refused(make_study(without("AcquisitionTime", "ContentTime", "AcquisitionDate", "ContentDate")))
    assert "--dt" in error.remedy


def test_midnight_is_crossed(make_study):
    def edit(file: Dataset, k: int, frame: int) -> None:
        seconds = 86400 - 6.0 + frame * 1.5
        day, rest = divmod(seconds, 86400)
        file.AcquisitionTime = file.ContentTime = (
            f"{int(rest // 3600):02d}{int(rest // 60 % 60):02d}{rest % 60:06.3f}"
        )
        file.AcquisitionDate = file.ContentDate = f"2026010{2 + int(day)}"

    np.testing.assert_allclose(load(make_study(edit)).times, np.arange(10) * 1.5)


def test_reversed_numbers_do_not_reverse_time(make_study):
    def edit(file: Dataset, k: int, frame: int) -> None:
        file.InstanceNumber = 1000 - file.InstanceNumber

    good, odd = load(make_study(name="good")), load(make_study(edit, name="odd"))
    np.testing.assert_array_equal(odd.frames, good.frames)


# --- values ---


def test_a_slope_of_zero_is_refused(make_study, refused):
    assert "RescaleSlope" in refused(make_study(with_all(RescaleSlope=0))).found


@pytest.mark.parametrize("slope", ["abcd", "NaN ", "-inf", "1e99"])
def test_a_slope_that_is_no_number_is_refused(make_study, refused, slope):
    folder = make_study(with_all(RescaleSlope="1.25"))
    for file in folder.iterdir():
        content = file.read_bytes()
        spoilt = content.replace(b"\x53\x10DS\x04\x001.25", b"\x53\x10DS\x04\x00" + slope.encode())
        assert spoilt != content
        file.write_bytes(spoilt)
    assert "RescaleSlope" in refused(folder).found


def test_a_tube_voltage_that_is_no_number_costs_no_image(make_study):
    folder = make_study(with_all(KVP=80, SliceThickness=5.5))
    good = load(folder)
    for file in folder.iterdir():
        content = file.read_bytes()
        spoilt = content.replace(b"\x60\x00DS\x04\x0080.0", b"\x60\x00DS\x04\x008O.0")
        spoilt = spoilt.replace(b"\x50\x00DS\x04\x005.5 ", b"\x50\x00DS\x04\x005,5 ")
        assert sum(a != b for a, b in zip(spoilt, content, strict=True)) == 2
        file.write_bytes(spoilt)
    odd = load(folder)
    assert (good.acquisition.kvp, odd.acquisition.kvp, odd.acquisition.thickness_mm) == (80, None, None)
    np.testing.assert_array_equal(odd.frames, good.frames)


@pytest.mark.parametrize("name", ["RescaleSlope", "RescaleIntercept"])
def test_an_empty_rescaling_is_told(make_study, accepted, name):
    accepted(make_study(with_all(**{name: None})), "NO_RESCALE")


def test_one_image_without_rescaling_is_not_mixed_with_the_others(make_study, accepted):
    def edit(file: Dataset, k: int, frame: int) -> None:
        if (k, frame) == (1, 3):
            del file.RescaleSlope, file.RescaleIntercept

    good, odd = load(make_study(name="good")), accepted(make_study(edit), "MISSING_SLICES")
    assert np.abs(odd.frame(3) - good.frame(3)).max() < 200


def test_missing_rescaling_is_told(make_study, accepted):
    accepted(make_study(without("RescaleSlope", "RescaleIntercept")), "NO_RESCALE")


def test_a_slope_of_each_slice_is_applied_to_it(make_study):
    good = load(make_study(name="good"))

    def edit(file: Dataset, k: int, frame: int) -> None:
        file.RescaleSlope = k + 1

    series = load(make_study(edit, name="odd"))
    for k in range(4):
        expected = (good.frame(5)[:, :, k] + 1024) * (k + 1) - 1024
        np.testing.assert_allclose(series.frame(5)[:, :, k], expected)


def test_padding_becomes_air_and_saturated_values_stay(make_study, accepted):
    def edit(file: Dataset, k: int, frame: int) -> None:
        values = np.frombuffer(file.PixelData, dtype=np.uint16).reshape(16, 20).astype(np.int16) - 1024
        values[0], values[5, 5] = -3024, 4095
        file.PixelRepresentation, file.RescaleIntercept, file.BitsStored, file.HighBit = 1, 0, 16, 15
        file.PixelData = values.tobytes()

    frame = accepted(make_study(edit), "PADDING").frame(0)
    assert frame.min() >= -1024
    assert frame.max() == 4095


HOSTILE = '<script>alert(1)</script>"><img onerror=1>/../../x\x1b[31m\u202e=cmd|'


def test_hostile_text_does_no_harm(make_study):
    def edit(file: Dataset, k: int, frame: int) -> None:
        file.SpecificCharacterSet = "ISO_IR 192"
        file.SeriesDescription, file.StudyDescription = HOSTILE[:60], HOSTILE[:60]
        file.Manufacturer = HOSTILE[:60]

    seen = load(make_study(edit)).acquisition
    assert seen.description.isprintable()
    assert "\u202e" not in seen.description + seen.manufacturer
    assert seen.manufacturer.isprintable()


def test_a_uid_that_is_a_path_is_refused(make_study, refused, recwarn):
    folder = make_study(with_all(SeriesInstanceUID="../../etc/passwd"))
    assert "UID" in refused(folder).found


# --- nifti, through the same door ---


@pytest.mark.parametrize("content", [b"", b"text", bytes(400), b"\x1f\x8b\x08"])
def test_a_broken_nifti_file_is_refused(tmp_path, refused, content):
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(content)
    assert isinstance(refused(path), BadInput)


def test_pictures_are_no_study(tmp_path, refused):
    from PIL import Image

    for i in range(3):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / f"{i}.png")
    assert isinstance(refused(tmp_path), NoSeries)
