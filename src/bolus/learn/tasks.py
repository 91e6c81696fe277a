"""What can be learned: one line of a table for each learned system."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Final, Literal

from bolus.core.arrays import Float32s
from bolus.core.errors import BadRecipe
from bolus.learn import core_size, ica, maps, runs
from bolus.learn.card import RESEARCH_ONLY
from bolus.learn.cases import Arrays, Case
from bolus.learn.infer import Network
from bolus.learn.making import Order, Simulate
from bolus.learn.recipe import TrainRecipe


@dataclass(frozen=True, slots=True)
class Task:
    """One learned system.

    Parameters
    ----------
    name, summary
        What it is called, and what it does, in a sentence.
    takes, gives
        Input and output in words: axes, units, range.
    channels
        Of the input.
    head
        A name of `bolus.learn.networks.HEADS`: what turns the network's last layer into the answer.
    metric, mode
        A name of `bolus.learn.score.METRICS` that validation watches, and whether more is better.
    presets
        Recipes by name; the first is the default.
    fit
        `fit(case, size, **recipe.fitting)` makes arrays of one size of a case, to train with.
    answer, score
        `answer(network, case)` asks an exported network about a case as it is, and `score(answer, case)`
        says how good that is, by name; the first name leads.
    simulate
        Makes the cases of a simulated patient; None where there is no simulator.
    intended_use, not_for
        For the cards of its networks.
    inputs
        Names of the arrays that `fit` makes and the network takes, in order.
    axes
        Of the network's input: sizes, `channels`, `side` for the recipe's size, and names of those that are
        free: `cases`, `pictures`, `y` and `x`.
    references
        What the simulator can give as truth: its own, or what `bolus` makes of a scan.
    """

    name: str
    summary: str
    takes: str
    gives: str
    channels: int
    head: str
    metric: str
    mode: Literal["max", "min"]
    presets: Mapping[str, TrainRecipe]
    fit: Callable[..., Arrays]
    answer: Callable[[Network, Case], Float32s]
    score: Callable[[Float32s, Case], dict[str, float]]
    simulate: Simulate | None
    intended_use: str
    not_for: tuple[str, ...]
    inputs: tuple[str, ...] = ("image",)
    axes: tuple[int | str, ...] = ("cases", "channels", "y", "x")
    references: tuple[str, ...] = ("truth",)

    def preset(self, name: str) -> TrainRecipe:
        """Return a recipe by name; an empty name means the default.

        Raises
        ------
        BadRecipe
            If there is none of that name.
        """
        chosen = name or next(iter(self.presets))
        if chosen not in self.presets:
            raise BadRecipe(f"unknown preset of {self.name}", wanted=", ".join(self.presets), found=name)
        return self.presets[chosen]


def _simulate_angiogram(order: Order) -> list[Case]:
    from bolus.learn import angiograms

    return angiograms.simulate(order)


_ICA_PAPER: Final = TrainRecipe(
    options={"width": 64, "outputs": 2},
    size=1024,
    augment=("flip", "shift_scale_rotate"),
    optimizer="rmsprop",
    lr=1e-4,
    weight_decay=1e-8,
    schedule="plateau",
    batch=1,
)

_ICA: Final = Task(
    name="ica",
    summary="Outlines the internal carotid artery on the minimum-intensity projection of a DSA run.",
    takes="largest contrast of each pixel over its 99.5th percentile in the field, 0-1.5, (cases, 1, y, x)",
    gives="probability of each pixel to show the internal carotid artery, 0-1, (cases, 1, y, x)",
    channels=1,
    head="foreground",
    metric="dice",
    mode="max",
    presets=MappingProxyType(
        {
            # Ships: 0.6 million parameters, which two processors train in half an hour.
            "small": TrainRecipe(
                options={"width": 12, "outputs": 1},
                size=256,
                augment=("flip", "shift_scale_rotate", "tone"),
                clip_norm=1.0,
                precision="bf16",
            ),
            # As printed: two output channels, cross-entropy and Dice.
            "paper": _ICA_PAPER,
            # As released: one output, on which cross-entropy is 0, so that Dice alone is left.
            "code": replace(
                _ICA_PAPER,
                options={"width": 64, "outputs": 1},
                loss="dice",
                augment=("flip", "shift_scale_rotate_code"),
            ),
        }
    ),
    fit=ica.fit,
    answer=ica.answer,
    score=ica.score,
    simulate=_simulate_angiogram,
    intended_use="The arterial input function of a DSA run with a carotid injection, for research.",
    not_for=(
        RESEARCH_ONLY,
        "vertebral or external carotid injections",
        "measuring the artery or its stenosis",
        "images that are not subtracted angiograms of the head",
    ),
)


def _simulate_ctp(order: Order) -> list[Case]:
    from bolus.learn import cohort

    return cohort.simulate_ctp(order)


def _simulate_dsc(order: Order) -> list[Case]:
    from bolus.learn import cohort

    return cohort.simulate_dsc(order)


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

_CTP: Final = Task(
    name="ctp-unet",
    summary="Makes CBF, CBV and TTP of the frames of a CT perfusion slice, without an arterial curve.",
    takes="frames on an even grid, CT numbers over 40 HU, 0-3, (cases, frames, y, x)",
    gives="maps over their ranges, 0-1, (cases, maps, y, x): CBF 0-100 mL/100 g/min, CBV 0-8 mL/100 g, TTP "
    "0-25 s",
    channels=maps.CTP.n_frames,
    head="identity",
    metric="mse",
    mode="min",
    presets=MappingProxyType(
        {
            "small": TrainRecipe(
                network="ctp_unet",
                options={"channels": 40, "outputs": 3, "width": 16, "levels": 4},
                fitting={"n_frames": 40, "dt": 1.5},
                size=128,
                loss="mse",
                augment=("flip",),
                clip_norm=1.0,
                precision="bf16",
                batch=8,
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
    options={"outputs": 5, "width": 8, "inner": 16, "levels": 5},
    fitting={"dt": 1.2},
    size=128,
    loss="l1",
    augment=("flip",),
    clip_norm=1.0,
    precision="bf16",
)

_DSC: Final = Task(
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
)


def _simulate_clots(order: Order) -> list[Case]:
    from bolus.learn import clots

    return clots.simulate(order)


def _simulate_strokes(order: Order) -> list[Case]:
    from bolus.learn import strokes

    return strokes.simulate(order)


_SEQUENCE: Final = TrainRecipe(
    network="sequence",
    options={"cnn": "resnet18", "recurrent": "gru"},
    size=512,
    loss="bce",
    augment=("flip", "shift_scale_rotate_run", "grain"),
    lr=1e-5,
    schedule="plateau",
    patience=20,
    factor=0.1,
    stop_after=130,
    epochs=130,
    batch=1,
    precision="bf16",
)

_THROMBUS: Final = Task(
    name="thrombus",
    summary="Tells whether a DSA run shows a clot, and where.",
    takes="frames of a subtracted run by threes, mean 0 and SD 1 over the run, (cases, pictures, 3, y, x)",
    gives="chance of a clot, (cases, 1); or with where it is before it, 0-1, (cases, 2, y, x)",
    channels=3,
    head="label",
    metric="log_loss",
    mode="min",
    presets=MappingProxyType(
        {
            # What is darkest over time, and a map of where: better than sequences at equal training cost.
            "small": TrainRecipe(
                network="clot_pointer",
                options={"width": 16},
                size=256,
                fitting={"n_frames": 21},
                loss="clot",
                augment=("flip", "shift_scale_rotate"),
                clip_norm=1.0,
                precision="bf16",
            ),
            "small-sequence": TrainRecipe(
                network="sequence",
                options={"cnn": "small", "hidden": 128, "layers": 2, "dropout": 0.2, "readout": "mean+max"},
                size=256,
                fitting={"n_frames": 21},
                loss="bce",
                augment=("flip", "shift_scale_rotate"),
                clip_norm=1.0,
                precision="bf16",
            ),
            "paper": _SEQUENCE,
            # As released: labels are never certain.
            "code": replace(_SEQUENCE, loss="bce_soft"),
        }
    ),
    fit=runs.fit,
    answer=runs.answer,
    score=runs.score,
    simulate=_simulate_clots,
    intended_use="Studying the detection of clots on DSA runs, for research.",
    not_for=(RESEARCH_ONLY, "finding or excluding clots in patients", "posterior circulation"),
    axes=("cases", "pictures", 3, "side", "side"),
)

_CORE_PAPER: Final = TrainRecipe(
    network="core_size",
    size=core_size.SIDE_PX,
    fitting={"threshold_ml": core_size.MEDIAN_ML},
    loss="bce",
    augment=("shift_rotate_slices", "flip_rows"),
    optimizer="rmsprop",
    lr=1e-3,
    momentum=0.0,
    weight_decay=0.0,
    schedule="constant",
    stop_after=200,
    epochs=500,
    batch=12,
)

_CORE_SIZE: Final = Task(
    name="core-size",
    summary="Tells large cores from small ones by two slices of raw CT perfusion.",
    takes="ganglionic and supraganglionic slice, every 1.5 s, -50 to 250 HU, (cases, 2, 32, y, x)",
    gives="chance of a large core, 0-1, (cases, 1)",
    channels=2,
    head="label",
    metric="log_loss",
    mode="min",
    presets=MappingProxyType(
        {
            "small": replace(
                _CORE_PAPER,
                options={"cnn": "small_vgg", "frozen": False, "dropout": 0.1},
                augment=("shift_rotate_slices", "flip"),
                optimizer="adamw",
                weight_decay=1e-2,
                schedule="cosine",
                batch=6,
                clip_norm=1.0,
                precision="bf16",
            ),
            "paper": _CORE_PAPER,
            # The paper's ablations.
            "global": replace(_CORE_PAPER, options={"kernels": [11]}),
            "local": replace(_CORE_PAPER, options={"kernels": [3]}),
        }
    ),
    fit=core_size.fit,
    answer=core_size.answer,
    score=core_size.score,
    simulate=_simulate_strokes,
    intended_use="Studying what raw CT perfusion says of the core without maps, for research.",
    not_for=(RESEARCH_ONLY, "selecting patients for treatment", "measuring the core"),
    axes=("cases", 2, core_size.N_FRAMES, "side", "side"),
)

TASKS: Final[Mapping[str, Task]] = MappingProxyType(
    {
        "ica": _ICA,
        "arteries": replace(
            _ICA,
            name="arteries",
            summary="Outlines all intracranial arteries on the minimum-intensity projection of a DSA run.",
            gives="probability of each pixel to show an intracranial artery, 0-1, (cases, 1, y, x)",
            simulate=None,
            intended_use="Studying vessel segmentation on public data such as DIAS, for research.",
            not_for=(RESEARCH_ONLY, "arterial input functions", "measuring arteries or their stenoses"),
        ),
        "thrombus": _THROMBUS,
        "core-size": _CORE_SIZE,
        "ctp-unet": _CTP,
        "dsc-gan": _DSC,
    }
)
"""Every learned system by name."""


def task(name: str) -> Task:
    """Return a task by name.

    Raises
    ------
    BadRecipe
        If there is none of that name.
    """
    if name not in TASKS:
        raise BadRecipe("unknown task", wanted=", ".join(TASKS), found=name)
    return TASKS[name]
