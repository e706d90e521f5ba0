"""A long time at full load, and thousands of lifetimes in one process; see ``__main__.py``."""
