"""Other flow in the tissue of CT perfusion slices, drawn anew each time a network sees them."""

from __future__ import annotations

import math
from typing import Any, Final

import torch
from torch.nn import functional

from bolus.core.errors import BadRecipe
from bolus.learn.maps import FAINT_HU, GROWS
from bolus.learn.noise import white

_GLOBAL: Final = (0.5, 1.7)
"""Least and greatest factor of a whole slice."""
_LOCAL: Final = 0.25
"""Standard deviation of the logarithm of the factor within a slice."""
_TILES: Final = (2, 6)
"""Least and greatest number of independent regions along a side."""
_NEAR_PX: Final = 5
"""Side of the square whose tissue is averaged, odd [pixels]."""
_GAIN: Final = (0.5, 1.3)
"""Least and greatest factor of all contrast."""
_MIXED_FRAMES: Final = 4.0
"""Longest mean time of mixing, in frames; half of the slices have none."""
_OWN: Final = 0.5
"""Part of the slices whose contrast changes with its noise."""
_NOISE_HU: Final = 4.0
"""Largest standard deviation of added noise."""


def reflow(
    batch: dict[str, Any], generator: Any, *, noise_hu: float = _NOISE_HU, injected: bool = True
) -> dict[str, Any]:
    """Let each slice's tissue take up more or less contrast than it did, and its flow and volume with it.

    Contrast of tissue is in proportion to flow and volume: where it is `k` times as much, so are they, and
    times stay. Vessels stay as they are. So anatomy and flow no longer go together, and a network has to
    measure. The injection is another as well: all contrast, vessels included, is 0.5 to 1.3 times as much and
    comes in half of the slices as if mixed with blood for up to four frames. Both are linear and leave flow,
    volume and times as they are.

    What is added or taken is the contrast itself in half of the slices, with its noise, and the mean
    of the tissue nearby in the others, without: so noise does not tell of `k`, nor `k` of noise. Other noise,
    white in time and coarse by up to a pixel, is added to all but air: no slice is known again.

    Parameters
    ----------
    batch
        `image` as `bolus.learn.maps.fit` shows contrast, `target` from 0 to 1, and `grows`.
    generator
        Draws, on the processor.
    noise_hu
        Largest standard deviation of added noise [HU]; small ones are likelier.
    injected
        Whether the injection changes.

    Raises
    ------
    BadRecipe
        If the batch shows frames, not contrast.
    """
    if GROWS not in batch:
        wanted = "fitting={contrast=true, ...}"
        raise BadRecipe("`reflow` changes contrast", wanted=wanted, found="a task or recipe without it")
    image, target, grows = batch["image"], batch["target"], batch[GROWS].to(batch["target"].dtype)
    tissue = (target.amax(1, True) > 0).to(target.dtype)
    more = (_factor(image, generator) - 1.0) * tissue
    contrast = image[:, :-1].float().sinh()
    noise = noise_hu / FAINT_HU * _noise(contrast, generator) * (image[:, -1:] > 0)
    own = (torch.rand(len(image), 1, 1, 1, generator=generator) < _OWN).to(image.device)
    added, gained = (torch.where(own, shown, _nearby(shown, tissue)) for shown in (contrast, target))
    given = contrast + more * added
    given = _injected(given, generator) if injected else given
    changed = (given + noise).asinh().to(image.dtype)
    grown = target + grows * more * gained
    return batch | {"image": torch.cat([changed, image[:, -1:]], 1), "target": grown.clamp(0.0, 1.0)}


def _factor(image: Any, generator: Any) -> Any:
    """Return how many times as much contrast there is, shape `(cases, 1, y, x)`."""
    n, (least, most) = len(image), (math.log(limit) for limit in _GLOBAL)
    overall = least + (most - least) * torch.rand(n, 1, 1, 1, generator=generator)
    tiles = int(torch.randint(_TILES[0], _TILES[1] + 1, (), generator=generator))
    coarse = white(image.new_empty((n, 1, tiles, tiles), dtype=torch.float32), generator)
    field = functional.interpolate(coarse, size=image.shape[-2:], mode="bicubic", align_corners=True)
    return (overall.to(image.device) + _LOCAL * field).exp()


def _injected(contrast: Any, generator: Any) -> Any:
    """Return contrast of other injections: more or less of it, and mixed with blood on its way."""
    n, n_frames = contrast.shape[:2]
    least, most = _GAIN
    drawn = torch.rand(3, n, 1, 1, generator=generator)
    gain = least + (most - least) * drawn[0]
    mean = _MIXED_FRAMES * drawn[1] * (drawn[2] < 0.5)
    lag = torch.arange(n_frames)[:, None] - torch.arange(n_frames)
    left = (mean / (1.0 + mean)) ** lag.clamp(min=0) * (lag >= 0)
    kernel = (gain * left / (1.0 + mean)).to(contrast.device)
    return (kernel @ contrast.flatten(2)).reshape(contrast.shape)


def _nearby(values: Any, tissue: Any) -> Any:
    """Return means over the tissue of 5 x 5 pixels about each."""
    total, part = (
        functional.avg_pool2d(shown, _NEAR_PX, 1, _NEAR_PX // 2) for shown in (values * tissue, tissue)
    )
    return total / part.clamp(min=1.0 / _NEAR_PX**2)


def _noise(contrast: Any, generator: Any) -> Any:
    """Draw noise of a level up to 1 and a grain that each slice has for itself."""
    drawn = torch.rand(2, len(contrast), 1, 1, 1, generator=generator).to(contrast.device)
    fine = white(contrast, generator)
    coarse = fine + drawn[1] * (fine.roll(1, -1) + fine.roll(1, -2))
    return drawn[0] ** 2 * coarse / (1.0 + 2.0 * drawn[1] ** 2) ** 0.5
