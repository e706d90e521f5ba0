# Registration, failover, refusal. Semantics: `Master::subscribe` in `src/master/master.cpp`, `src/sched/sched.cpp`.

from mesos.interface import mesos_pb2
from messages import filters, framework, status, task
from stage import scenario

BAD_MASTERS = [
    "",
    "localhost",
    "localhost:",
    ":5050",
    "localhost:port",
    " localhost:5050",
    "[::1]:5050",
    "no.such.host.invalid:5050",
    "zk://",
    "zk://127.0.0.1:2181",
    "zk://127.0.0.1:2181/",
    "file:///no/such/file",
]


@scenario
def registration_fills_in_user_and_host_name_and_nothing_else(stage):
    info = framework()
    driver = stage.driver(info)
    driver.begin()
    state = stage.framework_state(driver)
    filled = [name for name in ("user", "hostname") if state[name]]
    stage.note("filled in: %s; role %s; checkpoint %s" % (" ".join(filled), state["role"], state["checkpoint"]))
    stage.note("the caller's message has %s" % " ".join(f.name for f, _ in info.ListFields()))
    driver.end()


@scenario
def registration_with_every_field(stage):
    info = framework("MULTI_ROLE", "PARTITION_AWARE", "TASK_KILLING_STATE")
    info.user, info.hostname, info.webui_url, info.principal = "somebody", "a.host", "http://a.page", "p"
    info.failover_timeout, info.checkpoint = 12.5, True
    info.roles.append("a/b")
    info.labels.labels.add(key="k", value="v")
    driver = stage.driver(info)
    driver.begin()
    state = stage.framework_state(driver)
    keys = ["user", "hostname", "webui_url", "principal", "failover_timeout", "checkpoint", "roles", "capabilities"]
    stage.note(
        ", ".join(
            "%s %s" % (key, "%g" % state[key] if key == "failover_timeout" else written(state[key])) for key in keys
        )
    )
    driver.end()


def written(value):
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


@scenario
def an_empty_framework_id_is_none(stage):
    info = framework()
    info.id.value = ""
    driver = stage.driver(info)
    driver.begin()
    driver.end()


@scenario
def a_framework_id_of_its_own_is_taken(stage):
    info = framework()
    info.id.value = "an-id-of-its-own-" + stage.unique
    driver = stage.driver(info)
    driver.begin()
    driver.end()


@scenario
def a_removed_framework_does_not_come_back(stage):
    info = framework()
    first = stage.driver(info)
    info.id.MergeFrom(first.begin()[0])
    first.end()
    second = stage.driver(info)
    second.start()
    second.wait("error")
    second.join()
    second.stop()


@scenario
def failover_keeps_the_tasks(stage):
    info = framework(failover_timeout=1000)
    first = stage.driver(info)
    info.id.MergeFrom(first.begin()[0])
    offer = first.offer()
    first.launchTasks(offer.id, [task(offer, "t", "sleep 1000")])
    first.state("t", "TASK_RUNNING")
    first.stop(True)
    first.join()
    second = stage.driver(info)
    second.begin()
    second.reconcileTasks([])
    second.state("t", "TASK_RUNNING")
    second.killTask(status("t").task_id)
    second.state("t", "TASK_KILLED")
    second.end()


@scenario
def a_second_scheduler_takes_over(stage):
    info = framework(failover_timeout=1000)
    first = stage.driver(info)
    info.id.MergeFrom(first.begin()[0])
    offer = first.offer()
    first.launchTasks(offer.id, [task(offer, "t", "sleep 1000")])
    first.state("t", "TASK_RUNNING")
    second = stage.driver(info)
    second.begin()
    first.wait("error")
    first.join()
    first.killTask(status("t").task_id)
    second.killTask(status("t").task_id)
    second.state("t", "TASK_KILLED")
    second.end()


@scenario
def the_first_of_two_schedulers_can_only_stop(stage):
    info = framework(failover_timeout=1000)
    first = stage.driver(info)
    info.id.MergeFrom(first.begin()[0])
    second = stage.driver(info)
    second.begin()
    first.wait("error")
    first.stop(True)
    first.join()
    stage.note("still known: %s" % (stage.framework_state(second) is not None))
    second.end()


@scenario
def offers_of_the_first_scheduler_are_lost_to_the_second(stage):
    info = framework(failover_timeout=1000)
    first = stage.driver(info)
    info.id.MergeFrom(first.begin()[0])
    old = first.offer()
    second = stage.driver(info)
    second.begin()
    second.launchTasks(old.id, [task(old, "t")])
    second.state("t", "TASK_LOST")
    second.end()


@scenario
def user_and_checkpointing_stay_what_they_were(stage):
    info = framework(user="one", failover_timeout=1000)
    first = stage.driver(info)
    info.id.MergeFrom(first.begin()[0])
    first.stop(True)
    first.join()
    info.user, info.checkpoint, info.name = "two", True, "renamed"
    second = stage.driver(info)
    second.begin()
    state = stage.framework_state(second)
    stage.note("user %(user)s, checkpoint %(checkpoint)s, name %(name)s" % state)
    second.end()


@scenario
def another_principal_is_refused(stage):
    info = framework(principal="one", failover_timeout=1000)
    first = stage.driver(info)
    info.id.MergeFrom(first.begin()[0])
    first.stop(True)
    first.join()
    info.principal = "two"
    second = stage.driver(info)
    second.start()
    second.wait("error")
    second.join()


