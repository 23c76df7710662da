"""``run_retrieval`` with a user's edits and methods, which are plain functions."""

import numpy as np
from PIL import ImageOps

import homing
from homing.activation import LoopSettings, Method, find_method
from homing.bench.run import DataSet, Settings, run_retrieval
from homing.demo.generated import generated_picture
from homing.edits import make_edit
from homing.images import find_pictures


def posterise(image, generator, bits=3):
    return ImageOps.posterize(image, bits)


def stay(targets, settings, device):
    """Return the paper's objective."""
    return find_method("paper").objective(targets, settings, device)


def test_a_users_edit_and_method(network_file, tmp_path, silent):
    photos, others = tmp_path / "photos", tmp_path / "others"
    for folder, count, seed in ((photos, 2, 5), (others, 12, 6)):
        folder.mkdir()
        for number in range(count):
            image = generated_picture(np.random.default_rng([seed, number]))
            image.thumbnail((160, 160))
            image.save(folder / f"{folder.name}{number}.png")
    outcome = run_retrieval(
        DataSet(list(find_pictures([photos])), list(find_pictures([others]))),
        homing.load_descriptor(network_file),
        tmp_path / "out",
        silent,
        edits=[make_edit("three bits", posterise)],
        methods=[
            Method("gentle", "two steps", LoopSettings(steps=2), stay),
            find_method("paper"),
        ],
        settings=Settings(
            indexes=("IVF4,PQ8",),
            base_size=280,
            random_draws=1,
            hashes=False,
            costs=False,
            questions=("foreign",),
        ),
    )
    result = outcome.indexes[0]
    assert [state.method for state in result.states] == ["passive", "gentle", "paper"]
    names = [edit.name for edit in result.states[0].edits]
    assert names[-1] == "three bits"
    assert len(result.states[0].counted) == 15  # the mean contains it, as its flag says
    assert result.states[0].queries[-1] == 2
    assert outcome.failures == {}
    # Questions are of the method named first, and the report says so.
    assert "Questions are of gentle, the method named first." in outcome.notes
    (answer,) = outcome.answers
    (line,) = [line for line in answer.lines if line.label.endswith(": activated for it")]
    leading = result.states[1]
    assert line.figures["1 probe"].mean == leading.mean(leading.one_probe).mean
    assert line.figures["in their cell"].mean == leading.cell().mean
