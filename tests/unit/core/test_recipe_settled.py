"""What `auto` stands for in each modality."""

import pytest

from bolus.core.recipe import DEFAULT, Recipe
from bolus.core.units import Modality


@pytest.mark.parametrize(
    ("modality", "method", "noise_filter"),
    [("CT", "posterior", "profile"), ("MR", "posterior", "none"), ("XA", "csvd", "gaussian")],
)
def test_auto_stands_for_what_suits_the_modality(modality, method, noise_filter):
    settled = DEFAULT.settled(Modality(modality))
    assert (settled.method, settled.filter) == (method, noise_filter)


@pytest.mark.parametrize("modality", list(Modality))
def test_what_is_asked_for_is_kept(modality):
    asked = Recipe(method="osvd", filter="none", filter_sigma_mm=2.0)
    settled = asked.settled(modality)
    assert (settled.method, settled.filter, settled.filter_sigma_mm) == ("osvd", "none", 2.0)
    assert not settled.method_options


def test_runs_are_carried_on_beyond_their_end_and_options_given_win():
    usual = DEFAULT.settled(Modality.XA).method_options
    assert usual == {"cutoff": 0.2, "tail_s": 2.5}
    assert Recipe(method_options={"cutoff": 0.1}).settled(Modality.XA).method_options["cutoff"] == 0.1


def test_the_paper_deconvolves_causally_once_a_second():
    settled = Recipe(method="paper").settled(Modality.XA)
    assert (settled.method, settled.time_step) == ("ssvd", 1.0)
    assert settled.method_options == {"rule": "volterra"}


@pytest.mark.parametrize("modality", list(Modality))
def test_a_settled_recipe_is_settled(modality):
    once = DEFAULT.settled(modality)
    assert once.settled(modality) == once
