"""Augmentation moves image and truth together, and draws what its generator says."""

import numpy as np
import pytest

from bolus.core.errors import BadRecipe

torch = pytest.importorskip("torch")

from bolus.learn.augment import AUGMENTATIONS, augmentation, shift_scale_rotate  # noqa: E402

SIZE = 64


def batch(n=16):
    y, x = np.meshgrid(np.linspace(-1, 1, SIZE), np.linspace(-1, 1, SIZE), indexing="ij")
    disc = ((x - 0.3) ** 2 + (y + 0.2) ** 2 < 0.15).astype(np.float32)
    image = torch.from_numpy(disc).expand(n, 1, SIZE, SIZE).clone()
    return {"image": image, "target": (image > 0.5).to(torch.uint8), "aif": torch.ones(n, 7)}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


PICTURES = [name for name in AUGMENTATIONS if name != "reflow"]  # which changes contrast, with its maps


@pytest.mark.parametrize("name", PICTURES)
def test_image_and_truth_stay_together(name):
    before = batch()
    after = AUGMENTATIONS[name](before, generator())

    assert {k: (v.shape, v.dtype) for k, v in after.items()} == {
        k: (v.shape, v.dtype) for k, v in before.items()
    }
    apart = (after["image"] > 0.5) != (after["target"] > 0)
    assert apart.float().mean() < 0.02
    assert torch.equal(after["aif"], before["aif"])


@pytest.mark.parametrize("name", [name for name in PICTURES if name not in {"shorten", "retake"}])  # of runs
def test_the_same_generator_draws_the_same_and_another_does_not(name):
    one, same, other = (AUGMENTATIONS[name](batch(), generator(seed))["image"] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("name", ["flip", "shift_scale_rotate"])
def test_half_of_the_cases_change(name):
    before = batch(400)
    after = AUGMENTATIONS[name](before, generator())
    changed = ((after["image"] - before["image"]).abs().amax(dim=(1, 2, 3)) > 1e-3).float().mean()
    assert 0.42 < changed < 0.58


@pytest.mark.parametrize("name", ["flip", "shift_scale_rotate"])
def test_cases_that_are_not_drawn_stay_as_they_are(name):
    before = {"image": torch.randn(40, 2, SIZE, SIZE)}
    after = AUGMENTATIONS[name](dict(before), generator())
    same = (after["image"] == before["image"]).all(dim=(1, 2, 3))
    assert 8 < int(same.sum()) < 32


def test_it_shifts_scales_and_rotates_within_its_bounds():
    def moved(**kwargs):
        none = {"shift": 0.0, "scale": 0.0, "rotate_deg": 0.0}
        after = shift_scale_rotate(batch(200), generator(), **(none | kwargs))["image"].double()
        mass = after.sum(dim=(1, 2, 3)).numpy()
        along = torch.arange(SIZE).double()
        x = ((after * along).sum(dim=(1, 2, 3)) / after.sum(dim=(1, 2, 3))).numpy()
        return mass / mass.max(), x

    mass, x = moved(shift=0.0625)
    assert 6.5 < np.ptp(x) <= 2 * 0.0625 * SIZE + 0.1
    assert mass.min() > 0.99
    mass, _ = moved(scale=0.1)
    assert 1.1**2 / 0.9**2 * 0.93 < 1 / mass.min() < 1.1**2 / 0.9**2 * 1.07
    mass, x = moved(rotate_deg=10)
    assert mass.min() > 0.98
    assert np.ptp(x) > 1.0


def test_names_apply_in_turn_and_unknown_ones_are_refused():
    before = batch()
    both = augmentation(["flip", "tone"])(dict(before), generator(3))
    one_by_one = generator(3)
    expected = AUGMENTATIONS["tone"](AUGMENTATIONS["flip"](before, one_by_one), one_by_one)
    assert torch.equal(both["image"], expected["image"])
    with pytest.raises(BadRecipe, match="spin"):
        augmentation(["spin"])


def test_runs_end_early_and_never_late():
    generator = torch.Generator().manual_seed(1)
    frames = torch.arange(15.0)[None, :, None, None].expand(16, 15, 4, 4)
    image = frames.reshape(16, 5, 3, 4, 4)
    made = augmentation(("shorten",))({"image": image}, generator)["image"].flatten(1, 2)[:, :, 0, 0]
    assert (made[:, 0] == 0).all()
    assert (made.diff(dim=1) >= 0).all()
    assert made[:, -1].min() >= 0.7 * 14 - 0.5
    assert 0.2 < float((made[:, -1] < 14).float().mean()) < 0.8


def test_speckle_has_no_mean_and_at_most_its_size():
    generator = torch.Generator().manual_seed(2)
    image = torch.zeros(8, 5, 3, 32, 32)
    made = augmentation(("speckle",))({"image": image}, generator)["image"]
    spread = made.flatten(1).std(dim=1)
    assert float(made.mean().abs()) < 0.01
    assert 0 < float(spread.min()) < float(spread.max()) < 0.4
