import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLSLossless, RLELossless

from bolus.core.errors import NoSeries, UnreadableFile
from bolus.read import load


def codes(series):
    return {finding.code for finding in series.findings}


def compress(folder, syntax):
    for path in folder.iterdir():
        image = dcmread(path)
        image.compress(syntax, generate_instance_uid=False)
        image.save_as(path)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
def test_compressed_pixels_are_the_same(tmp_path, dicom, syntax):
    plain = load(dicom.series(tmp_path / "a"))
    packed = dicom.series(tmp_path / "b")
    compress(packed, syntax)
    assert np.array_equal(load(packed).frames, plain.frames)


def test_a_series_larger_than_the_machine_is_refused_before_it_is_decoded(tmp_path, dicom, monkeypatch):
    folder = dicom.series(tmp_path / "s")
    monkeypatch.setattr("bolus.read.memory.MAX_BYTES", 12 * 10 * 4 * 10 * 2 - 1)  # two bytes a voxel
    with pytest.raises(UnreadableFile, match="too large") as caught:
        load(folder)
    assert caught.value.where == str(folder)
    monkeypatch.setattr("bolus.read.memory.MAX_BYTES", 12 * 10 * 4 * 10 * 2)
    assert load(folder).frames.nbytes == 12 * 10 * 4 * 10 * 2


def test_frames_are_small_integers_in_c_order_with_time_last(tmp_path, dicom):
    def signed(image, k, t):
        image.PixelRepresentation = 1

    series = load(dicom.series(tmp_path / "s", signed))
    assert series.frames.dtype == np.int16
    assert series.frames.flags.c_contiguous
    assert series.unit == "HU"


def test_scales_that_differ_are_kept_by_slice_and_time(tmp_path, dicom):
    def scale(image, k, t):
        image.RescaleSlope, image.RescaleIntercept = 1 + k, 10 * t

    series = load(dicom.series(tmp_path / "s", scale, modality="MR"))
    assert series.slope.shape == (4, 10)
    stored = dicom.pixels(2, 7)[5, 3]
    assert series.frame(7)[3, 5, 2] == pytest.approx(3 * stored + 70)


def test_a_filled_image_between_two_scales_has_the_right_values(tmp_path, dicom):
    def scale(image, k, t):
        image.RescaleSlope, image.RescaleIntercept = 1, -1024 + t
        image.PixelData = (dicom.pixels(k, t) - t).astype(np.uint16).tobytes()
        return (k, t) != (1, 5)

    series = load(dicom.series(tmp_path / "s", scale))
    assert series.frame(5)[6, 6, 1] == pytest.approx(dicom.value(6, 6, 1, 5), abs=0.51)


def test_signed_and_unsigned_files_mix(tmp_path, dicom):
    def mixed(image, k, t):
        if t % 2:
            image.PixelRepresentation = 1

    series = load(dicom.series(tmp_path / "s", mixed))
    assert series.frame(3)[2, 2, 1] == dicom.value(2, 2, 1, 3)
    assert series.frame(4)[2, 2, 1] == dicom.value(2, 2, 1, 4)


@pytest.mark.parametrize(("padding", "signed"), [(-2000, 1), (63536, 0), (-2000, 0)])
def test_padding_becomes_air(tmp_path, dicom, padding, signed):
    def pad(image, k, t):
        image.PixelRepresentation = signed
        pixels = dicom.pixels(k, t).astype(np.int64)
        pixels[0, :3] = -2000
        image.PixelData = (pixels % 65536).astype("<u2").tobytes()
        image.add_new("PixelPaddingValue", "SS" if padding < 0 else "US", padding)

    series = load(dicom.series(tmp_path / "s", pad))
    assert series.frame(3)[:3, 0, 1].tolist() == [-1024.0] * 3
    assert series.frame(3)[3, 0, 1] == dicom.value(3, 0, 1, 3)
    assert next(f for f in series.findings if f.code == "PADDING").value == pytest.approx(3 / 120)


