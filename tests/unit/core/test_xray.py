"""What an X-ray run says about its frames follows them when some are left out."""

from bolus.core.xray import MaskOperation, XRay


def test_operations_count_in_the_frames_that_are_kept():
    shifts = tuple((float(frame), 0.0) for frame in range(8))
    operation = MaskOperation("AVG_SUB", (0, 2), ((1, 4), (6, 8)), frame_shifts_px=shifts)
    (found,) = XRay(operations=(operation,)).of_frames([0, 2, 3, 5, 6, 7]).operations
    assert found.frames == (0, 1)
    assert found.ranges == ((1, 3), (4, 6))
    assert [found.shift_of(frame)[0] for frame in range(6)] == [0.0, 2.0, 3.0, 5.0, 6.0, 7.0]


def test_a_run_without_gaps_keeps_its_operations():
    xray = XRay(operations=(MaskOperation("TID", offset=2), MaskOperation("AVG_SUB", (1,), ((3, 9),))))
    assert xray.of_frames(range(9)) == xray


def test_an_operation_whose_mask_or_frames_are_gone_does_not_count():
    """Without frames of its own an average would have no mask; without ranges it would apply to all."""
    gone = (MaskOperation("AVG_SUB", (4,)), MaskOperation("AVG_SUB", (0,), ((4, 5),)))
    assert XRay(operations=gone).of_frames([0, 1, 2, 3]).operations == ()
