"""The two classifiers are those of their papers, take runs of any length, and leave PyTorch."""

from dataclasses import replace

import numpy as np
import pytest

from bolus.core.errors import BadRecipe
from bolus.learn.score import METRICS
from bolus.learn.tasks import TASKS

torch = pytest.importorskip("torch")

from bolus.learn.augment import augmentation  # noqa: E402
from bolus.learn.crew import Crew  # noqa: E402
from bolus.learn.learner import fresh_learner  # noqa: E402
from bolus.learn.losses import LOSSES  # noqa: E402
from bolus.learn.networks import HEADS, build  # noqa: E402
from bolus.learn.networks.pointer import _parts, _parts_of_any, minima  # noqa: E402
from bolus.learn.networks.sequence import cell_means  # noqa: E402

FEATURES = {
    "resnet18": (11_176_512, 7 * 7 * 512),
    "efficientnet_b0": (4_007_548, 20_480),
    "efficientnet_b1": (6_513_184, 20_480),
    "efficientnet_b2": (7_700_994, 22_528),
    "efficientnet_b3": (10_696_232, 24_576),
    "tf_efficientnet_v2_s": (20_177_488, 20_480),
    "tf_efficientnet_v2_m": (52_858_356, 20_480),
    "efficientnet_v2_rw_s": (22_148_296, 28_672),
    "regnet_y_16gf": (80_565_140, 27_216),
}
SMALL = {"cnn": "small", "hidden": 16, "layers": 1, "readout": "mean+max"}
TINY = [
    ("sequence", SMALL),
    ("sequence", SMALL | {"recurrent": "lstm", "readout": "last"}),
    ("sequence", SMALL | {"readout": "transformer"}),
    ("sequence", SMALL | {"readout": "average"}),
    ("clot_pointer", {"width": 4}),
    ("clot_pointer", {"width": 4, "windows": 15, "stride": 2}),
    ("clot_pointers", {"members": 2, "width": 4, "windows": 15, "stride": 2}),
]


def count(network, *, trainable=False):
    return sum(p.numel() for p in network.parameters() if p.requires_grad or not trainable)


@pytest.mark.parametrize(("recurrent", "gates"), [("gru", 3), ("lstm", 4)])
@pytest.mark.parametrize("cnn", FEATURES)
def test_the_papers_networks_have_their_features(cnn, recurrent, gates):
    trunk, features = FEATURES[cnn]
    with torch.device("meta"):
        network = build("sequence", 3, {"cnn": cnn, "recurrent": recurrent})
    layers = [features, 1024, 1024]
    recurrent_weights = sum(2 * gates * 512 * (taken + 512 + 2) for taken in layers)
    assert count(network) == trunk + 2 * features + recurrent_weights + 1025


def test_the_core_size_network_trains_the_papers_43469_weights():
    with torch.device("meta"):
        network = build("core_size", 2, {})
    assert count(network, trainable=True) == 43_469
    assert count(network) == 20_024_384 + 43_469


@pytest.mark.parametrize("kernels", [(3,), (11,), (3, 11)])
def test_ablations_leave_out_a_path(kernels):
    network = build("core_size", 2, {"cnn": "small_vgg", "frozen": False, "kernels": kernels})
    assert network(torch.randn(2, 2, 12, 32, 32)).shape == (2, 1)
    assert [c.kernel_size for c in network.slices[1].convolutions] == [(k,) for k in kernels]


@pytest.mark.parametrize("batchwise", [False, True])
def test_answers_do_not_depend_on_who_else_is_asked_about(batchwise):
    torch.manual_seed(0)
    network = build("core_size", 2, {"cnn": "small_vgg", "frozen": False, "batchwise": batchwise}).eval()
    cases = torch.randn(3, 2, 12, 32, 32) * torch.tensor([1.0, 5.0, 20.0])[:, None, None, None, None]
    torch.testing.assert_close(network(cases)[:1], network(cases[:1]))


