"""The networks that make perfusion maps are those of the papers, and show maps where the slice lies."""

from dataclasses import replace

import numpy as np
import pytest

from bolus.core.errors import BadRecipe
from bolus.learn.image_scores import ssim

torch = pytest.importorskip("torch")

from bolus.learn.crew import Crew  # noqa: E402
from bolus.learn.learner import fresh_learner  # noqa: E402
from bolus.learn.losses import loss  # noqa: E402
from bolus.learn.networks import build, build_critic  # noqa: E402
from bolus.learn.networks.pix2pix import TemporalStem  # noqa: E402
from bolus.learn.tasks import TASKS  # noqa: E402

CODE = {"width": 16, "levels": 2, "kernel": 3, "merge": "add", "slope": 0.1}


def count(network):
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("name", "channels", "options", "parameters"),
    [
        ("ctp_unet", 89, {}, 15_376_897),  # 15.38 million
        ("ctp_unet", 89, CODE, 36_049),  # of the authors' 43,971, 7,922 are never used
        ("pix2pix", 80, {"outputs": 1}, 29_318_849),  # 29.3 million
        ("pix2pix", 80, {"outputs": 1, "width": 128}, 117_095_809),  # 117 million
        ("temp_pix2pix", 80, {"outputs": 1}, 32_550_721),  # 32.6 million
        ("temp_pix2pix", 80, {"outputs": 1, "inner": 16}, 4_749_361),  # 4.75 million
        ("temp_pix2pix", 80, {"outputs": 1, "width": 128, "inner": 16}, 13_240_497),  # 13.2 million
    ],
)
def test_the_networks_have_the_papers_number_of_parameters(name, channels, options, parameters):
    with torch.device("meta"):
        assert count(build(name, channels, options)) == parameters


@pytest.mark.parametrize(("depth", "parameters"), [(3, 2_845_505), (2, 743_233)])
def test_the_critic_has_the_papers_number_of_parameters(depth, parameters):
    with torch.device("meta"):
        assert count(build_critic("patchgan", 81, {"depth": depth})) == parameters


@pytest.mark.parametrize("options", [{"width": 4, "levels": 3}, CODE | {"width": 4}])
def test_the_ctp_network_gives_maps_from_0_to_1_of_any_size(options):
    network = build("ctp_unet", 9, {"outputs": 3, **options})
    maps = network(5 * torch.randn(2, 9, 24, 32)).detach()
    assert maps.shape == (2, 3, 24, 32)
    assert 0 < float(maps.min()) < float(maps.max()) < 1


@pytest.mark.parametrize("name", ["ctp_unet", "pix2pix"])
@pytest.mark.parametrize("sides", [(64, 96), (81, 70)])
def test_any_side_is_answered_at_its_own_size(name, sides):
    levels = 6 if name == "pix2pix" else 5
    network = build(name, 3, {"width": 2, "levels": levels, "outputs": 2}).eval()
    assert network(torch.randn(1, 3, *sides)).shape == (1, 2, *sides)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "channels", "options"),
    [
        ("ctp_unet", 9, {"width": 2, "levels": 5}),
        ("temp_pix2pix", 64, {"width": 1, "outputs": 2}),
    ],
)
def test_networks_answer_alike_without_pytorch(name, channels, options, tmp_path):
    pytest.importorskip("onnx")
    from bolus.learn.export import TOLERANCE, check_parity, write_onnx

    network = build(name, channels, options).eval()
    axes = ("cases", channels, "y", "x")
    write_onnx(network, axes, tmp_path / "network.onnx")
    assert check_parity(network, axes, tmp_path / "network.onnx") <= TOLERANCE


def test_kernels_of_two_do_not_move_what_they_show():
    network = build("ctp_unet", 1, {"width": 2, "levels": 3}).eval()
    for parameter in network.parameters():
        torch.nn.init.constant_(parameter, 0.1 if parameter.ndim > 1 else 0.0)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)
    spot = torch.zeros(1, 1, 64, 64)
    spot[..., 30:34, 28:36] = 1.0  # even sides: symmetric about the middle of the image
    seen = []
    network.last.register_forward_hook(lambda _module, _given, output: seen.append(output))

    network(spot)

    response = seen[0].detach()
    assert float(response.max()) > 100 * float(response[..., 0, 0].abs().max())
    for axis in (-1, -2):
        torch.testing.assert_close(response, response.flip(axis), atol=1e-9, rtol=1e-4)


