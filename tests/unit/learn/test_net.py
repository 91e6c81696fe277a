"""The shipped network of `--method net`: maps, deviations, guard and check."""

from dataclasses import replace

import numpy as np
import pytest

from bolus.core.brain import Brain
from bolus.core.errors import BadInput, NoBolus
from bolus.core.grid import Grid
from bolus.core.recipe import DEFAULT, Recipe
from bolus.core.series import Concentration
from bolus.core.units import Modality, Unit
from bolus.core.vessel import VesselCurve
from bolus.learn import MAPPERS, faithful, first_guess, net, patches, sight
from bolus.learn.card import Card
from bolus.learn.infer import Network
from bolus.phantom import ct
from bolus.pipeline import Scan, run
from bolus.validate import flow_response


@pytest.fixture(scope="module")
def study():
    return ct(shape=(96, 96, 4), n_frames=36, noise_hu=4.0)


@pytest.fixture(scope="module")
def result(study):
    return run(study.series, Recipe(method="net", motion="none"), mappers=MAPPERS)


def patch_of(seed: int, **changes):
    rng = np.random.default_rng(seed)
    fixed = {
        "spacing_mm": 1.7,
        "dt_s": 1.5,
        "after_s": 50.0,
        "noise_hu": 1.5,
        "filter": "profile",
        "filter_mm": 4.0,
    }
    return patches.make(replace(patches.draw("A", 64, rng), **(fixed | changes)), rng)


def scan_of(patch, curves=None) -> tuple[Scan, VesselCurve]:
    mask, tissue = patch.mask[:, :, None], patch.tissue[:, :, None]
    seen = patch.curves if curves is None else curves
    contrast = Concentration(seen, patch.times, mask, patch.grid, Modality.CT, Unit.HU, (0, 3), 1.0)
    scan = Scan(contrast, contrast, Brain(mask, tissue, ~mask), np.zeros(mask.shape, np.float32), None)
    return scan, VesselCurve("AIF", patch.times, patch.aif, Unit.HU, "simulated")


def codes(findings) -> set[str]:
    return {finding.code for finding in findings}


@pytest.fixture(scope="module")
def usual(study):
    return run(study.series, Recipe(motion="none"))


def test_a_run_has_the_maps_deviations_and_intervals_of_physics(result, usual) -> None:
    assert set(result.maps) == set(usual.maps)
    assert {name for name, m in result.maps.items() if m.sd is not None} == {
        "CBF",
        "CBV",
        "MTT",
        "Tmax",
        "delay",
        "TTP",
    }
    assert not codes(result.findings) & {"NET_FALLBACK", "NET_MISFIT"}
    assert result.lesions is not None
    assert result.lesions.intervals is not None
    assert result.lesions.volumes_ml["hypoperfused"] == pytest.approx(
        usual.lesions.volumes_ml["hypoperfused"], rel=0.3
    )


def test_maps_of_the_phantom_are_as_near_the_truth_as_those_of_physics(study, result, usual) -> None:
    tissue = result.brain.tissue & study.truth.masks["brain"]
    for name, least in (("CBF", -0.05), ("MTT", 0.05), ("Tmax", -0.01)):
        maps = [m[name].values[tissue] for m in (study.truth.maps, result.maps, usual.maps)]
        truth, found, physics = np.stack(maps)[:, np.isfinite(maps).all(axis=0)]
        assert np.corrcoef(truth, found)[0, 1] > np.corrcoef(truth, physics)[0, 1] + least


def test_flow_and_volume_follow_scaled_tissue(study) -> None:
    found = flow_response(study.series, Recipe(method="net"), factors=(0.6, 1.4), mappers=MAPPERS)

    assert found.faithful
    assert abs(found.slopes["MTT"]) < 0.1


def test_all_tissue_scaled_by_k_has_exactly_k_times_the_flow() -> None:
    patch = patch_of(1)
    network = net.shipped()
    one = network(*scan_of(patch), DEFAULT).maps
    other = network(*scan_of(patch, np.float32(1.3) * patch.curves), DEFAULT).maps

    for name, k in (("CBF", 1.3), ("CBV", 1.3), ("MTT", 1.0), ("Tmax", 1.0), ("TTP", 1.0)):
        np.testing.assert_allclose(other[name].values, k * one[name].values, rtol=2e-3, atol=2e-3)
        np.testing.assert_allclose(
            other[name].sd, k * one[name].sd, rtol=2e-3, atol=2e-3
        ) if name != "TTP" else None


@pytest.mark.parametrize("name", sorted(net._WORDS))
def test_scans_outside_the_training_are_left_to_physics(name: str) -> None:
    scan, aif = scan_of(patch_of(2))
    network = net.Deconvolver(net.shipped().network)
    network.ranges = {**network.ranges, name: [1e3, 1e4]}

    mapped = network(scan, aif, DEFAULT)

    (finding,) = mapped.findings
    assert finding.code == "NET_FALLBACK"
    assert "1e+03-1e+04" in finding.text
    assert net._WORDS[name][0] in finding.text
    assert np.isfinite(mapped.maps["CBF"].values).any()


def test_a_curve_that_is_noise_where_the_network_looks_is_left_to_physics(monkeypatch) -> None:
    def ragged(*_: object) -> None:
        raise NoBolus("the arterial curve is noise", wanted="at most 0.75", found="0.77")

    network = net.Deconvolver(net.shipped().network)
    scan, aif = scan_of(patch_of(2))
    monkeypatch.setattr(sight, "clock_of", ragged)
    mapped = network(scan, aif, DEFAULT)

    (finding,) = mapped.findings
    assert finding.code == "NET_FALLBACK"
    assert "first 62 s after arrival the arterial curve is noise" in finding.text
    assert np.isfinite(mapped.maps["CBF"].values).any()
    noise = replace(aif, values=np.random.default_rng(1).normal(size=aif.values.size))
    with pytest.raises(NoBolus):
        network(scan, noise, DEFAULT)


