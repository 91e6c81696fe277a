"""Between two trainings: weights on a line, statistics measured anew."""

from dataclasses import replace

import numpy as np
import pytest

from bolus.core.errors import BadRecipe
from bolus.learn.files import read_json
from bolus.learn.splits import split_patients
from bolus.learn.tasks import TASKS

torch = pytest.importorskip("torch")

from bolus.learn import checkpoint  # noqa: E402
from bolus.learn.blend import blend, settle  # noqa: E402
from bolus.learn.export import live  # noqa: E402
from bolus.learn.train import Run, train  # noqa: E402

TASK = TASKS["ica"]
TINY = replace(
    TASK.preset("small"), size=48, options={"width": 4, "outputs": 1}, epochs=2, batch=2, precision="float32"
)


@pytest.fixture
def runs(tubes, tmp_path):
    folder = tmp_path / "runs"
    split = split_patients(tubes.patients, seed=1)
    train(TASK, TINY, tubes, split, run=Run(folder / "first", device="cpu", threads=1))
    later = Run(folder / "later", begin_with=folder / "first" / "best.safetensors", device="cpu", threads=1)
    train(TASK, replace(TINY, lr=5e-3, average=0.9), tubes, split, run=later)
    return folder / "first", folder / "later"


def last(run):
    state = checkpoint.load_state(run / "state.pt", "cpu")
    return state["average"] or {f"module.{name}": values for name, values in state["network"].items()}


def test_weights_lie_on_the_line_and_the_folder_is_a_training_s(tubes, runs, tmp_path):
    blend(TASK, runs, 0.25, tubes, tmp_path / "out")
    one, other = map(last, runs)
    made = checkpoint.load_file(tmp_path / "out" / "best.safetensors")

    learned = [name for name in made if "running" not in name and "batches" not in name]
    assert any(not torch.equal(one[f"module.{name}"], other[f"module.{name}"]) for name in learned)
    for name in learned:
        line = 0.75 * one[f"module.{name}"] + 0.25 * other[f"module.{name}"]
        np.testing.assert_allclose(made[name].numpy(), line.numpy(), atol=1e-6)
    assert read_json(tmp_path / "out" / "data.json", "")["blended"]["part"] == 0.25
    live(TASK, tmp_path / "out")
    blend(TASK, (runs[0], tmp_path / "out"), 1.0, tubes, tmp_path / "again")  # a blend can be blended
    again = checkpoint.load_file(tmp_path / "again" / "best.safetensors")
    assert all(torch.equal(again[name], made[name]) for name in learned)


def test_statistics_are_those_of_the_batches():
    network = torch.nn.Sequential(torch.nn.BatchNorm2d(2), torch.nn.Dropout(0.5))
    network[0].running_mean += 9.0
    batches = [torch.full((2, 2, 4, 4), value) + torch.randn(2, 2, 4, 4) for value in (1.0, 4.0)]

    settle(network, iter([(batch,) for batch in batches]), TINY)

    expected = torch.stack([batch.mean((0, 2, 3)) for batch in batches]).mean(0)
    torch.testing.assert_close(network[0].running_mean, expected)
    spread = torch.stack([batch.var((0, 2, 3)) for batch in batches]).mean(0)
    torch.testing.assert_close(network[0].running_var, spread)


def test_unlike_trainings_and_full_folders_are_refused(tubes, runs, tmp_path):
    with pytest.raises(BadRecipe, match="out of range"):
        blend(TASK, runs, 1.5, tubes, tmp_path / "out")
    with pytest.raises(BadRecipe, match="holds a training"):
        blend(TASK, runs, 0.5, tubes, runs[0])
    split = split_patients(tubes.patients, seed=1)
    wide = replace(TINY, options={"width": 8, "outputs": 1}, epochs=1)
    train(TASK, wide, tubes, split, run=Run(tmp_path / "wide", device="cpu", threads=1))
    with pytest.raises(BadRecipe, match="different networks"):
        blend(TASK, (runs[0], tmp_path / "wide"), 0.5, tubes, tmp_path / "out")
