"""The networks are those of the papers."""

import numpy as np
import pytest

from bolus.core.errors import BadRecipe
from bolus.learn.tasks import TASKS

torch = pytest.importorskip("torch")

from bolus.learn.losses import LOSSES, loss  # noqa: E402
from bolus.learn.networks import HEADS, build, foreground_logit  # noqa: E402


def count(network):
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(("preset", "parameters"), [("code", 17_252_993), ("paper", 17_253_058)])
def test_the_presets_have_the_papers_number_of_parameters(preset, parameters):
    recipe = TASKS["ica"].preset(preset)
    assert count(build(recipe.network, 1, recipe.options)) == parameters


def test_the_small_one_fits_its_8_mb():
    recipe = TASKS["ica"].preset("small")
    assert count(build(recipe.network, 1, recipe.options)) == 606_649


@pytest.mark.parametrize("sides", [(32, 32), (48, 80), (33, 47)])
def test_any_image_gets_an_answer_of_its_own_size(sides):
    network = build("unet", 2, {"width": 4, "outputs": 3})
    assert network(torch.zeros(2, 2, *sides)).shape == (2, 3, *sides)


def test_contrast_does_not_matter_to_the_first_layers():
    torch.manual_seed(0)
    network = build("unet", 1, {"width": 4})
    image = torch.rand(1, 1, 32, 32)
    torch.testing.assert_close(network(image), network(7 * image), atol=1e-2, rtol=1e-2)


def test_two_channels_are_one_of_log_odds():
    output = torch.randn(3, 2, 8, 8)
    answer = HEADS["foreground"]()(output)
    torch.testing.assert_close(answer, output.softmax(dim=1)[:, 1:])
    truth = (torch.rand(3, 1, 8, 8) > 0.5).to(torch.uint8)
    both = torch.nn.functional.cross_entropy(output, truth[:, 0].long())
    one = torch.nn.functional.binary_cross_entropy_with_logits(foreground_logit(output), truth.float())
    torch.testing.assert_close(both, one)


def test_dice_ce_adds_both():
    output, truth = torch.randn(2, 1, 8, 8), (torch.rand(2, 1, 8, 8) > 0.5).to(torch.uint8)
    p, t = output.sigmoid(), truth.float()
    overlap = 1 - (2 * (p * t).sum((2, 3)) + 1e-5) / (p.sum((2, 3)) + t.sum((2, 3)) + 1e-5)
    ce = torch.nn.functional.binary_cross_entropy(p, t)
    torch.testing.assert_close(LOSSES["dice_ce"](output, {"target": truth}), overlap.mean() + ce)
    torch.testing.assert_close(LOSSES["dice"](output, {"target": truth}), overlap.mean())


@pytest.mark.parametrize(("name", "expected"), [("mse", 4.0), ("l1", 2.0)])
def test_regression_counts_inside_the_mask_only(name, expected):
    output, target, mask = torch.zeros(1, 2, 4, 4), torch.full((1, 2, 4, 4), 2.0), torch.zeros(1, 1, 4, 4)
    mask[..., :2] = 1
    target[..., 2:] = 9
    assert float(LOSSES[name](output, {"target": target, "mask": mask})) == pytest.approx(expected)


def test_labels_have_their_cross_entropy():
    assert float(LOSSES["bce"](torch.zeros(2, 1), {"target": torch.tensor([[0], [1]])})) == pytest.approx(
        np.log(2)
    )


def test_unknown_names_and_options_are_refused():
    with pytest.raises(BadRecipe, match="unknown network"):
        build("net", 1, {})
    with pytest.raises(BadRecipe, match="no such options"):
        build("unet", 1, {"depth": 3})
    with pytest.raises(BadRecipe, match="unknown loss"):
        loss("loss")


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["paper", "code"])
def test_full_size_presets_take_a_step(preset):
    recipe = TASKS["ica"].preset(preset)
    network = build(recipe.network, 1, recipe.options)
    optimizer = torch.optim.RMSprop(network.parameters(), lr=recipe.lr, momentum=recipe.momentum)
    image, target = torch.rand(1, 1, 128, 128), (torch.rand(1, 1, 128, 128) > 0.9).to(torch.uint8)
    before = [p.detach().clone() for p in network.parameters()]

    lost = loss(recipe.loss)(network(image), {"target": target})
    lost.backward()
    optimizer.step()

    assert torch.isfinite(lost)
    assert all(not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


def test_quiet_cases_count_as_much_as_noisy_ones():
    torch.manual_seed(0)
    shape = (2, 3, 16, 16)
    sizes = torch.tensor([0.01, 1.0])[:, None, None, None]
    mean, off = torch.zeros(shape, requires_grad=True), torch.randn(shape)
    batch = {"target": sizes * off, "mask": torch.ones(2, 1, 16, 16)}
    loss("case_nll")(torch.cat([sizes * mean, (sizes * 0.9).expand(shape)], dim=1), batch).backward()

    quiet, noisy = (mean.grad[i] / off[i] for i in (0, 1))
    torch.testing.assert_close(quiet, noisy)
    assert (quiet < 0).all()


def test_deviations_are_learned_where_the_likelihood_is_greatest():
    torch.manual_seed(0)
    off = torch.randn(1, 1, 64, 64)
    batch = {"target": 0.2 * off, "mask": torch.ones(1, 1, 64, 64)}
    lost = [
        float(loss("case_nll")(torch.cat([torch.zeros_like(off), torch.full_like(off, sd)], dim=1), batch))
        for sd in (0.1, 0.2, 0.4)
    ]
    assert lost[1] == min(lost)
