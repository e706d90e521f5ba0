"""ACCEPT with tasks: what the master tells of them."""

from __future__ import annotations

from typing import Any

from tests.requests import Request
from tests.requests.tables import accept, executor, launch, launch_group, scalar, task

CPUS, MEM, DISK = scalar("cpus", 0.1), scalar("mem", 32), scalar("disk", 32)
RESERVED = {"type": "DYNAMIC", "role": "role", "principal": "principal"}
VALUE = {"scalar": {"value": 1}}


def requests() -> list[Request]:
    return [*offers(), *tasks(), *resources(), *executors(), *groups()]


def sent(what: str, *operations: dict[str, Any], scene: str = "offer", **fields: Any) -> Request:
    return Request(f"ACCEPT: {what}", accept(*operations, **fields), scene=scene)


def offers() -> list[Request]:
    good = launch(task())
    return [
        sent("a task", good),
        sent("a task of a framework without capabilities", good, scene="old_offer"),
        sent("no operations"),
        sent("no offers", good, offers=()),
        sent("no offers and no operations", offers=()),
        sent("an offer twice", good, offers=("@offer", "@offer")),
        sent("an unknown offer", good, offers=("unknown",)),
        sent("a known and an unknown offer", good, offers=("@offer", "unknown")),
        sent("offers of two agents", good, offers=("@offer", "@other-offer")),
        sent("an empty offer id", good, offers=("",)),
        sent("no tasks", launch()),
        sent("an operation without a type", {"launch": {"task_infos": [task()]}}),
        sent("an operation of an unknown type", {"type": "EXPLODE"}),
        sent("an operation UNKNOWN", {"type": "UNKNOWN"}),
        sent("LAUNCH without its body", {"type": "LAUNCH"}),
        sent("LAUNCH with another's body", {"type": "LAUNCH", "reserve": {"resources": []}}),
        sent("LAUNCH with an id", {**good, "id": {"value": "o"}}),
        sent("negative filters", filters={"refuse_seconds": -1}),
        sent("two good tasks", launch(task(), task(task_id={"value": "b"}))),
        sent("a task id twice in a launch", launch(task(), task())),
        sent("a task id twice in two launches", launch(task()), launch(task())),
        sent("a bad and a good task", launch(task(agent_id={"value": "x"}), task(task_id={"value": "b"}))),
    ]


