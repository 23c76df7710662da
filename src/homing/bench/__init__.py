"""Measurements: how well pictures are found again, on any folder of photographs.

Two commands: ``homing bench`` (:mod:`homing.bench.run`) searches for copies of untouched and of
activated pictures through indexes; ``homing bench descriptors``
(:mod:`homing.bench.run_descriptors`) compares descriptors by exact search. In the order of
imports::

    statistics  figures, their intervals, and tables of them
    encode      from pictures and edited copies to rows of vectors and hashes, kept in a cache
    search      exact search, and search through a codebook
    dataset     what is searched for among what, and what is right
    states      the photographs untouched, or released by a method for a codebook
    measure     each state's figures
    questions   what the paper left open, a module a question
    report      what a run found: values, tables, plots and pages
"""
