"""A guard tells injections that the network does not know, and travels with the network's file."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from bolus.core.errors import BadInput, BadRecipe, ShapeMismatch
from bolus.learn import ica, infer
from bolus.learn.card import read_card, write_card
from bolus.learn.cases import CaseSet, Entry, Manifest, read_manifest, write_case, write_manifest
from bolus.learn.guard import Guard, guard_of, measured
from bolus.learn.teaching import changed, fit, flagged

pytest.importorskip("onnxruntime")


def blobs(n=40, seed=0):
    """Return features of two kinds of injection that lie apart in one of four numbers."""
    rng = np.random.default_rng(seed)
    other = np.arange(n) % 2 == 1
    features = rng.standard_normal((n, 4)) * np.array([1.0, 5.0, 0.1, 1.0])
    features[:, 2] += 0.8 * other
    return features, ["vertebral" if one else "carotid" for one in other]


def test_it_learns_what_tells_the_kinds_apart():
    guard = fit(*blobs(), {"seed": 1})
    scores = flagged(guard, *blobs(seed=1))
    assert scores["vertebral"]["above 0.5"] == 1.0
    assert scores["carotid"]["above 0.5"] == 0.0
    assert np.argmax(np.abs(guard.weights)) == 2
    assert (guard.data["images"], guard.data["others"], guard.data["seed"]) == (40, 20, 1)


def test_rare_kinds_weigh_as_much_as_common_ones():
    """Half-way between the kinds the chance is a half, though one is nine times as common."""
    features, kinds = blobs(400)
    few = [i for i, kind in enumerate(kinds) if kind == "carotid" or i % 18 == 1]
    guard = fit(features[few], [kinds[i] for i in few], {})
    assert guard.other(np.array([0.0, 0.0, 0.4, 0.0])) == pytest.approx(0.5, abs=0.2)


def test_one_kind_alone_teaches_nothing():
    features, _ = blobs()
    with pytest.raises(BadRecipe, match="both kinds"):
        fit(features, ["carotid"] * len(features), {})


def test_what_is_measured_of_an_outline():
    image, chance = np.zeros((100, 50), dtype=np.float32), np.zeros((100, 50), dtype=np.float32)
    image[10:90] = 0.2
    image[50:90, 20:30] = 1.0
    chance[50:90, 20:30] = 0.7
    chance[50:70, 20:30] = 0.95
    chance[50:90, 30:35] = 0.1
    sure, halo, upper, area, height, density, *depths = measured(image, chance, np.array([4.0, 0.0]))
    assert sure == pytest.approx(0.5)
    assert np.exp(halo) == pytest.approx(0.05)
    assert upper == pytest.approx(32 * 50 * 0.2 / image.sum(), rel=1e-4)
    assert np.exp(area) == pytest.approx(400 / 4000)
    assert np.exp(height) == pytest.approx(0.5)
    assert np.exp(density) == pytest.approx(1.0)
    assert depths == [2.0, 0.0]


def test_a_changed_image_keeps_its_scale_and_field():
    image = np.zeros((64, 64), dtype=np.float32)
    image[4:60, 4:60] = 0.1
    image[20:50, 30:34] = 1.0
    made = [changed(image, np.random.default_rng(seed)) for seed in range(6)]
    for one in made:
        assert (one.shape, one.dtype) == (image.shape, np.float32)
        assert one.min() == 0.0
        assert one.max() <= 1.5
        assert np.percentile(one[one > 0], 99.5) == pytest.approx(1.0, abs=0.05)
        assert 0.5 < np.count_nonzero(one) / np.count_nonzero(image) < 1.5
    assert not any(np.array_equal(one, other) for one, other in pairwise(made))


def test_nothing_outlined_has_finite_features():
    empty = np.zeros((32, 32), dtype=np.float32)
    assert np.isfinite(measured(empty, empty, np.zeros(3))).all()


# --- on a network's file --------------------------------------------------------------------------------


@pytest.fixture
def shallow(bright):
    """A network that calls bright pixels artery, halves the image and enlarges it again on the way."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load(bright)
    make, real = onnx.helper, onnx.TensorProto.FLOAT
    down = make.make_node("MaxPool", ["image"], ["small"], kernel_shape=[2, 2], strides=[2, 2])
    up = make.make_node("Resize", ["small", "", "factors"], ["large"], mode="nearest")
    model.graph.initializer.append(make.make_tensor("factors", real, [4], [1.0, 1.0, 2.0, 2.0]))
    nodes = [down, up, *model.graph.node]
    nodes[2].input[0] = "large"
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, bright)
    from bolus.learn.files import sha256

    card = read_card(bright.with_suffix(".json"))
    write_card(replace(card, files={bright.name: sha256(bright)}), bright.with_suffix(".json"))
    return bright


