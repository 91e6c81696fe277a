import numpy as np
import pytest

from bolus.core.errors import BadTimes
from bolus.read import ReadOptions, load


def codes(series):
    return {finding.code for finding in series.findings}


def text_of(series, code):
    return next(f.text for f in series.findings if f.code == code)


EVEN = np.arange(10) * 2.0


def test_acquisition_time_gives_the_times_and_is_named(tmp_path, dicom):
    series = load(dicom.series(tmp_path / "s"))
    assert np.array_equal(series.times, EVEN)
    assert series.acquisition.clock == "AcquisitionTime"
    assert "AcquisitionTime" in text_of(series, "CLOCK")
    assert not codes(series) & {"TIME_GUESSED", "TIME_UNUSUAL", "TIME_IRREGULAR"}


def test_one_shared_time_asks_for_dt_and_names_the_repetition_time(tmp_path, dicom):
    def same(image, k, t):
        image.AcquisitionTime = image.ContentTime = "100000"

    folder = dicom.series(tmp_path / "s", same, modality="MR")
    with pytest.raises(BadTimes, match=r"all 10 images of a slice share one time.*--dt.*2 s"):
        load(folder)


def test_dt_stands_in_for_a_shared_time(tmp_path, dicom):
    def same(image, k, t):
        image.AcquisitionTime = "100000"

    series = load(dicom.series(tmp_path / "s", same), options=ReadOptions(dt_s=1.5))
    assert np.array_equal(series.times, np.arange(10) * 1.5)
    assert "InstanceNumber" in text_of(series, "TIME_GUESSED")
    assert series.frame(7)[0, 0, 0] == dicom.value(0, 0, 0, 7)


def test_dt_keeps_the_order_of_a_believable_clock(tmp_path, dicom):
    def reversed_numbers(image, k, t):
        image.InstanceNumber = 1000 - image.InstanceNumber

    series = load(dicom.series(tmp_path / "s", reversed_numbers), options=ReadOptions(dt_s=1.0))
    assert series.frame(3)[0, 0, 1] == dicom.value(0, 0, 1, 3)
    assert "AcquisitionTime" in text_of(series, "TIME_GUESSED")


def test_dt_counts_space_first_numbers_within_their_slice(tmp_path, dicom):
    def by_slice(image, k, t):
        del image.AcquisitionTime
        image.InstanceNumber = k * dicom.frames + t + 1

    series = load(dicom.series(tmp_path / "s", by_slice), options=ReadOptions(dt_s=1.0))
    assert series.frame(9)[0, 0, 3] == dicom.value(0, 0, 3, 9)


def test_dt_without_anything_that_tells_the_order_is_refused(tmp_path, dicom):
    def blind(image, k, t):
        del image.AcquisitionTime
        image.InstanceNumber = 1

    with pytest.raises(BadTimes, match="nothing tells the order"):
        load(dicom.series(tmp_path / "s", blind), options=ReadOptions(dt_s=1.0))


def test_missing_times_are_refused(tmp_path, dicom):
    def none(image, k, t):
        del image.AcquisitionTime

    with pytest.raises(BadTimes, match="no time at all"):
        load(dicom.series(tmp_path / "s", none))


def test_midnight_is_crossed_without_a_new_date(tmp_path, dicom):
    def late(image, k, t):
        image.AcquisitionTime = dicom.time((86390 + 2 * t) % 86400)

    assert np.array_equal(load(dicom.series(tmp_path / "s", late)).times, EVEN)


def test_midnight_is_crossed_with_a_new_date(tmp_path, dicom):
    def late(image, k, t):
        seconds = 86390 + 2 * t
        image.AcquisitionDate = "20261121" if seconds >= 86400 else "20261120"
        image.AcquisitionTime = dicom.time(seconds % 86400)

    assert np.array_equal(load(dicom.series(tmp_path / "s", late)).times, EVEN)


