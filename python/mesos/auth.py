"""How a framework authenticates to the master: what gives the ``Authorization`` header of its requests.

The drivers take these as ``authentication=``. A driver asks for a header before its first request, again before the
header expires, and once more if the master answers 401; a call that was answered so is sent again in its place. Neither
IO nor another driver waits for the answer.

Secrets are not shown: not by ``repr``, not in log records, not in the messages of exceptions.
"""

from __future__ import annotations

import inspect
import json
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from mesos import _core, _logging
from mesos.errors import ArgumentTypeError, ArgumentValueError

__all__ = ["Authentication", "Basic", "BearerToken", "Header", "ServiceAccount", "from_file"]

_Path: TypeAlias = str | os.PathLike[str]

_KINDS = """a JSON object with "principal" and "secret", with "uid", "private_key" and "login_endpoint" (a service \
account of DC/OS), or with "token_file", or the line `principal secret`"""


@dataclass(frozen=True)
class Header:
    """The value of an ``Authorization`` header, and when it expires.

    If the value ends with a JSON Web Token that has an expiration time, ``expires`` need not be given.

    >>> Header("Bearer secret", expires=1800000000)
    Header(expires=1800000000)
    """

    value: str = field(repr=False)
    """The value, such as ``Bearer TOKEN``."""
    expires: float | datetime | None = None
    """When it expires: seconds since the epoch or an aware ``datetime``; None if that is not known."""


class Authentication:
    """The base of what gives headers. A class of your own overrides :meth:`header`.

    >>> class Rotating(Authentication):
    ...     principal = "alice"
    ...
    ...     def header(self, refused):
    ...         return Header("Bearer secret", expires=1800000000)
    >>> Rotating().principal
    'alice'
    """

    principal: str | None = None
    """The principal that the master will find, or None if it is not known. If the framework's info has none, it is
    filled in: the master rejects a framework whose principal is another one."""

    def header(self, refused: bool) -> str | Header:
        """Returns the header, or its value. Called on a thread of its own, and not again before it has returned.

        If it raises an exception, the driver logs it and asks again later, less and less often.

        :param refused: whether the master answered 401 to the last header
        """
        raise NotImplementedError(f"{type(self).__qualname__}.header")

    def _identity(self) -> str:
        """Returns what messages call it."""
        if self.principal is not None:
            return f"principal '{self.principal}'"
        return f"'{type(self).__module__}.{type(self).__qualname__}'"

    def _make(self) -> _core.Authentication:
        """Returns what a driver asks. It refers to this object weakly, so the driver's object has to hold it."""
        return _core.Authentication.provider(self, self._identity(), self.principal)

    def _answer(self, refused: bool) -> tuple[str | None, float | None, str | None]:
        """Returns the value and when it expires, or what went wrong. Raises nothing."""
        try:
            header = self.header(refused)
            if isinstance(header, str):
                header = Header(header)
            if not isinstance(header, Header):
                if inspect.iscoroutine(header):
                    header.close()
                return (
                    None,
                    None,
                    f"expected a str or a mesos.auth.Header, got an object of type {type(header).__name__}",
                )
            expires = header.expires.timestamp() if isinstance(header.expires, datetime) else header.expires
            return _checked(header.value), None if expires is None else float(expires), None
        except BaseException as error:  # also what is raised to end the thread
            return None, None, f"{type(error).__qualname__}: {error}"


class _Native(Authentication):
    """What the core does without Python code."""

    _native: _core.Authentication

    def header(self, refused: bool) -> str | Header:
        raise NotImplementedError(f"{type(self).__qualname__} gives its headers to drivers only")

    def _make(self) -> _core.Authentication:
        return self._native


class Basic(_Native):
    """HTTP Basic with a principal and its secret, as Mesos' own authenticator takes it.

    The drivers' ``credential`` does the same.

    >>> Basic("alice", "secret")
    Basic('alice')

    :raises ArgumentTypeError: an argument is not a str
    """

    def __init__(self, principal: str, secret: str) -> None:
        self.principal = _text(principal, "principal")
        self._native = _core.Authentication.basic(self.principal, _text(secret, "secret"))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.principal!r})"