def test_an_unknown_way_to_show_a_scan_is_refused():
    with pytest.raises(BadRecipe, match="unknown way to show"):
        build("core_size", 2, {"cnn": "small_vgg", "shown": "colour"})


def test_shown_contrast_dose_and_what_lies_outside_the_brain_do_not_matter():
    torch.manual_seed(0)
    options = {"cnn": "small_vgg", "frozen": False, "shown": "contrast"}
    network = build("core_size", 2, options).eval()
    still = torch.full((1, 2, 32, 16, 16), 35.0)
    rise = torch.zeros_like(still)
    rise[:, :, 8:20, 4:12, 4:12] = 10.0 * torch.rand(8, 8) + 5.0
    with_skull = still.clone()
    with_skull[..., :2] = 250.0
    seen = network(still + rise)
    torch.testing.assert_close(network(still + 2.0 * rise), seen)
    bright = with_skull + rise
    bright[:, :, 10:, :, :2] -= 60.0
    torch.testing.assert_close(network(bright), network(with_skull + rise))
    assert not torch.allclose(network(still + rise.flip(2)), seen)


@pytest.mark.parametrize(("name", "options"), TINY)
@pytest.mark.parametrize("pictures", [1, 2, 9])
def test_runs_of_any_length_get_an_answer(name, options, pictures):
    network = build(name, 3, options).eval()
    answer = HEADS["label"]()(network(torch.randn(2, pictures, 3, 64, 96))).detach()
    assert answer.shape == ((2, 3, 64, 96) if name.startswith("clot_pointer") else (2, 1))
    assert 0 <= float(answer.min()) <= float(answer.max()) <= 1
    if name.startswith("clot_pointer"):
        torch.testing.assert_close(answer[:, 0].sum((1, 2)), torch.ones(2))
        assert torch.equal(answer[:, 1].amax((1, 2)), answer[:, 1].amin((1, 2)))


def test_the_papers_readout_has_seen_one_picture_backwards():
    torch.manual_seed(0)
    network = build("sequence", 3, SMALL | {"readout": "last"}).eval()
    run = torch.randn(1, 4, 3, 32, 32)
    other = torch.cat([torch.randn(1, 3, 3, 32, 32), run[:, 3:]], dim=1)
    seen = [
        network.rnn(network.active(network.norm(_steps(network, each))))[0][:, -1, 16:]
        for each in (run, other)
    ]
    torch.testing.assert_close(*seen)


def _steps(network, run):
    return cell_means(network.cnn(run[0]), network.cells).flatten(1)[None]


@pytest.mark.parametrize(("n", "side"), [(16, 7), (16, 4), (3, 3), (2, 4), (13, 7)])
def test_cells_are_those_of_adaptive_pooling(n, side):
    features = torch.randn(2, 3, n, n + 2)
    wanted = torch.nn.functional.adaptive_avg_pool2d(features, side)
    torch.testing.assert_close(cell_means(features, side), wanted)


@pytest.mark.parametrize("n", [1, 3, 7, 30])
def test_minima_cover_the_run(n):
    frames = torch.randn(2, n, 4, 5)
    seen = minima(frames)
    assert seen.shape == (2, 9, 4, 5)
    assert torch.isfinite(seen).all()
    torch.testing.assert_close(seen[:, :7].amin(dim=1), frames.amin(dim=1))
    torch.testing.assert_close(seen[:, 7], frames.amin(dim=1))
    contrast = (-frames.amin(dim=1)).clamp(min=0.0)
    torch.testing.assert_close(seen[:, 8], frames.argmin(dim=1) / n * contrast / (1 + contrast))


@pytest.mark.parametrize("n", [1, 3, 7, 15, 30])
def test_minima_of_graphs_of_any_length_are_the_same(n):
    frames = torch.randn(2, n, 4, 5)
    torch.testing.assert_close(_parts(frames, 7), _parts_of_any(frames, 7), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["thrombus", "core-size"])
