"""What clients raise."""

from __future__ import annotations

from mesos.errors import MesosError


class MesosException(MesosError):
    """A call could not be sent, or is not one that Mesos takes.

    >>> from mesos.mesoshttp.exception import MesosException
    >>> from mesos.mesoshttp.offers import Offer
    >>> offer = Offer("http://master:5050", "framework", "stream", {"id": {"value": "offer"}})
    >>> try:
    ...     offer.decline()
    ... except MesosException as error:
    ...     print(error)
    no client of this process is registered as framework 'framework'
    """


class ACSException(MesosError):
    """The login of a DC/OS service account failed.

    >>> from mesos.errors import MesosError
    >>> from mesos.mesoshttp.exception import ACSException
    >>> issubclass(ACSException, MesosError)
    True
    """
