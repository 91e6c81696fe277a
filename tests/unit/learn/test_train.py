"""One loop: it learns, keeps the best, stops, and goes on after a kill as if nothing had happened."""

import csv
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from bolus.core.errors import BadInput, BadRecipe, ShapeMismatch, UnreadableFile
from bolus.learn.splits import Split, split_patients
from bolus.learn.tasks import TASKS

torch = pytest.importorskip("torch")

from bolus.learn import checkpoint  # noqa: E402
from bolus.learn.cases import Entry  # noqa: E402
from bolus.learn.export import live, network_of  # noqa: E402
from bolus.learn.train import Run, train  # noqa: E402

TASK = TASKS["ica"]
TINY = replace(
    TASK.preset("small"), size=48, options={"width": 4, "outputs": 1}, epochs=4, batch=2, precision="float32"
)


def trained(tubes, folder, recipe=TINY, **changes):
    split = split_patients(tubes.patients, seed=1)
    return train(TASK, recipe, tubes, split, run=Run(folder, device="cpu", threads=1, **changes))


def weights(folder):
    return {k: v.numpy() for k, v in checkpoint.load_state(folder / "state.pt", "cpu")["network"].items()}


def log(folder):
    with (folder / "log.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    return [{k: v for k, v in row.items() if not k.endswith("_s")} for row in rows]


def same(a, b):
    assert log(a) == log(b)
    one, other = weights(a), weights(b)
    assert all(np.array_equal(one[k], other[k]) for k in one)
    for name in ("best.safetensors", "last.safetensors"):
        assert (a / name).read_bytes() == (b / name).read_bytes()


def test_it_learns(tubes, tmp_path):
    trained(tubes, tmp_path / "run", replace(TINY, epochs=8, augment=(), lr=5e-3))
    losses = [float(row["loss"]) for row in log(tmp_path / "run")]
    assert losses[-1] < 0.95 * losses[0]


@pytest.mark.slow
def test_it_finds_what_it_never_saw(tubes, tmp_path):
    recipe = replace(
        TINY, epochs=240, stop_after=240, augment=(), options={"width": 8, "outputs": 1}, lr=5e-3
    )
    assert trained(tubes, tmp_path / "run", recipe) > 0.8


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "rmsprop", "schedule": "plateau", "patience": 1, "lr": 1e-4},
        {"optimizer": "adam", "schedule": "constant", "accumulate": 2, "precision": "bf16"},
        {"average": 0.9, "schedule": "constant"},
    ],
)
def test_a_resumed_run_equals_an_unbroken_one(tubes, tmp_path, changes):
    recipe = replace(TINY, **changes)

    trained(tubes, tmp_path / "whole", recipe)
    trained(tubes, tmp_path / "parts", replace(recipe, epochs=2))
    trained(tubes, tmp_path / "parts", recipe, resume=True)

    same(tmp_path / "whole", tmp_path / "parts")


ADVERSARIAL = replace(
    TINY,
    network="pix2pix",
    options={"width": 4, "levels": 3, "outputs": 1},
    loss="l1",
    critic="patchgan",
    critic_options={"width": 4, "depth": 2},
    optimizer="adam",
    betas=(0.5, 0.999),
    weight_decay=0.0,
)


@pytest.mark.parametrize(
    "changes", [{"schedule": "constant"}, {"schedule": "plateau", "patience": 1, "accumulate": 2}]
)
def test_an_adversarial_run_is_resumed_as_if_unbroken(tubes, tmp_path, changes):
    recipe = replace(ADVERSARIAL, **changes)

    trained(tubes, tmp_path / "whole", recipe)
    trained(tubes, tmp_path / "parts", replace(recipe, epochs=2))
    trained(tubes, tmp_path / "parts", recipe, resume=True)

    same(tmp_path / "whole", tmp_path / "parts")
    critics = [
        checkpoint.load_state(tmp_path / name / "state.pt", "cpu")["critic"] for name in ("whole", "parts")
    ]
    one, other = ({k: v.numpy() for k, v in critic["network"].items()} for critic in critics)
    assert all(np.array_equal(one[k], other[k]) for k in one)
    rates = [critic["optimizer"]["param_groups"][0] for critic in critics]
    assert rates[0]["lr"] == rates[1]["lr"] == pytest.approx(float(log(tmp_path / "whole")[-1]["lr"]))
    assert tuple(rates[0]["betas"]) == (0.5, 0.999)


