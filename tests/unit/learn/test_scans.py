"""Published scans and users' own become cases: small files in the layouts that their authors publish."""

import nibabel as nib
import numpy as np
import pytest
from scipy.stats import spearmanr

from bolus.core.errors import BadInput, BadRecipe, UnreadableFile
from bolus.learn import maps, published, scans
from bolus.phantom import ct, write_study

SHAPE = (72, 72, 3)


@pytest.fixture(scope="module")
def study():
    return ct(shape=SHAPE, n_frames=24, dt=2.0, noise_hu=2.0, seed=4)


def true_map(study, name):
    return np.nan_to_num(study.truth.maps[name].values)


def save(values, study, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(values.astype(np.float32), study.series.grid.affine)
    if values.ndim == 4:
        image.header.set_zooms((*study.series.grid.spacing_mm, 2.0))
        image.header.set_xyzt_units("mm", "sec")
    nib.save(image, path)


def frames_of(study):
    return np.stack([study.series.frame(i) for i in range(study.series.n_frames)], axis=-1)


@pytest.fixture(scope="module")
def unito(study, slice_file, tmp_path_factory):
    root = tmp_path_factory.mktemp("unito")
    name = "MOL-007_Registered_Filtered_3mm_20HU"
    write_study(study, root / "made")
    (root / "made" / "dicom").rename(root / name)
    (root / "MOL-007").mkdir()  # the raw scan, which the filtered one comes before
    grid = study.series.grid
    sources = {"CBF": true_map(study, "CBF"), "CBV": true_map(study, "CBV"), "MTT": true_map(study, "MTT")}
    sources["TTP"] = true_map(study, "delay") + 0.5 * sources["MTT"]
    for key, values in sources.items():
        folder = root / f"{name}_Maps" / f"NLR_{key}"
        folder.mkdir(parents=True)
        for k in range(SHAPE[2]):
            x, y, z = grid.position_mm((0, 0, k))
            place, spacing = (-x, -y, z), list(grid.spacing_mm[1::-1])
            file = folder / f"NLR_{key}{k + 1:05}.dcm"
            slice_file(
                file, values[:, :, k].T, place, PixelSpacing=spacing, SliceThickness=grid.spacing_mm[2]
            )
    return root


@pytest.fixture(scope="module")
def isles18(study, tmp_path_factory):
    root = tmp_path_factory.mktemp("isles18")
    case = root / "TRAINING" / "case_12"
    for number, name in enumerate(("CBF", "CBV", "MTT", "Tmax")):
        stem = f"SMIR.Brain.XX.O.CT_{name}.34556{number}"
        save(true_map(study, name), study, case / stem / f"{stem}.nii")
    save(
        frames_of(study),
        study,
        case / "SMIR.Brain.XX.O.CT_4DPWI.345561" / "SMIR.Brain.XX.O.CT_4DPWI.345561.nii",
    )
    save(
        study.truth.masks["core"], study, case / "SMIR.Brain.XX.O.OT.345560" / "SMIR.Brain.XX.O.OT.345560.nii"
    )
    return root


@pytest.fixture(scope="module")
def isles24(study, tmp_path_factory):
    root = tmp_path_factory.mktemp("isles24")
    subject = root / "train" / "derivatives" / "sub-stroke0003"
    stem = "sub-stroke0003_ses-01_space-ncct"
    save(frames_of(study), study, subject / "ses-01" / f"{stem}_ctp.nii.gz")
    for name in ("cbf", "cbv", "mtt", "tmax"):
        true = true_map(study, {"tmax": "Tmax"}.get(name, name.upper()))
        save(true, study, subject / "ses-01" / "perfusion-maps" / f"{stem}_{name}.nii.gz")
    save(study.truth.masks["core"], study, subject / "ses-02" / "sub-stroke0003_ses-02_lesion-msk.nii.gz")
    return root


@pytest.mark.parametrize(
    ("layout", "patient", "late"),
    [
        ("unito", "MOL-007", "delay"),
        ("isles18", "isles2018-train-case_12", "Tmax"),
        ("isles24", "sub-stroke0003", "Tmax"),
    ],
)
def test_frames_and_maps_lie_on_each_other(layout, patient, late, study, request):
    name = {"unito": "unitobrain", "isles18": "isles2018", "isles24": "isles2024"}[layout]
    (scan,) = published.LAYOUTS[name](request.getfixturevalue(layout))
    assert scan.patient == patient
    cases = [case for _, case in scans.read_cases([scan], maps.CTP)]
    assert len(cases) == SHAPE[2]
    case = cases[1]
    assert case.image.shape == (24, 72, 72)
    assert np.ptp(case.extra["times"]) == pytest.approx(46.0)
    flow = case.target[0]
    assert 15 < np.median(flow[flow > 1]) < 70
    grey = (flow > 45) & (case.extra["lesion"] == 0)
    rise = case.image.max(axis=0) - case.image[:3].mean(axis=0)
    assert rise[grey].mean() > rise[(flow > 1) & (flow < 28)].mean() + 2  # more flow, more contrast
    if late == "Tmax":
        core = case.extra["lesion"] == 2
        assert 0 < core.sum() < 0.3 * core.size
        assert flow[core & (flow > 0)].mean() < 0.6 * flow[grey].mean()
    arrays = maps.fit(maps.CTP, case, 64)
    assert arrays["image"].shape == (89, 64, 64)


def test_a_list_of_ones_own(isles24, tmp_path):
    ctp = next(isles24.glob("**/*_ctp.nii.gz"))
    flow = ctp.parent / "perfusion-maps" / ctp.name.replace("ctp", "cbf")
    (tmp_path / "list.csv").write_text(f"patient,study,CBF,dt,site\nAnna,{ctp},{flow},2.0,here\n")
    (scan,) = published.listed(tmp_path / "list.csv")
    assert (scan.patient, scan.dt_s, scan.site, list(scan.maps)) == ("Anna", 2.0, "here", ["CBF"])
    with pytest.raises(BadInput, match="lacks maps"):
        next(scans.read_cases([scan], maps.CTP))
    made = [case for _, case in scans.read_cases([scan], maps.CTP, "bolus")]
    given = [case for _, case in scans.read_cases(published.isles2024(isles24), maps.CTP)]
    found, wanted = made[1].target[0], given[1].target[0]
    shown = (found > 0) & (wanted > 10)
    assert shown.sum() > 300
    assert spearmanr(found[shown], wanted[shown]).statistic > 0.5  # ranks: vessels are far above the rest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("patient,study\nAnna,nowhere\n", "not there"),
        ("patient,study\n,\n", "lacks a patient"),
        ("patient,study,dt\nAnna,.,soon\n", "frame interval"),
        ("patient,study\n", "no scan"),
        ("patient,study\nAnna,.\nBert,.\nAnna,.\n", "line 4 names a patient again"),
        ("patient,study\n../Anna,.\n", "name cannot be that of a folder"),
        ("patient,study\n..,.\n", "name cannot be that of a folder"),
    ],
)
def test_lists_that_cannot_be_used_are_refused(text, said, tmp_path):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(BadInput, match=said):
        published.listed(tmp_path / "list.csv")


