"""Files of several frames: enhanced, mosaic and X-ray."""

import hashlib

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import RLELossless

from bolus.core.errors import BadTimes, NoSeries
from bolus.read import ReadOptions, load
from bolus.read.dicom.images.file import read_images


def codes(series):
    return {finding.code for finding in series.findings}


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_an_enhanced_file_is_read_by_place_and_time(tmp_path, dicom, modality):
    series = load(dicom.enhanced(tmp_path / "e.dcm", modality=modality))
    assert series.frames.shape == (12, 10, 4, 10)
    assert np.array_equal(series.times, np.arange(10) * 2.0)
    assert series.acquisition.clock == "FrameAcquisitionDateTime"
    assert series.acquisition.te_ms == (30.0 if modality == "MR" else None)
    offset = 0 if modality == "CT" else 1024
    assert series.frame(6)[7, 2, 3] == dicom.value(7, 2, 3, 6) + offset


def test_a_compressed_enhanced_file_is_the_same(tmp_path, dicom):
    plain = load(dicom.enhanced(tmp_path / "a" / "e.dcm"))
    path = dicom.enhanced(tmp_path / "b" / "e.dcm")
    image = dcmread(path)
    image.compress(RLELossless, generate_instance_uid=False)
    image.save_as(path)
    assert np.array_equal(load(path).frames, plain.frames)


def test_scales_of_frames_are_their_own(tmp_path, dicom):
    def scale(group, k, t):
        group.PixelValueTransformationSequence[0].RescaleSlope = 1 + t

    series = load(dicom.enhanced(tmp_path / "e.dcm", scale, modality="MR"))
    assert series.frame(4)[1, 1, 2] == 5 * dicom.pixels(2, 4)[1, 1]


def test_temporal_indices_that_stand_still_do_not_matter(tmp_path, dicom):
    def canon(group, k, t):
        group.FrameContentSequence[0].TemporalPositionIndex = 1

    assert load(dicom.enhanced(tmp_path / "e.dcm", canon)).n_frames == 10


def test_temporal_indices_stand_in_with_dt(tmp_path, dicom):
    def no_time(group, k, t):
        del group.FrameContentSequence[0].FrameAcquisitionDateTime

    path = dicom.enhanced(tmp_path / "e.dcm", no_time)
    with pytest.raises(BadTimes, match="--dt"):
        load(path)
    series = load(path, options=ReadOptions(dt_s=1.5))
    assert series.frame(9)[0, 0, 3] == dicom.value(0, 0, 3, 9)
    assert "TemporalPositionIndex" in next(f for f in series.findings if f.code == "TIME_GUESSED").text


def test_offsets_of_temporal_positions_are_seconds(tmp_path, dicom):
    def offset(group, k, t):
        from pydicom.dataset import Dataset
        from pydicom.sequence import Sequence

        del group.FrameContentSequence[0].FrameAcquisitionDateTime
        item = Dataset()
        item.TemporalPositionTimeOffset = 2.5 * t
        group.TemporalPositionSequence = Sequence([item])

    series = load(dicom.enhanced(tmp_path / "e.dcm", offset))
    assert series.acquisition.clock == "TemporalPositionTimeOffset"
    assert series.median_dt == 2.5


def test_groups_and_frames_must_agree_in_number(tmp_path, dicom):
    path = dicom.enhanced(tmp_path / "e.dcm")
    image = dcmread(path)
    image.PerFrameFunctionalGroupsSequence = image.PerFrameFunctionalGroupsSequence[:-1]
    image.save_as(path)
    with pytest.raises(NoSeries, match="differ in number"):
        load(path)


# --- Siemens mosaic: four slices as 2 x 2 tiles ---------------------------------------------------------


