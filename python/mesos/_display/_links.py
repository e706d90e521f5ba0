"""Where a browser that shows a notebook finds the web page of a cluster in the notebook's process."""

from __future__ import annotations

import os
import re

from mesos.errors import ArgumentValueError

TEMPLATE = "REMESOS_WEBUI_LINK"
_HUB = "JUPYTERHUB_SERVICE_PREFIX"
_FIELD = re.compile(r"\{\{|\}\}|\{([A-Za-z_]\w*)\}|[{}]")


def page(address: str) -> str:
    """Returns the link to the web page of the cluster at an address, without its token.

    :raises ArgumentValueError: the template in the environment is not valid
    """
    host, _, port = address.rpartition(":")
    template = os.environ.get(TEMPLATE)
    if template is None:
        template = f"{{{_HUB}}}/proxy/{{port}}/" if os.environ.get(_HUB) else "http://{host}:{port}"

    def field(found: re.Match[str]) -> str:
        whole, name = found.group(0), found.group(1)
        if whole in ("{{", "}}"):
            return whole[0]
        if name in ("host", "port"):
            return host if name == "host" else port
        if name is None or name not in os.environ:
            raise ArgumentValueError(
                f"expected {{host}}, {{port}} or a variable of the environment in {TEMPLATE}, got {whole!r} in "
                f"{template!r}"
            )
        return os.environ[name]

    link = _FIELD.sub(field, template)
    # The prefix of a hub ends with a slash, and a link that begins with two names another host.
    scheme, separator, rest = link.rpartition("://")
    path = re.sub(r"/{2,}", "/", rest)
    if not re.fullmatch(r"https?", scheme) and (separator or not path.startswith("/")):
        raise ArgumentValueError(
            f"expected a link that begins with http://, https:// or / from {TEMPLATE}, got {link!r}"
        )
    return f"{scheme}{separator}{path}"
