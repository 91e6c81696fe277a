"""`bolus phantom`: studies with known truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bolus.apps.terminal import Terminal

if TYPE_CHECKING:
    from bolus.phantom import Angiogram, Study

app = typer.Typer(
    help="Make a study with known truth, as DICOM and NIfTI.", no_args_is_help=True, rich_markup_mode=None
)

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the study; it must be new or empty.")]
Seed = Annotated[int, typer.Option("--seed", help="Same seed, same study.")]
Interval = Annotated[float | None, typer.Option("--dt", help="Interval between frames [s].")]
Frames = Annotated[int | None, typer.Option("--frames", help="Number of frames.")]
Residue = Annotated[
    str | None, typer.Option("--residue", help="Residue function: exponential, linear, box or gamma.")
]
Lesion = Annotated[
    str | None,
    typer.Option(
        "--lesion", help="Lesion: mca-, aca-, pca- or blob- with right or left, core-only-right, or none."
    ),
]
Motion = Annotated[bool, typer.Option("--motion", help="Let the head move: 3 jumps and a drift.")]
Timing = Annotated[str | None, typer.Option("--timing", help="Frame times: even, uneven or shuttle.")]
Size = Annotated[int | None, typer.Option("--size", help="Pixels along a side.")]
Slices = Annotated[int | None, typer.Option("--slices", help="Number of slices.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")]


@app.command()
def kudo(  # noqa: PLR0913, PLR0917 - one argument an option of the command
    out: Out,
    seed: Seed = 0,
    noise: Annotated[float | None, typer.Option("--noise", help="Noise, standard deviation [HU].")] = None,
    dt: Interval = None,
    frames: Frames = None,
    residue: Residue = None,
    quiet: Quiet = False,
) -> None:
    """Make a grid of tiles of known flow, volume and delay, after Kudo et al. 2013."""
    _write(
        "kudo",
        out,
        {"seed": seed, "noise_hu": noise, "dt": dt, "n_frames": frames, "residue": residue},
        quiet,
    )


@app.command()
def ct(  # noqa: PLR0913, PLR0917 - one argument an option of the command
    out: Out,
    seed: Seed = 0,
    noise: Annotated[float | None, typer.Option("--noise", help="Noise, standard deviation [HU].")] = None,
    lesion: Lesion = None,
    motion: Motion = False,
    timing: Timing = None,
    dt: Interval = None,
    frames: Frames = None,
    residue: Residue = None,
    size: Size = None,
    slices: Slices = None,
    quiet: Quiet = False,
) -> None:
    """Make a CT perfusion study of a head with an occluded artery."""
    changes = {
        "seed": seed, "noise_hu": noise, "lesion": lesion, "motion": motion, "timing": timing, "dt": dt,
        "n_frames": frames, "residue": residue, "shape": _shape(size, slices, (256, 256, 16)),
    }  # fmt: skip
    _write("ct", out, changes, quiet)


@app.command()
def mr(  # noqa: PLR0913, PLR0917 - one argument an option of the command
    out: Out,
    seed: Seed = 0,
    snr: Annotated[float | None, typer.Option("--snr", help="Signal of grey matter over noise.")] = None,
    lesion: Lesion = None,
    motion: Motion = False,
    timing: Timing = None,
    dt: Interval = None,
    frames: Frames = None,
    residue: Residue = None,
    size: Size = None,
    slices: Slices = None,
    quiet: Quiet = False,
) -> None:
    """Make a DSC-MRI study of a head with an occluded artery."""
    changes = {
        "seed": seed, "snr": snr, "lesion": lesion, "motion": motion, "timing": timing, "dt": dt,
        "n_frames": frames, "residue": residue, "shape": _shape(size, slices, (128, 128, 16)),
    }  # fmt: skip
    _write("mr", out, changes, quiet)


@app.command()
def xa(  # noqa: PLR0913, PLR0917 - one argument an option of the command
    out: Out,
    seed: Seed = 0,
    clot: Annotated[str | None, typer.Option("--clot", help="Clot: ICA, M1, M2, M3, A2 or none.")] = None,
    vessel: Annotated[
        str | None, typer.Option("--vessel", help="Injected: carotid, vertebral, external or none.")
    ] = None,
    side: Annotated[str | None, typer.Option("--side", help="Side: right or left.")] = None,
    collaterals: Annotated[
        float | None, typer.Option("--collaterals", help="How well collaterals fill, 0-1.")
    ] = None,
    external: Annotated[
        bool | None, typer.Option("--external/--no-external", help="External carotid fills too.")
    ] = None,
    layered: Annotated[bool, typer.Option("--layered", help="Pale, dark, pale internal carotid.")] = False,
    motion: Annotated[
        bool, typer.Option("--motion", help="Let the head move: a jump or two, a drift.")
    ] = False,
    catheter: Annotated[bool, typer.Option("--catheter", help="Show a catheter.")] = False,
    encoding: Annotated[
        str | None, typer.Option("--encoding", help="Pixels: SUB (subtracted), LOG or LIN.")
    ] = None,
    photometric: Annotated[
        str | None, typer.Option("--photometric", help="MONOCHROME1 or MONOCHROME2.")
    ] = None,
    fps: Annotated[float | None, typer.Option("--fps", help="Frames a second, 0.5-15.")] = None,
    fps_late: Annotated[float | None, typer.Option("--fps-late", help="The same after the arteries.")] = None,
    duration: Annotated[float | None, typer.Option("--duration", help="Length of the run [s].")] = None,
    photons: Annotated[float | None, typer.Option("--photons", help="Photons a pixel.")] = None,
    setting: Annotated[str | None, typer.Option("--setting", help="Site: A or B.")] = None,
    size: Size = None,
    quiet: Quiet = False,
) -> None:
    """Make an X-ray run (DSA) of the head from the front and from the side."""
    changes = {
        "seed": seed, "clot": clot, "vessel": vessel, "side": side, "collaterals": collaterals,
        "external": external, "layered": layered, "motion": motion, "catheter": catheter,
        "encoding": encoding, "photometric": photometric, "fps": fps, "fps_late": fps_late,
        "duration_s": duration, "photons": photons, "setting": setting, "size": size,
    }  # fmt: skip
    _write("xa", out, changes, quiet)


def _shape(size: int | None, slices: int | None, usual: tuple[int, int, int]) -> tuple[int, int, int] | None:
    """Return the shape that was asked for, or None to leave it to the phantom."""
    if size is None and slices is None:
        return None
    return size or usual[0], size or usual[1], slices or usual[2]


def _write(kind: str, out: Path, changes: dict[str, Any], quiet: bool) -> None:
    """Make the study and write it."""
    from bolus import phantom

    terminal = Terminal(quiet=quiet)
    makers: dict[str, Callable[..., Study | Angiogram]] = {
        "kudo": phantom.kudo, "ct": phantom.ct, "mr": phantom.mr, "xa": phantom.xa,
    }  # fmt: skip
    with terminal.reporting(), terminal.progress() as progress:
        phantom.require_empty(out)
        progress("simulate", 0, 1)
        study = makers[kind](**{name: value for name, value in changes.items() if value is not None})
        progress("simulate", 1, 1)
        phantom.write_study(study, out, progress=progress)
    terminal.say(f"study: {out / 'dicom'}")
    terminal.say(f"truth: {out / 'truth'}")