def write_mosaic(folder, dicom, *, stamp_slices=False, count=4, frames=10):
    folder.mkdir(parents=True)
    across = 2
    for t in range(frames):
        image = dicom.blank("MR")
        image.Manufacturer, image.ImageType = "SIEMENS", ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
        image.SOPInstanceUID, image.InstanceNumber = dicom.uid("mosaic", t), t + 1
        image.Rows, image.Columns = across * dicom.rows, across * dicom.columns
        image.SpacingBetweenSlices = 6.0
        # The whole mosaic as one image around the centre of the slice.
        shift = np.array([dicom.columns * dicom.spacing[1] / 2, dicom.rows * dicom.spacing[0] / 2, 0])
        image.ImagePositionPatient = [float(v) for v in np.subtract(dicom.origin, shift)]
        image.AcquisitionDate, image.AcquisitionTime = "20261120", dicom.time(36000 + 2.0 * t)
        block = image.private_block(0x0019, "SIEMENS MR HEADER", create=True)
        block.add_new(0x0A, "US", count)
        if stamp_slices:
            block.add_new(0x29, "FD", [0.0, 1000.0, 500.0, 1500.0])
        tiles = [dicom.pixels(k, t) if k < count else np.zeros_like(dicom.pixels(0, 0)) for k in range(4)]
        image.PixelData = np.block([tiles[:2], tiles[2:]]).astype("<u2").tobytes()
        dicom.save(image, folder / f"{hashlib.sha256(str(t).encode()).hexdigest()[:8]}.dcm")
    return folder


def test_a_mosaic_is_cut_into_its_slices(tmp_path, dicom):
    series = load(write_mosaic(tmp_path / "m", dicom))
    assert series.frames.shape == (12, 10, 4, 10)
    assert np.allclose(series.grid.spacing_mm, (0.8, 0.9, 6.0))
    assert np.allclose(series.grid.position_mm((0, 0, 0)), np.multiply(dicom.origin, [-1, -1, 1]))
    assert series.frame(7)[5, 4, 3] == dicom.pixels(3, 7)[4, 5]


def test_empty_tiles_are_no_slices(tmp_path, dicom):
    assert load(write_mosaic(tmp_path / "m", dicom, count=3)).grid.shape[2] == 3


def test_slices_of_a_mosaic_have_their_own_times(tmp_path, dicom):
    series = load(write_mosaic(tmp_path / "m", dicom, stamp_slices=True))
    assert np.allclose(series.times[:, 0], [0.0, 1.0, 0.5, 1.5])
    assert np.allclose(np.diff(series.times, axis=1), 2.0)


def test_a_mosaic_that_does_not_say_its_count_is_refused(tmp_path, dicom):
    folder = write_mosaic(tmp_path / "m", dicom, frames=1)
    path = next(folder.iterdir())
    image = dcmread(path)
    del image[0x0019, 0x100A]
    image.save_as(path)
    assert "how many slices" in read_images(path)[1].reason


# --- X-ray runs -----------------------------------------------------------------------------------------


def with_times(**values):
    def edit(image):
        for name, value in values.items():
            setattr(image, name, value)

    return edit


def test_a_run_is_one_slice_with_the_times_of_its_frames(tmp_path, dicom):
    series = load(dicom.run(tmp_path / "r.dcm", with_times(FrameTime=250)))
    assert series.frames.shape == (12, 10, 1, 12)
    assert np.allclose(series.times, np.arange(12) * 0.25)
    assert (series.modality, series.unit) == ("XA", "a.u.")
    assert np.allclose(series.grid.spacing_mm[:2], 0.3)
    assert series.frame(5)[3, 4, 0] == dicom.pixels(0, 5)[4, 3]


def test_a_vector_of_frame_times_comes_before_their_mean(tmp_path, dicom):
    steps = [0.0, *[250.0] * 7, *[1000.0] * 4]
    series = load(dicom.run(tmp_path / "r.dcm", with_times(FrameTime=500, FrameTimeVector=steps)))
    assert np.allclose(series.times, np.cumsum(steps) / 1000)
    assert series.acquisition.clock == "FrameTimeVector"
    assert "CLOCKS_DISAGREE" in codes(series)


def test_frames_beyond_a_short_vector_are_left_out(tmp_path, dicom):
    steps = [0.0, *[250.0] * 9]
    series = load(dicom.run(tmp_path / "r.dcm", with_times(FrameTimeVector=steps)))
    assert series.n_frames == 10
    assert "TIME_MISSING" in codes(series)


