"""Weights files that are damaged or hostile."""

import pytest
import torch

from homing.descriptors import load_descriptor
from homing.errors import DescriptorError


class Sly:
    """Code that a foreign checkpoint could run in a reader that unpickles freely."""

    def __reduce__(self):
        return (pytest.fail, ("the file's code was run",))


def test_no_code_of_a_file_is_run(tmp_path):
    path = tmp_path / "sscd_disc_blur.torchvision.pt"
    torch.save({"backbone.conv1.weight": Sly()}, path)
    with pytest.raises(DescriptorError, match="not a file of weights"):
        load_descriptor(path)


@pytest.mark.parametrize("content", [b"", b"<html>Log in</html>", b"PK\x03\x04 broken"])
def test_damaged_files_are_refused(tmp_path, content):
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    with pytest.raises(DescriptorError, match=r"weights\.pt"):
        load_descriptor("sscd_disc_mixup", weights=path)


def test_something_else_than_named_tensors_is_refused(tmp_path):
    path = tmp_path / "weights.pt"
    torch.save([torch.zeros(3)], path)
    with pytest.raises(DescriptorError, match="other than named tensors"):
        load_descriptor("sscd_disc_mixup", weights=path)
