"""Archives are unpacked safely, once, and never left behind."""

import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from bolus.core.errors import BadInput, NoSeries, UnreadableFile
from bolus.read import archive
from bolus.read.archive import opened


def make_zip(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return path


def zip_bytes(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return buffer.getvalue()


def contents(place: Path) -> dict[str, bytes]:
    return {str(p.relative_to(place)): p.read_bytes() for p in place.rglob("*") if p.is_file()}


def test_a_folder_and_a_plain_file_are_used_where_they_are(tmp_path: Path) -> None:
    file = tmp_path / "image.dcm"
    file.write_bytes(b"\0" * 200)
    with opened(tmp_path) as folder, opened(file) as single:
        assert folder == tmp_path
        assert single == file


def test_a_zip_is_unpacked_and_removed_afterwards(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "study.zip", {"a/1.dcm": b"one", "a/b/2.dcm": b"two"})
    with opened(path) as place:
        assert contents(place) == {"a/1.dcm": b"one", "a/b/2.dcm": b"two"}
    assert not place.exists()


def test_what_was_unpacked_is_removed_after_an_error_too(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "study.zip", {"1.dcm": b"one"})
    with pytest.raises(RuntimeError), opened(path) as place:
        raise RuntimeError
    assert not place.exists()


def test_a_zip_is_known_by_content_whatever_its_name(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "study", {"1.dcm": b"one"})
    with opened(path) as place:
        assert contents(place) == {"1.dcm": b"one"}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar_is_read_in_every_packing(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("study.tar" + mode[1:].replace(":", "."))
    with tarfile.open(path, mode) as packed:
        info = tarfile.TarInfo("a/1.dcm")
        info.size = 3
        packed.addfile(info, io.BytesIO(b"one"))
    with opened(path) as place:
        assert contents(place) == {"a/1.dcm": b"one"}


def test_litter_of_operating_systems_is_left_out(tmp_path: Path) -> None:
    litter = {"__MACOSX/._1.dcm": b"x", "a/.DS_Store": b"x", "a/._1.dcm": b"x", "a/1.dcm": b"one"}
    with opened(make_zip(tmp_path / "study.zip", litter)) as place:
        assert contents(place) == {"a/1.dcm": b"one"}


def test_two_members_of_one_name_are_both_kept(tmp_path: Path) -> None:
    path = tmp_path / "study.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("1.dcm", b"one")
        with pytest.warns(UserWarning, match="Duplicate"):
            packed.writestr("1.dcm", b"two")
    with opened(path) as place:
        assert sorted(contents(place).values()) == [b"one", b"two"]


def test_awkward_names_become_plain_ones(tmp_path: Path) -> None:
    names = {"a:b/<c>|?*\n.dcm": b"one", "d/" + "n" * 250 + ".dcm": b"two", "ü/ß.dcm": b"three"}
    with opened(make_zip(tmp_path / "study.zip", names)) as place:
        found = contents(place)
    assert sorted(found.values()) == sorted(names.values())
    assert all(set(name).isdisjoint("<>|?*:\n") and len(name) < 240 for name in found)


def test_a_zip_in_the_zip_is_unpacked_too(tmp_path: Path) -> None:
    inner = zip_bytes({"2.dcm": b"two"})
    with opened(make_zip(tmp_path / "study.zip", {"1.dcm": b"one", "a/inner.zip": inner})) as place:
        assert sorted(contents(place).values()) == [b"one", b"two"]


def test_a_zip_in_a_zip_in_a_zip_is_refused(tmp_path: Path) -> None:
    deep = zip_bytes({"inner.zip": zip_bytes({"3.dcm": b"three"})})
    with (
        pytest.raises(UnreadableFile, match="nested"),
        opened(make_zip(tmp_path / "s.zip", {"in.zip": deep})),
    ):
        pass


SLIPS = ["../out.dcm", "a/../../out.dcm", "/etc/out.dcm", "C:/out.dcm", "..\\out.dcm", "\\\\server\\out.dcm"]


@pytest.mark.parametrize("name", SLIPS)
def test_a_name_that_leaves_the_archive_is_refused(tmp_path: Path, name: str) -> None:
    path = make_zip(tmp_path / "study.zip", {"1.dcm": b"one", name: b"evil"})
    with pytest.raises(UnreadableFile, match="outside"), opened(path):
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == ["study.zip"]


def test_a_slip_in_a_tar_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.tar"
    with tarfile.open(path, "w") as packed:
        packed.addfile(tarfile.TarInfo("../out.dcm"))
    with pytest.raises(UnreadableFile, match="outside"), opened(path):
        pass


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_in_a_zip_are_refused(tmp_path: Path, kind: int) -> None:
    path = tmp_path / "study.zip"
    link = zipfile.ZipInfo("link.dcm")
    link.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(link, "/etc/passwd")
    with pytest.raises(UnreadableFile, match="link or a device"), opened(path):
        pass


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "study.tar"
    link = tarfile.TarInfo("link.dcm")
    link.type, link.linkname = kind, "/etc/passwd"
    with tarfile.open(path, "w") as packed:
        packed.addfile(link)
    with pytest.raises(UnreadableFile, match="link or a device"), opened(path):
        pass


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "study.zip", {"1.dcm": b"one"})
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match="encrypted"), opened(path):
        pass


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "RATIO_FREE_BYTES", 2**20)
    path = make_zip(tmp_path / "bomb.zip", {"zeros.dcm": bytes(4 * 2**20)})
    with pytest.raises(UnreadableFile, match="densely"), opened(path):
        pass


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 9)
    path = make_zip(tmp_path / "many.zip", {f"{i}.dcm": b"x" for i in range(10)})
    with pytest.raises(UnreadableFile, match="too many files"), opened(path):
        pass


