# Python 2.7 and 3. Calls that several scenarios make.

from mesos.interface import mesos_pb2
from messages import filters, status, task_id


def every_call(driver):
    """Each call of the driver that a framework makes between start and stop."""
    offer = mesos_pb2.OfferID(value="no such offer")
    driver.requestResources([])
    driver.launchTasks(offer, [])
    driver.launchTasks([offer], [], filters(1))
    driver.killTask(task_id("no such task"))
    driver.acceptOffers([offer], [])
    driver.declineOffer(offer)
    driver.reviveOffers()
    driver.suppressOffers()
    driver.reviveOffers([])
    driver.suppressOffers([])
    driver.sendFrameworkMessage(mesos_pb2.ExecutorID(value="e"), mesos_pb2.SlaveID(value="s"), b"data")
    driver.reconcileTasks([status("no such task")])