def tasks() -> list[Request]:
    cases: dict[str, dict[str, Any]] = {
        "a task without a name": {"name": None},
        "a task with an empty name": {"name": ""},
        "a task without an id": {"task_id": None},
        "a task without an agent": {"agent_id": None},
        "a task for an unknown agent": {"agent_id": {"value": "x"}},
        "a task for another agent": {"agent_id": {"value": "@other-agent"}},
        **{
            f"the task id {value[:20]!r}": {"task_id": {"value": value}}
            for value in ("", ".", "..", "a/b", "a\\b", "a\nb", "a" * 256, "a b", "ä")
        },
        "neither command nor executor": {"command": None},
        "a command and an executor": {"executor": executor()},
        "an empty command": {"command": {}},
        "a command that is no shell": {"command": {"shell": False, "value": "/bin/true", "arguments": ["true"]}},
        "a variable without its value": {"command": {"value": "a", "environment": {"variables": [{"name": "A"}]}}},
        "a variable that is secret without one": {
            "command": {"value": "a", "environment": {"variables": [{"name": "A", "type": "SECRET"}]}}
        },
        "a variable with both": {
            "command": {
                "value": "a",
                "environment": {
                    "variables": [
                        {
                            "name": "A",
                            "type": "SECRET",
                            "value": "x",
                            "secret": {"type": "VALUE", "value": {"data": "AAEC"}},
                        }
                    ]
                },
            }
        },
        "a secret reference": {
            "command": {
                "value": "a",
                "environment": {"variables": [{"name": "A", "type": "SECRET", "secret": {"type": "REFERENCE"}}]},
            }
        },
        "a secret of bytes that are zero": {
            "command": {
                "value": "a",
                "environment": {
                    "variables": [
                        {"name": "A", "type": "SECRET", "secret": {"type": "VALUE", "value": {"data": "AAEC"}}}
                    ]
                },
            }
        },
        "a variable of type UNKNOWN": {
            "command": {"value": "a", "environment": {"variables": [{"name": "A", "type": "UNKNOWN", "value": "x"}]}}
        },
        "a negative grace period": {"kill_policy": {"grace_period": {"nanoseconds": -1}}},
        "a negative max_completion_time": {"max_completion_time": {"nanoseconds": -1}},
        "a max_completion_time of 0": {"max_completion_time": {"nanoseconds": 0}},
        "an empty check": {"check": {}},
        "a check UNKNOWN": {"check": {"type": "UNKNOWN"}},
        "a check without its command": {"check": {"type": "COMMAND"}},
        "a check without its HTTP": {"check": {"type": "HTTP"}},
        "a check without its TCP": {"check": {"type": "TCP"}},
        "a check of a relative path": {"check": {"type": "HTTP", "http": {"port": 80, "path": "a"}}},
        "a check of an empty command": {"check": {"type": "COMMAND", "command": {"command": {}}}},
        "a check with a negative interval": {"check": {"type": "TCP", "tcp": {"port": 80}, "interval_seconds": -1}},
        "a check with a negative timeout": {"check": {"type": "TCP", "tcp": {"port": 80}, "timeout_seconds": -1}},
        "an empty health check": {"health_check": {}},
        "a health check UNKNOWN": {"health_check": {"type": "UNKNOWN"}},
        "a health check without its command": {"health_check": {"type": "COMMAND"}},
        "a health check of another scheme": {"health_check": {"type": "HTTP", "http": {"port": 80, "scheme": "ftp"}}},
        "a health check of a relative path": {"health_check": {"type": "HTTP", "http": {"port": 80, "path": "a"}}},
        "a health check of the old form": {"health_check": {"http": {"port": 80}}},
        "a health check with a negative delay": {
            "health_check": {"type": "TCP", "tcp": {"port": 80}, "delay_seconds": -1}
        },
        "an empty discovery": {"discovery": {}},
        "a discovery without a name": {"discovery": {"visibility": "FRAMEWORK", "ports": {"ports": [{"number": 80}]}}},
        "a container of type DOCKER without its body": {"container": {"type": "DOCKER"}},
        "a container without a type": {"container": {}},
        "a volume with two sources": {
            "container": {
                "type": "MESOS",
                "volumes": [
                    {
                        "mode": "RW",
                        "container_path": "a",
                        "host_path": "/b",
                        "image": {"type": "DOCKER", "docker": {"name": "x"}},
                    }
                ],
            }
        },
        "a volume without its source's body": {
            "container": {
                "type": "MESOS",
                "volumes": [{"mode": "RW", "container_path": "a", "source": {"type": "DOCKER_VOLUME"}}],
            }
        },
        "a volume whose host path is relative": {
            "container": {"type": "MESOS", "volumes": [{"mode": "RW", "container_path": "a", "host_path": "b/c"}]}
        },
        "a Linux capability twice": {
            "container": {
                "type": "MESOS",
                "linux_info": {
                    "capability_info": {"capabilities": ["NET_RAW"]},
                    "effective_capabilities": {"capabilities": ["NET_RAW"]},
                },
            }
        },
        "a limit of another resource": {"limits": {"disk": {"value": 100}}},
        "a limit of cpus below the request": {"limits": {"cpus": {"value": 0.05}}},
        "a limit of mem below the request": {"limits": {"mem": {"value": 16}}},
        "a limit of gpus": {"limits": {"gpus": {"value": 1}}},
        "labels twice": {"labels": {"labels": [{"key": "a"}, {"key": "a"}]}},
    }
    return [sent(what, launch(task(**fields))) for what, fields in cases.items()]


