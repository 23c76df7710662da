"""Question: how does recall depend on the least PSNR of the files, from 38 to 54 dB?"""

from dataclasses import replace

from homing.bench.questions.case import Answer, Case, Line, quality_figures

_LEAST_PSNRS = (38.0, 42.0, 46.0, 50.0, 54.0)  # dB


def answer_budgets(case: Case) -> Answer:
    """Release the sample at several least PSNRs."""
    maker, benchmark = case.maker, case.benchmark
    states = []
    for least in _LEAST_PSNRS:
        releaser = replace(maker.releaser, psnr=least)
        states.append(
            maker.release(
                benchmark.material,
                case.passive,
                case.quantizer,
                case.method,
                case.pictures,
                releaser,
            )
        )
    pictures = case.present_in(states)
    lines = [Line("untouched", case.figures(case.passive, pictures))]
    for least, state in zip(_LEAST_PSNRS, states, strict=True):
        assert state.release is not None
        quality = quality_figures([row.quality for row in state.release.released])
        lines.append(Line(f"{least:g} dB", case.figures(state, pictures) | quality))
    return Answer(
        "budgets",
        "How much may a file change?",
        f"{len(pictures):,} pictures released by {case.method.name} at five budgets, searched for "
        f"through {case.quantizer.name}.",
        tuple(lines),
    )
