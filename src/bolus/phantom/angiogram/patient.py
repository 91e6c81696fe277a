"""One simulated patient: his arteries and veins, how they fill, and the injection."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bolus.core.arrays import Float32s, Float64s, Times
from bolus.phantom.angiogram.branch import Branch
from bolus.phantom.angiogram.carotid import carotid, opacity, side_branches
from bolus.phantom.angiogram.cerebral import (
    Tree,
    anterior_cerebral,
    cross_filled,
    middle_cerebral,
    posterior_cerebral,
)
from bolus.phantom.angiogram.curves import Injection, Kind, curve_table
from bolus.phantom.angiogram.flow import (
    Clot,
    Strand,
    Terminals,
    place_clot,
    strands,
    terminals,
    with_arrivals,
)
from bolus.phantom.angiogram.growth import sprout
from bolus.phantom.angiogram.outside import external_carotid, vertebral
from bolus.phantom.angiogram.settings import SETTINGS, Setting
from bolus.phantom.angiogram.venous import veins
from bolus.phantom.options import XaOptions

ICA, ICA_TOP = "ICA", "ICA top"
"""Names of the two parts of the internal carotid: to the dura, and above it."""
BLOOD_ML = 22.0
"""Blood in the capillaries of the territory of one carotid [mL]: 4 % of some 550 mL of tissue."""
BEHIND = 0.6
"""The same of the vertebral arteries, as a part of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Patient:
    """What both views of a run show.

    Parameters
    ----------
    side
        `left` or `right`.
    vessels
        All tubes with contrast.
    tissue, blood_ml
        Ends of arteries, and how much blood their tissue holds [mL].
    mu
        Attenuation of undiluted contrast [nat/mm].
    injection, table
        The injection, and contrast by kind, arrival and frame; see `curve_table`.
    ica
        Course of the internal carotid, shape `(n, 4)`, and the point where its top begins.
    clot, lost
        The clot, and the part of the territory behind it, 0-1.
    head
        Scale and turn of the head: head to room coordinates, shape `(3, 3)`.
    """

    side: str
    vessels: tuple[Strand, ...]
    tissue: Terminals
    blood_ml: float
    mu: float
    injection: Injection
    table: Float32s
    ica: tuple[Float64s, int] | None
    clot: Clot | None
    lost: float
    head: Float64s


def make_patient(options: XaOptions, times: Times, rng: np.random.Generator) -> Patient:
    """Draw a patient; each choice changes only what it names, the rest is that of the seed.

    Parameters
    ----------
    times
        Frame times [s], shape `(t,)`.
    """
    setting = SETTINGS[options.setting]
    whole, growing, mixing, blocking, draining, pushing = rng.spawn(6)
    side = ("left", "right")[int(whole.random() < 0.5)]
    head, speed, blood, mu = (
        _pose(setting, whole),
        *(whole.uniform(*span) for span in (setting.speed, (0.8, 1.2), setting.mu)),
    )
    tree = _arteries(options, growing, growing.uniform(*setting.tortuosity))
    branches = with_arrivals(_weakened(tree.branches, mixing), speed)
    has_ica = options.vessel == "carotid"
    collaterals = (1.0 if options.only_late else 0.9 * options.collaterals, blocking.uniform(3.0, 6.0))
    clot = place_clot(branches, options.clot or "none", blocking)
    if clot is not None:
        clot = replace(clot, only_late=options.only_late)
    tissue = terminals(branches, clot, collaterals[1])
    lost = float(tissue.weight @ tissue.late / max(tissue.weight.sum(), 1e-9))
    vessels = strands(branches, clot, collaterals)
    if has_ica:
        vessels = _topped(vessels, float(branches[0].delay_s[tree.top]))
    if len(tissue.weight):
        drains = veins(draining, 1.0, behind=options.vessel == "vertebral")
        vessels += _drained(drains, tissue, lost * (1.0 - collaterals[0]))
    if options.vessel == "none":
        vessels = []
    latest = max((float(v.delay_s.max()) for v in vessels), default=0.0)
    latest = max(latest, float(tissue.delay_s.max(initial=0.0)))
    injection = _injection(options, setting, pushing)
    return Patient(
        side=options.side or side,
        vessels=tuple(vessels),
        tissue=_thinned(tissue, collaterals[0], options),
        blood_ml=BLOOD_ML * blood * (BEHIND if options.vessel == "vertebral" else 1.0),
        mu=mu,
        injection=injection,
        table=curve_table(injection, times, latest),
        ica=(branches[0].course, tree.top) if has_ica else None,
        clot=clot,
        lost=lost,
        head=head,
    )


