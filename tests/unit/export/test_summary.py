import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest

from bolus.core.finding import Finding, Severity
from bolus.core.maps import Map
from bolus.core.vessel import Vessels
from bolus.export import schema, summarise, summary_lines, words
from bolus.export.summary import dumps

VALIDATOR = jsonschema.Draft202012Validator(schema())


def numbers(document) -> list[float]:
    if isinstance(document, dict):
        document = list(document.values())
    if isinstance(document, list):
        return [n for part in document for n in numbers(part)]
    return [document] if isinstance(document, float) else []


def checked(result) -> dict:
    document = json.loads(dumps(summarise(result)))
    VALIDATOR.validate(document)
    return document


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


def test_a_whole_result_obeys_the_schema(small_result) -> None:
    document = checked(small_result)

    assert document["verdict"] == {"word": "CAUTION", "reasons": [small_result.findings[0].text]}
    assert document["lesions"]["volumes_ml"]["core"] == pytest.approx(
        small_result.lesions.volumes_ml["core"], rel=1e-5
    )
    assert document["maps"]["CBF"]["unit"] == "mL/100 g/min"
    assert document["recipe"]["deconvolve"]["method"] == "posterior"
    assert document["input"]["time"]["n_frames"] == 40
    assert document["motion"]["rejected_frames"] == [17, 31]


def test_intervals_stand_beside_the_volumes(small_result, sure_result) -> None:
    without, document = checked(small_result), checked(sure_result)

    assert without["lesions"]["intervals"] is None
    intervals = document["lesions"]["intervals"]
    assert intervals["level"] == 0.9
    low, high = intervals["volumes_ml"]["core"]
    assert low < document["lesions"]["volumes_ml"]["core"] < high
    assert "simulated patients" in intervals["meaning"]
    assert "cbf<20%" not in intervals["volumes_ml"]
    assert "lesions/core_probability.nii.gz" in document["files"]
    assert not VALIDATOR.is_valid({**document, "lesions": {**document["lesions"], "intervals": {"level": 2}}})


def test_the_table_shows_the_intervals(small_result, sure_result) -> None:
    lines, plain = dict(summary_lines(sure_result)), dict(summary_lines(small_result))
    core = small_result.lesions.volumes_ml["core"]

    name = "core (CBF < 30 % of healthy tissue)"
    assert plain[name] == f"{core:.1f} mL"
    assert lines[name] == f"{core:.0f} mL ({0.9 * core:.0f}-{1.2 * core:.0f})"
    assert "(" in lines["mismatch volume"]


@pytest.mark.parametrize(
    ("value", "bounds", "text"),
    [
        (52.2, (47.6, 57.4), "52 mL (48-57)"),
        (0.0, (0.0, 2.31), "0.0 mL (0.0-2.3)"),
        (-1.0, (-12.0, 3.0), "-1 mL (-12 to 3)"),
        (52.24, None, "52.2 mL"),
    ],
)
def test_volumes_in_words(value, bounds, text) -> None:
    assert words.volume(value, bounds) == text


def test_the_schema_refuses_what_is_wrong(small_result) -> None:
    document = checked(small_result)
    for wrong in (
        {**document, "schema_version": "2.0"},
        {**document, "extra": 1},
        {k: v for k, v in document.items() if k != "findings"},
        {**document, "verdict": {"word": "FINE", "reasons": []}},
    ):
        assert not VALIDATOR.is_valid(wrong)


def test_region_statistics_are_those_of_the_voxels(small_result) -> None:
    core = small_result.lesions.core

    stats = checked(small_result)["maps"]["Tmax"]["regions"]["core"]

    values = small_result.maps["Tmax"].values[core]
    assert stats["n"] == core.sum()
    assert stats["median"] == pytest.approx(np.median(values), rel=1e-4)
    assert stats["p95"] == pytest.approx(np.percentile(values, 95), rel=1e-4)
    assert stats["volume_ml"] == pytest.approx(core.sum() * small_result.grid.voxel_ml, rel=1e-5)


