# Every task that a master refuses, and its words. Semantics: `src/master/validation.cpp`.

from mesos.interface import mesos_pb2
from messages import amounts, framework, launch, operation, task
from stage import scenario

SCALAR, RANGES, SET = mesos_pb2.Value.SCALAR, mesos_pb2.Value.RANGES, mesos_pb2.Value.SET


def each_is_refused(stage, spoils, info=None, state="TASK_ERROR"):
    """Launches a task spoilt in each of these ways, one at a time; spoils: (name, function of the task)."""
    driver = stage.driver(info or framework())
    driver.begin()
    for name, spoil in spoils:
        offer = driver.offer()
        made = task(offer, name)
        spoil(made)
        driver.launchTasks(offer.id, [made], mesos_pb2.Filters(refuse_seconds=0))
        driver.state(made.task_id.value, state)
    driver.end()


def setting(path, value):
    """A function that sets a field deep in a task."""

    def spoil(made):
        parents, last = path.split(".")[:-1], path.split(".")[-1]
        for parent in parents:
            made = getattr(made, parent)
        setattr(made, last, value)

    return spoil


@scenario
def bad_task_ids(stage):
    ids = ["", ".", "..", "a/b", "a\\b", "a\tb", "x" * 256]
    each_is_refused(stage, [(name, lambda made: None) for name in ids])


@scenario
def a_task_id_twice(stage):
    driver = stage.driver(framework())
    driver.begin()
    offer = driver.offer()
    driver.launchTasks(offer.id, [task(offer, "t", "sleep 1000"), task(offer, "t", "sleep 1000")])
    driver.state("t", "TASK_ERROR")
    driver.state("t", "TASK_RUNNING")
    driver.end()


@scenario
def a_task_for_another_agent(stage):
    driver = stage.driver(framework())
    driver.begin()
    one, other = driver.offers_of_agents(2)
    driver.launchTasks(one.id, [task(other, "t")])
    driver.state("t", "TASK_ERROR")
    driver.launchTasks(other.id, [task(one, "u"), task(other, "v")])
    driver.state("v", "TASK_FINISHED")
    driver.end()


@scenario
def bad_durations(stage):
    each_is_refused(
        stage,
        [
            ("kill policy", setting("kill_policy.grace_period.nanoseconds", -1)),
            ("max_completion_time", setting("max_completion_time.nanoseconds", -1)),
        ],
    )


@scenario
def bad_resources(stage):
    def without(made):
        del made.resources[:]

    def only(*resources):
        def spoil(made):
            del made.resources[:]
            made.resources.extend(resources)

        return spoil

    def scalar(name, value, **more):
        return mesos_pb2.Resource(name=name, type=SCALAR, scalar=mesos_pb2.Value.Scalar(value=value), **more)

    def ranges(*pairs):
        made = mesos_pb2.Resource(name="ports", type=RANGES)
        for begin, end in pairs:
            made.ranges.range.add(begin=begin, end=end)
        return made

    cpus = scalar("cpus", 0.1)
    wrong_type = mesos_pb2.Resource(name="cpus", type=RANGES, scalar=mesos_pb2.Value.Scalar(value=1))
    no_value = mesos_pb2.Resource(name="cpus", type=SCALAR)
    empty_set = mesos_pb2.Resource(name="things", type=SET)
    empty_set.set.item.extend(["a", "a"])
    each_is_refused(
        stage,
        [
            ("none", without),
            ("negative", only(scalar("cpus", -1))),
            ("half a gpu", only(cpus, scalar("gpus", 0.5))),
            ("no name", only(scalar("", 1))),
            ("another type's value", only(wrong_type)),
            ("no value", only(no_value)),
            ("a range that ends before it begins", only(cpus, ranges((31001, 31000)))),
            ("overlapping ranges", only(cpus, ranges((31000, 31005), (31003, 31010)))),
            ("an item twice", only(cpus, empty_set)),
            ("reserved for a role", only(scalar("cpus", 0.1, role="other"))),
            ("a bad role", only(scalar("cpus", 0.1, role="a b"))),
            ("disk info without a volume", only(cpus, volume(None))),
            ("a volume that is not there", only(cpus, volume("v"))),
            ("revocable", only(scalar("cpus", 0.1, revocable=mesos_pb2.Resource.RevocableInfo()))),
            ("shared", only(scalar("cpus", 0.1, shared=mesos_pb2.Resource.SharedInfo()))),
        ],
    )


def volume(name):
    made = mesos_pb2.Resource(name="disk", type=SCALAR, scalar=mesos_pb2.Value.Scalar(value=10))
    if name is None:
        made.disk.volume.container_path = "path"
        made.disk.volume.mode = mesos_pb2.Volume.RW
        return made
    made.role = "*"
    made.disk.persistence.id = name
    made.disk.volume.container_path = "path"
    made.disk.volume.mode = mesos_pb2.Volume.RW
    return made