class BearerToken(Authentication):
    """``Authorization: Bearer TOKEN``.

    >>> BearerToken(file="/var/run/secrets/token")
    BearerToken(file='/var/run/secrets/token')

    :param token: the token, or a callable that returns it. The callable is called again before the token expires, if it
        is a JSON Web Token, and when it is refused
    :param file: a file with the token, which is read again every few seconds, and as above. If others can read it,
        there is a warning in the log
    :raises ArgumentTypeError: an argument has the wrong type, or the callable is a coroutine function
    :raises ArgumentValueError: not exactly one of the two is given, or the token is not printable ASCII
    """

    def __init__(self, token: str | Callable[[], str] | None = None, *, file: _Path | None = None) -> None:
        if (token is None) == (file is None):
            raise ArgumentValueError("expected either token or file")
        self._call: Callable[[], str] | None = None
        self._file = None if file is None else _path(file, "file")
        if self._file is not None:
            _warn_if_open(self._file)
            self._native: _core.Authentication | None = _core.Authentication.token_file(self._file)
        elif isinstance(token, str):
            self._native = _core.Authentication.header(_checked(f"Bearer {token}"))
        else:
            self._call, self._native = _callable(token, "token"), None

    def header(self, refused: bool) -> str | Header:
        """Returns the header with what the callable returns."""
        if self._call is None:
            raise NotImplementedError(f"{self!r} gives its headers to drivers only")
        token = self._call()
        if not isinstance(token, str):
            if inspect.iscoroutine(token):
                token.close()
            raise ArgumentTypeError(f"expected a str, got an object of type {type(token).__name__}")
        return f"Bearer {token.strip()}"

    def _identity(self) -> str:
        return f"the callable {_name(self._call)}"

    def _make(self) -> _core.Authentication:
        return self._native or super()._make()

    def __repr__(self) -> str:
        if self._file is not None:
            return f"BearerToken(file={self._file!r})"
        return "BearerToken(...)" if self._call is None else f"BearerToken({_name(self._call)})"


class ServiceAccount(_Native):
    """A service account of DC/OS.

    It logs in with a token that is signed with the account's private key (RS256), and sends what the login answers as
    ``Authorization: token=...``. It logs in again before that expires. A login that answers 401 or 403 ends the driver
    with an error; after any other failure it is tried again.

    The certificate of the login is verified as the master's: with ``LIBPROCESS_SSL_CA_FILE`` if that is set, else with
    the authorities of the system.

    >>> ServiceAccount("/run/secrets/account.json")  # doctest: +SKIP
    ServiceAccount('my-framework')

    :param secret: the account's secret as DC/OS gives it, with ``uid``, ``private_key``, ``scheme`` and
        ``login_endpoint``, or the path of a file with it in JSON. If others can read that file, there is a warning in
        the log
    :param ca: a file with certificates of authorities in PEM, instead of those above
    :param verify: whether the certificate of the login is verified; if None, ``LIBPROCESS_SSL_VERIFY_SERVER_CERT`` says
    :raises ArgumentTypeError: an argument has the wrong type
    :raises ArgumentValueError: the secret, or the file, is not valid
    """

    def __init__(
        self, secret: Mapping[str, Any] | _Path, *, ca: _Path | None = None, verify: bool | None = None
    ) -> None:
        if not isinstance(secret, Mapping):
            path = _path(secret, "secret")
            _warn_if_open(path)
            secret = _json(path, _read(path))
        fields = {name: secret.get(name) for name in ("uid", "private_key", "login_endpoint")}
        for name, value in fields.items():
            if not isinstance(value, str) or not value:
                raise ArgumentValueError(
                    f"expected a str as {name!r} of the service account's secret (it is not shown)"
                )
        if secret.get("scheme", "RS256") != "RS256":
            raise ArgumentValueError(
                "expected 'RS256' as 'scheme' of the service account's secret, the only one there is"
            )
        if verify is not None and not isinstance(verify, bool):
            raise ArgumentTypeError(f"expected a bool or None as verify, got an object of type {type(verify).__name__}")
        self.principal = str(fields["uid"])
        self._native = _core.Authentication.service_account(
            self.principal,
            str(fields["private_key"]),
            str(fields["login_endpoint"]),
            None if ca is None else _path(ca, "ca"),
            verify,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.principal!r})"


