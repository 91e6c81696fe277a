"""Estimates and curves to maps: CBF, CBV, MTT, Tmax, TTP, arrival and first moment, with units."""

from bolus.quantify.curves import ORIGINS, require_origin
from bolus.quantify.maps import flow_map, make_maps

__all__ = ["ORIGINS", "flow_map", "make_maps", "require_origin"]