def resources() -> list[Request]:
    def other(**fields: Any) -> dict[str, Any]:
        return {"name": "cpus", "type": "SCALAR", **VALUE, **fields}

    shared = {"disk": {"persistence": {"id": "p"}, "volume": {"mode": "RW", "container_path": "a"}}, "shared": {}}
    lists: dict[str, list[dict[str, Any]]] = {
        "cpus alone": [CPUS],
        "mem alone": [MEM],
        "disk alone": [DISK],
        **{
            f"cpus of {value}": [scalar("cpus", value), MEM]
            for value in (
                0.01,
                0.001,
                0.0009,
                0.0005,
                0.0004,
                0.0001,
                1e-9,
                0,
                -0.1,
                -1e-9,
                7.9999,
                8,
                8.0001,
                8.1,
                1e9,
                1e300,
                "Infinity",
                "-Infinity",
                0.1234567,
                0.1005,
            )
        },
        "mem of 0": [CPUS, scalar("mem", 0)],
        "mem of 1": [CPUS, scalar("mem", 1)],
        "mem of -1": [CPUS, scalar("mem", -1)],
        "too much mem": [CPUS, scalar("mem", 9000)],
        "too much of two": [scalar("cpus", 100), scalar("mem", 100_000)],
        "a resource that is not offered": [CPUS, MEM, scalar("unobtainium", 1)],
        "gpus of 0": [CPUS, MEM, scalar("gpus", 0)],
        "gpus of 1": [CPUS, MEM, scalar("gpus", 1)],
        "gpus of 1.5": [CPUS, MEM, scalar("gpus", 1.5)],
        "cpus twice": [CPUS, CPUS, MEM],
        "a resource without a value": [{"name": "cpus", "type": "SCALAR"}],
        "a resource without a name": [other(name="")],
        "a scalar that is a range": [{"name": "cpus", "type": "SCALAR", "ranges": {"range": [{"begin": 1, "end": 2}]}}],
        "a scalar and a range": [other(ranges={"range": [{"begin": 1, "end": 2}]})],
        "a resource of type TEXT": [{"name": "cpus", "type": "TEXT"}],
        "a port": [
            CPUS,
            MEM,
            {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 31000, "end": 31000}]}},
        ],
        "a port that is not offered": [
            CPUS,
            MEM,
            {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 80, "end": 80}]}},
        ],
        "ports that overlap": [
            CPUS,
            MEM,
            {
                "name": "ports",
                "type": "RANGES",
                "ranges": {"range": [{"begin": 31000, "end": 31005}, {"begin": 31003, "end": 31009}]},
            },
        ],
        "ports the wrong way": [
            CPUS,
            MEM,
            {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 31005, "end": 31000}]}},
        ],
        "no ports": [CPUS, MEM, {"name": "ports", "type": "RANGES", "ranges": {"range": []}}],
        "ports as a scalar": [CPUS, MEM, scalar("ports", 31000)],
        "a set": [CPUS, MEM, {"name": "s", "type": "SET", "set": {"item": ["a"]}}],
        "a set with an item twice": [CPUS, MEM, {"name": "s", "type": "SET", "set": {"item": ["a", "a"]}}],
        "a role": [other(role="role"), MEM],
        "the role *": [other(role="*"), MEM],
        "a bad role": [other(role="/"), MEM],
        "a role and reservations": [other(role="role", reservations=[RESERVED]), MEM],
        "a reservation of old": [other(role="role", reservation={"principal": "principal"}), MEM],
        "a reservation of *": [other(reservations=[{"type": "DYNAMIC", "role": "*"}]), MEM],
        "a reservation without a role": [other(reservations=[{"type": "DYNAMIC"}]), MEM],
        "a reservation without a type": [other(reservations=[{"role": "role"}]), MEM],
        "a reservation UNKNOWN": [other(reservations=[{"type": "UNKNOWN", "role": "role"}]), MEM],
        "reservations that do not refine": [other(reservations=[RESERVED, {**RESERVED, "role": "other"}]), MEM],
        "a reservation that is not there": [other(reservations=[RESERVED]), MEM],
        "an allocation to its role": [other(allocation_info={"role": "role"}), MEM],
        "an allocation to another role": [other(allocation_info={"role": "other"}), MEM],
        "an allocation to nobody": [other(allocation_info={}), MEM],
        "allocations to two roles": [
            other(allocation_info={"role": "role"}),
            {**MEM, "allocation_info": {"role": "other"}},
        ],
        "revocable cpus": [other(revocable={}), MEM],
        "revocable and other cpus": [other(revocable={}), CPUS, MEM],
        "shared cpus": [other(shared={}), MEM],
        "a shared volume": [CPUS, MEM, {**DISK, **shared, "reservations": [RESERVED]}],
        "a volume that is not there": [CPUS, MEM, {**DISK, "disk": shared["disk"], "reservations": [RESERVED]}],
        "a volume on unreserved disk": [CPUS, MEM, {**DISK, "disk": shared["disk"]}],
        "an empty disk": [CPUS, MEM, {**DISK, "disk": {}}],
        "a disk with a volume alone": [CPUS, MEM, {**DISK, "disk": {"volume": {"mode": "RW", "container_path": "a"}}}],
        "a disk with persistence alone": [
            CPUS,
            MEM,
            {**DISK, "disk": {"persistence": {"id": "p"}}, "reservations": [RESERVED]},
        ],
        "a disk with a bad id": [
            CPUS,
            MEM,
            {
                **DISK,
                "disk": {"persistence": {"id": "a/b"}, "volume": {"mode": "RW", "container_path": "a"}},
                "reservations": [RESERVED],
            },
        ],
        "a disk with a host path": [
            CPUS,
            MEM,
            {
                **DISK,
                "disk": {
                    "persistence": {"id": "p"},
                    "volume": {"mode": "RW", "container_path": "a", "host_path": "/b"},
                },
                "reservations": [RESERVED],
            },
        ],
        "disk info of cpus": [other(disk={"persistence": {"id": "p"}}), MEM],
        "a disk with a source": [CPUS, MEM, {**DISK, "disk": {"source": {"type": "MOUNT", "mount": {"root": "/a"}}}}],
        "a resource provider": [other(provider_id={"value": "p"}), MEM],
    }
    empty = sent("no resources", launch({**task(), "resources": []}))
    return [empty, *(sent(what, launch(task(*given))) for what, given in lists.items())]