@scenario
def a_structurally_bad_resource_spoils_the_whole_launch(stage):
    driver = stage.driver(framework())
    driver.begin()
    offer = driver.offer()
    bad = task(offer, "bad", cpus=-1)
    driver.launchTasks(offer.id, [task(offer, "good"), bad])
    driver.state("bad", "TASK_ERROR")
    driver.end()


@scenario
def more_than_is_offered(stage):
    def ports(made):
        resource = made.resources.add(name="ports", type=RANGES)
        resource.ranges.range.add(begin=1, end=2)

    def strange(made):
        amounts(made.resources, unobtainium=1)

    driver = stage.driver(framework())
    driver.begin()
    for name, spoil in (
        ("cpus", lambda made: setattr(made.resources[0].scalar, "value", 1000)),
        ("p", ports),
        ("u", strange),
    ):
        offer = driver.offer(lambda offer: all(r.scalar.value == 8 for r in offer.resources if r.name == "cpus"))
        made = task(offer, name)
        spoil(made)
        driver.launchTasks(offer.id, [made], mesos_pb2.Filters(refuse_seconds=0))
        driver.state(name, "TASK_ERROR")
    driver.end()


@scenario
def one_bad_task_leaves_the_others_alone(stage):
    driver = stage.driver(framework())
    driver.begin()
    offer = driver.offer()
    driver.launchTasks(offer.id, [task(offer, "big", cpus=1000), task(offer, "good"), task(offer, "a/b")])
    driver.state("good", "TASK_FINISHED")
    driver.end()


@scenario
def neither_command_nor_executor_and_both(stage):
    def both(made):
        made.executor.executor_id.value = "e"
        made.executor.command.value = "exit 0"

    each_is_refused(stage, [("neither", lambda made: made.ClearField("command")), ("both", both)])


@scenario
def bad_commands(stage):
    def variable(**fields):
        return lambda made: made.command.environment.variables.add(name="A", **fields)

    kind = mesos_pb2.Environment.Variable
    each_is_refused(
        stage,
        [
            ("no value", variable()),
            ("value and secret", variable(value="v", secret=mesos_pb2.Secret(type=mesos_pb2.Secret.VALUE))),
            ("secret without one", variable(type=kind.SECRET)),
            ("both as secret", variable(type=kind.SECRET, value="v")),
        ],
    )


@scenario
def bad_executors(stage):
    def executor(**fields):
        def spoil(made):
            made.ClearField("command")
            made.executor.executor_id.value = fields.get("id", "e")
            if fields.get("command", True):
                made.executor.command.value = "exit 0"
            if "kind" in fields:
                made.executor.type = fields["kind"]
            if "framework" in fields:
                made.executor.framework_id.value = fields["framework"]
            if "grace" in fields:
                made.executor.shutdown_grace_period.nanoseconds = fields["grace"]
            if "cpus" in fields:
                amounts(made.executor.resources, cpus=fields["cpus"])

        return spoil

    each_is_refused(
        stage,
        [
            ("no command", executor(command=False)),
            ("no command, custom", executor(command=False, kind=mesos_pb2.ExecutorInfo.CUSTOM)),
            ("of the default type", executor(kind=mesos_pb2.ExecutorInfo.DEFAULT)),
            ("another framework's", executor(framework="another")),
            ("a negative grace period", executor(grace=-1)),
            ("an empty id", executor(id="")),
            ("a bad id", executor(id="a/b")),
            ("negative resources", executor(cpus=-1)),
            ("too much", executor(cpus=1000)),
        ],
    )


@scenario
def bad_health_checks(stage):
    kind = mesos_pb2.HealthCheck
    bad_tcp = kind(type=kind.TCP)
    bad_http = kind(type=kind.HTTP)
    checks = [
        ("no type", kind()),
        ("unknown", kind(type=kind.UNKNOWN)),
        ("command", kind(type=kind.COMMAND)),
        ("http", bad_http),
        ("tcp", bad_tcp),
        ("a scheme", kind(type=kind.HTTP, http=kind.HTTPCheckInfo(port=80, scheme="ftp"))),
        ("a path", kind(type=kind.HTTP, http=kind.HTTPCheckInfo(port=80, path="x"))),
    ]
    for name in ("delay", "interval", "timeout", "grace_period"):
        check = kind(type=kind.TCP, tcp=kind.TCPCheckInfo(port=80))
        setattr(check, name + "_seconds", -1)
        checks.append((name, check))
    variable = kind(type=kind.COMMAND)
    variable.command.value = "x"
    variable.command.environment.variables.add(name="A")
    checks.append(("a command's variable", variable))
    each_is_refused(
        stage, [(name, lambda made, check=check: made.health_check.MergeFrom(check)) for name, check in checks]
    )


@scenario
def bad_checks(stage):
    kind = mesos_pb2.CheckInfo
    checks = [
        ("no type", kind()),
        ("unknown", kind(type=kind.UNKNOWN)),
        ("command", kind(type=kind.COMMAND)),
        ("http", kind(type=kind.HTTP)),
        ("tcp", kind(type=kind.TCP)),
        ("a path", kind(type=kind.HTTP, http=kind.Http(port=80, path="x"))),
    ]
    for name in ("delay", "interval", "timeout"):
        check = kind(type=kind.TCP, tcp=kind.Tcp(port=80))
        setattr(check, name + "_seconds", -1)
        checks.append((name, check))
    each_is_refused(stage, [(name, lambda made, check=check: made.check.MergeFrom(check)) for name, check in checks])


