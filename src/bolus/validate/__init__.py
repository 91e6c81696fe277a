"""How accurate deconvolution is, measured on curves whose truth is known: simulated here, or by others."""

from bolus.validate.assess import Validation, assess
from bolus.validate.candidate import Candidate, candidates
from bolus.validate.experiments import EXPERIMENTS
from bolus.validate.figures import figures
from bolus.validate.flow_response import FlowResponse, flow_response
from bolus.validate.others import read_bezier, read_osipi
from bolus.validate.report import document, require_writable, write
from bolus.validate.rows import Row, Score
from bolus.validate.setup import FAST, FULL, Effort
from bolus.validate.tables import Table, tables

__all__ = [
    "EXPERIMENTS",
    "FAST",
    "FULL",
    "Candidate",
    "Effort",
    "FlowResponse",
    "Row",
    "Score",
    "Table",
    "Validation",
    "assess",
    "candidates",
    "document",
    "figures",
    "flow_response",
    "read_bezier",
    "read_osipi",
    "require_writable",
    "tables",
    "write",
]
