from itertools import permutations, product

import numpy as np
import pytest

from bolus.core.errors import AmbiguousSeries, BadGeometry, NoSeries
from bolus.read import load

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])


def codes(series):
    return {finding.code for finding in series.findings}


def place_of(series, dicom, i, j, k, row=(1, 0, 0), column=(0, 1, 0), step=(0, 0, 5.0)):
    """Where stored column i, row j, slice k lies (RAS) [mm], by PS3.3 C.7.6.2.1.1."""
    lps = (
        np.array(dicom.origin)
        + np.multiply(row, i * dicom.spacing[1])
        + np.multiply(column, j * dicom.spacing[0])
    )
    return LPS_TO_RAS @ (lps + np.multiply(step, k))


def value_near(series, position, t):
    index = np.rint(series.grid.index_of(position)).astype(int)
    assert np.allclose(series.grid.position_mm(index), position, atol=1e-6)
    return series.frame(t)[tuple(index)]


def test_voxels_lie_where_the_files_say(tmp_path, dicom):
    series = load(dicom.series(tmp_path / "s"))
    assert series.grid.shape == (dicom.columns, dicom.rows, dicom.slices)
    assert np.allclose(series.grid.spacing_mm, (0.8, 0.9, 5.0))
    for i, j, k in [(0, 0, 0), (3, 7, 2), (11, 9, 3)]:
        assert value_near(series, place_of(series, dicom, i, j, k), 4) == dicom.value(i, j, k, 4)


DIRECTIONS = [
    (np.array(row) * a, np.array(column) * b)
    for row, column, _ in permutations([(1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)])
    for a, b in product((1, -1), repeat=2)
]


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(("row", "column"), DIRECTIONS)
def test_all_48_orientations_keep_every_voxel_in_its_place(tmp_path, dicom, row, column, backwards):
    step = np.cross(row, column) * (-5.0 if backwards else 5.0)

    def turn(image, k, t):
        image.ImageOrientationPatient = [*row, *column]
        image.ImagePositionPatient = list(np.add(dicom.origin, k * step))
        image.AcquisitionTime = dicom.time(36000 + 20 * t)

    folder = dicom.series(tmp_path / "s", turn, frames=8, slices=2)
    series = load(folder)
    for i, j, k in [(0, 0, 0), (3, 7, 1), (11, 0, 1)]:
        position = place_of(series, dicom, i, j, k, row, column, step)
        assert value_near(series, position, 5) == dicom.value(i, j, k, 5)


def test_oblique_planes_are_kept(tmp_path, dicom):
    angle = np.radians(20)
    column = np.array([0, np.cos(angle), np.sin(angle)])
    step = np.cross([1, 0, 0], column) * 5

    def tip(image, k, t):
        image.ImageOrientationPatient = [1, 0, 0, *map(float, column)]
        image.ImagePositionPatient = [float(f"{v:.6f}") for v in np.add(dicom.origin, k * step)]

    series = load(dicom.series(tmp_path / "s", tip))
    position = place_of(series, dicom, 5, 6, 3, column=column, step=step)
    index = np.rint(series.grid.index_of(position)).astype(int)
    assert np.allclose(series.grid.position_mm(index), position, atol=1e-5)
    assert series.frame(2)[tuple(index)] == dicom.value(5, 6, 3, 2)
    assert "GANTRY_TILT" not in codes(series)


def test_a_tilted_gantry_gives_a_sheared_grid(tmp_path, dicom):
    angle = np.radians(15)
    column = np.array([0, np.cos(angle), -np.sin(angle)])

    def tilt(image, k, t):
        image.ImageOrientationPatient = [1, 0, 0, *map(float, column)]

    series = load(dicom.series(tmp_path / "s", tilt))
    assert next(f for f in series.findings if f.code == "GANTRY_TILT").value == pytest.approx(15, abs=0.01)
    assert series.grid.voxel_ml == pytest.approx(0.8 * 0.9 * 5 * np.cos(angle) / 1000)
    position = place_of(series, dicom, 5, 6, 3, column=column)
    assert value_near(series, position, 2) == dicom.value(5, 6, 3, 2)


def test_slice_gaps_count_in_the_spacing(tmp_path, dicom):
    def thin(image, k, t):
        image.SliceThickness = 3

    series = load(dicom.series(tmp_path / "s", thin))
    assert series.grid.spacing_mm[2] == 5.0
    assert series.acquisition.thickness_mm == 3.0
    assert next(f for f in series.findings if f.code == "SLICE_GAP").value == pytest.approx(2.0)


def test_a_slice_that_is_missing_throughout_is_refused(tmp_path, dicom):
    with pytest.raises(BadGeometry, match=r"one is missing.*after slice 2 a gap of 10.00 mm"):
        load(dicom.series(tmp_path / "s", missing={(2, t) for t in range(10)}, slices=6))


def test_two_spacings_are_refused(tmp_path, dicom):
    def two(image, k, t):
        image.ImagePositionPatient = [0, 0, [0, 5, 10, 12.5, 15, 17.5][k]]

    with pytest.raises(BadGeometry, match="not evenly spaced"):
        load(dicom.series(tmp_path / "s", two, slices=6))


def test_small_differences_of_spacing_are_told(tmp_path, dicom):
    def nearly(image, k, t):
        image.ImagePositionPatient = [0, 0, [0, 5, 10.2, 15][k]]

    series = load(dicom.series(tmp_path / "s", nearly))
    assert series.grid.spacing_mm[2] == pytest.approx(5.0)
    assert "SLICE_SPACING_UNEVEN" in codes(series)


