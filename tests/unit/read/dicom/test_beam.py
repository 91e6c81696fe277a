"""What an X-ray run says of its pixels, and its two views."""

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from bolus.core.errors import AmbiguousSeries, NoSeries
from bolus.core.xray import MaskOperation, Relationship
from bolus.read import ReadOptions, load, load_views, survey


def edit(**values):
    def apply(image):
        image.FrameTime = 250
        for name, value in values.items():
            setattr(image, name, value)

    return apply


def item(**values):
    made = Dataset()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def beam(tmp_path, dicom, **values):
    return load(dicom.run(tmp_path / "run.dcm", edit(**values))).acquisition.xray


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("LIN", Relationship.LINEAR),
        ("LOG", Relationship.LOGARITHMIC),
        ("DISP", Relationship.PROCESSED),
        ("OTHER", Relationship.PROCESSED),
    ],
)
def test_relationship_and_sign_are_those_of_the_file(tmp_path, dicom, word, meaning):
    found = beam(
        tmp_path, dicom, PixelIntensityRelationship=word, PixelIntensityRelationshipSign=-1, BitsStored=12,
        HighBit=11,
    )  # fmt: skip
    assert (found.relationship, found.sign, found.full_scale) == (meaning, -1, 4095.0)


def test_a_silent_file_says_nothing(tmp_path, dicom):
    found = beam(tmp_path, dicom)
    assert (found.relationship, found.sign, found.subtracted, found.operations) == (None, 0, None, ())
    assert (found.view, found.plane, found.started) == ("", "", "")


def test_mask_operations_count_from_zero(tmp_path, dicom):
    items = [
        item(MaskOperation="AVG_SUB", MaskFrameNumbers=[1, 2], ApplicableFrameRange=[3, 8, 10, 12],
             MaskSubPixelShift=[0.5, -0.25]),
        item(MaskOperation="NONE"),
        item(MaskOperation="REV_TID", ApplicableFrameRange=[6, 10], TIDOffset=2),
        item(MaskOperation="TID"),
    ]  # fmt: skip
    found = beam(tmp_path, dicom, MaskSubtractionSequence=Sequence(items))
    assert found.operations == (
        MaskOperation("AVG_SUB", (0, 1), ((2, 8), (9, 12)), (0.25, 0.5)),
        MaskOperation("REV_TID", (), ((5, 10),), offset=2),
        MaskOperation("TID"),
    )
    assert found.subtracted is False


def test_a_mask_shift_is_written_down_first_and_to_the_left_second(tmp_path, dicom):
    """PS3.3 C.7.6.10.1.2: positive is towards the lower row, and towards the column at the left hand."""
    moved = item(MaskOperation="AVG_SUB", MaskFrameNumbers=1, MaskSubPixelShift=[2.0, 0.5])
    found = beam(tmp_path, dicom, MaskSubtractionSequence=Sequence([moved]))
    right, down = found.operations[0].shift_of(3)
    assert (down, right) == (2.0, -0.5)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"RecommendedViewingMode": "NAT"}, None),
        ({"ImageType": ["DERIVED", "PRIMARY", "SINGLE PLANE", "SUBTRACTED"]}, True),
        ({"DerivationDescription": "Digitally subtracted"}, True),
        ({"DerivationDescription": "unsubtracted, edge enhanced"}, False),
        ({"DerivationDescription": "JPEG lossless"}, None),
        ({"ImageProcessingApplied": ["DIGITAL_SUBTR", "EDGE_ENHANCEMENT"]}, True),
    ],
)
def test_whether_frames_are_subtracted_is_read_from_many_places(tmp_path, dicom, values, expected):
    assert beam(tmp_path, dicom, **values).subtracted is expected


def test_plane_angles_and_start(tmp_path, dicom):
    found = beam(
        tmp_path, dicom, ImageType=["ORIGINAL", "PRIMARY", "BIPLANE B"], PositionerPrimaryAngle=88.0,
        PositionerSecondaryAngle=-3.5, AcquisitionDate="20260102", AcquisitionTime="101112.5",
    )  # fmt: skip
    assert (found.plane, found.view, found.primary_deg, found.secondary_deg) == ("B", "LAT", 88.0, -3.5)
    assert found.started == "20260102101112.500000"


