import errno
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import jsonschema
import nibabel as nib
import numpy as np
import pytest

from bolus.core.errors import OutputFailed
from bolus.core.finding import silent
from bolus.core.maps import Map
from bolus.export import figures, folder, layout, nifti, report, require_writable, schema, write, writer
from bolus.export.regions import plain


@pytest.fixture
def quick(monkeypatch) -> None:
    """Stand in for the figures, which these tests do not look at."""
    monkeypatch.setattr(
        writer.figures, "draw_all", lambda result, **_: ((n, b"png") for n in layout.figure_names(result))
    )


def files(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()))


def no_space(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_whole_result_is_written_as_the_layout_says(tmp_path, small_result) -> None:
    steps = []

    out = write(small_result, tmp_path / "new" / "out", progress=lambda *a: steps.append(a))

    assert files(out) == layout.files(small_result)
    document = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, schema(), cls=jsonschema.Draft202012Validator)
    assert document["files"] == list(layout.files(small_result))
    assert list((tmp_path / "new").iterdir()) == [out]
    assert (out.stat().st_mode & 0o777) == (tmp_path / "new").stat().st_mode & 0o777
    assert steps[0][1] == 0
    assert steps[-1][1] == steps[-1][2]
    chosen = np.asarray(nib.load(out / "vessels" / "aif.nii.gz").dataobj)
    assert chosen.sum() == small_result.vessels.aif.voxels.shape[0]


def test_a_mounted_disk_is_refused_before_the_work(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(Path, "is_mount", lambda path: path == tmp_path)
    with pytest.raises(OutputFailed, match=re.escape(str(tmp_path / "result"))):
        require_writable(tmp_path)
    require_writable(tmp_path / "result")


def test_deviations_and_odd_names_are_part_of_the_layout(tmp_path, make_result, small_result, quick) -> None:
    made = small_result.maps["CBF"]
    odd = Map("../K trans", made.values, made.unit, made.grid, sd=np.abs(made.values))
    result = make_result(maps={"../K trans": odd}, lesions=None, motion=None)

    out = write(result, tmp_path / "out")

    assert files(out) == layout.files(result)
    assert "maps/___K_trans_sd.nii.gz" in layout.files(result)


def test_chances_are_written_as_numbers_where_the_lesions_lie(tmp_path, sure_result, quick) -> None:
    out = write(sure_result, tmp_path / "out")

    written = nifti.nib.load(out / "lesions" / "core_probability.nii.gz")
    mask = nifti.nib.load(out / "lesions" / "core.nii.gz")
    values = np.asanyarray(written.dataobj)
    assert values.dtype == np.float32
    assert np.nanmin(values) >= 0
    assert np.nanmax(values) <= 1
    np.testing.assert_array_equal(written.affine, mask.affine)
    assert np.nanmean(values[np.asanyarray(mask.dataobj) == 1]) > 0.5
    assert sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()) == list(
        layout.files(sure_result)
    )


def test_an_earlier_result_is_replaced_whole(tmp_path, make_result, small_result, quick) -> None:
    out = write(small_result, tmp_path / "out")
    (out / ".DS_Store").write_text("")
    withheld = make_result(lesions=None)

    write(withheld, out)

    assert files(out) == layout.files(withheld)
    assert list(tmp_path.iterdir()) == [out]


def test_an_empty_folder_is_filled(tmp_path, small_result, quick) -> None:
    (tmp_path / "out").mkdir()

    assert files(write(small_result, tmp_path / "out")) == layout.files(small_result)


@pytest.mark.parametrize("place", ["notes.txt", "maps/mine.nii.gz", "dicom/0001.dcm"])
@pytest.mark.parametrize("earlier", [True, False])
def test_files_of_others_are_never_touched(tmp_path, small_result, quick, place, earlier) -> None:
    out = tmp_path / "out"
    if earlier:
        write(small_result, out)
    (out / place).parent.mkdir(parents=True, exist_ok=True)
    (out / place).write_text("mine")

    with pytest.raises(OutputFailed, match="other files"):
        write(small_result, out)

    assert (out / place).read_text() == "mine"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"kind": "bolus-result"}', '{"kind": "bolus-result", "files": 3}', "\udc80"]
)
def test_a_summary_that_is_not_ours_vouches_for_nothing(tmp_path, small_result, quick, text) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "summary.json").write_text(text, encoding="utf-8", errors="surrogateescape")

    with pytest.raises(OutputFailed, match="other files"):
        require_writable(out)