def test_what_lies_beside_the_cases_of_isles_is_passed_over(isles18):
    (isles18 / "TRAINING" / "case_12.zip").touch()
    (isles18 / "case_notes").mkdir()
    (scan,) = published.isles2018(isles18)
    assert scan.patient == "isles2018-train-case_12"


def test_folders_of_another_layout_are_refused(tmp_path):
    for name in ("unitobrain", "isles2018", "isles2024"):
        with pytest.raises(BadInput, match="no scan"):
            published.LAYOUTS[name](tmp_path)
    with pytest.raises(UnreadableFile, match="not a list"):
        published.listed(tmp_path)
    with pytest.raises(BadRecipe, match="unknown reference"):
        next(scans.read_cases([], maps.CTP, "theirs"), None)


def test_a_scan_that_cannot_be_used_is_left_out_and_named(isles18, tmp_path):
    (good,) = published.isles2018(isles18)
    bare = published.Published("bare", good.study)  # as in the test set of ISLES 2018: no maps
    left_out = {}
    cases = [case for _, case in scans.read_cases([bare, good], maps.CTP, left_out=left_out)]
    assert {case.patient for case in cases} == {good.patient}
    assert list(left_out) == ["bare"]
    assert "lacks maps" in left_out["bare"]
    with pytest.raises(BadInput, match="lacks maps"):
        list(scans.read_cases([bare], maps.CTP, left_out={}))
    with pytest.raises(BadInput, match="lacks maps"):
        list(scans.read_cases([bare, good], maps.CTP))
