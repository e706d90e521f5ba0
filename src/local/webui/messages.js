// What the page knows of tasks, frameworks and agents, from the operator API's messages and from `/state`.

const TERMINAL = new Set(["TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_LOST", "TASK_ERROR", "TASK_DROPPED",
  "TASK_GONE", "TASK_GONE_BY_OPERATOR"]);

/** Whether a task in this state is over. */
export const isTerminal = (state) => TERMINAL.has(state);

/** What tells a task from all others. */
export const taskKey = (framework, id) => JSON.stringify([framework, id]);

const seconds = (time) => (time ? time.nanoseconds / 1e9 : 0);
const ranges = (list) => `[${list.map(({ begin, end }) => `${begin}-${end}`).join(", ")}]`;

/** Resources by name, as `/state` has them: sums of numbers, and the other kinds as text. */
export function resources(list = []) {
  const sums = { cpus: 0, mem: 0, disk: 0, gpus: 0 };
  for (const { name, type, scalar, ranges: given, set } of list) {
    if (type === "SCALAR") sums[name] = (sums[name] ?? 0) + scalar.value;
    else sums[name] = [sums[name], type === "RANGES" ? ranges(given?.range ?? []) : `{${(set?.item ?? []).join(", ")}}`].filter(Boolean).join(" ");
  }
  return sums;
}

function attributes(list = []) {
  const value = (each) => each.scalar?.value ?? each.text?.value ?? (each.ranges ? ranges(each.ranges.range ?? []) : "");
  return Object.fromEntries(list.map((each) => [each.name, value(each)]));
}

const status = (of) => ({
  state: of.state, time: of.timestamp ?? 0, message: of.message, healthy: of.healthy, reason: of.reason,
});

/** Sets what follows from a task's updates. */
function told(task) {
  const last = task.statuses.at(-1);
  task.started = task.statuses.find((each) => each.state === "TASK_RUNNING")?.time ?? task.statuses[0]?.time ?? 0;
  task.updated = last?.time ?? 0;
  task.health = last?.healthy === undefined ? "" : last.healthy ? "healthy" : "unhealthy";
  return task;
}

/** Adds an update to a task. */
export function update(task, { status: given, state }) {
  const added = status(given);
  const last = task.statuses.at(-1);
  // Sent again until it is acknowledged.
  const again = last && last.state === added.state && last.time === added.time;
  if (!again) task.statuses.push(added);
  task.state = state;
  told(task);
}

export const taskOfMessage = (of) => told({
  id: of.task_id.value,
  name: of.name,
  framework: of.framework_id.value,
  agent: of.agent_id?.value,
  executor: of.executor_id?.value,
  state: of.state,
  role: of.resources?.find((each) => each.allocation_info)?.allocation_info.role ?? "",
  user: of.user,
  resources: resources(of.resources),
  labels: of.labels?.labels ?? [],
  statuses: (of.statuses ?? []).map(status),
});

export const taskOfState = (of) => told({
  id: of.id,
  name: of.name,
  framework: of.framework_id,
  agent: of.slave_id,
  executor: of.executor_id || undefined,
  state: of.state,
  role: of.role ?? "",
  user: of.user,
  resources: of.resources,
  labels: of.labels ?? [],
  statuses: of.statuses.map(status),
});

const roles = (of) => (of.roles?.length ? of.roles : [of.role ?? "*"]);

export const frameworkOfMessage = ({ framework_info: info, ...of }) => ({
  id: info.id.value,
  name: info.name,
  user: info.user,
  host: info.hostname ?? "",
  principal: info.principal ?? "",
  page: info.webui_url ?? "",
  roles: roles(info),
  capabilities: (info.capabilities ?? []).map((each) => each.type),
  failover: info.failover_timeout ?? 0,
  active: of.active ?? false,
  connected: of.connected ?? false,
  registered: seconds(of.registered_time),
  reregistered: seconds(of.reregistered_time),
  unregistered: seconds(of.unregistered_time),
  used: resources(of.allocated_resources),
  offered: resources(of.offered_resources),
});

export const frameworkOfState = (of) => ({
  id: of.id,
  name: of.name,
  user: of.user,
  host: of.hostname,
  principal: of.principal ?? "",
  page: of.webui_url ?? "",
  roles: roles(of),
  capabilities: of.capabilities ?? [],
  failover: of.failover_timeout ?? 0,
  active: of.active,
  connected: of.connected,
  registered: of.registered_time,
  reregistered: of.reregistered_time ?? 0,
  unregistered: of.unregistered_time,
  used: of.used_resources,
  offered: of.offered_resources,
});

/** The path of an agent's own endpoints, relative to the page: `slave(1)`. */
const path = (pid = "") => pid.split("@")[0];

export const agentOfMessage = ({ agent_info: info, ...of }) => ({
  id: info.id.value,
  host: info.hostname,
  path: path(of.pid),
  version: of.version,
  attributes: attributes(info.attributes),
  domain: info.domain,
  active: of.active,
  deactivated: of.deactivated ?? false,
  drain: of.drain_info?.state,
  registered: seconds(of.registered_time),
  reregistered: seconds(of.reregistered_time),
  resources: resources(of.total_resources),
  used: resources(of.allocated_resources),
  offered: resources(of.offered_resources),
});

export const agentOfState = (of) => ({
  id: of.id,
  host: of.hostname,
  path: path(of.pid),
  version: of.version,
  attributes: of.attributes ?? {},
  domain: of.domain,
  active: of.active,
  deactivated: of.deactivated ?? false,
  drain: of.drain_info?.state,
  registered: of.registered_time,
  reregistered: of.reregistered_time ?? 0,
  resources: of.resources,
  used: of.used_resources,
  offered: of.offered_resources,
});
