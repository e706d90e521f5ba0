"""Addresses of masters and agents, as users of pymesos write them."""

from __future__ import annotations

from typing import Any

from mesos._master import with_scheme


def address(uri: Any, port: int) -> Any:
    """Returns the address that the core takes.

    :param uri: ``zoo://`` is ``zk://``, and hosts in a list may lack their port
    :param port: the port of such a host
    """
    if not isinstance(uri, str) or uri in ("local", "localquiet"):
        return uri
    if uri.startswith("zoo://"):
        return uri.replace("zoo://", "zk://", 1)
    if uri.startswith(("zk://", "file://")):
        return uri
    return ",".join(_complete(each, port) for each in uri.split(","))


def _complete(uri: str, port: int) -> str:
    if not uri or "://" in uri:
        return uri
    host, slash, path = uri.partition("/")
    complete = host if ":" in host else f"{host}:{port}"
    return with_scheme(f"{complete}{slash}{path}")
