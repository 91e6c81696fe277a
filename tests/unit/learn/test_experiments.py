"""The statistics of the paper's experiments, on numbers whose answer is known."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bolus.core.errors import BadInput, BadRecipe
from bolus.learn.cases import Manifest
from bolus.learn.experiments import EXPERIMENTS, Bench, classifying, conduct, training
from bolus.learn.experiments.masks import _variants
from bolus.learn.experiments.perfusion import MAPS, Pair, _by_dice, _differences, _test
from bolus.learn.experiments.training import ARMS
from bolus.learn.splits import Split, split_patients
from bolus.learn.tasks import task


def _bench(tmp_path):
    recipe = task("ica").preset("small")
    return Bench(task("ica"), Manifest(tmp_path, ()), Split(("a",), ("b",)), recipe, tmp_path)


def test_the_papers_have_their_experiments():
    assert tuple(EXPERIMENTS["ica"]) == ("augmentation", "data-split", "postprocess", "quantitative")
    assert tuple(EXPERIMENTS["core-size"]) == ("cross-validation", "ablation", "ensemble")
    # the paths that the ablation leaves out are those of the network of the paper on core size
    assert tuple(EXPERIMENTS["thrombus"]) == ("cross-validation", "ensemble", "combinations", "readouts")
    assert tuple(EXPERIMENTS["ctp-unet"]) == ("cross-validation", "lesions", "dose")
    assert tuple(EXPERIMENTS["dsc-gan"]) == ("comparison", "fine-tuning")


def test_experiments_are_of_their_tasks(tmp_path):
    with pytest.raises(BadRecipe, match="no such experiment of ica"):
        conduct("ensemble", _bench(tmp_path))
    with pytest.raises(BadRecipe, match="no such experiment of core-size"):
        conduct("augmentation", replace(_bench(tmp_path), task=task("core-size")))


def test_no_paper_is_quoted_for_what_it_does_not_print(tmp_path):
    for part in (0, 1):
        assert "0.61" in classifying.printed(replace(_bench(tmp_path), task=task("core-size")))[part]
        clots = classifying.printed(replace(_bench(tmp_path), task=task("thrombus")))[part]
        assert clots.startswith("nothing")


def test_experiments_refuse_cases_of_another_task(tmp_path):
    other = Manifest(tmp_path, (), {"task": "core-size"})
    with pytest.raises(BadInput, match="for another task"):
        conduct("postprocess", replace(_bench(tmp_path), cases=other))


def test_an_unknown_experiment_is_refused(tmp_path):
    with pytest.raises(BadRecipe, match="no such experiment"):
        conduct("fifth", _bench(tmp_path))


@pytest.mark.parametrize("name", ["postprocess", "quantitative"])
def test_an_experiment_on_a_network_needs_one(tmp_path, name):
    with pytest.raises(BadRecipe, match="needs a network"):
        conduct(name, _bench(tmp_path))


def test_small_values_count_as_zero_before_percentages():
    """Equation 1 of the paper with its 0.01 rule: 0.009 is 0, and a true 0 has no percentage."""
    true = np.array([1.0, 2.0, 0.009, 0.0, np.nan, 0.02])
    found = np.array([1.1, 1.8, 0.5, 0.3, 1.0, 0.009])
    means, absolute, percent = _differences(found, true)
    assert percent == pytest.approx((10.0 + 10.0 + 100.0) / 3)
    assert absolute == pytest.approx(np.mean([0.1, 0.2, 0.491, 0.3, 0.011]))
    assert means[1] == pytest.approx(np.mean([1.0, 2.0, 0.009, 0.0, 0.02]))


def test_the_paired_test_is_that_of_scipy():
    rng = np.random.default_rng(0)
    old = rng.normal(1.0, 0.2, 20)
    new = old + rng.normal(0.01, 0.02, 20)
    found = _test(np.stack([new, old], axis=1))
    wanted = stats.ttest_rel(new, old)
    interval = wanted.confidence_interval(0.95)
    assert (found["t"], found["p"]) == pytest.approx((wanted.statistic, wanted.pvalue))
    assert (found["low"], found["high"]) == pytest.approx((interval.low, interval.high))


def test_no_significant_difference_is_not_equivalence():
    """Wild differences around 0 are neither different nor equivalent; tiny ones can be both."""
    rng = np.random.default_rng(1)
    old = np.ones(10)
    wild = _test(np.stack([old + rng.normal(0.0, 0.5, 10), old], axis=1))
    assert wild["p"] > 0.05
    assert wild["p_tost"] > 0.05
    tiny = _test(np.stack([old + 0.01 + rng.normal(0.0, 0.001, 10), old], axis=1))
    assert tiny["p"] < 0.05
    assert tiny["p_tost"] < 0.001


def test_equal_masks_give_equal_maps():
    same = _test(np.ones((5, 2)))
    assert (same["difference"], same["p"], same["p_tost"]) == (0.0, 1.0, 0.0)


def test_runs_are_grouped_by_dice():
    def pair(dice, percent):
        every = dict.fromkeys(MAPS, percent)
        return Pair("a", dice, 0.0, 1.0, dict.fromkeys(MAPS, (1.0, 1.0)), every, every)

    rows = _by_dice([pair(0.0, 50.0), pair(0.85, 4.0), pair(0.9, 6.0), pair(0.95, 1.0)])
    assert [(row["dice"], row["runs"]) for row in rows] == [([0.0, 0.5], 1), ([0.8, 0.9], 2), ([0.9, 1.0], 1)]
    assert rows[1]["percent"]["CBF"] == pytest.approx(5.0)


def test_the_largest_part_is_kept_always_or_only_where_it_is_most_of_the_mask():
    mask = np.zeros((20, 20), dtype=bool)
    mask[2:8, 2:8] = True  # 36 pixels
    mask[12:17, 12:18] = True  # 30 pixels: the largest is 55 % of all
    as_found, largest, guarded = _variants(mask)
    assert np.count_nonzero(as_found) == 66
    assert np.count_nonzero(largest) == 36
    assert np.count_nonzero(guarded) == 66


@pytest.fixture
def small_bench(tubes, tmp_path):
    pytest.importorskip("torch")
    recipe = replace(
        task("ica").preset("small"),
        size=48,
        options={"width": 4, "outputs": 1},
        epochs=2,
        batch=2,
        precision="float32",
    )
    split = split_patients(tubes.patients, seed=1)
    return Bench(task("ica"), tubes, split, recipe, tmp_path / "out")


@pytest.mark.slow
def test_augmentation_trains_an_arm_a_row_and_takes_up_what_is_done(small_bench):
    found = conduct("augmentation", small_bench)
    assert [row[0] for row in found.rows] == list(ARMS)
    n = len(small_bench.cases.of(small_bench.split.validation).entries)
    assert {row[-1] for row in found.rows} == {str(n)}
    log = small_bench.out / "trainings" / "augmentation-0" / "log.csv"
    before = log.stat().st_mtime_ns
    assert conduct("augmentation", small_bench).rows == found.rows
    assert log.stat().st_mtime_ns == before
    assert "Published, not reproduced" in (small_bench.out / "augmentation.md").read_text()


@pytest.mark.slow
def test_data_split_trains_every_pair_of_size_and_rate(small_bench, monkeypatch):
    monkeypatch.setattr(training, "REDUCTIONS", (0, 50))
    monkeypatch.setattr(training, "RATES", (1e-2, 1e-3))
    found = conduct("data-split", small_bench)
    assert [row[:2] for row in found.rows] == [("0 %", "4"), ("50 %", "2")]
    runs = json.loads((small_bench.out / "data_split.json").read_text())["runs"]
    assert [(run["left_out"], run["lr"]) for run in runs] == [(0, 1e-2), (0, 1e-3), (50, 1e-2), (50, 1e-3)]
    assert (small_bench.out / "data_split_data_split.png").is_file()