def test_scans_that_go_on_for_long_are_seen_as_those_that_end() -> None:
    patch = patch_of(2, after_s=95.0)
    n = int(np.searchsorted(patch.times, sight.clock_of(patch.aif, patch.times).arrival_s + sight.SEEN_S))
    short = replace(patch, times=patch.times[:n], aif=patch.aif[:n], curves=patch.curves[:, :n])
    one, other = (net.shipped()(*scan_of(each), DEFAULT) for each in (patch, short))

    assert "NET_FALLBACK" not in codes(one.findings)
    for name in ("CBF", "CBV", "MTT", "Tmax"):
        np.testing.assert_allclose(one.maps[name].values, other.maps[name].values, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_deviations_of_times_have_the_floor_that_whole_runs_gave(modality: str) -> None:
    network = net.Deconvolver(net.shipped().network)
    card = network.network.card.scores["whole"][modality]
    assert card["scans"] > 15
    scan, aif = scan_of(patch_of(2))
    scan = replace(scan, contrast=replace(scan.contrast, modality=Modality(modality)))
    plain, floored = network.without_floor()(scan, aif, DEFAULT).maps, network(scan, aif, DEFAULT).maps

    for name in ("Tmax", "MTT", "TTP"):
        expected = np.hypot(plain[name].sd, card["maps"][name]["floor"])
        np.testing.assert_allclose(floored[name].sd, expected, rtol=1e-5)
        np.testing.assert_array_equal(floored[name].values, plain[name].values)
    np.testing.assert_array_equal(floored["CBF"].sd, plain["CBF"].sd)
    widened = floored["Tmax"].sd > plain["Tmax"].sd
    assert bool(widened[np.isfinite(plain["Tmax"].sd)].all()) == (card["maps"]["Tmax"]["floor"] > 0.0)


def test_tissue_without_contrast_is_left_to_physics() -> None:
    patch = patch_of(3)
    mapped = net.shipped()(*scan_of(patch, -np.abs(patch.curves)), DEFAULT)
    assert codes(mapped.findings) == {"NET_FALLBACK"}


def test_small_pixels_are_averaged_and_maps_keep_their_shape() -> None:
    patch = patch_of(4, spacing_mm=0.9)
    fine = replace(
        patch,
        grid=Grid((*(2 * n for n in patch.mask.shape), 1), np.diag([0.45, 0.45, 20.0, 1.0])),
        mask=patch.mask.repeat(2, 0).repeat(2, 1),
        tissue=patch.tissue.repeat(2, 0).repeat(2, 1),
    )
    volume = np.zeros((*patch.mask.shape, patch.times.size), np.float32)
    volume[patch.mask] = patch.curves
    curves = volume.repeat(2, 0).repeat(2, 1)[fine.mask]
    one = net.shipped()(*scan_of(patch), DEFAULT).maps["Tmax"].values[:, :, 0]
    other = net.shipped()(*scan_of(fine, curves), DEFAULT).maps["Tmax"].values[::2, ::2, 0]

    np.testing.assert_allclose(other, one, atol=0.02)


def test_voxels_without_numbers_stay_without() -> None:
    patch = patch_of(5)
    curves = patch.curves.copy()
    curves[7] = np.nan
    values = net.shipped()(*scan_of(patch, curves), DEFAULT).maps["CBF"].values[:, :, 0][patch.mask]

    assert np.isnan(values[7])
    assert np.isfinite(np.delete(values, 7)).all()


def test_wrong_maps_are_noticed_without_truth() -> None:
    patch = patch_of(6)
    scan, aif = scan_of(patch)
    late = replace(aif, values=np.interp(aif.times, aif.times + 1.5, aif.values))
    guess = first_guess.first_guess(scan.contrast, aif)
    clock = sight.clock_of(aif.values, aif.times)
    answer = net.shipped()._asked((scan.contrast, patch.raw, guess), clock, (0.04, 0.05), lambda *_: None)
    tissue = patch.tissue[patch.mask]
    wrong = {name: (3.0 * mean if name == "CBF" else mean, sd) for name, (mean, sd) in answer.items()}

    assert codes(net._judged(wrong, scan.contrast, late, tissue)) == {"NET_MISFIT"}


def test_the_card_says_what_was_shown_and_in_which_range() -> None:
    card = net.shipped().network.card
    assert all(0.9 <= slope <= 1.1 for slope in card.scores["shown"].values())
    assert set(card.data["ranges"]) == set(net._WORDS)
    assert net.SHIPPED.stat().st_size < 8e6


def test_a_card_without_a_range_is_refused() -> None:
    network = net.shipped().network
    bare = Network(network._session, replace(network.card, data={}), network.where)
    with pytest.raises(BadInput, match="range"):
        net.Deconvolver(bare)


def test_a_network_that_prints_the_usual_flow_is_not_exported(tmp_path) -> None:
    class Printing(Network):
        def __init__(self) -> None:
            self.card, self.where = Card("net", "", ""), tmp_path / "net.onnx"

        def __call__(self, images):
            return np.ones((len(images), 12, *images.shape[2:]), np.float32)

    with pytest.raises(BadInput, match="does not follow flow"):
        faithful.prove(Printing())
