"""Who is trained on, who chooses, and who is kept for the end: always whole patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from bolus.core.errors import BadInput, BadRecipe
from bolus.learn import files
from bolus.learn.cases import Manifest

PAPER: Final = (0.5, 0.3, 0.2)
"""Parts of patients for training, validation and test."""


@dataclass(frozen=True, slots=True)
class Split:
    """Patients by what they are for; nobody is in two parts."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...] = ()
    seed: int = 0

    @property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """The three parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def split_patients(
    patients: Sequence[str], fractions: tuple[float, float, float] = PAPER, *, seed: int = 0
) -> Split:
    """Deal patients out at random to training, validation and test.

    Parameters
    ----------
    patients
        Names; repeated ones count once.
    fractions
        Parts of the whole, adding up to 1. Training gets what rounding leaves; training and validation get
        at least one patient each.
    seed
        Same seed, same split, whatever order the names come in.

    Raises
    ------
    BadRecipe
        If the fractions do not add up to 1.
    BadInput
        If there are fewer than two patients.
    """
    if min(fractions) < 0 or abs(sum(fractions) - 1.0) > 1e-6:
        raise BadRecipe("parts of a split must add up to 1", found=" ".join(map(str, fractions)))
    names = _shuffled(patients, seed)
    if len(names) < 2:
        raise BadInput("too few patients to split", wanted="at least 2", found=str(len(names)))
    n_validation = max(round(fractions[1] * len(names)), 1)
    n_test = min(round(fractions[2] * len(names)), len(names) - n_validation - 1)
    cut = len(names) - n_validation - n_test
    train, validation, test = names[:cut], names[cut : cut + n_validation], names[cut + n_validation :]
    return Split(_sorted(train), _sorted(validation), _sorted(test), seed)


def folds(patients: Sequence[str], k: int, *, seed: int = 0) -> tuple[Split, ...]:
    """Cut patients into k parts; part i is the test of fold i, the part after it its validation.

    Raises
    ------
    BadRecipe
        If k is less than 3 (there are three parts to fill) or more than there are patients.
    """
    names = _shuffled(patients, seed)
    if not 3 <= k <= len(names):
        raise BadRecipe("no such number of folds", wanted=f"3 to {len(names)} (patients)", found=str(k))
    parts = [names[i::k] for i in range(k)]
    made = []
    for i in range(k):
        chosen = (i, (i + 1) % k)
        train = [name for j, part in enumerate(parts) if j not in chosen for name in part]
        made.append(Split(_sorted(train), _sorted(parts[chosen[1]]), _sorted(parts[i]), seed))
    return tuple(made)


def chronological(patients: Sequence[str], k: int, *, test: float = 0.2) -> tuple[Split, ...]:
    """Keep the first patients for the test, and cut the others into k parts, each the validation of a fold.

    Parameters
    ----------
    patients
        Names in the order in which they came; repeated ones count once.
    k
        Folds.
    test
        Part of the patients that is kept for the test.

    Raises
    ------
    BadRecipe
        If k is less than 2, or there are not enough patients to train, choose and test.
    """
    names = list(dict.fromkeys(patients))
    n_test = max(round(test * len(names)), 1)
    kept, others = names[:n_test], names[n_test:]
    if not 2 <= k <= len(others):
        raise BadRecipe(
            "no such number of folds", wanted=f"2 to {len(others)} (patients beside the test)", found=str(k)
        )
    cuts = np.linspace(0, len(others), k + 1).round().astype(int)
    return tuple(
        Split(_sorted(others[:a] + others[b:]), _sorted(others[a:b]), _sorted(kept))
        for a, b in pairwise(cuts.tolist())
    )


def reduced(split: Split, percent: float) -> Split:
    """Take that many percent of the training patients away, at random; validation and test stay.

    Parameters
    ----------
    percent
        0 to below 100; the same patients leave first whatever the percentage, so that sets are nested.
    """
    if not 0 <= percent < 100:
        raise BadRecipe("no such reduction", wanted="0 to below 100 percent", found=f"{percent:g}")
    names = _shuffled(split.train, split.seed)
    n_kept = max(len(names) - round(len(names) * percent / 100), 1)
    return Split(_sorted(names[:n_kept]), split.validation, split.test, split.seed)


def check_leakage(split: Split, manifest: Manifest) -> None:
    """Make sure that no patient, and no image, is in two parts.

    Raises
    ------
    BadInput
        If a patient is in two parts, or an image is (as happens when one patient has two names), or a
        patient of the split has no case.
    """
    parts = list(split.parts.items())
    digests = {name: {e.digest for e in manifest.of(who).entries if e.digest} for name, who in parts}
    for i, (name, who) in enumerate(parts):
        for other, others in parts[i + 1 :]:
            _refuse(set(who) & set(others), f"patients are both in {name} and {other}", manifest)
            _refuse(digests[name] & digests[other], f"images are both in {name} and {other}", manifest)
    everyone = {patient for _, who in parts for patient in who}
    _refuse(everyone - set(manifest.patients), "patients of the split have no case", manifest)


def write_split(split: Split, path: Path) -> None:
    """Write a split as JSON."""
    files.write_json(path, asdict(split))


def read_split(path: Path) -> Split:
    """Read a split that `write_split` wrote.

    Raises
    ------
    UnreadableFile
        If the file is missing or not JSON.
    BadInput
        If it is no split.
    """
    document = files.read_json(path, "the split")
    try:
        who = {name: tuple(document[name]) for name in ("train", "validation", "test")}
        return Split(**who, seed=int(document["seed"]))
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(
            "not a split of patients", wanted="train, validation, test, seed", where=path
        ) from error


def _shuffled(patients: Sequence[str], seed: int) -> list[str]:
    names = sorted(set(patients))
    return [names[i] for i in np.random.default_rng(seed).permutation(len(names))]


def _sorted(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(names))


def _refuse(found: set[str], what: str, manifest: Manifest) -> None:
    if found:
        raise BadInput(
            what,
            found=", ".join(sorted(found)[:5]),
            where=manifest.folder,
            remedy="Give a split of these cases with --split.",
        )
