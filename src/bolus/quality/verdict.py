"""All rules applied to one run."""

from __future__ import annotations

from collections.abc import Iterator

from bolus.core.finding import Finding, Severity
from bolus.quality.evidence import Evidence
from bolus.quality.rules import RULES


def check(evidence: Evidence) -> tuple[Finding, ...]:
    """Apply every rule and return what the stages have not already said.

    Parameters
    ----------
    evidence
        What came out of the stages.

    Returns
    -------
    At most one finding a code, the worst; none of a code that a stage raised at least as severely.
    """
    order = list(Severity)
    known = {finding.code: finding.severity for finding in _already(evidence)}
    worst: dict[str, Finding] = {}
    for rule in RULES:
        finding = rule.judge(evidence)
        if finding is None:
            continue
        rivals = [known.get(finding.code), worst[finding.code].severity if finding.code in worst else None]
        if all(r is None or order.index(finding.severity) > order.index(r) for r in rivals):
            worst[finding.code] = finding
    return tuple(worst.values())


def _already(evidence: Evidence) -> Iterator[Finding]:
    for stage in (evidence.series, evidence.brain, evidence.concentration, evidence.raw, evidence.vessels):
        yield from stage.findings
