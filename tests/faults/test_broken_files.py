"""Files that are not what they seem are refused or passed over, each with a word about it."""

import io
import os
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGBaseline8Bit, RLELossless

from bolus.core.errors import BadInput, NoSeries, UnreadableFile
from bolus.read import load

pytestmark = pytest.mark.timeout(60)

SYNTAX = b"1.2.840.10008.1.2.1\0"
PIXELS = b"\xe0\x7f\x10\x00OW\0\0" + struct.pack("<I", 640)
ROWS_US, ROWS_UL = b"\x28\x00\x10\x00US\x02\x00\x10\x00", b"\x28\x00\x10\x00UL\x04\x00\x10\x00\x00\x10"
OPEN_ITEM = b"\x08\x00\x15\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"


def nested(content: bytes) -> bytes:
    """Put ten thousand sequences, one inside the other, before the pixels."""
    at = content.index(b"\x28\x00\x02\x00")
    return content[:at] + OPEN_ITEM * 10_000 + content[at:]


def unclosed(content: bytes) -> bytes:
    at = content.index(PIXELS)
    return content[:at] + b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + content[at + 12 :]


def negative_length(content: bytes) -> bytes:
    at = content.index(PIXELS)
    return content[: at + 8] + struct.pack("<i", -2) + content[at + 12 :]


SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "132 zero bytes": lambda _: bytes(132),
    "text": lambda _: b"this is a text named .dcm\n" * 30,
    "truncated in the preamble": lambda b: b[:100],
    "truncated in the header": lambda b: b[:300],
    "truncated in the pixels": lambda b: b[:-100],
    "preamble without a magic word": lambda b: b[:128] + b[132:],
    "another byte order than said": lambda b: b.replace(SYNTAX, b"1.2.840.10008.1.2.2\0"),
    "nested without end": nested,
    "odd length of the pixels": lambda b: b[:-1].replace(PIXELS, PIXELS[:-4] + struct.pack("<I", 639)),
    "rows of a wrong kind": lambda b: b.replace(ROWS_US, ROWS_UL),
    "random bytes": lambda b: np.random.default_rng(len(b)).bytes(len(b)),
    "random bytes after the magic word": lambda b: b[:132] + np.random.default_rng(len(b)).bytes(len(b)),
}


@pytest.fixture(params=SPOILT.items(), ids=SPOILT.keys())
def spoil(request: pytest.FixtureRequest) -> Callable[[bytes], bytes]:
    return request.param[1]


def rewrite(files: list[Path], change: Callable[[bytes], bytes]) -> None:
    for file in files:
        file.write_bytes(change(file.read_bytes()))


def test_a_good_study_is_read(make_study, accepted):
    series = accepted(make_study(), "CLOCK")
    assert series.frames.shape == (20, 16, 4, 10)
    np.testing.assert_allclose(series.times, np.arange(10) * 1.5)


def test_spoilt_files_alone_are_refused(make_study, refused, spoil):
    folder = make_study()
    rewrite(sorted(folder.iterdir()), spoil)
    error = refused(folder)
    assert isinstance(error, NoSeries | UnreadableFile)
    assert "40" in error.found


def test_one_spoilt_file_is_told_and_the_rest_is_read(make_study, accepted, spoil):
    folder = make_study()
    rewrite(sorted(folder.iterdir())[21:22], spoil)
    series = accepted(folder, "FILES_NOT_USED")
    assert series.n_frames >= 9
    assert {"MISSING_SLICES", "FRAMES_DROPPED"} & {f.code for f in series.findings}


