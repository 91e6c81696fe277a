"""RegNetY: bottlenecks of grouped convolutions, with squeeze and excitation."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from torch import nn


class RegNetY(nn.Module):
    """RegNetY-16GF.

    Parameters
    ----------
    depths, widths
        Blocks and channels of each level.
    group
        Channels of a group of the 3 x 3 convolutions.

    References
    ----------
    Radosavovic et al., CVPR 2020, doi:10.1109/CVPR42600.2020.01044.
    """

    def __init__(
        self,
        depths: tuple[int, ...] = (2, 4, 11, 1),
        widths: tuple[int, ...] = (224, 448, 1232, 3024),
        group: int = 112,
    ) -> None:
        super().__init__()
        self.n_channels = widths[-1]
        self.stem = _layer(3, 32, 3, stride=2)
        levels: OrderedDict[str, Any] = OrderedDict()
        taken = 32
        for i, (depth, given) in enumerate(zip(depths, widths, strict=True), 1):
            blocks: OrderedDict[str, Any] = OrderedDict()
            for j in range(depth):
                blocks[f"block{i}-{j}"] = _Block(taken, given, stride=1 if j else 2, group=group)
                taken = given
            levels[f"block{i}"] = nn.Sequential(blocks)
        self.trunk_output = nn.Sequential(levels)

    def forward(self, pictures: Any) -> Any:
        """Return features of pictures, a 32nd of their sides."""
        return self.trunk_output(self.stem(pictures))


class _Block(nn.Module):
    def __init__(self, taken: int, given: int, *, stride: int, group: int) -> None:
        super().__init__()
        self.proj: Any = None
        if stride != 1 or taken != given:
            self.proj = _layer(taken, given, 1, stride=stride, active=False)
        parts = {
            "a": _layer(taken, given, 1),
            "b": _layer(given, given, 3, stride=stride, groups=given // group),
            "se": _Excite(given, round(0.25 * taken)),
            "c": _layer(given, given, 1, active=False),
        }
        self.f = nn.Sequential(OrderedDict(parts))
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Any) -> Any:
        return self.activation(self.f(x) + (x if self.proj is None else self.proj(x)))


class _Excite(nn.Module):
    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Any) -> Any:
        mean = x.mean(dim=(2, 3), keepdim=True)
        return x * self.fc2(self.fc1(mean).relu()).sigmoid()


def _layer(
    taken: int, given: int, kernel: int, *, stride: int = 1, groups: int = 1, active: bool = True
) -> Any:
    layers: list[Any] = [
        nn.Conv2d(taken, given, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(given),
    ]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if active else []))
