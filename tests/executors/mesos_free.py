"""What an executor of the tests is told of a task, whatever driver it is on."""

from collections import namedtuple

Task = namedtuple("Task", ["id", "name", "data"])
