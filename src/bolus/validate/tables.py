"""Tables for people: the headline figures, and one table for each thing that is varied."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final, TypeAlias

from bolus.physics.transport import RESIDUES
from bolus.validate.assess import Validation
from bolus.validate.axis import AXES, EXPONENTIAL, USUAL, Axis, error_name
from bolus.validate.dsc import FLOWS, SNRS
from bolus.validate.experiments import NOISES_HU, THREE, USUAL_HU
from bolus.validate.judges import LEVELS
from bolus.validate.rows import UNITS, Conditions, Row

_ABSURD: Final = 1000.0
NONE: Final = "-"
"""Stands where a method has no such figure."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts.

    Parameters
    ----------
    title
        What it shows, with the unit.
    header, rows
        Names of the columns, and the cells.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """Return the table in Markdown, without its title."""
        lines = (self.header, ("---",) * len(self.header), *self.rows)
        return "\n".join("| " + " | ".join(cell or " " for cell in line) + " |" for line in lines) + "\n"


Make: TypeAlias = Callable[[Validation], Table]


def number(value: float, digits: int = 2, *, signed: bool = False) -> str:
    """Write a number, or that there is none."""
    if not isfinite(value):
        return NONE
    if abs(value) >= _ABSURD:
        return f"{'-' if value < 0 else ''}>{_ABSURD:g}"
    shown = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    return shown.lstrip("+-") if float(shown) == 0 else shown


def error(row: Row | None, digits: int) -> str:
    """Write bias and spread, and how many voxels failed."""
    if row is None or not isfinite(row.bias):
        return NONE
    text = number(row.bias, digits, signed=True)
    if isfinite(row.sd):
        text += f" ± {number(row.sd, digits)}"
    return f"{text} ({100 * row.n_failed / row.n:.0f} % failed)" if row.n_failed >= 0.005 * row.n else text


def headline(found: Validation) -> Table:
    """Return what decides between methods, in one table."""
    columns: dict[str, Callable[[str], str]] = {
        **{f"CBF {name} [%]": _flow(found, name) for name in THREE.names},
        "r CBF": _score(found, "kudo", ("CBF", "r")),
        "r MTT": _score(found, "kudo", ("MTT", "r")),
        "r delay": _score(found, "kudo", ("delay", "r"), ("Tmax", "r")),
        "time/delay": _score(found, "kudo", ("delay", "delay_slope"), ("Tmax", "delay_slope")),
        "CBF change with delay [%]": _change(found),
        "core found": _score(found, "noise", ("core", "core")),
        "core volume/true": _score(found, "core", ("core", "volume")),
    }
    if any(s.source.experiment == "osipi" for s in found.scores):
        columns["OSIPI"] = _osipi(found)
    rows = tuple((label, *(tell(label) for tell in columns.values())) for label in found.labels)
    title = f"Accuracy on exponential residues, noise {USUAL_HU:g} HU"
    return Table(title, ("method", *columns), rows)


def _flow(found: Validation, name: str) -> Callable[[str], str]:
    at = NOISES_HU.index(USUAL_HU)
    return lambda label: error(AXES["noise"].rows(found, label, "CBF", name)[at], 0)


def _score(found: Validation, experiment: str, *about: tuple[str, str]) -> Callable[[str], str]:
    """Write the first of some figures that a method has."""

    def tell(label: str) -> str:
        values = [found.score(label, experiment, one, **USUAL) for one in about]
        return next((number(v) for v in values if isfinite(v)), NONE)

    return tell


def _change(found: Validation) -> Callable[[str], str]:
    return lambda label: number(found.score(label, "delay", ("CBF", "delay_change"), tissue="normal"), 0)


def _osipi(found: Validation) -> Callable[[str], str]:
    n = sum(s.measure == "within_tolerance" for s in found.scores) // (2 * len(found.labels))

    def tell(label: str) -> str:
        parts = [found.score(label, "osipi", (q, "within_tolerance")) for q in ("CBF", "CBV")]
        return ", ".join(f"{q} {part * n:.0f}/{n}" for q, part in zip(("CBF", "CBV"), parts, strict=True))

    return tell


