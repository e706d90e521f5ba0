// The files of a sandbox: a directory, and a file.

import { download, hashes, link, node, text, time, write } from "../dom.js";
import { bytes } from "../format.js";
import { Pager } from "../pager.js";
import { Table } from "../table.js";

const name = (path) => path.slice(path.lastIndexOf("/") + 1) || path;

/** Links to the directories above. */
function trail(agent, path) {
  const parts = path.split("/").filter(Boolean);
  const links = parts.map((part, index) => {
    const here = `/${parts.slice(0, index + 1).join("/")}`;
    return index === parts.length - 1 ? node("span", { "aria-current": "page" }, part) : node("a", { href: hashes.browse(agent, here) }, part);
  });
  return node("nav", { class: "trail", "aria-label": "Directories" }, ...links.flatMap((each) => ["/", each]));
}

const isDirectory = (f) => f.mode.startsWith("d");

const columns = (agent) => [
  { title: "Name", value: (f) => name(f.path),
    cell: link((f) => name(f.path) + (isDirectory(f) ? "/" : ""), (f) => hashes[isDirectory(f) ? "browse" : "file"](agent, f.path)) },
  { title: "Size", kind: "number", value: (f) => (isDirectory(f) ? -1 : f.size), text: () => "", cell: text((f) => (isDirectory(f) ? "" : bytes(f.size))) },
  { title: "Modified", wide: true, kind: "time", value: (f) => f.mtime, text: () => "", cell: time((f) => f.mtime) },
  { title: "Mode", wide: true, kind: "time", value: (f) => f.mode, cell: text((f) => f.mode) },
  { title: "Owner", wide: true, kind: "short", value: (f) => `${f.uid}:${f.gid}`, cell: text((f) => `${f.uid}:${f.gid}`) },
  { title: "Contents", kind: "action", value: () => "",
    cell: link((f) => (isDirectory(f) ? "" : "Download"), (f) => (isDirectory(f) ? undefined : download(f.path)), { download: "" }) },
];

export function directoryPage({ feed }, agent, path) {
  const need = `files/browse?path=${encodeURIComponent(path)}`;
  const table = new Table({ name: "files", title: "Files", columns: columns(agent), key: (f) => f.path, sort: "Name", empty: "This directory is empty." });
  const missing = node("p", { class: "empty", role: "alert" });
  return {
    title: "Sandbox",
    nodes: [node("h1", {}, "Sandbox"), trail(agent, path), missing, table.element],
    needs: [need],
    update() {
      const fact = feed.facts.get(need);
      table.element.hidden = fact?.value === undefined;
      missing.hidden = fact?.error === undefined;
      write(missing, "There is no such directory, or it is not a part of the cluster's working directory.");
      if (fact?.value) table.update(fact.value);
    },
  };
}

export function filePage(_, agent, path) {
  const pager = new Pager(name(path), path);
  pager.element.classList.add("tall");
  return {
    title: name(path),
    nodes: [node("h1", { class: "unseen" }, name(path)), trail(agent, path), pager.element],
    needs: [],
    shown: () => pager.run(),
    update() {},
  };
}