def test_a_modality_lut_makes_values_linear(tmp_path, dicom):
    table = np.arange(3000, dtype=np.uint16)[::-1] // 2
    lut = item(LUTDescriptor=[3000, 0, 16], LUTData=table.tobytes(), ModalityLUTType="US")
    lut["LUTData"].VR = "OW"
    path = dicom.run(
        tmp_path / "r.dcm",
        edit(PixelIntensityRelationship="LOG", ModalityLUTSequence=Sequence([lut])),
    )
    series = load(path)
    assert series.acquisition.xray.relationship is Relationship.LINEAR
    assert series.acquisition.xray.full_scale == table.max()
    assert series.frame(4)[3, 4, 0] == table[dicom.pixels(0, 4)[4, 3]]
    assert (series.slope, series.intercept) == (1.0, 0.0)


def test_a_damaged_lut_counts_as_absent(tmp_path, dicom):
    lut = item(LUTDescriptor=[3000, 0, 16], LUTData=b"\0\1\2\3", ModalityLUTType="US")
    lut["LUTData"].VR = "OW"
    found = beam(tmp_path, dicom, PixelIntensityRelationship="LOG", ModalityLUTSequence=Sequence([lut]))
    assert found.relationship is Relationship.LOGARITHMIC


def shifted(*pairs):
    """Return a functional group whose macro holds these pairs of Subtraction Item ID and shift."""
    shifts = [item(SubtractionItemID=number, MaskSubPixelShift=list(shift)) for number, shift in pairs]
    return item(FramePixelShiftSequence=Sequence(shifts))


def enhanced_beam(path, dicom, own, shared=None):
    """Return what an enhanced run says whose frames have these groups; mask 100 is frame 1."""

    def enhanced(image):
        mask = item(
            MaskOperation="AVG_SUB", MaskFrameNumbers=1, SubtractionItemID=100, MaskSubPixelShift=[9.0, 9.0]
        )
        image.MaskSubtractionSequence = Sequence([mask])
        image.FrameTime = 500
        image.SharedFunctionalGroupsSequence = Sequence([shared or item()])
        image.PerFrameFunctionalGroupsSequence = Sequence(own)

    return load(dicom.run(path / "run.dcm", enhanced)).acquisition.xray


def test_each_frame_of_an_enhanced_run_may_shift_the_mask_by_itself(tmp_path, dicom):
    """The example of PS3.3 C.7.6.16.2.14.1: one mask, frames 2 and 3 with a shift each."""
    own = [item(), shifted((100, (1.3, 2.4))), shifted((7, (5.0, 5.0)), (100, (3.5, 4.6)))]
    (operation,) = enhanced_beam(tmp_path, dicom, [*own, *(item() for _ in range(9))]).operations
    assert operation.shift_of(1) == pytest.approx((-2.4, 1.3))
    assert operation.shift_of(2) == pytest.approx((-4.6, 3.5))
    assert operation.shift_of(0) == operation.shift_of(11) == (-9.0, 9.0)


def test_a_shared_shift_holds_for_every_frame(tmp_path, dicom):
    own = [item() for _ in range(12)]
    (operation,) = enhanced_beam(tmp_path, dicom, own, shifted((100, (0.5, -1.5)))).operations
    assert {operation.shift_of(frame) for frame in range(12)} == {(1.5, 0.5)}


def test_shifts_of_another_subtraction_leave_the_mask_where_it_is(tmp_path, dicom):
    own = [shifted((7, (5.0, 5.0))) for _ in range(12)]
    (operation,) = enhanced_beam(tmp_path, dicom, own).operations
    assert operation.frame_shifts_px == ()
    assert operation.shift_of(4) == (-9.0, 9.0)


def test_enhanced_groups_hold_the_same(tmp_path, dicom):
    def enhanced(image):
        shared = item(
            MaskSubtractionSequence=Sequence([item(MaskOperation="AVG_SUB", MaskFrameNumbers=1)]),
            PositionerPositionSequence=Sequence([item(PositionerPrimaryAngle=-2.0)]),
            FramePixelDataPropertiesSequence=Sequence([item(ImageProcessingApplied="NONE")]),
        )
        image.SharedFunctionalGroupsSequence = Sequence([shared])
        image.PixelIntensityRelationship, image.PixelIntensityRelationshipSign = "LOG", 1
        stamps = [f"20260102101010.{t}" for t in range(10)] + ["20260102101011.5", "20260102101012.5"]
        image.PerFrameFunctionalGroupsSequence = Sequence(
            [item(FrameContentSequence=Sequence([item(FrameAcquisitionDateTime=s)])) for s in stamps]
        )

    series = load(dicom.run(tmp_path / "run.dcm", enhanced))
    found = series.acquisition.xray
    assert found.operations == (MaskOperation("AVG_SUB", (0,)),)
    assert (found.relationship, found.sign, found.view) == (Relationship.LOGARITHMIC, 1, "AP")
    assert np.allclose(series.times[-3:], [0.9, 1.5, 2.5])
    assert series.acquisition.clock == "FrameAcquisitionDateTime"


