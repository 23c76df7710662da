"""Is activation worth it, beside what may be done to the index alone?

Multiple assignment: an entry is held in each of its nearest cells, so that a copy that falls into a
neighbour of its picture's cell finds it there. It takes nothing from the picture, and as many times
the memory, and the codes compared, as there are cells an entry. More probes, the other way to visit
a neighbour, are columns of this table; codes of more bytes are indexes of their own.
"""

import numpy as np

from homing.bench.questions.case import Answer, Case, Line, measure_engine
from homing.bench.questions.cells import nearest_cells
from homing.bench.search.engine import Engine
from homing.search.engines.memory import MemoryEngine

_CELLS = (2, 4)  # an entry


def ask_rivals(case: Case) -> Answer:
    """Hold untouched entries in several cells each, and search as before."""
    pictures, codebook = case.common.kept, case.quantizer.codebook
    lines = [Line("untouched", case.figures(case.passive, pictures))]
    for several in _CELLS:
        if codebook.cell_count > several:
            engine = _assigned(case, several)
            figures = measure_engine(case.common, engine, case.passive, pictures)
            lines.append(Line(f"untouched, each entry in {several} cells", figures))
    lines.append(Line("activated", case.figures(case.active, pictures)))
    return Answer(
        "rivals",
        "What if the pictures are left as they are, and the index does more?",
        f"{len(pictures):,} pictures. An entry in several cells takes as many times the codes' "
        "memory, and as many more codes are compared at each probe.",
        tuple(lines),
    )


def _assigned(case: Case, several: int) -> Engine:
    """The untouched base, each entry in its nearest cells."""
    common, codebook = case.common, case.quantizer.codebook
    vectors = np.concatenate([case.passive.entries[common.kept], common.others])
    near = nearest_cells(codebook, vectors, several)
    codes = [codebook.encode(vectors, near[:, column]) for column in range(several)]
    order = np.random.default_rng(common.seed).permutation(near.size)
    memory = MemoryEngine(codebook, near.T.ravel()[order], np.concatenate(codes)[order])
    owners = order % len(vectors)
    return Engine(codebook, near, vectors.astype(np.float16), memory, owners)
