"""Backbones have the weights that torchvision and timm publish: same names, shapes and numbers."""

import hashlib
from itertools import pairwise

import pytest

from bolus.core.errors import BadRecipe, ShapeMismatch, UnreadableFile

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from bolus.learn import checkpoint  # noqa: E402
from bolus.learn.networks import build  # noqa: E402
from bolus.learn.networks.backbones import BACKBONES, backbone  # noqa: E402
from bolus.learn.networks.backbones.imagenet import load_imagenet, renamed  # noqa: E402

# Weights without the classifier, the classifier's, and the digest of the list of names and shapes of
# torchvision 0.28.0 (efficientnet_v2_rw_s: of timm 1.0.31, under torchvision's names).
PUBLISHED = {
    "resnet18": (11_689_512, 513_000, 512, "504739f3083bec5e"),
    "efficientnet_b0": (5_288_548, 1_281_000, 1280, "188ac9aab15123a7"),
    "efficientnet_b1": (7_794_184, 1_281_000, 1280, "f1dd3c4f92eef135"),
    "efficientnet_b2": (9_109_994, 1_409_000, 1408, "7bc2cd5b4f4a7082"),
    "efficientnet_b3": (12_233_232, 1_537_000, 1536, "c32038d2327795a0"),
    "efficientnet_v2_s": (21_458_488, 1_281_000, 1280, "53fb129fb1f0c3ee"),
    "efficientnet_v2_m": (54_139_356, 1_281_000, 1280, "c9dad31849586a67"),
    "efficientnet_v2_rw_s": (23_941_296, 1_793_000, 1792, "4609f1da1c917094"),
    "regnet_y_16gf": (83_590_140, 3_025_000, 3024, "f3a7ef0904406860"),
    "vgg19": (143_667_240, 123_642_856, 512, "e02303372c72a0bb"),
}
SPOTS = {
    "resnet18": {"layer2.0.downsample.0.weight": (128, 64, 1, 1), "layer4.1.bn2.running_var": (512,)},
    "efficientnet_b0": {
        "features.2.0.block.2.fc1.weight": (4, 96, 1, 1),
        "features.8.0.weight": (1280, 320, 1, 1),
    },
    "efficientnet_b3": {
        "features.0.0.weight": (40, 3, 3, 3),
        "features.7.1.block.3.0.weight": (384, 2304, 1, 1),
    },
    "efficientnet_v2_s": {"features.1.1.block.0.0.weight": (24, 24, 3, 3)},
    "regnet_y_16gf": {"trunk_output.block3.block3-10.f.b.0.weight": (1232, 112, 3, 3)},
    "vgg19": {"features.34.weight": (512, 512, 3, 3), "features.34.bias": (512,)},
}


def made(name):
    with torch.device("meta"):
        return backbone(name)


@pytest.mark.parametrize("name", PUBLISHED)
def test_names_shapes_and_counts_are_the_published_ones(name):
    whole, classifier, channels, digest = PUBLISHED[name]
    network = made(name)
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    lines = "\n".join(f"{key} {shape}" for key, shape in sorted(shapes.items()))

    assert sum(p.numel() for p in network.parameters()) + classifier == whole
    assert network.n_channels == channels
    assert SPOTS.get(name, {}).items() <= shapes.items()
    assert hashlib.sha256(lines.encode()).hexdigest()[:16] == digest


def test_vgg19_counts_in_closed_form():
    widths = [3, 64, 64, 128, 128, *[256] * 4, *[512] * 8]
    counted = sum(9 * a * b + b for a, b in pairwise(widths))
    assert counted == sum(p.numel() for p in made("vgg19").parameters()) == 20_024_384


def test_a_fresh_vgg19_passes_on_what_it_sees():
    torch.manual_seed(0)
    with torch.inference_mode():
        features = backbone("vgg19")(torch.randn(2, 3, 32, 32))
    assert float(features.std()) > 1e-2
    assert float((features[0] - features[1]).abs().mean()) > 1e-3  # 2e-8 as PyTorch draws weights


@pytest.mark.parametrize("name", [n for n in BACKBONES if not n.startswith("tf_efficientnet_b")])
def test_a_picture_becomes_features(name):
    with torch.device("meta"):
        network = backbone(name)
        features = network(torch.zeros(2, 3, 64, 96))
    halvings = 4 if name == "small_vgg" else 5
    assert features.shape == (2, network.n_channels, 64 >> halvings, 96 >> halvings)


