"""What a reader must know before believing a result: each rule with its limits and its source."""

from bolus.quality.evidence import Evidence
from bolus.quality.rules import RULES, Rule
from bolus.quality.verdict import check

__all__ = ["RULES", "Evidence", "Rule", "check"]
