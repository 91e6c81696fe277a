"""Folds, ablation and ensemble of a classifier: on folds whose answers are known, and once for real."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bolus.core.errors import BadRecipe
from bolus.learn.cases import Case, Entry, Manifest, write_case, write_manifest
from bolus.learn.experiments import Bench, classifying, conduct
from bolus.learn.roc import auc
from bolus.learn.splits import Split
from bolus.learn.tasks import task

TASK = task("core-size")


def patients(folder, n, first=0):
    """Cases whose core is large where the first slice fills more."""
    rng = np.random.default_rng(first)
    entries = []
    for i in range(first, first + n):
        large = i % 2
        image = rng.normal(30.0, 3.0, (2, 32, 32, 32)).astype(np.float32)
        image[:, 8:20] += np.float32(30.0 * large)
        write_case(Case(image, np.array([60.0 * large], np.float32), f"p{i}"), folder / f"{i}.npz")
        entries.append(Entry(f"{i}.npz", f"p{i}", digest=str(i)))
    made = Manifest(folder, tuple(entries), {"task": "core-size"})
    write_manifest(made)
    return made


@pytest.fixture
def bench(tmp_path):
    cases, outside = patients(tmp_path / "a", 12), patients(tmp_path / "b", 6, first=20)
    recipe = replace(TASK.preset("small-label"), size=32, epochs=1, batch=4, precision="float32")
    split = Split(("p0",), ("p1",))
    return Bench(TASK, cases, split, recipe, tmp_path / "out", folds=3, external=outside)


@pytest.fixture
def answered(monkeypatch):
    """Folds that need no training: each says the truth with noise of its own."""
    asked = []

    def fold(bench, recipe, split, name):
        rng = np.random.default_rng(len(asked))
        asked.append((name, recipe, split))
        worse = 1.0 if name.startswith(("fold", "kernels-3-11")) else 4.0
        parts = classifying._sets(bench, split)
        return {
            part: [
                (
                    e.patient,
                    float(1 / (1 + np.exp(-rng.normal(2.0 * (int(e.patient[1:]) % 2) - 1.0, worse)))),
                    bool(int(e.patient[1:]) % 2),
                )
                for e in cases.entries
            ]
            for part, cases in parts.items()
        }

    monkeypatch.setattr(classifying, "said_by_fold", fold)
    return asked


def test_folds_give_table_1_and_a_mean_characteristic(bench, answered):
    found = conduct("cross-validation", bench)
    assert [name for name, _, _ in answered] == ["fold-0", "fold-1", "fold-2"]
    assert len({recipe.seed for _, recipe, _ in answered}) == 3
    tested = [p for _, _, split in answered for p in split.test]
    assert sorted(tested) == sorted(bench.cases.patients)
    assert [row[0] for row in found.rows] == ["validation", "test", "external"]
    assert [row[3] for row in found.rows] == ["4", "4", "6"]
    written = json.loads((bench.out / "cross_validation.json").read_text())
    assert np.mean(written["auc"]["external"]) == pytest.approx(float(found.rows[2][1]), abs=0.001)
    assert (bench.out / "cross_validation_roc.png").stat().st_size > 5000
    assert "0.72 (0.10) test" in (bench.out / "cross_validation.md").read_text()


def test_folds_of_unequal_size_and_of_one_kind_are_borne(bench, answered):
    found = conduct("cross-validation", replace(bench, folds=5))
    assert [row[3] for row in found.rows] == ["2-3", "2-3", "6"]
    tested = found.numbers["auc"]["test"]
    assert 0 < sum(area is None for area in tested) < 5
    assert float(found.rows[1][1]) == pytest.approx(np.mean([a for a in tested if a is not None]), abs=0.001)


def test_the_ensemble_is_the_mean_of_the_chances(bench, answered):
    found = conduct("ensemble", bench)
    answered.clear()
    said = [
        classifying.said_by_fold(bench, recipe, split, f"fold-{i}")["external"]
        for i, (recipe, split) in enumerate([(bench.recipe, bench.split)] * 3)
    ]
    chances = np.mean([[c for _, c, _ in one] for one in said], axis=0)
    assert found.numbers["ensemble"]["value"] == pytest.approx(auc(chances, [t for _, _, t in said[0]]))
    assert len(found.numbers["members"]) == 3
    with pytest.raises(BadRecipe, match="patients of no fold"):
        conduct("ensemble", replace(bench, external=None))


def test_the_ablation_leaves_out_a_path(bench, answered):
    found = conduct("ablation", bench)
    assert [row[0] for row in found.rows] == ["global and local", "global only", "local only"]
    kernels = [tuple(recipe.options["kernels"]) for _, recipe, _ in answered]
    assert kernels == [(3, 11)] * 3 + [(11,)] * 3 + [(3,)] * 3
    areas = {name: np.array(found.numbers["auc"][name]) for name in ("global and local", "local only")}
    assert float(found.rows[2][3]) == pytest.approx(
        np.mean(areas["global and local"] - areas["local only"]), abs=0.001
    )
    assert found.rows[0][3:] == ("", "")
    assert [name for name, _, _ in answered][::3] == ["kernels-3-11-0", "kernels-11-0", "kernels-3-0"]
    with pytest.raises(BadRecipe, match="paths of the paper's network"):
        conduct("ablation", replace(bench, recipe=TASK.preset("small")))


@pytest.mark.slow
def test_folds_are_trained_once(bench):
    pytest.importorskip("torch")
    conduct("cross-validation", bench)
    said = bench.out / "trainings" / "fold-0" / "said.json"
    before = said.stat().st_mtime_ns
    assert set(json.loads(said.read_text())) == {"validation", "test", "external"}
    found = conduct("ensemble", bench)
    assert said.stat().st_mtime_ns == before
    assert found.rows[0][3] == "6"
    others = replace(bench, external=patients(bench.out / "c", 8, first=40))
    assert conduct("ensemble", others).rows[0][3] == "8"
    with pytest.raises(BadRecipe, match="resumed as it began"):
        conduct("cross-validation", replace(bench, recipe=replace(bench.recipe, lr=1e-4)))


@pytest.mark.slow
def test_the_papers_network_learns_a_step_and_leaves_pytorch(tmp_path):
    torch = pytest.importorskip("torch")
    from bolus.learn.export import axes_of, check_parity, write_onnx
    from bolus.learn.losses import LOSSES
    from bolus.learn.networks import HEADS, build

    recipe = replace(TASK.preset("paper"), size=32)
    network = build(recipe.network, TASK.channels, recipe.options)
    trained = [p for p in network.parameters() if p.requires_grad]
    before = [p.detach().clone() for p in trained]
    frozen = network.cnn.state_dict()["features.0.weight"].clone()
    step = torch.optim.RMSprop(trained, lr=recipe.lr)
    output = network(30.0 + 5.0 * torch.randn(2, 2, 32, 32, 32))
    LOSSES[recipe.loss](output, {"target": torch.tensor([[0], [1]])}).backward()
    step.step()
    assert any(not torch.equal(a, b) for a, b in zip(before, trained, strict=True))
    assert torch.equal(frozen, network.cnn.state_dict()["features.0.weight"])
    whole = torch.nn.Sequential(network, HEADS[TASK.head]()).eval()
    axes = axes_of(TASK, recipe)
    write_onnx(whole, axes, tmp_path / "paper.onnx")
    assert check_parity(whole, axes, tmp_path / "paper.onnx") < 1e-4