def executors() -> list[Request]:
    cases: dict[str, dict[str, Any]] = {
        "an executor": executor(),
        "an executor without a type": executor(type=None),
        "an executor UNKNOWN": executor(type="UNKNOWN"),
        "an executor DEFAULT": executor(type="DEFAULT", command=None),
        "an executor DEFAULT with a command": executor(type="DEFAULT"),
        "an executor without a command": executor(command=None),
        "an executor without a command or a type": executor(command=None, type=None),
        **{
            f"the executor id {value[:20]!r}": executor(executor_id={"value": value})
            for value in ("", ".", "a/b", "a" * 256)
        },
        "an executor without an id": executor(executor_id=None),
        "an executor of this framework": executor(framework_id={"value": "@framework"}),
        "an executor of another framework": executor(framework_id={"value": "other"}),
        "an executor of an empty framework": executor(framework_id={"value": ""}),
        "an executor without resources": {**executor(), "resources": []},
        "an executor without cpus": executor(MEM),
        "an executor without mem": executor(CPUS),
        "an executor with little cpus": executor(scalar("cpus", 0.005), MEM),
        "an executor with little mem": executor(CPUS, scalar("mem", 16)),
        "an executor with negative cpus": executor(scalar("cpus", -1), MEM),
        "an executor with cpus of 0.0001": executor(scalar("cpus", 0.0001), MEM),
        "an executor with too much": executor(scalar("cpus", 100), MEM),
        "an executor allocated to another role": executor({**CPUS, "allocation_info": {"role": "other"}}, MEM),
        "an executor with a negative grace period": executor(shutdown_grace_period={"nanoseconds": -1}),
        "an executor with a variable without its value": executor(
            command={"value": "a", "environment": {"variables": [{"name": "A"}]}}
        ),
        "an executor with a bad container": executor(container={"type": "DOCKER"}),
    }
    two = launch(
        task(command=None, executor=executor()), task(task_id={"value": "b"}, command=None, executor=executor(name="x"))
    )
    allocated = [{**CPUS, "allocation_info": {"role": "role"}}, {**MEM, "allocation_info": {"role": "role"}}]
    return [
        *(sent(what, launch(task(command=None, executor=given))) for what, given in cases.items()),
        sent("an executor twice, differently", two),
        sent(
            "cpus of the task revocable, of the executor not",
            launch(task({**CPUS, "revocable": {}}, MEM, command=None, executor=executor())),
        ),
        sent(
            "resources of the task reserved, of the executor too",
            launch(task(*allocated, command=None, executor=executor(*allocated))),
        ),
    ]


