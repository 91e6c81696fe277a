"""Tissue that is perfused otherwise takes up as much more contrast as its flow and volume grow."""

import numpy as np
import pytest

from bolus.core.errors import BadRecipe

torch = pytest.importorskip("torch")

from bolus.learn.cases import Case  # noqa: E402
from bolus.learn.maps import CTP, FAINT_HU, fit  # noqa: E402
from bolus.learn.reflow import reflow  # noqa: E402

SIZE, N = 32, 24
RISE = np.exp(-0.5 * ((np.arange(N) - 12.0) / 3.0) ** 2).astype(np.float32)


def batch(n=6, noise_hu=0.0):
    """Slices of even tissue (CBF 40, CBV 3, TTP 5) with a vessel in the middle and air about it."""
    rng = np.random.default_rng(3)
    tissue = np.zeros((SIZE, SIZE), np.float32)
    tissue[4:-4, 4:-4] = 1.0
    vessel = np.zeros_like(tissue)
    vessel[14:18, 14:18] = 1.0
    tissue -= vessel
    level = np.where(tissue + vessel > 0, 35.0, -1000.0)
    target = np.stack([40.0 * tissue, 3.0 * tissue, 5.0 * tissue]).astype(np.float32)
    made = []
    for _ in range(n):
        frames = level + RISE[:, None, None] * (5.0 * tissue + 250.0 * vessel)
        frames = frames + noise_hu * rng.standard_normal(frames.shape)
        case = Case(frames.astype(np.float32), target, "p", extra={"times": np.arange(N, dtype=np.float64)})
        made.append(fit(CTP, case, SIZE, n_frames=N, dt=1.0, contrast=True))
    return {name: torch.from_numpy(np.stack([one[name] for one in made])) for name in made[0]}


def drawn(seed=0):
    return torch.Generator().manual_seed(seed)


def contrast(shown):
    return FAINT_HU * shown["image"][:, :-1].sinh()


def test_flow_and_volume_grow_as_contrast_does_and_times_stay():
    before = batch()
    after = reflow(before, drawn(), noise_hu=0.0, injected=False)
    inside = before["target"][0, 0] > 0
    more = (contrast(after)[:, 12] / contrast(before)[:, 12])[:, inside]
    for of in (0, 1):
        grown = (after["target"][:, of] / before["target"][:, of])[:, inside]
        torch.testing.assert_close(grown, more, rtol=1e-3, atol=1e-3)
    assert torch.equal(after["target"][:, 2], before["target"][:, 2])
    least, most = float(more.min()), float(more.max())
    assert 0.3 < least < 0.8
    assert 1.2 < most < 3.0


def test_vessels_air_and_what_was_before_contrast_stay():
    before = batch()
    after = reflow(before, drawn(1), noise_hu=0.0, injected=False)
    outside = before["target"][0, 0] == 0
    torch.testing.assert_close(after["image"][..., outside], before["image"][..., outside])
    assert torch.equal(after["image"][:, -1], before["image"][:, -1])


def test_noise_goes_with_flow_in_half_of_the_slices_alone():
    before = batch(n=40, noise_hu=4.0)
    after = reflow(before, drawn(2), noise_hu=0.0, injected=False)
    inside = before["target"][0, 0] > 0
    noise = [contrast(one)[:, :4][..., inside].std(dim=(1, 2)) for one in (before, after)]
    ratio = (noise[1] / noise[0]).log()
    grown = (after["target"] / before["target"])[:, 1][:, inside].mean(dim=1).log()
    apart = grown.abs() > 0.3
    with_it, without = (ratio - grown).abs() < 0.12, ratio.abs() < 0.12
    assert bool((with_it | without)[apart].all())
    assert 0.2 < float(with_it[apart].float().mean()) < 0.8


def test_noise_is_added_to_all_but_air_and_up_to_its_limit():
    before = batch(n=40)
    plain, after = (reflow(before, drawn(3), noise_hu=level, injected=False) for level in (0.0, 4.0))
    air = before["image"][0, -1] == 0
    more = contrast(after) - contrast(plain)
    assert not more[..., air].any()
    spread = more[:, :4][..., ~air].std(dim=(1, 2))
    assert float(spread.min()) < 0.5
    assert 2.0 < float(spread.max()) < 4.4
    assert torch.equal(after["target"], plain["target"])


def test_another_injection_changes_vessels_and_tissue_alike_and_no_map():
    before = batch(n=40)
    plain, after = (reflow(before, drawn(6), noise_hu=0.0, injected=changes) for changes in (False, True))
    tissue = before["target"][0, 0] > 0
    vessel = (before["image"][0, -1] > 0) & ~tissue
    assert torch.equal(after["target"], plain["target"])
    curves = [[contrast(one)[..., where].mean(-1) for where in (tissue, vessel)] for one in (plain, after)]
    gains = [new.sum(1) / old.sum(1) for old, new in zip(*curves, strict=True)]
    torch.testing.assert_close(gains[0], gains[1], rtol=0.02, atol=0.02)
    assert 0.4 < float(gains[0].min()) < 0.7
    assert 1.0 < float(gains[0].max()) < 1.31
    time = torch.arange(float(N))
    late = [[(c * time).sum(1) / c.sum(1) for c in pair] for pair in curves]
    later = [new - old for old, new in zip(*late, strict=True)]
    torch.testing.assert_close(later[0], later[1], rtol=0.05, atol=0.05)
    assert float(later[0].min()) > -0.05
    assert 0.2 < float((later[0] > 0.05).float().mean()) < 0.8


def test_slices_of_one_batch_differ_and_draws_repeat():
    one, same, other = (reflow(batch(), drawn(seed))["target"] for seed in (4, 4, 5))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert not torch.equal(one[0], one[1])


def test_frames_are_refused():
    with pytest.raises(BadRecipe, match="contrast=true"):
        reflow({"image": torch.zeros(1, 4, 8, 8), "target": torch.zeros(1, 3, 8, 8)}, drawn())
