"""One small validation that several tests look at."""

from dataclasses import replace

import numpy as np
import pytest

from bolus.core.maps import Estimate
from bolus.deconvolve import csvd
from bolus.validate import Candidate, Effort, Validation, assess, candidates

TINY = Effort("tiny", True, 2, 10, 2, 1, 2)


def with_intervals(curves: np.ndarray, aif: np.ndarray, dt: float, /) -> Estimate:
    """A method that fits all that a method may fit, with intervals."""
    found = csvd(curves, aif, dt)
    ones = np.ones_like(found.flow)
    sd = {"flow": 0.2 * found.flow, "delay": ones, "mtt": ones}
    return replace(found, mtt=6 * ones, delay=found.tmax - 2, sd=sd)


@pytest.fixture(scope="session")
def found() -> Validation:
    return assess((*candidates(["csvd", "csvd:cutoff=0.2"]), Candidate("fits", with_intervals)), effort=TINY)
