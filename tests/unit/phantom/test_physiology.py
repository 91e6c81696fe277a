"""Patients of a cohort differ in what is said that they differ in, and in nothing else."""

import numpy as np
import pytest

from bolus import phantom
from bolus.core.errors import BadRecipe
from bolus.phantom import Physiology

SMALL = {"shape": (48, 48, 4), "n_frames": 20, "dt": 2.0, "seed": 3}


def study(**changes):
    return phantom.ct(**SMALL, physiology=Physiology(**changes))


def ratio(name, one, other):
    a, b = one.truth.maps[name].values, other.truth.maps[name].values
    return float(np.nanmedian(a / b))


def test_flow_and_volume_scale_what_they_say():
    usual, more = study(), study(flow=1.3, volume=0.8)
    assert ratio("CBF", more, usual) == pytest.approx(1.3, rel=1e-3)
    assert ratio("MTT", more, usual) == pytest.approx(0.8, abs=0.03)  # in steps of 0.1 s
    assert ratio("CBV", more, usual) == pytest.approx(1.04, rel=0.03)


def test_lesions_grow_move_and_fill_later():
    usual, small = study(), study(lesion_size=0.6)
    assert small.truth.volumes_ml["hypoperfused"] < 0.6 * usual.truth.volumes_ml["hypoperfused"]
    inside = usual.truth.masks["penumbra"]
    late = study(lesion_delay_s=3.0).truth.maps["delay"].values - usual.truth.maps["delay"].values
    assert float(np.median(late[inside])) == pytest.approx(3.0, abs=0.3)
    back = study(lesion_size=0.6, lesion_shift_mm=(0.0, -30.0, 0.0))
    forward = study(lesion_size=0.6, lesion_shift_mm=(0.0, 20.0, 0.0))
    behind, before = (np.nonzero(s.truth.masks["hypoperfused"])[1].mean() for s in (back, forward))
    assert behind > before + 5  # the second axis runs backwards


def test_the_arterial_curve_widens_and_comes_back():
    wide, again = study(aif_beta_s=3.0), study(recirculation=0.0)
    times, curve = wide.truth.aif_fine.times, wide.truth.aif_fine.values
    assert times[np.argmax(curve)] == pytest.approx(8.0 + 3.0 * 3.0, abs=0.2)
    assert again.truth.aif_fine.values[-1] < 0.2 * study().truth.aif_fine.values[-1]


@pytest.mark.parametrize("changes", [{"flow": 0.0}, {"aif_beta_s": 50.0}, {"lesion_shift_mm": (0, 0, 200)}])
def test_what_no_patient_has_is_refused(changes):
    with pytest.raises(BadRecipe, match=next(iter(changes))):
        study(**changes)
