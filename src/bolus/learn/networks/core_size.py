"""A large core or not, from two slices of a CT perfusion study over time."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import nn

from bolus.core.errors import BadRecipe
from bolus.learn.networks.backbones import backbone
from bolus.learn.networks.core_map import BEFORE, BRAIN_HU


class CoreSizeClassifier(nn.Module):
    """Features of each frame, short and long convolutions over time, and a decision over both slices.

    Parameters
    ----------
    channels
        Slices: a sub-model each, of one design, with weights of its own after the backbone.
    cnn
        A name of `bolus.learn.networks.backbones.BACKBONES`. A grey frame is shown in all three channels.
    frozen
        Whether the backbone stays as it is, as in the released code.
    kernels
        Frames that the convolutions over time see: local 3 and global 11; one of them alone is an ablation.
    dropout
        Its rate is not published.
    batchwise
        Whether batches are normalised as a whole in training, as printed; each case on its own otherwise, and
        always in use, so that no answer depends on who else was asked about.
    shown
        `attenuation`: frames as they are, normalised. `contrast`: three channels of each frame, its rise
        above the first frames over that of the brain at its peak, attenuation before contrast, and where
        brain is; cases are then never normalised as a batch.

    References
    ----------
    Mittermeier et al., Diagnostics 12:1142 (2022), doi:10.3390/diagnostics12051142.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the choices that papers and cases leave open
        self,
        channels: int = 2,
        cnn: str = "vgg19",
        frozen: bool = True,
        kernels: tuple[int, ...] = (3, 11),
        dropout: float = 0.3,
        batchwise: bool = False,
        shown: str = "attenuation",
    ) -> None:
        super().__init__()
        if shown not in SHOWN:
            raise BadRecipe("unknown way to show a scan", wanted=", ".join(SHOWN), found=shown)
        self.batchwise, self.shown = batchwise, SHOWN[shown]
        self.cnn = backbone(cnn).requires_grad_(not frozen)
        self.slices = nn.ModuleList(_Temporal(self.cnn.n_channels, kernels, dropout) for _ in range(channels))
        self.dense = nn.Linear(3 * len(kernels) * channels, 32)
        self.last = nn.Linear(32, 1)

    def forward(self, slices: Any) -> Any:
        """Return log-odds, shape `(cases, 1)`, of slices over time `(cases, slices, t, y, x)`."""
        shown = self.shown(slices, whole=self.batchwise and self.training)
        features = self.cnn(shown.flatten(0, 2)).amax((2, 3)).unflatten(0, slices.shape[:3])
        seen = [temporal(features[:, i].transpose(1, 2)) for i, temporal in enumerate(self.slices)]
        return self.last(self.dense(torch.cat(seen, dim=1)).relu())


class _Temporal(nn.Module):
    """Three filters of each kernel over time, and the largest answer of each."""

    def __init__(self, taken: int, kernels: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.convolutions = nn.ModuleList(nn.Conv1d(taken, 3, k, padding=k // 2) for k in kernels)

    def forward(self, features: Any) -> Any:
        features = self.dropout(features)
        found = [self.dropout(conv(features).relu()).amax(dim=2) for conv in self.convolutions]
        return self.dropout(torch.cat(found, dim=1))


def _scaled(slices: Any, *, whole: bool) -> Any:
    """Take away the mean and divide by the standard deviation, of each case or of the whole batch."""
    over = tuple(range(slices.ndim)) if whole else tuple(range(1, slices.ndim))
    sd, mean = torch.std_mean(slices, dim=over, keepdim=True)
    grey = (slices - mean) / sd.clamp(min=1e-6)
    return grey[:, :, :, None].expand(-1, -1, -1, 3, -1, -1)


def _contrast(slices: Any, *, whole: bool) -> Any:  # noqa: ARG001 - as `_scaled`
    """Return contrast over the brain's, attenuation before it and brain, `(cases, slices, t, 3, y, x)`."""
    before = slices[:, :, :BEFORE].mean(dim=2, keepdim=True)
    inside = ((before > BRAIN_HU[0]) & (before < BRAIN_HU[1])).to(slices.dtype)
    rise = (slices - before) * inside
    brain = rise.sum((1, 3, 4)) / inside.sum((1, 3, 4)).clamp(min=1.0)
    over = brain.amax(dim=1).clamp(min=1.0)[:, None, None, None, None]
    still = torch.stack([before * inside / 40.0, inside], dim=3).expand(-1, -1, slices.shape[2], -1, -1, -1)
    return torch.cat([(rise / over).clamp(-4.0, 8.0)[:, :, :, None], still], dim=3)


SHOWN: Final = {"attenuation": _scaled, "contrast": _contrast}
