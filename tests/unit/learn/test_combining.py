"""The best four networks are chosen by patients who did not train them, and the test never chooses."""

import pytest

torch = pytest.importorskip("torch")

from bolus.learn.experiments import combining  # noqa: E402
from bolus.learn.experiments.bench import Bench  # noqa: E402
from bolus.learn.making import orders, simulate  # noqa: E402
from bolus.learn.networks import build  # noqa: E402
from bolus.learn.recipe import TrainRecipe  # noqa: E402
from bolus.learn.splits import Split  # noqa: E402
from bolus.learn.tasks import TASKS  # noqa: E402

TRUTH = {f"p{i}": i % 2 == 0 for i in range(8)}


def told(*, good, tested):
    """Say the truth about all validation patients, but faintly; or boldly the contrary."""
    said = {p: 0.4 + 0.2 * t if good else float(not t) for p, t in TRUTH.items()}
    return combining.Told(said, {p: float(t == tested) for p, t in TRUTH.items()})


def test_four_networks_are_chosen_by_validation_alone():
    networks = {
        ("AP", "poor"): told(good=False, tested=True),
        ("AP", "good"): told(good=True, tested=False),
        ("LAT", "poor"): told(good=False, tested=True),
        ("LAT", "good"): told(good=True, tested=False),
    }
    assert combining.best_four(networks, TRUTH) == [("AP", "good")] * 2 + [("LAT", "good")] * 2


def test_means_are_of_patients_whom_all_know():
    assert combining.mean([{"a": 0.2, "b": 1.0}, {"b": 0.5, "c": 0.1}]) == {"b": 0.75}


@pytest.mark.parametrize("arms", [combining.SMALL, combining.PAPER])
def test_every_arm_is_a_network(arms):
    for choice in arms.values():
        with torch.device("meta"):
            build(str(choice.get("network", "sequence")), 3, choice["options"])


@pytest.mark.slow
def test_the_table_of_the_paper_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(
        combining,
        "SMALL",
        {
            "map": {"network": "clot_pointer", "options": {"width": 4}, "loss": "clot_place"},
            "order": {"options": {"cnn": "small", "hidden": 8, "layers": 1, "readout": "mean+max"}},
        },
    )
    task = TASKS["thrombus"]
    wanted = orders(16, seed=5, setting="A", size=64, reference="film")
    cases = simulate(tmp_path / "cases", wanted, task.simulate, source={"task": "thrombus"})
    recipe = TrainRecipe(
        network="sequence",
        options={"cnn": "small"},
        size=64,
        fitting={"n_frames": 6},
        loss="bce",
        epochs=1,
        batch=4,
    )
    nobody = Split((), (), ())
    found = combining.combinations(Bench(task, cases, nobody, recipe, tmp_path / "out", folds=2))
    assert [row[0] for row in found.rows] == ["map", "order", "best four by validation"]
    assert len(found.numbers["four"]) == 4
    assert set(found.numbers["reached"]) == {
        "four", "map, AP", "map, LAT", "map, pair", "order, AP", "order, LAT", "order, pair"
    }  # fmt: skip
    pair = found.numbers["reached"]["map, pair"]
    assert sum(pair["confusion"].values()) == pair["patients"] == 3
    assert "| network | AP | LAT | pair |" in found.markdown()
