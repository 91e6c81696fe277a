"""Reading a user's own file of weights that were learned on ImageNet."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from bolus.core.errors import ShapeMismatch, UnreadableFile
from bolus.learn import files

_HEADS: Final = ("fc.", "classifier.", "head.", "pre_logits.")
_BLOCKS: Final[Mapping[str, Mapping[str, str]]] = {
    "conv_exp": {"conv_exp": "0.0", "bn1": "0.1", "conv_pwl": "1.0", "bn2": "1.1"},
    "conv_pwl": {
        "conv_pw": "0.0",
        "bn1": "0.1",
        "conv_dw": "1.0",
        "bn2": "1.1",
        "se.conv_reduce": "2.fc1",
        "se.conv_expand": "2.fc2",
        "conv_pwl": "3.0",
        "bn3": "3.1",
    },
    "conv_dw": {
        "conv_dw": "0.0",
        "bn1": "0.1",
        "se.conv_reduce": "1.fc1",
        "se.conv_expand": "1.fc2",
        "conv_pw": "2.0",
        "bn2": "2.1",
    },
    "conv": {"conv": "0.0", "bn1": "0.1"},
}
"""timm's names within a block of an EfficientNet by the layer that tells its kind; the first counts."""


def load_imagenet(network: Any, path: Path) -> None:
    """Read a file of torchvision or timm into a backbone; the classifier in it is left out.

    Parameters
    ----------
    network
        As `bolus.learn.networks.backbones.backbone` gives it.
    path
        `.safetensors`, or what `torch.save` wrote of a state dict; nothing in the file is run.

    Raises
    ------
    UnreadableFile
        If the file is missing or holds no weights.
    ShapeMismatch
        If they are those of another network.
    """
    tensors = renamed(read_tensors(path))
    own = network.state_dict()
    for name in own:
        if name.endswith("num_batches_tracked"):  # old files lack the count
            tensors.setdefault(name, own[name])
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        found = str(error).splitlines()[-1].strip()
        raise ShapeMismatch("the weights are of another network", where=path, found=found) from error


def renamed(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Return weights under torchvision's names, without a classifier."""
    kept = {name: value for name, value in tensors.items() if not name.startswith(_HEADS)}
    if "conv_stem.weight" in kept:
        return _efficientnet(kept)
    if "stem.conv.weight" in kept:
        return {_regnet(name): value for name, value in kept.items()}
    return kept


def read_tensors(path: Path) -> dict[str, Any]:
    """Read tensors by name, from `.safetensors` or what `torch.save` wrote; nothing in the file is run.

    Raises
    ------
    UnreadableFile
        If the file is missing or holds no weights.
    """
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        with path.open("rb") as stream:
            read = torch.load(stream, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, SafetensorError, pickle.UnpicklingError) as error:
        raise UnreadableFile("no weights", where=path, found=files.reason(error)) from error
    if isinstance(read, dict):
        read = read.get("state_dict", read)
    if not isinstance(read, dict) or not all(isinstance(value, torch.Tensor) for value in read.values()):
        raise UnreadableFile("no weights", wanted="tensors by name", where=path)
    return read


def _efficientnet(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Return an EfficientNet of timm under torchvision's names."""
    blocks: dict[str, set[str]] = {}
    for name in tensors:
        if match := re.match(r"blocks\.(\d+)\.(\d+)\.(\w+)", name):
            blocks.setdefault(f"{match[1]}.{match[2]}", set()).add(match[3])
    last = 2 + max(int(name.split(".")[0]) for name in blocks)
    ends = {"conv_stem": "0.0", "bn1": "0.1", "conv_head": f"{last}.0", "bn2": f"{last}.1"}
    made = {}
    for name, value in tensors.items():
        layer, _, leaf = name.rpartition(".")
        if layer in ends:
            made[f"features.{ends[layer]}.{leaf}"] = value
            continue
        _, level, block, inner = layer.split(".", 3)
        parts = blocks[f"{level}.{block}"]
        kind = next(k for k in _BLOCKS if k in parts)
        made[f"features.{int(level) + 1}.{block}.block.{_BLOCKS[kind][inner]}.{leaf}"] = value
    return made


def _regnet(name: str) -> str:
    """Return torchvision's name of a part of a RegNet of timm."""
    name = re.sub(
        r"^s(\d)\.b(\d+)\.", lambda m: f"trunk_output.block{m[1]}.block{m[1]}-{int(m[2]) - 1}.", name
    )
    for old, new in (("downsample", "proj"), ("conv1", "f.a"), ("conv2", "f.b"), ("conv3", "f.c")):
        name = name.replace(f".{old}.", f".{new}.")
    return name.replace(".se.", ".f.se.").replace(".conv.", ".0.").replace(".bn.", ".1.")
