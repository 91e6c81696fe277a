"""Networks that make maps of CT and MR in a run, by the name of the method."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from bolus.learn import net
from bolus.learn.mapping import TEMP_PIX2PIX, UNET, Mapping2D
from bolus.pipeline import Mapper, Mappers

MAPPERS: Final[Mappers] = MappingProxyType(
    {
        "net": Mapper(net.make_maps),
        **{
            name: Mapper(
                Mapping2D(name, kind), takes_frames=True, modalities=(kind.modality,), needs_artery=False
            )
            for name, kind in (("unet", UNET), ("temp-pix2pix", TEMP_PIX2PIX))
        },
    }
)
"""For `bolus.pipeline.run`; each loads its network when a run first asks for it."""
