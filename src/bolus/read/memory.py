"""What this machine can hold, asked before anything is allocated."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from bolus.core.errors import UnreadableFile

MAX_BYTES: Final = 32 * 2**30
"""Most bytes that the voxels of one series may take as they are stored."""


def require_memory(n_bytes: int, where: Path | str) -> None:
    """Refuse voxels that the machine cannot hold: it would be stopped half-way, without a word.

    Parameters
    ----------
    n_bytes
        Size of the voxels.
    where
        The file or folder that an error names.

    Raises
    ------
    UnreadableFile
        If they take more than `MAX_BYTES` or the machine's memory.
    """
    limit = min(MAX_BYTES, _memory_bytes())
    if n_bytes > limit:
        raise UnreadableFile(
            "the image is too large for this machine",
            wanted=f"at most {limit / 2**30:.0f} GiB",
            found=f"{n_bytes / 2**30:.0f} GiB",
            where=where,
            remedy="Crop it, or use a machine with more memory.",
        )


def _memory_bytes() -> int:
    """Return the machine's memory [bytes], a great deal where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError):
        return MAX_BYTES
