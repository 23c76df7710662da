import pytest
import torch

from homing.descriptors import load_descriptor, registry
from homing.descriptors.networks import ARCHITECTURES
from homing.errors import DescriptorError


@pytest.fixture(scope="module")
def sscd(published_file):
    return load_descriptor("sscd_disc_mixup", weights=published_file)


def test_keys_and_shapes_are_the_published_ones(published):
    expected = {name: tuple(weight.shape) for name, weight in published.state_dict().items()}
    assert "backbone.layer3.5.bn3.num_batches_tracked" in expected
    assert expected["backbone.fc.weight"] == (512, 2048)
    assert ARCHITECTURES["resnet50"].shapes(512) == expected


def test_agrees_with_an_independent_forward_pass(sscd, published):
    batch = torch.rand(2, 3, 288, 288, generator=torch.Generator().manual_seed(1))
    batch[1] = torch.linspace(0, 1, 288).view(1, 1, -1)
    with torch.no_grad():
        expected = published(batch)
    described = sscd.forward(batch)
    assert described.shape == (2, 512)
    # Folded normalisation and another order of sums: single precision, fifty layers deep.
    torch.testing.assert_close(described, expected, atol=2e-5, rtol=0)
    assert (described[0] - described[1]).norm() > 0.05


def test_gradient_agrees_with_the_independent_one(sscd, published):
    gradients = []
    for function in (sscd.forward, published):
        batch = torch.rand(1, 3, 288, 288, generator=torch.Generator().manual_seed(2))
        batch.requires_grad_()
        function(batch)[0, :5].sum().backward()
        gradients.append(batch.grad)
    assert (gradients[0] - gradients[1]).norm() < 1e-3 * gradients[1].norm()


def test_in_double_precision(sscd):
    batch = torch.rand(1, 3, 288, 288, generator=torch.Generator().manual_seed(3))
    double = sscd.double().forward(batch)
    assert double.dtype == torch.float64
    torch.testing.assert_close(sscd.forward(batch).double(), double, atol=1e-5, rtol=0)


def test_a_published_file_is_known_by_its_name(sscd, published_file):
    by_path = load_descriptor(published_file)
    assert (by_path.name, by_path.fingerprint) == ("sscd_disc_mixup", sscd.fingerprint)
    assert (by_path.dimension, by_path.input_size) == (512, 288)


def test_registry_names_what_is_published():
    sscd = [info for info in registry() if info.name.startswith("sscd_")]
    assert {info.name for info in sscd} == {
        f"sscd_{data}_{kind}"
        for data in ("disc", "imagenet")
        for kind in ("mixup", "advanced", "blur")
    }
    for info in sscd:
        assert info.url == (
            f"https://dl.fbaipublicfiles.com/sscd-copy-detection/{info.name}.torchvision.pt"
        )
        assert info.licence == "MIT"
        assert info.size_bytes is None
        assert info.sha256 is None
        assert not info.bundled


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("backbone.layer4.2.bn3.running_var"), "missing: .*layer4.2.bn3.running_v"),
        (lambda s: s.update({"embeddings.1.weight": torch.zeros(3)}), "unexpected: embeddings.1.w"),
        (lambda s: s.update({"backbone.fc.weight": torch.zeros(1000, 2048)}), r"\(512, 2048\)"),
    ],
)
def test_weights_that_do_not_fit_are_named(published, tmp_path, change, said):
    state = dict(published.state_dict())
    change(state)
    path = tmp_path / "weights.pt"
    torch.save(state, path)
    with pytest.raises(DescriptorError, match=said):
        load_descriptor("sscd_disc_mixup", weights=path)


class Sly:
    """What a foreign checkpoint could do to a reader that unpickles freely."""

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
