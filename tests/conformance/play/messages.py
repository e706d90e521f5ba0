# Python 2.7 and 3. Makers of the messages that scenarios send.

from mesos.interface import mesos_pb2


def framework(*capabilities, **fields):
    """A framework of this name, with these capabilities."""
    info = mesos_pb2.FrameworkInfo(**dict({"user": "", "name": "conformance"}, **fields))
    for name in capabilities:
        info.capabilities.add(type=mesos_pb2.FrameworkInfo.Capability.Type.Value(name))
    return info


def amounts(resources, role=None, **given):
    """Adds scalars by name."""
    for name in sorted(given):
        resource = resources.add(name=name, type=mesos_pb2.Value.SCALAR)
        resource.scalar.value = given[name]
        if role is not None:
            resource.role = role


def task(offer, name, command="exit 0", cpus=0.1, mem=32):
    """A command task on the offer's agent."""
    made = mesos_pb2.TaskInfo(name=name)
    made.task_id.value = name
    made.slave_id.value = offer.slave_id.value
    made.command.value = command
    amounts(made.resources, cpus=cpus, mem=mem)
    return made


def filters(seconds):
    return mesos_pb2.Filters(refuse_seconds=seconds)


def task_id(name):
    return mesos_pb2.TaskID(value=name)


def status(name, agent=None, state="TASK_RUNNING"):
    """A status to reconcile or acknowledge."""
    made = mesos_pb2.TaskStatus(state=mesos_pb2.TaskState.Value(state))
    made.task_id.value = name
    if agent is not None:
        made.slave_id.value = agent
    return made


def operation(kind):
    return mesos_pb2.Offer.Operation(type=mesos_pb2.Offer.Operation.Type.Value(kind))


def launch(*tasks):
    """A LAUNCH operation."""
    made = operation("LAUNCH")
    made.launch.task_infos.extend(tasks)
    return made


def whole(offer):
    """Whether nothing of an agent is missing in an offer."""
    return all(r.scalar.value == 8 for r in offer.resources if r.name == "cpus")
