"""Who is scanned and how: patients of sites A and B, others whose flow strays from anatomy, and a grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from bolus import phantom
from bolus.core.arrays import Volume
from bolus.core.series import Series
from bolus.core.units import Modality
from bolus.deconvolve import METHODS
from bolus.learn import MAPPERS, cohort
from bolus.learn.making import orders
from bolus.phantom import CtOptions, KudoOptions, MrOptions, Study

FIRST_SEED = 77_000
"""No network was trained on patients of it."""
SITES = ("A", "B", "decoupled")
GRID = "Kudo"
SIZE, N_SLICES = 96, 6
CT_DT_S = 1.0
"""Interval of all CT scans [s]: a third of the frames is the coarsest that a run still reads lesions from."""
LESIONS = ("mca-right", "mca-left", "blob-right", "none", "aca-left", "pca-right")
SHAPES = ("exponential", "linear", "box")
"""Residues of the grids, which stand in for its patients."""
TILE_PX = 12

Options = CtOptions | MrOptions | KudoOptions


@dataclass(frozen=True)
class Setting:
    """Noise [HU], None for what the site draws, and that every `step`-th frame is kept."""

    name: str
    noise_hu: float | None
    step: int = 1


CT_SETTINGS = (
    Setting("1.5 HU", 1.5),
    Setting("3 HU", 3.0),
    Setting("6 HU", 6.0),
    Setting("3 HU, 1/2", 3.0, 2),
    Setting("3 HU, 1/3", 3.0, 3),
)
MR_SETTINGS = (Setting("all", None), Setting("1/2", None, 2), Setting("1/3", None, 3))
USUAL = {"CT": "3 HU", "MR": "all"}


@dataclass(frozen=True)
class Exam:
    """One scan of one patient, size in pixels along a side."""

    modality: str
    site: str
    number: int
    setting: Setting
    size: int = SIZE

    @property
    def name(self) -> str:
        """Name for a file."""
        words = f"{self.modality} {self.site} {self.number:02} {self.setting.name}"
        return words.replace("/", "of").replace(",", "").replace(" ", "-")

    @property
    def patient(self) -> str:
        """Who it is."""
        return f"{self.site}-{self.number}"

    @property
    def methods(self) -> tuple[str, ...]:
        """Every method for the modality; networks that look for a head have none on the grid."""
        fitting = [name for name, mapper in MAPPERS.items() if Modality(self.modality) in mapper.modalities]
        blind = [name for name in fitting if not (self.site == GRID and MAPPERS[name].takes_frames)]
        return (*METHODS, *blind)

    def options(self) -> Options:
        """Draw the patient as cohorts do, with slices, interval, noise and lesion of this comparison."""
        if self.site == GRID:
            return KudoOptions(
                residue=SHAPES[self.number], dt=CT_DT_S, n_frames=60, noise_hu=self.setting.noise_hu or 0.0,
                tile_px=TILE_PX * self.size // SIZE, seed=FIRST_SEED,
            )  # fmt: skip
        order = orders(self.number + 1, seed=FIRST_SEED, setting=self.site, size=self.size)[self.number]
        same = {"motion": False, "lesion": LESIONS[self.number % len(LESIONS)]}
        shape = (self.size, self.size, N_SLICES)
        if self.modality == "MR":
            return replace(cohort.mr_options(order), shape=shape, **same)
        drawn = cohort.ct_options(order)
        n_frames = round(drawn.n_frames * drawn.dt / CT_DT_S)
        noise = {} if self.setting.noise_hu is None else {"noise_hu": self.setting.noise_hu}
        return replace(drawn, shape=shape, dt=CT_DT_S, n_frames=n_frames, **same, **noise)

    def scan(self) -> tuple[Study, Series, dict[str, Volume]]:
        """Return the study with all its frames, the series as it is read, and the true maps."""
        study, truth = simulated(self.options())
        return study, thinned(study.series, self.setting.step), truth


@lru_cache(maxsize=2)
def simulated(options: Options) -> tuple[Study, dict[str, Volume]]:
    """Simulate a study and its true maps; `centre` is the Tmax of a box-shaped residue."""
    if isinstance(options, KudoOptions):
        study = phantom.kudo(options)
        maps = {name: np.asarray(found.values) for name, found in study.truth.maps.items()}
        return study, maps | {"centre": maps["delay"] + np.float32(0.5) * maps["MTT"]}
    study = phantom.mr(options) if isinstance(options, MrOptions) else phantom.ct(options)
    return study, cohort.true_maps(study, options)


def thinned(series: Series, step: int) -> Series:
    """Return a series of every `step`-th frame."""
    return replace(series, frames=series.frames[..., ::step], times=series.times[..., ::step])


def exams(n_patients: int) -> Iterator[Exam]:
    """Yield the scans of `n_patients` of each site and of the grids, so that a stopped run is balanced."""
    for number in range(n_patients):
        for modality, settings in (("CT", CT_SETTINGS), ("MR", MR_SETTINGS)):
            for site in SITES:
                yield from (Exam(modality, site, number, setting) for setting in settings)
        if number < len(SHAPES):
            yield from (Exam("CT", GRID, number, setting) for setting in CT_SETTINGS)
