"""Finds how a driver authenticates."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from mesos import _core, _logging
from mesos.errors import ArgumentValueError

if TYPE_CHECKING:
    from mesos.auth import Authentication

VARIABLE = "REMESOS_AUTHENTICATION"


def find(authentication: Any, credential: tuple[str, str] | None) -> Authentication | None:
    """Returns how a driver authenticates that was given these arguments, if not with the credential.

    If it was given neither, the environment variable ``REMESOS_AUTHENTICATION`` may name a file
    (:func:`mesos.auth.from_file`). The driver's object has to hold what is returned: the core refers to it weakly.

    :raises ArgumentTypeError: ``authentication`` has another type
    :raises ArgumentValueError: both arguments are given, or the file cannot be used
    """
    if authentication is not None and credential is not None:
        raise ArgumentValueError("expected either authentication or credential, got both")
    path = os.environ.get(VARIABLE)
    if authentication is None and not path:
        return None
    if credential is not None:
        _logging.log.info("%s is not used: the driver was given a credential", VARIABLE)
        return None
    from mesos import auth

    if authentication is not None:
        return auth._of(authentication)
    try:
        return auth.from_file(path or "")
    except ArgumentValueError as error:
        raise ArgumentValueError(f"{VARIABLE}: {error}") from None


def core(authentication: Authentication | None, credential: tuple[str, str] | None) -> _core.Authentication | None:
    """Returns what the core asks, given what :func:`find` returned."""
    if authentication is not None:
        return authentication._make()
    return None if credential is None else _core.Authentication.basic(*credential)
