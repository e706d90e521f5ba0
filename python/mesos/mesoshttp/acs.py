"""``DCOSServiceAuth``: a service account of DC/OS, also for requests."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from mesos.auth import Authentication, Header, ServiceAccount
from mesos.errors import ArgumentTypeError, MesosError
from mesos.mesoshttp.exception import ACSException

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PREFIX = "token="
_EARLY = 30
"""A token is not given out any more so many seconds before it expires."""


class DCOSServiceAuth(ServiceAccount):
    """A service account of DC/OS: the client logs in, and again before the login expires.

    It is also an ``auth`` of the package requests: ``requests.get(url, auth=DCOSServiceAuth(secret))``.

    >>> from mesos.mesoshttp.acs import DCOSServiceAuth
    >>> try:
    ...     DCOSServiceAuth({"uid": "svc", "scheme": "RS256"})
    ... except ValueError as error:
    ...     print(error)
    expected a str as 'private_key' of the service account's secret (it is not shown)

    :param secret: the account's secret as DC/OS gives it: ``uid``, ``private_key``, ``scheme`` and ``login_endpoint``
    :param verify: whether the certificate of the login is verified, or a file with certificates of authorities in PEM
    :raises ArgumentValueError: the secret is not valid
    """

    def __init__(self, secret: Mapping[str, Any], verify: bool | str | os.PathLike[str] = True) -> None:
        ca, verifies = trust(verify)
        super().__init__(secret, ca=ca, verify=verifies)
        self._token: str | None = None
        self._expiration = 0.0

    @property
    def token(self) -> str:
        """The token of a login, which is made if there is none or it expires soon.

        :raises ACSException: the login failed
        """
        if self._token is None or time.time() > self._expiration - _EARLY:
            try:
                value, expires = self._make().header_now()
            except MesosError as error:
                raise ACSException(f"Unable to authenticate against DCOS ACS: {error}") from error
            self._token = value.removeprefix(_PREFIX)
            self._expiration = expires or 0.0
        return self._token

    def __call__(self, r: Any) -> Any:
        """Sets the header of a request of the package requests."""
        r.headers["Authorization"] = f"{_PREFIX}{self.token}"
        return r


class RequestsAuth(Authentication):
    """What requests take as ``auth``, for a client whose ``requests_auth`` was assigned."""

    class _Request:
        def __init__(self) -> None:
            self.headers: dict[str, str] = {}

    def __init__(self, auth: Callable[[Any], Any]) -> None:
        self._auth = auth

    def header(self, refused: bool) -> str | Header:
        """Returns the header that is set on a request."""
        request = self._Request()
        self._auth(request)
        return request.headers["Authorization"]


def trust(verify: bool | str | os.PathLike[str]) -> tuple[str | None, bool | None]:
    """Returns a file with certificates of authorities, and whether certificates are verified; None for what the
    environment says.
    """
    if isinstance(verify, bool):
        return None, None if verify else False
    try:
        return os.fspath(verify), True
    except TypeError:
        raise ArgumentTypeError(f"expected a bool or a path as verify, got {type(verify).__name__}") from None
