"""Cases of bright tubes, small enough for networks that learn in seconds."""

from pathlib import Path

import numpy as np
import pytest

from bolus.learn import ica
from bolus.learn.cases import Case, Entry, Manifest, write_case, write_manifest


def tube_case(seed: int, size: int = 48, patient: str = "") -> Case:
    """A broad upright tube to find, a thin slanted one to leave, and noise."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
    middle = size * rng.uniform(0.35, 0.65) + size * 0.1 * np.sin(y / size * rng.uniform(2, 5))
    artery = (np.abs(x - middle) < size * 0.06) & (y > size * 0.3)
    branch = np.abs(x - y * rng.uniform(0.3, 0.9)) < 1.0
    contrast = 1.0 * artery + 0.4 * branch + 0.05 * rng.standard_normal((size, size))
    minip = contrast.clip(min=0).astype(np.float32)[:, :, None]
    return ica.make_case(minip, np.ones_like(minip, dtype=bool), artery[:, :, None], patient or f"p{seed}")


@pytest.fixture
def tubes(tmp_path: Path) -> Manifest:
    """Eight patients with a case each, on disk."""
    folder = tmp_path / "tubes"
    entries = []
    for seed in range(8):
        case = tube_case(seed)
        write_case(case, folder / f"{seed}.npz")
        entries.append(Entry(f"{seed}.npz", case.patient, digest=case.digest))
    manifest = Manifest(folder, tuple(entries), {"generator": "tubes"})
    write_manifest(manifest)
    return manifest
