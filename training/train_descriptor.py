"""Train the descriptor homing-s on a folder of photographs.

    python training/train_descriptor.py PHOTOS --work runs/first --out homing-s.safetensors

Self-supervised: the network learns to match strongly edited views of a picture to that picture and
to no other. After an interruption the same command resumes from its last checkpoint in --work.
"""

import argparse
import hashlib
import os
import sys
from dataclasses import fields
from pathlib import Path

# malloc reuses large buffers instead of returning them to the system at each step, which saves a
# fifth of the time.
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "4294967296"}

_START = Path(__file__).parents[1] / "src/homing/descriptors/weights/homing-s.safetensors"


def _options() -> tuple[argparse.Namespace, dict[str, float]]:
    from recipe.loop import Settings

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", type=Path, nargs="+", help="photographs, or folders of them")
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoint and log")
    parser.add_argument(
        "--out", type=Path, required=True, help="file for the weights, half precision"
    )
    parser.add_argument("--start", type=Path, default=_START, help="initial weights")
    parser.add_argument("--held-back", type=int, default=500, help="photographs for validation")
    parser.add_argument("--generated", type=int, default=1000, help="generated pictures to add")
    parser.add_argument("--device", default="cpu", help="cpu or cuda; makes the views too")
    parser.add_argument("--workers", type=int, default=2, help="processes for making views (cpu)")
    for field in fields(Settings):
        option = f"--{field.name.replace('_', '-')}"
        parser.add_argument(option, type=type(field.default), default=field.default)
    options = parser.parse_args()
    return options, {field.name: getattr(options, field.name) for field in fields(Settings)}


def main() -> int:
    """Train, or resume training."""
    options, values = _options()
    import torch
    from recipe.loop import Settings, begin, processor_batches, settings_text, train
    from recipe.material import pack
    from recipe.trainable import load_weights, save_weights
    from recipe.validation import make_validation

    settings = Settings(**values)
    if settings.parts > 1:
        torch.set_num_threads(1)  # one thread for each part of a batch
    options.work.mkdir(parents=True, exist_ok=True)
    material = pack(
        options.photos, options.work.parent, generated=options.generated, seed=settings.seed
    )
    count = len(material) - options.held_back
    settings_file = options.work / "settings.json"
    start = hashlib.sha256(options.start.read_bytes()).hexdigest()
    text = settings_text(settings, material=material.path.name, pictures=count, start=start)
    if settings_file.exists() and settings_file.read_text(encoding="utf-8") != text:
        print(
            f"{settings_file} is of a run with other settings, photographs or initial weights: "
            "give another --work",
            file=sys.stderr,
        )
        return 2
    settings_file.write_text(text, encoding="utf-8")
    validation = make_validation(
        material, options.held_back, options.work.parent, size=settings.size, seed=settings.seed
    )
    print(f"{count} pictures to train on, {options.held_back} held back", flush=True)
    device = torch.device(options.device)
    state = begin(
        load_weights(options.start),
        material,
        count,
        settings,
        device=device,
        checkpoint=options.work / "checkpoint.safetensors",
    )
    if state.step:
        print(f"resuming after step {state.step}", flush=True)
    if device.type == "cpu":
        batches = processor_batches(material, count, settings, state.step, workers=options.workers)
    else:
        from recipe.on_device.views import device_batches, load_pictures

        pictures = load_pictures(material, count, device)
        batches = device_batches(pictures, settings.plan, range(state.step, settings.steps))
    train(state, batches, validation, settings, options.work)
    save_weights(state.mean, options.out)
    print(f"wrote {options.out}")
    return 0


if __name__ == "__main__":
    if not _MALLOC.keys() <= os.environ.keys():  # malloc reads them when a process starts
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | _MALLOC)  # noqa: S606
    sys.exit(main())
