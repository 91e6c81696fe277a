"""The command line keeps its promises: files, exit codes, JSON, and nothing half-written."""

import json
import re
import tomllib
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

import bolus
from bolus import phantom
from bolus.apps.cli import app

pytestmark = pytest.mark.slow
RUNNER = CliRunner(env={"BOLUS_DEBUG": "1"})


def invoke(*words: object) -> tuple[int, str, str]:
    done = RUNNER.invoke(app, [str(w) for w in words])
    unexpected = done.exception if not isinstance(done.exception, SystemExit) else None
    assert unexpected is None, unexpected
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ct") / "a study with ünicode"
    code, out, _ = invoke(
        "phantom", "ct", "-o", folder, "--size", 96, "--slices", 6, "--frames", 36, "--noise", 2, "--seed", 5
    )
    assert code == 0
    assert "dicom" in out
    return folder


@pytest.fixture(scope="module")
def result(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "result"
    code, _, err = invoke("run", study / "dicom", "-o", out, "--no-motion")
    assert code == 0, err
    return out


def test_every_promised_file_is_there(result: Path) -> None:
    promised = [
        "summary.json", "report.html", "recipe.toml", "lesions/core.nii.gz", "lesions/hypoperfused.nii.gz",
        "vessels/aif.csv", "vessels/vof.csv", "maps/CBF.nii.gz", "maps/CBV.nii.gz", "maps/MTT.nii.gz",
        "maps/Tmax.nii.gz", "maps/TTP.nii.gz",
    ]  # fmt: skip
    assert not [name for name in promised if not (result / name).is_file()]
    assert list((result / "figures").glob("*.png"))
    assert not list(result.parent.glob(".*")), "a temporary folder was left behind"


def test_report_needs_no_network(result: Path) -> None:
    page = (result / "report.html").read_text(encoding="utf-8")
    links = re.findall(r"""(?:src|href|action|url)\s*[=(]\s*["']?([^"'\s>)]+)""", page)
    assert not [link for link in links if not link.startswith(("data:", "#", "https://doi.org/"))]
    assert re.search(r"""Content-Security-Policy" content="default-src 'none'""", page)
    assert "<script" not in page
    assert "not for diagnosis" in page


def test_maps_lie_where_the_series_lies(result: Path, study: Path) -> None:
    series = nib.load(study / "nifti" / "series.nii.gz")
    for name in ("CBF", "Tmax"):
        made = nib.load(result / "maps" / f"{name}.nii.gz")
        corners = np.array([[0, 0, 0, 1], [*np.array(made.shape) - 1, 1]])
        own = np.array([[0, 0, 0, 1], [*np.array(series.shape[:3]) - 1, 1]])
        box = np.sort((made.affine @ corners.T)[:3], axis=1)
        np.testing.assert_allclose(box, np.sort((series.affine @ own.T)[:3], axis=1), atol=1e-2)


def test_recipe_repeats_the_run(result: Path, study: Path, tmp_path: Path) -> None:
    recipe = tomllib.loads((result / "recipe.toml").read_text(encoding="utf-8"))
    assert recipe["prepare"]["motion"] == "none"

    code, _, _ = invoke(
        "run", study / "dicom", "-o", tmp_path / "again", "--recipe", result / "recipe.toml", "-q"
    )

    assert code == 0
    for name in ("CBF", "Tmax"):
        first = nib.load(result / "maps" / f"{name}.nii.gz").get_fdata()
        np.testing.assert_array_equal(
            first, nib.load(tmp_path / "again" / "maps" / f"{name}.nii.gz").get_fdata()
        )


def test_json_is_one_document_on_standard_output(study: Path, tmp_path: Path) -> None:
    code, out, _ = invoke("run", study / "dicom", "-o", tmp_path / "out", "--no-motion", "--json")
    document = json.loads(out)
    assert code == 0
    assert document == json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8")) | {
        k: document[k] for k in ("created", "timings_s") if k in document
    }


