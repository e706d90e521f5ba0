"""pymesos' own tests, run against the distribution in ``compat/pymesos``: ``python -m tests.pymesos``.

Its source distribution has no tests, so they are fetched from its repository, at a commit whose id is the hash of what
is fetched.
"""
