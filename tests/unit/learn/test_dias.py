"""DIAS, as its authors lay it out."""

import numpy as np
import pytest
from PIL import Image

from bolus.core.errors import BadInput, ShapeMismatch, UnreadableFile
from bolus.learn import making
from bolus.learn.dias import authors_split, projection, read_dias
from bolus.learn.splits import check_leakage

SHAPE = (40, 32)


def sequence(folder, number, n_frames=12):
    """A vertical vessel that fills downwards, dark on grey; its mask."""
    rng = np.random.default_rng(number)
    vessel = np.zeros(SHAPE, bool)
    vessel[5:35, 14:18] = True
    for i in range(n_frames):
        frame = 180 + rng.normal(0, 2, SHAPE)
        frame[vessel & (np.arange(SHAPE[0])[:, None] < 5 + 30 * (i + 1) / n_frames)] = 60
        (folder / "images").mkdir(parents=True, exist_ok=True)
        Image.fromarray(frame.astype(np.uint8)).save(folder / "images" / f"image_s{number}_i{i}.png")
    (folder / "labels").mkdir(exist_ok=True)
    Image.fromarray((vessel * 255).astype(np.uint8)).save(folder / "labels" / f"label_s{number}.png")


@pytest.fixture
def dias(tmp_path):
    for number, part in enumerate(["training", "training", "validation", "test"]):
        sequence(tmp_path / "DIAS" / part, number)
    return tmp_path / "DIAS"


def test_every_sequence_becomes_a_case(dias):
    cases = dict(read_dias(dias))

    assert sorted(cases) == ["test/s3.npz", "training/s0.npz", "training/s1.npz", "validation/s2.npz"]
    case = cases["training/s1.npz"]
    assert (case.patient, case.site, case.meta["frames"]) == ("dias-s1", "DIAS", 12)
    assert case.image.shape == case.target.shape == (1, *SHAPE)
    assert case.target.sum() == 30 * 4
    inside = case.target > 0
    assert case.image[inside].mean() > 0.9
    assert case.image[~inside].mean() < 0.1


def test_frames_are_in_the_order_of_their_numbers(dias):
    last = dias / "training" / "images" / "image_s0_i11.png"
    last.unlink()
    cases = dict(read_dias(dias))
    assert not cases["training/s0.npz"].image[0, 33:35, 14:18].mean() > 0.5


def test_the_authors_split_is_kept_and_does_not_leak(dias, tmp_path):
    made = making.bring_in(tmp_path / "cases", read_dias(dias), source={"task": "arteries"})
    split = authors_split(dias)

    check_leakage(split, made)
    assert split.train == ("dias-s0", "dias-s1")
    assert split.test == ("dias-s3",)


def test_other_folders_and_broken_files_are_refused(dias, tmp_path):
    with pytest.raises(BadInput, match="no frames"):
        list(read_dias(tmp_path))
    label = dias / "training" / "labels" / "label_s0.png"
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(label)
    with pytest.raises(ShapeMismatch, match="differ in size"):
        list(read_dias(dias))
    label.write_bytes(b"no picture")
    with pytest.raises(UnreadableFile, match="not a picture"):
        list(read_dias(dias))
    label.unlink()
    with pytest.raises(UnreadableFile, match="label_s0"):
        list(read_dias(dias))


def test_what_was_never_lit_is_outside_the_field():
    frame = np.full((6, 6), 200, np.uint8)
    frame[0] = 0
    contrast, field = projection([frame, frame])
    assert not field[0].any()
    assert field[1:].all()
    assert not contrast.any()
