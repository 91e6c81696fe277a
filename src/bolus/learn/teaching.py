"""Fitting a guard, and putting it onto a network's card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy import ndimage

from bolus.core.arrays import Float32s, Float64s
from bolus.core.errors import BadInput, BadRecipe
from bolus.learn import files
from bolus.learn.card import require_name, write_card
from bolus.learn.cases import CaseSet, Manifest, read_manifest
from bolus.learn.depths import add_depths
from bolus.learn.guard import LEAST, Guard, logistic, look
from bolus.learn.ica import CEILING, PERCENTILE
from bolus.learn.infer import Network, session

CAROTID: Final = "carotid"
LIMITS: Final = (0.3, 0.5, 0.9)
"""Chances at which scores of a guard are given."""
COPIES: Final = 3
"""How often each view is shown again, changed as other sites would: see `changed`."""
RIDGE: Final = 10.0
"""Penalty on the squared weights of standardised features, against losses that add up over cases."""
_STEPS: Final = 50


def changed(image: Float32s, rng: np.random.Generator) -> Float32s:
    """Return an image `(y, x)` as another site might have taken it.

    Mirrored, larger or smaller, turned, off centre, in a round field, with more and coarser noise, and with
    contrast that is weaker or stronger beside that of the densest vessels; each of these by chance.
    """
    sides = np.array(image.shape)
    shown = image[:, ::-1] if rng.random() < 0.5 else image
    size, turn = rng.uniform(0.85, 1.18), np.deg2rad(rng.normal(0.0, 5.0))
    back = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) / size
    middle = 0.5 * (sides - 1)
    moved = ndimage.affine_transform(
        shown, back, middle - back @ (middle + rng.uniform(-0.06, 0.06, 2) * sides[0]), order=1
    )
    y, x = (np.indices(image.shape) + 0.5) / sides[:, None, None] - 0.5
    field = (moved > 0) & ((rng.random() < 0.5) | (np.hypot(y, x) < rng.uniform(0.49, 0.6)))
    grain = ndimage.gaussian_filter(rng.standard_normal(image.shape), rng.uniform(0.3, 1.0))
    noisy = moved + rng.uniform(0.0, 0.06) * np.abs(grain / grain.std())
    toned = np.where(field, np.maximum(noisy, LEAST), 0.0) ** rng.uniform(0.8, 1.25)
    top = float(np.percentile(toned[field], PERCENTILE)) if field.any() else 1.0
    return np.clip(toned / top, 0.0, CEILING).astype(np.float32)


def features_of(network: Network, manifest: Manifest, copies: int = 0) -> tuple[Float64s, tuple[str, ...]]:
    """Return the features of every case, shape `(cases, n)`, and which artery was injected in each.

    Parameters
    ----------
    copies
        How many more rows each case gives, of changed images.

    Raises
    ------
    BadInput
        If a case does not say what was injected.
    """
    size = int(network.card.recipe.get("size", 320))
    cases = CaseSet(manifest, lambda _case: {}, cache_mb=0)
    rows, injected = [], []
    for i in range(len(cases)):
        case = cases.case(i)
        if "vessel" not in case.meta:
            raise BadInput("a case does not say which artery was injected", where=case.patient)
        rng = np.random.default_rng([copies, i])
        images = [case.image[0], *(changed(case.image[0], rng) for _ in range(copies))]
        rows += [look(network, image, size) for image in images]
        injected += [str(case.meta["vessel"])] * len(images)
    return np.array(rows), tuple(injected)


def fit(features: Float64s, injected: Sequence[str], data: Mapping[str, Any]) -> Guard:
    """Fit a guard: logistic regression with a ridge, in which both kinds of injection weigh the same.

    Parameters
    ----------
    features
        Shape `(cases, n)`.
    injected
        What was injected in each case.
    data
        Where the cases come from.

    Raises
    ------
    BadRecipe
        If all cases are carotid injections, or none is.
    """
    other = np.array([vessel != CAROTID for vessel in injected])
    if other.all() or not other.any():
        raise BadRecipe(
            "a guard learns from injections of both kinds",
            found="carotid only" if not other.any() else "no carotid",
            remedy="Simulate some with --vessels carotid,vertebral,external.",
        )
    middle, spread = features.mean(axis=0), features.std(axis=0) + 1e-9
    apart = np.column_stack([(features - middle) / spread, np.ones(len(features))])
    share = float(other.mean())
    weights = _fitted(apart, other, np.where(other, 0.5 / share, 0.5 / (1.0 - share)))
    about = {**data, "images": len(features), "others": int(other.sum())}
    listed = [tuple(map(float, values)) for values in (middle, spread, weights[:-1])]
    return Guard(listed[0], listed[1], listed[2], bias=float(weights[-1]), data=about, scores={})


def _fitted(apart: Float64s, other: Any, each: Float64s) -> Float64s:
    """Return weights, the bias last, by Newton's method; shape `(n + 1,)`."""
    weights = np.zeros(apart.shape[1])
    ridge = np.full(apart.shape[1], RIDGE)
    ridge[-1] = 1e-6  # the bias is free
    for _ in range(_STEPS):
        chance = logistic(apart @ weights)
        slope = apart.T @ (each * (chance - other)) + ridge * weights
        bend = (apart * (each * chance * (1.0 - chance))[:, None]).T @ apart + np.diag(ridge)
        step = np.linalg.solve(bend, slope)
        weights = weights - step
        if float(np.abs(step).max()) < 1e-9:
            break
    return weights


def teach(network: Network, folder: Path, out: Path, checks: Mapping[str, Path]) -> Guard:
    """Write a network with its guard: a second answer in its file, and the model on its card.

    Parameters
    ----------
    network
        An exported U-Net; its weights and its answer stay as they are.
    folder
        Cases that say what was injected, of both kinds.
    out
        `.onnx` file to write, its card beside it; may be that of the network.
    checks
        Folders of other cases to score the guard on, by name.

    Raises
    ------
    BadRecipe
        If all cases are carotid injections, or none is, or the file does not end in `.onnx`.
    BadInput
        If a case does not say what was injected, or the cases are for another task.
    """
    require_name(out)
    with files.whole(out) as made:
        add_depths(network.where, made)
        deep = Network(session(made, 1), network.card, made)
        chosen = read_manifest(folder)
        chosen.require_task("ica")
        guard = fit(*features_of(deep, chosen, COPIES), chosen.source)
        scores = {"fitted": flagged(guard, *features_of(deep, chosen))}
        for name, other in checks.items():
            scores[name] = flagged(guard, *features_of(deep, read_manifest(other)))
        guard = replace(guard, scores=scores)
    signed = replace(network.card, files={out.name: files.sha256(out)}, guard=guard.as_dict())
    write_card(signed, out.with_suffix(".json"))
    return guard


def flagged(guard: Guard, features: Float64s, injected: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return, by what was injected, how many views there are and which part has a chance above each limit."""
    chances = np.array([guard.other(row) for row in features])
    kinds = np.array(injected)
    return {
        kind: {"views": float(np.count_nonzero(kinds == kind))}
        | {f"above {limit:g}": float(np.mean(chances[kinds == kind] > limit)) for limit in LIMITS}
        for kind in sorted(set(injected))
    }
