"""Networks side by side, as the members of one."""

import pytest
from typer.testing import CliRunner

from bolus.apps.cli import app
from bolus.core.errors import BadRecipe, ShapeMismatch, UnreadableFile

torch = pytest.importorskip("torch")

from bolus.learn import checkpoint  # noqa: E402
from bolus.learn.networks import build  # noqa: E402

OPTIONS = {"width": 4, "windows": 5, "stride": 2}


@pytest.fixture
def files(tmp_path):
    """Weights of a network with two members, and of a single one."""
    torch.manual_seed(0)
    both = build("clot_pointers", 3, {"members": 2, **OPTIONS}).eval()
    alone = build("clot_pointer", 3, OPTIONS).eval()
    paths = (tmp_path / "both.safetensors", tmp_path / "alone.safetensors")
    for network, path in zip((both, alone), paths, strict=True):
        checkpoint.save_weights(network, path)
    return paths, (*both.members, alone)


def test_the_gathered_network_answers_by_the_mean_of_all(files, tmp_path):
    paths, networks = files
    checkpoint.gather(paths, 3, tmp_path / "all.safetensors")
    made = build("clot_pointers", 3, {"members": 3, **OPTIONS}).eval()
    checkpoint.begin_with(made, tmp_path / "all.safetensors")
    run = torch.randn((2, 5, 3, 64, 64))
    with torch.inference_mode():
        wanted = torch.stack([one(run) for one in networks]).mean(dim=0)
        assert torch.allclose(made(run), wanted, atol=1e-6)


def test_no_more_are_taken_than_asked_for(files, tmp_path):
    (both, alone), networks = files
    done = CliRunner().invoke(
        app,
        [
            "learn",
            "gather",
            *map(str, (alone, both)),
            "-o",
            str(tmp_path / "two.safetensors"),
            "--members",
            "2",
        ],
    )
    assert done.exit_code == 0, done.output
    made = build("clot_pointers", 3, {"members": 2, **OPTIONS})
    checkpoint.load_weights(made, tmp_path / "two.safetensors")
    for kept, wanted in zip(made.members, (networks[2], networks[0]), strict=True):
        assert all(torch.equal(v, wanted.state_dict()[k]) for k, v in kept.state_dict().items())


def test_too_few_and_different_networks_are_refused_and_nothing_is_written(files, tmp_path):
    (both, alone), _ = files
    out = tmp_path / "out.safetensors"
    with pytest.raises(BadRecipe, match="too few networks; wanted 4; found 3"):
        checkpoint.gather((both, alone), 4, out)
    checkpoint.save_weights(build("clot_pointer", 3, {**OPTIONS, "width": 8}), tmp_path / "wide.safetensors")
    with pytest.raises(ShapeMismatch, match="another network than the first"):
        checkpoint.gather((alone, tmp_path / "wide.safetensors"), 2, out)
    with pytest.raises(BadRecipe, match=r"ends in .safetensors; found out.onnx"):
        checkpoint.gather((both,), 2, tmp_path / "out.onnx")
    with pytest.raises(UnreadableFile):
        checkpoint.gather((tmp_path / "none.safetensors",), 2, out)
    assert not out.exists()
    assert not (tmp_path / "out.onnx").exists()
