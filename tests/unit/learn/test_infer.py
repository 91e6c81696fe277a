"""A network is bright, vouched for and run without PyTorch; anything else is refused in words."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from bolus.core.errors import BadInput, ShapeMismatch, UnreadableFile
from bolus.learn import ica, infer
from bolus.learn.card import Card, read_card, verify, write_card
from bolus.learn.files import sha256

pytest.importorskip("onnxruntime")


def test_the_answer_lies_on_the_run(bright, tube):
    segment, case = ica.segmenter(bright, threads=1), tube(50, size=96)
    minip = case.image[0].T[:, :, None] * 3.7
    field = np.ones(minip.shape, dtype=bool)
    field[:5] = False

    chance = segment(minip, field)

    assert (chance.shape, chance.dtype) == (minip.shape, np.float32)
    assert chance.min() >= 0
    assert chance.max() <= 1
    assert not chance[:5].any()
    truth = case.target[0].T[:, :, None] > 0
    assert ica.score(chance, replace(case, target=truth))["dice"] > 0.8
    np.testing.assert_array_equal(segment(minip, field), chance)


def test_it_runs_without_pytorch(bright):
    program = (
        "import sys, numpy as np, bolus.learn\n"
        "from bolus.learn import ica\n"
        f"s = ica.segmenter({str(bright)!r})\n"
        "p = s(np.random.default_rng(0).random((60, 50, 1), dtype=np.float32), np.ones((60, 50, 1), bool))\n"
        "assert p.shape == (60, 50, 1)\n"
        "assert not {'torch', 'monai', 'onnx', 'safetensors'} & set(sys.modules), sorted(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def copied(bright, folder):
    for path in (bright, bright.with_suffix(".json")):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder / bright.name


def test_tampered_weights_are_refused(bright, tmp_path):
    path = copied(bright, tmp_path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BadInput, match="not those that their card describes"):
        infer.load(path)


def test_missing_files_are_named(bright, tmp_path):
    with pytest.raises(UnreadableFile, match="card"):
        infer.load(tmp_path / "none.onnx")
    path = copied(bright, tmp_path)
    path.unlink()
    with pytest.raises(UnreadableFile, match=r"net\.onnx"):
        infer.load(path)


def test_a_card_that_is_none_is_refused(bright, tmp_path):
    path = copied(bright, tmp_path)
    for text in ("", "[]", '{"kind": "other"}', json.dumps({"kind": "bolus network card", "x": 1})):
        path.with_suffix(".json").write_text(text)
        with pytest.raises(UnreadableFile, match="card"):
            infer.load(path)


@pytest.mark.parametrize(
    "change", [{"files": None}, {"task": 3}, {"not_for": None}, {"recipe": []}, {"more": 1}]
)
def test_a_card_with_values_of_another_kind_is_refused(change, bright, tmp_path):
    card = copied(bright, tmp_path).with_suffix(".json")
    card.write_text(json.dumps(json.loads(card.read_text()) | change))
    with pytest.raises(UnreadableFile, match="not the card"):
        read_card(card)


def test_a_card_that_lacks_its_task_is_refused(bright, tmp_path):
    card = copied(bright, tmp_path).with_suffix(".json")
    card.write_text(json.dumps({k: v for k, v in json.loads(card.read_text()).items() if k != "task"}))
    with pytest.raises(UnreadableFile, match="not the card"):
        read_card(card)


def test_what_is_no_network_is_refused(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"not a network")
    write_card(Card("ica", "", "", files={path.name: sha256(path)}), path.with_suffix(".json"))
    with pytest.raises(UnreadableFile, match="not a network"):
        infer.load(path)


def test_a_network_with_two_outputs_is_of_the_wrong_shape(bright):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(bright)
    model.graph.output.append(onnx.helper.make_tensor_value_info("above", onnx.TensorProto.FLOAT, None))
    onnx.save(model, bright)
    card = read_card(bright.with_suffix(".json"))
    write_card(replace(card, files={bright.name: sha256(bright)}), bright.with_suffix(".json"))
    with pytest.raises(ShapeMismatch, match="one input and one output"):
        infer.load(bright)


def test_networks_for_other_tasks_and_images_of_other_shapes_are_refused(bright):
    with pytest.raises(BadInput, match="another task"):
        infer.load(bright, task="thrombus")
    network = infer.load(bright, task="ica", threads=1)
    with pytest.raises(ShapeMismatch, match="another shape"):
        network(np.zeros((1, 2, 48, 48), np.float32))
    with pytest.raises(ShapeMismatch, match="another shape"):
        network(np.zeros((48, 48), np.float32))


def test_a_card_that_does_not_name_the_file_is_no_guarantee(bright):
    with pytest.raises(BadInput, match="card"):
        verify(Card("ica", "", ""), bright)


def test_network_input_is_contrast_over_its_percentile_in_the_field():
    minip = np.random.default_rng(0).random((20, 30, 1), dtype=np.float32)
    field = np.ones(minip.shape, bool)
    field[:, :3] = False
    minip[0, 0, 0] = 100.0
    minip[4, 9, 0] = np.nan

    image = ica.network_input(minip, field)

    assert image.shape == (1, 30, 20)
    assert image.dtype == np.float32
    assert not image[0, :3].any()
    assert image.max() <= ica.CEILING
    np.testing.assert_allclose(image, ica.network_input(5 * minip, field), rtol=1e-6)
    with pytest.raises(ShapeMismatch):
        ica.network_input(minip, field[:5])
    with pytest.raises(BadInput, match="no contrast"):
        ica.network_input(np.zeros_like(minip), field)


def test_the_shipped_network_is_there_or_missed_in_words(monkeypatch, tmp_path):
    monkeypatch.setattr(ica, "SHIPPED", tmp_path / "ica.onnx")
    ica.carotid.cache_clear()
    with pytest.raises(UnreadableFile, match="card"):
        ica.carotid()