@pytest.mark.parametrize("start", [36000, 86390])
def test_a_date_that_some_images_lack_does_not_count(tmp_path, dicom, start):
    def some(image, k, t):
        seconds = start + 2 * t
        image.AcquisitionDate = "20261121" if seconds >= 86400 else "20261120"
        image.AcquisitionTime = dicom.time(seconds % 86400)
        if (k + t) % 3 == 0:
            del image.AcquisitionDate

    series = load(dicom.series(tmp_path / "s", some))
    assert np.array_equal(series.times, EVEN)
    assert "MISSING_SLICES" not in codes(series)


def test_one_late_frame_keeps_its_time(tmp_path, dicom):
    def late(image, k, t):
        image.AcquisitionTime = dicom.time(36000 + 2 * t + 10 * (t >= 6))

    series = load(dicom.series(tmp_path / "s", late))
    assert np.diff(series.times).tolist() == [2, 2, 2, 2, 2, 12, 2, 2, 2]
    assert next(f for f in series.findings if f.code == "TIME_IRREGULAR").severity == "warn"


def test_uneven_steps_are_kept_and_told(tmp_path, dicom):
    expected = np.cumsum([0, *[1.5] * 5, *[3.0] * 4])

    def uneven(image, k, t):
        image.AcquisitionTime = dicom.time(36000 + expected[t])

    series = load(dicom.series(tmp_path / "s", uneven))
    assert np.allclose(series.times, expected, atol=1e-6)
    assert "1.50 to 3.00" in text_of(series, "TIME_IRREGULAR")


def test_reversed_instance_numbers_do_not_matter(tmp_path, dicom):
    def reverse(image, k, t):
        image.InstanceNumber = 1000 - image.InstanceNumber

    series = load(dicom.series(tmp_path / "s", reverse))
    assert series.frame(2)[3, 4, 1] == dicom.value(3, 4, 1, 2)