def test_overwriting_must_be_asked_for(tmp_path, small_result, quick) -> None:
    (tmp_path / "notes.txt").write_text("mine")

    out = write(small_result, tmp_path, overwrite=True)

    assert files(out) == layout.files(small_result)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path, small_result) -> None:
    (tmp_path / "out").write_text("mine")

    for refuse in (require_writable, lambda p: write(small_result, p, overwrite=True)):
        with pytest.raises(OutputFailed, match="not a folder"):
            refuse(tmp_path / "out")


@pytest.mark.parametrize(
    ("module", "name"),
    [(nifti.nib, "save"), (Path, "write_bytes"), (Path, "write_text"), (Path, "mkdir"), (Path, "rename")],
)
@pytest.mark.parametrize("earlier", [True, False])
def test_a_full_disk_leaves_the_old_result_or_nothing(
    tmp_path, make_result, small_result, quick, monkeypatch, module, name, earlier
) -> None:
    out = tmp_path / "out"
    if earlier:
        write(small_result, out)
    monkeypatch.setattr(folder, "_exchange", lambda *_: False)
    with monkeypatch.context() as broken:
        broken.setattr(module, name, no_space)
        with pytest.raises(OutputFailed, match="no space left") as caught:
            write(make_result(lesions=None), out)

    assert "Free disk space" in caught.value.remedy
    assert list(tmp_path.iterdir()) == ([out] if earlier else [])
    if earlier:
        assert files(out) == layout.files(small_result)


def test_a_full_disk_in_the_middle_of_a_page_leaves_nothing(
    tmp_path, small_result, quick, monkeypatch
) -> None:
    seen = []
    real = Path.write_bytes

    def fails_at_fifth(self, data):
        seen.append(self)
        return no_space() if len(seen) == 5 else real(self, data)

    monkeypatch.setattr(Path, "write_bytes", fails_at_fifth)
    with pytest.raises(OutputFailed):
        write(small_result, tmp_path / "out")

    assert not list(tmp_path.iterdir())


def test_systems_that_cannot_exchange_folders_still_replace(
    tmp_path, make_result, small_result, quick, monkeypatch
) -> None:
    out = write(small_result, tmp_path / "out")
    monkeypatch.setattr(sys, "platform", "darwin")

    write(make_result(lesions=None), out)

    assert files(out) == layout.files(make_result(lesions=None))
    assert list(tmp_path.iterdir()) == [out]


def test_a_bug_leaves_nothing_behind_either(tmp_path, small_result, quick, monkeypatch) -> None:
    def broken(*_):
        raise RuntimeError("bug")

    monkeypatch.setattr(report, "render", broken)
    with pytest.raises(RuntimeError, match="bug"):
        write(small_result, tmp_path / "out")

    assert not list(tmp_path.iterdir())


def test_a_place_without_permission_is_refused_before_the_work(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)

    with pytest.raises(OutputFailed, match="permission denied") as caught:
        require_writable(tmp_path / "deep" / "out")

    assert "-o" in caught.value.remedy


def test_a_name_that_is_too_long_is_refused_clearly(tmp_path, small_result, quick) -> None:
    with pytest.raises(OutputFailed, match="name too long"):
        write(small_result, tmp_path / ("x" * 300))


@pytest.mark.parametrize("name", ["with space", "Ω-наук-試験", "a.b.c", "x" * 200])
def test_names_of_folders_may_be_anything(tmp_path, small_result, quick, name) -> None:
    assert files(write(small_result, tmp_path / name)) == layout.files(small_result)


def test_a_link_to_a_folder_is_followed(tmp_path, small_result, quick) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")

    write(small_result, tmp_path / "link")

    assert (tmp_path / "link").is_symlink()
    assert files(tmp_path / "real") == layout.files(small_result)


def test_a_killed_run_leaves_the_old_result(tmp_path, small_result, quick) -> None:
    out = write(small_result, tmp_path / "out")
    before = {p: (out / p).read_bytes() for p in files(out)}
    code = f"""
        import os, signal
        from pathlib import Path
        from bolus.export import writer
        def dies(result, folder, colours, progress):
            (folder / "summary.json").write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
        writer._write_all = dies
        writer.write(None, Path({str(out)!r}))
    """

    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)

    assert ended.returncode == -signal.SIGKILL
    assert {p: (out / p).read_bytes() for p in files(out)} == before


def test_silence_is_the_default() -> None:
    assert writer.write.__kwdefaults__["progress"] is silent
    assert "spectrum" in figures.TABLES


def test_numbers_are_plain() -> None:
    assert plain(1.23456789) == 1.23457
    assert plain(float("nan")) is plain(float("inf")) is plain(None) is None