def test_an_average_lags_behind_the_steps_and_is_what_is_kept(tubes, tmp_path):
    steady = replace(TINY, epochs=1, augment=(), schedule="constant", batch=1)
    for part in (0.0, 1e-9, 0.999):
        trained(tubes, tmp_path / str(part), replace(steady, average=part))
    last, same_, slow = (
        checkpoint.load_file(tmp_path / str(part) / "best.safetensors") for part in (0.0, 1e-9, 0.999)
    )
    steps = weights(tmp_path / "0.999")

    for name, values in last.items():
        np.testing.assert_allclose(
            values.numpy(), steps[name], rtol=1e-6
        )  # the steps themselves are the same
        np.testing.assert_allclose(same_[name].numpy(), values.numpy(), atol=1e-5)
    assert any(not np.allclose(slow[name].numpy(), steps[name], atol=1e-4) for name in steps)


def test_a_critic_and_a_network_both_learn(tubes, tmp_path):
    trained(tubes, tmp_path / "run", replace(ADVERSARIAL, epochs=6, schedule="constant", augment=()))
    rows = log(tmp_path / "run")
    assert float(rows[-1]["critic_loss"]) < float(rows[0]["critic_loss"])
    assert float(rows[0]["critic_loss"]) == pytest.approx(np.log(2), rel=0.3)  # it knows nothing at first


def test_a_weight_of_the_loss_scales_its_gradient(tubes, tmp_path):
    steady = replace(TINY, epochs=1, augment=(), schedule="constant", lr=1e-12)
    for weight in (1.0, 3.0):
        trained(tubes, tmp_path / str(weight), replace(steady, loss_weight=weight))
    one, three = (float(log(tmp_path / str(weight))[0]["loss"]) for weight in (1.0, 3.0))
    assert three == pytest.approx(3 * one, rel=1e-5)


