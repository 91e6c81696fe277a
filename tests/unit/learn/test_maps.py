"""What map networks are shown lies on one grid, and their answers come back in units."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bolus.core.errors import BadInput, BadRecipe
from bolus.learn import maps
from bolus.learn.cases import Case
from bolus.learn.maps import CTP, DSC, on_grid
from bolus.learn.tasks import TASKS

RNG = np.random.default_rng(2)
PAGE = Path(__file__).resolve().parents[3] / "docs" / "concepts" / "learn.md"


def case(plan=CTP, n_frames=20, dt=2.0, side=32, **extra):
    times = dt * np.arange(n_frames)
    level = 30.0 + times[:, None, None] * np.ones((side, side))
    tops = np.array([high for _, high in plan.maps.values()])
    part = RNG.uniform(0, 1, (len(tops), side, side))
    brain = np.ones((side, side), np.uint8)
    return Case(
        level.astype(np.float32),
        (tops[:, None, None] * part).astype(np.float32),
        "p",
        extra={"times": times, "brain": brain, "scale": np.float32(50.0), **extra},
    )


class Known:
    """A network that answers with what it was given to say."""

    def __init__(self, made, **recipe):
        self.made = made
        self.card = SimpleNamespace(recipe=recipe)

    def __call__(self, images):
        self.seen = images
        return self.made[None]


def test_a_grid_of_times_is_exact_for_straight_lines_and_uneven_frames():
    times = np.array([1.0, 2.0, 4.0, 7.0, 11.0])
    frames = (3 * times + 1)[:, None, None].astype(np.float32)
    found = on_grid(frames, times, 8, 1.5)[:, 0, 0]
    np.testing.assert_allclose(found, 3 * (1.0 + np.minimum(1.5 * np.arange(8), 10.0)) + 1, rtol=1e-6)


def test_a_grid_of_frames_knows_no_times():
    frames = np.arange(5, dtype=np.float32)[:, None, None]
    found = on_grid(frames, np.array([0, 1, 5, 6, 20.0]), 9, None)[:, 0, 0]
    np.testing.assert_allclose(found, np.arange(9) / 2)


def test_half_the_frames_are_shown_as_much_as_all():
    whole = case(n_frames=41, dt=1.0)
    half = Case(
        whole.image[::2], whole.target, "p", extra={**whole.extra, "times": whole.extra["times"][::2]}
    )
    one, other = (maps.fit(CTP, c, 32)["image"] for c in (whole, half))
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_single_frames_are_refused():
    with pytest.raises(BadInput, match="grid"):
        on_grid(np.zeros((1, 2, 2), np.float32), np.zeros(1), 5, 1.0)


def test_ct_is_shown_in_its_window_and_mr_over_its_scale():
    shown = maps.fit(CTP, case(), 32)["image"]
    assert shown.shape == (89, 32, 32)
    assert float(shown[0, 0, 0]) == pytest.approx(30 / 40)
    assert float(shown.max()) <= 3.0
    mr = maps.fit(DSC, case(DSC), 32)["image"]
    assert mr.shape == (80, 32, 32)
    assert float(mr[0, 0, 0]) == pytest.approx(30 / 50 - 1)
    with pytest.raises(BadInput, match="no scale"):
        maps.fit(DSC, case(DSC, scale=np.float32(0)), 32)


def test_ct_is_shown_as_contrast_where_a_recipe_says_so():
    one = case()
    arrays = maps.fit(CTP, one, 32, n_frames=40, dt=1.5, contrast=True)
    assert arrays["image"].shape == (41, 32, 32)
    even = on_grid(one.image, one.extra["times"], 40, 1.5)
    before = even[:3].mean(axis=0)
    shown = np.arcsinh((even - before) / 10.0)
    np.testing.assert_allclose(arrays["image"][:-1], shown, atol=1e-5)
    np.testing.assert_allclose(arrays["image"][-1], before / 40.0, atol=1e-5)
    assert arrays["grows"].ravel().tolist() == [1, 1, 0]
    with pytest.raises(BadRecipe, match="of CT alone"):
        maps.fit(DSC, case(DSC), 32, dt=1.5, contrast=True)


def test_recipes_choose_frames_and_maps():
    arrays = maps.fit(DSC, case(DSC), 32, n_frames=12, dt=1.0, maps=["Tmax"])
    assert arrays["image"].shape == (12, 32, 32)
    assert arrays["target"].shape == (1, 32, 32)
    with pytest.raises(BadRecipe, match="no such map"):
        maps.fit(DSC, case(DSC), 32, maps=["Tmin"])


@pytest.mark.parametrize("plan", [CTP, DSC])
@pytest.mark.parametrize("side", [32, 48])
def test_a_perfect_answer_comes_back_in_units(plan, side):
    one = case(plan, side=side)
    network = Known(maps.fit(plan, one, side)["target"], size=side, fitting={})
    found = maps.answer(plan, network, one)
    np.testing.assert_allclose(found, one.target, atol=1e-4 * one.target.max())
    scores = maps.score(plan, found, one)
    assert scores["CBF SSIM in brain"] == pytest.approx(1.0, abs=1e-4)
    assert scores["TTP MAE"] == pytest.approx(0.0, abs=1e-5)
    assert network.seen.shape == (1, plan.n_frames, side, side)


def test_maps_that_were_not_learned_have_no_scores():
    one = case(DSC)
    fitting = {"maps": ["Tmax", "CBF"]}
    network = Known(maps.fit(DSC, one, 32, **fitting)["target"], size=32, fitting=fitting)
    found = maps.answer(DSC, network, one)
    assert [bool(np.isfinite(m).all()) for m in found] == [True, False, False, True, False]
    np.testing.assert_allclose(found[3], one.target[3], atol=1e-3)
    assert {name.split()[0] for name in maps.score(DSC, found, one)} == {"CBF", "Tmax"}


def test_answers_beyond_a_range_count_as_its_end():
    one = case(DSC)
    found = one.target.copy()
    one.target[0], found[0] = 100.0, 400.0
    assert maps.score(DSC, found, one)["CBF MAE"] == 0


def test_presets_are_as_printed():
    ctp, dsc = TASKS["ctp-unet"].preset("paper"), TASKS["dsc-gan"].preset("paper")
    assert (ctp.optimizer, ctp.lr, ctp.batch, ctp.loss, ctp.size) == ("adam", 1e-5, 8, "mse", 512)
    before = TASKS["ctp-unet"].preset("paper-128")
    assert (before.size, before.epochs, ctp.epochs) == (128, 250, 50)
    assert (dsc.optimizer, dsc.lr, dsc.betas, dsc.batch) == ("adam", 1e-4, (0.5, 0.999), 4)
    assert (dsc.loss, dsc.loss_weight, dsc.critic, dsc.epochs) == ("l1", 1.0, "patchgan", 100)


def test_the_page_tells_how_large_the_networks_are():
    torch = pytest.importorskip("torch")
    from bolus.learn.learner import channels_of
    from bolus.learn.networks import build

    text = PAGE.read_text(encoding="utf-8")
    lines = [[cell.strip() for cell in line.split("|")] for line in text.splitlines() if " million |" in line]
    told = {}
    for _, _, names, _, sizes, *_ in lines:
        presets = [name.replace("`-matched`", "`paper-pix2pix-matched`") for name in names.split(", ")]
        numbers = [float(size) for size in sizes.removesuffix(" million").split(", ")]
        told |= dict(zip(presets, numbers, strict=False))
    task, found = TASKS["dsc-gan"], {}
    with torch.device("meta"):
        for name in (
            "wide",
            "wide-pix2pix",
            "paper-pix2pix",
            "paper-pix2pix-matched",
            "code-pix2pix-matched",
        ):
            recipe = task.presets[name]
            network = build(recipe.network, channels_of(task, recipe), recipe.options)
            found[f"`{name}`"] = sum(p.numel() for p in network.parameters()) / 1e6
    # the names that both tasks have are told of the later one, which this is
    assert found == {name: pytest.approx(told[name], abs=0.006) for name in found}


def test_arms_are_of_one_size():
    torch = pytest.importorskip("torch")
    from bolus.learn.learner import channels_of
    from bolus.learn.networks import build

    task = TASKS["dsc-gan"]
    counts = {}
    with torch.device("meta"):
        for name, recipe in task.presets.items():
            network = build(recipe.network, channels_of(task, recipe), recipe.options)
            counts[name] = sum(p.numel() for p in network.parameters())
    assert counts["paper"] == 32_550_721
    assert counts["paper-pix2pix"] == 29_318_849
    for arm, partner in (
        ("small", "small-pix2pix"), ("wide", "wide-pix2pix"),
        ("paper", "paper-pix2pix-matched"), ("code", "code-pix2pix-matched"),
    ):  # fmt: skip
        assert counts[partner] == pytest.approx(counts[arm], rel=0.05)


def test_maps_are_drawn_above_their_answers(tmp_path):
    from PIL import Image

    from bolus.learn.pictures import map_examples

    one = case(DSC)
    found = np.where(np.arange(5)[:, None, None] == 3, one.target, np.nan)  # Tmax alone was learned
    map_examples(tmp_path / "maps.png", [("best", one, found), ("worst", one, found)])
    drawn = np.asarray(Image.open(tmp_path / "maps.png").convert("RGB"), dtype=int)
    assert (np.ptp(drawn, axis=2) > 60).mean() > 0.2  # colours, where the four maps are
