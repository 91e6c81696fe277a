"""Series made by others: read right, or refused with a sentence that says what to do."""

import re

import numpy as np
import pytest
from pydicom import dcmread

from bolus.core.errors import BadTimes, NoSeries
from bolus.read import ReadOptions, load, survey
from bolus.read.dicom.images.file import read_images
from bolus.read.dicom.pixels import stored_pixels

pytestmark = [pytest.mark.reference, pytest.mark.filterwarnings("ignore")]

LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])


def seconds(text):
    return int(text[:2]) * 3600 + int(text[2:4]) * 60 + float(text[4:])


# --- 4-D MR with two rates of sampling --------------------------------------------------------------------


def test_the_uneven_clock_of_a_real_series_agrees_with_its_tags(shared_data):
    folder = shared_data / "mr4d_dicom_philips"
    series = load(folder)
    by_slice = {}
    for path in folder.glob("*.dcm"):
        header = dcmread(path, stop_before_pixels=True)
        place = float(header.ImagePositionPatient[2])
        by_slice.setdefault(place, []).append((seconds(header.AcquisitionTime), float(header.TriggerTime)))
    assert len(by_slice) == 2
    for stamps in by_slice.values():
        acquired, triggered = np.array(sorted(stamps)).T
        assert np.abs(series.times - (acquired - acquired[0])).max() < 1e-5
        assert np.abs(series.times - (triggered - triggered[0]) / 1000).max() < 0.02
    steps = np.diff(series.times)
    assert np.allclose(steps[:73], 4.9, atol=0.011)
    assert np.allclose(steps[73:], 15.0, atol=0.011)
    assert {"TIME_IRREGULAR", "TIME_UNUSUAL"} <= {f.code for f in series.findings}


def test_every_voxel_of_the_real_series_is_where_and_when_its_file_says(shared_data):
    folder = shared_data / "mr4d_dicom_philips"
    series = load(folder)
    files = sorted(folder.glob("*.dcm"))
    first = min(seconds(dcmread(path, stop_before_pixels=True).AcquisitionTime) for path in files)
    for path in files[::17]:
        image = dcmread(path)
        row, column = np.array(image.ImageOrientationPatient, float).reshape(2, 3)
        t = int(np.argmin(np.abs(series.times - (seconds(image.AcquisitionTime) - first))))
        for i, j in [(0, 0), (200, 40), (123, 250)]:
            lps = np.array(image.ImagePositionPatient, float)
            lps = lps + row * i * image.PixelSpacing[1] + column * j * image.PixelSpacing[0]
            index = series.grid.index_of(lps * LPS_TO_RAS)
            assert np.abs(index - np.rint(index)).max() < 1e-3
            expected = image.pixel_array[j, i] * float(image.RescaleSlope)
            assert series.frame(t)[tuple(np.rint(index).astype(int))] == pytest.approx(expected, rel=1e-5)


# --- one time for all files -------------------------------------------------------------------------------


def test_a_shared_acquisition_time_is_refused_and_dt_stands_in(shared_data):
    folder = shared_data / "dicom_robust" / "ge_epi_4d_classic"
    with pytest.raises(BadTimes, match=r"--dt \(RepetitionTime says 5 s\)"):
        load(folder)
    series = load(folder, options=ReadOptions(dt_s=5.0))
    assert series.frames.shape == (64, 64, 15, 10)
    assert np.array_equal(series.times, np.arange(10) * 5.0)
    for number in (1, 17, 77, 150):  # 15 slices a volume, foot to head
        image = dcmread(folder / f"axial_epi_fmri_interleaved_i_to_s-{number:05d}.dcm")
        t, k = divmod(number - 1, 15)
        index = series.grid.index_of(np.array(image.ImagePositionPatient, float) * LPS_TO_RAS)
        assert np.allclose(index, [0, 0, k], atol=1e-3)
        assert np.array_equal(series.frame(t)[:, :, k], image.pixel_array.T)


