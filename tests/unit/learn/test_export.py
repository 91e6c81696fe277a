"""A trained network is exported as it is, with a card that says where it comes from."""

from dataclasses import replace

import numpy as np
import pytest

from bolus.core.errors import BadInput, BadRecipe, UnreadableFile
from bolus.learn.card import read_card
from bolus.learn.files import sha256
from bolus.learn.infer import load
from bolus.learn.splits import split_patients
from bolus.learn.tasks import TASKS

torch = pytest.importorskip("torch")

from bolus.learn import export as exporting  # noqa: E402
from bolus.learn.export import card_of, check_parity, export, network_of, write_onnx  # noqa: E402
from bolus.learn.networks import HEADS, build  # noqa: E402
from bolus.learn.train import Run, train  # noqa: E402

TASK = TASKS["ica"]
pytestmark = pytest.mark.slow  # the exporter takes ten seconds

IMAGES = ("cases", 1, "y", "x")


def test_a_training_becomes_a_network_with_a_card(tubes, tmp_path):
    recipe = replace(
        TASK.preset("small"),
        size=48,
        options={"width": 8},
        epochs=4,
        augment=(),
        lr=5e-3,
        precision="float32",
    )
    split = split_patients(tubes.patients, (0.6, 0.2, 0.2))
    train(TASK, recipe, tubes, split, run=Run(tmp_path / "run", device="cpu", threads=1))
    path = tmp_path / "out" / "net.onnx"

    export(TASK, tmp_path / "run", path, {"test": {"dice": 0.5}})

    card = read_card(path.with_suffix(".json"))
    assert card.task == "ica"
    assert card.data["generator"] == "tubes"
    assert card.data["train"]["patients"] == 4
    assert card.recipe["size"] == 48
    assert card.scores["test"] == {"dice": 0.5}
    assert card.scores["validation"]["dice"] > 0
    assert any("not a medical device" in text for text in card.not_for)
    assert card.files == {"net.onnx": sha256(path)}
    assert sorted(p.name for p in path.parent.iterdir()) == ["net.json", "net.onnx"]

    small = tmp_path / "half" / "net.onnx"
    export(TASK, tmp_path / "run", small, half=True)

    assert small.stat().st_size < 0.65 * path.stat().st_size
    image = np.random.default_rng(0).random((1, 1, 64, 64), dtype=np.float32)
    one, other = (load(file, task="ica")(image) for file in (path, small))
    assert 0 < np.abs(one - other).max() < 0.02
    content = path.read_bytes()
    assert b".py" not in content
    assert b"site-packages" not in content
    trained = network_of(TASK, recipe, tmp_path / "run" / "best.safetensors")
    assert check_parity(trained, IMAGES, path) < 1e-4
    with pytest.raises(BadInput, match="answers otherwise"):
        check_parity(torch.nn.Sequential(build("unet", 1, {"width": 8}), HEADS["foreground"]()), IMAGES, path)


def test_the_full_size_network_is_exported_as_it_is(tmp_path):
    recipe = TASK.preset("paper")
    torch.manual_seed(0)
    network = torch.nn.Sequential(build(recipe.network, 1, recipe.options), HEADS["foreground"]()).eval()
    write_onnx(network, IMAGES, tmp_path / "paper.onnx")
    assert check_parity(network, IMAGES, tmp_path / "paper.onnx") < 1e-4


@pytest.mark.parametrize("recurrent", ["gru", "lstm"])
def test_runs_of_any_length_may_be_shown_to_every_network_of_a_process(recurrent, tmp_path):
    options = {"cnn": "small", "hidden": 4, "layers": 1, "recurrent": recurrent, "readout": "mean+max"}
    axes = ("cases", "pictures", 3, 32, 32)
    for _ in range(2):
        network = torch.nn.Sequential(build("sequence", 3, options), HEADS["label"]()).eval()
        write_onnx(network, axes, tmp_path / "net.onnx")
        assert check_parity(network, axes, tmp_path / "net.onnx") < 1e-4


def test_an_axis_that_the_exporter_fixes_is_refused(tmp_path):
    onnx = pytest.importorskip("onnx")
    ports = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["cases", 4, 3])
        for name in ("image", "answer")
    ]
    node = onnx.helper.make_node("Identity", ["image"], ["answer"])
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "one", ports[:1], ports[1:]))
    onnx.save(model, tmp_path / "net.onnx")
    exporting._require_free(tmp_path / "net.onnx", ("cases", 4, 3))
    with pytest.raises(BadInput, match=r"(?s)any size.*pictures"):
        exporting._require_free(tmp_path / "net.onnx", ("cases", "pictures", 3))


def test_a_network_is_not_written_over_by_its_card(tmp_path):
    for name in ("net.json", "net"):
        with pytest.raises(BadRecipe, match=r"\.onnx"):
            export(TASKS["ica"], tmp_path, tmp_path / name)


def test_a_training_without_an_epoch_has_no_card(tmp_path):
    with pytest.raises(UnreadableFile, match="no finished epoch"):
        card_of(TASKS["ica"], tmp_path)
    (tmp_path / "log.csv").touch()
    with pytest.raises(UnreadableFile, match="no epoch"):
        card_of(TASKS["ica"], tmp_path)
