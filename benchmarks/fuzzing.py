"""Damaged files of every kind, read by add and by release: any bytes, no crash, in bounded time.

Files of all kinds that are read are damaged in one to four ways, each by its own number. A process
reads so many of them; one that dies by a signal names the number, and the next goes on behind it.
"""

import contextlib
import io
import multiprocessing
import random
import resource
import sys
import time
import traceback
from collections.abc import Iterator

import imagecodecs
import numpy as np
from _bombs import mutated
from _common import MEGABYTE, check_target, describe_setup, make_parser, prepare_process
from PIL import Image

from homing.errors import PictureError
from homing.images import encode, encodings, read_picture, read_squashed
from homing.options import Limits

LIMITS = Limits(max_pixels=1_000_000, max_bytes=1 << 22)
WRITTEN = 16  # one in so many sound pictures is written again
CHUNK = 500


def main() -> int:
    """Read damaged files, and print what came of them."""
    parser = make_parser(__doc__, photos=False)
    parser.add_argument("--mutations", type=int, default=20_000, help="damaged files")
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    options = parser.parse_args()
    prepare_process(options.threads)
    sources = dict(files())
    describe_setup(kinds=len(sources), mutations=options.mutations)
    context = multiprocessing.get_context("spawn")
    at, end, begun = options.first, options.first + options.mutations, time.monotonic()
    read = refused = crashes = faults = 0
    slowest, most = 0.0, 0.0
    while at < end:
        inbox, outbox = context.Pipe(duplex=False)
        worker = context.Process(target=_read, args=(at, end, outbox))
        worker.start()
        outbox.close()
        with contextlib.suppress(EOFError):
            while True:
                at, found = inbox.recv()
                if found is None:
                    continue
                read, refused = read + found[0], refused + found[1]
                slowest, most = max(slowest, found[2]), max(most, found[3])
                for fault in found[4]:
                    faults += 1
                    print(fault, flush=True)
                print(f"{at - options.first}: {read} read, {refused} refused", flush=True)
        worker.join()
        if worker.exitcode:
            crashes += 1
            print(f"number {at} of {name_of(at)}: the process died ({worker.exitcode})", flush=True)
            at += 1
    print(f"{read} read, {refused} refused, {time.monotonic() - begun:.0f} s")
    met = check_target("crashes", crashes, at_most=0)
    met &= check_target("errors of other kinds", faults, at_most=0)
    met &= check_target("seconds of processor, the slowest", slowest, at_most=5)
    met &= check_target("megabytes at most", most, at_most=1024)
    return 0 if met else 1


def _read(first: int, end: int, outbox: "multiprocessing.connection.Connection") -> None:
    """Read damaged files from a number on; tell each number before, and the sums of a chunk."""
    sources = list(files())
    for start in range(first, end, CHUNK):
        counts, slowest, faults = [0, 0], 0.0, []
        for number in range(start, min(start + CHUNK, end)):
            outbox.send((number, None))
            name, source = sources[number % len(sources)]
            data = mutated(source, random.Random(number))
            begun = time.process_time()
            for read in (lambda data: read_squashed(data, 32, limits=LIMITS), _read_strictly):
                try:
                    read(data)
                    counts[0] += 1
                except PictureError:
                    counts[1] += 1
                except Exception:  # noqa: BLE001 - it is what is looked for
                    faults.append(f"number {number} of {name}: {traceback.format_exc()}")
            slowest = max(slowest, time.process_time() - begun)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEGABYTE
        outbox.send((min(start + CHUNK, end), (*counts, slowest, peak, faults)))


def _read_strictly(data: bytes) -> None:
    picture = read_picture(data, limits=LIMITS)
    if len(data) % WRITTEN == 0 and not picture.inks:
        best = encodings(picture)[-1]
        after = read_picture(encode(picture, picture.pixels, encoding=best), limits=LIMITS)
        assert after.pixels.shape == picture.pixels.shape
        assert best.lossy or np.array_equal(after.pixels, picture.pixels)


def name_of(number: int) -> str:
    """Return the name of the file that a number damages."""
    sources = list(files())
    return sources[number % len(sources)][0]


def files() -> Iterator[tuple[str, bytes]]:
    """Yield sound files of every kind that is read, each with its name."""
    y, x = np.mgrid[0:48, 0:64]
    waves = [np.sin(x / 9 + phase) + np.cos(y / 7 - phase) for phase in range(4)]
    four = ((np.stack(waves, 2) / 4 + 0.5) * 255).clip(0, 255).astype(np.uint8)
    pixels = np.ascontiguousarray(four[..., :3])
    image, other = Image.fromarray(pixels), Image.fromarray(pixels ^ 255)
    exif = Image.Exif()
    exif[0x0112] = 6
    about = {"exif": exif, "xmp": b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"}

    def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
        stream = io.BytesIO()
        picture.save(stream, kind, **options)
        return stream.getvalue()

    both = {"save_all": True, "append_images": [other]}
    yield "JPEG", saved(image, "JPEG", **about)
    yield "progressive JPEG", saved(image, "JPEG", progressive=True)
    yield "CMYK JPEG", saved(image.convert("CMYK"), "JPEG")
    yield "MPO", saved(image, "MPO", **both)
    yield "PNG", saved(image, "PNG")
    yield "PNG of 16 bits", bytes(imagecodecs.png_encode(four.astype(np.uint16) * 257))
    yield "palette", saved(image.quantize(8), "PNG")
    yield "WebP", saved(image, "WEBP", **about)
    yield "WebP lossless", saved(Image.fromarray(four), "WEBP", lossless=True)
    yield "TIFF", saved(image, "TIFF", compression="tiff_lzw")
    yield "TIFF, Deflate", saved(image, "TIFF", compression="tiff_adobe_deflate")
    yield "CMYK TIFF", saved(image.convert("CMYK"), "TIFF")
    yield "TIFF of real numbers", saved(Image.fromarray(pixels[..., 0] / np.float32(255)), "TIFF")
    yield "BigTIFF", saved(image, "TIFF", big_tiff=True)
    yield "GIF", saved(image, "GIF", **both)
    yield "BMP", saved(image, "BMP")
    yield "JPEG 2000", saved(image, "JPEG2000")
    yield "AVIF", saved(image, "AVIF", quality=80, **about)
    yield "AVIF with alpha", saved(Image.fromarray(four), "AVIF", quality=80)
    yield "animated AVIF", saved(image, "AVIF", **both)
    wide = pixels.astype(np.uint16) << 2
    yield "AVIF of 10 bits", bytes(imagecodecs.avif_encode(wide, level=90, bitspersample=10))
    for name, options in (
        ("JPEG XL", {"distance": 1}),
        ("JPEG XL lossless", {"lossless": True}),
        ("JPEG XL in boxes", {"distance": 1, "usecontainer": True}),
    ):
        yield name, bytes(imagecodecs.jpegxl_encode(pixels, **options))
    yield "JPEG XL of 16 bits", bytes(imagecodecs.jpegxl_encode(wide, lossless=True))
    yield "JPEG XL with alpha", bytes(imagecodecs.jpegxl_encode(four, lossless=True))
    yield "JPEG XL of a JPEG", bytes(imagecodecs.jpegxl_encode_jpeg(saved(image, "JPEG")))


if __name__ == "__main__":
    sys.exit(main())