@dataclass(frozen=True, slots=True)
class Sweep:
    """A table along one axis: a row a method and tissue, a column a value.

    Parameters
    ----------
    axis
        What is varied.
    quantity, digits
        Whose error is told, and how finely.
    """

    axis: Axis
    quantity: str
    digits: int = 1

    def __call__(self, found: Validation) -> Table:
        """Make the table; methods without the quantity are left out."""
        rows = []
        for label in found.labels:
            for name in THREE.names:
                cells = [error(row, self.digits) for row in self.axis.rows(found, label, self.quantity, name)]
                if set(cells) != {NONE}:
                    rows.append((label if name == THREE.names[0] else "", name, *cells))
        title = f"{error_name(self.quantity)} against {self.axis.name}"
        return Table(title, ("method", "tissue", *_texts(self.axis.values)), tuple(rows))


def grid(found: Validation) -> Table:
    """Return the figures of merit on the grid of Kudo et al., a row a method, residue shape and noise."""
    columns = {
        "r CBF": ("CBF", "r"), "r CBV": ("CBV", "r"), "r MTT": ("MTT", "r"),
        "tiles: r CBF": ("CBF", "r_tiles"), "r CBV ": ("CBV", "r_tiles"), "r MTT ": ("MTT", "r_tiles"),
        "CBF slope": ("CBF", "slope"), "CBF bias [%]": ("CBF", "bias"),
        "CBF(3 s)/CBF(0)": ("CBF", "delay_ratio"),
        "r Tmax": ("Tmax", "r"), "Tmax/delay": ("Tmax", "delay_slope"),
        "r delay": ("delay", "r"), "delay/delay": ("delay", "delay_slope"),
    }  # fmt: skip
    rows = []
    for label in found.labels:
        for residue in RESIDUES:
            for noise in (0.5, 1.0, 2.0):
                given: Conditions = {"residue": residue, "noise_hu": noise}
                cells = [
                    number(found.score(label, "kudo", about, **given), 0 if about[1] == "bias" else 2)
                    for about in columns.values()
                ]
                if set(cells) != {NONE}:
                    rows.append((label, residue, f"{noise:g}", *cells))
    return Table("Grid of Kudo et al.", ("method", "residue", "noise [HU]", *columns), tuple(rows))


def wu(found: Validation) -> Table:
    """Return the flow that DSC-MRI gives for each true flow."""
    rows = []
    for label in found.labels:
        for snr in SNRS:
            for volume in ("CBV 4", "CBV 2"):
                told = found.errors(label, "dsc", "CBF", snr=snr, tissue=volume)
                flows = [
                    number(flow * (1 + row.bias / 100), 0) for flow, row in zip(FLOWS, told, strict=True)
                ]
                if set(flows) != {NONE}:
                    rows.append((label, f"{snr:g}", volume[4:], *flows))
    header = ("method", "SNR", "CBV", *(f"{f:g}" for f in FLOWS))
    return Table("DSC-MRI: CBF found for a true CBF [mL/100 g/min]", header, tuple(rows))


_CORE: Final = {
    ("noise", "core"): "of core (19 % of normal flow)",
    ("noise", "penumbra"): "of penumbra (40 %)",
    ("core", "found"): "graded lesion: of core",
    ("core", "beyond"): "of the rest",
    ("core", "volume"): "volume/true",
}


def core(found: Validation) -> Table:
    """Return which part of tissue is called core, a row a method and a tissue."""
    rows = []
    for label in found.labels:
        for (experiment, measure), name in _CORE.items():
            about = ("core", measure)
            values = [found.score(label, experiment, about, **EXPONENTIAL, noise_hu=sd) for sd in NOISES_HU]
            if any(isfinite(v) for v in values):
                rows.append((label if measure == "core" else "", name, *(number(v) for v in values)))
    title = "Part called core (CBF < 30 % of normal) against noise [HU]"
    return Table(title, ("method", "", *_texts(NOISES_HU)), tuple(rows))