@scenario
def bad_frameworks_are_refused(stage):
    def refused(name, info, *arguments):
        driver = stage.driver(info, *arguments, name=name)
        driver.start()
        driver.wait("error")
        driver.join()

    for i, role in enumerate(["a b", "/a", "a//b", ".", "..", "-a", "a/*", "a/-b", "a\tb"]):
        refused("bad role %d" % i, framework(role=role))
    several = framework()
    several.roles.append("a")
    refused("roles without MULTI_ROLE", several)
    refused("role with MULTI_ROLE", framework("MULTI_ROLE", role="a"))
    twice = framework("MULTI_ROLE")
    twice.roles.extend(["a", "a"])
    refused("a role twice", twice)
    for timeout in (1e300, float("inf")):
        refused("failover timeout %g" % timeout, framework(failover_timeout=timeout))
    for i, name in enumerate(["a/b", "..", "x" * 256]):
        info = framework()
        info.id.value = name
        refused("bad id %d" % i, info)


@scenario
def a_negative_failover_timeout_is_taken(stage):
    driver = stage.driver(framework(failover_timeout=-1))
    driver.begin()
    driver.end()


@scenario
def a_master_that_cannot_be_understood(stage):
    for i, master in enumerate(BAD_MASTERS):
        driver = stage.driver(framework(), name="master %d" % i, master=master)
        if driver.start() == mesos_pb2.DRIVER_ABORTED:
            driver.join()
        driver.stop()


@scenario
def masters_that_can_be_understood(stage):
    host, port = stage.address.split(":")
    for i, master in enumerate(["localhost:" + port, "master@" + stage.address, stage.address + " "]):
        driver = stage.driver(framework(), name="master %d" % i, master=master)
        driver.begin()
        driver.end()


@scenario
def a_file_that_names_the_master(stage):
    import tempfile

    with tempfile.NamedTemporaryFile() as named:
        named.write((stage.address + "\n").encode())
        named.flush()
        driver = stage.driver(framework(), master="file://" + named.name)
        driver.begin()
        driver.end()


@scenario
def several_drivers_in_one_process(stage):
    drivers = [stage.driver(framework()) for _ in range(3)]
    for driver in drivers:
        driver.begin()
    stage.note("different ids: %d" % len({driver.framework_id for driver in drivers}))
    for driver in drivers:
        driver.end()


@scenario(zookeeper=True, own=True)
def the_leader_moves_to_another_master_and_back(stage):
    driver = stage.driver(framework(failover_timeout=1000))
    driver.begin()
    stage.demand("lead 2")
    driver.wait("disconnected")
    driver.wait("registered")
    stage.demand("lead 1")
    driver.wait("disconnected")
    driver.wait("reregistered")
    driver.end()


@scenario(zookeeper=True, own=True)
def no_master_leads_for_a_while(stage):
    driver = stage.driver(framework("PARTITION_AWARE", failover_timeout=1000), 0)
    driver.begin()
    offer = driver.offer()
    stage.demand("lead 0")
    driver.wait("disconnected")
    driver.launchTasks(offer.id, [task(offer, "launched while disconnected")])
    driver.state("launched while disconnected", "TASK_DROPPED")
    launch = mesos_pb2.Offer.Operation(type=mesos_pb2.Offer.Operation.LAUNCH)
    launch.launch.task_infos.extend([task(offer, "accepted while disconnected")])
    driver.acceptOffers([offer.id], [launch])
    driver.state("accepted while disconnected", "TASK_DROPPED")
    driver.killTask(status("t").task_id)
    driver.declineOffer(offer.id, filters(1))
    driver.reconcileTasks([])
    driver.acknowledgeStatusUpdate(status("t", "s"))
    stage.demand("lead 1")
    driver.wait("reregistered")
    driver.end()


@scenario(zookeeper=True, own=True)
def suppression_survives_a_disconnection(stage):
    info = framework("MULTI_ROLE", failover_timeout=1000)
    info.roles.append("a")
    driver = stage.driver(info)
    driver.begin()
    driver.declineOffer(driver.offer().id, filters(0))
    stage.demand("lead 0")
    driver.wait("disconnected")
    driver.suppressOffers()
    stage.demand("lead 1")
    driver.wait("reregistered")
    driver.settle()
    stage.note("offers while suppressed: %s" % driver.pass_by("resourceOffers", 1))
    driver.reviveOffers()
    driver.wait("resourceOffers")
    driver.end()


@scenario(zookeeper=True, own=True)
def stop_while_disconnected_leaves_the_framework(stage):
    driver = stage.driver(framework(failover_timeout=1000))
    driver.begin()
    stage.demand("lead 0")
    driver.wait("disconnected")
    driver.stop()
    driver.join()
    stage.note("known after stop(): %s" % (stage.framework_state(driver) is not None))


@scenario(zookeeper=True, own=True)
def a_task_that_ends_while_nobody_leads(stage):
    driver = stage.driver(framework(failover_timeout=1000))
    driver.begin()
    offer = driver.offer()
    driver.launchTasks(offer.id, [task(offer, "t", "sleep 5")])
    driver.state("t", "TASK_RUNNING")
    # Until the master has the acknowledgement, the agent repeats the update. The first answer comes after the callback
    # has returned, and the second question after the acknowledgement.
    for _ in range(2):
        driver.reconcileTasks([status("nobody")])
        driver.wait("statusUpdate", lambda update: update.task_id.value == "nobody")
    stage.demand("lead 0")
    driver.wait("disconnected")
    stage.demand("lead 1")
    driver.wait("reregistered")
    driver.state("t", "TASK_FINISHED")
    driver.end()