HARMLESS: dict[str, Callable[[bytes], bytes]] = {
    "another explicitness than said": lambda b: b.replace(SYNTAX, b"1.2.840.10008.1.2\0\0\0"),
    "bytes after the end": lambda b: b + bytes(50),
    "no preamble": lambda b: b[132:],
    "pixels of undefined length, never closed": unclosed,
    "negative length of the pixels": negative_length,
}


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_can_be_read_in_spite_of_an_oddity_is_read_right(make_study, change):
    good = load(make_study(name="good"))
    folder = make_study(name="odd")
    rewrite(sorted(folder.iterdir()), change)
    odd = load(folder)
    np.testing.assert_array_equal(odd.frame(5), good.frame(5))
    np.testing.assert_array_equal(odd.times, good.times)


def only_one(edit: Callable[[Dataset], None]) -> Callable[[Dataset, int, int], None]:
    return lambda file, k, frame: edit(file) if (k, frame) == (1, 3) else None


def test_a_file_without_transfer_syntax_is_read(make_study):
    def edit(file: Dataset, k: int, frame: int) -> None:
        del file.file_meta.TransferSyntaxUID

    assert load(make_study(edit)).n_frames == 10


def test_deep_but_finite_nesting_is_read(make_study):
    def edit(file: Dataset) -> None:
        item = Dataset()
        for _ in range(100):
            outer = Dataset()
            outer.ReferencedSeriesSequence = Sequence([item])
            item = outer
        file.ReferencedSeriesSequence = item.ReferencedSeriesSequence

    assert load(make_study(only_one(edit))).n_frames == 10


def test_a_deflate_bomb_is_passed_over_quickly(make_study, accepted):
    folder = make_study()
    bomb = sorted(folder.iterdir())[0]
    file = pydicom.dcmread(bomb)
    file.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    file.add_new(0x00090010, "LO", "X")
    file.add_new(0x00091001, "OB", bytes(100_000_000))
    file.save_as(bomb)
    start = time.perf_counter()
    accepted(folder, "FILES_NOT_USED")
    assert time.perf_counter() - start < 10


def test_a_run_length_bomb_is_passed_over_quickly(make_study, accepted):
    def edit(file: Dataset) -> None:
        file.file_meta.TransferSyntaxUID = RLELossless
        file.Rows = file.Columns = 20_000
        run = b"\x81\x00" * 500_000
        header = struct.pack("<16I", 2, 64, 64 + len(run), *[0] * 13)
        file.PixelData = encapsulate([header + run * 2])
        file["PixelData"].VR = "OB"

    start = time.perf_counter()
    accepted(make_study(only_one(edit)), "FILES_NOT_USED")
    assert time.perf_counter() - start < 10


def jpeg_of_another_size(file: Dataset) -> None:
    packed = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(packed, "JPEG")
    file.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    file.BitsAllocated = file.BitsStored = 8
    file.HighBit = 7
    file.PixelData = encapsulate([packed.getvalue()])
    file["PixelData"].VR = "OB"


def test_compressed_pixels_of_another_size_are_refused(make_study, refused):
    error = refused(make_study(lambda file, *_: jpeg_of_another_size(file)))
    assert isinstance(error, UnreadableFile)


def test_one_image_of_another_compressed_size_is_told(make_study, accepted):
    accepted(make_study(only_one(jpeg_of_another_size)), "DAMAGED_IMAGES", "MISSING_SLICES")


@pytest.mark.parametrize(
    "claim",
    [{"Rows": 0}, {"Rows": 65535, "Columns": 65535}, {"NumberOfFrames": 2**31 - 1}, {"BitsAllocated": 64}],
)
def test_a_header_that_claims_the_impossible_is_refused(make_study, refused, claim):
    def edit(file: Dataset, k: int, frame: int) -> None:
        for name, value in claim.items():
            setattr(file, name, value)

    assert isinstance(refused(make_study(edit)), UnreadableFile | NoSeries)


def test_colour_by_palette_is_refused(make_study, refused):
    def edit(file: Dataset, k: int, frame: int) -> None:
        file.PhotometricInterpretation = "PALETTE COLOR"
        for colour in ("Red", "Green", "Blue"):
            setattr(file, f"{colour}PaletteColorLookupTableDescriptor", [4, 0, 16])
            setattr(file, f"{colour}PaletteColorLookupTableData", bytes(8))

    assert "colour" in refused(make_study(edit)).found


