"""Activate a batch of tensors, as the last step of a PyTorch pipeline.

python examples/pytorch_batch.py [PHOTOS]
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import homing
from homing.demo.material import copy_bundled_pictures
from homing.images import find_pictures, read_rgb

SIDE, PICTURES = 256, 4


def main() -> None:
    """Put the activation after a generator, here one that returns photographs."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("photos", type=Path, nargs="?", help="a folder of pictures")
    options = reader.parse_args()
    if options.photos is None:
        options.photos = Path(tempfile.mkdtemp(prefix="homing-"))
        copy_bundled_pictures(options.photos)
    batch = torch.stack(
        [as_tensor(each.path) for each in find_pictures([options.photos])][:PICTURES]
    )

    descriptor = homing.load_descriptor("homing-s")
    codebook = homing.load_codebook("homing-s-IVF1024-PQ8x8")
    pipeline = torch.nn.Sequential(
        torch.nn.Identity(), homing.ActivationLayer(descriptor, codebook)
    )
    released = pipeline(batch)  # (B, 3, H, W) in [0, 1], on the device of the batch

    error = torch.mean((released - batch) ** 2, dim=(1, 2, 3))
    psnr = -10 * torch.log10(error.clamp(min=1e-12))
    print("PSNR of each picture:", ", ".join(f"{value:.1f} dB" for value in psnr))
    cells = codebook.cells(descriptor.describe([as_picture(each) for each in released]))
    print("cells to store them under:", cells.tolist())


def as_tensor(path: Path) -> torch.Tensor:
    """Read a picture as (3, H, W) in [0, 1]."""
    pixels = np.array(read_rgb(path).resize((SIDE, SIDE)), np.float32)
    return torch.from_numpy(pixels / 255).permute(2, 0, 1)


def as_picture(tensor: torch.Tensor) -> Image.Image:
    """Return (3, H, W) in [0, 1] as a picture of 8 bits."""
    pixels = (tensor.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    return Image.fromarray(pixels)


if __name__ == "__main__":
    main()
