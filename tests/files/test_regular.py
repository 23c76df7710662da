"""What is no regular file is said to be what it is."""

import os
import socket

import pytest

from homing.files.regular import irregularity, read_regular


def test_files_and_nothing_have_no_irregularity(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("nothing")
    for name in ("file", "link", "dangling", "nothing", "file/below"):
        assert irregularity(tmp_path / name) is None


def test_others_are_named(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket"))
    for name, what in (("pipe", "pipe"), ("link", "pipe"), ("folder", "folder")):
        assert irregularity(tmp_path / name).startswith(f"is a {what}, not a file")
    assert irregularity(tmp_path / "socket").startswith("is a socket")
    assert irregularity(tmp_path / "/dev/null").startswith("is a device")


def test_what_cannot_be_found_out_is_an_error(tmp_path):
    with pytest.raises(OSError, match="too long"):
        irregularity(tmp_path / ("x" * 300))


def test_a_pipe_is_not_waited_for(tmp_path):
    (tmp_path / "file").write_bytes(b"data")
    os.mkfifo(tmp_path / "pipe")
    assert read_regular(tmp_path / "file") == b"data"
    with pytest.raises(OSError, match="it is a pipe, not a file"):
        read_regular(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "nothing")