def test_every_preset_is_a_network_and_a_loss_that_fit(name):
    task = TASKS[name]
    for recipe in task.presets.values():
        with torch.device("meta"):
            network = build(recipe.network, task.channels, recipe.options)
            shape = (2, 2, 3, 64, 64) if name == "thrombus" else (2, 2, 32, 32, 32)
            output = network(torch.zeros(shape))
        places = {"clot_pointer": (2, 3, 64, 64), "clot_pointers": (2, 3, 64, 64), "core_map": (2, 3, 32, 16)}
        assert output.shape == places.get(recipe.network, (2, 1))
        made = torch.zeros(output.shape)
        heat = torch.zeros(2, 1, 64, 64) if name == "thrombus" else torch.zeros(2, 2, 16, 16)
        batch = {"target": torch.ones(2, 1), "heat": heat, "volume": torch.ones(2, 1)}
        batch["lost"] = torch.zeros(2, 1, 64, 64)
        assert torch.isfinite(LOSSES[recipe.loss](made, batch))
        augmentation(recipe.augment)


def test_the_core_map_minds_time_more_than_dose_and_not_who_else_is_asked_about():
    torch.manual_seed(0)
    network = build("core_map", 2, {}).eval()
    time = torch.arange(32.0)
    bolus = (time - 5).clamp(min=0) ** 2 * torch.exp(-(time - 5).clamp(min=0) / 2)
    place = torch.zeros(1, 2, 1, 64, 64)
    place[..., 8:56, 8:56] = torch.rand(1, 2, 1, 48, 48) + 1.0
    head = torch.where(place > 0, 35.0, -50.0)
    rise = place * bolus[None, None, :, None, None]
    one, twice = network(head + rise), network(head + 2.0 * rise)
    assert one.shape == (1, 3, 64, 32)
    torch.testing.assert_close(one, network(torch.cat([head + rise, head + 5 * rise]))[:1])
    later = network(head + rise.roll(6, dims=2))
    assert (one - twice)[:, :, 6:26].abs().mean() < 0.3 * (one - later)[:, :, 6:26].abs().mean()


def test_the_loss_of_the_core_leaves_unknown_places_out():
    output = torch.zeros(2, 3, 32, 16)
    batch = {"target": torch.ones(2, 1), "volume": torch.zeros(2, 1)}
    unknown = LOSSES["core"](output, batch | {"heat": -torch.ones(2, 2, 16, 16)})
    assert float(unknown) == pytest.approx(np.log(2.0))
    known = LOSSES["core"](output, batch | {"heat": torch.zeros(2, 2, 16, 16)})
    assert float(known) == pytest.approx(11.0 * np.log(2.0))
    lower = torch.zeros(2, 2, 16, 16)
    lower[:, 0] = 1.0  # the lower slice comes first
    right, wrong = output.clone(), output.clone()
    right[:, 0, :16], right[:, 0, 16:] = 9.0, -9.0
    wrong[:, 0, :16], wrong[:, 0, 16:] = -9.0, 9.0
    assert (
        LOSSES["core"](right, batch | {"heat": lower}) < 1.0 < LOSSES["core"](wrong, batch | {"heat": lower})
    )


def test_the_head_of_the_core_gives_chances_and_the_volume():
    layer = torch.stack([torch.zeros(1, 4, 2), torch.full((1, 4, 2), 2.0), torch.full((1, 4, 2), 3.0)], dim=1)
    answer = HEADS["core"]()(layer)
    assert answer[0, 0, 0, 0] == 0.5
    assert float(answer[0, 1, 0, 0]) == pytest.approx(1 / (1 + np.exp(-2.0)))
    assert answer[0, 2, 0, 0] == 3.0
    torch.testing.assert_close(HEADS["core"]()(torch.tensor([[0.0]])), torch.tensor([[0.5]]))


def test_validation_watches_the_log_loss_of_either_answer():
    for answer in (np.array([0.8]), np.stack([np.full((4, 4), 1 / 16), np.full((4, 4), 0.8)])):
        assert METRICS["log_loss"](answer, {"target": np.array([0])}) == pytest.approx(-np.log(0.2))


