"""A head on a scanner's grid: tissue fractions, vessels, lesion and kinetics, before any contrast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import ndimage

from bolus.core.arrays import Float32s, Float64s, Mask, Volume
from bolus.core.brain import Midline
from bolus.core.grid import Grid
from bolus.phantom.anatomy import Atlas, build_atlas
from bolus.phantom.circulation import DELAY_STEP, MTT_STEP, Kinetics, quantised
from bolus.phantom.field import random_field
from bolus.phantom.lesion import Lesion, place_lesion
from bolus.phantom.motion import pose_matrix
from bolus.phantom.options import CtOptions, MrOptions, Physiology
from bolus.phantom.study import lesion_volumes
from bolus.phantom.tree import ARTERIES, VEINS, Filling, fill, mirrored, sagittal_sinus, transverse_sinus
from bolus.physics.transport import Residue, ideal_tmax

FIELD_OF_VIEW_MM: Final = (220.0, 220.0, 80.0)
SLAB_CENTRE_MM: Final = (0.0, -6.0, 22.0)
"""What the scan covers, in head coordinates before the head is posed."""
COLLATERAL_S: Final = 5.0
"""How much later contrast starts to reach the arteries beyond an occlusion, through collaterals [s]."""
COLLATERAL_SPREAD_S: Final = 2.0
"""Mean of the gamma-distributed transit times through collaterals, on top of that [s]."""
LEAST_TISSUE: Final = 0.25
"""Part of a voxel that must be tissue for its kinetics to count: half a furrow is still tissue."""

VASCULAR: Final = 0.01
"""Part of a voxel that large vessels fill, from which on they show in it beside tissue: a hundredth of the
arterial peak is half of what tissue takes up. A perfect analysis shows such voxels with too much flow."""

FLOW: Final[Mapping[str, tuple[float, float, float]]] = {"gm": (53.0, 30.0, 5.3), "wm": (25.0, 15.0, 2.5)}
"""CBF of healthy tissue, penumbra and core [mL/100 g/min]."""
BLOOD: Final[Mapping[str, tuple[float, float, float]]] = {"gm": (3.3, 3.7, 0.71), "wm": (1.9, 2.0, 0.42)}
"""CBV of the same [mL/100 g]. Healthy tissue and core: the Digital Brain Perfusion Phantom of
Aichert, Manhart et al. (University of Erlangen, 2013).

Penumbra has 0.57-0.6 of the healthy flow here (there: 0.3, which white matter shares with core), so
that a threshold at 30 % of the mixed contralateral median separates it from core in both tissues.
"""
PENUMBRA_DELAY_S, CORE_DELAY_S = 5.5, 7.6


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Everything about the head that does not change with time, shape `(x, y, z)` each.

    Parameters
    ----------
    grid
        The scanner's.
    pose
        Head to patient coordinates (RAS) [mm], shape `(4, 4)`.
    atlas, places
        The head, and lattice indices of two levels of each slice, shape `(3, x, y, z)` each.
    gm, wm, csf
        Parts of each voxel.
    arteries, collaterals, veins
        Vessels by the curve in them; collaterals are the arteries beyond an occlusion.
    inside
        Whether a voxel lies inside the skull.
    texture
        Random field of the tissue, not symmetric, SD 1.
    rows
        Voxels that contrast reaches; `kinetics` has one value for each.
    """

    grid: Grid
    pose: Float64s
    atlas: Atlas
    places: tuple[Float32s, Float32s]
    gm: Volume
    wm: Volume
    csf: Volume
    inside: Mask
    texture: Volume
    arteries: Filling
    collaterals: Filling
    veins: Filling
    lesion: Lesion
    rows: Mask
    kinetics: Kinetics

    def shown(self, values: Mapping[str, float], air: float) -> Volume:
        """Return an image of the head: a value for each class of the atlas, averaged over each slice."""
        image = np.full(self.atlas.outward.shape, air, dtype=np.float32)
        for name, value in values.items():
            image[getattr(self.atlas, name)] = value
        return sampled(image, self.places, fill=air)

    @property
    def midline(self) -> Midline:
        """The plane of symmetry (RAS)."""
        normal = self.pose[:3, 0]
        return Midline(normal, float(normal @ self.pose[:3, 3]), 1.0)


def scan_grid(shape: tuple[int, int, int]) -> Grid:
    """Return a grid that covers the field of view, axes to the left, back and head."""
    spacing = np.array(FIELD_OF_VIEW_MM) / shape
    affine = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
    affine[:3, 3] = np.array(SLAB_CENTRE_MM) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape, affine)


