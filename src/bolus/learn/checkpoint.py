"""Weights as safetensors, and the state of a training that was stopped."""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from bolus.core.errors import BadRecipe, ShapeMismatch, UnreadableFile
from bolus.learn import files
from bolus.learn.networks.backbones.imagenet import load_imagenet, read_tensors

_MEMBERS: Final = "members."


def save_weights(network: Any, path: Path) -> None:
    """Write a network's weights in float32, whole or not at all."""
    tensors = {name: t.detach().cpu().float().contiguous() for name, t in network.state_dict().items()}
    with files.whole(path) as made:
        save_file(tensors, made)


def load_weights(network: Any, path: Path) -> None:
    """Read weights into a network.

    Raises
    ------
    UnreadableFile
        If the file is missing or holds no weights.
    ShapeMismatch
        If they are those of another network.
    """
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UnreadableFile("no weights", where=path, found=files.reason(error)) from error
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        found = str(error).splitlines()[-1].strip()
        raise ShapeMismatch("the weights are of another network", where=path, found=found) from error


def begin_with(network: Any, path: Path) -> None:
    """Read weights to begin with: of the same network, or of its backbone alone, learned on ImageNet.

    Parameters
    ----------
    network
        Of `bolus.learn.networks.build`.
    path
        Weights of an earlier training, or a file of torchvision or timm (`.safetensors`, `.pth`) for a
        network that has a backbone.

    Raises
    ------
    UnreadableFile
        If the file is missing or holds no weights.
    ShapeMismatch
        If they are those of another network.
    """
    cnn = getattr(network, "cnn", None)
    if cnn is None or any(name.startswith("cnn.") for name in read_tensors(path)):
        load_weights(network, path)
    else:
        load_imagenet(cnn, path)


def gather(paths: Sequence[Path], n_members: int, out: Path) -> None:
    """Write the weights of several networks as those of the members of one, for a training to begin with.

    Parameters
    ----------
    paths
        Weights of trainings, in their order; a file of a network that has members gives each of them.
    n_members
        How many are taken; those left over stay behind.
    out
        File to write, whole or not at all.

    Raises
    ------
    UnreadableFile
        If a file is missing or holds no weights.
    BadRecipe
        If there are too few of them, or `out` does not end in `.safetensors`.
    ShapeMismatch
        If they are of different networks.
    """
    if out.suffix != ".safetensors":
        raise BadRecipe(
            "weights are written as safetensors", wanted="a file that ends in .safetensors", found=out.name
        )
    found = [(path, member) for path in paths for member in _members(path)][:n_members]
    if len(found) < n_members:
        raise BadRecipe(
            "there are too few networks",
            wanted=str(n_members),
            found=str(len(found)),
            remedy="Name more files of weights, or ask for fewer with --members.",
        )
    shapes = [{name: tuple(values.shape) for name, values in member.items()} for _, member in found]
    for (path, _), shape in zip(found, shapes, strict=True):
        if shape != shapes[0]:
            raise ShapeMismatch("the weights are of another network than the first", where=path)
    named = {
        f"{_MEMBERS}{i}.{name}": values.float().contiguous()
        for i, (_, member) in enumerate(found)
        for name, values in member.items()
    }
    with files.whole(out) as made:
        save_file(named, made)


def _members(path: Path) -> list[dict[str, Any]]:
    """Return the weights of each member of a network, or of the network itself if it has none."""
    tensors = read_tensors(path)
    if not all(name.startswith(_MEMBERS) for name in tensors):
        return [dict(tensors)]
    members: defaultdict[int, dict[str, Any]] = defaultdict(dict)
    for name, values in tensors.items():
        number, _, inner = name.removeprefix(_MEMBERS).partition(".")
        members[int(number)][inner] = values
    return [members[number] for number in sorted(members)]


def save_state(state: dict[str, Any], path: Path) -> None:
    """Write the state of a training, whole or not at all."""
    with files.whole(path) as made:
        torch.save(state, made)


def load_state(path: Path, device: Any) -> dict[str, Any]:
    """Read the state of a training; nothing in the file is run.

    Raises
    ------
    UnreadableFile
        If the file is missing, truncated or something else.
    """
    try:
        with path.open("rb") as stream:
            state: dict[str, Any] = torch.load(stream, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise UnreadableFile("no state of a training", where=path, found=files.reason(error)) from error
    return state
