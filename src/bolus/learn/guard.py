"""Whether a carotid artery was injected at all: a second look at what the network outlined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy import ndimage

from bolus.core.arrays import Float32s, Float64s
from bolus.core.errors import BadInput, BadRecipe, ShapeMismatch
from bolus.learn import files
from bolus.learn.card import write_card
from bolus.learn.cases import CaseSet, Manifest, read_manifest
from bolus.learn.frame import Frame
from bolus.learn.infer import Network

CAROTID: Final = "carotid"
PERCENTILE: Final = 99.5
CEILING: Final = 1.5
"""Of the contrast in the field, that becomes 1, and where it is cut off, as in `bolus.learn.ica`."""
FEATURES: Final = ("sure", "halo", "upper", "area", "height", "density")
"""What is measured of an outline, before the channels of the network's deepest level; see `measured`."""
LIKELY, SURE = 0.5, 0.9
LIMITS: Final = (0.3, 0.5, 0.9)
"""Chances at which scores of a guard are given."""
COPIES: Final = 3
"""How often each view is shown again, changed as other sites would: see `changed`."""
RIDGE: Final = 10.0
"""Penalty on the squared weights of standardised features, against losses that add up over cases."""
_UPPER: Final = 0.4
"""Part of the field, from above, in which a carotid injection fills the brain and others little."""
_STEPS: Final = 50
_LEAST: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Guard:
    """A logistic model that tells injections into other arteries from those into a carotid.

    Parameters
    ----------
    middle, spread, weights
        Mean, standard deviation and weight of each feature.
    bias
        Log-odds at the means.
    data
        Where the cases come from that it was fitted to, and how many images of how many other injections.
    scores
        By the name of a set of cases: parts of the views that it flags, by what was injected.
    """

    middle: tuple[float, ...]
    spread: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    data: Mapping[str, Any]
    scores: Mapping[str, Any]

    def other(self, features: Float64s) -> float:
        """Return the chance, 0-1, that another artery was injected, from features of shape `(n,)`."""
        apart = (features - np.array(self.middle)) / np.array(self.spread)
        return float(_logistic(np.array(self.weights) @ apart + self.bias))

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return asdict(self)


def guard_of(network: Network) -> Guard | None:
    """Return the guard of a network's card, None where it has none.

    Raises
    ------
    BadInput
        If the card holds something else.
    """
    told = network.card.guard
    if not told:
        return None
    try:
        listed = [tuple(map(float, told[name])) for name in ("middle", "spread", "weights")]
        guard = Guard(listed[0], listed[1], listed[2], float(told["bias"]), told["data"], told["scores"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput("not the guard of a network", where=network.where) from error
    if len({len(values) for values in listed}) != 1:
        raise ShapeMismatch("the guard of the network has lists of several lengths", where=network.where)
    return guard


def look(network: Network, image: Float32s, size: int) -> Float64s:
    """Return the features of one image `(y, x)` made by `bolus.learn.ica.network_input`, shape `(n,)`.

    Parameters
    ----------
    size
        Pixels that the network was trained at.

    Raises
    ------
    BadInput
        If the network's file gives no second answer; `bolus learn guard` adds it.
    """
    square = Frame((image.shape[0], image.shape[1]), size).put(image)
    answer, depths = network.in_depth(square[None, None])
    return measured(square, answer[0, 0], depths[0])


def measured(image: Float32s, chance: Float32s, depths: Float32s) -> Float64s:
    """Return what tells a carotid injection from others.

    Parameters
    ----------
    image, chance
        What the network was shown, and its answer, shape `(y, x)` each.
    depths
        Means of the channels of its deepest level, shape `(channels,)`.

    Returns
    -------
    Of the outline (chance above 0.5): the part that is sure (0.9), the log of what chance lies around it, the
    part of all contrast in the upper 40 % of the field, the logs of its area over the field, its height over
    the field's, and the median contrast in it; then the square roots of the means.
    """
    likely = chance > LIKELY
    n = max(int(np.count_nonzero(likely)), 1)
    shown = image > 0
    rows = np.flatnonzero(shown.any(axis=1))
    first, last = (int(rows[0]), int(rows[-1]) + 1) if rows.size else (0, image.shape[0])
    cut = first + round(_UPPER * (last - first))
    lines = np.flatnonzero(likely.any(axis=1))
    height = (int(lines[-1]) + 1 - int(lines[0])) / (last - first) if lines.size else 0.0
    outline = [
        np.count_nonzero(chance > SURE) / n,
        np.log(max(float(chance[~likely].sum()) / n, _LEAST)),
        float(image[:cut].sum()) / max(float(image.sum()), _LEAST),
        np.log(max(n / max(int(np.count_nonzero(shown)), 1), _LEAST)),
        np.log(max(height, _LEAST)),
        np.log(max(float(np.median(image[likely])) if likely.any() else 0.0, 0.01)),
    ]
    return np.concatenate([outline, np.sqrt(np.maximum(depths, 0.0, dtype=np.float64))])


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
    toned = np.where(field, np.maximum(noisy, _LEAST), 0.0) ** rng.uniform(0.8, 1.25)
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
        chance = _logistic(apart @ weights)
        slope = apart.T @ (each * (chance - other)) + ridge * weights
        bend = (apart * (each * chance * (1.0 - chance))[:, None]).T @ apart + np.diag(ridge)
        step = np.linalg.solve(bend, slope)
        weights = weights - step
        if float(np.abs(step).max()) < 1e-9:
            break
    return weights


def _logistic(odds: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-np.clip(odds, -50.0, 50.0)))


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
        If all cases are carotid injections, or none is.
    BadInput
        If a case does not say what was injected.
    """
    from bolus.learn.depths import add_depths
    from bolus.learn.infer import Network as Opened
    from bolus.learn.infer import session

    with files.whole(out) as made:
        add_depths(network.where, made)
        deep = Opened(session(made, 1), network.card, made)
        chosen = read_manifest(folder)
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
