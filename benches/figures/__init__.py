"""The figures that remesos is to reach, measured as ratios in one run: ``python -m benches.figures``.

``rows.py`` lists them. ``measurements.py`` has a function for each thing that is measured: it runs a program of
``clients/`` for one participant and returns what that reported. ``participants.py`` finds out who takes part,
``rounds.py`` lets them take turns, ``ratios.py`` compares, and ``report.py`` prints and makes JSON.
"""
