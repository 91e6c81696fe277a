"""The experiments on simulated CT curves, each a function from an effort to settings.

Three tissues stand for a stroke: normal, penumbra and core, supplied by one artery. One thing is varied at a
time; the rest is as in `Scan`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np

from bolus.phantom.kudo import CBVS, DELAYS, MTTS
from bolus.physics.transport import RESIDUES
from bolus.validate import judges
from bolus.validate.curves import Sample, Scan, Tissues, simulate
from bolus.validate.dsc import dsc
from bolus.validate.judges import Judge
from bolus.validate.setup import Effort, Setup

NOISES_HU: Final = (0.0, 0.5, 1.0, 2.0, 4.0)
SHIFTS_S: Final = tuple(float(d) for d in range(-2, 9))
DISPERSIONS_S: Final = (0.0, 1.5, 3.0)
INTERVALS_S: Final = (0.5, 1.0, 1.5, 2.0, 3.0)
LENGTHS_S: Final = (30.0, 40.0, 45.0, 60.0, 90.0)
USUAL_HU: Final = 1.0
"""Noise where it is not varied [HU]: that of a CT scan after the noise filter."""
KUDO: Final = Scan(dt_s=2.0, duration_s=60.0)
"""Timing of the CT version of the grid: 30 frames."""

THREE: Final = Tissues(
    ("normal", "penumbra", "core"),
    np.array([60.0, 24.0, 11.25]),
    np.array([4.0, 10.0, 8.0]),
    np.array([0.0, 5.0, 6.0]),
)
"""Normal tissue and penumbra of CBV 4 mL/100 g, core of 1.5; MTT 4, 10 and 8 s; delay 0, 5 and 6 s."""


def noise(effort: Effort) -> list[Setup]:
    """Vary noise and the shape of the residue."""
    judged = (judges.errors, judges.coverage, judges.core)
    return [_ct("noise", THREE, scan, effort, judged) for scan in _crossed(Scan(), effort)]


def core(effort: Effort) -> list[Setup]:
    """Vary noise in a lesion whose flow is spread evenly over 5-59 % of normal; MTT 8 s, delay 6 s."""
    lesion = 60.0 * np.arange(0.05, 0.60, 0.02)
    flow = np.append(60.0, lesion)
    graded = Tissues(
        ("normal", *("lesion",) * lesion.size),
        flow,
        np.where(flow == 60.0, 4.0, 8.0),
        np.where(flow == 60.0, 0.0, 6.0),
    )
    few = replace(effort, tissue_voxels=-(-effort.tissue_voxels // 5))
    return [_ct("core", graded, Scan(noise_hu=sd), few, (judges.core_volume,)) for sd in NOISES_HU]


def delay(effort: Effort) -> list[Setup]:
    """Vary the delay of each tissue, from two seconds before the artery."""
    n = len(SHIFTS_S)
    shifted = Tissues(
        tuple(name for name in THREE.names for _ in range(n)),
        np.repeat(THREE.cbf, n),
        np.repeat(THREE.mtt, n),
        np.tile(np.array(SHIFTS_S), len(THREE.names)),
    )
    few = replace(effort, tissue_voxels=-(-effort.tissue_voxels // 2))
    return [_ct("delay", shifted, Scan(), few, (judges.errors, judges.delays))]


def dispersion(effort: Effort) -> list[Setup]:
    """Widen the bolus between the artery and the tissue."""
    scans = [Scan(dispersion_s=tau) for tau in DISPERSIONS_S]
    return [_ct("dispersion", THREE, scan, effort, (judges.errors,)) for scan in scans]


def sampling(effort: Effort) -> list[Setup]:
    """Vary the frame interval."""
    return [
        _ct("sampling", THREE, Scan(dt_s=dt), effort, (judges.errors,), effort.offsets) for dt in INTERVALS_S
    ]


def length(effort: Effort) -> list[Setup]:
    """Vary when the scan ends."""
    return [_ct("length", THREE, Scan(duration_s=end), effort, (judges.errors,)) for end in LENGTHS_S]


def kudo(effort: Effort) -> list[Setup]:
    """Vary volume, transit time and delay at once, on the grid of Kudo et al.

    References
    ----------
    Kudo et al., Radiology 267:201-211 (2013), doi:10.1148/radiol.12112618
    """
    volume, transit, late = (a.ravel() for a in np.meshgrid(CBVS, MTTS, DELAYS, indexing="ij"))
    tiles = Tissues(("tile",) * volume.size, 60.0 * volume / transit, transit, late)
    judged = (judges.grid, judges.coverage_of_all)
    few = replace(effort, tissue_voxels=effort.tile_voxels)
    return [_ct("kudo", tiles, scan, few, judged) for scan in _crossed(KUDO, effort)]


def _crossed(scan: Scan, effort: Effort) -> list[Scan]:
    """Return a scan with every noise and residue shape that the effort allows."""
    pairs = [(residue, sd) for residue in RESIDUES for sd in NOISES_HU]
    kept = [(r, sd) for r, sd in pairs if effort.is_crossed or r == "exponential" or sd == USUAL_HU]
    return [replace(scan, residue=residue, noise_hu=sd) for residue, sd in kept]


def _ct(
    name: str,
    tissues: Tissues,
    scan: Scan,
    effort: Effort,
    judged: tuple[Judge, ...],
    n_offsets: int = 1,
) -> Setup:
    n_voxels = -(-effort.tissue_voxels // n_offsets)

    def make(rng: np.random.Generator) -> Sequence[Sample]:
        shifts = [scan.dt_s * i / n_offsets for i in range(n_offsets)]
        return [simulate(tissues, replace(scan, offset_s=shift), n_voxels, rng) for shift in shifts]

    return Setup(name, scan.conditions(), make, judged)


EXPERIMENTS: Final[Mapping[str, Callable[[Effort], list[Setup]]]] = MappingProxyType(
    {
        "noise": noise,
        "core": core,
        "delay": delay,
        "dispersion": dispersion,
        "sampling": sampling,
        "length": length,
        "kudo": kudo,
        "dsc": dsc,
    }
)
"""Experiments by name, in the order of reading."""
