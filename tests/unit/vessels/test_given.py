"""Curves that the user gives."""

from pathlib import Path

import numpy as np
import pytest

from bolus.core.errors import BadTimes, NoVessel, ShapeMismatch, UnreadableFile
from bolus.core.units import Unit
from bolus.core.vessel import VesselCurve
from bolus.vessels import curve_from_csv, find_vessels


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def table(times: np.ndarray, values: np.ndarray) -> str:
    return "time_s,value\n" + "".join(f"{t:g},{v:g}\n" for t, v in zip(times, values, strict=True))


def test_a_table_is_read_with_its_own_times(tmp_path):
    path = write(tmp_path / "aif.csv", "# from elsewhere\ntime_s,value\n0,0\n1.5,10\n3,4\n")

    found = curve_from_csv(path, "AIF", Unit.HU)

    assert found.times.tolist() == [0.0, 1.5, 3.0]
    assert found.values.tolist() == [0.0, 10.0, 4.0]
    assert found.origin == "given table aif.csv"


def test_a_table_without_headings_or_with_a_byte_order_mark_is_read(tmp_path):
    path = write(tmp_path / "aif.csv", "\ufeff0,0\n1,5\n2,1\n")

    assert curve_from_csv(path, "AIF", Unit.HU).values.tolist() == [0.0, 5.0, 1.0]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", NoVessel, "0 lines"),
        ("time_s,value\n", NoVessel, "0 lines"),
        ("0,1\n1,2\n", NoVessel, "2 lines"),
        ("0,1\n1,x\n2,3\n", NoVessel, "line 2"),
        ("0,1\n1,nan\n2,3\n", NoVessel, "line 2"),
        ("0\n1\n2\n", NoVessel, "line 1"),
        ("0,0\n1,-2\n2,0\n", NoVessel, "never positive"),
        ("0,1\n2,2\n2,3\n", BadTimes, "do not increase"),
        ("5,1\n4,2\n3,3\n", BadTimes, "do not increase"),
    ],
)
def test_what_is_no_curve_is_refused(tmp_path, text, error, message):
    with pytest.raises(error, match=message) as caught:
        curve_from_csv(write(tmp_path / "aif.csv", text), "AIF", Unit.HU)

    assert "aif.csv" in str(caught.value)


def test_files_that_cannot_be_read_are_named(tmp_path):
    binary = tmp_path / "image.csv"
    binary.write_bytes(bytes(range(256)) * 4)

    for path in (tmp_path / "absent.csv", tmp_path, binary):
        with pytest.raises(UnreadableFile, match="cannot be read"):
            curve_from_csv(path, "AIF", Unit.HU)


def test_a_given_curve_is_put_on_the_clock_of_the_scan(head, tmp_path):
    known = head()
    coarse = np.arange(0.0, 61.0, 2.0)
    path = write(tmp_path / "aif.csv", table(coarse, np.interp(coarse, known.raw.times, known.aif)))

    found = find_vessels(known.raw, known.brain, aif=str(path))

    np.testing.assert_array_equal(found.aif.times, known.raw.times)
    np.testing.assert_allclose(found.aif.values[::2], known.aif[::2], atol=0.01)
    assert found.aif.voxels.shape == (0, 3)
    assert found.aif.quality["n_voxels"] == 0
    assert found.vof is not None


def test_a_given_curve_must_cover_the_scan(head):
    known = head()
    times = np.arange(30.0)
    short = VesselCurve("AIF", times, known.aif[:30], Unit.HU, "given")
    nearly = VesselCurve("AIF", np.arange(52.0), known.aif[:52], Unit.HU, "given")

    with pytest.raises(BadTimes, match="does not cover"):
        find_vessels(known.raw, known.brain, aif=short)
    found = find_vessels(known.raw, known.brain, aif=nearly)

    assert [f.code for f in found.findings] == ["VESSEL_SHORT"]
    assert found.aif.values[-1] == pytest.approx(known.aif[51], rel=0.01)


def test_a_mask_gives_the_mean_of_its_voxels(head):
    known = head(noise=0.0)

    found = find_vessels(known.raw, known.brain, aif=known.artery, vof=known.sinus)

    assert len(found.aif.voxels) == known.artery.sum()
    np.testing.assert_allclose(found.aif.values, known.aif, atol=1e-3)
    assert found.vof is not None
    np.testing.assert_allclose(found.vof.values, known.vof, atol=1e-3)


def test_a_mask_outside_the_brain_or_of_another_shape_is_refused(head):
    known = head()
    corner = np.zeros_like(known.artery)
    corner[0, 0, 0] = True

    with pytest.raises(NoVessel, match="outside the brain"):
        find_vessels(known.raw, known.brain, aif=corner)
    with pytest.raises(ShapeMismatch):
        find_vessels(known.raw, known.brain, aif=np.ones((3, 3, 3), dtype=bool))


@pytest.mark.parametrize("aif", [(24, 25, 1), "24,25,1", " 24, 25, 1 "])
def test_a_voxel_takes_its_like_neighbours_along(head, aif):
    known = head()

    found = find_vessels(known.raw, known.brain, aif=aif)

    assert len(found.aif.voxels) == 9  # the artery is three voxels wide
    assert known.artery[tuple(found.aif.voxels.T)].all()


@pytest.mark.parametrize("aif", [(0, 0, 0), (24, 25, 6), (-1, 25, 1), (240, 25, 1), "99,99,99"])
def test_a_voxel_outside_is_refused(head, aif):
    known = head()

    with pytest.raises(NoVessel, match="outside the brain"):
        find_vessels(known.raw, known.brain, aif=aif)


def test_a_voxel_that_never_enhances_is_refused(head):
    known = head(noise=0.0)
    curves = known.raw.curves.copy()
    at = np.zeros_like(known.artery)
    at[30, 30, 3] = True
    curves[known.raw.rows(at)] = -1.0
    raw = type(known.raw)(**{**{n: getattr(known.raw, n) for n in known.raw.__slots__}, "curves": curves})

    with pytest.raises(NoVessel, match="does not enhance"):
        find_vessels(raw, known.brain, aif=(30, 30, 3))


@pytest.mark.parametrize("text", ["best", "1,2", "1,2,x", "mask.nii.gz"])
def test_text_that_means_nothing_is_refused(head, text):
    known = head()

    with pytest.raises(NoVessel, match="cannot tell what to take as AIF"):
        find_vessels(known.raw, known.brain, aif=text)
