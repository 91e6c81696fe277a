"""Files that are not what they should be: each costs itself, never the study."""

import os
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread, dcmwrite
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless

from bolus.core.errors import NoSeries, UnreadableFile
from bolus.read import load, survey
from bolus.read.dicom.images.file import read_images
from bolus.read.files import find_files


def one_file(dicom, folder, edit=None):
    def first_only(image, k, t):
        return (edit(image) if edit else None) if (k, t) == (0, 0) else False

    return next(dicom.series(folder, first_only).iterdir())


def reason_of(path):
    images, rejected = read_images(path)
    assert images == ()
    return rejected.reason


def test_a_header_becomes_one_image(tmp_path, dicom):
    (image,), rejected = read_images(one_file(dicom, tmp_path / "s"))
    assert rejected is None
    assert image.position == dicom.origin
    assert image.kind.plane == (1, 0, 0, 0, 1, 0, 0.9, 0.8)
    assert image.slope == 1.0
    assert image.intercept == -1024.0


def test_no_name_of_the_patient_is_kept(tmp_path, dicom):
    (image,), _ = read_images(one_file(dicom, tmp_path / "s"))
    assert "SECRET" not in repr(image)
    assert "4711" not in repr(image)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\0" * 132, "not DICOM"),
        (b"patient report\n", "not DICOM"),
        (b"\0" * 128 + b"DICM", "damaged header|not an image"),
        (b"\0" * 128 + b"DICM" + np.random.default_rng(0).bytes(64), "damaged header|not an image"),
        (b"\0" * 128 + b"DICM" + b"\x08\x00\x05\x00CS" + bytes(range(58)), "damaged|truncated|not an image"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # silenced by `bolus.read.study`, which reads folders
def test_junk_is_passed_over_with_its_reason(tmp_path, content, reason):
    path = tmp_path / "junk.dcm"
    path.write_bytes(content)
    assert re.search(reason, reason_of(path))


def test_truncated_files_say_where(tmp_path, dicom):
    path = one_file(dicom, tmp_path / "s")
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    assert reason_of(path) == "truncated: fewer pixels than the header claims"
    path.write_bytes(whole[: len(whole) - 2 * dicom.rows * dicom.columns - 12])
    assert reason_of(path) == "truncated before the pixels, or without any"
    path.write_bytes(whole[:400])
    assert reason_of(path) == "DICOM, but not an image"
    path.write_bytes(whole[: len(whole) - 2 * dicom.rows * dicom.columns - 4])
    assert reason_of(path) == "truncated in the header"


def test_bytes_after_the_pixels_do_not_matter(tmp_path, dicom):
    path = one_file(dicom, tmp_path / "s")
    path.write_bytes(path.read_bytes() + b"\xfc\xff\xfc\xff" + b"\0" * 60)
    assert read_images(path)[1] is None


def test_files_without_a_preamble_are_read(tmp_path, dicom):
    path = one_file(dicom, tmp_path / "s")
    path.write_bytes(path.read_bytes()[132:])
    (image,), _ = read_images(path)
    assert image.kind.rows == dicom.rows


def test_deflated_files_are_not_inflated(tmp_path, dicom):
    path = one_file(dicom, tmp_path / "s")
    image = dcmread(path)
    image.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    image.save_as(path)
    assert reason_of(path).startswith("deflated")


def test_big_endian_files_are_read(tmp_path, dicom):
    folder = dicom.series(tmp_path / "s")
    for path in folder.iterdir():
        image = dcmread(path)
        image.PixelData = image.pixel_array.astype(">u2").tobytes()
        image.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        dcmwrite(path, image, little_endian=False, implicit_vr=False)
    assert load(folder).frame(3)[2, 5, 1] == dicom.value(2, 5, 1, 3)


def test_nested_sequences_without_end_are_survived(tmp_path, dicom):
    path = one_file(dicom, tmp_path / "s")
    whole = path.read_bytes()
    at = whole.index(struct.pack("<HH", 0x0008, 0x1030)[:2] + b"\x60\x00CS")  # before Modality
    opening = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    path.write_bytes(whole[:at] + opening * 5000 + whole[at:])
    assert read_images(path)[0] == ()


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("Rows", 0, "absurd image size"),
        ("Rows", 65535, "absurd image size"),
        ("Rows", 4000, "fewer pixels"),
        ("NumberOfFrames", 2**31 - 1, "fewer pixels"),
        ("SamplesPerPixel", 3, "colour"),
        ("PhotometricInterpretation", "PALETTE COLOR", "colour"),
        ("BitsAllocated", 1, "1 bits"),
        ("BitsStored", 40, "bits stored"),
        ("Modality", "US", "modality US"),
    ],
)
def test_absurd_claims_are_refused_before_decoding(tmp_path, dicom, name, value, reason):
    path = one_file(dicom, tmp_path / "s", lambda image: setattr(image, name, value))
    assert reason in reason_of(path)


