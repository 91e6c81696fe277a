"""Networks that make maps of CT and MR in a run, by the name of the method."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from bolus.learn.mapping import TEMP_PIX2PIX, UNET, Mapping2D
from bolus.pipeline import Mapper, Mappers

_MAPPERS: dict[str, Mapper] = {
    name: Mapper(Mapping2D(name, kind), takes_frames=True, modalities=(kind.modality,))
    for name, kind in (("unet", UNET), ("temp-pix2pix", TEMP_PIX2PIX))
}
MAPPERS: Final[Mappers] = MappingProxyType(_MAPPERS)
"""For `bolus.pipeline.run`; each loads its network when a run first asks for it."""
