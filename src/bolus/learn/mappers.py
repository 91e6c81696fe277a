"""Networks that make maps of CT and MR in a run, by the name of the method."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from bolus.learn import net
from bolus.pipeline import Mapper, Mappers

MAPPERS: Final[Mappers] = MappingProxyType({"net": Mapper(net.make_maps)})
"""For `bolus.pipeline.run`; each loads its network when a run first asks for it."""