def test_nifti_gives_the_same_maps_as_dicom(result: Path, study: Path, tmp_path: Path) -> None:
    code, _, err = invoke(
        "run", study / "nifti" / "series.nii.gz", "-o", tmp_path / "out", "--no-motion", "--modality", "ct"
    )
    assert code == 0, err
    first = nib.load(result / "maps" / "Tmax.nii.gz")
    second = nib.load(tmp_path / "out" / "maps" / "Tmax.nii.gz")
    both = nib.as_closest_canonical(first).get_fdata(), nib.as_closest_canonical(second).get_fdata()
    np.testing.assert_allclose(both[0], both[1], atol=0.02, equal_nan=True)


def test_zip_gives_the_same_series_as_the_folder(study: Path, tmp_path: Path) -> None:
    archive = tmp_path / "study.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in (study / "dicom").iterdir():
            packed.write(path, f"deep/er/{path.name}")
        packed.writestr("deep/notes.txt", "no image")
    series, again = bolus.load(study / "dicom"), bolus.load(archive)
    np.testing.assert_array_equal(series.frames, again.frames)
    np.testing.assert_array_equal(series.times, again.times)


def test_info_names_the_series_it_would_use(study: Path) -> None:
    code, out, _ = invoke("info", study, "--json")
    document = json.loads(out)
    used = [c for c in document["candidates"] if c["would_use"]]
    assert code == 0
    assert len(used) == 1
    assert used[0]["shape"] == [96, 96, 6, 36]
    assert used[0]["dt_s"] == pytest.approx([1.5, 1.5, 1.5])


def test_existing_foreign_folder_is_left_alone(study: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    code, _, err = invoke("run", study / "dicom", "-o", tmp_path, "--no-motion")
    assert code == 3
    assert str(tmp_path) in err.replace("\n", "")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_former_result_is_replaced(result: Path, study: Path, tmp_path: Path) -> None:
    del result
    for rule in ("rapid", "mistar"):
        code, _, _ = invoke(
            "run", study / "dicom", "-o", tmp_path / "out", "--no-motion", "-q", "--rule", rule
        )
        assert code == 0
    recipe = tomllib.loads((tmp_path / "out" / "recipe.toml").read_text(encoding="utf-8"))
    assert recipe["lesions"]["rule"] == "mistar"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--method", "magic"], 2),
        (["--rule", "magic"], 2),
        (["--modality", "pet"], 2),
        (["--recipe", "missing.toml"], 3),
        (["--aif", "missing.csv"], 3),
        (["--aif", "somewhere"], 2),
        (["--mask", "missing.nii.gz"], 3),
        (["--series", "no such series"], 3),
        (["--filter", "magic"], 2),
        (["--dt", "-1"], 2),
        (["--nonsense"], 2),
    ],
)
def test_wrong_options_are_named(study: Path, tmp_path: Path, words: list[str], code: int) -> None:
    found, out, err = invoke("run", study / "dicom", "-o", tmp_path / "out", "--no-motion", *words)
    assert found == code, err
    assert "error" in err.lower()
    assert out == ""
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [{}, {"a.txt": "text"}, {"a.dcm": "not DICOM"}])
def test_folder_without_a_series_is_refused(tmp_path: Path, content: dict[str, str]) -> None:
    study = tmp_path / "study"
    study.mkdir()
    for name, text in content.items():
        (study / name).write_text(text)
    code, _, err = invoke("run", study, "-o", tmp_path / "out")
    assert code == 3
    assert "study" in err
    assert not (tmp_path / "out").exists()


def test_missing_study_is_refused_as_json_too(tmp_path: Path) -> None:
    code, out, _ = invoke("run", tmp_path / "nowhere", "-o", tmp_path / "out", "--json")
    assert code == 3
    assert json.loads(out)["where"].endswith("nowhere")


def test_cut_off_bolus_withholds_volumes_but_writes_maps(tmp_path: Path) -> None:
    study = phantom.ct(phantom.CtOptions(shape=(128, 128, 6), n_frames=16, dt=1.5, seed=5))
    phantom.write_study(study, tmp_path / "study")

    code, _, err = invoke("run", tmp_path / "study" / "dicom", "-o", tmp_path / "out", "--no-motion")

    assert code == 4
    assert "TRUNCATED" in err
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert not summary["lesions"] or summary["lesions"].get("volumes_ml") is None
    assert (tmp_path / "out" / "maps" / "Tmax.nii.gz").is_file()
    assert not (tmp_path / "out" / "lesions" / "core.nii.gz").exists()


