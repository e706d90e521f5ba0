"""What schedulers are often made of, each usable alone.

The page "Helpers for schedulers" of the documentation shows them.
"""

__all__: list[str] = []