def test_a_vector_longer_than_the_run_is_cut(tmp_path, dicom):
    series = load(dicom.run(tmp_path / "r.dcm", with_times(FrameTimeVector=[0.0, *[250.0] * 19])))
    assert series.n_frames == 12
    assert "TIME_SURPLUS" in codes(series)


def test_a_vector_in_seconds_is_taken_as_that_and_said(tmp_path, dicom):
    series = load(dicom.run(tmp_path / "r.dcm", with_times(FrameTimeVector=[0.0, *[0.25] * 11])))
    assert np.allclose(series.times, np.arange(12) * 0.25)
    assert "TIME_UNIT" in codes(series)


def test_a_frame_time_in_seconds_is_taken_as_that_but_a_real_clock_comes_first(tmp_path, dicom):
    series = load(dicom.run(tmp_path / "r.dcm", with_times(FrameTime=0.5)))
    assert series.median_dt == pytest.approx(0.5)
    both = with_times(FrameTime=500, FrameTimeVector=[0.0, *[0.25] * 11])
    assert load(dicom.run(tmp_path / "r.dcm", both)).median_dt == pytest.approx(0.5)


def test_fast_runs_stay_in_milliseconds(tmp_path, dicom):
    series = load(dicom.run(tmp_path / "r.dcm", with_times(FrameTime=16.7), frames=90))
    assert series.median_dt == pytest.approx(0.0167)
    assert "TIME_UNUSUAL" in codes(series)


def test_repeated_times_cost_the_later_frames(tmp_path, dicom):
    steps = [0.0, 250.0, 250.0, 0.0, *[250.0] * 8]
    series = load(dicom.run(tmp_path / "r.dcm", with_times(FrameTimeVector=steps)))
    assert np.allclose(series.times, np.arange(11) * 0.25)
    assert series.frame(2)[3, 4, 0] == dicom.pixels(0, 2)[4, 3]
    assert series.frame(3)[3, 4, 0] == dicom.pixels(0, 4)[4, 3]
    assert "DOUBLED_FRAMES" in codes(series)


@pytest.mark.parametrize("steps", [[0.0] * 12, [0.0, 250.0, -250.0, *[250.0] * 9]])
def test_a_vector_that_stands_still_or_goes_back_is_no_clock(tmp_path, dicom, steps):
    with pytest.raises(BadTimes, match="--dt"):
        load(dicom.run(tmp_path / "r.dcm", with_times(FrameTimeVector=steps)))
    series = load(dicom.run(tmp_path / "r.dcm", with_times(FrameTimeVector=steps, FrameTime=200)))
    assert series.acquisition.clock == "FrameTime"


def test_a_short_vector_comes_before_a_mean_for_all_frames(tmp_path, dicom):
    steps = [0.0, *[250.0] * 5, *[1000.0] * 3]
    series = load(dicom.run(tmp_path / "r.dcm", with_times(FrameTimeVector=steps, FrameTime=400)))
    assert series.n_frames == 9
    assert {"TIME_MISSING", "TIME_IRREGULAR"} <= codes(series)


def test_the_cine_rate_is_a_guess(tmp_path, dicom):
    series = load(dicom.run(tmp_path / "r.dcm", with_times(CineRate=4)))
    assert np.allclose(series.times, np.arange(12) * 0.25)
    assert "TIME_GUESSED" in codes(series)


def test_a_run_without_times_asks_for_dt(tmp_path, dicom):
    path = dicom.run(tmp_path / "r.dcm", with_times(AcquisitionTime="101010"))
    with pytest.raises(BadTimes, match="--dt"):
        load(path)
    assert load(path, options=ReadOptions(dt_s=0.5)).median_dt == 0.5


def test_a_run_without_spacing_says_so(tmp_path, dicom):
    def bare(image):
        del image.ImagerPixelSpacing
        image.FrameTime = 250

    assert "NO_SPACING" in codes(load(dicom.run(tmp_path / "r.dcm", bare)))


def test_magnification_scales_the_detector_to_the_patient(tmp_path, dicom):
    edit = with_times(FrameTime=250, EstimatedRadiographicMagnificationFactor=1.5)
    assert load(dicom.run(tmp_path / "r.dcm", edit)).grid.spacing_mm[0] == pytest.approx(0.2)
