import numpy as np
import pytest

from bolus.read.dicom.images.dates import day, moment, over_midnight, time_of_day


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("101530", 36930.0),
        ("101530.250000", 36930.25),
        ("101530,5", 36930.5),
        ("1015", 36900.0),
        ("10", 36000.0),
        ("10:15:30", 36930.0),
        ("10:15:30.5", 36930.5),
        ("101530.25 ", 36930.25),
        ("000000", 0.0),
    ],
)
def test_times_are_read_in_every_spelling(text, seconds):
    assert time_of_day(text) == pytest.approx(seconds, abs=1e-9)


@pytest.mark.parametrize("text", ["", "2500", "25:00:00", "106000", "noon", None, "1", "101530.x", "-10000"])
def test_what_is_no_time_is_none(text):
    assert time_of_day(text) is None


def test_the_first_of_several_values_counts():
    assert time_of_day(["101530", "101540"]) == 36930.0


def test_days_are_counted_and_nonsense_is_none():
    assert day("20261121") - day("20261120") == 86400.0
    assert day("2026.11.20") == day("20261120")
    assert day("20261332") is None
    assert day("") is None


def test_moments_hold_date_time_and_offset():
    assert moment("20261120101530.5") == day("20261120") + 36930.5
    assert moment("20261120101530.5+0200") == day("20261120") + 36930.5 - 7200
    assert moment("20261120101530-0130") == day("20261120") + 36930 + 5400
    assert moment("20261120") is None
    assert moment(None) is None


def test_midnight_is_carried_over():
    seconds = np.array([86398.0, 86399.0, 0.0, 1.0, np.nan])
    assert np.array_equal(over_midnight(seconds)[:4], [86398.0, 86399.0, 86400.0, 86401.0])


def test_times_of_one_hour_are_left_alone():
    seconds = np.array([10.0, 3600.0])
    assert np.array_equal(over_midnight(seconds), seconds)