def test_unknown_choices_are_refused():
    for options in ({"readout": "first"}, {"recurrent": "rnn"}, {"cnn": "vgg"}):
        with pytest.raises(BadRecipe, match="unknown"):
            build("sequence", 3, options)
    with pytest.raises(BadRecipe, match="unknown stride"):
        build("clot_pointer", 3, {"stride": 3})


@pytest.mark.parametrize("readout", ["average", "mean+max", "transformer"])
def test_only_the_average_of_pictures_knows_no_order(readout):
    torch.manual_seed(0)
    network = build("sequence", 3, SMALL | {"readout": readout}).eval()
    run = torch.randn(1, 5, 3, 32, 32)
    with torch.inference_mode():
        there, back = network(run), network(run.flip(1))
    assert torch.allclose(there, back, atol=1e-6) == (readout == "average")


def test_one_dark_pixel_makes_the_label():
    """The label is drawn from the map: what raises the log-odds of one pixel raises those of a clot."""
    torch.manual_seed(0)
    network = build("clot_pointer", 3, {"width": 4, "stride": 2})
    output = network(torch.randn(1, 3, 3, 64, 64))
    slope = torch.autograd.grad(output[0, 1, 0, 0], network.maps.bias)[0][0]
    assert float(slope) == pytest.approx(1.0, abs=1e-5)


def test_soft_labels_are_least_wrong_at_their_own_chance():
    label = torch.tensor([[1], [0]])
    certain = torch.logit(torch.tensor([[0.786], [0.214]]))
    least = LOSSES["bce_soft"](certain, {"target": label})
    assert least < LOSSES["bce_soft"](3 * certain, {"target": label})
    assert float(least) == pytest.approx(-0.786 * np.log(0.786) - 0.214 * np.log(0.214), rel=1e-5)


def test_the_place_counts_where_it_is_known():
    output, heat = torch.zeros(2, 2, 8, 8), torch.zeros(2, 1, 8, 8)
    labels = torch.tensor([[1], [0]])
    heat[0, 0, 2, 3] = 1.0
    unknowing = LOSSES["clot"](output, {"target": labels, "heat": heat})
    assert float(unknowing) == pytest.approx(np.log(2) + 1.0)  # a coin's label, and any pixel
    output[0, 0, 2, 3] = 50.0
    assert float(LOSSES["clot"](output, {"target": labels, "heat": heat})) == pytest.approx(
        np.log(2), abs=1e-4
    )
    heat[:] = 0.0
    assert float(LOSSES["clot"](output, {"target": labels, "heat": heat})) == pytest.approx(np.log(2))


@pytest.mark.parametrize("name", ["flip", "flip_rows", "shift_scale_rotate_run", "shift_rotate_slices"])
def test_frames_and_the_place_move_as_one(name):
    generator = torch.Generator().manual_seed(3)
    heat = torch.zeros(4, 1, 32, 32)
    heat[:, :, 8:12, 6:10] = 1.0
    batch = {"image": heat[:, None].repeat(1, 2, 3, 1, 1), "target": torch.ones(4, 1), "heat": heat}
    moved = augmentation((name,))(batch, generator)
    torch.testing.assert_close(moved["image"][:, 1, 2], moved["heat"][:, 0])
    assert torch.equal(moved["target"], batch["target"])
    assert not torch.equal(moved["heat"], heat)


def test_grain_keeps_what_is_even():
    generator = torch.Generator().manual_seed(0)
    image = torch.ones(8, 2, 3, 16, 16)
    changed = augmentation(("grain",))({"image": image}, generator)["image"]
    assert changed.shape == image.shape
    assert float((changed - 1).abs().max()) <= 0.1
    assert any(torch.equal(one, image[0]) for one in changed)
    assert any(not torch.equal(one, image[0]) for one in changed)