def _arteries(options: XaOptions, rng: np.random.Generator, tortuosity: float) -> Tree:
    around, rng = rng.spawn(2)
    tree = Tree(rng, tortuosity)
    if options.vessel in {"carotid", "none"}:
        _carotid_tree(tree, layered=options.layered)
    elif options.vessel == "vertebral":
        vertebral(tree)
    sprout(tree)
    outside = around.random() < 0.35 if options.external is None else options.external
    if options.vessel == "external" or (outside and options.vessel == "carotid"):
        external_carotid(tree, around)
    return tree


def _carotid_tree(tree: Tree, *, layered: bool) -> None:
    course, tree.top = carotid(tree.rng, tree.tortuosity)
    dense = opacity(course, tree.rng.spawn(1)[0], layered=layered)
    number = tree.add(Branch("ICA", course, strength=dense))
    for branch in side_branches(course, tree.rng):
        added = tree.add(branch)
        if branch.name == "PCom" and tree.rng.random() < 0.3:
            posterior_cerebral(tree, added)
    middle_cerebral(tree, number)
    first = len(tree.branches)
    anterior_cerebral(tree, number)
    if tree.rng.random() < 0.25:
        cross_filled(tree, first)


def _weakened(branches: list[Branch], rng: np.random.Generator) -> list[Branch]:
    """Return branches whose contrast is as dense as their parent's, less where other blood mixes in."""
    mixed = {
        "A1": rng.uniform(0.35, 1.0),
        "ACom": rng.uniform(0.3, 0.9),
        "PCom": rng.uniform(0.2, 0.8),
        "PCA": rng.uniform(0.4, 1.0),
    }
    done: list[Branch] = []
    for branch in branches:
        if branch.parent < 0:
            done.append(branch)
            continue
        mother = done[branch.parent]
        here = np.broadcast_to(np.asarray(mother.strength), len(mother.course))[branch.leaves_at]
        if branch.name == "M1" and here < 0.5:
            here = 0.6  # streams that were apart have mixed
        done.append(branch.moved(strength=float(here) * mixed.get(branch.name, 1.0)))
    return done


def _topped(vessels: list[Strand], first_s: float) -> list[Strand]:
    """Return vessels with the internal carotid in two parts; the upper one fills from a time on [s]."""
    done: list[Strand] = []
    for strand in vessels:
        at = int(np.searchsorted(strand.delay_s, first_s))
        if strand.name != ICA or strand.kind is Kind.COLLATERAL or at >= len(strand.course):
            done.append(strand)
            continue
        done += [strand.part(0, at + 1), replace(strand.part(at, None), name=ICA_TOP)]
    return done


def _drained(drains: list[Branch], tissue: Terminals, lost: float) -> list[Strand]:
    """Return veins as they fill after the tissue, less where a part of it got nothing."""
    first = float(np.quantile(tissue.delay_s[tissue.late < 0.5], 0.2)) if (tissue.late < 0.5).any() else 3.0
    strength = max(1.0 - lost, 0.0)
    return [
        Strand(
            vein.name,
            Kind.VEIN,
            vein.course,
            first + vein.delay_s,
            np.full(len(vein.course), strength * float(np.mean(vein.strength))),
        )
        for vein in drains
    ]


def _thinned(tissue: Terminals, collateral: float, options: XaOptions) -> Terminals:
    """Return terminals with the share of contrast that reaches them, and whether a detour spread it."""
    weight = tissue.weight * np.where(tissue.late > 0.5, collateral, 1.0) * float(options.vessel != "none")
    late = tissue.late * float(not options.only_late)
    return Terminals(tissue.place, weight, tissue.delay_s, late)


def _injection(options: XaOptions, setting: Setting, rng: np.random.Generator) -> Injection:
    before, after = rng.uniform(1.0, 1.8), rng.uniform(*setting.onset_s)
    return Injection(
        start_s=-before if options.injected_from_first else after,
        plateau_s=rng.uniform(*setting.plateau_s),
        beat_s=rng.uniform(0.6, 1.1),
        pulse=rng.uniform(0.0, 0.25),
    )


def _pose(setting: Setting, rng: np.random.Generator) -> Float64s:
    """Return scale and turn of the head, shape `(3, 3)`."""
    ax, ay, az = np.deg2rad(rng.normal(0.0, setting.turn_deg, 3))
    turns = np.eye(3)
    for angle, (i, j) in ((ax, (1, 2)), (ay, (0, 2)), (az, (0, 1))):
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        turns = turns @ turn
    whole = rng.uniform(*setting.scale) * (1.0 + rng.normal(0.0, 0.025, 3))
    return np.asarray(turns * whole, dtype=np.float64)
