"""Memory of reading, writing and comparing a large JPEG, across modules."""

import subprocess
import sys

PROGRAM = """
import io, resource, sys
import numpy as np
from PIL import Image
import imagecodecs
from homing.images import decode_pixels, encode, encodings, psnr, read_picture, ssim

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

rows = np.random.default_rng(0).integers(0, 256, (100, 6000, 3)).astype(np.uint8)
image = Image.fromarray(rows).resize((6000, 4000))
stream = io.BytesIO()
image.save(stream, "JPEG", quality=90)
del image
before = peak()
picture = read_picture(stream.getvalue())
for encoding in encodings(picture)[:1]:
    written = encode(picture, picture.pixels, encoding=encoding)
    found = decode_pixels(written)
    psnr(picture.pixels, found, peak=255)
    middle = peak()
    ssim(picture.pixels, found, peak=255)
print(before, peak() - before, peak() - middle)
"""


def test_a_24_megapixel_jpeg_stays_within_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    _, whole, measured = map(float, done.stdout.split())
    assert whole < 700
    assert measured < 50
