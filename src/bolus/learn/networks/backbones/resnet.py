"""ResNet of two convolutions a block."""

from __future__ import annotations

from typing import Any

from torch import nn


class ResNet(nn.Module):
    """ResNet18, or a smaller one of its kind.

    Parameters
    ----------
    width
        Channels of the first of four levels; each next has twice as many.
    blocks
        Of each level.

    References
    ----------
    He et al., CVPR 2016, doi:10.1109/CVPR.2016.90.
    """

    def __init__(self, width: int = 64, blocks: tuple[int, int, int, int] = (2, 2, 2, 2)) -> None:
        super().__init__()
        self.n_channels = 8 * width
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        taken = width
        for i, n in enumerate(blocks):
            given = width << i
            level = [_Block(taken if j == 0 else given, given, 2 if i and j == 0 else 1) for j in range(n)]
            self.add_module(f"layer{i + 1}", nn.Sequential(*level))
            taken = given

    def forward(self, pictures: Any) -> Any:
        """Return features of pictures, a 32nd of their sides."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(pictures))))
        for i in range(1, 5):
            x = getattr(self, f"layer{i}")(x)
        return x


class _Block(nn.Module):
    def __init__(self, taken: int, given: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(taken, given, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(given)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(given, given, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(given)
        self.downsample: Any = None
        if stride != 1 or taken != given:
            layer = nn.Conv2d(taken, given, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(layer, nn.BatchNorm2d(given))

    def forward(self, x: Any) -> Any:
        beside = x if self.downsample is None else self.downsample(x)
        x = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(x + beside)
