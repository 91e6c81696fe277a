import json
import zipfile

import numpy as np
import pytest
from pydicom import dcmread

from bolus.core.errors import AmbiguousSeries, BadTimes, NoSeries, UnreadableFile
from bolus.core.units import Modality
from bolus.read import ReadOptions, load, survey


def rename(**values):
    def edit(image, k, t):
        for name, value in values.items():
            setattr(image, name, value)

    return edit


def add(dicom, folder, name, *, frames=10, slices=4, modality="CT", **values):
    values = {"SeriesDescription": name} | values
    dicom.series(
        folder / name, rename(**values), series=name, frames=frames, slices=slices, modality=modality
    )


def test_the_perfusion_series_is_found_among_others(tmp_path, dicom):
    dicom.series(tmp_path / "p")
    add(dicom, tmp_path, "localizer", frames=1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    add(dicom, tmp_path, "Head native", frames=1, slices=12)
    add(dicom, tmp_path, "CBV map", frames=1, ImageType=["DERIVED", "PRIMARY", "AXIAL", "CBV"])
    series = load(tmp_path)
    assert series.acquisition.description == "Brain Perfusion 5.0"
    seen = survey(tmp_path)
    assert seen.chosen.description == "Brain Perfusion 5.0"
    problems = {c.description: c.problems for c in seen.candidates}
    assert problems["localizer"][0] == "a localizer"
    assert problems["CBV map"][0] == "a perfusion map"
    assert problems["Head native"] == ("1 frame only, 8 wanted",)


def test_a_named_series_comes_before_a_larger_one(tmp_path, dicom):
    dicom.series(tmp_path / "p")
    add(dicom, tmp_path, "heart", slices=6)
    assert load(tmp_path).grid.shape[2] == 4


def test_originals_come_before_what_was_made_of_them(tmp_path, dicom):
    dicom.series(tmp_path / "p")
    add(dicom, tmp_path, "Perfusion registered", ImageType=["DERIVED", "SECONDARY", "AXIAL"])
    assert load(tmp_path).acquisition.description == "Brain Perfusion 5.0"


def test_a_readable_series_comes_before_one_without_times(tmp_path, dicom):
    dicom.series(tmp_path / "p", rename(AcquisitionTime="100000", SeriesDescription="Perfusion a"))
    add(dicom, tmp_path, "Perfusion b")
    assert load(tmp_path).acquisition.description == "Perfusion b"


@pytest.fixture
def two(tmp_path, dicom):
    dicom.series(tmp_path / "p")
    add(dicom, tmp_path, "Brain Perfusion 10.0", SeriesNumber=7)
    return tmp_path


def test_two_equal_candidates_are_named_with_the_option_to_choose(two):
    with pytest.raises(AmbiguousSeries) as caught:
        load(two)
    for word in ("Brain Perfusion 5.0", "Brain Perfusion 10.0", "--series"):
        assert word in str(caught.value)
    assert survey(two).chosen is None
    assert "equally good" in survey(two).verdict


def test_a_series_is_named_in_every_way(two, dicom):
    wanted = next(c for c in survey(two).candidates if c.number == 7)
    uid = dicom.uid("Brain Perfusion 10.0")
    for name in ("7", uid, uid[:40], wanted.name, "brain perfusion 10.0", "10.0"):
        series = load(two, options=ReadOptions(series=name))
        assert series.acquisition.series_uid == uid


def test_a_word_that_means_two_series_is_ambiguous(two):
    with pytest.raises(AmbiguousSeries):
        load(two, options=ReadOptions(series="Brain"))


def test_a_word_that_means_none_lists_what_is_there(two):
    with pytest.raises(NoSeries, match=r"no series of that name; wanted 99; found .*Perfusion 5"):
        load(two, options=ReadOptions(series="99"))


def test_a_series_that_is_asked_for_is_read_though_it_is_short(tmp_path, dicom):
    dicom.series(tmp_path, frames=5)
    with pytest.raises(NoSeries, match="5 frames only, 8 wanted"):
        load(tmp_path)
    assert load(tmp_path, options=ReadOptions(series="4")).n_frames == 5


def test_one_frame_is_refused_even_when_asked_for(tmp_path, dicom):
    dicom.series(tmp_path, frames=1)
    with pytest.raises(BadTimes, match="one frame only"):
        load(tmp_path, options=ReadOptions(series="4"))


def test_ct_and_mr_in_one_folder_are_told_apart_by_the_modality(tmp_path, dicom):
    dicom.series(tmp_path / "p")
    add(dicom, tmp_path, "DSC perfusion", modality="MR")
    with pytest.raises(AmbiguousSeries):
        load(tmp_path)
    assert load(tmp_path, options=ReadOptions(modality=Modality.MR)).modality == "MR"
    assert load(tmp_path, options=ReadOptions(modality=Modality.CT)).modality == "CT"


def test_the_wrong_modality_is_said_so(tmp_path, dicom):
    dicom.series(tmp_path)
    with pytest.raises(NoSeries, match="not MR"):
        load(tmp_path, options=ReadOptions(modality=Modality.MR))


@pytest.mark.parametrize(
    ("echoes", "best"), [((2.0, 30.0), 30.0), ((13.0, 40.0, 70.0), 40.0), ((60.0, 90.0), 60.0)]
)
def test_of_several_echoes_the_more_t2_star_weighted_is_read(tmp_path, dicom, echoes, best):
    for echo in echoes:

        def edit(image, k, t, echo=echo):
            image.SeriesInstanceUID, image.EchoTime = dicom.uid("perfusion"), echo

        dicom.series(tmp_path / str(echo), edit, modality="MR", series=f"echo {echo}")
    series = load(tmp_path)
    assert series.acquisition.te_ms == best
    assert next(f for f in series.findings if f.code == "SEVERAL_ECHOES").value == best


def test_the_echo_time_can_be_given(tmp_path, dicom):
    def no_echo(image, k, t):
        del image.EchoTime

    dicom.series(tmp_path, no_echo, modality="MR")
    assert load(tmp_path).acquisition.te_ms is None
    assert load(tmp_path, options=ReadOptions(te_ms=25.0)).acquisition.te_ms == 25.0


def test_phase_images_are_not_read_unasked(tmp_path, dicom):
    dicom.series(tmp_path / "m", rename(ImageType=["ORIGINAL", "PRIMARY", "M", "ND"]), modality="MR")
    kind = {"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}
    add(dicom, tmp_path, "Brain Perfusion phase", modality="MR", **kind)
    assert load(tmp_path).acquisition.description == "Brain Perfusion 5.0"


def test_copies_of_files_are_used_once(tmp_path, dicom):
    folder = dicom.series(tmp_path / "s")
    (tmp_path / "again").mkdir()
    for path in folder.iterdir():
        (tmp_path / "again" / path.name).write_bytes(path.read_bytes())
    series = load(tmp_path)
    assert series.n_frames == 10
    finding = next(f for f in series.findings if f.code == "DUPLICATE_IMAGES")
    assert (finding.value, finding.severity) == (40, "info")


def test_one_identity_with_two_pictures_is_a_warning(tmp_path, dicom):
    folder = dicom.series(tmp_path / "s")
    path = next(folder.iterdir())
    image = dcmread(path)
    image.PixelData = (np.frombuffer(image.PixelData, "<u2") + 1).astype("<u2").tobytes()
    image.save_as(tmp_path / "other.dcm")
    finding = next(f for f in load(tmp_path).findings if f.code == "DUPLICATE_IMAGES")
    assert (finding.value, finding.severity) == (1, "warn")


def test_one_identity_for_all_files_does_not_merge_them(tmp_path, dicom):
    series = load(dicom.series(tmp_path / "s", rename(SOPInstanceUID=dicom.uid("same"))))
    assert series.frames.shape == (12, 10, 4, 10)


def test_a_zip_is_read_like_a_folder(tmp_path, dicom):
    folder = dicom.series(tmp_path / "s")
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as packed:
        for path in folder.iterdir():
            packed.write(path, f"study/{path.name}")
    assert np.array_equal(load(tmp_path / "s.zip").frames, load(folder).frames)


def test_a_single_file_of_a_series_is_refused(tmp_path, dicom):
    folder = dicom.series(tmp_path / "s")
    with pytest.raises(NoSeries, match="1 frame only"):
        load(next(folder.iterdir()))


def test_the_survey_is_plain_and_names_no_patient(two):
    text = json.dumps(survey(two).as_dict())
    assert "SECRET" not in text
    assert "4711" not in text
    told = json.loads(text)["candidates"][0]
    assert told["shape"] == [12, 10, 4, 10]
    assert told["dt_s"] == [2.0, 2.0, 2.0]
    assert told["clock"] == "AcquisitionTime"


def test_the_survey_says_what_is_wrong(tmp_path, dicom):
    dicom.series(tmp_path, rename(AcquisitionTime="100000"))
    seen = survey(tmp_path)
    assert seen.chosen is None
    assert "--dt" in seen.verdict
    assert "--dt" in seen.candidates[0].error


def test_nothing_is_said_on_the_terminal(tmp_path, dicom, capsys, caplog):
    folder = dicom.series(tmp_path / "s", rename(SeriesDescription="x" * 80))
    caplog.clear()
    load(folder)
    assert capsys.readouterr() == ("", "")
    assert not caplog.records


def test_a_device_is_no_study():
    with pytest.raises(UnreadableFile):
        load("/dev/null")
