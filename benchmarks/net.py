"""`--method net` against physics on the same simulated patches, whose flow has nothing to do with anatomy.

`python -m benchmarks.net [PATCHES] [WEIGHTS]` simulates PATCHES (12) to calibrate physics on and as many to
compare on, for each setting, and prints: the mean squared error of the network's maps over that of the best
of physics (`posterior` leaning on neighbours, `osvd` and `box` after the profile filter, `osvd` after a
Gaussian, `posterior` after none; every map of each put right by the straight line that the first patches
give), the Dice coefficient of Tmax > 6 s of the network (and of the best of physics), and how many true
values lie within its intervals, by map. The seeds are none of the training's. A patch takes about 2 s.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from bolus import deconvolve, quantify
from bolus.core.brain import Brain
from bolus.core.recipe import DEFAULT
from bolus.core.series import Concentration
from bolus.core.units import Modality, Unit
from bolus.core.vessel import VesselCurve
from bolus.learn import net, patches
from bolus.learn.patches import Design, Patch
from bolus.pipeline import Scan
from bolus.quantify.maps import TISSUE

FIRST_SEED = 10_000
MAPS = ("CBF", "CBV", "MTT", "Tmax", "TTP")
PHYSICS = {
    ("profile", 4.0): ("posterior", "osvd", "box"),
    ("gaussian", 3.0): ("osvd",),
    ("none", None): ("posterior",),
}
"""Methods by filter [mm]."""
GREATEST_FLOW = 100.0
"""Pixels of more flow [mL/100 g/min] are no tissue that anybody has, and are not judged."""
LATE_S = 6.0
SIZE = 96

Found = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Setting:
    """What is asked: a site of boluses, noise [HU], the interval of frames [s] and kinds of lesions."""

    name: str
    site: str = "A"
    noise_hu: float = 3.0
    dt_s: float = 1.5
    lesions: tuple[str, ...] = ("territory", "blobs")

    def design(self, rng: np.random.Generator) -> Design:
        """Draw a patch of this setting: a usual bolus, 7-13 s wide, at site A, the site's own elsewhere."""
        drawn = patches.draw(self.site, SIZE, rng)
        if self.site == "A":
            usual = replace(
                drawn.injection, beta_s=rng.uniform(7.0, 13.0) / (2.4 * drawn.injection.alpha**0.5)
            )
            usual = replace(usual, onset_s=rng.uniform(6.0, 12.0), smear_s=0.0, second=0.0)
            drawn = replace(drawn, injection=usual, peak_hu=rng.uniform(200.0, 400.0))
        lesion = str(rng.choice(self.lesions))
        fixed = {"spacing_mm": 1.7, "after_s": 50.0, "grain_px": 0.6, "grows": 0.0, "filter": "profile"}
        scan = {"noise_hu": self.noise_hu, "dt_s": self.dt_s, "filter_mm": 4.0, "lesion": lesion}
        return replace(drawn, **fixed, **scan)


SETTINGS = (
    Setting("1.5 HU", noise_hu=1.5),
    Setting("3 HU"),
    Setting("6 HU", noise_hu=6.0),
    Setting("3 HU, 1/2 of the frames", dt_s=3.0),
    Setting("3 HU, 1/3 of the frames", dt_s=4.5),
    Setting("slow, late, weak bolus, 1.5 HU", site="B", noise_hu=1.5),
    Setting("tiles, 1.5 HU", noise_hu=1.5, lesions=("tiles",)),
)


def scan_of(patch: Patch, curves: NDArray[np.float32]) -> tuple[Scan, VesselCurve]:
    """Return a patch as the pipeline holds a scan."""
    mask, tissue = patch.mask[:, :, None], patch.tissue[:, :, None]
    n_before = max(int(np.searchsorted(patch.times, patch.times[int(patch.aif.argmax())] - 12.0)), 2)
    contrast = Concentration(
        curves, patch.times, mask, patch.grid, Modality.CT, Unit.HU, (0, n_before), _noise(curves, n_before)
    )
    brain = Brain(mask, tissue, np.zeros_like(mask))
    scan = Scan(
        replace(contrast, curves=patch.raw), contrast, brain, np.zeros(mask.shape, dtype=np.float32), None
    )
    return scan, VesselCurve("AIF", patch.times, patch.aif, Unit.HU, "simulated")


def _noise(curves: NDArray[np.float32], n_before: int) -> float:
    return float(curves[:, :n_before].std())


def judged(patch: Patch) -> NDArray[np.bool_]:
    """Return which pixels count."""
    return patch.tissue & (patch.truth["CBF"] * TISSUE.flow <= GREATEST_FLOW)


def truth_of(patch: Patch) -> Found:
    """Return true maps in tissue, in their units."""
    units = {"CBF": TISSUE.flow, "CBV": TISSUE.volume}
    return {name: patch.truth[name][judged(patch)] * units.get(name, 1.0) for name in MAPS}