def test_networks_take_several_inputs(tubes, tmp_path, monkeypatch):
    seen = []

    class Both(torch.nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.one = torch.nn.Conv2d(channels, 1, 1)

        def forward(self, image, token):
            seen.append(token.shape)
            return self.one(image) + token[:, :1, None, None]

    def fit(case, size, *, n_tokens):
        return TASK.fit(case, size) | {"token": np.ones(n_tokens, np.float32)}

    monkeypatch.setattr("bolus.learn.networks.NETWORKS", {"both": Both})
    recipe = replace(TINY, network="both", options={}, fitting={"n_tokens": 3}, epochs=1)
    task = replace(TASK, fit=fit, inputs=("image", "token"))
    split = split_patients(tubes.patients, seed=1)
    train(task, recipe, tubes, split, run=Run(tmp_path / "run", device="cpu", threads=1))
    assert set(seen) == {(2, 3)}


def test_a_run_begins_with_the_weights_of_another(tubes, tmp_path):
    trained(tubes, tmp_path / "first", replace(TINY, epochs=3, augment=(), lr=5e-3))
    best = tmp_path / "first" / "best.safetensors"
    still = replace(TINY, epochs=1, augment=(), lr=1e-12, weight_decay=0.0)
    score = trained(tubes, tmp_path / "second", still, begin_with=best)
    assert score == pytest.approx(max(float(row["dice"]) for row in log(tmp_path / "first")))
    assert "began_with_sha256" in (tmp_path / "second" / "data.json").read_text()
    with pytest.raises(ShapeMismatch, match="another network"):
        trained(tubes, tmp_path / "third", replace(still, options={"width": 8}), begin_with=best)


PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_train import TINY, trained
from dataclasses import replace
from bolus.learn.cases import read_manifest
trained(read_manifest(Path(sys.argv[1])), Path(sys.argv[2]), replace(TINY, epochs=12), resume=True)
"""


def test_a_killed_and_resumed_run_equals_an_unbroken_one(tubes, tmp_path):
    recipe, killed = replace(TINY, epochs=12), tmp_path / "killed"
    here = os.path.dirname(__file__)  # noqa: PTH120
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, tubes.folder, killed, here])
    while program.poll() is None and not (killed / "state.pt").is_file():
        time.sleep(0.005)
    program.send_signal(signal.SIGKILL)
    program.wait()

    trained(tubes, killed, recipe, resume=True)
    trained(tubes, tmp_path / "whole", recipe)

    same(killed, tmp_path / "whole")
    assert not [p for p in killed.iterdir() if p.name.startswith(".") and p.suffix == ".pt"]


def test_it_stops_when_validation_no_longer_improves(tubes, tmp_path):
    recipe = replace(TINY, epochs=50, stop_after=3, lr=1e-9, schedule="constant", augment=())
    trained(tubes, tmp_path / "run", recipe)
    assert len(log(tmp_path / "run")) < 20


def test_it_stops_when_its_minutes_are_spent(tubes, tmp_path):
    trained(tubes, tmp_path / "run", replace(TINY, epochs=1000, minutes=0.001))
    assert len(log(tmp_path / "run")) < 20


def test_a_folder_with_a_run_is_not_overwritten_nor_resumed_as_another(tubes, tmp_path):
    trained(tubes, tmp_path / "run", replace(TINY, epochs=1))
    with pytest.raises(BadRecipe, match="holds a training"):
        trained(tubes, tmp_path / "run", replace(TINY, epochs=1))
    with pytest.raises(BadRecipe, match="other lr"):
        trained(tubes, tmp_path / "run", replace(TINY, epochs=2, lr=1e-5), resume=True)
    changed = tuple(replace(entry, digest=entry.digest[::-1]) for entry in tubes.entries)
    others = replace(tubes, entries=changed)
    with pytest.raises(BadRecipe, match="other cases"):
        trained(others, tmp_path / "run", replace(TINY, epochs=2), resume=True)


def test_patients_that_join_the_folder_later_do_not_matter_to_a_run(tubes, tmp_path):
    split = split_patients(tubes.patients, seed=1)
    joined = replace(tubes, entries=(*tubes.entries, Entry("new/0.npz", "new", digest="f" * 16)))
    run = Run(tmp_path / "run", device="cpu", threads=1, resume=True)
    for cases, epochs in ((tubes, 1), (joined, 2)):
        train(TASK, replace(TINY, epochs=epochs), cases, split, run=run)
    assert len(log(tmp_path / "run")) == 2


def test_a_run_that_diverges_says_so(tubes, tmp_path):
    recipe = replace(TINY, lr=3e38, clip_norm=None, optimizer="rmsprop", schedule="constant")
    with pytest.raises(BadRecipe, match="diverged"):
        trained(tubes, tmp_path / "run", recipe)


def test_cases_of_another_task_and_empty_parts_are_refused(tubes, tmp_path):
    other = replace(tubes, source={"task": "arteries"})
    with pytest.raises(BadInput, match="another task"):
        trained(other, tmp_path / "run")
    run = Run(tmp_path / "run", device="cpu", threads=1)
    with pytest.raises(BadInput, match="no case is for validation"):
        train(TASK, TINY, tubes, Split(tubes.patients, ()), run=run)


def test_fp16_needs_cuda(tubes, tmp_path):
    with pytest.raises(BadRecipe, match="CUDA"):
        trained(tubes, tmp_path / "run", replace(TINY, precision="fp16"))


def test_weights_of_another_network_are_refused(tubes, tmp_path):
    trained(tubes, tmp_path / "run", replace(TINY, epochs=1))
    with pytest.raises(ShapeMismatch, match="another network"):
        network_of(TASK, replace(TINY, options={"width": 8}), tmp_path / "run" / "best.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"no")
    with pytest.raises(UnreadableFile, match="no weights"):
        network_of(TASK, TINY, tmp_path / "bad.safetensors")
    with pytest.raises(UnreadableFile, match="no state"):
        checkpoint.load_state(tmp_path / "bad.safetensors", "cpu")


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["float32", "bf16", "fp16"])
def test_it_learns_on_a_gpu(tubes, tmp_path, precision):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA here")
    recipe = replace(TINY, epochs=40, augment=(), lr=5e-3, precision=precision)
    split = split_patients(tubes.patients, seed=1)
    assert train(TASK, recipe, tubes, split, run=Run(tmp_path / "run", device="cuda")) > 0.6


class Board:
    """Stands in for TensorBoard's writer."""

    drawn: ClassVar[list[tuple[str, int]]] = []

    def __init__(self, folder):
        folder.mkdir(parents=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def add_scalar(self, name, value, step):
        assert np.isfinite(value)
        self.drawn.append((name, step))


@pytest.mark.parametrize("installed", [True, False])
def test_curves_are_drawn_where_tensorboard_is_installed(tubes, tmp_path, monkeypatch, installed):
    Board.drawn.clear()
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Board))
    monkeypatch.setattr("bolus.learn.train.find_spec", lambda _name: object() if installed else None)
    trained(tubes, tmp_path / "run", replace(TINY, epochs=2))
    names = {"lr", "loss", "dice"}
    assert set(Board.drawn) == ({(name, step) for name in names for step in (1, 2)} if installed else set())
    assert (tmp_path / "run" / "tensorboard").is_dir() is installed
    assert len(log(tmp_path / "run")) == 2


