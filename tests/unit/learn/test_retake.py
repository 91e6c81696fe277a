"""Takes that are made of scenes hold the scene's contrast, behind bone that moves and noise that is new."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from bolus.learn import retake as retaking  # noqa: E402
from bolus.learn.cases import Case  # noqa: E402
from bolus.learn.retake import retake  # noqa: E402
from bolus.learn.runs import GREY, PER_NAT, fit  # noqa: E402

SIZE, FRAMES = 64, 15
VESSEL = (slice(20, 44), slice(30, 34))
CONTRAST = 0.4


def scene(n=4, *, bone=0.0):
    """Return a batch of a vessel that fills in the sixth frame, before a wedge and an edge of bone."""
    frames = np.full((FRAMES, SIZE, SIZE), GREY, np.float32)
    frames[5:, *VESSEL] -= np.float32(CONTRAST * PER_NAT)
    beam = np.zeros((3, SIZE, SIZE), np.float16)
    beam[0, :, 48:] = bone
    beam[2, :, 4:] = 1.0
    case = Case(
        frames, np.array([1], np.uint8), "p", extra={"beam": beam, "place_px": np.array([31.0, 20.0])}
    )
    arrays = fit(case, SIZE, FRAMES, half=True)
    return {name: torch.from_numpy(np.stack([each] * n)) for name, each in arrays.items()}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def grey(batch):
    """Return grey values less that of no contrast of a batch as `fit` gives it."""
    mean, deviation = (part.view(-1, 1, 1, 1) for part in batch["grey"].unbind(dim=1))
    return batch["image"].flatten(1, 2).float() * deviation + mean


@pytest.fixture
def calm(monkeypatch):
    """Take without motion, and with so many photons that noise is nothing."""
    for name, value in {"MOVES": 0.0, "SWAY_MM": 0.0, "FLICKER": 0.0, "PHOTONS": (1e9, 2e9)}.items():
        monkeypatch.setattr(retaking, name, value)


def test_a_scene_keeps_its_grey_values():
    found = grey(scene())[0]
    assert found[10, 25, 31].item() == pytest.approx(-CONTRAST * PER_NAT, abs=0.2)
    assert found[2].abs().max().item() < 0.2


def test_a_calm_take_is_the_contrast(calm):
    before = scene(8, bone=1.5)
    after = retake(before, generator())["image"].flatten(1, 2)

    assert after.dtype == torch.float32
    torch.testing.assert_close(after.mean(dim=(1, 2, 3)), torch.zeros(8), atol=1e-4, rtol=0)
    torch.testing.assert_close(after.std(dim=(1, 2, 3)), torch.ones(8), atol=1e-3, rtol=0)
    expected = grey(before)
    expected = (expected - expected.mean((1, 2, 3), keepdim=True)) / expected.std((1, 2, 3), keepdim=True)
    torch.testing.assert_close(after, expected, atol=0.02, rtol=0)


def test_noise_is_that_of_the_counts(monkeypatch, calm):
    """Behind bone of 2 nat a seventh of the photons arrive: the noise is e times as large."""
    monkeypatch.setattr(retaking, "PHOTONS", (1e4, 1e4 + 1))
    monkeypatch.setattr(retaking, "GRAIN", 0.0)
    image = retake(scene(8, bone=2.0), generator())["image"].flatten(1, 2)
    step = image[:, 4] - image[:, 3]  # before contrast
    assert (step[..., 50:].std() / step[..., 6:28].std()).item() == pytest.approx(np.e, rel=0.05)


def test_bone_shows_an_edge_where_the_head_moves(monkeypatch, calm):
    still = retake(scene(6, bone=1.0), generator())["image"].flatten(1, 2)
    monkeypatch.setattr(retaking, "MOVES", 1.0)
    moved = retake(scene(6, bone=1.0), generator())["image"].flatten(1, 2)
    edge = (..., slice(8, 56), slice(45, 51))
    assert (moved[:, -1][edge] - moved[:, 0][edge]).abs().amax(dim=(1, 2)).median() > 1.0
    assert (still[:, -1][edge] - still[:, 0][edge]).abs().max() < 0.05
    torch.testing.assert_close(moved[:, 0], moved[:, 0].mean((1, 2), keepdim=True).expand_as(moved[:, 0]),
                               atol=0.02, rtol=0)  # fmt: skip


def test_the_head_begins_where_the_mask_saw_it():
    path = retaking._path(200, FRAMES, generator())
    assert path[:, 0].abs().max() < 1e-6
    moves = path.abs().amax(dim=(1, 2)) > 0
    assert 0.25 < moves.float().mean() < 0.55


def test_a_shift_moves_a_picture_by_so_many_millimetres():
    picture = torch.zeros(1, 1, SIZE, SIZE)
    picture[..., 30, 20] = 1.0
    pixel_mm = retaking.SIDE_MM / SIZE
    moved = retaking._moved(picture, torch.tensor([[[2 * pixel_mm, 3 * pixel_mm, 0.0]]]))
    assert torch.equal(torch.nonzero(moved[0, 0] > 0.5), torch.tensor([[33, 22]]))


def test_each_time_is_another_and_the_same_seed_the_same():
    one, same, other = (retake(scene(2), generator(seed))["image"] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_closed_shutters_stay_closed_and_other_cases_as_they_are():
    shown = retake(scene(2, bone=1.0), generator())["image"].flatten(1, 2)
    closed = shown[..., :4]
    torch.testing.assert_close(closed, closed[:, :1, :1, :1].expand_as(closed))
    plain = {"image": torch.ones(2, 1, 8, 8)}
    assert retake(plain, generator()) is plain
