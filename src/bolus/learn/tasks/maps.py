"""Perfusion maps without an arterial curve."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Final

from bolus.learn import maps
from bolus.learn.card import RESEARCH_ONLY
from bolus.learn.cases import Case
from bolus.learn.infer import Network
from bolus.learn.making import Order
from bolus.learn.recipe import TrainRecipe
from bolus.learn.tasks.task import Task


def _simulate_ctp(order: Order) -> list[Case]:
    from bolus.learn import cohort

    return cohort.simulate_ctp(order)


def _simulate_dsc(order: Order) -> list[Case]:
    from bolus.learn import cohort

    return cohort.simulate_dsc(order)


def _prove_ctp(network: Network) -> dict[str, float]:
    from bolus.learn.mapping import UNET, flow_response_of

    return flow_response_of(UNET, network)


def _prove_dsc(network: Network) -> dict[str, float]:
    from bolus.learn.mapping import TEMP_PIX2PIX, flow_response_of

    return flow_response_of(TEMP_PIX2PIX, network)


_MAPS_ARE_NOT_FOR: Final = (
    RESEARCH_ONLY,
    "scans that hold no whole first passage, or of another part of the body",
    "flow that does not go with anatomy: the network may print what it expects of a tissue",
)

_CTP_PAPER: Final = TrainRecipe(
    network="ctp_unet",
    options={"outputs": 1},
    fitting={"maps": ["CBF"]},
    size=512,
    loss="mse",
    optimizer="adam",
    lr=1e-5,
    weight_decay=0.0,
    schedule="plateau",
    factor=0.1,
    epochs=50,
    batch=8,
)

# Contrast and other flow in the tissue: from frames as they are networks learned what anatomy usually has.
_CTP_SMALL: Final = TrainRecipe(
    network="ctp_unet",
    options={"channels": 41, "outputs": 3, "width": 16, "levels": 4},
    fitting={"n_frames": 40, "dt": 1.5, "contrast": True},
    size=128,
    loss="mse",
    augment=("flip", "reflow"),
    clip_norm=1.0,
    precision="bf16",
    batch=8,
)

CTP_UNET: Final = Task(
    name="ctp-unet",
    summary="Makes CBF, CBV and TTP of the frames of a CT perfusion slice, without an arterial curve.",
    takes="frames on an even grid, CT numbers over 40 HU, 0-3, (cases, frames, y, x); or what they have more "
    "than the first, asinh of HU over 10, and behind it CT numbers before contrast",
    gives="maps over their ranges, 0-1, (cases, maps, y, x): CBF 0-100 mL/100 g/min, CBV 0-8 mL/100 g, TTP "
    "0-25 s",
    channels=maps.CTP.n_frames,
    head="identity",
    metric="mse",
    mode="min",
    presets=MappingProxyType(
        {
            "small": _CTP_SMALL,
            # Wider and on more patients; ships.
            "wide": replace(
                _CTP_SMALL, options={"channels": 41, "outputs": 3, "width": 32, "levels": 4}, average=0.998
            ),
            # As printed: one network a map, first at 128 pixels, then from its weights at 512.
            "paper-128": replace(_CTP_PAPER, size=128, epochs=250),
            "paper": _CTP_PAPER,
            # As released: two levels of 16 channels, 3 x 3 kernels, skips that are added.
            "code": replace(
                _CTP_PAPER,
                options={"outputs": 1, "width": 16, "levels": 2, "kernel": 3, "merge": "add", "slope": 0.1},
                lr=5e-3,
                epochs=500,
                batch=16,
            ),
        }
    ),
    fit=partial(maps.fit, maps.CTP),
    answer=partial(maps.answer, maps.CTP),
    score=partial(maps.score, maps.CTP),
    simulate=_simulate_ctp,
    intended_use="Perfusion maps of CT perfusion scans of the head, for research.",
    not_for=_MAPS_ARE_NOT_FOR,
    references=("truth", "bolus"),
    prove=_prove_ctp,
)

_DSC_PAPER: Final = TrainRecipe(
    network="temp_pix2pix",
    options={"outputs": 1},
    fitting={"maps": ["Tmax"]},
    size=128,
    loss="l1",
    critic="patchgan",
    optimizer="adam",
    lr=1e-4,
    betas=(0.5, 0.999),
    weight_decay=0.0,
    schedule="constant",
    stop_after=100,
    epochs=100,
)
_DSC_SMALL: Final = TrainRecipe(
    network="temp_pix2pix",
    options={"outputs": 5, "width": 4, "inner": 16, "levels": 5},
    fitting={"dt": 1.2},
    size=128,
    loss="l1",
    augment=("flip",),
    clip_norm=1.0,
    precision="bf16",
)
_DSC_WIDE: Final = replace(
    _DSC_SMALL,
    options={"outputs": 5, "width": 8, "inner": 20, "levels": 5},
    loss="l1_ssim",
    average=0.998,
    batch=16,
)

DSC_GAN: Final = Task(
    name="dsc-gan",
    summary="Makes CBF, CBV, MTT, Tmax and TTP of the frames of a DSC-MRI slice, without an arterial curve.",
    takes="frames on an even grid, signal over that of bright brain before contrast, -1-1, "
    "(cases, frames, y, x)",
    gives="maps over their ranges, -1-1, (cases, maps, y, x): CBF 0-100 mL/100 g/min, CBV 0-8 mL/100 g, MTT "
    "and Tmax 0-20 s, TTP 0-60 s",
    channels=maps.DSC.n_frames,
    head="identity",
    metric="mae",
    mode="min",
    presets=MappingProxyType(
        {
            # No critic: in a prototype it made every map worse at equal time; `--set critic=...` adds it.
            "small": _DSC_SMALL,
            # Of the same size, without a look along time.
            "small-pix2pix": replace(
                _DSC_SMALL, network="pix2pix", options={"outputs": 5, "width": 16, "levels": 5}
            ),
            # Wider and on more patients: for a GPU; the partner is of the same size.
            "wide": _DSC_WIDE,
            "wide-pix2pix": replace(
                _DSC_WIDE, network="pix2pix", options={"outputs": 5, "width": 20, "levels": 5}
            ),
            # As printed: one network a map, and its plain partner, which is a tenth smaller.
            "paper": _DSC_PAPER,
            "paper-pix2pix": replace(_DSC_PAPER, network="pix2pix"),
            "paper-pix2pix-matched": replace(
                _DSC_PAPER, network="pix2pix", options={"outputs": 1, "width": 67}
            ),
            # As released: the U-Net behind the convolutions along time was left at 16 channels.
            "code": replace(_DSC_PAPER, options={"outputs": 1, "inner": 16}),
            "code-pix2pix-matched": replace(
                _DSC_PAPER, network="pix2pix", options={"outputs": 1, "width": 26}
            ),
        }
    ),
    fit=partial(maps.fit, maps.DSC),
    answer=partial(maps.answer, maps.DSC),
    score=partial(maps.score, maps.DSC),
    simulate=_simulate_dsc,
    intended_use="Perfusion maps of DSC-MRI scans of the head, for research.",
    not_for=_MAPS_ARE_NOT_FOR,
    references=("truth", "bolus"),
    prove=_prove_dsc,
)