def set_scene(
    options: CtOptions | MrOptions, rng: np.random.Generator, motion: Float64s | None = None
) -> Scene:
    """Build a head, give it a lesion and lay it on a scanner's table.

    Parameters
    ----------
    options
        Shape of the scan, how the head lies, its lesion, and the seed of the head.
    rng
        Source of the lesion's outline and of texture; the same head again from the same state.
    motion
        How the head moved since it was laid down (RAS) [mm], shape `(4, 4)`; None for not at all.
    """
    shape, lesion_name, drawn = options.shape, options.lesion, options.physiology
    atlas = build_atlas(options.seed if options.head is None else options.head, drawn.atrophy_mm)
    grid = scan_grid(shape)
    pose = pose_matrix(np.array(options.pose), SLAB_CENTRE_MM)
    if motion is not None:
        pose = motion @ pose
    points = head_points(grid, pose, 0.0)
    places = (atlas.index(head_points(grid, pose, -0.25)), atlas.index(head_points(grid, pose, 0.25)))
    parts = {name: sampled(getattr(atlas, name).astype(np.float32), places) for name in ("gm", "wm", "csf")}
    inside = sampled(atlas.outward, places, fill=99.0) < 0.0
    lesion = place_lesion(rng, points, lesion_name, drawn.lesion_size, drawn.lesion_shift_mm)
    arteries, collaterals, veins = _vessels(grid, pose, lesion_name)
    rows = inside | (arteries.fraction + collaterals.fraction + veins.fraction > 0)
    texture = random_field(rng, 6.0)(points)
    kinetics = _kinetics(rng, points, (parts["gm"], parts["wm"], texture), lesion, (rows, drawn))
    return Scene(
        grid=grid,
        pose=pose,
        atlas=atlas,
        places=places,
        gm=parts["gm"],
        wm=parts["wm"],
        csf=parts["csf"],
        inside=inside,
        texture=texture,
        arteries=arteries,
        collaterals=collaterals,
        veins=veins,
        lesion=lesion,
        rows=rows,
        kinetics=kinetics,
    )


def head_points(grid: Grid, pose: Float64s, level: float) -> Float32s:
    """Return head coordinates of voxels [mm], shape `(3, x, y, z)`.

    Parameters
    ----------
    level
        Height within the slice [slices], 0 at its middle.
    """
    to_head = np.linalg.inv(pose) @ grid.affine
    i, j, k = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in grid.shape), indexing="ij", sparse=True)
    rows = [
        to_head[r, 0] * i + to_head[r, 1] * j + to_head[r, 2] * (k + level) + to_head[r, 3] for r in range(3)
    ]
    return np.stack(rows).astype(np.float32)


def sampled(volume: Float32s, places: tuple[Float32s, ...], fill: float = 0.0) -> Volume:
    """Return a volume of the atlas on the scanner's grid, averaged over levels of each slice."""
    total = sum(
        ndimage.map_coordinates(volume, place, order=1, mode="constant", cval=fill) for place in places
    )
    return np.asarray(total / len(places), dtype=np.float32)


def _vessels(grid: Grid, pose: Float64s, lesion: str) -> tuple[Filling, Filling, Filling]:
    """Return arteries, collaterals and veins; in the territory of an artery, it is occluded."""
    fed_by, _, side = lesion.rpartition("-")
    sick = {"right": 1, "left": -1}.get(side, 0)
    both = mirrored(ARTERIES)
    beyond = [vessel for vessel, where in both if vessel.fed_by == fed_by != "" and where == sick]
    healthy = [vessel for vessel, _ in both if vessel not in beyond]
    veins = [vessel for vessel, _ in mirrored((*VEINS, sagittal_sinus(), transverse_sinus()))]
    return fill(healthy, grid, pose), fill(beyond, grid, pose, COLLATERAL_S), fill(veins, grid, pose)