@pytest.mark.parametrize(
    ("name", "shape"),
    [("dicom2nifti_ge_fmri_001", (64, 64, 4, 2)), ("dicom2nifti_siemens_fmri_classic_001", (192, 192, 4, 2))],
)
def test_fragments_are_refused_unasked_and_read_when_asked_for(shared_data, name, shape):
    folder = shared_data / "dicom_robust" / name
    with pytest.raises(NoSeries, match="2 frames only"):
        load(folder)
    number = str(survey(folder).candidates[0].number)
    with pytest.raises(BadTimes, match="--dt"):
        load(folder, options=ReadOptions(series=number))
    series = load(folder, options=ReadOptions(series=number, dt_s=2.5))
    assert series.frames.shape == shape
    for path in folder.glob("*.dcm"):
        image = dcmread(path)
        index = np.rint(
            series.grid.index_of(np.array(image.ImagePositionPatient, float) * LPS_TO_RAS)
        ).astype(int)
        planes = [series.frame(t)[:, :, index[2]] for t in range(2)]
        assert any(np.array_equal(plane, image.pixel_array.T) for plane in planes)


def test_one_slice_at_eight_times_is_read_as_that(shared_data):
    folder = shared_data / "dicom_robust" / "dicom2nifti_philips_fmri_001"
    seen = survey(folder)
    assert sum(c.n_images for c in seen.candidates) == 8
    assert seen.chosen is None
    assert seen.verdict


# --- Siemens ----------------------------------------------------------------------------------------------


def test_slices_of_a_real_mosaic_lie_where_the_protocol_says(shared_data):
    folder = shared_data / "dicom_robust" / "dicom2nifti_siemens_fmri_001"
    series = load(folder, options=ReadOptions(series="15", dt_s=3.0))
    assert series.frames.shape == (80, 80, 50, 2)
    image = dcmread(folder / "IM-0001-0001.dcm")
    protocol = image[0x0029, 0x1020].value.decode("latin-1")
    found = re.findall(r"asSlice\[(\d+)\]\.sPosition\.d(Sag|Cor|Tra)\s*=\s*([-\d.e]+)", protocol)
    centres = np.zeros((50, 3))
    for index, axis, value in found:
        centres[int(index), ["Sag", "Cor", "Tra"].index(axis)] = float(value)
    indices = series.grid.index_of(centres * LPS_TO_RAS)
    assert np.allclose(indices[:, :2], 40.0, atol=0.01)  # the scanner's centre lies between two voxels
    assert np.allclose(indices[:, 2], np.arange(50), atol=0.01)
    # Images are numbered from head to foot here (ucImageNumbTra = 1): the first tile is the top slice.
    top_left = image.pixel_array[:80, :80]
    assert np.array_equal(series.frame(0)[:, :, 49], top_left.T)


def test_enhanced_files_keep_the_time_of_every_slice(shared_data):
    folder = shared_data / "dicom_robust" / "siemens_xa30_enhanced_4d_asl"
    with pytest.raises(NoSeries, match="no bolus"):
        load(folder)
    series = load(folder, options=ReadOptions(series="25"))
    assert series.frames.shape == (64, 64, 12, 7)
    start = None
    for t, path in enumerate(sorted(folder.glob("*.dcm"), key=lambda p: dcmread(p).InstanceNumber)):
        image = dcmread(path)
        for number, group in enumerate(image.PerFrameFunctionalGroupsSequence):
            place = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float) * LPS_TO_RAS
            index = np.rint(series.grid.index_of(place)).astype(int)
            when = seconds(group.FrameContentSequence[0].FrameAcquisitionDateTime[8:])
            start = when if start is None else start
            assert series.times[index[2], t] == pytest.approx(when - start, abs=1e-4)
            assert np.array_equal(series.frame(t)[:, :, index[2]], image.pixel_array[number].T)


def test_an_enhanced_ct_map_is_told_from_a_series(shared_data):
    path = shared_data / "dicom_robust" / "enhanced_ct_2frames.dcm"
    with pytest.raises(NoSeries, match=r"a perfusion map, 1 frame only"):
        load(path)
    assert survey(path).candidates[0].shape[2:] == (2, 1)
    with pytest.raises(BadTimes, match="one frame only"):
        load(path, options=ReadOptions(series="3"))


