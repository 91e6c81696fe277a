"""The internal carotid artery of an X-ray run without a network."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from bolus.core.errors import NoVessel, ShapeMismatch
from bolus.core.grid import Grid
from bolus.core.series import Concentration
from bolus.core.units import Modality, Unit
from bolus.physics.gamma import GammaVariate
from bolus.vessels import carotid_input, find_carotid, largest_part

SIZE, SPACING = 128, 1.2
TIMES = np.arange(40) * 0.25
X, Y = np.meshgrid(np.arange(SIZE), np.arange(SIZE), indexing="ij")
ICA = (np.abs(X - 60 - 6 * np.sin(Y / 15)) < 2.5) & (Y > 60)
MCA = (np.abs(Y - 60) < 1.5) & (X > 60) & (X < 110)
VEIN = (np.abs(X - 90) < 3) & (Y > 40) & (Y < 120)
SIDE = (np.abs(X - 8) < 2.5) & (Y > 60)


def passage(onset_s, height, width=0.7):
    return height * GammaVariate(1.0, onset_s, 3.0, width)(TIMES)


def run(*, ica=0.6, side=0.0, noise=0.01):
    curves = np.zeros((SIZE, SIZE, TIMES.size))
    curves += passage(3.5, 0.1, 1.2)
    curves[ICA] += passage(1.5, ica)
    curves[MCA] += passage(2.1, 0.7 * ica)
    curves[VEIN] += passage(5.0, 0.8)
    curves[SIDE] += passage(1.2, side)
    curves += np.random.default_rng(0).normal(0, noise, curves.shape)
    grid = Grid((SIZE, SIZE, 1), np.diag([-SPACING, -SPACING, 1.0, 1.0]))
    everywhere = np.ones(grid.shape, dtype=bool)
    rows = curves.reshape(-1, TIMES.size).astype(np.float32)
    contrast = Concentration(rows, TIMES, everywhere, grid, Modality.XA, Unit.NAT, (0, 5), noise)
    return contrast, contrast.image(rows.max(axis=1)), everywhere


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def test_the_first_tube_from_below_is_found_without_its_branches():
    found = find_carotid(*run())
    assert found.shape == (SIZE, SIZE, 1)
    assert dice(found[..., 0], ICA) > 0.8
    assert not (found[..., 0] & VEIN).any()


def test_an_earlier_artery_at_the_side_is_not_taken():
    found = find_carotid(*run(side=0.7))
    assert dice(found[..., 0], ICA) > 0.8


def test_the_mask_of_the_run_and_the_field_bound_it():
    contrast, picture, field = run()
    field = np.array(field)
    field[:, 100:] = False
    found = find_carotid(contrast, picture, field)
    assert not found[:, 100:].any()
    assert dice(found[..., 0], ICA & field[..., 0]) > 0.75


def test_without_an_artery_nothing_is_made_up():
    contrast, picture, field = run(ica=0.0)
    with pytest.raises(NoVessel, match="--aif"):
        find_carotid(contrast, np.where(VEIN[..., None], picture, 0.0), field & ~VEIN[..., None])
    with pytest.raises(NoVessel, match="greatest density"):
        find_carotid(contrast, np.zeros_like(picture), field)
    with pytest.raises(NoVessel, match="empty field"):
        find_carotid(contrast, picture, np.zeros_like(field))


def test_shapes_must_fit():
    contrast, picture, field = run()
    with pytest.raises(ShapeMismatch):
        find_carotid(contrast, picture[1:], field)


def test_the_whole_input_is_the_mean_over_the_mask():
    contrast, _, _ = run()
    found = carotid_input(contrast, ICA[..., None], "drawn by hand", whole=True)
    expected = contrast.curves[ICA.ravel()].mean(axis=0)
    assert np.allclose(found.aif.values, expected, atol=1e-6)
    assert (found.aif.origin, found.aif.unit, found.vof) == ("drawn by hand", Unit.NAT, None)
    assert found.aif.quality["n_voxels"] == ICA.sum()
    assert found.aif.quality["peak"] == pytest.approx(0.6, abs=0.05)
    with pytest.raises(NoVessel):
        carotid_input(contrast, np.zeros((SIZE, SIZE, 1), dtype=bool), "")


WIDE = ndimage.binary_dilation(ICA, iterations=2)


def test_the_rim_of_the_mask_is_left_out():
    contrast, _, _ = run()
    found = carotid_input(contrast, WIDE[..., None], "drawn by hand")
    used = ICA | (WIDE & MCA)
    assert np.allclose(found.aif.values, contrast.curves[used.ravel()].mean(axis=0), atol=1e-6)
    assert found.aif.quality["n_voxels"] == used.sum()
    assert len(found.aif.voxels) == WIDE.sum()
    assert "without its rim" in found.aif.origin


def test_a_pale_stretch_of_the_artery_counts():
    """What is dense is told from what lies nearby: a threshold for the whole artery would lose it."""
    contrast, _, _ = run()
    far = ICA & (Y > 95)
    curves = np.array(contrast.curves)
    curves[far.ravel()] *= 0.3
    found = carotid_input(replace(contrast, curves=curves), WIDE[..., None])
    used = np.count_nonzero(ICA | (WIDE & MCA))
    compared = np.count_nonzero(far & (Y <= 95 + 6))  # with the dense stretch, which is within 7 mm
    assert found.aif.quality["n_voxels"] == used - compared


def test_what_fills_later_is_not_taken_for_dense():
    """A dense vein that crosses the outline neither counts nor outshines the artery beside it."""
    contrast, _, _ = run()
    late = ICA & (Y > 80) & (Y < 84)
    beyond = ndimage.shift(late, (5, 0), order=0)
    curves = np.array(contrast.curves)
    curves[beyond.ravel()] += passage(6.5, 1.5)
    found = carotid_input(replace(contrast, curves=curves), (ICA | beyond)[..., None])
    assert found.aif.quality["n_voxels"] == ICA.sum()


@pytest.mark.parametrize("n_lost", [1, 40, ICA.sum() - 1])
def test_pixels_without_a_number_are_left_out_first(n_lost):
    contrast, _, _ = run()
    curves = np.array(contrast.curves)
    rows = np.flatnonzero(ICA.ravel())
    curves[rows[:n_lost], 3] = np.nan
    found = carotid_input(replace(contrast, curves=curves), ICA[..., None], "drawn by hand")
    assert found.aif.quality["n_voxels"] == rows.size - n_lost
    assert np.allclose(found.aif.values, curves[rows[n_lost:]].mean(axis=0), atol=1e-6)


def test_a_mask_of_nothing_dense_is_averaged():
    contrast, _, _ = run()
    below = replace(contrast, curves=-1.0 - np.abs(contrast.curves))
    assert carotid_input(below, ICA[..., None]).aif.quality["n_voxels"] == ICA.sum()


@pytest.mark.parametrize("iterations", [1, 2, 3])
def test_a_generous_outline_gives_the_same_curve(iterations):
    contrast, _, _ = run()
    wide = ndimage.binary_dilation(ICA, iterations=iterations) & (Y > 62)  # no branch
    narrow, broad = (carotid_input(contrast, mask[..., None]).aif.values for mask in (ICA, wide))
    everything = carotid_input(contrast, wide[..., None], whole=True).aif.values
    assert broad.max() == pytest.approx(narrow.max(), rel=0.02)
    assert everything.max() < 0.9 * narrow.max()


def test_small_parts_are_left_out_only_where_one_part_is_most_of_it():
    mask = np.zeros((20, 20, 1), dtype=bool)
    mask[2:6, 2:12] = True
    mask[12:14, 12:14] = True
    kept, finding = largest_part(mask)
    assert finding is None
    assert kept.sum() == 40
    mask[12:17, 2:12] = True
    kept, finding = largest_part(mask)
    assert finding.code == "CAROTID_PARTS"
    assert kept is mask
    assert largest_part(mask, at_least=0.4)[1] is None
    empty = np.zeros_like(mask)
    assert largest_part(empty) == (empty, None) or not largest_part(empty)[0].any()