def test_the_limits_count_over_nested_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 3000)
    inner = zip_bytes({"1.dcm": bytes(1500)})
    path = make_zip(tmp_path / "s.zip", {"a.zip": inner, "b.zip": inner})
    with pytest.raises(UnreadableFile, match="too large"), opened(path):
        pass


def test_an_archive_larger_than_the_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive.shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(UnreadableFile, match="free disk"), opened(make_zip(tmp_path / "s.zip", {"1": b"x"})):
        pass


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def with_bad_crc(content: bytes) -> bytes:
    changed = bytearray(content)
    changed[40] ^= 0xFF
    return bytes(changed)


@pytest.mark.parametrize("damage", [truncated, with_bad_crc])
def test_a_damaged_zip_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "study.zip"
    path.write_bytes(damage(zip_bytes({"1.dcm": bytes(500)})))
    with pytest.raises(UnreadableFile, match="damaged"), opened(path):
        pass


def test_a_truncated_tar_is_refused(tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.tgz", tmp_path / "cut.tgz"
    with tarfile.open(whole, "w:gz") as packed:
        info = tarfile.TarInfo("1.dcm")
        info.size = 5000
        packed.addfile(info, io.BytesIO(os.urandom(5000)))
    path.write_bytes(whole.read_bytes()[:2500])
    with pytest.raises(UnreadableFile, match=r"damaged|truncated"), opened(path):
        pass


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive, "_copy", full)
    with (
        pytest.raises(UnreadableFile, match="disk for temporary files is full"),
        opened(make_zip(tmp_path / "s.zip", {"1.dcm": b"x"})),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.zip", None, "nothing at this path"),
        ("empty.dcm", b"", "empty"),
        ("text.zip", b"this is text", "not a zip"),
        ("study.7z", b"7z\xbc\xaf\x27\x1c rest", "7z archives"),
        ("study.rar", b"Rar!\x1a\x07\x00 rest", "rar archives"),
        ("study.tar.gz", b"this is text", "damaged"),
    ],
)
def test_other_files_are_refused_with_a_remedy(
    tmp_path: Path, name: str, content: bytes | None, says: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=says) as caught, opened(path):
        pass
    assert caught.value.remedy
    assert caught.value.where == str(path)


def test_an_empty_folder_and_an_empty_zip_hold_no_series(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", make_zip(tmp_path / "empty.zip", {})):
        with pytest.raises(NoSeries), opened(path):
            pass


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnreadableFile, match="neither a file nor a folder"), opened(tmp_path / "pipe"):
        pass


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(UnreadableFile, match="cannot be opened"), opened(tmp_path / "a"):
        pass


@pytest.mark.parametrize("is_folder", [True, False])
def test_what_is_not_permitted_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_folder: bool
) -> None:
    path = tmp_path / "locked"
    if is_folder:
        path.mkdir()
    else:
        path.write_bytes(b"x")

    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(archive.os, "scandir", forbidden)
    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(BadInput, match="not permitted"), opened(path):
        pass
