"""Frameworks that others wrote for other clients of Mesos, end to end on our faces: see README.md."""
