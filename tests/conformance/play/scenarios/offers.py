# Offers: their form, their use, their filters. Semantics: `Master::accept`, `src/master/allocator`.

import time

from mesos.interface import mesos_pb2
from messages import filters, framework, launch, task, task_id, whole
from stage import scenario


@scenario
def the_form_of_an_offer(stage):
    several = framework("MULTI_ROLE")
    several.roles.append("a")
    kinds = [
        ("plain", framework()),
        ("a role", framework(role="a")),
        ("MULTI_ROLE", several),
        ("RESERVATION_REFINEMENT", framework("RESERVATION_REFINEMENT")),
        ("PARTITION_AWARE", framework("PARTITION_AWARE")),
    ]
    for name, info in kinds:
        driver = stage.driver(info, name=name)
        driver.begin()
        driver.show_offer("offered", driver.offer(whole))
        driver.end()


@scenario
def an_offer_can_be_used_once(stage):
    for name, info in (("plain", framework()), ("PARTITION_AWARE", framework("PARTITION_AWARE"))):
        driver = stage.driver(info, name=name)
        driver.begin()
        offer = driver.offer()
        driver.declineOffer(offer.id, filters(0))
        driver.launchTasks(offer.id, [task(offer, "t"), task(offer, "u")])
        driver.state("t", "TASK_LOST" if name == "plain" else "TASK_DROPPED")
        driver.state("u", "TASK_LOST" if name == "plain" else "TASK_DROPPED")
        driver.end()


@scenario
def offers_that_do_not_go_together(stage):
    driver = stage.driver(framework())
    driver.begin()
    one, other = driver.offers_of_agents(2)
    driver.launchTasks([one.id, other.id], [task(one, "of two agents")])
    driver.state("of two agents", "TASK_LOST")
    one = driver.offer(whole)
    driver.launchTasks([one.id, one.id], [task(one, "one offer twice")])
    driver.state("one offer twice", "TASK_LOST")
    driver.launchTasks([], [task(one, "no offer")])
    driver.state("no offer", "TASK_LOST")
    unknown = mesos_pb2.OfferID(value="never made")
    one = driver.offer(whole)
    driver.launchTasks([one.id, unknown], [task(one, "one of two unknown")])
    driver.state("one of two unknown", "TASK_LOST")
    driver.end()


@scenario
def another_framework_s_offer(stage):
    one = stage.driver(framework())
    one.begin()
    offer = one.offer()
    other = stage.driver(framework())
    other.begin()
    other.launchTasks(offer.id, [task(offer, "t")])
    other.state("t", "TASK_LOST")
    one.launchTasks(offer.id, [task(offer, "t")])
    one.state("t", "TASK_LOST")
    other.end()
    one.end()


@scenario
def offers_of_two_roles(stage):
    info = framework("MULTI_ROLE")
    info.roles.extend(["a", "b"])
    driver = stage.driver(info)
    driver.begin()
    # Each role gets the offer of one agent.
    of_a = driver.offer(lambda offer: offer.allocation_info.role == "a", any_agent=True)
    of_b = driver.offer(lambda offer: offer.allocation_info.role == "b", any_agent=True)
    driver.launchTasks([of_a.id, of_b.id], [task(of_a, "t")])
    driver.state("t", "TASK_LOST")
    driver.end()


@scenario
def offers_of_one_agent_together(stage):
    driver = stage.driver(framework())
    driver.begin()
    first = driver.offer(whole)
    agent = first.slave_id.value
    driver.launchTasks(first.id, [task(first, "t", "sleep 1000", cpus=4)], filters(0))
    driver.state("t", "TASK_RUNNING")
    rest = driver.offer(lambda offer: offer.slave_id.value == agent)
    driver.killTask(task_id("t"))
    driver.state("t", "TASK_KILLED")
    freed = driver.offer(lambda offer: offer.slave_id.value == agent)
    driver.launchTasks([rest.id, freed.id], [task(first, "u", cpus=6)])
    driver.state("u", "TASK_FINISHED")
    driver.end()


@scenario
def an_empty_launch_declines(stage):
    driver = stage.driver(framework())
    driver.begin()
    offer = driver.offer()
    agent = offer.slave_id.value
    driver.launchTasks(offer.id, [], filters(0))
    driver.offer(lambda offer: offer.slave_id.value == agent)
    driver.end()


