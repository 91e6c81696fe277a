"""From a training's best weights to a network that runs without PyTorch."""

from __future__ import annotations

import csv
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from bolus import __version__
from bolus.core.errors import BadInput, UnreadableFile
from bolus.learn import calibrating, checkpoint, files, infer
from bolus.learn import recipe as recipes
from bolus.learn.card import Card, require_name, write_card
from bolus.learn.crew import place
from bolus.learn.frame import MULTIPLE
from bolus.learn.learner import channels_of
from bolus.learn.networks import HEADS, build
from bolus.learn.recipe import TrainRecipe
from bolus.learn.tasks import Task
from bolus.learn.train import BEST, DATA, LOG, RECIPE

OPSET: Final = 18
"""Of ONNX: the oldest that PyTorch's exporter writes without converting."""
TOLERANCE: Final = 1e-4
"""Largest difference between the answers of PyTorch and onnxruntime."""
HALF_TOLERANCE: Final = 5e-3
"""The same where weights are stored in 16 bits."""
_MANY: Final = 12
"""Scores a group that a card holds in full."""
_FEWEST: Final = 512
"""Weights of fewer numbers stay in 32 bits: they save nothing."""
_TRACED: Final = {"cases": 2, "pictures": 4, "y": 64, "x": 96}
_CHECKED: Final = (
    {"cases": 1, "pictures": 2, "y": 128, "x": 128},
    {"cases": 3, "pictures": 7, "y": 160, "x": 64},
)
"""Sizes of the axes that are free: of the input that is traced, and of those that answers are compared at."""
_LEAST: Final = {"cases": 1, "pictures": 1, "y": 32, "x": 32}


def network_of(task: Task, recipe: TrainRecipe, weights: Path) -> Any:
    """Return a network with its head, that answers as its card says, with weights of a file.

    Raises
    ------
    UnreadableFile, ShapeMismatch
        If the file is missing, holds no weights, or those of another network.
    """
    network = build(recipe.network, channels_of(task, recipe), recipe.options)
    checkpoint.load_weights(network, weights)
    return nn.Sequential(network, HEADS[task.head]()).eval()


def card_of(task: Task, run: Path, scores: Mapping[str, Any] | None = None) -> Card:
    """Return the card of a training, with its best validation score and others that were measured since.

    Parameters
    ----------
    task, run
        What was learned, and the folder of its training.
    scores
        By the name of what was scored on.

    Raises
    ------
    UnreadableFile
        If the folder holds no training.
    """
    if not (run / LOG).is_file():
        raise UnreadableFile("the folder holds no finished epoch of a training", where=run / LOG)
    with (run / LOG).open(newline="", encoding="utf-8") as stream:
        log = list(csv.DictReader(stream))
    if not log:
        raise UnreadableFile("no epoch of the training was written down", where=run / LOG)
    validation = {task.metric: float(log[-1]["best"]), "epochs": len(log), "cpu_s": float(log[-1]["cpu_s"])}
    return Card(
        task=task.name,
        takes=task.takes,
        gives=task.gives,
        data=files.read_json(run / DATA, "where the cases of the training come from"),
        recipe=recipes.read(run / RECIPE).as_dict(),
        scores={"validation": validation, **{name: _brief(one) for name, one in (scores or {}).items()}},
        intended_use=task.intended_use,
        not_for=task.not_for,
        calibration=calibrating.read(run),
    )


def _brief(measured: Any) -> Any:
    """Return all scores of all cases, and the first of other groups where they have many."""
    if not isinstance(measured, Mapping) or "scores" not in measured:
        return measured
    groups = {
        name: one if name == "all" or len(one) <= _MANY else dict(list(one.items())[:1])
        for name, one in measured["scores"].items()
    }
    return {**measured, "scores": groups}


def export(
    task: Task, run: Path, out: Path, scores: Mapping[str, Any] | None = None, *, half: bool = False
) -> Card:
    """Write a training's best network as ONNX, with its card beside it.

    Parameters
    ----------
    task, run
        What was learned, and the folder of its training.
    out
        `.onnx` file to write.
    scores
        What else the card shall say of its quality; see `card_of`.
    half
        Store weights in 16 bits: half the file, and answers that differ by up to 5e-3, or that part of them.

    Returns
    -------
    The card that was written.

    Raises
    ------
    UnreadableFile
        If the folder holds no training.
    BadRecipe
        If the file does not end in `.onnx`: the card beside it must have another name.
    BadInput
        If onnxruntime answers otherwise than PyTorch, or the network cannot do what its task demands.
    """
    require_name(out)
    recipe = recipes.read(run / RECIPE)
    network, axes = network_of(task, recipe, run / BEST), axes_of(task, recipe)
    with files.whole(out) as made:
        write_onnx(network, axes, made)
        check_parity(network, axes, made)
        if half:
            _store_half(made)
            check_parity(network, axes, made, HALF_TOLERANCE)
        card = _proven(card_of(task, run, scores), task, made)
    signed = replace(card, files={out.name: files.sha256(out)}, version=__version__)
    write_card(signed, out.with_suffix(".json"))
    return signed


