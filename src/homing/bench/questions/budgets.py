"""How much may a file change? Recall at budgets from 38 to 54 dB."""

from dataclasses import replace

from homing.bench.questions.case import Answer, Case, Line, quality_figures

_BUDGETS = (38.0, 42.0, 46.0, 50.0, 54.0)  # dB


def ask_budgets(case: Case) -> Answer:
    """Release the sample at several budgets."""
    stage, common = case.stage, case.common
    states = []
    for budget in _BUDGETS:
        releaser = replace(stage.releaser, psnr=budget)
        states.append(
            stage.released(
                common.material, case.passive, case.quantizer, case.method, case.pictures, releaser
            )
        )
    pictures = case.there(states)
    lines = [Line("untouched", case.figures(case.passive, pictures))]
    for budget, state in zip(_BUDGETS, states, strict=True):
        assert state.release is not None
        quality = quality_figures([row.quality for row in state.release.released])
        lines.append(Line(f"{budget:g} dB", case.figures(state, pictures) | quality))
    return Answer(
        "budgets",
        "How much may a file change?",
        f"{len(pictures):,} pictures released by {case.method.name} at five budgets, searched for "
        f"through {case.quantizer.name}.",
        tuple(lines),
    )
