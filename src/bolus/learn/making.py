"""Making folders of cases: simulated in parallel, or brought in one by one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from bolus import __version__
from bolus.core.errors import BadInput, BadRecipe, BolusError
from bolus.core.finding import Progress, silent
from bolus.learn import files
from bolus.learn.cases import MANIFEST, SOURCE, Case, Entry, Manifest, write_case, write_manifest


@dataclass(frozen=True, slots=True)
class Order:
    """A patient to be simulated.

    Parameters
    ----------
    patient
        Name.
    seed
        Of all that is drawn.
    setting
        Of the simulator, such as `A` or `B`.
    size
        Pixels along a side.
    reference
        What the cases' maps are: `truth`, or `bolus` for those that `bolus run` makes.
    vessel
        Which artery of an X-ray run is injected; empty: drawn.
    """

    patient: str
    seed: int
    setting: str
    size: int
    reference: str = "truth"
    vessel: str = ""


Simulate: TypeAlias = Callable[[Order], list[Case]]
"""Makes the cases of one patient; a function of a module, so that other processes find it."""


def orders(
    n: int, *, seed: int, setting: str, size: int, reference: str = "truth", vessels: Sequence[str] = ("",)
) -> tuple[Order, ...]:
    """Order patients whose seeds have nothing in common, whatever the first seed was.

    Parameters
    ----------
    vessels
        Arteries that are injected in turn; the rest is as in `Order`.
    """
    sites = sum(ord(letter) << (8 * i) for i, letter in enumerate(setting))
    seeds = [int(np.random.SeedSequence([seed, sites, i]).generate_state(1)[0]) for i in range(n)]
    names = [f"{setting}-{seed}-{i:05}" for i in range(n)]
    return tuple(
        Order(names[i], seeds[i], setting, size, reference, vessels[i % len(vessels)]) for i in range(n)
    )


def simulate(
    folder: Path,
    wanted: Sequence[Order],
    make: Simulate,
    *,
    source: Mapping[str, Any],
    processes: int = 1,
    progress: Progress = silent,
) -> Manifest:
    """Make a folder of simulated cases; what is there already from a call that was stopped is kept.

    Parameters
    ----------
    folder
        For the cases: a folder a patient.
    wanted, make
        Patients, and what makes the cases of one.
    source
        Generator and seeds, for the cards of networks that learn these cases.
    processes
        How many work at the same time; 1: this one alone.
    progress
        Called as `progress("simulate", done, total)`.

    Raises
    ------
    BadRecipe
        If the folder holds other cases.
    BadInput
        If no patient could be made.
    """
    about = {**source, "version": __version__}
    _require_same_source(folder, about)
    files.write_json(folder / SOURCE, about)
    missing = [order for order in wanted if not (folder / order.patient).is_dir()]
    failed: dict[str, str] = {}
    made = _made(missing, partial(_attempt, make, folder), processes)
    for done, (patient, error) in enumerate(made, len(wanted) - len(missing) + 1):
        if error:
            failed[patient] = error
        progress("simulate", done, len(wanted))
    entries = [e for order in wanted for e in _entries(folder, order.patient)]
    if not entries:
        raise BadInput("no patient could be simulated", found=next(iter(failed.values()), ""))
    manifest = Manifest(folder, tuple(entries), {**about, "failed": failed, "patients": len(wanted)})
    write_manifest(manifest)
    return manifest


def bring_in(
    folder: Path, cases: Iterable[tuple[str, Case]], *, source: Mapping[str, Any], progress: Progress = silent
) -> Manifest:
    """Write cases that come one by one, each with a name for its file, and their table.

    Raises
    ------
    BadRecipe
        If the folder holds cases already.
    BadInput
        If no case comes.
    """
    if (folder / MANIFEST).is_file():
        raise BadRecipe("the folder holds cases", where=folder, remedy="Choose another one with -o.")
    entries = []
    for name, case in cases:
        write_case(case, folder / name)
        entries.append(Entry(name, case.patient, case.view, case.site, case.digest))
        progress("cases", len(entries), len(entries) + 1)
    if not entries:
        raise BadInput("no case was found", where=str(source.get("folder", "")))
    manifest = Manifest(folder, tuple(entries), {**source, "version": __version__})
    write_manifest(manifest)
    return manifest


def _require_same_source(folder: Path, about: Mapping[str, Any]) -> None:
    if not (folder / SOURCE).is_file():
        return
    before = files.read_json(folder / SOURCE, "where cases come from")
    changed = [name for name in about if before.get(name) != about[name]]
    if changed:
        remedy = "Choose another folder with -o."
        raise BadRecipe("the folder holds other cases", found=", ".join(changed), where=folder, remedy=remedy)


def _made(
    missing: Sequence[Order], attempt: Callable[[Order], str], processes: int
) -> Iterator[tuple[str, str]]:
    """Yield each patient whose cases are written, or why there are none, as they are ready."""
    if processes == 1:
        for order in missing:
            yield order.patient, attempt(order)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(attempt, order): order.patient for order in missing}
        try:
            for future in as_completed(waiting):
                yield waiting.pop(future), future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _attempt(make: Simulate, folder: Path, order: Order) -> str:
    """Make a patient's cases and write them, in the process that makes them; return why there are none."""
    try:
        _keep(folder / order.patient, make(order))
    except BolusError as error:
        return str(error)
    return ""


def _keep(folder: Path, cases: Sequence[Case]) -> None:
    """Write the cases of a patient into a folder that appears whole."""
    hidden = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(hidden, ignore_errors=True)
    names = _names(cases)
    for name, case in zip(names, cases, strict=True):
        write_case(case, hidden / name)
    hidden.mkdir(parents=True, exist_ok=True)
    table = [[name, c.view, c.site, c.digest] for name, c in zip(names, cases, strict=True)]
    files.write_json(hidden / "entries.json", table)
    hidden.rename(folder)


def _names(cases: Sequence[Case]) -> list[str]:
    """Return a file a case: its view, with its number where the view was there before, or its number."""
    views = [case.view for case in cases]
    return [
        f"{i if not view else view if view not in views[:i] else f'{view}-{i}'}.npz"
        for i, view in enumerate(views)
    ]


def _entries(folder: Path, patient: str) -> list[Entry]:
    table = folder / patient / "entries.json"
    rows = files.read_json(table, "the cases of a patient") if table.is_file() else []
    return [Entry(f"{patient}/{name}", patient, *rest) for name, *rest in rows]
