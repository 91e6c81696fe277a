"""Networks that make maps of CT and MR in a run, by the name of the method."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from bolus.pipeline import Mapper, Mappers

_MAPPERS: dict[str, Mapper] = {}
MAPPERS: Final[Mappers] = MappingProxyType(_MAPPERS)
"""For `bolus.pipeline.run`; each loads its network when a run first asks for it."""
