"""A second answer for a network that is exported already: what its deepest level makes of the image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bolus.core.errors import BadInput
from bolus.learn.infer import DEPTHS


def add_depths(source: Path, out: Path) -> None:
    """Write a U-Net once more, with the means of the channels of its deepest level as a second answer.

    Weights and first answer stay as they are. A file that has the second answer is copied.

    Parameters
    ----------
    source, out
        ONNX files.

    Raises
    ------
    BadInput
        If the network has no level that it enlarges again.
    """
    import onnx
    from onnx import TensorProto, helper

    model = onnx.load(source)
    if DEPTHS not in {output.name for output in model.graph.output}:
        deepest = _deepest(model.graph, source)
        model.graph.node.append(helper.make_node("ReduceMean", [deepest, "depth_axes"], [DEPTHS], keepdims=0))
        axes = helper.make_tensor("depth_axes", TensorProto.INT64, [2], [2, 3])
        model.graph.initializer.append(axes)
        model.graph.output.append(helper.make_tensor_value_info(DEPTHS, TensorProto.FLOAT, ["cases", None]))
    onnx.checker.check_model(model)
    onnx.save(model, out)


def _deepest(graph: Any, where: Path) -> str:
    """Return the name of what is enlarged first: nodes stand in the order in which they work."""
    for node in graph.node:
        if node.op_type == "Resize":
            return str(node.input[0])
    raise BadInput("the network has no deepest level", wanted="a U-Net", where=where)