# --- what is no angiography ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"RadiationSetting": "SC"}, "fluoroscopy"),
        ({"SeriesDescription": "Roadmap ICA"}, "road map"),
        ({"PositionerMotion": "DYNAMIC"}, "rotating"),
        ({"SeriesDescription": "DynaCT head"}, "rotating"),
    ],
)
def test_runs_of_another_kind_are_not_taken_unasked(tmp_path, dicom, values, reason):
    path = dicom.run(tmp_path / "run.dcm", edit(**values))
    with pytest.raises(NoSeries, match=reason):
        load(path)
    assert load(path, options=ReadOptions(series="4")).n_frames == 12


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_too_few_frames_are_no_run(tmp_path, dicom, frames):
    with pytest.raises(NoSeries, match=f"{frames} frame"):
        load(dicom.run(tmp_path / "run.dcm", edit(), frames=frames))


# --- two views ----------------------------------------------------------------------------------------


def view(dicom, path, name, **values):
    def apply(image):
        edit(AcquisitionDate="20260102", SOPInstanceUID=dicom.uid(name), SeriesInstanceUID=dicom.uid(name))(
            image
        )
        for key, value in values.items():
            setattr(image, key, value)

    return dicom.run(path / f"{name}.dcm", apply, frames=values.pop("frames", 12))


AP = {"PositionerPrimaryAngle": 1.0, "AcquisitionTime": "101010.0"}
LAT = {"PositionerPrimaryAngle": 90.0, "AcquisitionTime": "101010.4"}


def test_two_views_of_one_injection_are_kept_together_ap_first(tmp_path, dicom):
    view(dicom, tmp_path, "a", **LAT)
    view(dicom, tmp_path, "b", **AP)
    found = load_views(tmp_path)
    assert [s.acquisition.xray.view for s in found] == ["AP", "LAT"]
    seen = survey(tmp_path)
    assert [c.would_use for c in seen.candidates] == [True, True]
    assert "its other view" in seen.verdict
    assert "LAT" in " ".join(c.xray for c in seen.candidates)
    with pytest.raises(AmbiguousSeries, match=r"XA, LAT, 12.*XA, AP, 12.*load_views") as told:
        load(tmp_path)
    assert all(f"--series {c.name}" in told.value.found for c in seen.candidates)


def test_planes_tell_views_apart_where_angles_do_not(tmp_path, dicom):
    view(dicom, tmp_path, "a", ImageType=["ORIGINAL", "PRIMARY", "BIPLANE B"])
    view(dicom, tmp_path, "b", ImageType=["ORIGINAL", "PRIMARY", "BIPLANE A"])
    assert [s.acquisition.xray.plane for s in load_views(tmp_path)] == ["A", "B"]


def test_the_nearest_start_decides_between_several_runs(tmp_path, dicom):
    view(dicom, tmp_path, "a", **AP)
    view(dicom, tmp_path, "b", **LAT)
    view(dicom, tmp_path, "late", **LAT | {"AcquisitionTime": "101013.0"})
    found = load_views(tmp_path, options=ReadOptions(series=dicom.uid("a")))
    assert [s.acquisition.series_uid for s in found] == [dicom.uid("a"), dicom.uid("b")]


@pytest.mark.parametrize(
    "other",
    [
        LAT | {"AcquisitionTime": "101210.0"},
        LAT | {"FrameTime": 500},
        LAT | {"frames": 9},
        AP,
        LAT | {"StudyInstanceUID": "1.2.3"},
    ],
    ids=["another time", "another rate", "shorter", "the same view", "another study"],
)
def test_what_is_no_partner_is_not_paired(tmp_path, dicom, other):
    view(dicom, tmp_path, "a", **AP)
    view(dicom, tmp_path, "b", **other)
    assert len(load_views(tmp_path, options=ReadOptions(series=dicom.uid("a")))) == 1


def test_one_view_is_one_series(tmp_path, dicom):
    view(dicom, tmp_path, "a", **AP)
    assert len(load_views(tmp_path)) == 1
    dicom.series(tmp_path / "ct")
    (series,) = load_views(tmp_path / "ct")
    assert series.modality == "CT"


def test_two_patients_in_one_folder_are_refused(tmp_path, dicom):
    view(dicom, tmp_path, "a", **AP)
    view(dicom, tmp_path, "b", **LAT | {"PatientID": "ID-4712"})
    for read in (load, load_views):
        with pytest.raises(AmbiguousSeries, match="--series"):
            read(tmp_path)
