"""The papers' evaluation of map networks: what it counts, on maps whose answer is known."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from bolus.core.errors import BadInput, BadRecipe
from bolus.learn.cases import Case, Entry, Manifest, write_case, write_manifest
from bolus.learn.experiments import Bench, conduct, ctp, dsc
from bolus.learn.maps import CTP, DSC
from bolus.learn.raters import RATERS, absolute, healthy_of, outlines, relative
from bolus.learn.splits import Split, folds
from bolus.learn.tasks import task

SIDE = 40


def patient_maps(late_px, core_px, rng):
    """CBF, CBV and TTP of a slice with a square of late tissue and a core in it."""
    maps = np.stack([np.full((SIDE, SIDE), value) for value in (50.0, 3.0, 3.0)])
    maps += rng.normal(0, 0.02, maps.shape)
    where = slice(5, 5 + late_px)
    maps[:, where, where] = np.array([20.0, 3.0, 9.0])[:, None, None]
    core = slice(7, 7 + core_px)
    maps[:, core, core] = np.array([5.0, 0.6, 11.0])[:, None, None]
    return maps.astype(np.float32)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cases")
    rng = np.random.default_rng(0)
    entries = []
    for i in range(6):
        for k in range(2):
            maps = patient_maps(8 + 2 * i, 3 + i, rng) if i else patient_maps(0, 0, rng)
            frames = rng.normal(40, 2, (12, SIDE, SIDE)) + maps[0] / 10 * np.hanning(12)[:, None, None]
            extra = {"times": 2.0 * np.arange(12), "brain": np.ones((SIDE, SIDE), np.uint8)}
            case = Case(
                frames.astype(np.float32), maps, f"p{i}", extra=extra, meta={"voxel_ml": 0.5, "slice": k}
            )
            write_case(case, folder / f"{i}-{k}.npz")
            entries.append(Entry(f"{i}-{k}.npz", f"p{i}", "", "", case.digest))
    found = Manifest(folder, tuple(entries), {"task": "ctp-unet"})
    write_manifest(found)
    return found


def bench(manifest, out, answer, **fitting):
    """A bench whose network answers with a function of the case."""
    chosen = replace(task("ctp-unet"), answer=lambda _network, case: answer(case))
    network = SimpleNamespace(card=SimpleNamespace(files={"network.onnx": "0"}, recipe={"fitting": fitting}))
    split = Split(("p0", "p1", "p2"), ("p3",), ("p4", "p5"))
    return Bench(chosen, manifest, split, chosen.preset("small"), out, network=network)


def test_raters_outline_what_their_limits_say():
    maps = patient_maps(20, 8, np.random.default_rng(1))[:, None]
    brain = np.ones((1, SIDE, SIDE), bool)
    healthy = healthy_of(maps, brain)
    assert (healthy.flow, healthy.volume, healthy.time_s) == pytest.approx((50, 3, 3), abs=0.1)
    for rate in (absolute, relative):
        core, late = outlines(maps, brain, rate)
        assert late.sum() == pytest.approx(400, abs=8)
        assert core.sum() == pytest.approx(64, abs=8)
        assert not (core & ~late).any()
    slow = maps.copy()
    slow[2] += 2.0  # a weak heart: everything later, nothing sicker
    assert outlines(slow, brain, relative)[1].sum() == pytest.approx(400, abs=8)
    assert outlines(np.zeros_like(maps), brain, relative)[1].sum() == 0


def test_a_perfect_network_agrees_with_the_reference(manifest, tmp_path):
    found = conduct("lesions", bench(manifest, tmp_path, lambda case: case.target))
    for kind in ("core", "hypoperfused"):
        pair = found.numbers["lesions"][kind]["pairs"]["T1 network / T1 reference"]
        assert len(pair["dice"]) == 5  # the patient without a lesion does not count
        assert pair["dice"] == [1.0] * 5
        assert pair["pearson"] == pytest.approx(1.0)
        assert pair["bland_altman"]["repeatability"] == 0
        assert found.numbers["lesions"][kind]["icc1k"]["icc"] > 0.99
    late = [one["hypoperfused"]["T1 reference"] for one in found.numbers["volumes_ml"]]
    assert late == pytest.approx([0, *(0.5 * 2 * (8 + 2 * i) ** 2 for i in range(1, 6))], abs=8)
    assert "no radiologists" in found.title
    assert (tmp_path / "lesions.md").read_text().count("|") > 50


def test_slices_of_a_patient_are_put_together_in_whatever_order_a_table_lists_them(manifest, tmp_path):
    mixed = replace(manifest, entries=(*manifest.entries[::2], *manifest.entries[1::2]))
    found = conduct("lesions", bench(mixed, tmp_path / "a", lambda case: case.target))
    told = conduct("lesions", bench(manifest, tmp_path / "b", lambda case: case.target))
    assert found.numbers["volumes_ml"] == told.numbers["volumes_ml"]
    assert len(found.numbers["volumes_ml"]) == 6


def test_a_biased_network_is_seen_to_be_biased(manifest, tmp_path):
    def late(case):
        maps = case.target.copy()
        maps[2] += 4.0  # all of the brain is then late for the rater with fixed limits
        return maps

    found = conduct("lesions", bench(manifest, tmp_path, late))
    told = found.numbers["lesions"]["hypoperfused"]
    assert told["pairs"]["T1 network / T1 reference"]["bland_altman"]["bias"] > 500
    assert told["pairs"]["T2 network / T2 reference"]["bland_altman"]["bias"] == pytest.approx(0, abs=2)
    assert told["friedman_p"] < 0.05


def test_less_dose_means_fewer_frames_and_more_noise(manifest, tmp_path):
    rng = np.random.default_rng(0)
    case = Case(np.full((12, 64, 64), 40.0, np.float32), np.zeros((3, 64, 64), np.float32), "p",
                extra={"times": np.arange(12.0), "brain": np.ones((64, 64), np.uint8)},
                meta={"noise_hu": 3.0, "noise_fwhm_px": 1.5})  # fmt: skip
    less = ctp.with_dose(case, 3, 2.0, rng)
    assert less.image.shape == (4, 64, 64)
    np.testing.assert_array_equal(less.extra["times"], [0, 3, 6, 9])
    assert less.image.std() == pytest.approx(3.0 * np.sqrt(3), rel=0.1)
    assert ctp.with_dose(case, 1, 1.0, rng).image is not None
    measured = replace(case, image=(40 + rng.normal(0, 5, (12, 64, 64))).astype(np.float32), meta={})
    assert ctp.noise_of(measured) == pytest.approx(5.0, rel=0.1)

    found = conduct("dose", bench(manifest, tmp_path, lambda c: c.target + c.image.std(axis=0) / 100))
    errors = [one["CBF"]["mean"] for one in found.numbers["doses"]]
    assert len(errors) == len(ctp.DOSES)
    assert errors[5] > errors[3] > errors[0]


def test_experiments_on_a_network_need_one(manifest, tmp_path):
    alone = replace(bench(manifest, tmp_path, lambda case: case.target), network=None)
    for name in ("lesions", "dose"):
        with pytest.raises(BadRecipe, match="needs a network"):
            conduct(name, alone)
    with pytest.raises(BadRecipe, match="no such experiment"):
        conduct("comparison", alone)


def test_what_raters_cannot_be_compared_on_is_refused(manifest, tmp_path):
    alone = bench(manifest.of(["p4"]), tmp_path, lambda case: case.target)
    with pytest.raises(BadInput, match="agreement needs patients; wanted 2 or more to test; found 1"):
        conduct("lesions", alone)
    with pytest.raises(BadRecipe, match="raters need all maps"):
        conduct("lesions", bench(manifest, tmp_path, lambda case: case.target, maps=["CBF"]))
    assert not list(tmp_path.iterdir())


def test_raters_are_named_as_what_they_are():
    assert all("threshold" in name for name in RATERS)


def dsc_bench(tmp_path, **changes):
    chosen = task("dsc-gan")
    recipe = replace(chosen.preset("small"), **changes)
    return Bench(chosen, Manifest(tmp_path, ()), Split(("a",), ("b",), ("c",)), recipe, tmp_path)


def test_arms_are_trained_alike_and_are_of_one_size(tmp_path):
    own = dsc_bench(tmp_path, lr=3e-4, epochs=7)
    arms = dsc.arms(own)
    assert arms["temp-pix2pix"] == own.recipe
    other = arms["pix2pix"]
    assert (other.network, other.lr, other.epochs, other.fitting) == ("pix2pix", 3e-4, 7, own.recipe.fitting)
    assert other.options == task("dsc-gan").preset("small-pix2pix").options
    paper = replace(own, recipe=task("dsc-gan").preset("paper"))
    assert dsc.arms(paper)["pix2pix"].options == task("dsc-gan").preset("paper-pix2pix-matched").options
    with pytest.raises(BadRecipe, match="starts from temp-pix2pix"):
        dsc.arms(replace(own, recipe=other))
    with pytest.raises(BadRecipe, match="no network of the same size"):
        dsc.arms(dsc_bench(tmp_path, options={"outputs": 5, "width": 5}))
    with pytest.raises(BadRecipe, match="needs a training"):
        conduct("fine-tuning", own)


def test_arteries_are_painted_over_with_the_tissue_beside_them():
    frames = np.full((20, 32, 32), 1000.0, np.float32)
    frames[8:12] *= 0.8
    frames[8:12, 10:12, 10:12] = 200.0
    brain = np.ones((32, 32), np.uint8)
    bare = dsc.without_arteries(Case(frames, np.zeros(1), "p", extra={"brain": brain}))
    assert bare.image[10].min() == pytest.approx(800.0)
    np.testing.assert_array_equal(bare.image[0], frames[0])


@pytest.mark.slow
def test_the_comparison_trains_both_arms_and_draws_them(tmp_path):
    pytest.importorskip("torch")
    from bolus.learn import cohort, making

    wanted = making.orders(3, seed=3, setting="A", size=32)
    made = making.simulate(tmp_path / "cases", wanted, cohort.simulate_dsc, source={"task": "dsc-gan"})
    patients = made.patients
    chosen = task("dsc-gan")
    recipe = replace(chosen.preset("small"), size=32, epochs=1, batch=8, precision="float32")
    split = Split(patients[:1], patients[1:2], patients[2:])
    first = Bench(chosen, made, split, recipe, tmp_path / "out")
    found = conduct("comparison", first)
    assert set(found.numbers["arms"]) == {"temp-pix2pix", "pix2pix"}
    assert len(found.rows) == 5 * 8
    assert set(found.figures) == {"maps", "without_arteries"}
    assert (tmp_path / "out" / "comparison_maps.png").stat().st_size > 10_000
    weights = tmp_path / "out" / "trainings" / "temp-pix2pix" / "best.safetensors"
    tuned = conduct("fine-tuning", replace(first, out=tmp_path / "tuned", begin_with=weights))
    assert set(tuned.numbers["arms"]) == {"as it was", "fine-tuned", "this site alone"}
    one, other = (tuned.numbers["arms"]["as it was"], found.numbers["arms"]["temp-pix2pix"])
    for name, told in other.items():
        assert one[name]["mean"] == pytest.approx(told["mean"], rel=1e-6)


def test_plans_list_maps_in_the_order_of_answers():
    assert list(CTP.maps) == ["CBF", "CBV", "TTP"]
    assert tuple(DSC.maps) == dsc.MAPS
    assert dsc.MAPS[3] == "Tmax"


def test_the_third_that_is_told_of_chooses_nothing():
    patients = [f"p{i:02}" for i in range(24)]
    told = [ctp._choosing(fold) for fold in folds(patients, ctp.FOLDS, seed=0)]
    assert sorted(name for split in told for name in split.test) == patients
    for split in told:
        assert len(split.train) == 14
        assert len(split.validation) == 2
        assert sorted((*split.train, *split.validation, *split.test)) == patients
