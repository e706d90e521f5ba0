# What each call takes as arguments, and what it refuses. Semantics: `src/python/scheduler`.

from mesos.interface import mesos_pb2
from messages import filters, framework, status, task, task_id
from stage import scenario

OFFER = mesos_pb2.OfferID(value="o")
EXECUTOR = mesos_pb2.ExecutorID(value="e")
AGENT = mesos_pb2.SlaveID(value="s")


@scenario
def messages_of_the_wrong_type(stage):
    driver = stage.driver(framework(), 0)
    driver.begin()
    driver.launchTasks(1, [])
    driver.launchTasks([1], [])
    driver.launchTasks(OFFER, 1)
    driver.launchTasks(OFFER, [1])
    driver.launchTasks(OFFER, [], 1)
    driver.launchTasks(OFFER, [mesos_pb2.TaskInfo()])
    driver.acceptOffers(1, [])
    driver.acceptOffers([OFFER], 1)
    driver.acceptOffers([OFFER], [1])
    driver.declineOffer(1)
    driver.declineOffer(OFFER, 1)
    driver.killTask(None)
    driver.killTask(mesos_pb2.TaskID())
    driver.requestResources(1)
    driver.requestResources([1])
    driver.reconcileTasks(None)
    driver.reconcileTasks([1])
    driver.reconcileTasks([mesos_pb2.TaskStatus()])
    driver.acknowledgeStatusUpdate(1)
    driver.sendFrameworkMessage(EXECUTOR, AGENT, None)
    driver.sendFrameworkMessage(EXECUTOR, AGENT, 1)
    driver.sendFrameworkMessage(1, AGENT, b"")
    driver.updateFramework(1, [])
    driver.updateFramework(framework(), 1)
    driver.updateFramework(framework(), None)
    driver.reviveOffers(1)
    driver.suppressOffers(1)
    driver.reviveOffers([1])
    driver.end()


@scenario
def too_few_and_too_many_arguments(stage):
    driver = stage.driver(framework(), 0)
    driver.begin()
    for call in ("launchTasks", "acceptOffers", "declineOffer", "killTask", "requestResources", "reconcileTasks"):
        getattr(driver, call)()
    driver.launchTasks(OFFER)
    driver.sendFrameworkMessage(EXECUTOR, AGENT)
    driver.killTask(task_id("t"), 1)
    driver.launchTasks(OFFER, [], filters(1), 1)
    driver.start(1)
    driver.join(1)
    driver.updateFramework(framework())
    driver.end()


@scenario
def any_message_whose_bytes_parse_is_taken(stage):
    driver = stage.driver(framework())
    driver.begin()
    driver.killTask(AGENT)
    driver.sendFrameworkMessage(AGENT, EXECUTOR, b"data")
    driver.state("s", "TASK_LOST")
    driver.end()


@scenario
def one_offer_or_a_list_of_them(stage):
    driver = stage.driver(framework())
    driver.begin()
    offer = driver.offer()
    driver.launchTasks([offer.id], [task(offer, "t")], filters(0))
    driver.state("t", "TASK_FINISHED")
    offer = driver.offer()
    driver.launchTasks(offer.id, [task(offer, "u")], filters(0))
    driver.state("u", "TASK_FINISHED")
    driver.end()


@scenario
def bytes_and_text_as_a_framework_message(stage):
    driver = stage.driver(framework())
    driver.begin()
    for data in (b"", b"a\x00\xff", "text", b"text".decode()):
        driver.sendFrameworkMessage(EXECUTOR, AGENT, data)
    driver.end()


@scenario
def the_constructor_refuses(stage):
    def attempt(text, *arguments):
        try:
            stage.driver(*arguments, name=text)
        except Exception as error:
            stage.note("%s: raises %s" % (text, "TypeError" if isinstance(error, TypeError) else "Exception"))
        else:
            stage.note("%s: taken" % text)

    attempt("no framework", None)
    attempt("an incomplete framework", mesos_pb2.FrameworkInfo())
    attempt("None as implicitAcknowledgements", framework(), None)
    attempt("a float as implicitAcknowledgements", framework(), 1.5)
    attempt("a text as implicitAcknowledgements", framework(), "yes")
    attempt("a number as credential", framework(), 1, 1)
    credential = mesos_pb2.Credential(principal="p")
    attempt("roles that are none", framework(), 1, credential, 1)
    attempt("roles that are no texts", framework(), 1, credential, [1])
    attempt("too much", framework(), 1, credential, [], 1)


# What follows is better here on purpose.


@scenario
def none_as_filters(stage):
    driver = stage.driver(framework())
    driver.begin()
    offer = driver.offer()
    driver.declineOffer(offer.id, None)
    driver.launchTasks(OFFER, [], None)
    driver.acceptOffers([OFFER], [], None)
    driver.end()


@scenario
def none_as_credential_and_as_suppressed_roles(stage):
    def attempt():
        driver = stage.driver(framework(), 1, None, None)
        driver.begin()
        driver.end()

    try:
        attempt()
    except Exception:
        stage.note("raises Exception")


@scenario
def iterables_that_are_no_lists(stage):
    driver = stage.driver(framework())
    driver.begin()
    driver.launchTasks((OFFER,), [])
    driver.launchTasks([OFFER], ())
    driver.launchTasks(OFFER, iter([]))
    driver.acceptOffers((OFFER,), ())
    driver.acceptOffers(OFFER, [])
    driver.declineOffer([OFFER])
    driver.requestResources(())
    driver.reconcileTasks(iter([status("t")]))
    driver.pass_by("statusUpdate", 1)
    driver.end()


@scenario
def keyword_arguments(stage):
    driver = stage.driver(framework())
    driver.begin()
    driver.declineOffer(offerId=OFFER, filters=filters(1))
    driver.launchTasks(offerIds=[OFFER], tasks=[])
    driver.killTask(taskId=task_id("t"))
    driver.reviveOffers(roles=None)
    driver.pass_by("statusUpdate", 1)
    driver.stop(failover=False)


@scenario
def subclassing_the_driver(stage):
    from mesos.scheduler import MesosSchedulerDriver

    try:

        class Mine(MesosSchedulerDriver):
            pass

        stage.note("it can be subclassed")
    except TypeError:
        stage.note("raises TypeError")


@scenario
def what_stop_takes(stage):
    for failover in (None, "yes", 1.5, 256):
        driver = stage.driver(framework(), name="stop(%r)" % (failover,))
        driver.begin()
        driver.stop(failover)


@scenario
def text_beyond_ascii_and_mutable_bytes_as_a_framework_message(stage):
    driver = stage.driver(framework())
    driver.begin()
    driver.sendFrameworkMessage(EXECUTOR, AGENT, b"\xc3\xa9".decode("utf-8"))
    driver.sendFrameworkMessage(EXECUTOR, AGENT, bytearray(b"data"))
    driver.end()


@scenario
def a_text_where_an_id_belongs(stage):
    driver = stage.driver(framework())
    driver.begin()
    driver.launchTasks("o", [])
    driver.declineOffer("o")
    driver.killTask("t")
    driver.sendFrameworkMessage("e", "s", b"data")
    driver.pass_by("statusUpdate", 1)
    driver.end()


@scenario
def a_text_where_roles_belong(stage):
    driver = stage.driver(framework(role="a"))
    driver.begin()
    driver.suppressOffers("a")
    driver.end()
