"""The figures of a validation, each a page of panels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

import numpy as np

from bolus.core.arrays import Float64s
from bolus.validate.assess import Validation
from bolus.validate.axis import AXES, EXPONENTIAL, Axis, error_name
from bolus.validate.charts import Panel, page
from bolus.validate.dsc import FLOWS, SNRS
from bolus.validate.experiments import NOISES_HU, THREE, USUAL_HU
from bolus.validate.rows import UNITS, Row

Draw: TypeAlias = Callable[[Validation], bytes | None]
_WIDEST: Final = {
    "CBF": (-80.0, 150.0),
    "CBV": (-2.5, 2.5),
    "MTT": (-8.0, 12.0),
    "Tmax": (-4.0, 12.0),
    "delay": (-4.0, 6.0),
}
"""Errors beyond are not drawn: one method must not press all others flat."""
_WIDEST_SPREAD: Final = 60.0


def draw_noise(found: Validation) -> bytes:
    """Draw bias and spread of flow against noise, a column a tissue."""
    bias = _row(found, AXES["noise"], "CBF", lambda row: row.bias)
    spread = _row(found, AXES["noise"], "CBF", lambda row: row.sd)
    low = [replace(p, y="CBF spread (SD) [%]", limits=(0.0, _WIDEST_SPREAD), title="") for p in spread]
    return page("Flow against noise", (bias, low), found)


def draw_times(found: Validation) -> bytes:
    """Draw MTT and Tmax against noise, a column a tissue."""
    rows = [_row(found, AXES["noise"], quantity, lambda row: row.bias) for quantity in ("MTT", "Tmax")]
    late = _row(found, AXES["noise"], "delay", lambda row: row.bias)
    rows += [late] if any(p.lines for p in late) else []
    return page("Times against noise", _titled_once(rows), found)


def draw_sampling(found: Validation) -> bytes:
    """Draw flow against the frame interval and against the length of the scan, and volume against length."""
    rows = [
        _row(found, AXES["sampling"], "CBF", lambda row: row.bias),
        _row(found, AXES["length"], "CBF", lambda row: row.bias),
        _row(found, AXES["length"], "CBV", lambda row: row.bias),
    ]
    return page(f"Sampling and length, noise {USUAL_HU:g} HU", _titled_once(rows), found)


def draw_shape(found: Validation) -> bytes:
    """Draw flow by shape of the residue, and flow and Tmax against dispersion."""
    rows = [
        _row(found, AXES["residue"], "CBF", lambda row: row.bias),
        _row(found, AXES["dispersion"], "CBF", lambda row: row.bias),
        _row(found, AXES["dispersion"], "Tmax", lambda row: row.bias),
    ]
    return page(f"Residue and dispersion, noise {USUAL_HU:g} HU", _titled_once(rows), found)


def draw_delay(found: Validation) -> bytes:
    """Draw Tmax, fitted delay and relative flow against true delay, a column a tissue."""
    axis = AXES["delay"]
    when, late = (_row(found, axis, quantity, lambda row: row.bias) for quantity in ("Tmax", "delay"))
    zero = axis.values.index(0.0)
    flow = [
        replace(
            panel,
            y="CBF / CBF without delay",
            ideal=np.ones(len(axis.values)),
            limits=(0.7, 1.6),
            lines={label: (100 + v) / (100 + v[zero]) for label, v in panel.lines.items()},
        )
        for panel in _row(found, axis, "CBF", lambda row: row.bias)
    ]
    rows = [when, *([late] if any(p.lines for p in late) else []), flow]
    return page(f"Delay of the tissue after the artery, noise {USUAL_HU:g} HU", _titled_once(rows), found)


def draw_grid(found: Validation) -> bytes:
    """Draw correlation with truth on the grid of Kudo et al. against noise, a row a residue shape."""
    rows = []
    for residue in ("exponential", "box") if found.effort.is_crossed else ("exponential",):
        panels = []
        for quantity in ("CBF", "CBV", "MTT", "delay"):
            lines = _scores(found, "kudo", _about_grid(found, quantity), residue=residue)
            title = f"{residue}: {'delay, or Tmax' if quantity == 'delay' else quantity}"
            panels.append(
                _against_noise(title, "r, voxel by voxel", lines, np.ones(len(NOISES_HU)), (-0.1, 1.04))
            )
        rows.append(panels)
    return page("Correlation with truth on the grid of Kudo et al.", rows, found)


def draw_core(found: Validation) -> bytes:
    """Draw which part of tissue is called core against noise."""
    told = (
        ("noise", "core", "core, 19 % of normal flow", 1.0),
        ("noise", "penumbra", "penumbra, 40 %", 0.0),
        ("core", "volume", "lesion, 5-59 %", 1.0),
    )
    panels = []
    for experiment, measure, title, ideal in told:
        about = ("core", measure)
        lines = _scores(found, experiment, _always(about), residue="exponential")
        name = "core volume / true" if measure == "volume" else "part called core"
        perfect = np.full(len(NOISES_HU), ideal)
        panels.append(
            _against_noise(title, name, lines, perfect, (-0.05, 1.3 if measure == "volume" else 1.05))
        )
    return page("Core: flow under 30 % of normal", [panels], found)


def draw_coverage(found: Validation) -> bytes | None:
    """Draw how often intervals hold the truth, a row a level; None where no method gives intervals."""
    rows = []
    for level in (68, 90):
        panels = []
        for quantity in UNITS:
            about = (quantity, f"coverage_{level}")
            lines = _scores(found, "noise", _always(about), residue="exponential")
            # without noise there is nothing for an interval to hold
            lines = {label: np.append(np.nan, 100 * values[1:]) for label, values in lines.items()}
            if lines:
                name, perfect = f"truths inside {level} % [%]", np.full(len(NOISES_HU), float(level))
                panels.append(_against_noise(quantity, name, lines, perfect, (0.0, 103.0)))
        rows += [panels] if panels else []
    return (
        page("Coverage of the methods' own intervals, mean of three tissues", rows, found) if rows else None
    )


def draw_dsc(found: Validation) -> bytes:
    """Draw flow against true flow in DSC-MRI, a column a signal-to-noise ratio, a row a volume."""
    rows = []
    for volume in ("CBV 4", "CBV 2"):
        panels = []
        for snr in SNRS:
            lines = {}
            for label in found.labels:
                told = found.errors(label, "dsc", "CBF", snr=snr, tissue=volume)
                bias = np.array([row.bias for row in told])
                if np.isfinite(bias).any():
                    lines[label] = bias
            title, x = f"{volume} mL/100 g, SNR {snr:g}", "true CBF [mL/100 g/min]"
            at = np.array(FLOWS)
            panels.append(Panel(title, x, error_name("CBF"), at, lines, np.zeros(at.size), (-75.0, 125.0)))
        rows.append(panels)
    return page("Flow in DSC-MRI", rows, found)


def _row(found: Validation, axis: Axis, quantity: str, read: Callable[[Row], float]) -> list[Panel]:
    """Return a panel a tissue: what is read from rows along an axis, one line a method that has it."""
    at, ticks = _placed(axis)
    panels = []
    for tissue in THREE.names:
        lines = {}
        for label in found.labels:
            told = axis.rows(found, label, quantity, tissue)
            values = np.array([np.nan if row is None else read(row) for row in told])
            if np.isfinite(values).any():
                lines[label] = values
        limits = _limits(lines, _WIDEST[quantity])
        name, is_joined = error_name(quantity), axis.key != "residue"
        panels.append(Panel(tissue, axis.name, name, at, lines, np.zeros(at.size), limits, ticks, is_joined))
    low, high = (pick(p.limits[i] for p in panels if p.limits) for i, pick in ((0, min), (1, max)))
    return [replace(panel, limits=(low, high)) for panel in panels]


def _placed(axis: Axis) -> tuple[Float64s, Mapping[float, str]]:
    """Return places for the values of an axis, and the texts under them: evenly spaced, but for delays."""
    if axis.key == "delay_s":
        return np.array(axis.values, dtype=np.float64), {}
    texts = {float(i): v if isinstance(v, str) else f"{v:g}" for i, v in enumerate(axis.values)}
    return np.arange(len(axis.values), dtype=np.float64), texts


def _limits(lines: Mapping[str, Float64s], widest: tuple[float, float]) -> tuple[float, float]:
    """Return the range of some lines and of 0, with room, no wider than what is allowed."""
    values = np.concatenate([[0.0], *lines.values()])
    values = values[np.isfinite(values)]
    room = 0.08 * float(np.ptp(values)) + 1e-6
    return max(float(values.min()) - room, widest[0]), min(float(values.max()) + room, widest[1])


def _titled_once(rows: Sequence[Sequence[Panel]]) -> list[Sequence[Panel]]:
    """Leave the titles of the columns to the first row."""
    return [rows[0], *([replace(panel, title="") for panel in row] for row in rows[1:])]


def _against_noise(
    title: str, y: str, lines: Mapping[str, Float64s], ideal: Float64s, limits: tuple[float, float]
) -> Panel:
    at, ticks = _placed(AXES["noise"])
    return Panel(title, AXES["noise"].name, y, at, lines, ideal, limits, ticks)


def _scores(
    found: Validation, experiment: str, about: Callable[[str], tuple[str, str]], **given: str
) -> dict[str, Float64s]:
    """Return a figure of merit at each noise, by label of the methods that have it."""
    lines = {}
    for label in found.labels:
        values = np.array(
            [found.score(label, experiment, about(label), noise_hu=sd, **given) for sd in NOISES_HU]
        )
        if np.isfinite(values).any():
            lines[label] = values
    return lines


def _always(about: tuple[str, str]) -> Callable[[str], tuple[str, str]]:
    return lambda _label: about


def _about_grid(found: Validation, quantity: str) -> Callable[[str], tuple[str, str]]:
    """Return what to read for each method: Tmax stands in where no delay is fitted."""

    def about(label: str) -> tuple[str, str]:
        has_one = np.isfinite(found.score(label, "kudo", (quantity, "r"), **EXPONENTIAL))
        return ("Tmax" if quantity == "delay" and not has_one else quantity, "r")

    return about


FIGURES: Final[Mapping[str, Draw]] = {
    "noise": draw_noise,
    "times": draw_times,
    "grid": draw_grid,
    "delay": draw_delay,
    "shape": draw_shape,
    "sampling": draw_sampling,
    "dsc": draw_dsc,
    "core": draw_core,
    "coverage": draw_coverage,
}
"""Figures by name, in the order of reading."""


def figures(found: Validation) -> Iterator[tuple[str, bytes]]:
    """Yield the figures that there is something to show on, as name and PNG file."""
    for name, draw in FIGURES.items():
        png = draw(found)
        if png is not None:
            yield name, png
