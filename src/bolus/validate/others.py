"""DSC-MRI that others simulated, with their truth: the OSIPI reference curves and the Bezier study."""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from bolus.core.arrays import Float32s, Float64s
from bolus.core.errors import UnreadableFile
from bolus.core.units import Modality, Unit
from bolus.core.vessel import VesselCurve
from bolus.physics.signal import delta_r2star
from bolus.validate import judges
from bolus.validate.curves import Sample, Tissues, concentration
from bolus.validate.judges import Tell
from bolus.validate.outcome import Outcome
from bolus.validate.rows import Conditions, Score
from bolus.validate.setup import Setup

CBV_TOLERANCE: Final = (0.1, 1.0)
"""Relative, and absolute [mL/100 mL]; both together, as in OSIPI's tests."""
CBF_TOLERANCE: Final = (0.1, 15.0)
"""Relative, and absolute [mL/100 mL/min]; both together, as in OSIPI's tests."""
BEZIER_DT_S: Final = 1.243
BEZIER_TE_S: Final = 0.029
BEZIER_CBV: Final = 4.0
"""Blood volume of every file of the Bezier study [mL/100 mL]."""
BEZIER_DELAYS_S: Final = {"low": 1.0, "medium": 3.0, "high": 6.0}
N_BASELINE: Final = 15
_OSIPI_COLUMNS: Final = "columns label, C_tis, C_aif, cbv, cbf, tr"
_BEZIER_NAME: Final = re.compile(
    r"St_disp_(?P<dispersed>[01])_exponential_lvl_(?P<dispersion>\w+?)_delay_(?P<late>[01])_lvl_(?P<delay>\w+?)"
    r"_resfunc_gamma_dist_lambda_(?P<shape>\d+)_cbf_(?P<cbf>\d+)\.nii(?:\.gz)?"
)


@dataclass(frozen=True, slots=True, eq=False)
class OsipiCase:
    """One of OSIPI's DSC reference curves.

    Parameters
    ----------
    name
        Its label.
    tissue, aif
        Concentration, shape `(t,)` each.
    dt
        Frame interval [s].
    cbf, cbv
        Truth [mL/100 mL/min] and [mL/100 mL].
    """

    name: str
    tissue: Float64s
    aif: Float64s
    dt: float
    cbf: float
    cbv: float


@dataclass(frozen=True, slots=True, eq=False)
class BezierFile:
    """Voxels of one file of the Bezier study.

    Parameters
    ----------
    curves
        dR2* on the scale of the arterial curve [1/s], shape `(voxels, t)`.
    cbf, delay_s
        Truth [mL/100 mL/min] and [s].
    dispersion
        `none`, `low`, `medium` or `high`.
    shape
        Of the gamma-distributed transit times: 1 is exponential, 100 nearly a box.
    """

    name: str
    curves: Float64s
    cbf: float
    delay_s: float
    dispersion: str
    shape: int


def read_osipi(folder: Path) -> list[OsipiCase]:
    """Read the DSC curves of OSIPI's DCE-DSC-MRI_CodeCollection from `dsc_data.csv`.

    Raises
    ------
    UnreadableFile
        If the file is missing or holds something else.
    """
    path, what = folder / "dsc_data.csv", "OSIPI's DSC curves"
    try:
        with path.open(encoding="utf-8") as file:
            cases = [_osipi_case(line) for line in csv.DictReader(file)]
    except (OSError, KeyError, ValueError, AttributeError, csv.Error) as error:
        raise _unreadable(what, path, _OSIPI_COLUMNS, error) from error
    if not cases:
        raise _unreadable(what, path, _OSIPI_COLUMNS, None)
    return cases


def _osipi_case(line: dict[str, str]) -> OsipiCase:
    return OsipiCase(
        line["label"],
        _numbers(line["C_tis"]),
        _numbers(line["C_aif"]),
        float(line["tr"]),
        float(line["cbf"]),
        float(line["cbv"]),
    )


def _numbers(text: str) -> Float64s:
    return np.array(text.strip("[] \n").split(), dtype=np.float64)


def osipi(folder: Path) -> list[Setup]:
    """Return one setting a reference curve of OSIPI.

    References
    ----------
    OSIPI DCE-DSC-MRI_CodeCollection, https://github.com/OSIPI/DCE-DSC-MRI_CodeCollection
    """
    return [_osipi_setup(case) for case in read_osipi(folder)]


def _osipi_setup(case: OsipiCase) -> Setup:
    tissues = _tissue(case.cbf, case.cbv, float("nan"))
    sample = _sample(tissues, case.tissue[None, :], case.aif, case.dt)
    return Setup("osipi", {"case": case.name}, lambda _rng: [sample], (judges.errors, within_tolerance))