def coverage(found: Validation) -> Table:
    """Return how often the intervals of methods hold the truth, for methods that give intervals."""
    rows = []
    for label in found.labels:
        for quantity in UNITS:
            for level in LEVELS:
                about = (quantity, f"coverage_{level}")
                values = [
                    found.score(label, "noise", about, **EXPONENTIAL, noise_hu=sd) for sd in NOISES_HU[1:]
                ]
                if any(isfinite(v) for v in values):
                    rows.append((label, quantity, f"{level} %", *(number(100 * v, 0) for v in values)))
    header = ("method", "quantity", "interval", *_texts(NOISES_HU[1:]))
    return Table("Truths inside the method's own interval [%] against noise [HU]", header, tuple(rows))


def osipi(found: Validation) -> Table:
    """Return errors and tolerance on the reference curves of OSIPI."""
    rows = []
    for label in found.labels:
        cells = [label]
        for quantity in ("CBF", "CBV"):
            biases = [r.bias for r in found.errors(label, "osipi", quantity) if isfinite(r.bias)]
            mean = sum(biases) / len(biases) if biases else float("nan")
            within = found.score(label, "osipi", (quantity, "within_tolerance"))
            cells += [number(mean, 1, signed=True), number(100 * within, 0)]
        rows.append(tuple(cells))
    header = ("method", "CBF error [%]", "CBF within [%]", "CBV error [mL/100 mL]", "CBV within [%]")
    return Table("Reference curves of OSIPI", header, tuple(rows))


def bezier(found: Validation) -> Table:
    """Return the error of flow on the files of the Bezier study, a row a file and a column a method."""
    files: dict[tuple[float | str, ...], list[str]] = {}
    for label in found.labels:
        for row in found.errors(label, "bezier", "CBF"):
            said = row.source.conditions
            key = tuple(said[name] for name in ("dispersion", "shape", "delay_s", "cbf", "file"))
            files.setdefault(key, []).append(error(row, 0))
    rows = tuple((*_texts(key[:-1]), *cells) for key, cells in sorted(files.items()))
    header = ("dispersion", "shape", "delay [s]", "CBF", *found.labels)
    return Table("Files of the Bezier study: CBF error [%]", header, rows)


def _texts(values: Sequence[float | str]) -> tuple[str, ...]:
    return tuple(v if isinstance(v, str) else f"{v:g}" for v in values)


TABLES: Final[Mapping[str, Make]] = {
    "headline": headline,
    "noise_cbf": Sweep(AXES["noise"], "CBF", 0),
    "noise_cbv": Sweep(AXES["noise"], "CBV", 2),
    "noise_mtt": Sweep(AXES["noise"], "MTT"),
    "noise_tmax": Sweep(AXES["noise"], "Tmax"),
    "noise_delay": Sweep(AXES["noise"], "delay"),
    "residue": Sweep(AXES["residue"], "CBF", 0),
    "delay_cbf": Sweep(AXES["delay"], "CBF", 0),
    "delay_tmax": Sweep(AXES["delay"], "Tmax"),
    "dispersion_cbf": Sweep(AXES["dispersion"], "CBF", 0),
    "dispersion_tmax": Sweep(AXES["dispersion"], "Tmax"),
    "sampling": Sweep(AXES["sampling"], "CBF", 0),
    "length_cbf": Sweep(AXES["length"], "CBF", 0),
    "length_cbv": Sweep(AXES["length"], "CBV", 2),
    "grid": grid,
    "dsc": wu,
    "core": core,
    "coverage": coverage,
    "osipi": osipi,
    "bezier": bezier,
}
"""Tables by name, in the order of reading."""


def tables(found: Validation) -> dict[str, Table]:
    """Return the tables that have rows, by name."""
    made = {name: make(found) for name, make in TABLES.items()}
    ran = {r.source.experiment for r in found.rows}
    skipped = {"osipi", "bezier"} - ran
    return {name: table for name, table in made.items() if table.rows and name not in skipped}
