# Reservations and volumes by acceptOffers. Semantics: `Master::_accept`, `src/common/resources.cpp`.

from mesos.interface import mesos_pb2
from messages import filters, framework, launch, operation, task
from stage import scenario

ROLE = "role"
PRINCIPAL = "principal"


def owner(**fields):
    return framework(role=ROLE, principal=PRINCIPAL, **fields)


def reserved(name, amount, role=ROLE, principal=PRINCIPAL):
    """An amount that is reserved dynamically."""
    made = mesos_pb2.Resource(name=name, type=mesos_pb2.Value.SCALAR, role=role)
    made.scalar.value = amount
    made.reservation.principal = principal
    return made


def volume(amount, name="v"):
    """A persistent volume on a reserved disk."""
    made = reserved("disk", amount)
    made.disk.persistence.id = name
    made.disk.persistence.principal = PRINCIPAL
    made.disk.volume.container_path = "path"
    made.disk.volume.mode = mesos_pb2.Volume.RW
    return made


def reserve(*resources):
    made = operation("RESERVE")
    made.reserve.resources.extend(resources)
    return made


def unreserve(*resources):
    made = operation("UNRESERVE")
    made.unreserve.resources.extend(resources)
    return made


def create(*volumes):
    made = operation("CREATE")
    made.create.volumes.extend(volumes)
    return made


def destroy(*volumes):
    made = operation("DESTROY")
    made.destroy.volumes.extend(volumes)
    return made


def of(agent, where=lambda offer: True):
    return lambda offer: offer.slave_id.value == agent and where(offer)


def holds_reserved(offer):
    return any(r.HasField("reservation") for r in offer.resources)


def holds_volume(offer):
    return any(r.HasField("disk") for r in offer.resources)


@scenario(own=True)
def resources_are_reserved_and_unreserved(stage):
    driver = stage.driver(owner())
    driver.begin()
    offer = driver.offer()
    agent = offer.slave_id.value
    driver.acceptOffers([offer.id], [reserve(reserved("cpus", 2), reserved("mem", 100))], filters(0))
    offer = driver.offer(of(agent))
    driver.show_offer("reserved", offer)
    driver.acceptOffers([offer.id], [unreserve(reserved("cpus", 1))], filters(0))
    offer = driver.offer(of(agent))
    driver.show_offer("a part unreserved", offer)
    driver.acceptOffers([offer.id], [unreserve(reserved("cpus", 1), reserved("mem", 100))], filters(0))
    driver.show_offer("all unreserved", driver.offer(of(agent)))
    driver.end()


@scenario(own=True)
def a_volume_is_created_and_destroyed(stage):
    driver = stage.driver(owner())
    driver.begin()
    offer = driver.offer()
    agent = offer.slave_id.value
    driver.acceptOffers([offer.id], [reserve(reserved("disk", 100)), create(volume(60))], filters(0))
    offer = driver.offer(of(agent))
    driver.show_offer("created", offer)
    driver.acceptOffers([offer.id], [destroy(volume(60)), unreserve(reserved("disk", 100))], filters(0))
    driver.show_offer("destroyed", driver.offer(of(agent)))
    driver.end()


@scenario(own=True)
def a_task_on_reserved_resources(stage):
    driver = stage.driver(owner())
    driver.begin()
    offer = driver.offer()
    agent = offer.slave_id.value
    made = task(offer, "t", "sleep 1000")
    del made.resources[:]
    made.resources.extend([reserved("cpus", 1), reserved("mem", 64)])
    driver.acceptOffers([offer.id], [reserve(reserved("cpus", 2), reserved("mem", 128)), launch(made)], filters(0))
    driver.state("t", "TASK_RUNNING")
    driver.show_offer("the rest", driver.offer(of(agent)))
    driver.killTask(made.task_id)
    driver.state("t", "TASK_KILLED")
    driver.end()


@scenario(own=True)
def a_task_on_a_volume_finds_its_files_again(stage):
    driver = stage.driver(owner())
    driver.begin()
    offer = driver.offer()
    agent = offer.slave_id.value
    writes = task(offer, "writes", "echo kept > path/file")
    writes.resources.extend([volume(60)])
    driver.acceptOffers([offer.id], [reserve(reserved("disk", 60)), create(volume(60)), launch(writes)], filters(0))
    driver.state("writes", "TASK_FINISHED")
    offer = driver.offer(of(agent, holds_volume))
    reads = task(offer, "reads", "grep -q kept path/file")
    reads.resources.extend([volume(60)])
    driver.acceptOffers([offer.id], [launch(reads)], filters(0))
    driver.state("reads", "TASK_FINISHED")
    driver.end()


