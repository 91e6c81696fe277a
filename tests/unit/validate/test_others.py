import csv
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.io import savemat

from bolus.core.errors import UnreadableFile
from bolus.physics.gamma import GammaVariate
from bolus.physics.signal import signal_from_delta_r2star
from bolus.physics.transport import tissue_curves
from bolus.validate import assess, candidates, read_bezier, read_osipi, tables
from bolus.validate.others import BEZIER_DT_S, BEZIER_TE_S
from bolus.validate.setup import Effort

BOLUS = GammaVariate(10.0, 25.0, 3.0, 1.5)
TIMES = np.arange(80) * BEZIER_DT_S
PER_VOLUME = 1.04 / (0.55 / 0.75)  # rho over kappa_H


def tissue(cbf: float, delay: float = 0.0) -> np.ndarray:
    """A curve of CBV 4, without density and haematocrit."""
    true = (np.array([cbf / PER_VOLUME * PER_VOLUME]), np.array([240.0 / cbf]), np.array([delay]))
    return tissue_curves(BOLUS, TIMES, true)[0] / PER_VOLUME


@pytest.fixture
def osipi(tmp_path: Path) -> Path:
    lines = [
        {
            "label": f"case {cbf:g}",
            "C_tis": str(tissue(cbf)).replace("\n", " "),
            "C_aif": str(BOLUS(TIMES)),
            "cbv": 4,
            "cbf": cbf,
            "tr": BEZIER_DT_S,
        }
        for cbf in (20.0, 60.0)
    ]
    with (tmp_path / "dsc_data.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, lines[0])
        writer.writeheader()
        writer.writerows(lines)
    return tmp_path


@pytest.fixture
def bezier(tmp_path: Path) -> Path:
    home, late = tmp_path / "varying_residue_function", tmp_path / "delay_dispersion"
    home.mkdir()
    late.mkdir()
    savemat(home / "kappa_a.mat", {"kappa_a": 7.0})
    savemat(home / "kappa_s_lam1.mat", {"kappa_s": 14.0})

    def save(path: Path, rate: np.ndarray) -> None:
        signal = signal_from_delta_r2star(np.tile(rate, (6, 1)), np.full((6, 1), 100.0), BEZIER_TE_S)
        image = nib.Nifti1Image(signal.reshape(3, 2, 1, -1), np.eye(4))
        image.header["pixdim"][1:4] = 0.0
        nib.save(image, path)

    save(home / "aif.nii", BOLUS(TIMES))
    name = "St_disp_{}_exponential_lvl_{}_delay_{}_resfunc_gamma_dist_lambda_1_cbf_{}.nii"
    save(late / name.format(0, "high", "0_lvl_high", 40), 2 * tissue(40.0))
    save(late / name.format(1, "low", "1_lvl_medium", 20), 2 * tissue(20.0, 3.0))
    return tmp_path


@pytest.fixture
def no_wrap():
    with np.printoptions(threshold=1000, linewidth=10_000):
        yield


def test_reference_curves_are_read_with_their_truth(no_wrap, osipi):
    first, second = read_osipi(osipi)

    assert (first.name, first.cbf, first.cbv, first.dt) == ("case 20", 20.0, 4.0, BEZIER_DT_S)
    np.testing.assert_allclose(second.tissue, tissue(60.0), rtol=1e-6)


def test_files_of_the_bezier_study_tell_their_truth_by_their_names(bezier, capfd, caplog):
    files, aif = read_bezier(bezier)

    np.testing.assert_allclose(aif, BOLUS(TIMES), atol=1e-4)
    assert [(f.cbf, f.delay_s, f.dispersion, f.shape) for f in files] == [
        (40, 0.0, "none", 1),
        (20, 3.0, "low", 1),
    ]
    np.testing.assert_allclose(files[0].curves[5], tissue(40.0), atol=1e-4)
    assert capfd.readouterr().err == ""
    assert not caplog.records


def test_both_are_judged_on_their_own_scale(no_wrap, osipi, bezier):
    small = Effort("small", True, 2, 4, 1, 1, 1)

    found = assess(candidates(["csvd:cutoff=0.02"]), effort=small, osipi_folder=osipi, bezier_folder=bezier)

    volumes = [r.bias for name in ("osipi", "bezier") for r in found.errors(found.labels[0], name, "CBV")]
    np.testing.assert_allclose(volumes, 0.0, atol=0.15)
    assert found.score(found.labels[0], "osipi", ("CBF", "within_tolerance")) == 1.0
    made = tables(found)
    assert made["osipi"].rows[0][2] == "100"
    assert len(made["bezier"].rows) == 2
    assert made["headline"].rows[0][-1] == "CBF 2/2, CBV 2/2"


@pytest.mark.parametrize(
    "text", [None, "", "label,cbf\na,3\n", "label,C_tis,C_aif,cbv,cbf,tr\na,[1 2],[x],4,20,1\n"]
)
def test_reference_curves_that_are_none_are_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "dsc_data.csv").write_text(text)

    with pytest.raises(UnreadableFile, match=r"dsc_data\.csv"):
        read_osipi(tmp_path)


@pytest.mark.parametrize(
    "broken", ["varying_residue_function/aif.nii", "varying_residue_function/kappa_a.mat"]
)
@pytest.mark.parametrize("how", ["missing", "broken"])
def test_a_bezier_study_that_is_none_is_refused(bezier, broken, how):
    (bezier / broken).unlink()
    if how == "broken":
        (bezier / broken).write_text("nothing of the kind")

    with pytest.raises(UnreadableFile, match="Bezier"):
        read_bezier(bezier)


def test_a_bezier_study_without_images_is_refused(bezier):
    for path in bezier.glob("delay_dispersion/*"):
        path.unlink()

    with pytest.raises(UnreadableFile, match="St_disp"):
        read_bezier(bezier)