@pytest.fixture
def injections(tubes):
    """Patients of which every second one has another artery injected: one without its lower half."""
    cases, entries = CaseSet(tubes, lambda _case: {}, cache_mb=0), []
    for i in range(len(cases)):
        case = cases.case(i)
        other = i % 2 == 1
        image = np.array(case.image)
        image[:, image.shape[1] // 2 :] *= 0.3 if other else 1.0
        made = replace(case, image=image, meta={"vessel": "vertebral" if other else "carotid"})
        write_case(made, tubes.folder / f"{i}.npz")
        entries.append(Entry(f"{i}.npz", made.patient, digest=made.digest))
    manifest = Manifest(tubes.folder, tuple(entries), {"generator": "tubes"})
    write_manifest(manifest)
    return manifest


def test_a_network_is_taught_without_changing_its_answer(shallow, injections, tmp_path):
    from bolus.learn.teaching import teach

    before = infer.load(shallow, threads=1)
    out = tmp_path / "taught" / "net.onnx"
    out.parent.mkdir()
    teach(before, injections.folder, out, {"again": injections.folder})
    after = infer.load(out, task="ica", threads=1)
    image = np.random.default_rng(0).random((2, 1, 48, 64), dtype=np.float32)
    answer, depths = after.in_depth(image)
    np.testing.assert_array_equal(answer, before(image))
    np.testing.assert_array_equal(answer, after(image))
    small = image.reshape(2, 1, 24, 2, 32, 2).max(axis=(3, 5))
    np.testing.assert_allclose(depths, small.mean(axis=(2, 3)), rtol=1e-5)
    guard = guard_of(after)
    assert guard is not None
    assert guard.data["generator"] == "tubes"
    assert guard.scores["again"] == guard.scores["fitted"]
    assert guard.scores["fitted"]["vertebral"]["above 0.5"] == 1.0


def test_a_segmenter_doubts_what_its_guard_does_not_know(shallow, injections, tmp_path):
    from bolus.learn.teaching import teach

    teach(infer.load(shallow, threads=1), injections.folder, tmp_path / "net.onnx", {})
    segment = ica.segmenter(tmp_path / "net.onnx", threads=1)
    cases = CaseSet(read_manifest(injections.folder), lambda _case: {}, cache_mb=0)
    doubts = []
    for i in range(4):
        minip = cases.case(i).image[0].T[:, :, None]
        doubts.append(segment.doubt(minip, np.ones(minip.shape, dtype=bool)))
    assert max(doubts[0], doubts[2]) < 0.5 < min(doubts[1], doubts[3])


def test_the_command_teaches_and_says_what_is_flagged(shallow, injections, tmp_path):
    from typer.testing import CliRunner

    from bolus.apps.cli import app

    words = ("--weights", shallow, "--data", injections.folder, "-o", tmp_path / "net.onnx")
    done = CliRunner().invoke(app, ["learn", "guard", "ica", *map(str, words)])
    assert done.exit_code == 0, done.output
    assert "vertebral" in done.output
    assert guard_of(infer.load(tmp_path / "net.onnx", task="ica", threads=1)) is not None
    refused = CliRunner().invoke(app, ["learn", "guard", "thrombus", *map(str, words)])
    assert refused.exit_code == 2
    assert "only networks that outline the carotid" in refused.output


def test_the_shipped_network_has_a_guard_that_was_scored_elsewhere():
    told = ica.carotid().guard
    assert told is not None
    for name in ("site A, other patients", "site B"):
        scores = told.scores[name]
        views = sum(scores[kind]["views"] for kind in ("vertebral", "external"))
        found = sum(scores[kind]["views"] * scores[kind]["above 0.5"] for kind in ("vertebral", "external"))
        assert found / views >= 0.95
        assert scores["carotid"]["above 0.5"] < 0.1


def test_a_network_without_a_guard_has_no_doubts(bright):
    minip = np.random.default_rng(0).random((40, 40, 1), dtype=np.float32)
    assert ica.segmenter(bright, threads=1).doubt(minip, np.ones(minip.shape, dtype=bool)) is None
    with pytest.raises(BadInput, match="deepest level"):
        infer.load(bright, threads=1).in_depth(minip.T[None])


def test_a_damaged_guard_is_refused(bright):
    path = bright.with_suffix(".json")
    guard = Guard((0.0,), (1.0,), (1.0, 2.0), 0.0, {}, {}).as_dict()
    write_card(replace(read_card(path), guard=guard), path)
    with pytest.raises(ShapeMismatch, match="several lengths"):
        ica.segmenter(bright)
    write_card(replace(read_card(path), guard={"middle": 1}), path)
    with pytest.raises(BadInput, match="not the guard"):
        ica.segmenter(bright)


def test_a_network_that_enlarges_nothing_has_no_depths(bright, tmp_path):
    from bolus.learn.depths import add_depths

    with pytest.raises(BadInput, match="no deepest level"):
        add_depths(bright, tmp_path / "net.onnx")
