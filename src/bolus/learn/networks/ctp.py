"""The U-Net that reads perfusion maps off CT perfusion slices without an arterial curve."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional


class CtpUNet(nn.Module):
    """U-Net with the frames of a slice as channels, and maps from 0 to 1 as its answer.

    As printed: five levels of 64 to 1024 channels, two 2 x 2 convolutions a level, average pooling, skips
    that are concatenated; 15,376,897 parameters for 89 frames and one map. The authors' code is another
    network (``width=16, levels=2, kernel=3, merge="add", slope=0.1``; 36,049 parameters).

    Parameters
    ----------
    channels, outputs
        Frames, and maps.
    width, levels
        Channels of the first level, doubled on each further one, and how many levels there are.
    kernel
        Of the convolutions [pixels]. An even one moves what it shows by half a pixel, so the side of the
        padding alternates, and maps lie where the slice lies.
    merge
        What is done with skips: `concat` or `add`.
    slope
        Of the leaky rectifier below 0.

    References
    ----------
    Gava et al., Front Neuroinform 17:852105 (2023), doi:10.3389/fninf.2023.852105 (this network);
    Ronneberger et al., MICCAI 2015, doi:10.1007/978-3-319-24574-4_28 (the U-Net that it changes).
    """

    def __init__(  # noqa: PLR0913 - one argument a choice of the recipe
        self,
        channels: int = 89,
        outputs: int = 1,
        *,
        width: int = 64,
        levels: int = 5,
        kernel: int = 2,
        merge: Literal["concat", "add"] = "concat",
        slope: float = 0.01,
    ) -> None:
        super().__init__()
        self.merge = merge
        joined = 2 if merge == "concat" else 1
        widths = [width * 2**level for level in range(levels)]
        self.pool = nn.AvgPool2d(2)
        self.down = nn.ModuleList(_double(a, b, kernel, slope) for a, b in pairwise([channels, *widths]))
        steps = list(pairwise(widths[::-1]))
        self.up = nn.ModuleList(_up(a, b, slope, normalised=merge == "add") for a, b in steps)
        self.after = nn.ModuleList(_double(joined * b, b, kernel, slope) for _, b in steps)
        self.last = nn.Conv2d(width, outputs, 1)

    def forward(self, image: Any) -> Any:
        """Return maps `(cases, outputs, y, x)`, 0-1, of slices `(cases, frames, y, x)`.

        Sides are best multiples of 2 to the power of the levels less one; others work where they are no
        shorter.
        """
        levels = [self.down[0](image)]
        for double in self.down[1:]:
            levels.append(double(self.pool(levels[-1])))
        below = levels.pop()
        for up, double in zip(self.up, self.after, strict=True):
            beside = levels.pop()
            above = functional.interpolate(up(below), size=beside.shape[-2:])
            below = double(above + beside if self.merge == "add" else torch.cat([beside, above], dim=1))
        return self.last(below).sigmoid()


def _double(taken: int, given: int, kernel: int, slope: float) -> Any:
    """Two convolutions whose paddings lie on opposite sides where the kernel is even."""
    near, far = (kernel - 1) // 2, kernel // 2
    layers: list[Any] = []
    for a, (before, behind) in ((taken, (near, far)), (given, (far, near))):
        layers += [nn.ZeroPad2d((before, behind, before, behind)), nn.Conv2d(a, given, kernel)]
        layers += [nn.BatchNorm2d(given), nn.LeakyReLU(slope, inplace=True)]
    return nn.Sequential(*layers)


def _up(taken: int, given: int, slope: float, *, normalised: bool) -> Any:
    """Twice the size by a 2 x 2 transposed convolution; the authors' code normalises what comes out."""
    up = nn.ConvTranspose2d(taken, given, 2, stride=2)
    if not normalised:
        return up
    return nn.Sequential(up, nn.BatchNorm2d(given), nn.LeakyReLU(slope, inplace=True))
