"""Measurements: how well pictures are found again, on any folder of photographs.

Two commands: ``homing bench`` (:mod:`homing.bench.run`) searches for copies of untouched and of
activated pictures through indexes; ``homing bench descriptors``
(:mod:`homing.bench.run_descriptors`) compares descriptors by exact search. In the order of
imports::

    cache       files of intermediate results
    statistics  figures, their intervals, and tables of them
    encode      from pictures and edited copies to rows of vectors and hashes, cached
    search      exact search, and search through a codebook
    dataset     the base, the queries and the right answers
    states      the photographs untouched, or released by a method for a codebook
    measure     the figures of each state
    questions   questions that the paper left open, one module each
    report      results of a run: values, tables, plots and pages
"""
