"""Measurements: how well pictures are found again, on any folder of photographs.

Two commands, a module each: ``homing bench`` (:mod:`homing.bench.retrieval`) searches for copies of
untouched and of activated pictures through indexes; ``homing bench descriptors``
(:mod:`homing.bench.descriptors`) compares descriptors by exact search. They share what is edited
and described (:mod:`~homing.bench.variants`, :mod:`~homing.bench.encoding`,
:mod:`~homing.bench.material`), with what (:mod:`~homing.bench.run`), what is right
(:mod:`~homing.bench.judged`, :mod:`~homing.bench.twins`) and the figures
(:mod:`~homing.bench.measures`, :mod:`~homing.bench.bootstrap`,
:mod:`~homing.bench.copy_detection`). The first goes on by stages: the states that are compared
(:mod:`~homing.bench.compared`), the closer look at some pictures (:mod:`~homing.bench.closer`),
what came out (:mod:`~homing.bench.outcome`) and how it is shown (:mod:`~homing.bench.display`).
"""
