"""remesos: the classic Apache Mesos framework API for today's Python.

A regular package that extends its path, so that other distributions' ``mesos.*`` packages still import.
Importing it starts no thread and sets no signal handler.
"""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
