"""Chaos on the real Mesos and on the embedded cluster; see ``__main__.py``."""
