// The cluster as far as the page knows it: begins with all of it, and follows the events.

import { now } from "./clock.js";
import * as messages from "./messages.js";

const { isTerminal, taskKey } = messages;

/** Tasks, frameworks and agents by id, and who leads. */
export class Cluster {
  tasks = new Map();
  frameworks = new Map();
  agents = new Map();
  /** Of each framework, the keys of the tasks that are over, oldest first. */
  #over = new Map();
  /** Who leads: `id`, `pid`, `host`, `started`, `elected`. */
  master = {};
  version = "";
  name = "";
  /** How many completed tasks of a framework, and completed frameworks, the master keeps itself. */
  limits = { tasks: 1000, frameworks: 50 };

  /** The state with which an event stream begins. */
  begin({ get_tasks: tasks = {}, get_frameworks: frameworks = {}, get_agents: agents = {} }) {
    this.#clear();
    for (const each of frameworks.completed_frameworks ?? []) this.#framework(messages.frameworkOfMessage(each), true);
    for (const each of frameworks.frameworks ?? []) this.#framework(messages.frameworkOfMessage(each), false);
    for (const each of agents.agents ?? []) this.#agent(messages.agentOfMessage(each));
    for (const list of [tasks.completed_tasks, tasks.unreachable_tasks, tasks.tasks]) {
      for (const each of list ?? []) this.#task(messages.taskOfMessage(each));
    }
  }

  /** `/state`, for those who have no event stream. */
  replace(state) {
    this.#clear();
    this.master = { id: state.id, pid: state.pid, host: state.hostname, started: state.start_time, elected: state.elected_time };
    this.version = state.version;
    this.name = state.cluster ?? "";
    for (const each of state.slaves) this.#agent(messages.agentOfState(each));
    for (const each of state.completed_frameworks) this.#framework(messages.frameworkOfState(each), true);
    for (const each of state.frameworks) this.#framework(messages.frameworkOfState(each), false);
    for (const framework of [...state.completed_frameworks, ...state.frameworks]) {
      for (const each of [...framework.completed_tasks, ...(framework.unreachable_tasks ?? []), ...framework.tasks]) {
        this.#task(messages.taskOfState(each));
      }
    }
  }

  #clear() {
    for (const map of [this.tasks, this.frameworks, this.agents, this.#over]) map.clear();
  }

  /** An event of the stream. Kinds that are not known are ignored. */
  apply(event) {
    const framework = (of) => this.#framework(messages.frameworkOfMessage(of.framework), false);
    switch (event.type) {
      case "TASK_ADDED":
        return this.#task(messages.taskOfMessage(event.task_added.task));
      case "TASK_UPDATED":
        return this.#updated(event.task_updated);
      case "FRAMEWORK_ADDED":
        return framework(event.framework_added);
      case "FRAMEWORK_UPDATED":
        return framework(event.framework_updated);
      case "FRAMEWORK_REMOVED":
        return this.#removed(event.framework_removed.framework_info);
      case "AGENT_ADDED":
        return this.#agent(messages.agentOfMessage(event.agent_added.agent));
      case "AGENT_REMOVED":
        return void this.agents.delete(event.agent_removed.agent_id.value);
    }
  }

  /** `/state-summary`: who holds what, and who is active, which no event tells. */
  summarize(summary) {
    for (const { id, used_resources: used, offered_resources: offered, active, connected } of summary.frameworks) {
      const known = this.frameworks.get(id);
      if (known) Object.assign(known, { used, offered, active, connected });
    }
    for (const slave of summary.slaves) {
      if (this.agents.has(slave.id)) Object.assign(this.agents.get(slave.id), messages.agentOfState(slave));
    }
    this.name = summary.cluster ?? this.name;
  }

  #framework(framework, completed) {
    this.frameworks.set(framework.id, { ...framework, completed });
  }

  #agent(agent) {
    this.agents.set(agent.id, agent);
  }

  #task(task) {
    task.key = taskKey(task.framework, task.id);
    this.tasks.set(task.key, task);
    if (isTerminal(task.state)) this.#end(task);
  }

  #updated(given) {
    const task = this.tasks.get(taskKey(given.framework_id.value, given.status.task_id.value));
    if (!task) return;
    const wasOver = isTerminal(task.state);
    messages.update(task, given);
    if (!wasOver && isTerminal(task.state)) this.#end(task);
  }

  #end(task) {
    const over = this.#over.get(task.framework) ?? [];
    this.#over.set(task.framework, over);
    over.push(task.key);
    while (over.length > this.limits.tasks) this.tasks.delete(over.shift());
  }

  #removed(info) {
    const known = this.frameworks.get(info.id.value) ?? messages.frameworkOfMessage({ framework_info: info });
    this.frameworks.delete(known.id);
    this.#framework({ ...known, active: false, connected: false, unregistered: now(), used: {}, offered: {} }, true);
    for (const task of this.tasks.values()) {
      if (task.framework === known.id && !isTerminal(task.state)) {
        messages.update(task, { state: "TASK_KILLED", status: { state: "TASK_KILLED", timestamp: now(), message: "Framework removed" } });
        this.#end(task);
      }
    }
    const completed = [...this.frameworks.values()].filter((each) => each.completed);
    for (const { id } of completed.slice(0, Math.max(0, completed.length - this.limits.frameworks))) this.#forget(id);
  }

  #forget(framework) {
    this.frameworks.delete(framework);
    for (const key of this.#over.get(framework) ?? []) this.tasks.delete(key);
    this.#over.delete(framework);
  }

  /** The name of a framework. */
  frameworkName(id) {
    return this.frameworks.get(id)?.name || id;
  }

  /** The host of an agent, if it is still there. */
  host(agent) {
    return this.agents.get(agent)?.host ?? "";
  }
}