def within_tolerance(outcome: Outcome, tell: Tell) -> Iterator[Score]:
    """Yield whether flow and volume lie within OSIPI's tolerances: 1 or 0."""
    for quantity, (relative, absolute) in {"CBF": CBF_TOLERANCE, "CBV": CBV_TOLERANCE}.items():
        true, found = float(outcome.truth[quantity][0]), float(outcome.values[quantity][0, 0])
        is_within = abs(found - true) <= relative * true + absolute
        yield Score(tell(), quantity, "within_tolerance", float(is_within), 1, int(not np.isfinite(found)))


def read_bezier(folder: Path) -> tuple[list[BezierFile], Float64s]:
    """Read the simulated signal of Chakwizira et al. and turn it into relaxation rates.

    The folder holds `varying_residue_function/` with `aif.nii`, the relaxivities `kappa_*.mat` and
    images, and `delay_dispersion/` with more images. The truth stands in their names.

    Returns
    -------
    The files, and the arterial curve [1/s], shape `(t,)`.

    Raises
    ------
    UnreadableFile
        If a file is missing or holds something else.

    References
    ----------
    Chakwizira et al., MAGMA 35:791-804 (2022), doi:10.1007/s10334-021-00995-0
    """
    home = folder / "varying_residue_function"
    try:
        aif = _rates(home / "aif.nii")[0]
        found = [
            (path, _BEZIER_NAME.fullmatch(path.name)) for path in sorted(folder.glob("*/St_disp_*.nii*"))
        ]
        files = [_bezier_file(path, match.groupdict(), home) for path, match in found if match]
    except (OSError, ValueError, KeyError, ImageFileError, MatReadError) as error:
        wanted = "varying_residue_function/aif.nii, kappa_*.mat, and images beside them"
        raise _unreadable("the Bezier study", folder, wanted, error) from error
    if not files:
        raise _unreadable("the Bezier study", folder, "images named St_disp_*_cbf_*.nii", None)
    return files, aif


def _bezier_file(path: Path, said: dict[str, str], home: Path) -> BezierFile:
    scale = _constant(home / "kappa_a.mat") / _constant(home / f"kappa_s_lam{said['shape']}.mat")
    return BezierFile(
        f"{path.parent.name}/{path.name}",
        _rates(path) * scale,
        float(said["cbf"]),
        BEZIER_DELAYS_S[said["delay"]] if said["late"] == "1" else 0.0,
        said["dispersion"] if said["dispersed"] == "1" else "none",
        int(said["shape"]),
    )


def _rates(path: Path) -> Float64s:
    """Return the relaxation rates [1/s] of an image's voxels, shape `(voxels, t)`."""
    with _quiet():
        image: Any = nib.load(path)
        signal = np.asarray(image.dataobj, dtype=np.float64)
    signal = signal.reshape(-1, signal.shape[-1])
    baseline = signal[:, :N_BASELINE].mean(axis=1, keepdims=True)
    return delta_r2star(signal, baseline, BEZIER_TE_S).astype(np.float64)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep nibabel from saying that the headers of curves have no voxel size."""
    logger = logging.getLogger("nibabel.global")
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before


def _constant(path: Path) -> float:
    """Return the one number of a `.mat` file of the same name."""
    return float(loadmat(path)["kappa_a" if path.stem == "kappa_a" else "kappa_s"].item())


def bezier(folder: Path) -> list[Setup]:
    """Return one setting a file of the Bezier study."""
    files, aif = read_bezier(folder)
    return [_bezier_setup(file, aif) for file in files]


def _bezier_setup(file: BezierFile, aif: Float64s) -> Setup:
    sample = _sample(_tissue(file.cbf, BEZIER_CBV, file.delay_s), file.curves, aif, BEZIER_DT_S)
    conditions: Conditions = {
        "file": file.name, "dispersion": file.dispersion, "shape": float(file.shape),
    }  # fmt: skip
    return Setup("bezier", conditions, lambda _rng: [sample], (judges.errors,))


def _tissue(cbf: float, cbv: float, delay: float) -> Tissues:
    return Tissues(("tissue",), np.array([cbf]), np.array([60.0 * cbv / cbf]), np.array([delay]))


def _sample(tissues: Tissues, curves: Float64s, aif: Float64s, dt: float) -> Sample:
    times = np.arange(aif.size, dtype=np.float64) * dt
    rows: Float32s = curves.astype(np.float32)
    return Sample(
        tissues,
        tissues.truth("gamma"),
        concentration(rows, times, Modality.MR, Unit.PER_SECOND, float(rows[:, :N_BASELINE].std())),
        VesselCurve("AIF", times, aif, Unit.PER_SECOND, "file"),
        is_per_volume=True,
    )


def _unreadable(what: str, where: Path, wanted: str, error: Exception | None) -> UnreadableFile:
    return UnreadableFile(
        f"{what} cannot be read",
        wanted=wanted,
        found="none" if error is None else str(error),
        where=where,
        remedy="Give the folder that was downloaded, or leave the option out.",
    )
