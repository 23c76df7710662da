"""Release a folder of pictures, and find a mirrored crop of one of them.

python examples/mirrored_crop.py [PHOTOS] [--out DIR]
"""

import argparse
import tempfile
from pathlib import Path

from PIL import Image, ImageOps

import homing
from homing.demo.material import copy_bundled_pictures


def main() -> None:
    """Release, make the copy, and search for it."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("photos", type=Path, nargs="?", help="a folder of pictures")
    reader.add_argument("--out", type=Path, help="new folder for the archive and the files")
    options = reader.parse_args()
    out = options.out or Path(tempfile.mkdtemp(prefix="homing-"))
    photos = options.photos or out / "photos"
    if options.photos is None:
        copy_bundled_pictures(photos)

    archive = homing.create(out / "archive", expect=1000)
    report = archive.release(photos, out=out / "released")
    print(report)

    released = next(outcome for outcome in report if outcome.file)
    with Image.open(str(released.file)) as picture:
        width, height = picture.size
        box = (width // 5, height // 10, width, height)
        copy = ImageOps.mirror(picture.convert("RGB").crop(box))
    copy.save(out / "suspect.jpg", quality=60)

    for hit in archive.search(out / "suspect.jpg", views="turned", k=3):
        print(f"{hit.id}: {hit.verdict}, similarity {hit.similarity:.3f}, {', '.join(hit.edits)}")
    print(f"everything is in {out}")


if __name__ == "__main__":
    main()
