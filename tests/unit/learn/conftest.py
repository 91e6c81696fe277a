"""Cases of bright tubes, small enough for networks that learn in seconds."""

from pathlib import Path

import numpy as np
import pytest

from bolus.learn import ica
from bolus.learn.card import Card, write_card
from bolus.learn.cases import Case, Entry, Manifest, write_case, write_manifest
from bolus.learn.files import sha256
from bolus.learn.tasks import TASKS


def tube_case(seed: int, size: int = 48, patient: str = "") -> Case:
    """A broad upright tube to find, a thin slanted one to leave, and noise."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
    middle = size * rng.uniform(0.35, 0.65) + size * 0.1 * np.sin(y / size * rng.uniform(2, 5))
    artery = (np.abs(x - middle) < size * 0.06) & (y > size * 0.3)
    branch = np.abs(x - y * rng.uniform(0.3, 0.9)) < 1.0
    contrast = np.maximum(1.0 * artery, 0.4 * branch) + 0.05 * rng.standard_normal((size, size))
    minip = contrast.clip(min=0).astype(np.float32)[:, :, None]
    return ica.make_case(minip, np.ones_like(minip, dtype=bool), artery[:, :, None], patient or f"p{seed}")


def write_bright(path: Path) -> Path:
    """Write a network that calls bright pixels artery, with its card: no training, no PyTorch."""
    onnx = pytest.importorskip("onnx")
    helper, real = onnx.helper, onnx.TensorProto.FLOAT
    sides = ["cases", 1, "y", "x"]
    nodes = [
        helper.make_node("Sub", ["image", "threshold"], ["above"]),
        helper.make_node("Mul", ["above", "slope"], ["steep"]),
        helper.make_node("Sigmoid", ["steep"], ["answer"]),
    ]
    constants = [helper.make_tensor(name, real, [], [v]) for name, v in (("threshold", 0.7), ("slope", 50.0))]
    ports = [[helper.make_tensor_value_info(name, real, sides)] for name in ("image", "answer")]
    graph = helper.make_graph(nodes, "bright", *ports, constants)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    task = TASKS["ica"]
    card = Card("ica", task.takes, task.gives, recipe={"size": 48}, files={path.name: sha256(path)})
    write_card(card, path.with_suffix(".json"))
    return path


@pytest.fixture
def bright(tmp_path: Path) -> Path:
    """A network that calls bright pixels artery."""
    return write_bright(tmp_path / "net" / "net.onnx")


@pytest.fixture
def tube():
    """What makes a case of tubes of a seed."""
    return tube_case


@pytest.fixture
def tubes(tmp_path: Path) -> Manifest:
    """Eight patients with a case each, on disk."""
    folder = tmp_path / "tubes"
    entries = []
    for seed in range(8):
        case = tube_case(seed)
        write_case(case, folder / f"{seed}.npz")
        entries.append(Entry(f"{seed}.npz", case.patient, digest=case.digest))
    manifest = Manifest(folder, tuple(entries), {"generator": "tubes"})
    write_manifest(manifest)
    return manifest
