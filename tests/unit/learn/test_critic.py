"""A critic learns from both sides, its doubt reaches the network alone, and its log-odds are taken once."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from bolus.core.errors import BadRecipe
from bolus.learn.recipe import TrainRecipe

torch = pytest.importorskip("torch")

from bolus.learn.crew import Crew  # noqa: E402
from bolus.learn.critic import fresh_critic  # noqa: E402

ALONE = Crew(0, 1, torch.device("cpu"))
RECIPE = TrainRecipe(critic="patchgan", critic_options={"width": 4, "depth": 2})
BATCH = {"image": torch.randn(3, 5, 32, 32), "target": torch.ones(3, 1, 32, 32)}


def critic(recipe=RECIPE, crew=ALONE, lr=1e-3):
    torch.manual_seed(0)
    adam = partial(lambda network: torch.optim.Adam(network.parameters(), lr=lr))
    autocast = partial(torch.autocast, "cpu", enabled=False)
    return fresh_critic(recipe, 6, adam, autocast, crew)


def weights(network):
    return torch.cat([p.detach().ravel() for p in network.parameters()])


def test_it_learns_to_tell_true_from_made():
    judge, made = critic(lr=1e-2), -torch.ones(3, 1, 32, 32)
    losses = [float(judge.learn(BATCH, made, parts=1, step=True)) for _ in range(20)]
    assert losses[-1] < 0.1 < losses[0]
    assert float(judge.doubt(BATCH, made)) > float(judge.doubt(BATCH, BATCH["target"]))


def test_its_lesson_and_its_doubt_reach_one_side_each():
    judge, made = critic(), torch.zeros(3, 1, 32, 32, requires_grad=True)

    judge.learn(BATCH, made, parts=1, step=False)
    assert made.grad is None
    before = [p.grad.clone() for p in judge.network.parameters()]
    judge.doubt(BATCH, made).backward()

    assert float(made.grad.abs().max()) > 0
    after = [p.grad for p in judge.network.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_it_changes_when_told_to_only():
    judge, made = critic(), torch.zeros(3, 1, 32, 32)
    before = weights(judge.network)
    judge.learn(BATCH, made, parts=2, step=False)
    assert torch.equal(before, weights(judge.network))
    judge.learn(BATCH, made, parts=2, step=True)
    assert not torch.equal(before, weights(judge.network))


def test_log_odds_of_nothing_cost_the_logarithm_of_two():
    judge = critic()
    torch.nn.init.zeros_(judge.network.layers[-1].weight)
    torch.nn.init.zeros_(judge.network.layers[-1].bias)
    assert float(judge.doubt(BATCH, BATCH["target"])) == pytest.approx(np.log(2))
    assert float(judge.learn(BATCH, BATCH["target"], parts=1, step=False)) == pytest.approx(np.log(2))


def test_several_processes_and_unknown_critics_are_refused():
    with pytest.raises(BadRecipe, match="one process"):
        critic(crew=Crew(0, 2, torch.device("cpu")))
    with pytest.raises(BadRecipe, match="unknown critic"):
        critic(replace(RECIPE, critic="judge"))


@pytest.mark.slow
def test_the_papers_critic_takes_a_step_at_64_pixels():
    judge = critic(replace(RECIPE, critic_options={}))
    before = weights(judge.network)
    lost = judge.learn(BATCH | {k: torch.zeros(2, n, 64, 64) for k, n in (("image", 5), ("target", 1))},
                       torch.ones(2, 1, 64, 64), parts=1, step=True)  # fmt: skip
    assert torch.isfinite(lost)
    assert not torch.equal(before, weights(judge.network))