@scenario(own=True)
def reservations_are_offered_only_in_their_role(stage):
    driver = stage.driver(owner())
    driver.begin()
    offer = driver.offer()
    agent = offer.slave_id.value
    driver.acceptOffers([offer.id], [reserve(reserved("cpus", 8), reserved("mem", 8000))], filters(0))
    driver.offer(of(agent, holds_reserved))
    driver.end()
    other = stage.driver(framework(role="another"))
    other.begin()
    other.show_offer("to another role", other.offer(of(agent)))
    other.end()
    again = stage.driver(owner())
    again.begin()
    again.show_offer("to the role", again.offer(of(agent)))
    again.end()


@scenario(own=True)
def operations_that_are_refused(stage):
    driver = stage.driver(owner())
    driver.begin()
    refused = [
        ("more than is offered", [reserve(reserved("cpus", 1000))]),
        ("for another role", [reserve(reserved("cpus", 1, role="another"))]),
        ("by another principal", [reserve(reserved("cpus", 1, principal="another"))]),
        ("unreserve what is not reserved", [unreserve(reserved("cpus", 1))]),
        ("create without a reservation", [create(volume(10))]),
        ("destroy what is not there", [destroy(volume(10))]),
        ("nothing to reserve", [reserve()]),
        ("reserve a volume", [reserve(volume(10))]),
        (
            "create what is no volume",
            [reserve(reserved("disk", 10)), create(reserved("disk", 10)), unreserve(reserved("disk", 10))],
        ),
    ]
    agent = None
    for name, operations in refused:
        offer = driver.offer(of(agent) if agent else lambda offer: True)
        agent = offer.slave_id.value
        driver.acceptOffers([offer.id], operations, filters(0))
        offer = driver.offer(of(agent))
        driver.show_offer(name, offer)
        driver.declineOffer(offer.id, filters(0))
    driver.end()


@scenario(own=True)
def a_refused_operation_does_not_stop_those_after_it(stage):
    driver = stage.driver(owner())
    driver.begin()
    offer = driver.offer()
    driver.acceptOffers([offer.id], [reserve(reserved("cpus", 1000)), launch(task(offer, "t"))], filters(0))
    driver.state("t", "TASK_FINISHED")
    driver.end()


@scenario(own=True)
def operations_on_a_stale_offer(stage):
    driver = stage.driver(owner())
    driver.begin()
    offer = driver.offer()
    agent = offer.slave_id.value
    driver.declineOffer(offer.id, filters(0))
    driver.acceptOffers([offer.id], [reserve(reserved("cpus", 1)), launch(task(offer, "t"))])
    driver.state("t", "TASK_LOST")
    driver.show_offer("afterwards", driver.offer(of(agent)))
    driver.end()


@scenario(own=True)
def reservations_with_reservation_refinement(stage):
    info = framework("RESERVATION_REFINEMENT", role=ROLE, principal=PRINCIPAL)
    driver = stage.driver(info)
    driver.begin()
    offer = driver.offer()
    agent = offer.slave_id.value
    made = mesos_pb2.Resource(name="cpus", type=mesos_pb2.Value.SCALAR)
    made.scalar.value = 2
    made.reservations.add(type=mesos_pb2.Resource.ReservationInfo.DYNAMIC, role=ROLE, principal=PRINCIPAL)
    driver.acceptOffers([offer.id], [reserve(made)], filters(0))
    offer = driver.offer(of(agent))
    driver.show_offer("reserved", offer)
    driver.acceptOffers([offer.id], [unreserve(made)], filters(0))
    driver.show_offer("unreserved", driver.offer(of(agent)))
    driver.end()


@scenario(own=True)
def an_operation_with_an_id(stage):
    driver = stage.driver(owner())
    driver.begin()
    made = reserve(reserved("cpus", 1))
    made.id.value = "feedback wanted"
    # Apache's process ends at some moment after the call, whether its return was written down or not.
    try:
        driver.native.acceptOffers([driver.offer().id], [made])
        driver.pass_by("error", 5)
    except Exception:
        stage.note("raises Exception")
    driver.end()
