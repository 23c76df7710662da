"""The training loop: settings, state, steps and log."""

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader

from homing.descriptors.efficientnet import efficientnet_lite0
from recipe.batches import Batch, Batches, BatchPlan
from recipe.losses import Bank, contrast_with_bank, contrast_within, spread
from recipe.material import Material
from recipe.trainable import Network, average_into, describe, parameter_groups, start_weights
from recipe.validation import Validation
from recipe.views import finish


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a run. Its fields are the options of ``train_descriptor.py``."""

    steps: int = 3000  # batches in all; may change when a run resumes: only the descent moves
    descent: float = 0.4  # share of the steps, at the end, over which the learning rate falls
    pictures: int = 32  # this and the next three: see BatchPlan
    strong: int = 3
    size: int = 160
    mixed: float = 0.15
    rate: float = 3e-4  # peak learning rate of AdamW
    head_factor: float = 3.0  # learning rate of the projection over `rate`
    decay: float = 0.01  # weight decay
    warm_up: int = 50  # steps of rising learning rate
    temperature: float = 0.05  # τ of both contrastive terms
    bank_weight: float = 1.0  # weights of the three terms
    within_weight: float = 0.5
    spread_weight: float = 0.3
    bank_momentum: float = 0.5  # share of the old descriptor when the bank is updated
    alike: float = 0.8  # cosine before training from which two pictures are near duplicates
    clip: float = 1.0  # largest norm of the gradient
    average: float = 0.998  # decay a step of the running mean of the weights, which is the result
    frozen_blocks: int = 3  # blocks after the stem with fixed weights
    validate_every: int = 250  # steps between validations; 0: only at the end
    # A batch passes through the network in `parts` parallel parts, each by one thread. On a CPU
    # this is faster than one part by all threads (depthwise convolutions parallelise badly), and
    # much faster beside other programs. One part on a GPU.
    parts: int = 2
    seed: int = 0

    @property
    def plan(self) -> BatchPlan:
        """The composition of a batch."""
        names = ("pictures", "strong", "size", "mixed", "seed")
        return BatchPlan(**{name: getattr(self, name) for name in names})

    def rate_at(self, step: int) -> float:
        """Return the share of the peak learning rate: linear rise, plateau, half a cosine to zero.

        With a plateau, instead of one cosine over all steps, a run can be extended and only its
        descent has to be repeated.
        """
        rise = min(1.0, (step + 1) / self.warm_up)
        last = self.descent * self.steps
        left = min(1.0, (self.steps - step) / max(last, 1.0))
        return rise * 0.5 * (1 - math.cos(math.pi * left))


@dataclass
class State:
    """State from which an interrupted run resumes."""

    step: int  # batches done
    weights: dict[str, torch.Tensor]
    mean: dict[str, torch.Tensor]  # running mean of the weights
    optimiser: torch.optim.AdamW
    bank: Bank
    network: Network = efficientnet_lite0

    def describe(self, views: torch.Tensor, *, mean: bool = False) -> torch.Tensor:
        """Return unit descriptors of views (B, S, S, 3), by the weights or their running mean."""
        return describe(self.mean if mean else self.weights, views, self.network)

    def save(self, path: Path) -> None:
        """Write a checkpoint atomically."""
        tensors = {f"weights/{n}": w.detach() for n, w in self.weights.items()}
        tensors |= {f"mean/{n}": w for n, w in self.mean.items()}
        tensors |= {"bank/vectors": self.bank.vectors}
        tensors |= {"bank/twins": self.bank.near_duplicates}
        for number, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser/{number}/{n}": t for n, t in moments.items()}
        contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
        beside = path.with_suffix(".part")
        save_file(contiguous, beside, metadata={"step": str(self.step)})
        beside.replace(path)

    def restore(self, path: Path) -> None:
        """Read a checkpoint of a run with the same settings."""
        device = self.bank.vectors.device
        stored = load_file(path, device=str(device))
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            self.step = int(json.loads(file.read(length))["__metadata__"]["step"])
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(stored[f"weights/{name}"])
                self.mean[name].copy_(stored[f"mean/{name}"])
        self.bank = Bank(stored["bank/vectors"], stored["bank/twins"])
        optimiser = self.optimiser.state_dict()
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in stored.items():
            if name.startswith("optimiser/"):
                _, number, moment = name.split("/")
                moments.setdefault(int(number), {})[moment] = tensor
        self.optimiser.load_state_dict(optimiser | {"state": moments})


def begin(
    weights: dict[str, torch.Tensor],
    material: Material,
    count: int,
    settings: Settings,
    *,
    device: torch.device,
    network: Network = efficientnet_lite0,
    checkpoint: Path | None = None,
    bank: Bank | None = None,
) -> State:
    """Return the state before the first step, or that of the checkpoint if it exists.

    Without `bank` the pictures are described with the given weights.
    """
    trained = start_weights(weights, frozen_blocks=settings.frozen_blocks, device=device)
    mean = {name: weight.detach().clone() for name, weight in trained.items()}
    groups = parameter_groups(
        trained, rate=settings.rate, decay=settings.decay, head_factor=settings.head_factor
    )
    empty = torch.empty(0, device=device), torch.empty(0, 2, dtype=torch.int64, device=device)
    state = State(0, trained, mean, torch.optim.AdamW(groups), Bank(*empty), network)
    if checkpoint is not None and checkpoint.exists():
        state.restore(checkpoint)
        assert len(state.bank.vectors) == count, f"{checkpoint} is of a run with other pictures"
    elif bank is not None:
        state.bank = Bank(bank.vectors.clone(), bank.near_duplicates)
    else:
        vectors = describe_recorded(
            state.describe, material, count, settings.size, parts=settings.parts
        )
        state.bank = Bank.of(vectors, alike=settings.alike)
    return state


def describe_recorded(
    describe: Callable[[torch.Tensor], torch.Tensor],
    material: Material,
    count: int,
    size: int,
    *,
    parts: int,
    at_once: int = 64,
) -> torch.Tensor:
    """Return descriptors (count, D) of the first pictures, unedited, as an archive records them.

    Groups of `at_once` pictures are described by `parts` threads.
    """

    @torch.no_grad()  # in the thread that runs this
    def part(first: int) -> torch.Tensor:
        numbers = range(first, min(first + at_once, count))
        squashed = [torch.from_numpy(finish(material.picture(n), size).copy()) for n in numbers]
        return describe(torch.stack(squashed))

    with ThreadPoolExecutor(parts) as pool:
        return torch.cat(list(pool.map(part, range(0, count, at_once))))


def train(
    state: State,
    batches: Iterable[tuple[int, Batch]],
    validation: Validation | None,
    settings: Settings,
    work: Path,
    *,
    save_every: int = 100,
) -> None:
    """Train `state` in place until the last step.

    Every `save_every` steps ``checkpoint.safetensors`` and ``log.jsonl`` in `work` are written; an
    interrupted run resumes from them with the same batches. `batches` start at ``state.step``: see
    :func:`processor_batches` and :func:`~recipe.on_device.views.device_batches`.
    """
    log = work / "log.jsonl"
    started, first = time.monotonic(), state.step
    sums: dict[str, float] = {}
    summed = 0
    for step, batch in batches:
        for name, value in _step(state, batch, settings).items():
            sums[name] = sums.get(name, 0.0) + value
        summed += 1
        state.step = step + 1
        last = state.step == settings.steps
        if state.step % save_every == 0 or last:
            state.save(work / "checkpoint.safetensors")
            seconds = (time.monotonic() - started) / (state.step - first)
            means = {n: round(v / summed, 4) for n, v in sums.items()}
            _write(log, {"step": state.step, "seconds_a_step": round(seconds, 3), **means})
            sums, summed = {}, 0
        every = settings.validate_every
        if validation is not None and (last or (every and state.step % every == 0)):
            found = validation.recall(partial(state.describe, mean=True), state.bank.vectors)
            _write(log, {"step": state.step, "recall": {n: round(v, 4) for n, v in found.items()}})


def processor_batches(
    material: Material, count: int, settings: Settings, first: int, *, workers: int = 2
) -> Iterator[tuple[int, Batch]]:
    """Yield batches from step `first` on, made by worker processes (0: by this one)."""
    steps = range(first, settings.steps)
    loader = DataLoader(
        Batches(material, count, settings.plan, settings.steps),
        sampler=steps,  # type: ignore[arg-type]
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        multiprocessing_context="spawn" if workers else None,
    )
    yield from zip(steps, loader, strict=True)


def _step(state: State, batch: Batch, settings: Settings) -> dict[str, float]:
    """Take one step of AdamW; return the terms of the loss and the norm of the gradient."""
    device = state.bank.vectors.device
    batch = Batch(batch.views, *(t.to(device) for t in (batch.owner, batch.guest, batch.share)))
    for group in state.optimiser.param_groups:
        group["lr"] = group["peak"] * settings.rate_at(state.step)
    trained = [w for w in state.weights.values() if w.requires_grad]
    with ThreadPoolExecutor(settings.parts) as pool:
        described = list(pool.map(state.describe, batch.views.chunk(settings.parts)))
        vectors = torch.cat(described).detach().requires_grad_()
        terms = _terms(vectors, batch, state.bank, settings)
        loss = sum(_weights(settings)[name] * term for name, term in terms.items())
        (by_vectors,) = torch.autograd.grad(loss, vectors)

        def gradients(part: torch.Tensor, by_part: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return torch.autograd.grad(part, trained, by_part)

        shares = pool.map(gradients, described, by_vectors.chunk(settings.parts))
        for weight, *of_parts in zip(trained, *shares, strict=True):
            weight.grad = torch.stack(of_parts).sum(dim=0)
    norm = torch.nn.utils.clip_grad_norm_(trained, settings.clip)
    assert torch.isfinite(norm), f"the gradient of step {state.step} is not finite"
    state.optimiser.step()
    average_into(
        state.mean, state.weights, min(settings.average, (1 + state.step) / (10 + state.step))
    )
    views = settings.strong + 1
    state.bank.update(batch.owner[::views], vectors[::views], momentum=settings.bank_momentum)
    return {name: float(term.detach()) for name, term in terms.items()} | {"norm": float(norm)}


def _terms(
    vectors: torch.Tensor, batch: Batch, bank: Bank, settings: Settings
) -> dict[str, torch.Tensor]:
    temperature = settings.temperature
    return {
        "bank": contrast_with_bank(vectors, batch, bank, temperature=temperature),
        "within": contrast_within(vectors, batch, bank, temperature=temperature),
        "spread": spread(vectors, batch, bank, views=settings.strong + 1),
    }


def _weights(settings: Settings) -> Mapping[str, float]:
    return {
        "bank": settings.bank_weight,
        "within": settings.within_weight,
        "spread": settings.spread_weight,
    }


def _write(log: Path, line: dict) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    print(json.dumps(line), flush=True)


def settings_text(settings: Settings, **others: object) -> str:
    """Return the settings and other inputs of a run as JSON, to match a checkpoint with its run.

    The number of steps is left out, since it may change when a run resumes.
    """
    named = asdict(settings) | others
    del named["steps"]
    return json.dumps(named, sort_keys=True)
