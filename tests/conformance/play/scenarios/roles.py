# Roles: suppress, revive, updateFramework. Semantics: `src/sched/sched.cpp`, `Master::updateFramework`.

from mesos.interface import mesos_pb2
from messages import filters, framework, task, whole
from stage import scenario

# Apache's constructor takes suppressed roles only after a credential, which the master then has to know.
CREDENTIAL = mesos_pb2.Credential(principal="principal", secret="secret")
KNOWN = {"MESOS_CREDENTIALS": "principal secret"}


def in_roles(*names, **fields):
    info = framework("MULTI_ROLE", **fields)
    info.roles.extend(names)
    return info


def offers_come(stage, driver, text, seconds=1.5):
    stage.note("offers %s: %s" % (text, driver.pass_by("resourceOffers", seconds)))
    driver.offers = []


@scenario
def suppress_and_revive(stage):
    driver = stage.driver(framework())
    driver.begin()
    driver.declineOffer(driver.offer().id, filters(0))
    driver.suppressOffers()
    driver.settle()
    offers_come(stage, driver, "while suppressed")
    driver.reviveOffers()
    driver.offer()
    driver.end()


@scenario
def suppress_and_revive_of_no_role_change_nothing(stage):
    driver = stage.driver(in_roles("a"))
    driver.begin()
    offer = driver.offer()
    driver.suppressOffers([])
    driver.declineOffer(offer.id, filters(0))
    driver.offer()
    driver.suppressOffers(["a"])
    driver.settle()
    driver.reviveOffers([])
    offers_come(stage, driver, "after reviving no role")
    driver.end()


@scenario
def one_of_two_roles_is_suppressed_and_revived(stage):
    driver = stage.driver(in_roles("a", "b"))
    driver.begin()
    driver.suppressOffers(["a"])
    for offer in driver.offers_of_agents(2):
        driver.declineOffer(offer.id, filters(0))
    driver.show_offer(
        "while a is suppressed", driver.offer(lambda offer: whole(offer) and offer.allocation_info.role == "b")
    )
    driver.suppressOffers(["b"])
    driver.settle()
    offers_come(stage, driver, "while both are suppressed")
    driver.reviveOffers(["a"])
    driver.show_offer("after reviving a", driver.offer(whole, any_agent=True))
    driver.end()


@scenario
def an_unknown_role_is_neither_suppressed_nor_revived(stage):
    driver = stage.driver(in_roles("a"))
    driver.begin()
    driver.suppressOffers(["a"])
    driver.settle()
    driver.reviveOffers(["a", "unknown"])
    offers_come(stage, driver, "after reviving an unknown role too")
    driver.reviveOffers(["a"])
    offer = driver.offer()
    driver.suppressOffers(["unknown"])
    driver.declineOffer(offer.id, filters(0))
    driver.offer()
    driver.end()


@scenario(own=True, flags=KNOWN)
def roles_suppressed_from_the_start(stage):
    driver = stage.driver(in_roles("a", "b"), 1, CREDENTIAL, ["a"])
    driver.begin()
    seen = {offer.allocation_info.role for offer in driver.offers_of_agents(2)}
    stage.note("offers in %s" % " ".join(sorted(seen)))
    driver.end()


@scenario(own=True, flags=KNOWN)
def every_role_suppressed_from_the_start(stage):
    driver = stage.driver(in_roles("a"), 1, CREDENTIAL, ["a"])
    driver.begin()
    offers_come(stage, driver, "at first")
    driver.reviveOffers(["a"])
    driver.offer()
    driver.end()


@scenario
def update_framework_changes_what_may_change(stage):
    info = framework(failover_timeout=10)
    driver = stage.driver(info)
    info.id.MergeFrom(driver.begin()[0])
    info.name, info.failover_timeout, info.webui_url, info.hostname = "renamed", 20, "http://a.page", "a.host"
    info.capabilities.add(type=info.Capability.PARTITION_AWARE)
    driver.updateFramework(info, [])
    stage.until("the new name", lambda: stage.framework_state(driver)["name"] == "renamed")
    state = stage.framework_state(driver)
    stage.note("%(name)s %(webui_url)s %(hostname)s" % state)
    driver.killTask(task(driver.offer(), "unknown").task_id)
    driver.state("unknown", "TASK_UNKNOWN")
    driver.end()


@scenario
def update_framework_changes_roles_and_rescinds_offers(stage):
    info = in_roles("a")
    driver = stage.driver(info)
    info.id.MergeFrom(driver.begin()[0])
    driver.offer()
    del info.roles[:]
    info.roles.append("b")
    driver.updateFramework(info, [])
    driver.wait("offerRescinded")
    offer = driver.offer(lambda offer: offer.allocation_info.role == "b")
    driver.launchTasks(offer.id, [task(offer, "t")])
    driver.state("t", "TASK_FINISHED")
    driver.end()


@scenario
def update_framework_suppresses_and_unsuppresses(stage):
    info = in_roles("a")
    driver = stage.driver(info)
    info.id.MergeFrom(driver.begin()[0])
    driver.declineOffer(driver.offer().id, filters(1000))
    driver.updateFramework(info, ["a"])
    driver.settle()
    offers_come(stage, driver, "while suppressed")
    driver.updateFramework(info, [])
    driver.offer()
    driver.end()


@scenario
def update_framework_before_registration(stage):
    driver = stage.driver(framework(), master="127.0.0.1:1")
    driver.start()
    info = framework()
    info.id.value = "x"
    driver.updateFramework(info, [])
    driver.wait("error")
    driver.join()


@scenario
def update_framework_with_another_id(stage):
    for name in (None, "another"):
        info = framework()
        driver = stage.driver(info, name="no id" if name is None else name)
        driver.begin()
        if name is not None:
            info.id.value = name
        driver.updateFramework(info, [])
        driver.wait("error")
        driver.join()


@scenario
def update_framework_cannot_change_everything(stage):
    changes = [
        ("user", lambda info: setattr(info, "user", "somebody else")),
        ("checkpoint", lambda info: setattr(info, "checkpoint", True)),
        ("principal", lambda info: setattr(info, "principal", "another")),
        ("a bad role", lambda info: setattr(info, "role", "a b")),
    ]
    for name, change in changes:
        info = framework(user="somebody", principal="one")
        driver = stage.driver(info, name=name)
        info.id.MergeFrom(driver.begin()[0])
        change(info)
        info.name = "renamed"
        driver.updateFramework(info, [])
        driver.wait("error")
        driver.write("%s: offers" % name, "named %s" % stage.framework_state(driver)["name"])
        driver.end()


@scenario
def update_framework_with_a_suppressed_role_twice(stage):
    info = in_roles("a")
    driver = stage.driver(info)
    info.id.MergeFrom(driver.begin()[0])
    driver.updateFramework(info, ["a", "a"])
    driver.end()
