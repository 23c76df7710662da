"""An accelerator against the processor: the same results, and how fast.

Describes, releases and adds the same photographs on both, in float32 and, on the device, in
bfloat16. Checked: descriptors are the processor's, and in float32 their cells; copies of the files
released on the device fall in their picture's cell, as the processor sees it, as often as those of
its own files. Measured: passes of the network a second by batch, precision and memory layout,
pictures released, added and searched for. Meant to finish in five minutes on a card; no card has
seen it yet. On two processors give few --pictures. Bfloat16 is for passes with the gradient:
pictures described in it get other codes.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from _common import (
    describe_setup,
    describe_sizes,
    make_parser,
    picture_paths,
    prepare_process,
    require,
    working_folder,
)

LEAST_COSINE = 0.9999, 0.99  # of a descriptor to the processor's: float32, bfloat16
LEAST_CELLS = 0.99, 0.0  # share of pictures with the processor's cell
LESS_KEPT = 0.05  # of the copies in their cell, than of the processor's files
SECONDS = 3.0  # of each measurement of speed
BATCHES = (16, 64, 256)


@dataclass(frozen=True)
class HalfNetwork:
    """A network whose products are in bfloat16, its weights and results in float32."""

    network: Any

    def __call__(self, inputs, /):
        """Features (B, D) of inputs (B, 3, S, S)."""
        import torch

        from homing.descriptors.efficientnet import efficientnet_lite0

        weights, power = self.network.weights, self.network.power
        with torch.autocast(inputs.device.type, torch.bfloat16):
            return efficientnet_lite0(weights, inputs, power).float()

    def to(self, device, dtype):
        """Copy to another device or precision."""
        return HalfNetwork(self.network.to(device, dtype))


def main() -> int:
    """Run the checks and the measurements; 1 if a check fails."""
    parser = make_parser(__doc__)
    parser.add_argument("--device", default="auto", help="cuda, mps, cpu; default: what there is")
    parser.add_argument("--codebook", default="homing-s-IVF1024-PQ8x8")
    parser.add_argument("--pictures", type=int, default=64)
    options = parser.parse_args()
    prepare_process(options.threads)
    import homing

    paths = picture_paths(options.photos, options.pictures)
    own = homing.load_descriptor(device="cpu")
    device = homing.load_descriptor(device=options.device)
    half = replace(device, network=HalfNetwork(device.network))
    codebook = homing.load_codebook(options.codebook)
    describe_setup(pictures=describe_sizes(paths), device=_name(device.device))
    with working_folder(options.work) as folder:
        sound = check_vectors(paths, codebook, own, {"float32": device, "bfloat16": half})
        measure_network({"float32": device, "bfloat16": half})
        sound &= check_releases(paths, codebook, own, {"float32": device, "bfloat16": half})
        for name, each in (("processor", own), ("device", device)):
            measure_archive(folder / name, name, paths, codebook, each)
    print("all as on the processor" if sound else "NOT as on the processor")
    return 0 if sound else 1


def _name(device) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def _check(label: str, value: float, least: float) -> bool:
    met = value >= least
    print(f"{label}: {value:.5f} (at least {least}){'' if met else ' MISSED'}")
    return met


def check_vectors(paths, codebook, own, others) -> bool:
    """Compare the descriptors of photographs, and their cells and codes."""
    right = own.describe(paths)
    cells, codes = codebook.encode_with_cells(right)
    met = True
    for (name, each), cosine, share in zip(others.items(), LEAST_COSINE, LEAST_CELLS, strict=True):
        found = each.describe(paths)
        their_cells, their_codes = codebook.encode_with_cells(found)
        met &= _check(f"{name}: least cosine", float((found * right).sum(axis=1).min()), cosine)
        met &= _check(f"{name}: same cell", float((their_cells == cells).mean()), share)
        print(f"{name}: bytes of codes alike {(their_codes == codes).mean():.3f}")
    return met


def measure_network(networks) -> None:
    """Measure forward passes, and passes with the gradient, by batch, precision and layout."""
    import torch

    print(
        "| precision | layout | batch | forward, pictures/s | with gradient |\n"
        "|---|---|---|---|---|"
    )
    for name, each in networks.items():
        for layout in (torch.channels_last, torch.contiguous_format):
            for batch in BATCHES:
                shape = (batch, 3, each.input_size, each.input_size)
                inputs = torch.rand(shape, device=each.device).contiguous(memory_format=layout)

                def forward(network=each.network, inputs=inputs):
                    with torch.inference_mode():
                        network(inputs)

                def backward(network=each.network, inputs=inputs):
                    given = inputs.clone().requires_grad_()
                    torch.autograd.grad(network(given).sum(), given)

                speeds = [_speed(each.device, step, batch) for step in (forward, backward)]
                shown = str(layout).removeprefix("torch.")
                print(
                    f"| {name} | {shown} | {batch} | {speeds[0]:.0f} | {speeds[1]:.0f} |",
                    flush=True,
                )


def _speed(device, step: Callable[[], None], count: int) -> float:
    """Return the pictures a second of a step on `count`, after one to warm up."""
    import torch

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    step()
    wait()
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        step()
        wait()
        done += count
    return done / (time.perf_counter() - start)


def check_releases(paths, codebook, own, others) -> bool:
    """Release on the processor and on the device; compare the files and their copies' cells."""
    first = None
    met = True
    print(
        "| released on | files in their cell | copies in it | PSNR | SSIMULACRA2, least "
        "| pictures/s |\n|---|---|---|---|---|---|"
    )
    for name, each in ({"processor": own} | others).items():
        kept, copies, psnr, seen, speed = _released(paths, codebook, own, each)
        print(
            f"| {name} | {kept:.3f} | {copies:.4f} | {psnr:.2f} | {seen:.2f} | {speed:.2f} |",
            flush=True,
        )
        first = first or copies
        met &= copies >= first - LESS_KEPT and seen >= 80
    return met


