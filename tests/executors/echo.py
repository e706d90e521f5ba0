"""An executor that runs every task at once, sends its data back, and echoes framework messages, on plain HTTP."""

from plain import Driver


class Echo:
    def registered(self, driver, executor_id, framework_name, agent_known):
        pass

    def launch(self, driver, task):
        driver.update(task.id, "TASK_RUNNING", data=task.data)
        driver.update(task.id, "TASK_FINISHED", data=task.data)

    def kill(self, driver, task_id):
        driver.update(task_id, "TASK_KILLED")

    def heard(self, driver, message):
        driver.message(message)

    def shutdown(self, driver):
        driver.stop()


Driver(Echo()).run()