def test_a_huge_private_element_does_not_matter(make_study):
    def edit(file: Dataset) -> None:
        file.add_new(0x00090010, "LO", "X")
        file.add_new(0x00091001, "OB", bytes(50_000_000))

    assert load(make_study(only_one(edit))).n_frames == 10


def test_a_dicomdir_leads_nowhere_else(make_study, accepted, tmp_path):
    outside = make_study(name="outside", uid=9)
    folder = make_study()
    (folder / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + f"../{outside.name}/9-000-000.dcm".encode())
    assert accepted(folder, "FILES_NOT_USED").acquisition.n_files in {0, 40}


def test_links_pipes_and_devices_in_a_folder_are_not_followed(make_study, accepted):
    folder = make_study()
    (folder / "loop").symlink_to(folder)
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "dangling").symlink_to("/nowhere")
    os.mkfifo(folder / "pipe")
    assert accepted(folder, "FILES_NOT_USED").n_frames == 10


def test_thousands_of_other_files_are_passed_over(make_study, accepted):
    folder = make_study()
    for i in range(2000):
        (folder / f"note-{i}.txt").write_text("x")
    assert accepted(folder, "FILES_NOT_USED").n_frames == 10


def zipped(folder: Path, *, prefix: str = "") -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as packed:
        for file in folder.iterdir():
            packed.write(file, prefix + file.name)
    return path


def test_a_zip_is_read_like_its_folder(make_study):
    folder = make_study()
    packed, plain = load(zipped(folder)), load(folder)
    np.testing.assert_array_equal(packed.frames, plain.frames)


def test_a_zip_that_writes_elsewhere_is_refused(make_study, refused):
    assert "outside" in refused(zipped(make_study(), prefix="../")).what


def test_a_truncated_zip_is_refused(make_study, refused):
    path = zipped(make_study())
    path.write_bytes(path.read_bytes()[:5000])
    assert "damaged" in refused(path).what


@pytest.mark.parametrize("name", ["nothing", "empty", "empty.dcm"])
def test_nothing_to_read_is_refused(tmp_path, refused, name):
    path = tmp_path / name
    if name == "empty":
        path.mkdir()
    elif name == "empty.dcm":
        path.touch()
    refused(path)


def test_a_folder_that_may_not_be_opened_is_refused(make_study, refused, monkeypatch):
    folder = make_study()

    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", forbidden)
    assert "permit" in str(refused(folder))


def test_files_that_may_not_be_opened_are_refused(make_study, refused):
    folder = make_study()
    for file in folder.iterdir():
        file.chmod(0)
    if os.access(next(folder.iterdir()), os.R_OK):
        pytest.skip("this user may read everything")
    refused(folder)


@pytest.mark.slow
def test_flipped_bytes_never_do_more_than_refuse(make_study, tmp_path):
    rng = np.random.default_rng(7)
    contents = [file.read_bytes() for file in sorted(make_study(name="good", n_frames=8).iterdir())]
    for trial in range(60):
        folder = tmp_path / f"trial-{trial}"
        folder.mkdir()
        common = rng.integers(132, len(contents[0]) - 641, size=2)
        for i, content in enumerate(contents):
            spoilt = bytearray(content)
            spots = common if trial % 2 else rng.integers(132, len(spoilt) - 641, size=3)
            for at in spots:
                spoilt[min(at, len(spoilt) - 641)] = (int(common[0]) * 7 + int(at)) % 256
            (folder / f"{i}.dcm").write_bytes(spoilt)
        try:
            series = load(folder)
        except BadInput as error:
            assert error.what  # noqa: PT017 - either outcome is right
        else:
            assert np.isfinite(series.frame(0)).all()