def test_compressed_claims_have_a_limit(tmp_path, dicom):
    path = one_file(dicom, tmp_path / "s")
    image = dcmread(path)
    image.compress(RLELossless)
    image.Rows, image.Columns, image.NumberOfFrames = 8000, 8000, 60
    image.save_as(path)
    assert "more pixels than the file can hold" in reason_of(path)


def test_a_header_in_the_wrong_byte_order_is_refused(tmp_path, dicom):
    path = one_file(dicom, tmp_path / "s")
    whole = path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.2\0")
    path.write_bytes(whole)
    assert read_images(path)[0] == ()


def test_folders_are_searched_without_getting_lost(tmp_path, dicom):
    dicom.series(tmp_path / "deep" / "er" / "s")
    (tmp_path / "deep" / "loop").symlink_to(tmp_path)
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "empty").touch()
    (tmp_path / ".hidden").write_bytes(b"x")
    (tmp_path / "DICOMDIR").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    found, skipped = find_files(tmp_path)
    assert len(found) == dicom.slices * dicom.frames
    assert sorted(r.reason for r in skipped) == [
        "a directory record, not an image",
        "a folder that leads back to itself or lies too deep",
        "a link that leads nowhere",
        "empty",
        "hidden",
        "not a regular file",
    ]


def test_links_to_files_are_followed(tmp_path, dicom):
    folder = dicom.series(tmp_path / "s")
    (tmp_path / "links").mkdir()
    for path in folder.iterdir():
        (tmp_path / "links" / path.name).symlink_to(path)
    assert load(tmp_path / "links").n_frames == dicom.frames


def test_a_missing_place_is_said_so(tmp_path):
    with pytest.raises(UnreadableFile, match="nowhere"):
        load(tmp_path / "nowhere")


def test_an_empty_folder_is_said_so(tmp_path):
    with pytest.raises(NoSeries, match="empty"):
        load(tmp_path)


def test_a_folder_of_damaged_files_is_unreadable(tmp_path, dicom):
    folder = dicom.series(tmp_path / "s", frames=2)
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(UnreadableFile, match="8 files: truncated"):
        load(folder)


def test_few_truncated_files_are_filled_and_counted(tmp_path, dicom):
    folder = dicom.series(tmp_path / "s", lambda image, k, t: setattr(image, "PatientComments", f"{k},{t}"))
    spoil(folder, {"2,4"})
    series = load(folder)
    assert series.frame(4)[3, 3, 2] == dicom.value(3, 3, 2, 4)
    assert "truncated" in next(f for f in series.findings if f.code == "FILES_NOT_USED").text


def test_many_truncated_files_are_refused(tmp_path, dicom):
    folder = dicom.series(tmp_path / "s", lambda image, k, t: setattr(image, "PatientComments", f"{k},{t}"))
    spoil(folder, {"0,2", "1,4", "2,6", "3,7"})
    with pytest.raises(UnreadableFile, match="too many files of the series are damaged"):
        load(folder)


def spoil(folder: Path, which: set[str]) -> None:
    for path in folder.iterdir():
        if dcmread(path).PatientComments in which:
            path.write_bytes(path.read_bytes()[:-40])


def test_every_file_is_accounted_for(tmp_path, dicom):
    dicom.series(tmp_path / "s")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "zero").touch()
    seen = survey(tmp_path)
    assert seen.n_files == 42
    assert sum(c.n_images for c in seen.candidates) + sum(seen.rejected.values()) == 42
    assert seen.rejected == {"not DICOM": 1, "empty": 1}


def test_odd_text_is_made_harmless(tmp_path, dicom):
    def evil(image, k, t):
        image.SeriesDescription = "perf\x1b[31m<script>\u202eabc\r\n"
        image.SpecificCharacterSet = "ISO_IR 192"

    series = load(dicom.series(tmp_path / "s", evil))
    assert series.acquisition.description == "perf[31m<script>abc"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_said_so(tmp_path):
    tmp_path.chmod(0)
    try:
        with pytest.raises(UnreadableFile, match="cannot be opened"):
            load(tmp_path)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.filterwarnings("ignore")  # pydicom's, which `load` and `survey` keep quiet
def test_random_damage_never_escapes(tmp_path, dicom):
    rng = np.random.default_rng(4)
    path = one_file(dicom, tmp_path / "s")
    whole = bytearray(path.read_bytes())
    for _ in range(150):
        spoilt = whole.copy()
        for at in rng.integers(132, len(whole) - 240, size=8):
            spoilt[at] = rng.integers(256)
        path.write_bytes(bytes(spoilt))
        images, rejected = read_images(path)
        assert bool(images) != (rejected is not None)
