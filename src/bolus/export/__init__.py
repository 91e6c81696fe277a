"""Everything that leaves: NIfTI, summary, curves, figures and the report."""

from bolus.export.figures import TABLES, draw_all
from bolus.export.nifti import write_map, write_mask, write_volume
from bolus.export.report import render
from bolus.export.summary import schema, summarise, summarise_views, summary_lines
from bolus.export.writer import require_writable, write, write_views

__all__ = [
    "TABLES",
    "draw_all",
    "render",
    "require_writable",
    "schema",
    "summarise",
    "summarise_views",
    "summary_lines",
    "write",
    "write_map",
    "write_mask",
    "write_views",
    "write_volume",
]
