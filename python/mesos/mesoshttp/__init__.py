"""The API of mesoshttp 0.4.2 and avmesos 0.4.2 on the drivers of remesos: messages are dicts.

``from mesos.mesoshttp.client import MesosClient`` is the only change to a framework. The distributions in
``compat/mesoshttp`` and ``compat/avmesos`` provide the names ``mesoshttp`` and ``avmesos`` for frameworks that are not
to be changed.
"""

from mesos.mesoshttp.acs import DCOSServiceAuth
from mesos.mesoshttp.client import MesosClient
from mesos.mesoshttp.core import CoreMesosObject
from mesos.mesoshttp.exception import ACSException, MesosException
from mesos.mesoshttp.offers import Offer
from mesos.mesoshttp.update import Update

__all__ = ["ACSException", "CoreMesosObject", "DCOSServiceAuth", "MesosClient", "MesosException", "Offer", "Update"]