@pytest.mark.parametrize("spelling", ["{h:02d}:{m:02d}:{s:02d}", "{h:02d}{m:02d}{s:02d}"])
def test_other_spellings_of_time_are_read(tmp_path, dicom, spelling):
    def spell(image, k, t):
        seconds = 36000 + 2 * t
        image.AcquisitionTime = spelling.format(h=seconds // 3600, m=seconds // 60 % 60, s=seconds % 60)

    series = load(dicom.series(tmp_path / "s", spell))
    assert np.array_equal(series.times, EVEN)
    assert "TIME_ROUNDED" not in codes(series)


@pytest.mark.parametrize("nonsense", ["2500", "", "25:00:00"])
def test_invalid_times_are_passed_over_for_the_next_clock(tmp_path, dicom, nonsense):
    def invalid(image, k, t):
        image.AcquisitionTime = nonsense
        image.ContentTime = dicom.time(40000 + 2 * t)

    series = load(dicom.series(tmp_path / "s", invalid))
    assert np.array_equal(series.times, EVEN)
    assert series.acquisition.clock == "ContentTime"
    assert "ContentTime may tell of reconstruction" in text_of(series, "TIME_GUESSED")


def test_minutes_only_are_refused(tmp_path, dicom):
    def minutes(image, k, t):
        image.AcquisitionTime = "1000"

    with pytest.raises(BadTimes, match="--dt"):
        load(dicom.series(tmp_path / "s", minutes))


def test_whole_seconds_of_an_even_clock_are_made_even_again(tmp_path, dicom):
    def floor(image, k, t):
        image.AcquisitionTime = dicom.time(np.floor(36000.2 + 1.5 * t))

    series = load(dicom.series(tmp_path / "s", floor))
    assert np.abs(series.times - np.arange(10) * 1.5).max() < 0.5
    assert series.is_even
    assert "TIME_ROUNDED" in codes(series)


def test_the_time_of_reconstruction_never_comes_before_a_coarse_time_of_acquisition(tmp_path, dicom):
    def coarse(image, k, t):
        image.AcquisitionTime = dicom.time(np.floor(36000.2 + 1.5 * t))
        image.ContentTime = dicom.time(40000 + 0.7 * t)

    assert load(dicom.series(tmp_path / "s", coarse)).acquisition.clock == "AcquisitionTime"


def test_a_fine_clock_comes_before_a_coarse_one(tmp_path, dicom):
    def coarse(image, k, t):
        image.AcquisitionTime = dicom.time(np.floor(36000.2 + 1.5 * t))
        image.TriggerTime = 1500 * t

    series = load(dicom.series(tmp_path / "s", coarse, modality="MR"))
    assert series.acquisition.clock == "TriggerTime"
    assert np.array_equal(series.times, np.arange(10) * 1.5)


def test_whole_seconds_of_two_rates_stay_as_they_are(tmp_path, dicom):
    expected = np.cumsum([0, *[1.0] * 12, *[2.0] * 12])

    def two_rates(image, k, t):
        image.AcquisitionTime = dicom.time(36000 + expected[t])

    series = load(dicom.series(tmp_path / "s", two_rates, frames=25))
    assert np.array_equal(series.times, expected)


def test_a_date_time_comes_before_a_time(tmp_path, dicom):
    def both(image, k, t):
        image.AcquisitionDateTime = f"20261120{dicom.time(36000 + 3 * t)}"

    series = load(dicom.series(tmp_path / "s", both))
    assert series.acquisition.clock == "AcquisitionDateTime"
    assert series.median_dt == 3.0
    assert "9.00 s" in text_of(series, "CLOCKS_DISAGREE")


@pytest.mark.parametrize(
    ("name", "clock"),
    [("TriggerTime", "TriggerTime"), ("TemporalResolution", "TemporalResolution")],
)
def test_clocks_that_count_from_a_trigger_are_milliseconds(tmp_path, dicom, name, clock):
    def counted(image, k, t):
        image.AcquisitionTime = "100000"
        image.TemporalPositionIdentifier = t + 1
        setattr(image, name, 2000.0 * t if name == "TriggerTime" else 2000.0)

    series = load(dicom.series(tmp_path / "s", counted, modality="MR"))
    assert np.array_equal(series.times, EVEN)
    assert series.acquisition.clock == clock


def test_philips_tell_when_a_dynamic_began(tmp_path, dicom):
    def philips(image, k, t):
        image.Manufacturer, image.AcquisitionTime = "Philips Medical Systems", "100000"
        block = image.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
        block.add_new(0xA0, "FL", 2.0 * t)

    series = load(dicom.series(tmp_path / "s", philips, modality="MR"))
    assert np.allclose(series.times, EVEN)
    assert series.acquisition.clock == "DynamicScanBeginTime"


@pytest.mark.parametrize("unit", [1.0, 1e3, 1e4])
def test_the_timer_of_ge_gets_its_unit_from_the_repetition_time(tmp_path, dicom, unit):
    def ge(image, k, t):
        image.Manufacturer, image.AcquisitionTime = "GE MEDICAL SYSTEMS", "100000"
        image.private_block(0x0021, "GEMS PRIVATE", create=True).add_new(0x5E, "DS", 2.0 * t * unit)

    series = load(dicom.series(tmp_path / "s", ge, modality="MR"))
    assert np.allclose(series.times, EVEN)
    assert series.acquisition.clock == "RTIA"


def test_ge_cine_scans_tell_the_time_since_the_start(tmp_path, dicom):
    def ge(image, k, t):
        image.Manufacturer, image.AcquisitionTime = "GE MEDICAL SYSTEMS", "100000"
        image.private_block(0x0043, "GEMS PRIVATE", create=True).add_new(0x1E, "DS", 2000.0 * t)

    series = load(dicom.series(tmp_path / "s", ge))
    assert np.allclose(series.times, EVEN)
    assert series.acquisition.clock == "DeltaStartTime"


def test_ge_cine_images_of_one_acquisition_time_tell_the_middle_of_their_scan(tmp_path, dicom):
    def ge(image, k, t):
        image.Manufacturer, image.AcquisitionTime = "GE MEDICAL SYSTEMS", "100000"
        image.ContentTime = dicom.time(36100 + 0.25 * (k * dicom.frames + t))  # reconstructed slice by slice
        block = image.private_block(0x0019, "GEMS_ACQU_01", create=True)
        block.add_new(0x24, "DS", f"{120.3 + 2.8 * t + 1.4 * (k >= 2):.3f}")

    series = load(dicom.series(tmp_path / "s", ge))
    assert series.acquisition.clock == "MidScanTime"
    assert np.allclose(series.times[:2], np.arange(10) * 2.8)
    assert np.allclose(series.times[2:], np.arange(10) * 2.8 + 1.4)


@pytest.mark.parametrize("tag", [(0x0019, 0x24), (0x0021, 0x5E), (0x0043, 0x1E), (0x2005, 0xA0)])
def test_a_damaged_private_clock_costs_no_image(tmp_path, dicom, tag):
    group, element = tag

    def odd(image, k, t):
        image.private_block(group, "ACME", create=True).add_new(element, "SH", "abcdef")

    folder = dicom.series(tmp_path / "s", odd)
    for file in folder.iterdir():  # six bytes cannot be numbers of four
        file.write_bytes(file.read_bytes().replace(b"SH\x06\x00abcdef", b"FL\x06\x00abcdef"))
    assert load(folder).acquisition.clock == "AcquisitionTime"


def test_small_differences_between_slices_are_one_clock(tmp_path, dicom):
    def nearly(image, k, t):
        image.AcquisitionTime = dicom.time(36000 + 2 * t + 0.02 * k)

    series = load(dicom.series(tmp_path / "s", nearly))
    assert series.times.shape == (10,)
    assert np.allclose(series.times, EVEN, atol=1e-5)


def test_interleaved_slices_keep_their_own_times(tmp_path, dicom):
    def interleaved(image, k, t):
        image.AcquisitionTime = dicom.time(36000 + 2 * t + 0.5 * ((k % 2) * 2 + k // 2))

    series = load(dicom.series(tmp_path / "s", interleaved))
    assert series.times.shape == (4, 10)
    assert np.allclose(series.times[:, 0], [0.0, 1.0, 0.5, 1.5])
    assert np.allclose(np.diff(series.times, axis=1), 2.0)


def shuttle_time(k, t, n=8, period=3.0):
    """Table going up and down: even passes upwards, odd passes downwards."""
    across = (k + 0.5) / n
    return t * period + period * (across if t % 2 == 0 else 1 - across)


def test_a_shuttle_scan_keeps_slices_ahead_and_behind(tmp_path, dicom):
    def shuttle(image, k, t):
        image.AcquisitionTime = dicom.time(36000 + shuttle_time(k, t))

    series = load(dicom.series(tmp_path / "s", shuttle, slices=8, frames=12))
    expected = np.array([[shuttle_time(k, t) for t in range(12)] for k in range(8)])
    assert np.allclose(series.times, expected - expected.min(), atol=1e-5)
    assert series.frame(5)[2, 3, 6] == dicom.value(2, 3, 6, 5)


def test_a_shuttle_scan_with_a_missing_image_is_filled_at_its_place(tmp_path, dicom):
    def shuttle(image, k, t):
        image.AcquisitionTime = dicom.time(36000 + shuttle_time(k, t))
        return (k, t) != (3, 5)

    series = load(dicom.series(tmp_path / "s", shuttle, slices=8, frames=12))
    assert series.n_frames == 12
    assert "MISSING_SLICES" in codes(series)
    assert series.frame(4)[2, 3, 3] == dicom.value(2, 3, 3, 4)
    assert series.frame(6)[2, 3, 3] == dicom.value(2, 3, 3, 6)


def test_missing_images_of_a_shuttle_scan_cost_no_others(tmp_path, dicom):
    missing = {(3, 5), (9, 11), (12, 8), (6, 14)}

    def shuttle(image, k, t):
        image.AcquisitionTime = dicom.time(36000 + shuttle_time(k, t, n=16))

    series = load(dicom.series(tmp_path / "s", shuttle, slices=16, frames=20, missing=missing))
    expected = np.array([[shuttle_time(k, t, n=16) for t in range(20)] for k in range(16)])
    assert next(f for f in series.findings if f.code == "MISSING_SLICES").value == len(missing)
    assert "EXTRA_IMAGES" not in codes(series)
    there = np.ones(expected.shape, dtype=bool)
    there[tuple(np.transpose(list(missing)))] = False
    apart = np.abs(series.times - (expected - expected.min()))
    assert apart[there].max() < 1e-5
    assert apart.max() < 0.5  # told by the neighbour: an interpolation in time would be 2 s and more off


def test_jog_mode_alternates_two_slabs(tmp_path, dicom):
    def jog(image, k, t):
        image.AcquisitionTime = dicom.time(36000 + 2.8 * t + 1.4 * (k >= 4))

    series = load(dicom.series(tmp_path / "s", jog, slices=8))
    assert np.allclose(series.times[:4, 0], 0.0)
    assert np.allclose(series.times[4:, 0], 1.4)


def test_slabs_taken_one_after_another_are_refused(tmp_path, dicom):
    def cine(image, k, t):
        image.AcquisitionTime = dicom.time(36000 + 2 * t + 60 * (k >= 2))

    with pytest.raises(BadTimes, match="one group after another"):
        load(dicom.series(tmp_path / "s", cine))


def test_doubled_frames_are_taken_once(tmp_path, dicom):
    def doubled(image, k, t):
        if t == 9:
            image.AcquisitionTime = dicom.time(36000 + 2 * 4)

    series = load(dicom.series(tmp_path / "s", doubled))
    assert series.n_frames == 9
    assert next(f for f in series.findings if f.code == "DOUBLED_FRAMES").value == dicom.slices
    assert series.frame(4)[0, 0, 0] == dicom.value(0, 0, 0, 4)  # the one numbered first


def test_a_clock_that_repeats_itself_is_refused_for_another_dimension(tmp_path, dicom):
    def pairs(image, k, t):
        image.AcquisitionTime = dicom.time(36000 + 2 * (t // 2))

    with pytest.raises(BadTimes, match="only 5 different times for 10 images"):
        load(dicom.series(tmp_path / "s", pairs))


def test_different_holes_in_different_slices_are_not_taken_for_shifted_frames(tmp_path, dicom):
    series = load(dicom.series(tmp_path / "s", missing={(k, k + 3) for k in range(4)}, frames=14))
    assert series.n_frames == 14
    assert np.array_equal(series.times, np.arange(14) * 2.0)
    for k in range(4):
        for t in range(14):
            assert series.frame(t)[1, 1, k] == dicom.value(1, 1, k, t)  # linear in time, so exact when filled


def test_a_missing_frame_leaves_a_longer_step(tmp_path, dicom):
    series = load(dicom.series(tmp_path / "s", missing={(k, 5) for k in range(4)}))
    assert series.n_frames == 9
    assert np.array_equal(np.diff(series.times), [2, 2, 2, 2, 4, 2, 2, 2])


def test_images_without_a_time_are_treated_as_missing(tmp_path, dicom):
    def one_blank(image, k, t):
        if (k, t) == (2, 5):
            image.AcquisitionTime = ""

    series = load(dicom.series(tmp_path / "s", one_blank))
    assert {"TIME_MISSING", "MISSING_SLICES"} <= codes(series)
    assert series.n_frames == 10


def test_absurdly_long_series_are_refused(tmp_path, dicom):
    def days(image, k, t):
        image.AcquisitionTime = dicom.time(3600 + 3000 * t)

    with pytest.raises(BadTimes, match="cannot be one bolus"):
        load(dicom.series(tmp_path / "s", days))


def test_long_series_are_read_with_a_finding(tmp_path, dicom):
    def slow(image, k, t):
        image.AcquisitionTime = dicom.time(36000 + 90 * t)

    series = load(dicom.series(tmp_path / "s", slow))
    assert series.median_dt == 90.0
    assert "TIME_UNUSUAL" in codes(series)