# --- CT perfusion of UniToBrain ---------------------------------------------------------------------------


def test_fragments_of_ct_perfusion_are_told_apart(shared_data):
    folder = shared_data / "dicom_robust" / "unitobrain_ge_ctp"
    with pytest.raises(NoSeries, match="PERFUSIONE 8 CM"):
        load(folder)
    assert {c.description for c in survey(folder).candidates} == {"PERFUSIONE 8 CM", "Registered", "NLR_CBV"}


@pytest.mark.parametrize(
    ("name", "has_padding"), [("IM-0001-0001-0001.dcm", True), ("Registered00001.dcm", False)]
)
def test_padding_of_real_ct_becomes_air_and_all_else_is_kept(shared_data, tmp_path, name, has_padding):
    path = shared_data / "dicom_robust" / "unitobrain_ge_ctp" / name
    for t in range(8):
        image = dcmread(path)
        image.AcquisitionTime = f"0750{10 + 2 * t}"
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{t + 1}"
        image.save_as(tmp_path / f"{t}.dcm")
    series = load(tmp_path)
    assert series.frames.shape == (512, 512, 1, 8)
    truth = dcmread(path).pixel_array.T.astype(float) * float(image.RescaleSlope) + float(
        image.RescaleIntercept
    )
    padded = (truth < -1024) | (truth > 5000)
    assert padded.any() == has_padding
    hu = series.frame(3)[:, :, 0]
    assert np.allclose(hu[~padded], truth[~padded], atol=1e-3)
    assert np.all(hu[padded] <= -1000)
    assert ("PADDING" in {f.code for f in series.findings}) == has_padding


# --- X-ray ------------------------------------------------------------------------------------------------


def test_a_real_run_has_the_times_of_its_frame_time(shared_data):
    path = shared_data / "xa_dicom" / "xa_coronary_96frames_jpegbaseline.dcm"
    series = load(path)
    assert series.frames.shape == (512, 512, 1, 96)
    assert np.allclose(series.times, np.arange(96) * 0.033)
    assert np.array_equal(series.frame(40)[:, :, 0], dcmread(path).pixel_array[40].T)
    beam = series.acquisition.xray
    assert (beam.relationship, beam.sign, beam.full_scale, beam.plane) == ("LIN", 0, 255.0, "")
    assert (beam.primary_deg, beam.secondary_deg, beam.view) == (-32.0, 2.0, "AP")
    assert (beam.fluoroscopy, beam.rotating) == (False, False)


@pytest.mark.parametrize(
    ("name", "tolerance"), [("RLE", 0), ("J2KR", 0), ("JPLL", 0), ("JLSL", 0), ("JLSN", 4), ("J2KI", 8)]
)
def test_transfer_syntaxes_give_the_same_pixels(shared_data, name, tolerance):
    folder = shared_data / "xa_dicom" / "nema_cerebral_XA1"
    truth = dcmread(folder / "XA1_UNC.dcm").pixel_array
    for stem in ("UNC", name):
        (image,), rejected = read_images(folder / f"XA1_{stem}.dcm")
        assert rejected is None
        apart = np.abs(stored_pixels(image.source).astype(int) - truth)
        assert apart.max() <= (tolerance if stem == name else 0)


def test_twelve_bit_jpeg_is_refused_clearly(shared_data):
    (image,), _ = read_images(shared_data / "xa_dicom" / "nema_cerebral_XA1" / "XA1_JPLY.dcm")
    with pytest.raises(RuntimeError, match="12-bit"):
        stored_pixels(image.source)


def test_stills_are_no_runs(shared_data):
    for name in ("nema_cerebral_XA1", "xa_philips_headphantom_1frame_j2k.dcm"):
        with pytest.raises(NoSeries):
            load(shared_data / "xa_dicom" / name)
    (image,), rejected = read_images(shared_data / "xa_dicom" / "xa_philips_headphantom_1frame_j2k.dcm")
    assert rejected is None
    assert stored_pixels(image.source).shape == (1024, 1024)