def in_timms_names(tensors):
    """The EfficientNet-B0 of torchvision under timm's names."""
    plain = ["conv_dw", "bn1", "se.conv_reduce", "se.conv_expand", "conv_pw", "bn2"]
    wide = ["conv_pw", "bn1", "conv_dw", "bn2", "se.conv_reduce", "se.conv_expand", "conv_pwl", "bn3"]
    inner = {
        True: dict(zip(["0.0", "0.1", "1.fc1", "1.fc2", "2.0", "2.1"], plain, strict=True)),
        False: dict(zip(["0.0", "0.1", "1.0", "1.1", "2.fc1", "2.fc2", "3.0", "3.1"], wide, strict=True)),
    }
    ends = {"0.0": "conv_stem", "0.1": "bn1", "8.0": "conv_head", "8.1": "bn2"}
    for key, value in tensors.items():
        parts = key.split(".")
        if parts[3] == "block":
            level = int(parts[1]) - 1
            layer = inner[level == 0][".".join(parts[4:6])]
            yield f"blocks.{level}.{parts[2]}.{layer}.{parts[6]}", value
        else:
            yield f"{ends['.'.join(parts[1:3])]}.{parts[3]}", value


def test_files_of_timm_are_read_under_its_names(tmp_path):
    torch.manual_seed(0)
    network, other = backbone("efficientnet_b0"), backbone("efficientnet_b0")
    named = dict(in_timms_names(network.state_dict())) | {"classifier.weight": torch.zeros(2, 1280)}
    assert {"blocks.0.0.conv_dw.weight", "blocks.6.0.conv_pwl.weight", "conv_stem.weight"} <= named.keys()
    save_file(named, tmp_path / "timm.safetensors")

    load_imagenet(other, tmp_path / "timm.safetensors")

    picture = torch.rand(1, 3, 64, 64)
    assert torch.equal(network.eval()(picture), other.eval()(picture))


def test_names_of_timms_regnet_and_fused_blocks():
    names = [
        "stem.conv.weight",
        "s3.b11.conv2.bn.bias",
        "s1.b1.downsample.conv.weight",
        "s1.b1.se.fc1.bias",
        "head.fc.bias",
    ]
    assert list(renamed(dict.fromkeys(names))) == [
        "stem.0.weight",
        "trunk_output.block3.block3-10.f.b.1.bias",
        "trunk_output.block1.block1-0.proj.0.weight",
        "trunk_output.block1.block1-0.f.se.fc1.bias",
    ]
    fused = [
        "conv_stem.weight",
        "blocks.0.0.conv.weight",
        "blocks.1.0.conv_exp.weight",
        "blocks.1.0.bn2.bias",
        "bn2.bias",
    ]
    assert list(renamed(dict.fromkeys(fused))) == [
        "features.0.0.weight",
        "features.1.0.block.0.0.weight",
        "features.2.0.block.0.0.weight",
        "features.2.0.block.1.1.bias",
        "features.3.1.bias",
    ]


def test_files_of_torchvision_are_read(tmp_path):
    torch.manual_seed(0)
    network, other = backbone("small"), backbone("small")
    tensors = {k: v for k, v in network.state_dict().items() if "num_batches" not in k}  # as old files are
    torch.save({"state_dict": {**tensors, "fc.bias": torch.zeros(1000)}}, tmp_path / "small.pth")

    load_imagenet(other, tmp_path / "small.pth")

    assert all(torch.equal(tensors[k], other.state_dict()[k]) for k in tensors)


def test_a_training_begins_with_its_own_weights_or_with_a_backbone(tmp_path):
    torch.manual_seed(0)
    options = {"cnn": "small", "hidden": 8, "layers": 1}
    whole, trunk, begun = build("sequence", 3, options), backbone("small"), build("sequence", 3, options)
    checkpoint.save_weights(whole, tmp_path / "whole.safetensors")
    torch.save(trunk.state_dict(), tmp_path / "imagenet.pth")

    checkpoint.begin_with(begun, tmp_path / "whole.safetensors")
    assert torch.equal(begun.last.weight, whole.last.weight)
    checkpoint.begin_with(begun, tmp_path / "imagenet.pth")
    assert torch.equal(begun.cnn.conv1.weight, trunk.conv1.weight)
    assert torch.equal(begun.last.weight, whole.last.weight)
    with pytest.raises(ShapeMismatch):
        checkpoint.begin_with(build("core_size", 2, {"cnn": "small_vgg"}), tmp_path / "imagenet.pth")


def test_other_files_and_names_are_refused(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ShapeMismatch, match="another network"):
        load_imagenet(backbone("small"), tmp_path / "other.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    (tmp_path / "text.safetensors").write_text("text")
    for name in ("list.pth", "text.safetensors", "missing.pth"):
        with pytest.raises(UnreadableFile, match="no weights"):
            load_imagenet(backbone("small"), tmp_path / name)
    with pytest.raises(BadRecipe, match="unknown backbone"):
        backbone("resnet19")


def test_padding_of_tensorflow_lies_right_and_below():
    with torch.device("meta"):
        sizes = backbone("tf_efficientnet_b0")(torch.zeros(1, 3, 65, 97)).shape[2:]
    assert sizes == (3, 4)
    network = backbone("tf_efficientnet_b0")
    assert network.features[0][1].eps == pytest.approx(1e-3)
    network.features[0][0].weight.data.fill_(1.0)
    corner = network.features[0][0](torch.ones(1, 3, 4, 4))[0, 0]
    assert corner.tolist() == [[27.0, 18.0], [18.0, 12.0]]