def test_the_temporal_stem_is_the_three_dimensional_one():
    torch.manual_seed(0)
    stem = TemporalStem([1, 3, 5]).eval()
    slices = torch.randn(2, 16, 4, 6)
    there = slices[:, None]
    for layer in stem.layers:
        if isinstance(layer, torch.nn.Conv2d):
            there = torch.nn.functional.conv3d(
                there, layer.weight[..., None], stride=(2, 1, 1), padding=(1, 0, 0)
            )
        elif isinstance(layer, torch.nn.BatchNorm2d):
            there = torch.nn.functional.batch_norm(
                there, layer.running_mean, layer.running_var, layer.weight, layer.bias
            )
        else:
            there = layer(there)
    assert there.shape == (2, 5, 4, 4, 6)
    expected = there.reshape(2, 20, 4, 6)

    found = stem.layers(slices.reshape(2, 1, 16, 24)).reshape(2, 20, 4, 6)

    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("frames", [64, 80, 127])
def test_six_halvings_leave_one_frame(frames):
    network = build("temp_pix2pix", frames, {"width": 1, "outputs": 5, "levels": 3}).eval()
    maps = network(torch.randn(1, frames, 16, 24)).detach()
    assert maps.shape == (1, 5, 16, 24)
    assert float(maps.abs().max()) < 1


@pytest.mark.parametrize("frames", [63, 128])
def test_other_numbers_of_frames_are_refused(frames):
    with pytest.raises(BadRecipe, match="64 to 127"):
        build("temp_pix2pix", frames, {"width": 1})


def test_the_critic_judges_patches():
    critic = build_critic("patchgan", 6, {"width": 2})
    assert critic(torch.randn(2, 5, 64, 64), torch.randn(2, 1, 64, 64)).shape == (2, 1, 6, 6)
    with pytest.raises(BadRecipe, match="unknown critic"):
        build_critic("critic", 6, {})
    with pytest.raises(BadRecipe, match="no such options"):
        build_critic("patchgan", 6, {"depths": 3})


def test_fresh_weights_are_spread_as_in_the_code():
    torch.manual_seed(0)
    network = build("pix2pix", 8, {"width": 16, "levels": 3})
    spread = [float(m.weight.detach().std()) for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    np.testing.assert_allclose(spread, 0.05, rtol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "channels", "outputs"), [("ctp_unet", 89, 1), ("pix2pix", 80, 5), ("temp_pix2pix", 80, 5)]
)
def test_full_size_networks_take_a_step_at_64_pixels(name, channels, outputs):
    network = build(name, channels, {"outputs": outputs})
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    image, target = torch.rand(2, channels, 64, 64), torch.rand(2, outputs, 64, 64)
    before = [p.detach().clone() for p in network.parameters()]

    lost = loss("mse")(network(image), {"target": target})
    lost.backward()
    optimizer.step()

    assert torch.isfinite(lost)
    changed = [not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True)]
    assert np.mean(changed) > 0.9  # the biases before batch normalisation have no gradient to speak of


def test_loss_of_structure_is_that_of_the_score():
    rng = np.random.default_rng(3)
    truth, found = rng.uniform(-1.0, 1.0, (2, 2, 5, 16, 16)).astype(np.float32)
    batch = {"target": torch.from_numpy(truth)}
    output = torch.from_numpy(found)
    less = (loss("l1_ssim")(output, batch) - loss("l1")(output, batch)).item()
    alike = np.mean(
        [ssim(a, b) for a, b in zip(found.reshape(-1, 16, 16), truth.reshape(-1, 16, 16), strict=True)]
    )
    assert less == pytest.approx(0.2 * (1.0 - alike), abs=1e-5)


def test_errors_far_from_usual_tissue_count_more():
    truth = torch.full((1, 1, 16, 16), -0.8)
    truth[..., 8:10, 8:10] = 0.4
    truth[..., :4, :] = -1.0
    usual, rare = truth.clone(), truth.clone()
    usual[..., 5, 5] += 0.2
    rare[..., 9, 9] -= 0.2
    batch = {"target": truth}
    plain, apart = loss("l1_ssim"), loss("l1_ssim_apart")
    assert apart(truth, batch).item() == pytest.approx(0.0, abs=1e-6)
    gain = [(apart(one, batch) - plain(one, batch)).item() for one in (usual, rare)]
    assert gain[1] > 5 * gain[0] > 0


def test_average_keeps_statistics_of_normalisation_and_counts_of_batches():
    recipe = replace(
        TASKS["dsc-gan"].preset("wide-pix2pix"), options={"outputs": 5, "width": 2, "levels": 2}, size=16
    )
    learner = fresh_learner(TASKS["dsc-gan"], recipe, Crew(0, 1, torch.device("cpu")))
    made = learner.network(torch.rand(2, 80, 16, 16))
    made.mean().backward()
    learner.step(recipe)
    kept, bare = (network.state_dict() for network in (learner.kept, learner.bare))
    counts = [name for name in bare if name.endswith("num_batches_tracked")]
    assert counts
    assert all(torch.equal(kept[name], bare[name]) for name in counts)
    assert all(torch.isfinite(values).all() for values in kept.values())