def test_jitter_of_the_table_is_one_slice(tmp_path, dicom):
    def jitter(image, k, t):
        image.ImagePositionPatient = [-40, -60, 20 + 5 * k + 0.01 * (t % 2)]

    series = load(dicom.series(tmp_path / "s", jitter))
    assert series.grid.shape[2] == 4
    assert "SLICE_SPACING_UNEVEN" not in codes(series)


def test_an_isolated_missing_slice_is_interpolated_in_time(tmp_path, dicom):
    series = load(dicom.series(tmp_path / "s", missing={(2, 4)}))
    assert series.n_frames == 10
    assert series.frame(4)[5, 5, 2] == dicom.value(5, 5, 2, 4)  # linear in time, so exact
    assert next(f for f in series.findings if f.code == "MISSING_SLICES").value == 1


def test_slices_missing_twice_in_a_row_cost_the_frames(tmp_path, dicom):
    series = load(dicom.series(tmp_path / "s", missing={(2, 4), (2, 5)}))
    assert series.n_frames == 8
    assert np.array_equal(series.times, [0, 2, 4, 6, 12, 14, 16, 18])
    assert next(f for f in series.findings if f.code == "FRAMES_DROPPED").value == 2


def test_an_interrupted_last_frame_is_left_out(tmp_path, dicom):
    series = load(dicom.series(tmp_path / "s", missing={(2, 9), (3, 9)}))
    assert series.n_frames == 9
    assert "FRAMES_DROPPED" in codes(series)


def test_too_many_missing_slices_are_refused(tmp_path, dicom):
    with pytest.raises(BadGeometry, match="too many slices are missing"):
        load(dicom.series(tmp_path / "s", missing={(1, t) for t in (2, 3, 5, 6, 8)}, frames=12))


def test_an_end_slice_with_few_images_is_left_out(tmp_path, dicom):
    series = load(dicom.series(tmp_path / "s", missing={(0, t) for t in range(3, 10)}))
    assert series.grid.shape[2] == 3
    assert "SLICES_DROPPED" in codes(series)
    assert series.frame(1)[0, 0, 0] == dicom.value(0, 0, 1, 1)


def test_a_whole_scan_of_the_head_in_the_same_series_is_kept_apart(tmp_path, dicom):
    dicom.series(tmp_path / "s")

    def cta(image, k, t):
        image.SeriesInstanceUID = dicom.uid("perfusion")
        image.SliceThickness, image.PixelSpacing = 0.6, [0.5, 0.5]
        image.ImagePositionPatient = [-40, -60, 0.6 * k]

    dicom.series(tmp_path / "s" / "cta", cta, series="cta", frames=1, slices=30)
    series = load(tmp_path / "s")
    assert series.grid.shape[2] == 4
    assert "30 images are of 1 other" in next(f for f in series.findings if f.code == "FILES_NOT_USED").text


def test_another_field_of_view_at_the_same_place_is_left_out(tmp_path, dicom):
    def shifted(image, k, t):
        if (k, t) == (1, 4):
            image.ImagePositionPatient = [0, 0, 25]

    series = load(dicom.series(tmp_path / "s", shifted))
    assert "MISSING_SLICES" in codes(series)
    assert "shifted" in next(f for f in series.findings if f.code == "FILES_NOT_USED").text


def test_slices_shifted_sideways_are_refused(tmp_path, dicom):
    def stairs(image, k, t):
        image.ImagePositionPatient = [-40 + 8 * (k % 2), -60, 20 + 5 * k]

    with pytest.raises(BadGeometry, match="shifted against each other"):
        load(dicom.series(tmp_path / "s", stairs, slices=5))


def test_two_patients_are_never_mixed(tmp_path, dicom):
    dicom.series(tmp_path / "s")

    def other(image, k, t):
        image.PatientID, image.PatientName = "ID-1", "OTHER"
        image.SeriesInstanceUID = dicom.uid("perfusion")

    dicom.series(tmp_path / "s" / "b", other, series="b")
    with pytest.raises(AmbiguousSeries, match="--series"):
        load(tmp_path / "s")


@pytest.mark.parametrize(
    ("attribute", "value", "reason"),
    [
        ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0], "right angles"),
        ("ImageOrientationPatient", None, "no ImageOrientationPatient"),
        ("ImagePositionPatient", None, "no ImagePositionPatient"),
        ("PixelSpacing", [0, 0.8], "not positive"),
        ("RescaleSlope", 0, "RescaleSlope is 0"),
        ("SeriesInstanceUID", "../../etc", "no valid SeriesInstanceUID"),
    ],
)
def test_images_that_do_not_say_where_or_what_they_are_are_refused(tmp_path, dicom, attribute, value, reason):
    def spoil(image, k, t):
        setattr(image, attribute, value)

    with pytest.raises(NoSeries, match=reason):
        load(dicom.series(tmp_path / "s", spoil, frames=2))


def test_left_and_right_swap_with_the_patient(tmp_path, dicom):
    plain = load(dicom.series(tmp_path / "a"))

    def mirror(image, k, t):
        image.ImageOrientationPatient = [-1, 0, 0, 0, 1, 0]
        position = np.add(dicom.origin, [11 * 0.8, 0, k * 5])
        image.ImagePositionPatient = [float(v) for v in position]

    mirrored = load(dicom.series(tmp_path / "b", mirror))
    assert np.array_equal(mirrored.frames, plain.frames[::-1])


def test_absurd_spacing_is_refused(tmp_path, dicom):
    def huge(image, k, t):
        image.PixelSpacing = [80, 80]

    with pytest.raises(BadGeometry, match="absurd"):
        load(dicom.series(tmp_path / "s", huge))
