"""Cases, their table, and the set that reads them."""

import numpy as np
import pytest

from bolus.core.errors import BadInput, UnreadableFile
from bolus.learn.cases import (
    Case,
    CaseSet,
    Manifest,
    Memory,
    read_case,
    read_manifest,
    read_meta,
    write_case,
    write_manifest,
)


def case(**changes):
    image = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    target = (image > 5).astype(np.uint8)
    return Case(**({"image": image, "target": target, "patient": "p1", "view": "AP"} | changes))


def test_a_case_is_read_as_it_was_written(tmp_path):
    made = case(extra={"aif": np.ones(5, np.float32)}, meta={"seed": 3}, site="here")

    write_case(made, tmp_path / "sub" / "a.npz")
    read = read_case(tmp_path / "sub" / "a.npz")

    np.testing.assert_array_equal(read.image, made.image)
    np.testing.assert_array_equal(read.target, made.target)
    np.testing.assert_array_equal(read.extra["aif"], made.extra["aif"])
    assert (read.patient, read.view, read.site, read.meta) == ("p1", "AP", "here", {"seed": 3})
    assert read.digest == made.digest
    assert [p.name for p in (tmp_path / "sub").iterdir()] == ["a.npz"]


def test_what_else_is_known_is_read_alone(tmp_path):
    write_case(
        Case(np.ones((1, 4, 4), np.float32), np.ones(1), "one", meta={"dt_s": 1.5}), tmp_path / "a.npz"
    )

    assert read_meta(tmp_path / "a.npz") == {"dt_s": 1.5}
    (tmp_path / "b.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:90])
    with pytest.raises(UnreadableFile, match="not a case"):
        read_meta(tmp_path / "b.npz")


@pytest.mark.parametrize("top", [255, 256])
@pytest.mark.parametrize("part", [0.0, 0.5])
def test_grey_values_survive_as_bytes_and_others_as_they_are(tmp_path, top, part):
    made = case(image=np.linspace(part, top, 6, dtype=np.float32).round(1).reshape(1, 2, 3))

    write_case(made, tmp_path / "a.npz")
    read = read_case(tmp_path / "a.npz")

    assert read.image.dtype == np.float32
    np.testing.assert_array_equal(read.image, made.image)
    assert (np.load(tmp_path / "a.npz")["image"].dtype == np.uint8) == (top == 255 and part == 0.0)


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut", b"text"])
def test_what_is_no_case_is_refused(tmp_path, content):
    path = tmp_path / "a.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableFile, match="not a case"):
        read_case(path)


def test_a_truncated_case_is_refused(tmp_path):
    write_case(case(), tmp_path / "a.npz")
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableFile):
        read_case(tmp_path / "a.npz")


def test_a_case_needs_a_patient_and_finite_values():
    with pytest.raises(BadInput, match="no patient"):
        case(patient="")
    with pytest.raises(BadInput, match="no numbers"):
        case(image=np.full((1, 2, 2), np.nan, np.float32))


def test_the_table_is_read_as_it_was_written(tubes):
    assert read_manifest(tubes.folder) == tubes
    assert tubes.patients == tuple(f"p{i}" for i in range(8))
    assert [e.patient for e in tubes.of(["p3", "p5"]).entries] == ["p3", "p5"]


def test_a_table_that_is_missing_or_empty_is_refused(tmp_path):
    with pytest.raises(UnreadableFile, match="no table"):
        read_manifest(tmp_path)
    write_manifest(Manifest(tmp_path, ()))
    with pytest.raises(BadInput, match="empty"):
        read_manifest(tmp_path)


def test_the_set_keeps_as_many_cases_as_fit(tubes):
    reads = []

    def fit(one):
        reads.append(one.patient)
        return {"image": one.image}

    mb = 2.5 * 48 * 48 * 4 / 1e6
    cases = CaseSet(tubes, fit, cache_mb=mb)
    for i in (0, 1, 0, 1, 2, 1, 0):
        assert cases[i]["image"].shape == (1, 48, 48)

    assert len(cases) == 8
    assert reads == ["p0", "p1", "p2", "p0"]


def test_sets_that_share_a_memory_read_a_case_once_for_each_kind(tubes):
    reads = []

    def fit(one):
        reads.append(one.patient)
        return {"image": one.image}

    memory = Memory(10.0)
    sets = [CaseSet(tubes, fit, memory=memory, kind=kind) for kind in ("a", "a", "b")]
    shown = [cases[2]["image"] for cases in sets]
    assert reads == ["p2", "p2"]
    assert shown[0] is shown[1]
    assert shown[0] is not shown[2]


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_frames_of_whole_numbers_take_less_room_and_come_back_the_same(dtype, tmp_path):
    rng = np.random.default_rng(0)
    whole = Case(rng.integers(0, 250, (20, 32, 32)).astype(dtype), np.zeros(1), "p")
    rough = Case(rng.normal(0, 100, (20, 32, 32)).astype(np.float32), np.zeros(1), "p")
    for name, case in (("whole", whole), ("rough", rough)):
        write_case(case, tmp_path / f"{name}.npz")
        again = read_case(tmp_path / f"{name}.npz")
        assert again.image.dtype == case.image.dtype
        assert again.digest == case.digest
    assert (tmp_path / "whole.npz").stat().st_size < 0.7 * (tmp_path / "rough.npz").stat().st_size
