"""Turns the arguments of ``LocalCluster`` into the text that Mesos' own flags have."""

from __future__ import annotations

import json
import math
import operator
import os
from collections.abc import Iterable, Mapping
from datetime import timedelta
from numbers import Real
from typing import TYPE_CHECKING, Any

from mesos.errors import ArgumentTypeError, ArgumentValueError

if TYPE_CHECKING:
    from collections.abc import Callable

_LARGEST = 2**63 - 1
_NANOSECONDS = 10**9

#: What ``LocalCluster`` does unless an argument or a variable says otherwise: the variable and the value, by the name
#: of the option. ``"local"`` and the command line do what Mesos does.
_FOR_PYTHON: dict[str, tuple[str, Any]] = {
    "allocation_interval": ("MESOS_ALLOCATION_INTERVAL", 0.05),
    "allocate_on_recovery": ("REMESOS_LOCAL_ALLOCATE_ON_RECOVERY", True),
}


def texts(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Returns the arguments that are not None as text, by name.

    :raises ArgumentTypeError: an argument has the wrong type
    :raises ArgumentValueError: an argument has no text
    """
    return {name: _READERS[name](name, value) for name, value in arguments.items() if value is not None}


def with_defaults(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arguments with the defaults of ``LocalCluster`` in place of None."""
    defaults = {name: value for name, (variable, value) in _FOR_PYTHON.items() if variable not in os.environ}
    return {name: defaults.get(name) if value is None else value for name, value in arguments.items()}


def kept() -> str | None:
    """Returns where the sandboxes of failed tasks are kept if nobody says so."""
    if "REMESOS_LOCAL_KEEP" in os.environ:
        return None
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(state, "remesos", "failed")


def _number(name: str, value: Any) -> str:
    """An int whose bounds the core knows, and which fits into 64 bits."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ArgumentTypeError(f"expected an int as {name}, got {value!r}")
    return str(max(-_LARGEST, min(operator.index(value), _LARGEST)))


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ArgumentTypeError(f"expected a str as {name}, got {type(value).__name__}")
    return value


def _switch(name: str, value: Any) -> str:
    if not isinstance(value, bool):
        raise ArgumentTypeError(f"expected a bool as {name}, got {value!r}")
    return "true" if value else "false"


def _path(name: str, value: Any) -> str:
    try:
        path = os.fsdecode(value)
    except TypeError:
        raise ArgumentTypeError(f"expected a path as {name}, got {value!r}") from None
    if not path or "\0" in path:
        raise ArgumentValueError(f"expected the path of a directory as {name}, got {value!r}")
    return path


def _duration(name: str, value: Any) -> str:
    """Text such as ``10secs`` is returned unchanged; numbers are seconds."""
    if isinstance(value, str):
        return value
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, Real):
        raise ArgumentTypeError(f"expected a str such as '10secs', seconds or a timedelta as {name}, got {value!r}")
    number = _finite(name, seconds, value)
    return f"{round(number * _NANOSECONDS)}ns"


def _finite(name: str, number: Any, shown: Any) -> float:
    try:
        finite = float(number)
    except OverflowError:
        finite = math.inf
    if not 0 <= finite < math.inf:
        raise ArgumentValueError(f"expected a finite number from 0 as {name}, got {shown!r}")
    return finite


def _resources(name: str, value: Any) -> str:
    """Text is returned unchanged. A mapping has amounts by name; a list has resources as in JSON."""
    if isinstance(value, list) and value and all(isinstance(resource, Mapping) for resource in value):
        return _json(name, value)
    if isinstance(value, Mapping):
        text = ";".join(f"{_name(name, key)}:{_amount(name, key, amount)}" for key, amount in value.items())
    elif isinstance(value, str):
        text = value
    else:
        raise ArgumentTypeError(
            f"expected a str such as 'cpus:2;mem:1024', a mapping such as {{'cpus': 2, 'mem': 1024}} or a list of "
            f"mappings as {name}, got {value!r}"
        )
    if not text.strip(" ;"):
        raise ArgumentValueError(f"expected at least one resource as {name}, got {value!r}")
    return text


def agent(value: Any, name: str | None = None) -> dict[str, str]:
    """Returns what is said of one agent, as text by name.

    :param name: the argument that contains the value, for errors; None if the keys are arguments themselves
    :raises ArgumentTypeError: something has the wrong type
    :raises ArgumentValueError: something has no text
    """
    if not isinstance(value, Mapping):
        raise ArgumentTypeError(f"expected a mapping such as {{'resources': {{'cpus': 4}}}} as {name}, got {value!r}")
    strange = [key for key in value if key not in _AGENT_READERS]
    if strange:
        raise ArgumentValueError(f"expected some of {', '.join(_AGENT_READERS)} in {name}, got {strange[0]!r}")
    given = {key: one for key, one in value.items() if one is not None}
    return {key: _AGENT_READERS[key](f"{name}[{key!r}]" if name else key, one) for key, one in given.items()}


def _agents(name: str, value: Any) -> str:
    """An int whose bounds the core knows, or a list of mappings, one for each agent."""
    if isinstance(value, str) and value.lstrip().startswith(("[", "file://")):  # from the command line
        return value
    if isinstance(value, (list, tuple)):
        return json.dumps([agent(each, f"{name}[{number}]") for number, each in enumerate(value)])
    return _number(name, value)


def _attributes(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, Mapping):
        raise ArgumentTypeError(
            f"expected a str such as 'rack:a;level:3' or a mapping such as {{'rack': 'a', 'level': 3}} as {name}, "
            f"got {value!r}"
        )
    return ";".join(f"{_name(name, key)}:{_amount(name, key, item)}" for key, item in value.items())


def _name(argument: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ArgumentTypeError(f"expected a str as each name in {argument}, got {value!r}")
    if not value.strip() or any(c in ":;" for c in value):
        raise ArgumentValueError(f"expected a name without ':' and ';' as each name in {argument}, got {value!r}")
    return value


def _amount(argument: str, name: str, value: Any) -> str:
    """Returns an amount as text. Text such as ``[31000-32000]`` is returned unchanged."""
    place = f"{argument}[{name!r}]"
    if isinstance(value, str):
        if ";" in value:
            raise ArgumentValueError(f"expected a value without ';' as {place}, got {value!r}")
        return value
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ArgumentTypeError(f"expected a number, or a str such as '[31000-32000]', as {place}, got {value!r}")
    return repr(_finite(place, value, value))


def _roles(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, Iterable) or isinstance(value, (bytes, Mapping)):
        raise ArgumentTypeError(f"expected a str such as 'a,b' or names of roles as {name}, got {value!r}")
    return ",".join(_text(f"each role in {name}", role) for role in value)


def _weights(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, Mapping):
        raise ArgumentTypeError(f"expected a str such as 'a=2,b=1' or a mapping as {name}, got {value!r}")
    return ",".join(
        f"{_text(f'each role in {name}', role)}={_amount(name, role, weight)}" for role, weight in value.items()
    )


def _object(name: str, value: Any) -> str:
    """Text in JSON is returned unchanged; a mapping is written as JSON."""
    if isinstance(value, str):
        return value
    if not isinstance(value, Mapping):
        raise ArgumentTypeError(f"expected a mapping, or a str in JSON, as {name}, got {value!r}")
    return _json(name, dict(value))


def _json(name: str, value: Any) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError) as error:
        raise ArgumentTypeError(f"expected what can be written as JSON as {name}: {error}") from None


def _credentials(name: str, value: Any) -> str:
    """A mapping has secrets by principal; else it is the path of a file. No error shows a secret."""
    if isinstance(value, Mapping):
        if not all(isinstance(text, str) for pair in value.items() for text in pair):
            raise ArgumentTypeError(f"expected a mapping of principals to secrets, each a str, as {name}")
        return json.dumps({"credentials": [{"principal": key, "secret": secret} for key, secret in value.items()]})
    if not isinstance(value, (str, os.PathLike)):
        raise ArgumentTypeError(
            f"expected a path, or a mapping of principals to secrets, as {name}, got {type(value).__name__}"
        )
    return _path(name, value)


_AGENT_READERS: dict[str, Callable[[str, Any], str]] = {
    "resources": _resources,
    "attributes": _attributes,
    "hostname": _text,
    "domain": _object,
}
_READERS: dict[str, Callable[[str, Any], str]] = {
    "port": _number,
    "agents": _agents,
    "initial": _object,
    "resources": _resources,
    "work_dir": _path,
    "ip": _text,
    "token": _text,
    "attributes": _attributes,
    "hostname": _text,
    "domain": _object,
    "cluster": _text,
    "roles": _roles,
    "weights": _weights,
    "allocation_interval": _duration,
    "allocate_on_recovery": _switch,
    "offer_timeout": _duration,
    "min_allocatable_resources": _text,
    "filter_gpu_resources": _switch,
    "authenticate_http_frameworks": _switch,
    "credentials": _credentials,
    "max_completed_frameworks": _number,
    "max_completed_tasks_per_framework": _number,
    "max_completed_executors_per_framework": _number,
    "executor_environment_variables": _object,
    "executor_registration_timeout": _duration,
    "executor_shutdown_grace_period": _duration,
    "time": _text,
    "seed": _number,
    "containers": _text,
    "keep": _path,
    "stderr_in_log": _switch,
}