def test_padding_that_looks_like_tissue_is_left_alone(tmp_path, dicom):
    def pad(image, k, t):
        image.add_new("PixelPaddingValue", "US", int(dicom.pixels(0, 0)[5, 5]) + 1200)

    series = load(dicom.series(tmp_path / "s", pad))
    assert series.frame(0)[5, 5, 1] == dicom.value(5, 5, 1, 0)
    assert "PADDING" not in codes(series)


def test_overlays_in_unused_bits_are_removed(tmp_path, dicom):
    def overlay(image, k, t):
        image.BitsStored, image.HighBit = 12, 11
        pixels = dicom.pixels(k, t) % 4096
        image.PixelData = (pixels | 0x8000).astype("<u2").tobytes()

    series = load(dicom.series(tmp_path / "s", overlay, modality="MR"))
    assert series.frame(2)[4, 4, 1] == dicom.pixels(1, 2)[4, 4]


def test_an_image_of_another_size_than_its_header_is_treated_as_missing(tmp_path, dicom):
    folder = dicom.series(tmp_path / "s", lambda image, k, t: setattr(image, "PatientComments", f"{k},{t}"))
    compress(folder, JPEGLSLossless)
    files = {dcmread(path, stop_before_pixels=True).PatientComments: path for path in folder.iterdir()}
    image = dcmread(files["1,4"])
    image.PixelData = encapsulate([b"\xff\xd8 not a picture \xff\xd9"])
    image.save_as(files["1,4"])
    series = load(folder)
    assert {"DAMAGED_IMAGES", "MISSING_SLICES"} <= codes(series)
    assert series.frame(4)[3, 3, 1] == dicom.value(3, 3, 1, 4)


def test_a_damaged_end_frame_is_left_out(tmp_path, dicom):
    folder = dicom.series(tmp_path / "s", lambda image, k, t: setattr(image, "PatientComments", f"{k},{t}"))
    compress(folder, RLELossless)
    path = next(p for p in folder.iterdir() if dcmread(p, stop_before_pixels=True).PatientComments == "1,9")
    image = dcmread(path)
    image.PixelData = encapsulate([b"\0" * 70])
    image.save_as(path)
    series = load(folder)
    assert series.n_frames == 9
    assert series.frame(8)[3, 3, 1] == dicom.value(3, 3, 1, 8)


def test_a_series_that_cannot_be_decoded_is_refused(tmp_path, dicom):
    folder = dicom.series(tmp_path / "s")
    compress(folder, RLELossless)
    for path in folder.iterdir():
        image = dcmread(path)
        image.PixelData = encapsulate([b"\0" * 70])
        image.save_as(path)
    with pytest.raises(UnreadableFile, match="cannot be decoded"):
        load(folder)


def test_floating_point_pixels_are_a_map(tmp_path, dicom):
    def floating(image, k, t):
        del image.PixelData
        image.BitsAllocated = image.BitsStored = 32
        image.HighBit = 31
        image.FloatPixelData = dicom.pixels(k, t).astype("<f4").tobytes()

    with pytest.raises(NoSeries, match="floating-point"):
        load(dicom.series(tmp_path / "s", floating, frames=1))


def test_ct_without_rescale_is_told(tmp_path, dicom):
    def bare(image, k, t):
        del image.RescaleSlope
        del image.RescaleIntercept

    assert "NO_RESCALE" in codes(load(dicom.series(tmp_path / "s", bare)))


def test_inverted_display_leaves_the_values(tmp_path, dicom):
    def inverted(image, k, t):
        image.PhotometricInterpretation = "MONOCHROME1"

    series = load(dicom.series(tmp_path / "s", inverted))
    assert series.frame(1)[2, 2, 2] == dicom.value(2, 2, 2, 1)
    assert "MONOCHROME1" in codes(series)
