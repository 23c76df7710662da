"""Measurements: how well pictures are found again, on any folder of photographs.

Two commands, a module each: ``homing bench`` (:mod:`homing.bench.retrieval`) searches for copies of
untouched and of activated pictures through indexes; ``homing bench descriptors``
(:mod:`homing.bench.descriptors`) compares descriptors by exact search. They share what is edited
and described (:mod:`~homing.bench.variants`, :mod:`~homing.bench.encoding`,
:mod:`~homing.bench.material`), what is right (:mod:`~homing.bench.judged`,
:mod:`~homing.bench.twins`) and the figures (:mod:`~homing.bench.measures`,
:mod:`~homing.bench.bootstrap`, :mod:`~homing.bench.copy_detection`).
"""
