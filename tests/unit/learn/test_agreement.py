"""Agreement of measurements, against tables of textbooks and scipy."""

import numpy as np
import pytest
from scipy import stats

from bolus.core.errors import ShapeMismatch
from bolus.learn.agreement import bland_altman, friedman_p, icc1k, pearson

SHROUT = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7.0]])
"""Six targets and four judges: table 2 of Shrout & Fleiss (1979)."""


def test_reliability_is_that_of_the_paper_that_defines_it():
    found = icc1k(SHROUT)
    assert found.icc == pytest.approx(0.44, abs=0.005)  # ICC(1,4) of their table 4
    assert found.low < found.icc < found.high


def test_reliability_of_raters_who_agree_and_of_patients_who_do_not_differ():
    assert icc1k(np.repeat([[1.0], [2.0], [5.0]], 3, axis=1)).icc == 1.0
    assert np.isnan(icc1k(np.ones((4, 3))).icc)
    with pytest.raises(ShapeMismatch, match="raters"):
        icc1k(np.ones((4, 1)))


def test_limits_hold_most_differences_and_the_bias_is_their_mean():
    rng = np.random.default_rng(0)
    first = rng.uniform(0, 100, 400)
    found = bland_altman(first + rng.normal(2.0, 3.0, 400), first)
    assert found.bias == pytest.approx(2.0, abs=0.5)
    assert found.repeatability == pytest.approx(1.96 * 3.0, rel=0.1)
    assert (found.low, found.high) == pytest.approx(
        (found.bias - 1.96 * found.sd, found.bias + 1.96 * found.sd)
    )
    with pytest.raises(ShapeMismatch, match="pair"):
        bland_altman([1.0, 2.0], [1.0])


def test_ranks_and_correlations_are_those_of_scipy():
    assert friedman_p(SHROUT) == pytest.approx(stats.friedmanchisquare(*SHROUT.T).pvalue)
    assert np.isnan(friedman_p(np.ones((4, 3))))
    assert pearson(SHROUT[:, 0], SHROUT[:, 3])[0] == pytest.approx(
        np.corrcoef(SHROUT[:, 0], SHROUT[:, 3])[0, 1]
    )
    assert np.isnan(pearson([1.0, 1.0, 1.0], [1.0, 2.0, 3.0])[0])
