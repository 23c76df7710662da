"""Question: does activation for one codebook help, or harm, in an index with another?"""

from homing.bench.questions.case import Answer, Case, Line, index_figures
from homing.bench.search.engine import Searcher
from homing.bench.states.codebooks import Quantizer
from homing.errors import CodebookError


def answer_foreign(case: Case) -> Answer:
    """Search for pictures activated for one codebook through others."""
    pictures, benchmark = case.benchmark.photos, case.benchmark
    own = case.quantizer.name
    lines = [
        Line(f"{own}: untouched", case.figures(case.passive, pictures)),
        Line(f"{own}: activated for it", case.figures(case.active, pictures)),
    ]
    for other in _others(case):
        searcher = Searcher(other.codebook, benchmark.distractors)
        for label, state in (("untouched", case.passive), (f"for {own}", case.active)):
            figures = index_figures(benchmark, searcher, state, pictures, exact=False)
            lines.append(Line(f"{other.name}: {label}", figures))
    return Answer(
        "foreign",
        "What if the index has another codebook?",
        f"{len(pictures):,} pictures activated for {own}, searched for through codebooks that they "
        "were not activated for.",
        tuple(lines),
    )


def _others(case: Case) -> list[Quantizer]:
    """Other indexes of the run; one of as many cells trained here, and one of fewer."""
    found = [each.quantizer for each in case.compared.active[1:]]
    cells = case.quantizer.codebook.cell_count
    for number in dict.fromkeys((max(cells, 4), max(cells // 4, 4))):
        try:
            quantizer = case.maker.find_quantizer(
                f"train:IVF{number},PQ8x8", case.benchmark.distractors
            )
        except CodebookError:  # too few vectors, or a length that eight does not divide
            continue
        known = [case.quantizer, *found]
        if quantizer.codebook.fingerprint not in [each.codebook.fingerprint for each in known]:
            found.append(
                Quantizer(f"{quantizer.codebook.factory} trained here", quantizer.codebook, "")
            )
    return found
