"""Patients of a cohort differ in what is said that they differ in, and in nothing else."""

import numpy as np
import pytest

from bolus import phantom
from bolus.core.errors import BadRecipe
from bolus.phantom import Physiology
from bolus.phantom.circulation import dispersed

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


def test_one_head_has_many_strokes():
    given = ((5, None), (6, 5), (6, None))
    first, again, other = (phantom.ct(**SMALL | {"seed": s, "head": h}) for s, h in given)
    fluid = [s.truth.masks["csf"] for s in (first, again, other)]
    assert np.array_equal(fluid[0], fluid[1])
    assert not np.array_equal(fluid[1], fluid[2])
    assert not np.array_equal(first.series.frame(0), again.series.frame(0))


def test_ventricles_and_furrows_widen_with_age():
    usual, old = study(), study(atrophy_mm=4.0)
    fluid, more = (s.truth.masks["csf"].sum() for s in (usual, old))
    assert more > 1.3 * fluid
    assert old.truth.masks["brain"].sum() == usual.truth.masks["brain"].sum()


def test_dispersion_widens_what_tissue_sees_and_keeps_its_area():
    times = np.arange(0.0, 60.0, 0.1)
    spread = dispersed(lambda at: np.exp(-0.5 * ((at - 15.0) / 2.0) ** 2), 3.0, until=60.0)(times)
    narrow = np.exp(-0.5 * ((times - 15.0) / 2.0) ** 2)
    assert spread.sum() == pytest.approx(narrow.sum(), rel=0.01)
    assert (times * spread).sum() / spread.sum() == pytest.approx(18.0, abs=0.1)
    usual, wide = study(), study(dispersion_s=3.0)
    assert ratio("CBF", wide, usual) == pytest.approx(1.0)
    later = wide.truth.maps["Tmax"].values - usual.truth.maps["Tmax"].values
    assert float(np.nanmedian(later)) == pytest.approx(3.0, abs=0.01)
    tissue = usual.truth.masks["gm"]
    enhancement = [s.series.frame(9)[tissue].mean() - s.series.frame(0)[tissue].mean() for s in (usual, wide)]
    assert enhancement[1] < 0.9 * enhancement[0]


def test_flow_comes_loose_from_anatomy():
    usual, loose = study(), study(decoupling=0.3)
    factors = {
        name: np.log(loose.truth.maps[name].values / usual.truth.maps[name].values) for name in ("CBF", "CBV")
    }
    tissue = np.isfinite(factors["CBF"]) & np.isfinite(factors["CBV"])
    spreads = [float(np.std(found[tissue])) for found in factors.values()]
    assert all(0.1 < spread < 0.6 for spread in spreads)
    assert abs(np.corrcoef(factors["CBF"][tissue], factors["CBV"][tissue])[0, 1]) < 0.9
    np.testing.assert_array_equal(loose.series.frame(0)[:, :, 1], usual.series.frame(0)[:, :, 1])


@pytest.mark.parametrize("lesion", ["aca-left", "pca-right", "blob-left"])
def test_other_lesions_lie_where_they_should(lesion):
    found = phantom.ct(
        shape=(64, 64, 8), n_frames=2, seed=3, lesion=lesion, physiology=Physiology(lesion_delay_s=1.0)
    )
    grid, where = found.series.grid, found.truth.masks["hypoperfused"]
    assert found.truth.side == lesion.split("-")[1]
    assert found.truth.volumes_ml["core"] > 2
    x, y, _ = grid.position_mm(np.argwhere(where)).mean(axis=0)
    assert (x > 0) == lesion.endswith("right")
    assert {"aca": y > 5, "pca": y < -40, "blob": abs(y) < 40}[lesion.split("-")[0]]
    late = found.truth.maps["delay"].values[where]
    assert float(np.median(late)) > 3


@pytest.mark.parametrize(
    "changes", [{"flow": 0.0}, {"aif_beta_s": 50.0}, {"lesion_shift_mm": (0, 0, 200)}, {"decoupling": 3.0}]
)
def test_what_no_patient_has_is_refused(changes):
    with pytest.raises(BadRecipe, match=next(iter(changes))):
        study(**changes)