def _released(paths, codebook, own, descriptor):
    import io

    import numpy as np
    from PIL import Image

    from homing.activation import Activator, find_method
    from homing.edits import paper_edits
    from homing.options import Activation

    start = time.perf_counter()
    activator = Activator(descriptor, codebook, find_method(Activation.method))
    files = list(activator.run(paths))
    seconds = time.perf_counter() - start
    require(all(hasattr(each, "data") for each in files), f"not all were released: {files}")
    edits = [edit for edit in paper_edits() if edit.in_mean]
    generator = np.random.default_rng(0)
    inside = []
    for each in files:
        image = Image.open(io.BytesIO(each.data)).convert("RGB")
        copies = own.describe([edit.apply(image, generator) for edit in edits])
        inside.append((codebook.cells(copies) == codebook.cells(each.vector[None])).mean())
    levels = [each.psnr for each in files if np.isfinite(each.psnr)]
    least = min(each.ssimulacra2 for each in files if each.ssimulacra2 is not None)
    kept = float(np.mean([each.cell_kept for each in files]))
    return kept, float(np.mean(inside)), float(np.mean(levels)), least, len(files) / seconds


def measure_archive(folder, name, paths, codebook, descriptor) -> None:
    """Measure adding and searching with an archive."""
    import homing

    archive = homing.create(folder / "archive", descriptor=descriptor, codebook=codebook)
    start = time.perf_counter()
    report = archive.add(paths)
    added = time.perf_counter() - start
    require(report.count("added") == len(paths), f"not all were added: {report}")
    start = time.perf_counter()
    results = list(archive.search_each(paths, confirm=False))
    searched = time.perf_counter() - start
    require(all(len(each.hits) for each in results), "hits are missing")
    speeds = len(paths) / added, len(paths) / searched
    print(
        f"{name}: {speeds[0]:.1f} pictures added a second, {speeds[1]:.1f} searched for", flush=True
    )


if __name__ == "__main__":
    sys.exit(main())