def _kinetics(
    rng: np.random.Generator,
    points: Float32s,
    tissue: tuple[Volume, Volume, Volume],
    lesion: Lesion,
    patient: tuple[Mask, Physiology],
) -> Kinetics:
    """Give each voxel that contrast reaches the flow, volume and delay of what fills it."""
    rows, drawn = patient
    gm, wm, texture = (part[rows] for part in tissue)
    hypo, core = lesion.hypoperfused[rows], lesion.core[rows]
    mirrored_points = np.stack([np.abs(points[0][rows]), points[1][rows], points[2][rows]])
    common = random_field(rng, 10.0)(mirrored_points)
    vary = drawn.flow * (1.0 + 0.02 * texture) * (1.0 + 0.05 * np.clip(common, -2, 2))
    cbf = vary * (gm * _mixed(FLOW["gm"], hypo, core) + wm * _mixed(FLOW["wm"], hypo, core))
    cbv = vary * (gm * _mixed(BLOOD["gm"], hypo, core) + wm * _mixed(BLOOD["wm"], hypo, core))
    cbv *= drawn.volume
    if drawn.decoupling > 0:
        cbf, cbv = (part * _straying(rng, (points, rows), gm, drawn.decoupling) for part in (cbf, cbv))
    perfused = cbf > 0.05
    mtt = np.where(perfused, 60.0 * cbv / np.where(perfused, cbf, 1.0), 4.0)
    healthy = np.clip(0.6 + 0.25 * common + 0.3 * wm, 0.0, 1.5)
    wave = 0.25 * np.clip(texture, -2, 2)
    late = PENUMBRA_DELAY_S + drawn.lesion_delay_s + wave
    delay = healthy + (late - healthy) * hypo + (CORE_DELAY_S - PENUMBRA_DELAY_S) * core
    return Kinetics(
        np.where(perfused, cbf, 0.0).astype(np.float32),
        quantised(mtt.astype(np.float32), MTT_STEP),
        quantised(delay.astype(np.float32), DELAY_STEP),
        drawn.dispersion_s,
    )


def _straying(
    rng: np.random.Generator, place: tuple[Float32s, Mask], gm: Float32s, spread: float
) -> Float32s:
    """Return a factor that no image without contrast shows: smooth in space, times one of all grey matter."""
    points, rows = place
    smooth = random_field(rng, 14.0)(np.stack([axis[rows] for axis in points]))
    of_grey = np.float32(rng.standard_normal())
    return np.asarray(np.exp(spread * (np.clip(smooth, -2, 2) + of_grey * gm)), dtype=np.float32)


def _mixed(values: tuple[float, float, float], hypo: Float32s, core: Float32s) -> Float32s:
    healthy, penumbra, dead = (np.float32(value) for value in values)
    return np.asarray(healthy + (penumbra - healthy) * hypo + (dead - penumbra) * core, dtype=np.float32)


def true_volumes(scene: Scene, residue: Residue) -> dict[str, Volume]:
    """Return true CBF, CBV, MTT, delay and Tmax, shape `(x, y, z)`.

    Tmax counts dispersion as a delay by its mean.
    """
    kinetics = scene.kinetics
    late = kinetics.delay + np.float32(kinetics.dispersion_s)
    flat = {
        "CBF": kinetics.cbf,
        "CBV": kinetics.cbf * kinetics.mtt / np.float32(60.0),
        "MTT": kinetics.mtt,
        "delay": kinetics.delay,
        "Tmax": ideal_tmax(kinetics.mtt, late, residue),
    }
    volumes = {}
    for name, values in flat.items():
        volume = np.full(scene.grid.shape, np.nan, dtype=np.float32)
        volume[scene.rows] = values
        volumes[name] = volume
    return volumes


def true_masks(scene: Scene, volumes: Mapping[str, Volume]) -> tuple[dict[str, Mask], dict[str, float]]:
    """Return true masks, and the volumes of the lesion's [mL].

    Core is where the lesion's core reaches and the true CBF is under 30 % of the median of the other
    side's tissue; hypoperfused is tissue whose ideal Tmax exceeds 6 s, and core.
    """
    grid, brain, gm, wm = scene.grid, scene.inside, scene.gm, scene.wm
    artery, vein = scene.arteries.fraction + scene.collaterals.fraction, scene.veins.fraction
    tissue = brain & (gm + wm > LEAST_TISSUE) & (artery + vein < 0.1)
    right = scene.midline.distance_mm(grid.position_mm(np.moveaxis(np.indices(grid.shape), 0, -1))) > 0
    other = right if scene.lesion.side == "left" else ~right
    reference = float(np.median(volumes["CBF"][tissue & other]))
    core = tissue & (scene.lesion.core > 0.02) & (volumes["CBF"] < 0.3 * reference)
    hypoperfused = tissue & (scene.lesion.hypoperfused > 0) & (volumes["Tmax"] > 6.0) | core
    masks = {
        "brain": brain,
        "tissue": tissue,
        "gm": tissue & (gm >= wm),
        "wm": tissue & (wm > gm),
        "csf": brain & (scene.csf > 0.5),
        "artery": artery >= 0.2,
        "vein": vein >= 0.2,
        "vascular": brain & (artery + vein >= VASCULAR),
        "core": core,
        "hypoperfused": hypoperfused,
        "penumbra": hypoperfused & ~core,
    }
    return masks, lesion_volumes(masks, grid)