def by_physics(patch: Patch) -> Iterator[tuple[str, Found]]:
    """Yield the maps of each method after each filter."""
    for chosen, methods in PHYSICS.items():
        curves = patches.filtered(patch.raw, patch.times, patch.mask, patch.grid, chosen)
        scan, aif = scan_of(patch, curves)
        for method in methods:
            estimate = deconvolve.deconvolve(scan.contrast, aif, method=method, neighbours=True)
            maps = quantify.make_maps(estimate, scan.contrast, aif)
            yield f"{method}, {chosen[0]}", {name: maps[name].values[:, :, 0][judged(patch)] for name in MAPS}


def by_network(patch: Patch, network: net.Deconvolver) -> tuple[Found, Found, bool]:
    """Return the network's maps and deviations, and whether it fell back to physics."""
    scan, aif = scan_of(patch, patch.curves)
    mapped = network(scan, aif, DEFAULT)
    values = {name: mapped.maps[name].values[:, :, 0][judged(patch)] for name in MAPS}
    fell = any(finding.code == "NET_FALLBACK" for finding in mapped.findings)
    sd = {name: m.sd[:, :, 0][judged(patch)] for name, m in mapped.maps.items() if m.sd is not None}
    return values, sd, fell


@dataclass
class Sums:
    """Pixels of many patches, by method and map."""

    truth: list[Found]
    physics: dict[str, list[Found]]
    network: list[Found]
    deviations: list[Found]
    n_fallbacks: int = 0


def gather(setting: Setting, seeds: range, network: net.Deconvolver) -> Sums:
    """Simulate patches and make their maps in every way."""
    sums = Sums([], {}, [], [])
    for seed in seeds:
        rng = np.random.default_rng([seed, sum(map(ord, setting.name))])
        patch = patches.make(setting.design(rng), rng)
        sums.truth.append(truth_of(patch))
        for name, maps in by_physics(patch):
            sums.physics.setdefault(name, []).append(maps)
        values, sd, fell = by_network(patch, network)
        sums.network.append(values)
        sums.deviations.append(sd)
        sums.n_fallbacks += fell
    return sums


def joined(parts: list[Found], name: str) -> NDArray[np.float64]:
    """Return the pixels of a map of all patches."""
    return np.concatenate([part[name] for part in parts]).astype(np.float64)


def line(found: NDArray[np.float64], truth: NDArray[np.float64]) -> tuple[float, float]:
    """Return slope and level of the straight line from a map to the truth."""
    known = np.isfinite(found)
    slope, level = np.polyfit(found[known], truth[known], 1)
    return float(slope), float(level)


def mse(found: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Return the mean squared error of the pixels with a number."""
    return float(np.nanmean((found - truth) ** 2))


def dice(found: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Return the Dice coefficient of Tmax above 6 s."""
    one, other = np.nan_to_num(found) > LATE_S, truth > LATE_S
    return float(2 * (one & other).sum() / max(one.sum() + other.sum(), 1))


def compared(setting: Setting, n: int, network: net.Deconvolver) -> dict[str, str]:
    """Compare on `n` patches what other `n` calibrate."""
    learning = gather(setting, range(FIRST_SEED, FIRST_SEED + n), network)
    testing = gather(setting, range(FIRST_SEED + n, FIRST_SEED + 2 * n), network)
    row, best_dice = {"setting": setting.name}, 0.0
    for name in MAPS:
        truth = joined(testing.truth, name)
        errors = {}
        for method, parts in testing.physics.items():
            slope, level = line(joined(learning.physics[method], name), joined(learning.truth, name))
            put_right = slope * joined(parts, name) + level
            errors[method] = mse(put_right, truth)
            if name == "Tmax":
                best_dice = max(best_dice, dice(put_right, truth), dice(joined(parts, name), truth))
        best = min(errors, key=errors.__getitem__)
        mine = mse(joined(testing.network, name), truth)
        row[name] = f"{mine / errors[best]:.2f} ({best})"
    late = joined(testing.truth, "Tmax")
    row["Dice"] = f"{dice(joined(testing.network, 'Tmax'), late):.3f} ({best_dice:.3f})"
    row |= {f"held {part} %": held(testing, k) for part, k in (("68", 0.994), ("90", 1.645))}
    row["fell back"] = f"{testing.n_fallbacks}/{n}"
    return row


def held(sums: Sums, k: float) -> str:
    """Return the percentage of true values within `k` deviations, by map."""
    parts = []
    for name in MAPS:
        known = [i for i, sd in enumerate(sums.deviations) if name in sd]
        off = [
            np.abs(sums.network[i][name] - sums.truth[i][name]) <= k * sums.deviations[i][name] for i in known
        ]
        parts.append(f"{100 * float(np.mean(np.concatenate(off))):.0f}" if off else "-")
    return " ".join(parts)


def table(rows: list[Mapping[str, str]]) -> str:
    """Lay rows out as Markdown."""
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return "\n".join([*lines, *("| " + " | ".join(row[name] for name in names) + " |" for row in rows)])


def main() -> None:
    """Print the table."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    network = net.deconvolver(sys.argv[2]) if len(sys.argv) > 2 else net.shipped()
    rows: list[Mapping[str, str]] = []
    console = Console(width=400)
    for setting in SETTINGS:
        rows.append(compared(setting, n, network))
        console.print(rows[-1])
    console.print(table(rows))


if __name__ == "__main__":
    main()
