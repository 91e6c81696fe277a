"""Changes to a batch that leave what is learned true, by name: drawn anew for every case."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import torch
from torch.nn import functional

from bolus.core.errors import BadRecipe
from bolus.learn.noise import white
from bolus.learn.reflow import reflow
from bolus.learn.retake import retake

Batch: TypeAlias = dict[str, Any]
"""Tensors by name, cases first."""
Augmentation: TypeAlias = Callable[[Batch, Any], Batch]
"""`augment(batch, generator)`; the generator is of the processor: all devices draw alike, noise apart."""

_CHANCE: Final = 0.5
_IMAGE_AXES: Final = 4
_NOISY: Final = 0.4
_SPATIAL: Final = ("image", "target", "mask", "heat", "lost", "beam")


def flip(batch: Batch, generator: Any) -> Batch:
    """Mirror half of the cases left to right, as the paper does."""
    return _mirrored(batch, generator, -1)


def flip_rows(batch: Batch, generator: Any) -> Batch:
    """Mirror half of the cases top to bottom, as the paper on core size says."""
    return _mirrored(batch, generator, -2)


def turn(batch: Batch, generator: Any) -> Batch:
    """Swap rows and columns of half of the cases, which are square."""
    return _swapped(batch, generator, lambda values: values.transpose(-1, -2))


def shift_scale_rotate(
    batch: Batch,
    generator: Any,
    *,
    shift: float = 0.0625,
    scale: float = 0.1,
    rotate_deg: float = 10.0,
    chance: float = _CHANCE,
) -> Batch:
    """Shift, scale and rotate some of the cases; what comes in from outside is mirrored at the edge.

    Parameters
    ----------
    batch, generator
        What to change, and what draws.
    shift, scale
        Largest shift along each axis, as a part of the side, and largest change of size.
    rotate_deg
        Largest angle [degrees].
    chance
        Part of the cases that is moved.
    """
    n = len(batch["image"])
    angle = _uniform(n, math.radians(rotate_deg), generator)
    size = 1.0 + _uniform(n, scale, generator)
    x, y = (2.0 * _uniform(n, shift, generator) for _ in range(2))  # a side is 2 long in `affine_grid`
    cos, sin = torch.cos(angle) / size, torch.sin(angle) / size
    moved = torch.stack([torch.stack([cos, -sin, x], -1), torch.stack([sin, cos, y], -1)], -2)
    chosen = _chosen(batch, generator, chance)
    return _changed(batch, chosen, lambda values: _warped(values, moved[chosen]))


def tone(
    batch: Batch, generator: Any, *, gain: float = 0.25, gamma: float = 0.25, noise: float = 0.03
) -> Batch:
    """Change contrast, curve and noise of every image: other injections, machines and doses.

    Parameters
    ----------
    batch, generator
        What to change, and what draws.
    gain, gamma
        Largest change of the logarithm of contrast, and of its exponent's.
    noise
        Largest standard deviation of white noise, in units of the image.
    """
    image = batch["image"]
    n = len(image)
    factor, power = torch.exp(_uniform(n, gain, generator)), torch.exp(_uniform(n, gamma, generator))
    sigma = noise * torch.rand(n, generator=generator)
    noisy = white(image, generator)
    changed = _as(factor, image) * image.clamp(min=0) ** _as(power, image)
    return batch | {"image": (changed + _as(sigma, image) * noisy).clamp(min=0)}


def grain(batch: Batch, generator: Any, *, noise: float = 0.1) -> Batch:
    """Smooth half of the runs by medians of 3 x 3 pixels, and make half of them noisy or coarse.

    Of those, two in five have each pixel multiplied by 1 up to `noise` more or less, the others are halved in
    size and enlarged again. Where runs are normalised, brightness and contrast need no change.

    Parameters
    ----------
    batch, generator
        What to change, and what draws: `image` of shape `(cases, ..., y, x)`.
    noise
        Largest change of a pixel.

    References
    ----------
    The code of Mittmann et al., Int J CARS 17:1633-1641 (2022), doi:10.1007/s11548-022-02654-8.
    """
    drawn = torch.rand(len(batch["image"]), 3, generator=generator)
    changed = []
    for image, (smooth, other, kind) in zip(batch["image"], drawn.tolist(), strict=True):
        pictures = image.reshape(-1, 1, *image.shape[-2:])
        if smooth < _CHANCE:
            pictures = torch.cat([_median(picture[None]) for picture in pictures])
        if other < _CHANCE and kind < _NOISY:
            factor = 1.0 + noise * (2.0 * torch.rand(pictures.shape, generator=generator) - 1.0)
            pictures = pictures * factor.to(pictures.device)
        elif other < _CHANCE:
            small = functional.interpolate(pictures, scale_factor=0.5)
            pictures = functional.interpolate(small, size=pictures.shape[-2:])
        changed.append(pictures.reshape(image.shape))
    return batch | {"image": torch.stack(changed)}


def speckle(batch: Batch, generator: Any, *, noise: float = 0.4) -> Batch:
    """Add noise to runs, white in time and coarse by up to a pixel: other doses and detectors.

    Parameters
    ----------
    batch, generator
        What to change, and what draws: `image` of shape `(cases, ..., y, x)`.
    noise
        Largest standard deviation, in units of the image; small ones are likelier.
    """
    image = batch["image"]
    drawn = torch.rand(len(image), 2, generator=generator)
    coarse, added = _as(drawn[:, 1], image), white(image, generator)
    added = added + coarse * (added.roll(1, -1) + added.roll(1, -2))
    sigma = noise * _as(drawn[:, 0], image) ** 2 / (1.0 + 2.0 * coarse**2) ** 0.5
    return batch | {"image": image + sigma * added}


def shorten(batch: Batch, generator: Any, *, least: float = 0.7) -> Batch:
    """Let half of the runs end earlier; those left of their frames are shown as often as it takes.

    Parameters
    ----------
    batch, generator
        What to change, and what draws: runs of shape `(cases, pictures, 3, y, x)`; others stay as they are.
    least
        Part of the run that is left at least.
    """
    image = batch["image"]
    if image.ndim <= _IMAGE_AXES:
        return batch
    n = image.shape[1] * image.shape[2]
    part = torch.where(
        _chosen(batch, generator), 1.0 - (1.0 - least) * torch.rand(len(image), generator=generator), 1.0
    )
    number = (torch.linspace(0.0, 1.0, n) * part[:, None] * (n - 1)).round().long()
    frames = image.flatten(1, 2)
    case = torch.arange(len(frames), device=frames.device)[:, None]
    taken = frames[case, number.to(frames.device)]
    return batch | {"image": taken.reshape(image.shape)}


AUGMENTATIONS: Final[Mapping[str, Augmentation]] = MappingProxyType(
    {
        "flip": flip,
        "shift_scale_rotate": shift_scale_rotate,
        "shift_scale_rotate_code": partial(shift_scale_rotate, shift=0.05, scale=0.05),
        "flip_rows": flip_rows,
        "turn": turn,
        "shift_scale_rotate_run": partial(
            shift_scale_rotate, shift=0.15, scale=0.1, rotate_deg=20.0, chance=1.0
        ),
        "shift_rotate_slices": partial(
            shift_scale_rotate, shift=10 / 128, scale=0.0, rotate_deg=15.0, chance=1.0
        ),
        "grain": grain,
        "reflow": reflow,
        "retake": retake,
        "shorten": shorten,
        "speckle": speckle,
        "tone": tone,
    }
)


def augmentation(names: Sequence[str]) -> Augmentation:
    """Return one augmentation that applies some in turn.

    Raises
    ------
    BadRecipe
        If there is none of some name.
    """
    unknown = sorted(set(names) - set(AUGMENTATIONS))
    if unknown:
        raise BadRecipe("unknown augmentation", wanted=", ".join(AUGMENTATIONS), found=", ".join(unknown))

    def apply(batch: Batch, generator: Any) -> Batch:
        for name in names:
            batch = AUGMENTATIONS[name](batch, generator)
        return batch

    return apply


def _images(batch: Batch) -> Batch:
    """Return what lies on the pixels of the image; runs of frames move as one."""
    return {k: batch[k] for k in _SPATIAL if k in batch and batch[k].ndim >= _IMAGE_AXES}


def _mirrored(batch: Batch, generator: Any, axis: int) -> Batch:
    return _swapped(batch, generator, lambda values: values.flip(axis))


def _swapped(batch: Batch, generator: Any, change: Callable[[Any], Any]) -> Batch:
    """Change half of the cases by what keeps their shape; a GPU is not asked which."""
    chosen = _chosen(batch, generator)
    return batch | {
        name: torch.where(_as(chosen, values), change(values), values)
        for name, values in _images(batch).items()
    }


def _changed(batch: Batch, chosen: Any, change: Callable[[Any], Any]) -> Batch:
    """Change the images of the chosen cases; the others cost nothing and stay as they are."""
    if not bool(chosen.any()):
        return batch
    done = {}
    for name, values in _images(batch).items():
        done[name] = values.clone()
        done[name][chosen.to(values.device)] = change(values[chosen.to(values.device)])
    return batch | done


def _chosen(batch: Batch, generator: Any, chance: float = _CHANCE) -> Any:
    return torch.rand(len(batch["image"]), generator=generator) < chance


def _uniform(n: int, largest: float, generator: Any) -> Any:
    return largest * (2.0 * torch.rand(n, generator=generator) - 1.0)


def _median(picture: Any) -> Any:
    """Return medians over 3 x 3 pixels of a picture `(1, 1, y, x)`; borders repeat."""
    near = functional.unfold(functional.pad(picture, (1, 1, 1, 1), mode="replicate"), 3)
    return near.median(dim=1).values.reshape(picture.shape)


def _as(value: Any, like: Any) -> Any:
    """Give one number a case the shape that multiplies a batch."""
    return value.to(like.device).view(-1, *([1] * (like.ndim - 1)))


def _warped(values: Any, theta: Any) -> Any:
    """Sample where `theta` says: floating-point images linearly, labels at the nearest pixel."""
    smooth = values.is_floating_point()
    pictures = values.float().reshape(len(values), -1, *values.shape[-2:])
    grid = functional.affine_grid(theta.to(values.device), list(pictures.shape), align_corners=True)
    made = functional.grid_sample(
        pictures,
        grid,
        mode="bilinear" if smooth else "nearest",
        padding_mode="reflection",
        align_corners=True,
    )
    return made.to(values.dtype).reshape(values.shape)
