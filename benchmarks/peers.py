"""Other programs on the same curves, side by side: seconds and accuracy.

Seven flows (10-70 mL/100 g/min) by seven transit times (4-20 s) by seven delays (-2 to 8 s), 64 voxels
each, 60 frames of 1 s; arterial curve a gamma-variate of peak 300, known without noise. Tissue is convolved
every 0.02 s, with density and ratio of haematocrits 1 for everyone. White noise is 0.3 or 1 % of the
arterial peak. Seconds are those from curves to maps for 222 264 voxels, the same curves again and again,
after calls to warm up.

A peer runs by its own interpreter, in an environment under `benchmarks/.peers` that is made when it is
missing; one that cannot be had is a row that says why.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import bolus
from benchmarks.clock import Taken, best
from bolus.core.grid import Grid
from bolus.core.series import Concentration
from bolus.core.units import TISSUE_SCALE, Modality, Unit
from bolus.core.vessel import VesselCurve
from bolus.deconvolve import deconvolve
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import RESIDUES, tissue_curves
from bolus.quantify import make_maps

FLOWS, TRANSITS_S = np.arange(10.0, 71.0, 10.0), np.linspace(4.0, 20.0, 7)
DELAYS_S = np.array([-2.0, 0.0, 1.0, 2.0, 4.0, 6.0, 8.0])
N_EACH, N_TIMED, N_FRAMES, PEAK = 64, 126 * 126 * 14, 60, 300.0
CASES = tuple((residue, percent) for residue in ("exponential", "box") for percent in (0.3, 1.0))
OURS = ("osvd", "csvd", "box", "posterior")
MAPS = ("CBF", "MTT", "Tmax")
ENVIRONMENTS = Path(__file__).parent / ".peers"
Found = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Peer:
    """A program that installs from PyPI: its package, the Python it needs, and its methods."""

    package: str
    python: tuple[int, int]
    methods: tuple[str, ...]


PEERS = (Peer("osipy", (3, 12), ("oSVD", "cSVD", "sSVD")),)


class NoPeerError(Exception):
    """Why a peer cannot run here."""


def run() -> list[dict[str, object]]:
    """Return a row a method and case; the seconds of a method stand in all its rows."""
    truth = dict(
        zip(("CBF", "MTT", "delay"), map(np.ravel, np.meshgrid(FLOWS, TRANSITS_S, DELAYS_S)), strict=True)
    )
    curves = {_label(*case): _curves(truth, *case) for case in CASES}
    rows = [
        _row(f"bolus {method}", bolus.__version__, taken, case, _judged(found, truth))
        for method in OURS
        for case, taken, found in _ours(method, curves)
    ]
    for peer in PEERS:
        try:
            for method in peer.methods:
                version, taken, maps = _theirs(peer, method, curves)
                rows += [
                    _row(f"{peer.package} {method}", version, taken, case, _judged(maps[case], truth))
                    for case in curves
                ]
        except NoPeerError as reason:
            rows.append(_row(peer.package, f"skipped: {reason}", None, "", {}))
    return rows


def _label(residue: str, percent: float) -> str:
    return f"{residue}, {percent:g} %"


def _arterial(times: NDArray[np.float64]) -> NDArray[np.float64]:
    return GammaVariate(PEAK, 10.0, 3.0, 1.5)(times)


def _curves(truth: Mapping[str, NDArray[np.float64]], residue: str, percent: float) -> NDArray[np.float32]:
    """Return noisy curves, tile after tile, shape `(tiles * N_EACH, t)`."""
    times = np.arange(float(N_FRAMES))
    parameters = (truth["CBF"] * TISSUE_SCALE, truth["MTT"], truth["delay"])  # density and haematocrit of 1
    clean = tissue_curves(_arterial, times, parameters, residue=RESIDUES[residue], fine_dt=0.02)
    noise = np.random.default_rng(7).standard_normal((len(clean) * N_EACH, N_FRAMES), dtype=np.float32)
    noisy = np.repeat(clean, N_EACH, axis=0) + noise * (PEAK * percent / 100)
    return noisy.astype(np.float32)


def _timed(curves: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.resize(curves[_label(*CASES[0])], (N_TIMED, N_FRAMES))


def _ours(method: str, curves: Mapping[str, NDArray[np.float32]]) -> Iterator[tuple[str, Taken, Found]]:
    def maps(rows: NDArray[np.float32]) -> Found:
        times, mask = np.arange(float(N_FRAMES)), np.ones((len(rows), 1, 1), dtype=bool)
        grid = Grid(mask.shape, np.diag([1.0, 1.0, 5.0, 1.0]))
        scan = Concentration(rows, times, mask, grid, Modality.CT, Unit.HU, (0, 9), 1.0)
        artery = VesselCurve("AIF", times, _arterial(times), Unit.HU, "simulated")
        made = make_maps(deconvolve(scan, artery, method=method), scan, artery)
        found = {name: made[name].values.ravel() for name in MAPS}
        return {**found, "CBF": found["CBF"] / np.float32(TISSUE_SCALE)}

    solved = {case: maps(rows) for case, rows in curves.items()}
    many = _timed(curves)
    taken = best(lambda: maps(many))
    yield from ((case, taken, found) for case, found in solved.items())


def _theirs(
    peer: Peer, method: str, curves: Mapping[str, NDArray[np.float32]]
) -> tuple[str, Taken, Mapping[str, Found]]:
    script = Path(__file__).with_name(f"peer_{peer.package}.py")
    with tempfile.TemporaryDirectory() as folder:
        given, result = Path(folder) / "given.npz", Path(folder) / "result.npz"
        times = np.arange(float(N_FRAMES))
        np.savez(given, times=times, aif=_arterial(times), timed=_timed(curves), **curves)
        command = [str(environment(peer)), str(script), method, str(given), str(result)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoPeerError(f"{method} failed: {_last_line(done.stderr)}")
        with np.load(result) as file:
            maps = {case: {name: file[f"{case}/{name}"] for name in MAPS} for case in curves}
            return str(file["version"]), Taken(*map(float, file["taken"])), maps


def environment(peer: Peer) -> Path:
    """Return the interpreter of a peer's own environment; make it if it is missing."""
    folder = ENVIRONMENTS / peer.package
    python = folder / "bin" / "python"
    if _runs(python, f"import {peer.package}"):
        return python
    shutil.rmtree(folder, ignore_errors=True)
    for command in (
        [_interpreter(peer), "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", peer.package],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            raise NoPeerError(f"the installation failed: {_last_line(done.stderr)}")
    return python


def _interpreter(peer: Peer) -> str:
    major, minor = peer.python
    named = [shutil.which(f"python{major}.{later}") for later in range(minor, minor + 4)]
    kept = sorted(Path.home().glob(".pyenv/versions/*/bin/python"))
    for candidate in filter(None, [sys.executable, *named, *map(str, kept)]):
        if _runs(Path(candidate), f"import sys, venv; assert sys.version_info >= {peer.python}"):
            return candidate
    raise NoPeerError(f"it needs Python {major}.{minor} or newer, and none was found")


def _runs(python: Path, code: str) -> bool:
    try:
        return subprocess.run([str(python), "-c", code], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1][:120]


def _judged(found: Found, truth: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Return bias of the mean [%] and r over voxels of CBF and MTT, and how CBF and Tmax follow delay."""
    flow, transit, delay = (np.repeat(truth[name], N_EACH) for name in ("CBF", "MTT", "delay"))
    mean_at = {d: np.nanmean(found["CBF"][delay == d]) for d in (-2.0, 0.0, 4.0)}
    with_tmax = np.isfinite(found["Tmax"])
    return {
        "CBF bias [%]": _bias(found["CBF"], flow),
        "r CBF": _correlation(found["CBF"], flow),
        "CBF(-2 s)/CBF(0)": float(mean_at[-2.0] / mean_at[0.0]),
        "CBF(4 s)/CBF(0)": float(mean_at[4.0] / mean_at[0.0]),
        "MTT bias [%]": _bias(found["MTT"], transit),
        "r MTT": _correlation(found["MTT"], transit),
        "Tmax/delay": float(np.polyfit(delay[with_tmax], found["Tmax"][with_tmax], 1)[0]),
    }


def _bias(found: NDArray[np.float32], true: NDArray[np.float64]) -> float:
    some = np.isfinite(found)
    return float(100 * (found[some].mean(dtype=np.float64) / true[some].mean() - 1))


def _correlation(found: NDArray[np.float32], true: NDArray[np.float64]) -> float:
    some = np.isfinite(found)
    return float(np.corrcoef(found[some], true[some])[0, 1])


def _row(
    method: str, version: str, taken: Taken | None, case: str, judged: Mapping[str, float]
) -> dict[str, object]:
    names = (
        "CBF bias [%]",
        "r CBF",
        "CBF(-2 s)/CBF(0)",
        "CBF(4 s)/CBF(0)",
        "MTT bias [%]",
        "r MTT",
        "Tmax/delay",
    )
    return {
        "method": method,
        "version": version,
        "seconds": taken and taken.wall,
        "processor seconds": taken and taken.processor,
        "residue, noise": case,
        **{name: judged.get(name) for name in names},
    }
