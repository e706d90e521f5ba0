"""Says through a real ZooKeeper which master leads, as masters do who were elected."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING

from kazoo.client import KazooClient

if TYPE_CHECKING:
    from types import TracebackType

    from tests.apache_mesos import ZooKeeper

LOOPBACK = 0x0100007F  # 127.0.0.1, as MasterInfo.ip has it


def master_info(address: str) -> dict[str, object]:
    """The MasterInfo that the master at ``127.0.0.1:port`` would write into its node."""
    port = int(address.rpartition(":")[2])
    with urllib.request.urlopen(f"http://{address}/state", timeout=10) as response:
        state = json.load(response)
    return {
        "id": state["id"],
        "ip": LOOPBACK,
        "port": port,
        "pid": f"master@{address}",
        "hostname": "localhost",
        "version": state["version"],
        "address": {"hostname": "localhost", "ip": "127.0.0.1", "port": port},
    }


class Election:
    """The nodes below one path, of which one at most names a leader.

    :param zookeeper: where
    :param path: below which path; :attr:`url` is what drivers take
    """

    def __init__(self, zookeeper: ZooKeeper, path: str = "/mesos") -> None:
        self.zookeeper, self.url = zookeeper, f"zk://{zookeeper.address}{path}"
        self._path = path
        self._node: str | None = None
        self._client = KazooClient(zookeeper.address)
        self._client.start(timeout=30)
        self._client.ensure_path(path)

    def lead(self, address: str | None) -> None:
        """Have this master lead, ``127.0.0.1:port``, or none."""
        self.write(None if address is None else master_info(address))

    def write(self, info: dict[str, object] | None) -> None:
        """Have the master of this MasterInfo lead, or none."""
        if self._node is not None:
            self._client.delete(self._node)
            self._node = None
        if info is not None:
            self._node = self._client.create(f"{self._path}/json.info_", json.dumps(info).encode(), sequence=True)

    def __enter__(self) -> Election:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.stop()
        self._client.close()