@scenario
def an_empty_accept_declines(stage):
    driver = stage.driver(framework())
    driver.begin()
    offer = driver.offer()
    agent = offer.slave_id.value
    driver.acceptOffers([offer.id], [], filters(0))
    driver.offer(lambda offer: offer.slave_id.value == agent)
    driver.end()


def offered_again(stage, text, decline, least, most):
    """Whether the agent that was declined is offered again, and that not before its filter's end."""
    driver = stage.driver(framework(), name=text)
    driver.begin()
    offer = driver.offer(whole)
    agent, begun = offer.slave_id.value, time.time()
    decline(driver, offer)
    driver.offer(lambda offer: offer.slave_id.value == agent)
    seconds = time.time() - begun
    driver.write("%s: offers" % text, "offered again too soon: %s, too late: %s" % (seconds < least, seconds > most))
    driver.end()


@scenario
def filters_and_their_timing(stage):
    # The allocator works in steps of 0.2 s here, and a filter lasts for one at least.
    offered_again(stage, "no filter", lambda d, o: d.declineOffer(o.id, filters(0)), 0, 4.5)
    offered_again(stage, "1.5 seconds", lambda d, o: d.declineOffer(o.id, filters(1.5)), 1.45, 4.5)
    offered_again(stage, "the default, 5 seconds", lambda d, o: d.declineOffer(o.id), 4.95, 12)
    offered_again(stage, "below 0, the default", lambda d, o: d.declineOffer(o.id, filters(-1)), 4.95, 12)
    offered_again(stage, "launch of nothing", lambda d, o: d.launchTasks(o.id, [], filters(1)), 0.95, 4.5)

    def launch_one(driver, offer):
        driver.launchTasks(offer.id, [task(offer, "t", "sleep 10")], filters(1))

    offered_again(stage, "the rest of a launch", launch_one, 0.95, 4.5)


@scenario
def a_filter_blocks_only_what_was_refused_or_less(stage):
    driver = stage.driver(framework())
    driver.begin()
    offer = driver.offer(whole)
    agent = offer.slave_id.value
    driver.launchTasks(offer.id, [task(offer, "t", "sleep 1000")], filters(1000))
    driver.state("t", "TASK_RUNNING")
    driver.killTask(task_id("t"))
    driver.state("t", "TASK_KILLED")
    driver.offer(lambda offer: offer.slave_id.value == agent and whole(offer))
    driver.end()


@scenario
def reviving_drops_filters(stage):
    driver = stage.driver(framework())
    driver.begin()
    offer = driver.offer()
    driver.declineOffer(offer.id, filters(1000))
    driver.reviveOffers()
    driver.offer(lambda again: again.slave_id.value == offer.slave_id.value)
    driver.end()


@scenario
def the_rest_of_a_launch_is_offered_again(stage):
    driver = stage.driver(framework())
    driver.begin()
    offer = driver.offer(whole)
    agent = offer.slave_id.value
    made = task(offer, "t", "sleep 1000", cpus=1.5, mem=100)
    ports = made.resources.add(name="ports", type=mesos_pb2.Value.RANGES)
    ports.ranges.range.add(begin=31000, end=31009)
    driver.launchTasks(offer.id, [made], filters(0))
    driver.state("t", "TASK_RUNNING")
    driver.show_offer("the rest", driver.offer(lambda offer: offer.slave_id.value == agent))
    driver.end()


@scenario(apart=True)
def accept_launches_several_times(stage):
    driver = stage.driver(framework())
    driver.begin()
    offer = driver.offer()
    driver.acceptOffers([offer.id], [launch(task(offer, "t")), launch(task(offer, "u"), task(offer, "v"))], filters(0))
    for name in "tuv":
        driver.state(name, "TASK_FINISHED")
    driver.end()


@scenario
def one_offer_is_declined_twice(stage):
    driver = stage.driver(framework())
    driver.begin()
    offer = driver.offer()
    driver.declineOffer(offer.id, filters(0))
    driver.declineOffer(offer.id, filters(0))
    driver.offer(lambda again: again.slave_id.value == offer.slave_id.value)
    driver.end()
