"""The master's and the agents' endpoints of the real Mesos beside those of the embedded one: ``python -m tests.endpoints``."""