def test_withheld_lesions_leave_no_volume_anywhere(make_result) -> None:
    failed = Finding("TRUNCATED", Severity.FAIL, "The bolus is cut off: scan longer.", 0.8)

    document = checked(make_result(lesions=None, findings=(failed,)))

    assert document["lesions"] is None
    assert document["verdict"]["word"] == "FAIL"
    assert set(document["maps"]["CBF"]["regions"]) == {"tissue"}
    assert not [f for f in document["files"] if f.startswith("lesions/") or "mismatch" in f]


def test_failed_voxels_are_counted_and_left_out(make_result, small_result) -> None:
    made = small_result.maps["MTT"]
    values = made.values.copy()
    inside = np.flatnonzero(small_result.brain.tissue)[:30]
    values.reshape(-1)[inside] = np.nan
    values.reshape(-1)[inside[:7]] = np.inf

    document = checked(make_result(maps={"MTT": Map("MTT", values, made.unit, made.grid)}))

    assert document["maps"]["MTT"]["n_failed"] == 30
    assert document["maps"]["MTT"]["regions"]["tissue"]["n_failed"] == 30
    assert np.isfinite(numbers(document)).all()


def test_a_map_of_nothing_but_nan_is_null(make_result, small_result) -> None:
    made = small_result.maps["CBF"]
    nothing = Map("CBF", np.full(made.grid.shape, np.nan, np.float32), made.unit, made.grid)

    tissue = checked(make_result(maps={"CBF": nothing}))["maps"]["CBF"]["regions"]["tissue"]

    assert tissue["mean"] is tissue["median"] is None
    assert tissue["n_failed"] == tissue["n"] > 0


@pytest.mark.parametrize(
    ("ratio", "words"), [(float("inf"), "infinite"), (float("nan"), "none"), (412.0, ">99")]
)
def test_a_ratio_without_a_number_is_a_word(make_result, small_result, ratio, words) -> None:
    lesions = replace(small_result.lesions, mismatch_ratio=ratio, cbv_index=None)

    result = make_result(lesions=lesions)

    document = checked(result)
    assert document["lesions"]["mismatch_ratio_words"] == words
    assert document["lesions"]["mismatch_ratio"] == (412.0 if ratio == 412.0 else None)
    assert dict(summary_lines(result))["mismatch ratio"] == words


def test_no_vein_and_no_motion_are_null(make_result, small_result) -> None:
    result = make_result(vessels=Vessels(small_result.vessels.aif), motion=None)

    document = checked(result)

    assert document["vessels"]["vof"] is None
    assert document["motion"] is None
    assert dict(summary_lines(result))["motion"] == "not corrected"
    assert "VOF" not in dict(summary_lines(result))


def test_slices_with_their_own_clocks_are_said(make_result, small_result) -> None:
    per_slice = small_result.times[None, :] + 0.2 * np.arange(small_result.grid.shape[2])[:, None]

    time = checked(make_result(times=per_slice))["input"]["time"]

    assert time["per_slice"] is True
    assert time["dt_median_s"] == pytest.approx(1.5)


def test_key_order_is_fixed(small_result) -> None:
    assert dumps(summarise(small_result)) == dumps(summarise(small_result))
    assert list(summarise(small_result))[:3] == ["kind", "schema_version", "notice"]


def test_a_nan_that_slipped_through_is_an_error() -> None:
    with pytest.raises(ValueError, match="JSON"):
        dumps({"value": float("nan")})


def test_control_and_direction_characters_do_not_reach_the_summary(make_result, small_result) -> None:
    acquisition = replace(small_result.acquisition, description="CTP\x1b[31m\u202e evil\x00\n")

    assert checked(make_result(acquisition=acquisition))["input"]["description"] == "CTP[31m evil"


def test_lines_for_people_name_the_criteria(small_result) -> None:
    lines = dict(summary_lines(small_result))

    assert lines["verdict"] == "CAUTION"
    assert lines["hypoperfused (Tmax > 6 s)"].endswith(" mL")
    assert lines["AIF"] == "peak 310 HU at 16.5 s, width 8.2 s, 9 voxels"


def test_lines_for_people_say_that_volumes_are_withheld(make_result) -> None:
    lines = dict(summary_lines(make_result(lesions=None)))

    assert "withheld" in lines["volumes"]
    assert not [v for v in lines.values() if v.endswith("mL")]
