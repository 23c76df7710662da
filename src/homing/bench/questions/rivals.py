"""Question: is activation worth it, compared with changes of the index alone?

Multiple assignment: an entry is held in each of its nearest cells, so that a copy that falls into a
neighbour of its picture's cell finds it there. It multiplies the memory, and the codes compared, by
the cells per entry; an archive does it with released pictures (``homing init --places``). More
probes, the other way to visit a neighbour, are columns of this table; codes of more bytes are
indexes of their own.
"""

from homing.bench.questions.case import Answer, Case, Line, engine_figures

_CELLS = (2, 3, 4)  # an entry


def answer_rivals(case: Case) -> Answer:
    """Hold entries in several cells each, and search as before."""
    pictures, codebook = case.benchmark.photos, case.quantizer.codebook
    lines = []
    for label, state in (("untouched", case.passive), ("activated", case.active)):
        lines.append(Line(label, case.figures(state, pictures)))
        for several in (number for number in _CELLS if number < codebook.cell_count):
            entries = case.benchmark.entries(state)
            engine = case.searcher.engine(entries, case.benchmark.seed, several)
            figures = engine_figures(case.benchmark, engine, state, pictures)
            lines.append(Line(f"{label}, each entry in {several} cells", figures))
    return Answer(
        "rivals",
        "What if the pictures are left as they are, and the index does more?",
        f"{len(pictures):,} pictures. An entry in several cells takes as many times the codes' "
        "memory, and as many more codes are compared at each probe.",
        tuple(lines),
    )
