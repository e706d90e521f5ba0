// What operators look at: roles, offers and maintenance.

import { hashes, link, node, state, text, time } from "../dom.js";
import { amount, resources } from "../format.js";
import * as messages from "../messages.js";
import { Table } from "../table.js";

const unknown = (what) => node("p", { class: "empty", hidden: "" }, `This master does not tell ${what}.`);

/** Shows a table of what was read by a path, or why there is none. */
function page(title, table, need, rows, note) {
  const refused = unknown(`its ${title.toLowerCase()}`);
  return {
    title,
    nodes: [node("h1", { class: "unseen" }, title), ...(note ? [note] : []), refused, ...[table].flat().map((each) => each.element)],
    needs: [need].flat(),
    update({ feed }) {
      const failed = [need].flat().some((path) => feed.facts.get(path)?.error);
      const values = [need].flat().map((path) => feed.fact(path));
      refused.hidden = !failed;
      const known = values.every((value) => value !== undefined);
      for (const each of [table].flat()) each.element.hidden = !known;
      if (known) rows(...values);
    },
  };
}

const line = (title, get, wide = true) => ({ title, wide, value: (r) => resources(get(r)), cell: text((r) => resources(get(r)) || "—") });

export function rolesPage() {
  const table = new Table({
    name: "roles", title: "Roles", key: (r) => r.name, sort: "Role",
    empty: "No role is in use. A framework names its roles when it registers; weights and quotas belong to roles too.",
    columns: [
      { title: "Role", value: (r) => r.name, cell: text((r) => r.name) },
      { title: "Weight", kind: "number", value: (r) => r.weight, text: () => "", cell: text((r) => amount(r.weight)) },
      { title: "Frameworks", kind: "number", value: (r) => r.frameworks.length, text: () => "", cell: text((r) => amount(r.frameworks.length)) },
      line("Allocated", (r) => r.allocated ?? r.resources),
      line("Offered", (r) => r.offered),
      line("Reserved", (r) => r.reserved),
      line("Guarantee", (r) => r.quota?.guarantee),
      line("Limit", (r) => r.quota?.limit),
      line("Consumed", (r) => r.quota?.consumed),
    ],
  });
  return page("Roles", table, "roles", ({ roles }) => table.update(roles));
}

/** Offers of GET_FRAMEWORKS, and of `/frameworks` if the master has no such call. */
function offersOf(answer) {
  const called = answer.get_frameworks?.frameworks.flatMap((each) => each.offers ?? []).map((offer) => ({
    id: offer.id.value, framework: offer.framework_id.value, agent: offer.agent_id.value, role: offer.allocation_info?.role ?? "",
    resources: messages.resources(offer.resources),
  }));
  return called ?? answer.frameworks.flatMap((each) => each.offers).map((offer) => ({
    id: offer.id, framework: offer.framework_id, agent: offer.slave_id, role: offer.allocation_info?.role ?? "", resources: offer.resources,
  }));
}

export function offersPage({ cluster, feed }) {
  const name = (o) => cluster.frameworkName(o.framework);
  const table = new Table({
    name: "offers", title: "Offers", key: (o) => o.id, sort: "Offer",
    empty: "No offer is outstanding: frameworks have used or declined what there is, or none is registered.",
    columns: [
      { title: "Offer", kind: "id tail", value: (o) => o.id, cell: link((o) => o.id, () => undefined) },
      { title: "Framework", value: name, cell: link(name, (o) => hashes.framework(o.framework)) },
      { title: "Role", wide: true, kind: "short", value: (o) => o.role, cell: text((o) => o.role) },
      { title: "Host", wide: true, value: (o) => cluster.host(o.agent), cell: link((o) => cluster.host(o.agent) || o.agent, (o) => hashes.agent(o.agent)) },
      { ...line("Resources", (o) => o.resources, false) },
    ],
  });
  const need = feed.connection === "polling" ? "frameworks" : "GET_FRAMEWORKS";
  return page("Offers", table, need, (answer) => table.update(offersOf(answer)));
}

const machine = ({ hostname, ip } = {}) => [hostname, ip].filter(Boolean).join(" ");
const seconds = (time) => (time?.nanoseconds ?? 0) / 1e9;

export function maintenancePage() {
  const windows = new Table({
    name: "windows", title: "Schedule", key: (w) => w.key, sort: "Begin",
    empty: node("p", {}, "No maintenance is scheduled. A POST to ", node("code", {}, "maintenance/schedule"), " schedules one."),
    columns: [
      { title: "Machines", value: (w) => w.machines, cell: text((w) => w.machines) },
      { title: "Begin", kind: "time", value: (w) => w.begin, text: () => "", cell: time((w) => w.begin) },
      { title: "Duration", kind: "short", value: (w) => w.length, text: () => "", cell: text((w) => (w.length ? `${amount(w.length / 60)} min` : "without end")) },
    ],
  });
  const machines = new Table({
    name: "machines", title: "Machines", key: (m) => m.name, sort: "Machine", empty: "All machines are up, and stay so.",
    columns: [
      { title: "Machine", value: (m) => m.name, cell: text((m) => m.name) },
      { title: "State", kind: "state-column", value: (m) => m.state, cell: state((m) => m.state) },
      { title: "Inverse offers answered", wide: true, value: (m) => m.answers, cell: text((m) => m.answers) },
    ],
  });
  return page("Maintenance", [windows, machines], ["maintenance/schedule", "maintenance/status"], (schedule, status) => {
    windows.update((schedule.windows ?? []).map((window, index) => ({
      key: String(index),
      machines: window.machine_ids.map(machine).join(", "),
      begin: seconds(window.unavailability.start),
      length: seconds(window.unavailability.duration),
    })));
    const draining = (status.draining_machines ?? []).map(({ id, statuses = [] }) =>
      ({ name: machine(id), state: "DRAINING", answers: statuses.map((each) => each.status).join(", ") }));
    machines.update([...draining, ...(status.down_machines ?? []).map((id) => ({ name: machine(id), state: "DOWN", answers: "" }))]);
  });
}