def test_a_training_answers_without_being_exported(tubes, tmp_path):
    trained(tubes, tmp_path / "run", replace(TINY, epochs=1))
    network = live(TASK, tmp_path / "run")
    image = np.random.default_rng(0).random((2, 1, 48, 48), dtype=np.float32)
    with torch.inference_mode():
        wanted = network_of(TASK, replace(TINY, epochs=1), tmp_path / "run" / "best.safetensors")(
            torch.from_numpy(image)
        )
    np.testing.assert_array_equal(network(image), wanted.numpy())
    assert network.card.task == "ica"
    with pytest.raises(ShapeMismatch):
        network(np.repeat(image, 2, axis=1))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fitting": {"shade": 3}}, "shade"),
        ({"loss": "clot"}, "heat"),
        ({"options": {"width": 4, "channels": 3}}, "channels"),
        ({"loss": "mse", "options": {"width": 4, "outputs": 2}}, "answers otherwise"),
    ],
)
def test_choices_that_do_not_go_together_are_refused_before_anything_is_written(
    tubes, tmp_path, changes, said
):
    with pytest.raises(BadRecipe, match=said):
        trained(tubes, tmp_path / "run", replace(TINY, **changes))
    assert not (tmp_path / "run").exists()


def test_weights_that_do_not_fit_leave_no_folder_behind(tubes, tmp_path):
    trained(tubes, tmp_path / "other", replace(TINY, epochs=1, options={"width": 2}))
    with pytest.raises(ShapeMismatch):
        trained(tubes, tmp_path / "run", begin_with=tmp_path / "other" / "best.safetensors")
    assert not (tmp_path / "run").exists()


def test_the_state_of_another_network_is_refused(tubes, tmp_path):
    trained(tubes, tmp_path / "other", replace(TINY, epochs=1, options={"width": 2}))
    trained(tubes, tmp_path / "run", replace(TINY, epochs=1))
    (tmp_path / "run" / "state.pt").write_bytes((tmp_path / "other" / "state.pt").read_bytes())
    with pytest.raises(UnreadableFile, match="another training"):
        trained(tubes, tmp_path / "run", resume=True)