class _Called(Authentication):
    """A callable that returns the header's value."""

    def __init__(self, call: Callable[[], str | Header]) -> None:
        self._call = call

    def header(self, refused: bool) -> str | Header:
        return self._call()

    def _identity(self) -> str:
        return f"the callable {_name(self._call)}"

    def __repr__(self) -> str:
        return _name(self._call)


class _Given(_Native):
    """A header's value that does not change."""

    def __init__(self, value: str) -> None:
        self._native = _core.Authentication.header(_checked(value))

    def __repr__(self) -> str:
        return "'...'"


def from_file(path: _Path) -> Authentication:
    """Reads what to authenticate with from a file, as the drivers do if ``REMESOS_AUTHENTICATION`` names one.

    The file holds one of:

    - ``{"principal": "alice", "secret": "..."}``, or the line ``alice ...``, as Mesos' own files: :class:`Basic`
    - ``{"uid": ..., "private_key": ..., "scheme": "RS256", "login_endpoint": ...}``, as DC/OS has it:
      :class:`ServiceAccount`
    - ``{"token_file": "/path"}``: :class:`BearerToken`. A relative path is one beside the file

    If others can read the file, there is a warning in the log.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w") as file:
    ...     print("alice secret", file=file, flush=True)
    ...     from_file(file.name)
    Basic('alice')

    :raises ArgumentValueError: the file cannot be read, or holds something else, which the message does not show
    """
    name = _path(path, "path")
    _warn_if_open(name)
    text = _read(name)
    if not text.lstrip().startswith("{"):
        words = text.split()
        if len(words) != 2:
            raise ArgumentValueError(f"expected {_KINDS} in {name!r} (what it holds is not shown)")
        return Basic(*words)
    found = _json(name, text)
    match found:
        case {"uid": _, "private_key": _}:
            return ServiceAccount(found)
        case {"principal": str(principal), "secret": str(secret)}:
            return Basic(principal, secret)
        case {"token_file": str(file)}:
            return BearerToken(file=Path(name).parent / file)
    raise ArgumentValueError(f"expected {_KINDS} in {name!r} (what it holds is not shown)")


def _of(value: Any) -> Authentication:
    """Returns what a driver was given as ``authentication``."""
    if isinstance(value, Authentication):
        return value
    if isinstance(value, str):
        return _Given(value)
    return _Called(_callable(value, "authentication"))


def _callable(value: Any, argument: str) -> Callable[[], Any]:
    call: Callable[[], Any] = value
    kind = type(value).__name__
    if not callable(value) or isinstance(value, type):
        raise ArgumentTypeError(f"expected a str, a callable or a mesos.auth.Authentication as {argument}, got {kind}")
    if inspect.iscoroutinefunction(value):
        raise ArgumentTypeError(f"expected a function that is not a coroutine function as {argument}: {_name(value)}")
    return call


def _name(call: Any) -> str:
    name = getattr(call, "__qualname__", None)
    return f"'{call.__module__}.{name}'" if name else f"of type '{type(call).__module__}.{type(call).__qualname__}'"


def _text(value: Any, argument: str) -> str:
    if not isinstance(value, str):
        raise ArgumentTypeError(f"expected a str as {argument}, got an object of type {type(value).__name__}")
    return value


def _path(value: Any, argument: str) -> str:
    try:
        return os.fsdecode(value)
    except TypeError:
        kind = type(value).__name__
        raise ArgumentTypeError(f"expected a path as {argument}, got an object of type {kind}") from None


def _checked(value: str) -> str:
    """Returns the value of a header if it is one."""
    if not (value.isascii() and value.isprintable()):
        raise ArgumentValueError("expected printable ASCII as the header (it is not shown)")
    return value


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise ArgumentValueError(f"cannot read {path!r}, which is to hold {_KINDS}: {why}") from None


def _json(path: str, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ArgumentValueError(f"expected {_KINDS} in {path!r} (what it holds is not shown)")
    return found


def _warn_if_open(path: str) -> None:
    """As Mesos does for its files of credentials."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return  # reported when it is read
    if mode & stat.S_IRWXO:
        _logging.log.warning(
            "The secret in %r is accessible by other users: its permissions are %s", path, stat.filemode(mode)
        )
