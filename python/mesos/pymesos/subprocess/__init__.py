"""Child processes that run as tasks of a Mesos cluster, with the interface of the standard module ``subprocess``.

``CONFIG["master"]`` or the environment variable ``MESOS_MASTER`` names the master.
"""

from __future__ import annotations

from subprocess import CalledProcessError
from typing import Any

from mesos.pymesos.subprocess.popen import CONFIG, DEVNULL, PIPE, STDOUT, Popen, StartError, TimeoutExpired

__all__ = [
    "CONFIG",
    "DEVNULL",
    "PIPE",
    "STDOUT",
    "CalledProcessError",
    "Popen",
    "StartError",
    "TimeoutExpired",
    "call",
    "check_call",
    "check_output",
]


def call(*popenargs: Any, timeout: float | None = None, **kwargs: Any) -> int:
    """Runs a child and waits for its end.

    The other arguments are those of :class:`Popen`.

    :param timeout: seconds, after which the child is killed
    :returns: its return code
    :raises TimeoutExpired: it has not ended in time
    """
    with Popen(*popenargs, **kwargs) as child:
        try:
            return child.wait(timeout)
        except BaseException:
            child.kill()
            raise


def check_call(*popenargs: Any, timeout: float | None = None, **kwargs: Any) -> int:
    """Runs a child as :func:`call` does.

    :returns: 0
    :raises CalledProcessError: its return code is another one
    :raises TimeoutExpired: it has not ended in time
    """
    returncode = call(*popenargs, timeout=timeout, **kwargs)
    if returncode:
        raise CalledProcessError(returncode, _command(popenargs, kwargs))
    return 0


def check_output(*popenargs: Any, timeout: float | None = None, input: Any = None, **kwargs: Any) -> Any:  # noqa: A002
    r"""Runs a child as :func:`call` does.

    >>> from mesos.pymesos.subprocess import CONFIG, check_output
    >>> CONFIG["master"] = "localquiet"
    >>> check_output(["echo", "hello"], cpus=0.1, mem=32)
    b'hello\n'

    :param input: what the child reads, if it is given
    :returns: what it has written to its standard output
    :raises CalledProcessError: its return code is not 0; ``output`` has what it has written
    :raises TimeoutExpired: it has not ended in time
    """
    if "stdout" in kwargs:
        raise ValueError("stdout argument not allowed, it will be overridden.")
    kwargs["stdout"] = PIPE
    if input is not None:
        if kwargs.get("stdin") is not None:
            raise ValueError("stdin and input arguments may not both be used.")
        kwargs["stdin"] = PIPE
    with Popen(*popenargs, **kwargs) as child:
        try:
            output, errors = child.communicate(input, timeout)
        except BaseException:
            child.kill()
            raise
        returncode = child.poll()
    if returncode:
        raise CalledProcessError(returncode, _command(popenargs, kwargs), output, errors)
    return output


def _command(popenargs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return popenargs[0] if popenargs else kwargs["args"]
