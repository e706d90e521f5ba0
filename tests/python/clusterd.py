"""The names in the messages that clusterd, the fork of Mesos that is developed further, has beyond Mesos 1.11.0."""

from __future__ import annotations

from pathlib import Path

# Read from m3scluster/clusterd, include/, at its commit 5ce2c80 of August 2026.
PERCENTILES = ["min", "max", "p50", "p90", "p95", "p99", "p999", "p9999", "samples"]
RATES = [f"{way}_{what}" for way in ("rx", "tx") for what in ("rate", "packet_rate", "drop_rate", "error_rate")]
LIMITS = [f"net_{way}_{what}" for way in ("tx", "rx") for what in ("rate_limit", "burst_rate_limit", "burst_size")]
# The capability QUOTA_V2 of a master is left out of the v1 messages: masters of Mesos 1.11.0 have it, without a name in v1.
CLUSTERD = {
    "mesos.proto": {
        *(f"CapabilityInfo.Capability.{name}" for name in ("PERFMON", "BPF", "CHECKPOINT_RESTORE")),
        "ResourceStatistics.RatePercentiles",
        *(f"ResourceStatistics.RatePercentiles.{name}" for name in PERCENTILES),
        "ResourceStatistics.RateStatistics",
        *(f"ResourceStatistics.RateStatistics.{name}" for name in RATES),
        *(f"ResourceStatistics.RateStatistics.sampling_{name}_secs" for name in ("window", "interval")),
        *(f"ResourceStatistics.{name}" for name in LIMITS),
        *(f"ResourceStatistics.mem_kmem_{name}_bytes" for name in ("usage", "tcp_usage")),
        "ResourceStatistics.net_rate_statistics",
        "ResourceStatistics.net_ephemeral_ports",
    },
    "master.proto": {
        "Call.Type.READ_LOG",
        "Call.ReadLog",
        "Call.ReadLog.offset",
        "Call.ReadLog.length",
        "Call.read_log",
        "Response.Type.READ_LOG",
        "Response.ReadLog",
        "Response.ReadLog.size",
        "Response.ReadLog.data",
        "Response.read_log",
    },
    "agent.proto": {
        "Call.Type.READ_LOG",
        "Call.ReadLog",
        "Call.ReadLog.Source",
        *(f"Call.ReadLog.Source.{name}" for name in ("UNKNOWN", "CONTAINER", "AGENT")),
        *(f"Call.ReadLog.{name}" for name in ("source", "container_id", "stdout_offset", "stderr_offset", "length")),
        "Call.read_log",
        "Call.Type.UPDATE_CONTAINER_MEMORY_LIMIT",
        "Call.UpdateContainerMemoryLimit",
        "Call.UpdateContainerMemoryLimit.container_id",
        "Call.UpdateContainerMemoryLimit.memory_limit",
        "Call.update_container_memory_limit",
        "Response.Type.READ_LOG",
        "Response.ReadLog",
        "Response.ReadLog.Data",
        "Response.ReadLog.Data.size",
        "Response.ReadLog.Data.data",
        "Response.ReadLog.stdout",
        "Response.ReadLog.stderr",
        "Response.read_log",
    },
}


def of_clusterd(file: str) -> set[str]:
    """What a proto file has of clusterd."""
    return CLUSTERD.get(Path(file).name, set())