def exported(network, example, path, free):
    pytest.importorskip("onnxscript")
    ort = pytest.importorskip("onnxruntime")
    torch.onnx.export(
        network.eval(), (example,), path, opset_version=18, dynamo=True, external_data=False,
        dynamic_shapes=(free,), input_names=["image"], output_names=["answer"], verbose=False,
    )  # fmt: skip
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda image: session.run(None, {"image": image.numpy()})[0]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "options"), TINY)
def test_small_networks_leave_pytorch_at_any_length(tmp_path, name, options):
    torch.manual_seed(0)
    network = torch.nn.Sequential(build(name, 3, options), HEADS["label"]()).eval()
    free = {0: torch.export.Dim("cases"), 1: torch.export.Dim("pictures")}
    run = exported(network, torch.randn(2, 4, 3, 64, 64), tmp_path / "net.onnx", free)
    for cases, pictures in ((1, 2), (3, 11)):
        image = torch.randn(cases, pictures, 3, 64, 64)
        with torch.inference_mode():
            wanted = network(image).numpy()
        np.testing.assert_allclose(run(image), wanted, atol=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["core_size", "sequence"])
def test_the_papers_networks_take_a_step_and_leave_pytorch(tmp_path, kind):
    torch.manual_seed(0)
    channels, shape = {"core_size": (2, (1, 2, 12, 32, 32)), "sequence": (3, (1, 2, 3, 64, 64))}[kind]
    network, image = build(kind, channels, {}), torch.randn(shape)
    changing = [p for p in network.parameters() if p.requires_grad]
    before = [p.detach().clone() for p in changing]
    optimizer = torch.optim.AdamW(changing, lr=1e-3)

    lost = LOSSES["bce_soft"](network.train()(image), {"target": torch.tensor([[1]])})
    lost.backward()
    optimizer.step()

    assert torch.isfinite(lost)
    assert any(not torch.equal(a, b) for a, b in zip(before, changing, strict=True))
    run = exported(network, image, tmp_path / "net.onnx", {})
    with torch.inference_mode():
        np.testing.assert_allclose(run(image), network(image).numpy(), atol=1e-4)


def test_lost_blood_counts_where_it_is_known():
    output, heat = torch.zeros(2, 3, 8, 8), torch.zeros(2, 1, 8, 8)
    batch = {"target": torch.tensor([[1], [0]]), "heat": heat, "lost": torch.full((2, 1, 8, 8), -1.0)}
    unknown = LOSSES["clot_region"](output, batch)
    assert float(unknown) == pytest.approx(float(LOSSES["clot_place"](output, batch)), abs=1e-6)
    batch["lost"][0] = 0.0
    batch["lost"][0, :, :4] = 1.0
    blind = LOSSES["clot_region"](output, batch)
    output[0, 2, :4], output[0, 2, 4:] = 20.0, -20.0
    seeing = LOSSES["clot_region"](output, batch)
    assert float(blind) > float(unknown) + np.log(2)
    assert float(seeing) == pytest.approx(float(unknown), abs=1e-3)


def test_members_learn_from_parts_of_a_batch_and_answer_together():
    network = build("clot_pointers", 3, {"members": 2, "width": 4, "stride": 2})
    runs = torch.randn(5, 3, 3, 64, 64)
    with torch.inference_mode():
        own = [one(runs) for one in network.members]
        learning, asked = network.train()(runs), network.eval()(runs)

    torch.testing.assert_close(learning, torch.cat([own[0][:3], own[1][3:]]))
    torch.testing.assert_close(asked, (own[0] + own[1]) / 2)
    assert not torch.equal(own[0], own[1])


def test_the_core_size_network_is_trained_with_the_defaults_of_keras():
    paper = TASKS["core-size"].preset("paper")
    small = replace(paper, options={"cnn": "small_vgg"})
    (group,) = fresh_learner(
        TASKS["core-size"], small, Crew(0, 1, torch.device("cpu"))
    ).optimizer.param_groups
    assert (group["lr"], group["alpha"], group["momentum"]) == (1e-3, 0.9, 0.0)
    carotid = fresh_learner(
        TASKS["ica"],
        replace(TASKS["ica"].preset("paper"), options={"width": 2}),
        Crew(0, 1, torch.device("cpu")),
    )
    assert carotid.optimizer.param_groups[0]["alpha"] == 0.99
