// The web page of the embedded cluster: shows what the part of the address after `#` names.

import { isRunning } from "./clock.js";
import { attribute, node, tick, write } from "./dom.js";
import { Feed } from "./feed.js";
import { count } from "./format.js";
import { agentPage, agentsPage } from "./pages/agents.js";
import { directoryPage, filePage } from "./pages/files.js";
import { frameworkPage, frameworksPage } from "./pages/frameworks.js";
import { maintenancePage, offersPage, rolesPage } from "./pages/operators.js";
import { taskPage } from "./pages/task.js";
import { tasksPage } from "./pages/tasks.js";
import { inPlace } from "./table.js";

/** Between two updates, at least; and at most one part in so many of the time goes into them. */
const UPDATE_MS = 150;
const SHARE = 5;

const view = document.getElementById("view");
const status = document.getElementById("status");

const PAGES = [
  [/^$/, tasksPage],
  [/^frameworks$/, frameworksPage],
  [/^frameworks\/([^/]+)$/, frameworkPage],
  [/^frameworks\/([^/]+)\/tasks\/([^/]+)$/, taskPage],
  [/^agents$/, agentsPage],
  [/^agents\/([^/]+)$/, agentPage],
  [/^agents\/([^/]+)\/browse$/, directoryPage],
  [/^agents\/([^/]+)\/file$/, filePage],
  [/^roles$/, rolesPage],
  [/^offers$/, offersPage],
  [/^maintenance$/, maintenancePage],
];

const noPage = () => ({
  title: "No such page", needs: [], update() {},
  nodes: [node("h1", {}, "No such page"), node("p", {}, node("a", { href: "#/" }, "All tasks"))],
});

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The page that an address names, with what it names there. */
function find(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const argument = new URLSearchParams(query).get("path");
  for (const [pattern, make] of PAGES) {
    const names = pattern.exec(path);
    if (names) return make(app, ...names.slice(1).map(decoded), ...(argument === null ? [] : [argument]));
  }
  return noPage();
}

const app = { cluster: null, feed: null };
let page = null;

function open() {
  const first = page === null;
  page = find(location.hash);
  const [tab] = location.hash.replace(/^#\/?/, "").split(/[/?]/);
  for (const anchor of document.querySelectorAll("header nav a")) {
    attribute(anchor, "aria-current", anchor.dataset.tab === tab ? "page" : undefined);
  }
  view.replaceChildren(...page.nodes);
  show();
  page.shown?.();
  if (first) return;
  scrollTo({ top: 0, behavior: "instant" });
  view.focus({ preventScroll: true });
}

function show() {
  const { cluster, feed } = app;
  const needs = page.needs;
  if (String(needs) !== String(page.asked ?? "-")) {
    page.asked = [...needs];
    feed.need(page.asked);
  }
  inPlace(() => page.update(app));
  write(status, statusText(cluster, feed));
  attribute(status, "class", feed.connection);
  attribute(status, "title", feed.error?.message);
  write(document.getElementById("cluster"), cluster.name || "embedded cluster");
  document.title = `${page.title} · ${cluster.name || "Mesos"}`;
}

function statusText(cluster, { connection, error }) {
  if (connection === "connecting") return "Connecting";
  if (connection === "lost") {
    const why = error?.status === 401 ? "The cluster wants its token: open the link with the token that it printed" : "The cluster does not answer";
    return `${why}. Trying again`;
  }
  const how = connection === "polling" ? "read every few seconds" : isRunning() ? "live" : "live, its time stands still";
  return `Mesos ${cluster.version} API, ${count(cluster.agents.size, "agent")}, ${how}`;
}

let [waiting, next] = [false, 0];
/** Shows what has changed, soon. */
function changed() {
  if (waiting || document.hidden || page === null) return;
  waiting = true;
  setTimeout(() => requestAnimationFrame(() => {
    waiting = false;
    const began = performance.now();
    show();
    next = performance.now() + Math.max(UPDATE_MS, SHARE * (performance.now() - began));
  }), Math.max(0, next - performance.now()));
}

addEventListener("keydown", (event) => {
  const field = event.target;
  if (event.key === "Escape" && field.type === "search") {
    field.value = "";
    field.dispatchEvent(new Event("input"));
    field.blur();
  }
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || field.matches?.("input, textarea")) return;
  const find = [...document.querySelectorAll('input[type="search"]')].find((input) => input.checkVisibility());
  if (!find) return;
  event.preventDefault();
  find.focus();
  find.select();
});

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  view.focus();
});

app.feed = new Feed(changed);
app.cluster = app.feed.cluster;
addEventListener("hashchange", open);
open();
setInterval(() => { if (!document.hidden) tick(); }, 1000);