def groups() -> list[Request]:
    alone = task()

    def of(*resources: dict[str, Any], **fields: Any) -> dict[str, Any]:
        return executor(*resources, framework_id={"value": "@framework"}, **fields)

    default = of(type="DEFAULT", command=None)
    cases: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
        "a group": (default, [alone]),
        "a group on a custom executor": (of(type="CUSTOM"), [alone]),
        "a group without tasks": (default, []),
        "a group on an executor without a type": (of(type=None), [alone]),
        "a group on an executor UNKNOWN": (of(type="UNKNOWN", command=None), [alone]),
        "a group on an executor DEFAULT with a command": (of(type="DEFAULT"), [alone]),
        "a group on a custom executor without a command": (of(command=None), [alone]),
        "a group on an executor without disk": (of(CPUS, MEM, type="DEFAULT", command=None), [alone]),
        "a group on an executor with disk of 16": (
            of(CPUS, MEM, scalar("disk", 16), type="DEFAULT", command=None),
            [alone],
        ),
        "a group on an executor without cpus": (of(MEM, DISK, type="DEFAULT", command=None), [alone]),
        "a group on an executor with little cpus": (
            of(scalar("cpus", 0.001), MEM, DISK, type="DEFAULT", command=None),
            [alone],
        ),
        "a group on an executor without mem": (of(CPUS, DISK, type="DEFAULT", command=None), [alone]),
        "a group on an executor without resources": ({**default, "resources": []}, [alone]),
        "a group on an executor of another framework": ({**default, "framework_id": {"value": "other"}}, [alone]),
        "a group on an executor of no framework": (executor(type="DEFAULT", command=None), [alone]),
        "a group with a bad executor id": ({**default, "executor_id": {"value": "a/b"}}, [alone]),
        "a group with too much": (default, [task(scalar("cpus", 100), MEM)]),
        "a group with too little cpus": (default, [task(scalar("cpus", 0.0001), MEM)]),
        "a group with a bad and a good task": (default, [task(agent_id={"value": "x"}), task(task_id={"value": "b"})]),
        "a group with a task id twice": (default, [alone, alone]),
        "a group with a task's own executor": (default, [task(executor=default)]),
        "a group with a task's own executor and no command": (default, [task(command=None, executor=default)]),
        "a group with another executor": (default, [task(command=None, executor=executor())]),
        "a group with a task without a command": (default, [task(command=None)]),
        "a group with a task in a Docker container": (
            default,
            [task(container={"type": "DOCKER", "docker": {"image": "x"}})],
        ),
        "a group with a task with network infos": (
            default,
            [task(container={"type": "MESOS", "network_infos": [{"name": "x"}]})],
        ),
        "a group on an executor in a Docker container": (
            {**default, "container": {"type": "DOCKER", "docker": {"image": "x"}}},
            [alone],
        ),
        "a group with a task without resources": (default, [{**alone, "resources": []}]),
        "a group with an allocation to another role": (
            default,
            [task({**CPUS, "allocation_info": {"role": "other"}}, MEM)],
        ),
        "a group with limits on tasks": (default, [task(limits={"cpus": {"value": 0.05}})]),
        "a group with revocable and other cpus": (default, [task({**CPUS, "revocable": {}}, MEM)]),
    }
    return [
        *(sent(what, launch_group(given, *tasks)) for what, (given, tasks) in cases.items()),
        sent("LAUNCH_GROUP without its body", {"type": "LAUNCH_GROUP"}),
        sent(
            "LAUNCH_GROUP without an executor",
            {"type": "LAUNCH_GROUP", "launch_group": {"task_group": {"tasks": [alone]}}},
        ),
        sent("LAUNCH_GROUP without a group", {"type": "LAUNCH_GROUP", "launch_group": {"executor": default}}),
    ]
