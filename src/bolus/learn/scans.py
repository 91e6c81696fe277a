"""Cases of perfusion scans with maps: of published data sets, or of users' own studies."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any, Final

import numpy as np

from bolus import pipeline, read
from bolus.core.arrays import Mask, Volume
from bolus.core.errors import BadInput, BadRecipe, BolusError
from bolus.core.recipe import Recipe
from bolus.core.series import Series
from bolus.core.units import Modality
from bolus.learn.cases import Case
from bolus.learn.frame import Field
from bolus.learn.maps import FIELD_MM, Plan, signal_scale
from bolus.learn.published import Published
from bolus.prepare import correct_motion, find_brain

REFERENCES: Final = ("given", "bolus")
"""Which maps are learned: those that come with the scan, or those that `bolus run` makes of it."""
LEAST_BRAIN: Final = 0.05
"""Part of a square that must be brain for the slice to be a case."""
_LARGEST_PX: Final = 512
_METHODS: Final = {Modality.CT: "box", Modality.MR: "osvd"}


def read_cases(
    scans: Sequence[Published],
    plan: Plan,
    reference: str = "given",
    method: str = "",
    *,
    left_out: MutableMapping[str, str] | None = None,
) -> Iterator[tuple[str, Case]]:
    """Yield the slices of scans as cases, each with a name for its file.

    Frames are put right where the head moved, and cut to 220 x 220 mm about the brain, as simulated ones are.

    Parameters
    ----------
    scans
        As a function of `bolus.learn.published.LAYOUTS` finds them.
    plan
        Of the modality.
    reference
        One of `REFERENCES`.
    method
        That `bolus` makes maps by; empty: `box` for CT, as the CT paper does, and `osvd` for MR.
    left_out
        Takes the patient of each scan that cannot be used, and why; the others are read. None: the first such
        scan ends it.

    Raises
    ------
    BadRecipe
        If there is no such reference.
    BadInput
        If a scan is of another modality, or lacks a map that is asked for; with `left_out`, if no scan can be
        used.
    """
    if reference not in REFERENCES:
        raise BadRecipe("unknown reference maps", wanted=", ".join(REFERENCES), found=reference)
    failed: list[BolusError] = []
    for scan in scans:
        try:
            yield from _cases(scan, plan, reference, method)
        except BadInput as error:
            if left_out is None:
                raise
            left_out[scan.patient] = str(error)
            failed.append(error)
    if failed and len(failed) == len(scans):
        raise failed[0]


def _cases(scan: Published, plan: Plan, reference: str, method: str) -> Iterator[tuple[str, Case]]:
    series = _series(scan, plan)
    brain = find_brain(series).inside
    maps = _given(scan, plan, series) if reference == "given" else _made(series, method)
    square = _square(series, brain)
    volumes = [
        np.where(brain, np.nan_to_num(maps[source]), 0.0).astype(np.float32) for source in plan.sources
    ]
    lesion = _lesion(scan, series)
    frames = np.stack([np.nan_to_num(series.frame(i)) for i in range(series.n_frames)])
    clocks = np.broadcast_to(series.times, (brain.shape[2], series.n_frames))
    scale = np.array(signal_scale(series, brain), dtype=np.float32)
    about = {
        "reference": reference,
        "method": method,
        "voxel_ml": (square.field_mm / square.side) ** 2 * series.grid.spacing_mm[2] / 1000.0,
    }
    for k in range(brain.shape[2]):
        inside = square.put(brain[:, :, k].T.astype(np.float32)) > 0.5
        if inside.mean() < LEAST_BRAIN:
            continue
        yield (
            f"{scan.patient}/{k:03}.npz",
            Case(
                np.stack([square.put(frame[:, :, k].T) for frame in frames]),
                np.stack([square.put(volume[:, :, k].T) for volume in volumes]),
                scan.patient,
                site=scan.site,
                extra={
                    "times": np.asarray(clocks[k], dtype=np.float64),
                    "scale": scale,
                    "brain": inside.astype(np.uint8),
                    "lesion": (2 * (square.put(lesion[:, :, k].T) > 0.5)).astype(np.uint8),
                },
                meta={**about, "slice": k},
            ),
        )


def _series(scan: Published, plan: Plan) -> Series:
    """Read the frames of a scan and put them right where the head moved."""
    wanted = Modality.MR if plan.signed else Modality.CT
    series = read.load(scan.study, options=read.ReadOptions(dt_s=scan.dt_s, modality=wanted))
    if series.modality is not wanted:
        raise BadInput(
            "the scan is of another modality", wanted=wanted, found=series.modality, where=scan.study
        )
    return correct_motion(series)[0]


def _given(scan: Published, plan: Plan, series: Series) -> dict[str, Volume]:
    maps = {name: read.load_volume(path, series.grid) for name, path in scan.maps.items()}
    if "centre" not in maps and "Tmax" in maps:
        maps["centre"] = maps["Tmax"]  # both tell when the residue is at its height; see the documentation
    missing = [name for name in plan.sources if name not in maps]
    if missing:
        raise BadInput(
            "a scan lacks maps",
            wanted=", ".join(plan.sources),
            found=", ".join(maps) or "none",
            where=scan.study,
            remedy="Let bolus make them with --reference bolus.",
        )
    return maps


def _made(series: Series, method: str) -> dict[str, Volume]:
    """Return the maps that `bolus run` makes; the Tmax of a box is the time of its middle."""
    chosen = Recipe(method=method or _METHODS[series.modality], motion="none", ttp_origin="scan")
    made = pipeline.require_artery(pipeline.run(series, chosen)).maps
    found = {name: np.asarray(one.values) for name, one in made.items()}
    return found | {"centre": found["Tmax"]}


def _lesion(scan: Published, series: Series) -> Volume:
    if scan.lesion is None:
        return np.zeros(series.grid.shape, dtype=np.float32)
    return np.nan_to_num(read.load_volume(scan.lesion, series.grid))


def _square(series: Series, brain: Mask) -> Field:
    """Return the square about the brain, of pixels like the scan's, which lie on the scan's own."""
    spacing = float(min(series.grid.spacing_mm[:2]))
    side = min(2 * round(0.5 * FIELD_MM / spacing), _LARGEST_PX)
    middles: list[Any] = [round(0.5 * (at.min() + at.max()) - 0.5) + 0.5 for at in np.nonzero(brain)[:2]]
    dx, dy, _ = series.grid.spacing_mm
    field_mm = side * spacing if side < _LARGEST_PX else FIELD_MM
    return Field((brain.shape[1], brain.shape[0]), (dy, dx), (middles[1], middles[0]), field_mm, side)
