"""A grid of tiles with every combination of CBV, MTT and delay, after the layout of Kudo's phantom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bolus.core.arrays import Float32s, Frames, Mask, Times, Volume
from bolus.core.grid import Grid
from bolus.core.series import Acquisition, Series
from bolus.core.units import Modality, Unit
from bolus.phantom.circulation import Bolus, Curve, venous
from bolus.phantom.motion import grid_centre, still
from bolus.phantom.options import KudoOptions, chosen
from bolus.phantom.study import Study, Truth, true_maps
from bolus.phantom.truth import VEIN_DELAY_S, true_curve
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import RESIDUES, ideal_tmax, tissue_curves

CBVS: Final = (1.0, 2.0, 3.0, 4.0, 5.0)
"""CBV of the slices of one residue shape [mL/100 g]."""
MTTS: Final = tuple(24.0 / k for k in range(1, 8))
"""MTT of the columns [s], from 24 to 3.43; CBF is 2.5 to 87.5 mL/100 g/min."""
DELAYS: Final = tuple(0.5 * k for k in range(7))
"""Delay of the rows [s]."""
SHAPES: Final = ("exponential", "linear", "box")
SLOPE: Final = 0.05
"""HU a stored step, fine beside noise of 0.5 HU."""
ONSET_S: Final = 8.0
"""Arrival of the bolus [s]: four frames of baseline and one more on the brink."""
TISSUE_HU, BONE_HU, AIR_HU = 35.0, 900.0, -1000.0


def kudo(options: KudoOptions | None = None, /, **changes: Any) -> Study:
    """Simulate a grid of tiles of known perfusion as a CT series.

    The first slice holds an arterial block of a quarter tile and a venous block of half a tile
    (masks `artery` and `vein`); each further slice has one CBV and one residue shape, with 7 columns of
    MTT and 7 rows of delay. The square of tiles is framed by bone, so that it passes for a head.

    Parameters
    ----------
    options
        All choices; the defaults unless given.
    changes
        Single choices by name; see `KudoOptions`.

    Returns
    -------
    The series in HU (stored in steps of 0.05 HU) and its truth. Slices are 1 (vessels) + 5 for each
    residue shape.

    Raises
    ------
    BadRecipe
        If an option is unknown or out of range.

    References
    ----------
    Kudo et al., Radiology 267:201-211 (2013), doi:10.1148/radiol.12112618 (the layout; the images are
    generated here)

    Notes
    -----
    True MTT is not rounded here: the tiles have the published values. The published arterial block is
    partial-volumed by an unknown amount; ``aif_fraction`` sets it.
    """
    wanted = chosen(options or KudoOptions(), changes)
    shapes = SHAPES if wanted.residue == "all" else (wanted.residue,)
    tiles = _layout(wanted.tile_px, shapes)
    times = np.arange(wanted.n_frames, dtype=np.float64) * wanted.dt
    arterial = Bolus(GammaVariate(300.0, ONSET_S, 3.0, 1.5), recirculation=0.0)
    series = Series(
        _frames(tiles, times, arterial, wanted),
        times,
        tiles.grid,
        Modality.CT,
        Unit.HU,
        slope=SLOPE,
        acquisition=Acquisition(
            description="Kudo-type phantom",
            source="phantom",
            kvp=80.0,
            thickness_mm=tiles.grid.spacing_mm[2],
            clock="simulated",
        ),
        steps=(f"simulated with seed {wanted.seed}",),
    )
    return Study(series, _truth(tiles, times, arterial, wanted))


@dataclass(frozen=True, slots=True, eq=False)
class Tiles:
    """Where everything is, shape `(x, y, z)` each.

    Parameters
    ----------
    shapes
        Residue shapes, one for each five slices after the first.
    square
        The tiles, and the same square on the first slice.
    head
        The square and its margin; `bone` frames it.
    cbf, mtt, delay
        True values in `tissue`, NaN elsewhere.
    """

    grid: Grid
    shapes: tuple[str, ...]
    square: Mask
    head: Mask
    bone: Mask
    artery: Mask
    vein: Mask
    cbf: Float32s
    mtt: Float32s
    delay: Float32s

    @property
    def tissue(self) -> Mask:
        """Voxels of tiles."""
        return np.asarray(np.isfinite(self.cbf))


def _layout(tile: int, shapes: tuple[str, ...]) -> Tiles:
    n, margin = 8 * tile, tile // 2
    shape = (n, n, 1 + len(CBVS) * len(shapes))
    spacing = 220.0 / n
    affine = np.diag([-spacing, -spacing, 5.0, 1.0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    inner = slice(margin, margin + 7 * tile)
    square, head = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    square[inner, inner] = True
    wide = slice(margin // 2, n - margin // 2)
    head[wide, wide] = True
    rim = max(1, min(tile // 8, margin - margin // 2))
    bone = head.copy()
    bone[wide.start + rim : wide.stop - rim, wide.start + rim : wide.stop - rim] = False
    artery, vein = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    middle, quarter, half = n // 2, max(1, tile // 4), max(2, tile // 2)
    artery[middle : middle + quarter, margin + 2 * tile : margin + 2 * tile + quarter, 0] = True
    vein[middle : middle + half, margin + 5 * tile : margin + 5 * tile + half, 0] = True
    cbf, mtt, delay = (np.full(shape, np.nan, dtype=np.float32) for _ in range(3))
    columns = np.repeat(np.array(MTTS, dtype=np.float32), tile)
    rows = np.repeat(np.array(DELAYS, dtype=np.float32), tile)
    mtt[inner, inner, 1:] = columns[:, None, None]
    delay[inner, inner, 1:] = rows[None, :, None]
    cbv = np.tile(np.array(CBVS, dtype=np.float32), len(shapes))
    cbf[inner, inner, 1:] = 60.0 * cbv / columns[:, None, None]
    grid = Grid(shape, affine)
    return Tiles(grid, shapes, square, head, bone, artery, vein, cbf, mtt, delay)


def _frames(tiles: Tiles, times: Times, arterial: Curve, options: KudoOptions) -> Frames:
    """Return stored integers, shape `(x, y, z, t)`."""
    image = np.where(tiles.head, TISSUE_HU, AIR_HU)
    image[tiles.bone] = BONE_HU
    rng = np.random.default_rng(options.seed)
    hu = np.repeat(image.astype(np.float32)[..., None], times.size, axis=3)
    for number, shape in enumerate(tiles.shapes):
        first = 1 + number * len(CBVS)
        _perfuse(hu[:, :, first : first + len(CBVS)], tiles, first, (arterial, times, shape))
    hu[tiles.artery] += (options.aif_fraction * arterial(times)).astype(np.float32)
    hu[tiles.vein] += _vein(arterial, times)(times).astype(np.float32)
    if options.noise_hu > 0:
        hu += np.float32(options.noise_hu) * rng.standard_normal(hu.shape, dtype=np.float32)
    stored: Frames = np.rint(np.clip(hu, -1024, 1600) / SLOPE).astype(np.int16)
    return stored


def _perfuse(hu: Float32s, tiles: Tiles, first: int, how: tuple[Curve, Times, str]) -> None:
    """Add the curves of the tiles of five slices to their frames, in place."""
    arterial, times, shape = how
    here = np.s_[:, :, first : first + hu.shape[2]]
    tissue = tiles.tissue[here]
    cbf, mtt, delay = (part[here][tissue] for part in (tiles.cbf, tiles.mtt, tiles.delay))
    keys, which = np.unique(np.stack([cbf, mtt, delay]), axis=1, return_inverse=True)
    exact = keys.astype(np.float64)
    curves = tissue_curves(arterial, times, (exact[0], exact[1], exact[2]), residue=RESIDUES[shape])
    hu[tissue] += curves.astype(np.float32)[which.ravel()]


def _vein(arterial: Curve, times: Times) -> Curve:
    blood = venous(arterial, until=float(times[-1]))
    return lambda at: blood(at - VEIN_DELAY_S)


def _truth(tiles: Tiles, times: Times, arterial: Curve, options: KudoOptions) -> Truth:
    aif, aif_fine = true_curve("AIF", arterial, times, Unit.HU)
    vof, vof_fine = true_curve("VOF", _vein(arterial, times), times, Unit.HU)
    return Truth(
        maps=true_maps(_volumes(tiles), tiles.tissue, tiles.grid),
        masks=_masks(tiles),
        aif=aif,
        vof=vof,
        aif_fine=aif_fine,
        vof_fine=vof_fine,
        motion=still(options.n_frames),
        motion_centre_mm=grid_centre(tiles.grid),
        midline=None,
        noise=options.noise_hu,
        seed=options.seed,
    )


def _volumes(tiles: Tiles) -> dict[str, Volume]:
    tmax = np.full(tiles.grid.shape, np.nan, dtype=np.float32)
    for number, shape in enumerate(tiles.shapes):
        here = np.s_[:, :, 1 + number * len(CBVS) : 1 + (number + 1) * len(CBVS)]
        tmax[here] = ideal_tmax(tiles.mtt[here], tiles.delay[here], RESIDUES[shape])
    cbv = tiles.cbf * tiles.mtt / np.float32(60.0)
    return {"CBF": tiles.cbf, "CBV": cbv, "MTT": tiles.mtt, "delay": tiles.delay, "Tmax": tmax}


def _masks(tiles: Tiles) -> Mapping[str, Mask]:
    nothing = np.zeros(tiles.grid.shape, dtype=np.bool_)
    return {
        "brain": tiles.head & ~tiles.bone,
        "tissue": tiles.tissue,
        "gm": tiles.tissue,
        "wm": nothing,
        "csf": nothing,
        "artery": tiles.artery,
        "vein": tiles.vein,
        "core": nothing,
        "hypoperfused": nothing,
        "penumbra": nothing,
    }