def test_given_vessels_are_used(study: Path, tmp_path: Path) -> None:
    truth = study / "truth"
    code, out, err = invoke(
        "run", study / "dicom", "-o", tmp_path / "out", "--no-motion", "--json",
        "--aif", truth / "aif.csv", "--vof", truth / "vein.nii.gz",
    )  # fmt: skip
    assert code == 0, err
    vessels = json.loads(out)["vessels"]
    assert "aif.csv" in json.dumps(vessels["aif"]) or "file" in vessels["aif"]["origin"]
    given = np.loadtxt(truth / "aif.csv", delimiter=",", skiprows=1)
    used = np.loadtxt(tmp_path / "out" / "vessels" / "aif.csv", delimiter=",", skiprows=1)
    assert np.corrcoef(given[:, 1], used[:, 1])[0, 1] > 0.9999


@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, 1), (1, -1, -1)])
def test_a_voxel_is_counted_as_in_the_maps(
    result: Path, study: Path, tmp_path: Path, flips: tuple[int, int, int]
) -> None:
    image = nib.load(study / "nifti" / "series.nii.gz")
    turns = np.array([[i, flip] for i, flip in enumerate(flips)])
    image.as_reoriented(turns).to_filename(tmp_path / "series.nii.gz")
    (tmp_path / "series.json").write_bytes((study / "nifti" / "series.json").read_bytes())
    chosen = nib.load(result / "vessels" / "aif.nii.gz")
    there = np.argwhere(chosen.as_reoriented(turns).get_fdata() > 0)[0]

    code, _, err = invoke(
        "run", tmp_path / "series.nii.gz", "-o", tmp_path / "out", "--no-motion", "-q",
        "--aif", ",".join(map(str, there)),
    )  # fmt: skip

    assert code == 0, err
    used = nib.load(tmp_path / "out" / "vessels" / "aif.nii.gz").get_fdata()
    assert used[tuple(there)] > 0


def test_a_network_makes_the_maps_lesions_and_report_too(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "net"
    code, text, _ = invoke("run", study, "-o", out, "--method", "net", "--no-motion")

    assert code == 0
    assert "core" in text
    assert {p.name for p in (out / "maps").glob("*_sd.nii.gz")} >= {
        f"{name}_sd.nii.gz" for name in ("CBF", "CBV", "MTT", "Tmax", "TTP")
    }
    assert "network" in (out / "report.html").read_text(encoding="utf-8")
    assert (
        json.loads((out / "summary.json").read_text(encoding="utf-8"))["recipe"]["deconvolve"]["method"]
        == "net"
    )


def test_a_run_can_be_asked_for_the_size_of_the_core(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, said, err = invoke(
        "run", study / "dicom", "-o", out, "--no-motion", "--core-size", "--levels", "2,4"
    )
    assert code in {0, 4}, err
    assert "core-size (research)" in said
    assert "Is the core 32 mL or larger?" in said
    (found,) = json.loads((out / "summary.json").read_text(encoding="utf-8"))["research"]
    assert found["reply"] in {"yes", "no", "do not know", "refused"}
    assert {score["data"] for score in found["scores"]} >= {"simulated patients of site A by the maps"}
    assert "Research results" in (out / "report.html").read_text(encoding="utf-8")


def test_the_size_of_the_core_is_not_told_from_x_ray(tmp_path: Path) -> None:
    phantom.write_study(phantom.xa(size=64, duration_s=6.0, seed=3), tmp_path / "xa")
    code, _, err = invoke("run", tmp_path / "xa" / "dicom", "-o", tmp_path / "out", "--core-size")
    assert code == 2
    assert "core-size is not told from such a study" in err
    assert not (tmp_path / "out").exists()
