"""NIfTI files of a folder as candidates for the perfusion series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from bolus.core.errors import BadInput
from bolus.core.units import Modality
from bolus.read.files import Rejected
from bolus.read.found import Found
from bolus.read.nifti.header import StoredImage, read_header
from bolus.read.nifti.series import Outline, load_nifti, outline
from bolus.read.nifti.sidecar import Sidecar, modality_of, read_sidecar, stem_of, text, words
from bolus.read.options import ReadOptions
from bolus.read.rank import Look, claim_of, problems_of
from bolus.read.survey import Candidate
from bolus.read.text import checked_uid, plain, short_hash

_AXES = 4


def find_candidates(files: Sequence[Path], options: ReadOptions) -> tuple[list[Found], list[Rejected]]:
    """Look at NIfTI files and say which of them may be a perfusion series.

    Parameters
    ----------
    files
        Their paths.
    options
        What stands in for what the files do not say.

    Returns
    -------
    The files with a time axis, and the others with a reason each.
    """
    found, rejected = [], []
    for path in files:
        try:
            image = read_header(path)
        except BadInput as error:
            rejected.append(Rejected(path, f"damaged NIfTI ({error.what})"))
            continue
        if len(image.shape) != _AXES:
            rejected.append(Rejected(path, "NIfTI without a time axis"))
            continue
        found.append(_examine(image, options))
    return found, rejected


def _examine(image: StoredImage, options: ReadOptions) -> Found:
    """Judge a file by its header, name and sidecar."""
    path, n_frames = image.path, image.shape[3]
    known: Outline | None = None
    error: BadInput | None = None
    sidecar: Sidecar = {}
    try:
        sidecar = read_sidecar(path)
        known = outline(path, options)
    except BadInput as reason:
        error = reason
    modality = known.modality if known else options.modality or modality_of(sidecar) or Modality.MR
    look = _look(path, sidecar, modality)
    x, y, z = known.grid.shape if known else image.shape[:3]
    claim, reasons = claim_of(look, 0)  # files of a folder need not be of one study: size proves nothing
    candidate = Candidate(
        name=short_hash(path.parent.name, path.name),
        series_uid=checked_uid(sidecar.get("SeriesInstanceUID")),
        number=None,
        description=plain(path.name),
        modality=modality,
        shape=(x, y, z, n_frames),
        n_images=n_frames,
        reasons=reasons,
        problems=problems_of(look, n_frames),
        error="" if error is None else str(error),
    )
    if known is not None:
        candidate = replace(candidate, te_ms=known.acquisition.te_ms)
        candidate = candidate.with_times(known.times, known.acquisition.clock, known.findings)
    return Found(candidate, claim, "", partial(load_nifti, path, options), error)


def _look(path: Path, sidecar: Sidecar, modality: Modality) -> Look:
    """Gather what speaks for a file: its sidecar, its name, and the last word of that (BIDS: the suffix)."""
    stem = stem_of(path)
    names = (stem, text(sidecar, "SeriesDescription"), text(sidecar, "ProtocolName"))
    return Look(
        modality=modality,
        image_type=(*words(sidecar, "ImageType"), stem.rsplit("_", 1)[-1].upper()),
        name=" ".join(names),
        body_part=text(sidecar, "BodyPartExamined"),
        has_contrast=bool(text(sidecar, "ContrastBolusAgent") or text(sidecar, "ContrastBolusIngredient")),
    )
