"""Measurements: how well pictures are found again, on any folder of photographs.

A stage of ``homing bench`` is one module that runs it (:mod:`homing.bench.descriptors` so far) from
parts that all share: what is edited and described (:mod:`~homing.bench.variants`,
:mod:`~homing.bench.encoding`), exact search (:mod:`~homing.bench.exact`), the figures
(:mod:`~homing.bench.measures`) and the files they end in (:mod:`~homing.bench.report`).
"""
