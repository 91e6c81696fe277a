"""Cases of angiograms: masks lie on runs, and patients differ."""

import numpy as np
import pytest
from PIL import Image

from bolus.core.errors import BadInput, ShapeMismatch, UnreadableFile
from bolus.core.grid import canonical
from bolus.learn.angiograms import from_folder, load_mask, options, predict
from bolus.learn.ica import carotid
from bolus.learn.making import orders
from bolus.phantom import xa
from bolus.phantom.files import write_study

FLIPS = [np.diag([sx, sy, 1.0, 1.0]) for sx in (-1, 1) for sy in (-1, 1)]


@pytest.mark.parametrize("affine", FLIPS)
def test_a_picture_has_the_rows_and_columns_of_the_file(tmp_path, affine):
    drawn = np.zeros((30, 20), np.uint8)
    drawn[3, 15] = 255
    Image.fromarray(drawn).save(tmp_path / "mask.png")
    grid = canonical((20, 30, 1), affine)

    mask = load_mask(tmp_path / "mask.png", grid)

    assert mask.shape == grid.shape
    stored, _ = grid.stored(mask)
    assert np.argwhere(stored).tolist() == [[15, 3, 0]]


def test_masks_of_another_size_empty_ones_and_others_are_refused(tmp_path):
    grid = canonical((20, 30, 1), np.diag([-1.0, -1.0, 1.0, 1.0]))
    Image.fromarray(np.zeros((30, 20), np.uint8)).save(tmp_path / "empty.png")
    Image.fromarray(np.ones((20, 30), np.uint8)).save(tmp_path / "turned.png")
    (tmp_path / "text.png").write_text("text")
    with pytest.raises(BadInput, match="empty"):
        load_mask(tmp_path / "empty.png", grid)
    with pytest.raises(ShapeMismatch, match="wanted 20 x 30; found 30 x 20"):
        load_mask(tmp_path / "turned.png", grid)
    with pytest.raises(UnreadableFile):
        load_mask(tmp_path / "text.png", grid)


def test_a_mask_without_its_run_is_refused(tmp_path):
    (tmp_path / "p1").mkdir()
    Image.fromarray(np.ones((4, 4), np.uint8)).save(tmp_path / "p1" / "run.png")
    with pytest.raises(BadInput, match="no run"):
        list(from_folder(tmp_path))


def test_patients_differ_as_they_should():
    drawn = [options(order) for order in orders(400, seed=0, setting="A", size=64)]

    def part(name, value):
        return sum(d[name] == value for d in drawn) / len(drawn)

    assert 0.86 < part("vessel", "carotid") < 0.96
    assert 0.19 < part("layered", True) < 0.31
    assert 0.43 < part("motion", True) < 0.57
    assert 0.5 < part("clot", "none") < 0.72
    assert all(d["clot"] == "none" for d in drawn if d["vessel"] != "carotid")
    assert drawn == [options(order) for order in orders(400, seed=0, setting="A", size=64)]


def test_a_prediction_tells_that_another_artery_was_injected(tmp_path):
    write_study(xa(size=128, fps=2.0, vessel="vertebral", seed=3), tmp_path / "study")
    found = predict(carotid(), tmp_path / "study", tmp_path / "out")
    for view in found["views"]:
        assert view["pixels"] == 0 or view["other_artery"] > 0.5
        (doubt,) = view["doubts"]
        assert "another artery" in doubt or "found none" in doubt