@scenario
def bad_containers(stage):
    def container(**fields):
        def spoil(made):
            made.container.type = fields.get("kind", mesos_pb2.ContainerInfo.MESOS)
            for volume_fields in fields.get("volumes", []):
                made.container.volumes.add(mode=mesos_pb2.Volume.RW, **volume_fields)

        return spoil

    source = mesos_pb2.Volume.Source
    each_is_refused(
        stage,
        [
            (
                "docker without image",
                container(kind=mesos_pb2.ContainerInfo.DOCKER, volumes=[{"container_path": "", "host_path": "/"}]),
            ),
            (
                "a source without its kind",
                container(volumes=[{"container_path": "p", "source": source(type=source.HOST_PATH)}]),
            ),
            (
                "a host path and a source",
                container(volumes=[{"container_path": "p", "host_path": "/", "source": source()}]),
            ),
            (
                "a secret without one",
                container(volumes=[{"container_path": "p", "source": source(type=source.SECRET)}]),
            ),
        ],
    )


@scenario
def bad_limits(stage):
    def limit(name, value):
        return lambda made: made.limits[name].__setattr__("value", value)

    def shared(made):
        made.limits["cpus"].value = 1
        made.command.value = "exit 0"

    each_is_refused(
        stage,
        [
            ("disk", limit("disk", 1)),
            ("below the request", limit("cpus", 0.01)),
            ("memory below the request", limit("mem", 1)),
        ],
    )


@scenario
def bad_task_groups(stage):
    def group(driver, offer, tasks, executor=None, owned=True):
        made = operation("LAUNCH_GROUP")
        if executor is None:
            executor = mesos_pb2.ExecutorInfo(type=mesos_pb2.ExecutorInfo.DEFAULT)
            executor.executor_id.value = "default"
            amounts(executor.resources, cpus=0.1, mem=32, disk=32)
        made.launch_group.executor.MergeFrom(executor)
        if owned:
            made.launch_group.executor.framework_id.value = driver.framework_id
        made.launch_group.task_group.tasks.extend(tasks)
        driver.acceptOffers([offer.id], [made], mesos_pb2.Filters(refuse_seconds=0))

    driver = stage.driver(framework())
    driver.begin()
    offer = driver.offer()
    group(driver, offer, [task(offer, "good in a bad group"), task(offer, "bad/id")])
    driver.state("good in a bad group", "TASK_ERROR")
    offer = driver.offer()
    group(driver, offer, [task(offer, "too big", cpus=1000)])
    driver.state("too big", "TASK_ERROR")
    offer = driver.offer()
    group(driver, offer, [task(offer, "an executor without a framework id")], owned=False)
    driver.state("an executor without a framework id", "TASK_ERROR")
    offer = driver.offer()
    untyped = mesos_pb2.ExecutorInfo()
    untyped.executor_id.value = "untyped"
    group(driver, offer, [task(offer, "an executor without a type")], untyped)
    driver.state("an executor without a type", "TASK_ERROR")
    offer = driver.offer()
    poor = mesos_pb2.ExecutorInfo(type=mesos_pb2.ExecutorInfo.DEFAULT)
    poor.executor_id.value = "poor"
    amounts(poor.resources, cpus=0.001)
    group(driver, offer, [task(offer, "a poor executor")], poor)
    driver.state("a poor executor", "TASK_ERROR")
    offer = driver.offer()
    commanding = mesos_pb2.ExecutorInfo(type=mesos_pb2.ExecutorInfo.DEFAULT)
    commanding.executor_id.value = "commanding"
    commanding.command.value = "exit 0"
    amounts(commanding.resources, cpus=0.1, mem=32, disk=32)
    group(driver, offer, [task(offer, "a default executor with a command")], commanding)
    driver.state("a default executor with a command", "TASK_ERROR")
    offer = driver.offer()
    own = task(offer, "an executor of its own")
    own.executor.executor_id.value = "another"
    group(driver, offer, [own])
    driver.state("an executor of its own", "TASK_ERROR")
    driver.end()


@scenario
def the_first_bad_thing_is_named(stage):
    def spoil(made):
        made.task_id.value = "a/b"
        made.slave_id.value = "elsewhere"
        made.ClearField("command")

    each_is_refused(stage, [("everything", spoil)])


@scenario
def a_good_launch_after_a_bad_one_in_the_same_accept(stage):
    driver = stage.driver(framework())
    driver.begin()
    offer = driver.offer()
    driver.acceptOffers([offer.id], [launch(task(offer, "bad", cpus=-1)), launch(task(offer, "good"))])
    driver.state("good", "TASK_FINISHED")
    driver.end()
