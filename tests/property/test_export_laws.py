"""Laws of what is written: volumes and curves read back as they were, and JSON is always JSON."""

import json
import tempfile
from itertools import permutations
from pathlib import Path

import nibabel as nib
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bolus.core.grid import canonical, turn_canonical
from bolus.export.nifti import write_volume
from bolus.export.regions import plain, statistics
from bolus.export.words import clean, number

FEW = settings(max_examples=25, deadline=None)
SHAPES = st.tuples(*[st.integers(1, 5)] * 3)
TURNS = st.tuples(st.sampled_from(list(permutations(range(3)))), st.tuples(*[st.sampled_from((1, -1))] * 3))


@FEW
@given(SHAPES, TURNS, st.floats(-20, 20), st.tuples(*[st.floats(0.3, 8)] * 3), st.integers(0, 2**31))
def test_a_volume_reads_back_in_its_own_place(shape, turn, degrees, spacing, seed) -> None:
    axes, signs = turn
    angle = np.deg2rad(degrees)
    tilt = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine = np.eye(4)
    affine[:3, :3] = tilt @ (np.eye(3)[:, list(axes)] * np.array(signs) * np.array(spacing))
    stored = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    grid = canonical(shape, affine)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "v.nii.gz"
        write_volume(path, turn_canonical(stored, grid), grid, intent="estimate", name="CBF", unit="s")
        image = nib.load(path)
        read = np.asarray(image.dataobj)

    np.testing.assert_array_equal(read, stored)
    np.testing.assert_allclose(image.affine, affine, atol=1e-4)


@FEW
@given(arrays(np.float32, st.integers(0, 40), elements=st.floats(width=32)))
def test_statistics_are_always_json_and_count_every_voxel(values) -> None:
    with np.errstate(over="ignore"):
        described = statistics(values)

    json.dumps(described, allow_nan=False)
    assert described["n"] == values.size
    assert described["n_failed"] == np.count_nonzero(~np.isfinite(values))


@FEW
@given(st.text(max_size=60))
def test_cleaning_is_final_and_leaves_printable_text(text) -> None:
    cleaned = clean(text)

    assert clean(cleaned) == cleaned
    assert all(c.isprintable() or c == " " for c in cleaned)


@FEW
@given(st.floats())
def test_numbers_are_words_or_finite(value) -> None:
    assert (plain(value) is None) == (not np.isfinite(value))
    assert number(value) == "n/a" or np.isfinite(float(number(value)))
