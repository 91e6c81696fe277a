"""What training makes small, by name: each takes the last layer and the batch, and gives one number."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache, partial
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from torch.nn import functional

from bolus.core.errors import BadRecipe
from bolus.learn.image_scores import K1, K2, SIGNED, UNIFORM_PX
from bolus.learn.networks import foreground_logit
from bolus.learn.networks.heads import label_logit

Loss: TypeAlias = Callable[[Any, Mapping[str, Any]], Any]
"""`loss(output, batch)`: the network's last layer in float32, and the batch's arrays as tensors by name."""
_SHARE: Final = 10.0
"""Weight of the cells: few of them are core, so that their mean is small."""
_STRUCTURE, _APART = 0.2, 4.0
"""Weight of structure beside the absolute error, and of how far from the mean a true value lies."""
SOFT: Final = (0.214, 0.786)
"""Targets of no and yes in the code that came with the paper."""


def dice_ce(output: Any, batch: Mapping[str, Any]) -> Any:
    """Add soft Dice loss and cross-entropy, one to one.

    References
    ----------
    Milletari et al., 3DV 2016, doi:10.1109/3DV.2016.79 (soft Dice).
    """
    return _monai("DiceCELoss")(foreground_logit(output), batch["target"].float())


def dice(output: Any, batch: Mapping[str, Any]) -> Any:
    """Take soft Dice loss alone."""
    return _monai("DiceLoss")(foreground_logit(output), batch["target"].float())


def mse(output: Any, batch: Mapping[str, Any]) -> Any:
    """Take the mean squared error, inside `batch["mask"]` where there is one."""
    return _mean(_errors(output, batch) ** 2, batch)


def l1(output: Any, batch: Mapping[str, Any]) -> Any:
    """Take the mean absolute error, inside `batch["mask"]` where there is one."""
    return _mean(_errors(output, batch).abs(), batch)


def l1_ssim(output: Any, batch: Mapping[str, Any]) -> Any:
    """Add to `l1` one less the structural similarity of maps from -1 to 1, in windows of 7 x 7 pixels.

    References
    ----------
    Zhao et al., IEEE Trans Comput Imaging 3:47-57 (2017), doi:10.1109/TCI.2016.2644865 (as a loss).
    """
    return l1(output, batch) + _STRUCTURE * (1.0 - _similarity(output, batch["target"]))


def l1_ssim_apart(output: Any, batch: Mapping[str, Any]) -> Any:
    """Let errors of `l1_ssim` count more where the truth is far from the mean of its map's tissue.

    Lesions are, and are small: the plain mean draws them towards usual tissue. Tissue is where a map is above
    its least value, -1.
    """
    truth = batch["target"]
    tissue = (truth > -1.0).to(truth.dtype)
    mean = (truth * tissue).sum((-2, -1), True) / tissue.sum((-2, -1), True).clamp(min=1)
    weight = 1.0 + _APART * tissue * (truth - mean).abs()
    apart = (_errors(output, batch).abs() * weight).mean()
    return apart + _STRUCTURE * (1.0 - _similarity(output, truth))


def bce(output: Any, batch: Mapping[str, Any]) -> Any:
    """Take the binary cross-entropy of labels, shape `(cases, 1)`."""
    return functional.binary_cross_entropy_with_logits(output, batch["target"].float())


def bce_soft(output: Any, batch: Mapping[str, Any]) -> Any:
    """Take the binary cross-entropy of labels that are never certain: 0.214 for no and 0.786 for yes.

    References
    ----------
    The code of Mittmann et al., Int J CARS 17:1633-1641 (2022), doi:10.1007/s11548-022-02654-8.
    """
    no, yes = SOFT
    soft = no + (yes - no) * batch["target"].float()
    return functional.binary_cross_entropy_with_logits(label_logit(output), soft)


def clot_region(output: Any, batch: Mapping[str, Any]) -> Any:
    """Add to `clot_place` soft Dice loss and cross-entropy of where blood is missing or late, if known.

    They are told by the third channel and `batch["lost"]`, shape `(cases, 1, y, x)`, -1 where not known.
    """
    known = (batch["lost"] >= 0).float()
    truth, odds = batch["lost"].clamp(min=0.0), output[:, 2:3]
    error = functional.binary_cross_entropy_with_logits(odds, truth, reduction="none")
    chance = odds.sigmoid() * known
    both = 2.0 * (chance * truth).sum() + 1.0
    overlap = both / (chance.sum() + (truth * known).sum() + 1.0)
    region = (error * known).sum() / known.sum().clamp(min=1) + known.amax() * (1.0 - overlap)
    return clot(output, batch, place_weight=5.0) + region


def clot(output: Any, batch: Mapping[str, Any], *, place_weight: float = 1.0) -> Any:
    """Add the cross-entropies of whether there is a clot and of where it is, where that is known.

    The second compares the softmax over all pixels with `batch["heat"]`, shape `(cases, 1, y, x)`, which is 0
    where no place is known, is measured against not knowing at all, and counts `place_weight` times.
    """
    known = batch["heat"].float().flatten(1)
    mass = known.sum(dim=1)
    guess = functional.log_softmax(output[:, :1].flatten(1), dim=1)
    missed = -(known * guess).sum(dim=1) / (mass.clamp(min=1e-6) * math.log(guess.shape[1]))
    where = missed.sum() / (mass > 0).sum().clamp(min=1)
    label = batch["target"].float()
    return functional.binary_cross_entropy_with_logits(label_logit(output), label) + place_weight * where


def beta_nll(output: Any, batch: Mapping[str, Any]) -> Any:
    """Take the likelihood of maps under means and deviations `(cases, 2 maps, y, x)`, inside the mask.

    Each pixel counts by the root of its own variance, so that where a network is unsure it still learns
    the mean; with the plain likelihood it may stop there.

    References
    ----------
    Seitzer et al., ICLR 2022, doi:10.48550/arXiv.2203.09168.
    """
    mean, deviation = output.chunk(2, dim=1)
    off = (batch["target"] - mean) / deviation
    return _mean(deviation.detach() * (0.5 * off**2 + deviation.log()), batch) + 0.1 * _mean(
        0.5 * off**2 + deviation.log(), batch
    )


def case_nll(output: Any, batch: Mapping[str, Any]) -> Any:
    """Take the likelihood as `beta_nll` does, each case counting alike, however quiet or noisy it is.

    Pixels count by their own variance over the mean variance of their case and map, up to ten times as much,
    so that what is learned of a mean is its squared error over what the case allows; a quarter of the plain
    likelihood is added for the deviations.
    """
    mean, deviation = output.chunk(2, dim=1)
    inside = batch["mask"].to(output.dtype)
    variance = deviation.detach() ** 2
    count = inside.sum(dim=(2, 3), keepdim=True).clamp(min=1)
    usual = (variance * inside).sum(dim=(2, 3), keepdim=True) / count
    weight = (variance / usual.clamp(min=1e-8)).clamp(max=10.0)
    lost = 0.5 * ((batch["target"] - mean) / deviation) ** 2 + deviation.log()
    return _mean((weight + 0.25) * lost, batch)


def core(output: Any, batch: Mapping[str, Any]) -> Any:
    """Add the cross-entropies of a large core and of each cell, and the error of the volume's logarithm.

    `batch["heat"]` is the part of each cell that is core, shape `(cases, slices, y, x)`: -1 where nobody
    knows, which leaves those cells out; `batch["volume"]` is the volume [mL], shape `(cases, 1)`.
    """
    part = batch["heat"].float().flatten(1, 2)[:, None]
    known = (part >= 0).to(output.dtype)
    missed = functional.binary_cross_entropy_with_logits(output[:, :1], part.clamp(0, 1), reduction="none")
    where = _SHARE * (missed * known).sum() / known.sum().clamp(min=1)
    volume = functional.smooth_l1_loss(output[:, 2, :1, 0], batch["volume"].float().log1p())
    label = batch["target"].float()
    return functional.binary_cross_entropy_with_logits(label_logit(output), label) + where + volume


LOSSES: Final[Mapping[str, Loss]] = MappingProxyType(
    {
        "dice_ce": dice_ce,
        "dice": dice,
        "mse": mse,
        "l1": l1,
        "l1_ssim": l1_ssim,
        "l1_ssim_apart": l1_ssim_apart,
        "bce": bce,
        "bce_soft": bce_soft,
        "clot": clot,
        "beta_nll": beta_nll,
        "case_nll": case_nll,
        "core": core,
        "clot_region": clot_region,
        "clot_place": partial(clot, place_weight=5.0),
    }
)


def loss(name: str) -> Loss:
    """Return a loss by name.

    Raises
    ------
    BadRecipe
        If there is none of that name.
    """
    if name not in LOSSES:
        raise BadRecipe("unknown loss", wanted=", ".join(LOSSES), found=name)
    return LOSSES[name]


@cache
def _monai(name: str) -> Any:
    from monai import losses

    return getattr(losses, name)(sigmoid=True)


def _similarity(found: Any, truth: Any) -> Any:
    """Return the structural similarity as `bolus.learn.image_scores.ssim` has it, of tensors."""
    mean = partial(functional.avg_pool2d, kernel_size=UNIFORM_PX, stride=1)
    factor = UNIFORM_PX**2 / (UNIFORM_PX**2 - 1)
    one, other = mean(found), mean(truth)
    spread_one, spread_other = (
        factor * (mean(image**2) - middle**2) for image, middle in ((found, one), (truth, other))
    )
    common = factor * (mean(found * truth) - one * other)
    c1, c2 = (K1 * SIGNED) ** 2, (K2 * SIGNED) ** 2
    alike = (2 * one * other + c1) * (2 * common + c2)
    return (alike / ((one**2 + other**2 + c1) * (spread_one + spread_other + c2))).mean()


def _errors(output: Any, batch: Mapping[str, Any]) -> Any:
    """Return how far answers are off; maps of another number would be held against each other silently."""
    wanted = tuple(batch["target"].shape)
    if tuple(output.shape) != wanted:
        raise BadRecipe(
            "the network answers otherwise than it is asked",
            wanted=f"shape {wanted}",
            found=str(tuple(output.shape)),
            remedy="Give it as many `outputs` as `fitting` asks for maps.",
        )
    return output - batch["target"]


def _mean(error: Any, batch: Mapping[str, Any]) -> Any:
    if "mask" not in batch:
        return error.mean()
    inside = batch["mask"].to(error.dtype).expand_as(error)
    return (error * inside).sum() / inside.sum().clamp(min=1)
