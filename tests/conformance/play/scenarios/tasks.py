# Tasks that run, fail and are killed. Semantics: `src/launcher/executor.cpp`, `Master::kill`.

from mesos.interface import mesos_pb2
from messages import filters, framework, task, task_id
from stage import scenario

ENDS = ["exit 0", "exit 3", "kill -9 $$", "kill -15 $$"]


@scenario(apart=True)
def tasks_end(stage):
    driver = stage.driver(framework())
    driver.begin()
    offer = driver.offer()
    driver.launchTasks(offer.id, [task(offer, command, command) for command in ENDS])
    driver.state("exit 0", "TASK_FINISHED")
    for command in ENDS[1:]:
        driver.state(command, "TASK_FAILED")
    driver.end()


@scenario
def a_task_with_every_field_of_its_own(stage):
    driver = stage.driver(framework())
    driver.begin()
    offer = driver.offer()
    made = task(offer, "t", "test $A = b && test $0 = sh || exit 3")
    made.command.environment.variables.add(name="A", value="b")
    made.labels.labels.add(key="k", value="v")
    made.data = b"a\x00b"
    made.discovery.visibility = mesos_pb2.DiscoveryInfo.CLUSTER
    made.discovery.name = "d"
    made.kill_policy.grace_period.nanoseconds = 10**9
    driver.launchTasks(offer.id, [made])
    driver.state("t", "TASK_FINISHED")
    driver.end()


@scenario
def a_command_without_a_shell(stage):
    driver = stage.driver(framework())
    driver.begin()
    offer = driver.offer()
    made = task(offer, "t", "/bin/sh")
    made.command.shell = False
    made.command.arguments.extend(["sh", "-c", "exit 4"])
    driver.launchTasks(offer.id, [made])
    driver.state("t", "TASK_FAILED")
    driver.end()


@scenario
def a_running_task_is_killed(stage):
    killed(stage, framework())


@scenario
def a_running_task_is_killed_with_task_killing_state(stage):
    killed(stage, framework("TASK_KILLING_STATE"))


# Ends by SIGTERM as other commands do, a second late, so that it still runs when it is killed again.
SLOW_TO_END = "trap 'sleep 1; trap - TERM; kill $$' TERM; while :; do sleep 0.05; done"


def killed(stage, info):
    driver = stage.driver(info)
    driver.begin()
    offer = driver.offer()
    driver.launchTasks(offer.id, [task(offer, "t", SLOW_TO_END)])
    driver.state("t", "TASK_RUNNING")
    driver.killTask(task_id("t"))
    driver.killTask(task_id("t"))
    driver.state("t", "TASK_KILLED")
    driver.end()


@scenario
def an_unknown_task_is_killed(stage):
    for name, info in (("plain", framework()), ("PARTITION_AWARE", framework("PARTITION_AWARE"))):
        driver = stage.driver(info, name=name)
        driver.begin()
        driver.killTask(task_id("never heard of"))
        driver.wait("statusUpdate")
        driver.end()


@scenario
def a_finished_task_is_killed(stage):
    for name, info in (("plain", framework()), ("PARTITION_AWARE", framework("PARTITION_AWARE"))):
        driver = stage.driver(info, name=name)
        driver.begin()
        offer = driver.offer()
        driver.launchTasks(offer.id, [task(offer, "t")])
        driver.state("t", "TASK_FINISHED")
        stage.until("the acknowledgement", lambda: not stage.framework_state(driver)["tasks"])  # noqa: B023
        driver.killTask(task_id("t"))
        driver.wait("statusUpdate")
        driver.end()


@scenario
def an_empty_task_id_is_killed(stage):
    driver = stage.driver(framework())
    driver.begin()
    driver.killTask(task_id(""))
    driver.wait("statusUpdate")
    driver.end()


@scenario
def stop_kills_tasks_without_updates(stage):
    driver = stage.driver(framework(failover_timeout=1000))
    driver.begin()
    offer = driver.offer()
    driver.launchTasks(offer.id, [task(offer, "t", "sleep 1000")])
    driver.state("t", "TASK_RUNNING")
    driver.end()

    def completed():
        return [f for f in stage.state()["completed_frameworks"] if f["id"] == driver.framework_id]

    stage.until("the framework is completed", completed)
    tasks = completed()[0]["completed_tasks"]
    stage.note("afterwards: %s" % " ".join(str(t["state"]) for t in tasks))


@scenario(apart=True)
def many_tasks_at_once(stage):
    driver = stage.driver(framework())
    driver.begin()
    offer = driver.offer()
    names = ["t%02d" % i for i in range(10)]
    driver.launchTasks(offer.id, [task(offer, name) for name in names], filters(1))
    for name in names:
        driver.state(name, "TASK_FINISHED")
    driver.end()
