"""New takes of simulated scenes: another dose, other motion and another bolus in every epoch.

A scene keeps apart what an X-ray run is made of (`bolus.learn.clots`, reference `scene`). Each time a network
is shown one, the head moves anew, photons are counted anew, and the mask is subtracted, on the device that
trains. So a network never sees the same edges of bone twice, and tells them from vessels.
"""

from __future__ import annotations

import math
from typing import Any, Final

import torch
from torch.nn import functional

from bolus.learn.noise import white
from bolus.learn.runs import GREY, PER_NAT

PHOTONS: Final = (4000.0, 60000.0)
"""Counts of a pixel in one of the parts that a run is averaged to, behind the middle of the head."""
MASKED: Final = (0.3, 1.3)
"""Counts in the mask, as parts of these."""
STRENGTH: Final = (-0.7, 0.3)
"""Logarithm of what contrast is multiplied by."""
MOVES: Final = 0.4
"""Part of the runs in which the head moves after the mask; the others lie still or were registered."""
SIDE_MM: Final = 190.0
JUMP: Final = (1.2, 1.2, 0.6)
"""Standard deviations of a jump, along rows and down [mm], and of its turn [degrees]."""
DRIFT: Final = (0.8, 0.8, 0.2)
BREATH_MM: Final = 0.25
SWAY_MM: Final = 0.1
"""Largest standard deviation of what bone moves from frame to frame in a still head [mm]."""
FLICKER: Final = 0.008
GRAIN: Final = 0.7
"""Most that a pixel's noise shares with its neighbours'."""
_SEEN_NAT: Final = 0.05
"""Contrast from which a frame counts as one after the injection [nat]."""


def retake(batch: dict[str, Any], generator: Any) -> dict[str, Any]:
    """Make a new take of each scene; batches without `beam` stay as they are.

    Parameters
    ----------
    batch
        `image` of shape `(cases, pictures, 3, y, x)`, `beam` and `grey` as `bolus.learn.runs.fit` gives them.
    generator
        Draws all but white noise, which is drawn where the images are.

    Returns
    -------
    The batch with other images, each with mean 0 and standard deviation 1 over the run.
    """
    if "beam" not in batch:
        return batch
    image, beam = batch["image"], batch["beam"].float()
    frames = image.flatten(1, 2).float()
    mean, deviation = (part.view(-1, 1, 1, 1) for part in batch["grey"].unbind(dim=1))
    contrast = (-(frames * deviation + mean) / PER_NAT).clamp(min=0.0)
    logs = _logs(contrast, beam, generator)
    shown = (PER_NAT * logs).clamp(-GREY, 255.0 - GREY) * (beam[:, 2:] > 0.5)
    shown = shown - shown.mean(dim=(1, 2, 3), keepdim=True)
    shown = shown / shown.std(dim=(1, 2, 3), keepdim=True).clamp(min=1e-3)
    return batch | {"image": shown.reshape(image.shape)}


def _logs(contrast: Any, beam: Any, generator: Any) -> Any:
    """Return subtracted logarithms of counts [nat], shape `(cases, t, y, x)`, of contrast of that shape."""
    n, t = contrast.shape[:2]
    device = contrast.device
    path = _path(n, t, generator)
    sway = torch.randn((n, t, 3), generator=generator) * torch.tensor([SWAY_MM, SWAY_MM, 0.0])
    sway = sway * torch.rand((n, 1, 1), generator=generator)
    after = (contrast.amax(dim=(2, 3)) > _SEEN_NAT).float().cummax(dim=1).values[..., None, None]
    strength = _between(STRENGTH, n, generator).exp().to(device)
    flicker = (
        FLICKER
        * torch.rand((n, 1, 1, 1), generator=generator)
        * torch.randn((n, t, 1, 1), generator=generator)
    )
    lines = _moved(beam[:, :1] + after * beam[:, 1:2], path + sway) + strength * _moved(contrast, path)
    photons = _between((math.log(PHOTONS[0]), math.log(PHOTONS[1])), n, generator).exp()
    masked = (photons * _between(MASKED, n, generator)).to(device)
    grain = (GRAIN * torch.rand((n, 1, 1, 1), generator=generator)).to(device)
    seen = _counted(lines + flicker.to(device), photons.to(device), grain, generator)
    return seen - _counted(beam[:, :1], masked, grain, generator)


def _path(n: int, t: int, generator: Any) -> Any:
    """Return where heads lie in each frame against the mask, shape `(cases, t, 3)` [mm, mm, degrees]."""
    part = torch.linspace(0.0, 1.0, t)[None, :, None]
    path = part * torch.randn((n, 1, 3), generator=generator) * torch.tensor(DRIFT)
    for chance in (1.0, 0.5):
        at = 0.2 + 0.5 * torch.rand((n, 1, 1), generator=generator)
        jump = torch.randn((n, 1, 3), generator=generator) * torch.tensor(JUMP)
        happens = torch.rand((n, 1, 1), generator=generator) < chance
        path = path + jump * (part >= at) * happens
    turns = 1.0 + 2.0 * torch.rand((n, 1, 1), generator=generator)
    phase = torch.rand((n, 1, 1), generator=generator)
    breath = torch.sin(2.0 * math.pi * (turns * part + phase)) - torch.sin(2.0 * math.pi * phase)
    path = path + BREATH_MM * breath * torch.tensor([0.0, 1.0, 0.0])
    return path * (torch.rand((n, 1, 1), generator=generator) < MOVES)


def _moved(pictures: Any, path: Any) -> Any:
    """Return pictures `(cases, t, y, x)` where they lie along a path `(cases, t, 3)`."""
    shift, angle = path[..., :2] * (2.0 / SIDE_MM), torch.deg2rad(path[..., 2])
    cos, sin = angle.cos(), angle.sin()
    x, y = shift.unbind(dim=-1)
    rows = torch.stack([cos, sin, -(cos * x + sin * y), -sin, cos, sin * x - cos * y], dim=-1)
    theta = rows.reshape(-1, 2, 3).to(pictures.device)
    flat = pictures.reshape(-1, 1, *pictures.shape[2:])
    grid = functional.affine_grid(theta, list(flat.shape), align_corners=False)
    made = functional.grid_sample(flat, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return made.reshape(pictures.shape)


def _counted(lines: Any, photons: Any, grain: Any, generator: Any) -> Any:
    """Return the logarithm of counts [nat, 0 at so many photons] behind line integrals [nat]."""
    z = white(lines, generator)
    z = (z + grain * (z.roll(1, -1) + z.roll(1, -2) + grain * z.roll((1, 1), (-2, -1)))) / (1.0 + grain**2)
    count = photons * (-lines).exp()
    return ((count + (count + 16.0).sqrt() * z).clamp(min=1.0) / photons).log()


def _between(span: tuple[float, float], n: int, generator: Any) -> Any:
    """Draw one number a case, shape `(cases, 1, 1, 1)`."""
    return span[0] + (span[1] - span[0]) * torch.rand((n, 1, 1, 1), generator=generator)
