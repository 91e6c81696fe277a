"""EfficientNet and EfficientNetV2: inverted bottlenecks, plain or with their first two layers in one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from torch import nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Level:
    """Blocks of one size.

    Parameters
    ----------
    kind
        `mb`: inverted bottleneck with squeeze and excitation; `fused`: its first two layers are one, and
        where nothing is expanded one is all; `edge`: the same, always of two layers.
    expand, kernel, stride
        Of the blocks; the stride of the first.
    given, n
        Channels and blocks.
    """

    kind: str
    expand: int
    kernel: int
    stride: int
    given: int
    n: int


@dataclass(frozen=True, slots=True)
class Size:
    """A member of the family: channels of the first and the last layer, levels between, and epsilon."""

    stem: int
    levels: tuple[Level, ...]
    last: int
    eps: float = 1e-5


def _rows(*rows: tuple[str, int, int, int, int, int]) -> tuple[Level, ...]:
    return tuple(Level(*row) for row in rows)


_B0: Final = _rows(
    ("mb", 1, 3, 1, 16, 1),
    ("mb", 6, 3, 2, 24, 2),
    ("mb", 6, 5, 2, 40, 2),
    ("mb", 6, 3, 2, 80, 3),
    ("mb", 6, 5, 1, 112, 3),
    ("mb", 6, 5, 2, 192, 4),
    ("mb", 6, 3, 1, 320, 1),
)
_V2_S: Final = _rows(
    ("fused", 1, 3, 1, 24, 2),
    ("fused", 4, 3, 2, 48, 4),
    ("fused", 4, 3, 2, 64, 4),
    ("mb", 4, 3, 2, 128, 6),
    ("mb", 6, 3, 1, 160, 9),
    ("mb", 6, 3, 2, 256, 15),
)
_V2_M: Final = _rows(
    ("fused", 1, 3, 1, 24, 3),
    ("fused", 4, 3, 2, 48, 5),
    ("fused", 4, 3, 2, 80, 5),
    ("mb", 4, 3, 2, 160, 7),
    ("mb", 6, 3, 1, 176, 14),
    ("mb", 6, 3, 2, 304, 18),
    ("mb", 6, 3, 1, 512, 5),
)
_RW_S: Final = (Level("edge", 1, 3, 1, 24, 2), *_V2_S[1:5], Level("mb", 6, 3, 2, 272, 15))


def _scaled(width: float, depth: float) -> Size:
    """Return B0 with more channels and blocks."""
    levels = tuple(
        Level(b.kind, b.expand, b.kernel, b.stride, _eights(width * b.given), math.ceil(depth * b.n))
        for b in _B0
    )
    return Size(_eights(width * 32), levels, 4 * levels[-1].given)


def _eights(channels: float) -> int:
    """Round to a multiple of 8, and up where that would take more than a tenth."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near if near >= 0.9 * channels else near + 8


SIZES: Final[Mapping[str, Size]] = MappingProxyType(
    {
        "efficientnet_b0": _scaled(1.0, 1.0),
        "efficientnet_b1": _scaled(1.0, 1.1),
        "efficientnet_b2": _scaled(1.1, 1.2),
        "efficientnet_b3": _scaled(1.2, 1.4),
        "efficientnet_v2_s": Size(24, _V2_S, 1280, 1e-3),
        "efficientnet_v2_m": Size(24, _V2_M, 1280, 1e-3),
        "efficientnet_v2_rw_s": Size(24, _RW_S, 1792),
    }
)


class EfficientNet(nn.Module):
    """EfficientNet-B0 to B3, EfficientNetV2-S and M, and the S of timm's author (`rw`).

    Blocks are not dropped at random in training, as torchvision does and timm does not by default.

    Parameters
    ----------
    size
        One of `SIZES`.
    tensorflow
        Whether the weights come from there: padding as needed, more on the right and below, and epsilon 1e-3.

    References
    ----------
    Tan and Le, ICML 2019, doi:10.48550/arXiv.1905.11946, and ICML 2021, doi:10.48550/arXiv.2104.00298.
    """

    def __init__(self, size: Size, *, tensorflow: bool = False) -> None:
        super().__init__()
        self.n_channels = size.last
        same, eps = tensorflow, 1e-3 if tensorflow else size.eps
        make = _Maker(same, eps)
        parts = [make.layer(3, size.stem, 3, stride=2)]
        taken = size.stem
        for level in size.levels:
            blocks = []
            for i in range(level.n):
                blocks.append(_Block(level, taken, 1 if i else level.stride, make))
                taken = level.given
            parts.append(nn.Sequential(*blocks))
        parts.append(make.layer(taken, size.last, 1))
        self.features = nn.Sequential(*parts)

    def forward(self, pictures: Any) -> Any:
        """Return features of pictures, a 32nd of their sides."""
        return self.features(pictures)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes a convolution, its normalisation and what follows."""

    same: bool
    eps: float

    def layer(
        self, taken: int, given: int, kernel: int, *, stride: int = 1, groups: int = 1, active: bool = True
    ) -> Any:
        if self.same and stride > 1:
            conv: Any = _SameConv(taken, given, kernel, stride, groups=groups, bias=False)
        else:
            conv = nn.Conv2d(taken, given, kernel, stride, kernel // 2, groups=groups, bias=False)
        layers: list[Any] = [conv, nn.BatchNorm2d(given, eps=self.eps)]
        return nn.Sequential(*layers, *([nn.SiLU(inplace=True)] if active else []))


class _SameConv(nn.Conv2d):
    """Pads so that every stride of the picture gives one value, what is odd on the right and below."""

    def forward(self, x: Any) -> Any:
        pads: list[int] = []
        for n, kernel, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            missing = max((-(-n // stride) - 1) * stride + kernel - n, 0)
            pads += [missing // 2, missing - missing // 2]
        return super().forward(functional.pad(x, pads))


class _Block(nn.Module):
    def __init__(self, level: Level, taken: int, stride: int, make: _Maker) -> None:
        super().__init__()
        self.adds = stride == 1 and taken == level.given
        wide, given, kernel = taken * level.expand, level.given, level.kernel
        if level.kind == "mb":
            layers = [make.layer(taken, wide, 1)] if level.expand > 1 else []
            layers += [make.layer(wide, wide, kernel, stride=stride, groups=wide)]
            layers += [_Excite(wide, max(1, taken // 4)), make.layer(wide, given, 1, active=False)]
        elif level.expand > 1 or level.kind == "edge":
            layers = [make.layer(taken, wide, kernel, stride=stride)]
            layers += [make.layer(wide, given, 1, active=False)]
        else:
            layers = [make.layer(taken, given, kernel, stride=stride)]
        self.block = nn.Sequential(*layers)

    def forward(self, x: Any) -> Any:
        return x + self.block(x) if self.adds else self.block(x)


class _Excite(nn.Module):
    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Any) -> Any:
        mean = x.mean(dim=(2, 3), keepdim=True)
        return x * self.fc2(functional.silu(self.fc1(mean))).sigmoid()
