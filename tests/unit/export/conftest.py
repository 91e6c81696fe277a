"""A result as a run would give it, made from formulas: a head with a lesion in the right half."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from bolus.core.brain import Brain, Midline
from bolus.core.finding import Finding, Severity
from bolus.core.grid import Grid
from bolus.core.lesion import Intervals, Lesions, TrialLabel
from bolus.core.maps import Map
from bolus.core.recipe import DEFAULT
from bolus.core.result import MotionTrace, Result, TissueCurves
from bolus.core.series import Acquisition
from bolus.core.units import Modality, Unit
from bolus.core.vessel import VesselCurve, Vessels

TIMES = np.arange(0, 60, 1.5)


def head(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Grid:
    x, y, z = spacing
    affine = np.diag([-x, -y, z, 1.0])
    affine[:3, 3] = [x * (shape[0] - 1) / 2, y * (shape[1] - 1) / 2, 10.0]
    return Grid(shape, affine)


def bolus(delay: float, width: float, peak: float) -> np.ndarray:
    t = np.maximum(TIMES - delay, 0) / width
    return peak * (t**3) * np.exp(3 * (1 - t))


def lesion_masks(grid: Grid, tissue: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    place = grid.position_mm(np.moveaxis(np.indices(grid.shape), 0, -1))
    middle_z = float(place[..., 2].mean())
    centre = np.array([48.0, -5.0, middle_z])
    far = np.linalg.norm((place - centre) / np.array([24.0, 38.0, 34.0]), axis=-1)
    near = np.linalg.norm((place - centre - [-6, 0, 0]) / np.array([13.0, 19.0, 16.0]), axis=-1)
    return (near < 1) & tissue, (far < 1) & tissue


def volumes(core: np.ndarray, low: np.ndarray, grid: Grid) -> dict[str, float]:
    a, b = (float(np.count_nonzero(m)) * grid.voxel_ml for m in (core, low))
    return {
        "core": a, "hypoperfused": b, "penumbra": b - a, "core_unfiltered": a * 1.1,
        "hypoperfused_unfiltered": b * 1.05, "tmax>4s": 1.4 * b, "tmax>6s": b, "tmax>8s": 0.6 * b,
        "tmax>10s": 0.3 * b, "cbf<20%": 0.5 * a, "cbf<30%": a, "cbf<34%": 1.2 * a, "cbf<38%": 1.5 * a,
    }  # fmt: skip


def lesions_of(grid: Grid, tissue: np.ndarray) -> Lesions:
    core, low = lesion_masks(grid, tissue)
    ml = volumes(core, low, grid)
    return Lesions(
        rule="rapid",
        core=core,
        hypoperfused=low,
        tissue=tissue,
        side="right",
        midline=Midline(np.array([1.0, 0.0, 0.0]), 0.0, 0.97),
        reference={"CBF": 42.0, "CBV": 3.4, "MTT": 4.9, "Tmax": 1.6},
        volumes_ml=ml,
        mismatch_ml=ml["hypoperfused"] - ml["core"],
        mismatch_ratio=ml["hypoperfused"] / ml["core"],
        hypoperfusion_intensity_ratio=0.3,
        cbv_index=0.82,
        labels=(
            TrialLabel(
                "DEFUSE 3", True, "core < 70 mL, ratio >= 1.8, mismatch >= 15 mL: 20.1 mL, 6.0, 101 mL"
            ),
            TrialLabel("DAWN", None, "core < 21, 31 or 51 mL by age and NIHSS, which images do not give"),
        ),
        methods=("RAPID-like, not the vendor's software: core where CBF < 30 % of healthy tissue.",),
        criteria={
            "rule": "RAPID-like, not the vendor's software",
            "core": "CBF < 30 % of healthy tissue",
            "hypoperfused": "Tmax > 6 s",
        },
    )


def tissue_values(grid: Grid, tissue: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    core, low = lesion_masks(grid, tissue)
    grey = ndimage.gaussian_filter(rng.normal(size=grid.shape), (6, 6, 1)) > 0
    blur = [2.5 / s for s in grid.spacing_mm]
    soft_low = ndimage.gaussian_filter(low.astype(float), blur)
    soft_core = ndimage.gaussian_filter(core.astype(float), blur)
    flow = np.where(grey, 52.0, 24.0) * (1 - 0.5 * soft_low) * (1 - 0.7 * soft_core)
    blood = np.where(grey, 4.0, 2.0) * (1 - 0.6 * soft_core)
    tmax = 1.5 + 6.5 * soft_low + 3.5 * soft_core
    noise = ndimage.gaussian_filter(rng.normal(size=grid.shape), (1, 1, 0))
    made = {"CBF": flow * (1 + 0.5 * noise), "CBV": blood * (1 + 0.3 * noise), "Tmax": tmax + 1.5 * noise}
    made["MTT"] = 60 * made["CBV"] / np.maximum(made["CBF"], 2)
    made["TTP"] = 6 + made["Tmax"] + noise
    return made


UNITS = {"CBF": Unit.FLOW, "CBV": Unit.VOLUME, "MTT": Unit.SECOND, "Tmax": Unit.SECOND, "TTP": Unit.SECOND}


def anatomy(grid: Grid, rng: np.random.Generator) -> tuple[np.ndarray, Brain]:
    place = grid.position_mm(np.moveaxis(np.indices(grid.shape), 0, -1))
    place = place - [0, 0, float(place[..., 2].mean()) - 25]
    squeeze = np.sqrt(np.maximum(1 - (place[..., 2] / 95.0) ** 2, 0.05))
    radius = np.hypot(place[..., 0] / (68 * squeeze), place[..., 1] / (84 * squeeze))
    ventricle = np.hypot((np.abs(place[..., 0]) - 9) / 6, place[..., 1] / 26) < 1
    inside = radius < 1
    csf = inside & (ventricle | (radius > 0.965))
    underlay = np.where(inside, 33.0, -1000.0)
    underlay = np.where(csf, 8.0, underlay)
    underlay = np.where((radius >= 1) & (radius < 1.09), 900.0, underlay)
    underlay = np.where((radius >= 1.09) & (radius < 1.16), 45.0, underlay)
    underlay = underlay + rng.normal(0, 3, grid.shape)
    return underlay.astype(np.float32), Brain(inside=inside, tissue=inside & ~csf, csf=csf)


def vessel(name: str, grid: Grid, place: tuple[float, float, float], values: np.ndarray) -> VesselCurve:
    i, j, k = np.round(grid.index_of(place)).astype(int)
    k = int(np.clip(k, 0, grid.shape[2] - 1))
    voxels = np.array([[i + a, j + b, k] for a in (-1, 0, 1) for b in (0, 1, 2)])
    quality = {"peak": float(values.max()), "fwhm_s": 8.2, "ttp_s": 16.5, "tail": 0.14, "cnr": 40.0}
    quality |= {"arrival_s": 9.0, "auc": 3000.0, "roughness": float("nan"), "gamma_r2": 0.98}
    return VesselCurve(name, TIMES, values, Unit.HU, f"automatic {name}", voxels, quality)


def motion_trace(rng: np.random.Generator) -> MotionTrace:
    steps = np.cumsum(rng.normal(0, 0.05, (TIMES.size, 6)), axis=0)
    steps[12:20, 0] += 3.4
    steps[12:20, 5] -= 2.2
    similarity = np.full(TIMES.size, 0.97)
    return MotionTrace(steps, "mean of the baseline frames", (17, 31), similarity)


def build(
    shape: tuple[int, int, int] = (48, 56, 5), spacing: tuple[float, float, float] = (4.0, 4.0, 12.0)
) -> Result:
    rng = np.random.default_rng(5)
    grid = head(shape, spacing)
    underlay, brain = anatomy(grid, rng)
    made = tissue_values(grid, brain.tissue, rng)
    shown = {n: np.where(brain.inside, v, np.nan).astype(np.float32) for n, v in made.items()}
    aif, vof = bolus(6.0, 7.5, 310.0), bolus(11.0, 8.5, 420.0)
    middle = float(grid.position_mm((0, 0, shape[2] // 2))[2])
    return Result(
        modality=Modality.CT,
        acquisition=Acquisition(
            description="CTP Head 1.5 s", source="dicom", manufacturer="SIMULATED", model="Phantom 1",
            kvp=80.0, thickness_mm=5.0, study_uid="1.2.3", series_uid="1.2.3.4", frame_uid="1.2.3.5",
            clock="AcquisitionTime", n_files=640,
        ),
        grid=grid,
        times=TIMES,
        underlay=underlay,
        steps=("motion: rigid, reference baseline", "filter: bilateral, 3 mm, 20 HU"),
        recipe=DEFAULT.settled(Modality.CT),
        motion=motion_trace(rng),
        brain=brain,
        baseline=(0, 5),
        noise=1.2,
        vessels=Vessels(
            vessel("AIF", grid, (-20.0, 25.0, middle), aif),
            vessel("VOF", grid, (0.0, -70.0, middle), vof),
            1.31,
        ),
        curves=TissueCurves(
            TIMES,
            {"core": bolus(14, 10, 3.0), "hypoperfused": bolus(13, 9, 7.0), "healthy": bolus(8, 8, 11.0)},
            Unit.HU,
        ),
        maps={n: Map(n, v, UNITS[n], grid) for n, v in shown.items()},
        lesions=lesions_of(grid, brain.tissue),
        findings=(
            Finding("MOTION", Severity.WARN, "The head moved by up to 3.4 mm (limit 3 mm).", 3.4),
            Finding("COVERAGE", Severity.INFO, "The scan covers 80 mm of the head.", 80.0),
        ),
        timings_s={"read": 2.1, "motion": 31.2, "filter": 6.0, "deconvolve": 7.7},
        versions={"python": "3.11.2", "bolus": "0.1.0", "numpy": "2.4.6"},
    )  # fmt: skip


@pytest.fixture(scope="session")
def small_result() -> Result:
    return build()


@pytest.fixture(scope="session")
def sure_result(small_result: Result) -> Result:
    """The same, with intervals of its volumes."""
    lesions = small_result.lesions
    assert lesions is not None
    known = {**lesions.volumes_ml, "mismatch": lesions.mismatch_ml}
    tissue = small_result.brain.tissue
    chance = {
        name: np.where(tissue, ndimage.gaussian_filter(mask.astype(np.float32), 1.0), np.nan)
        for name, mask in (("core", lesions.core), ("hypoperfused", lesions.hypoperfused))
    }
    intervals = Intervals(
        level=0.9,
        n_samples=100,
        volumes_ml={name: (0.9 * v, 1.2 * v) for name, v in known.items() if not name.startswith("cbf<2")},
        sd_ml={name: 0.1 * v for name, v in known.items()},
        chance={name: volume.astype(np.float32) for name, volume in chance.items()},
    )
    return replace(small_result, lesions=replace(lesions, intervals=intervals))


@pytest.fixture
def make_result(small_result: Result) -> Callable[..., Result]:
    def make(**changes: Any) -> Result:
        return replace(small_result, **changes)

    return make
