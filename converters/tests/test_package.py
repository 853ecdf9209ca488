"""Where packages are written: they appear whole or not at all, and an older one stays until then."""

import errno
import os
from pathlib import Path

import pytest

from eyrie_convert import package
from eyrie_convert.errors import ConversionError, first_line, unforeseen


def write(directory, text="new"):
    with package.new_package(directory) as work:
        (work / package.METADATA).write_text(text)


def held(directory):
    return (directory / package.METADATA).read_text()


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(errno.EIO, "Input/output error"), RuntimeError("what")])
def test_an_older_package_stays_if_the_last_step_is_interrupted(tmp_path, monkeypatch, error):
    directory = tmp_path / "a"
    write(directory, "old")
    rename = Path.rename

    def interrupted(path, target):
        if path.name == "new":
            raise error
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises((KeyboardInterrupt, ConversionError, RuntimeError)):
        write(directory)
    assert held(directory) == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_a_link_stays_one(tmp_path):
    link, place = tmp_path / "link", tmp_path / "disk" / "a"
    link.symlink_to(place)
    for text in ("old", "new"):
        write(link, text)
        assert link.is_symlink()
        assert held(place) == text
    assert [each.name for each in place.parent.iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("file/a", r"File exists \(.*/file\)"),
        ("file/a/b", r"Not a directory \(.*/file/a\)"),
        ("file", "there is a file of that name"),
        ("full", "is not empty and holds no model package"),
        ("x" * 300, "File name too long"),
        ("circle/a", "Symlink loop|Too many levels|File exists"),
    ],
)
def test_where_nothing_can_be_written_the_reason_is_named(tmp_path, name, message):
    (tmp_path / "file").write_text("")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "cat.jpg").write_text("")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(ConversionError, match=f"cannot write the package .*: .*{message}"):
        write(tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == before


def test_a_full_disk_is_named_whatever_the_library_says(tmp_path, monkeypatch):
    usage = package.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(package.shutil, "disk_usage", lambda _path: usage._replace(free=0))
    with pytest.raises(ConversionError, match="a: the disk is full"), package.new_package(tmp_path / "a"):
        raise RuntimeError("basic_ios::clear: iostream error")
    assert list(tmp_path.iterdir()) == []


def test_what_the_system_refuses_is_no_riddle():
    with pytest.raises(ConversionError) as caught, unforeseen("writing a"):
        raise OSError(errno.ENOSPC, "No space left on device", "a.onnx")
    assert str(caught.value) == "writing a failed: No space left on device (a.onnx)"


def test_a_heading_is_followed_by_what_it_is_about():
    assert first_line(ValueError("Validation error for field 'a':\n\n    it is 1\n  more")).endswith("'a': it is 1")