def _store_half(path: Path) -> None:
    """Keep the larger weights in 16 bits; a node each makes them 32 again when the network is opened."""
    model = onnx.load(path)
    casts = []
    for weights in model.graph.initializer:
        values = numpy_helper.to_array(weights)
        if values.dtype != np.float32 or values.size < _FEWEST:
            continue
        name, stored = weights.name, f"{weights.name}.half"
        weights.CopyFrom(numpy_helper.from_array(values.astype(np.float16), stored))
        casts.append(onnx.helper.make_node("Cast", [stored], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, path)


def _proven(card: Card, task: Task, path: Path) -> Card:
    """Return the card with what the exported network was asked to show, if its task asks for anything."""
    if task.prove is None:
        return card
    shown = dict(task.prove(infer.Network(infer.session(path, 1), card, path)))
    return replace(card, scores={**card.scores, "shown": shown})


class _Session:
    """PyTorch under the face of onnxruntime: one input, one answer."""

    def __init__(self, network: Any, axes: tuple[int | str, ...], device: Any) -> None:
        self.network = network.to(device)
        self.axes, self.device = axes, device

    def get_inputs(self) -> list[Any]:
        """Return the one input."""
        return [SimpleNamespace(name="image", shape=list(self.axes))]

    def get_outputs(self) -> list[Any]:
        """Return the one output."""
        return [SimpleNamespace(name="answer")]

    def run(self, _names: list[str], given: Mapping[str, Any]) -> list[Any]:
        """Answer."""
        with torch.inference_mode():
            return [self.network(torch.from_numpy(given["image"]).to(self.device)).cpu().numpy()]


def live(task: Task, run: Path, device: str = "auto") -> infer.Network:
    """Return a training's best network as it would answer once exported, which takes seconds.

    Parameters
    ----------
    task, run
        What was learned, and the folder of its training.
    device
        A device of PyTorch; `auto`: a GPU where there is one.

    Raises
    ------
    UnreadableFile
        If the folder holds no training.
    """
    recipe = recipes.read(run / RECIPE)
    session = _Session(network_of(task, recipe, run / BEST), axes_of(task, recipe), place(device))
    return infer.Network(session, card_of(task, run), run / BEST)


def axes_of(task: Task, recipe: TrainRecipe) -> tuple[int | str, ...]:
    """Return the axes of a network's input: their sizes, and the names of those that are free."""
    known = {"channels": channels_of(task, recipe), "side": -(-recipe.size // MULTIPLE) * MULTIPLE}
    return tuple(known.get(axis, axis) if isinstance(axis, str) else axis for axis in task.axes)


def write_onnx(network: Any, axes: tuple[int | str, ...], path: Path) -> None:
    """Write a network as ONNX; axes with a name may have any size.

    Raises
    ------
    BadInput
        If the exporter gave a named axis the size of the example.
    """
    _forget_kernels()
    example = torch.zeros(_sizes(axes, _TRACED))
    free = {
        i: torch.export.Dim(axis, min=_LEAST[axis]) for i, axis in enumerate(axes) if isinstance(axis, str)
    }
    with _hushed():
        torch.onnx.export(
            network,
            (example,),
            path,
            input_names=["image"],
            output_names=["answer"],
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            dynamic_shapes=(free,),
            verbose=False,
        )
    _bare(path)
    _require_free(path, axes)


def _forget_kernels() -> None:
    """Let PyTorch look up again what computes its recurrent layers.

    The exporter puts loops of any length in their place while it traces, but PyTorch 2.13 remembers what an
    earlier export in this process looked up last: loops as long as that export's example.
    """
    for layer in (torch.ops.aten.gru.input, torch.ops.aten.lstm.input):
        layer._dispatch_cache.clear()


def _require_free(path: Path, axes: tuple[int | str, ...]) -> None:
    found = onnx.load(path).graph.input[0].type.tensor_type.shape.dim
    fixed = [name for name, dim in zip(axes, found, strict=True) if isinstance(name, str) and dim.dim_value]
    if fixed:
        raise BadInput("the exporter fixed axes that must have any size", found=", ".join(fixed), where=path)


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep to itself what the exporter says about itself: it writes thousands of lines."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _bare(path: Path) -> None:
    """Leave out of a file where, on which machine, each of its nodes comes from."""
    model = onnx.load(path)
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    onnx.save(model, path)


def _sizes(axes: tuple[int | str, ...], free: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(free[axis] if isinstance(axis, str) else axis for axis in axes)


def check_parity(
    network: Any, axes: tuple[int | str, ...], path: Path, tolerance: float = TOLERANCE
) -> float:
    """Compare the answers of both on inputs of sizes that were not traced.

    Returns
    -------
    The largest difference; of answers beyond 1, as a part of them.

    Raises
    ------
    BadInput
        If it is more than the tolerance.
    """
    draw = np.random.default_rng(0)
    session = infer.session(path, 1)
    worst = 0.0
    for free in _CHECKED:
        image = draw.random(_sizes(axes, free), dtype=np.float32)
        with torch.inference_mode():
            wanted = network(torch.from_numpy(image)).numpy()
        found = session.run(None, {session.get_inputs()[0].name: image})[0]
        worst = max(worst, float((np.abs(found - wanted) / np.maximum(np.abs(wanted), 1.0)).max()))
    if not worst <= tolerance:
        raise BadInput(
            "the exported network answers otherwise than the trained one",
            wanted=f"differences up to {tolerance:g}",
            found=f"{worst:.2g}",
            where=path,
        )
    return worst
