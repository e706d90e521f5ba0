// Keeps a cluster up to date: by the operator API's event stream, or by `/state` if there is none, for example because a
// proxy holds its events back. What no event tells is read shortly after one. Nothing is asked while the page is hidden.

import { Cluster } from "./cluster.js";
import { isRunning, setTime } from "./clock.js";
import { Decoder } from "./recordio.js";

const FIRST_EVENT_MS = 15_000;
/** So many may be missed. */
const HEARTBEATS = 3;
const HIDDEN_MS = 60_000;
const RETRY_MS = [250, 500, 1000, 2000, 4000];
/** How long after an event what it does not tell is read. */
const SETTLE_MS = 300;
/** How often at most, and how much of the time at most: one part in so many. */
const PAUSE_MS = 1500;
const SHARE = 8;
const FACT_MS = 10_000;
const POLL_MS = 2000;

/** An answer that is an error. */
export class Refused extends Error {
  constructor(path, status) {
    super(`${path}: HTTP ${status}`);
    this.status = status;
  }
}

/** Reads JSON, by a path that is relative to the page. */
export async function read(path, options = {}) {
  const response = await fetch(path, { cache: "no-store", ...options });
  if (!response.ok) throw new Refused(path, response.status);
  return response.json();
}

/** A call of the operator API. */
export const call = (type, options = {}) => read("api/v1", { ...request(type), ...options });

const request = (type) => ({
  method: "POST",
  headers: { "Content-Type": "application/json", Accept: "application/json" },
  body: JSON.stringify({ type }),
});

/** The events of SUBSCRIBE, asked for in such a way that proxies pass them on at once. */
const EVENTS = ["webui/events", { headers: { Accept: "text/event-stream" }, cache: "no-store" }];

/** Whether an answer says that there is no such call. */
const isUnsupported = (error) => [400, 404, 405, 501].includes(error.status);

const pause = (milliseconds, signal) => new Promise((done) => {
  const timer = setTimeout(done, milliseconds);
  signal?.addEventListener("abort", () => { clearTimeout(timer); done(); }, { once: true });
});

/** Calls a function if nothing is heard for a time. A cluster whose time stands still sends no heartbeats. */
class Watch {
  #timer = null;
  #milliseconds = 0;

  constructor(silent) {
    this.silent = silent;
  }

  expect(milliseconds) {
    this.#milliseconds = milliseconds;
    this.hear();
  }

  hear() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (isRunning() ? this.silent() : this.hear()), this.#milliseconds);
  }

  end() {
    clearTimeout(this.#timer);
  }
}

export class Feed {
  cluster = new Cluster();
  /** `connecting`, `live`, `polling` or `lost`; what `lost` is due to is in `error`. */
  connection = "connecting";
  error = null;
  /** What was read beside the events, by path: `metrics/snapshot` always, and what the page that is shown needs. */
  facts = new Map();
  #needs = [];
  #changed;
  #stop = null;
  #refreshing = null;
  #isReading = false;
  #again = false;
  #asked = new Set();
  #nextRefresh = 0;
  #streams = true;

  /** `changed` is called when there is something else to show. */
  constructor(changed) {
    this.#changed = changed;
    document.addEventListener("visibilitychange", () => this.#onVisibility());
    if (!document.hidden) this.#start();
  }

  /** Says which paths the page that is shown needs, and reads them. */
  need(paths) {
    this.#needs = paths;
    for (const path of this.facts.keys()) if (path !== "metrics/snapshot" && !paths.includes(path)) this.facts.delete(path);
    if (document.hidden) return;
    for (const path of paths) if (!this.facts.has(path)) this.#learn(path);
    this.#refreshSoon(0);
  }

  #onVisibility() {
    clearTimeout(this.hiding);
    if (document.hidden) {
      // A page that is frozen reads nothing, and the cluster would have to keep all events for it.
      this.hiding = setTimeout(() => this.#end(), HIDDEN_MS);
    } else if (this.#stop === null) {
      this.#start();
    } else {
      this.#refreshSoon(0);
      this.#changed();
    }
  }

  #end() {
    this.#stop?.abort();
    this.#stop = null;
  }

  #start() {
    this.#stop = new AbortController();
    this.#run(this.#stop.signal);
  }

  async #run(signal) {
    for (let failures = 0; !signal.aborted; failures = Math.min(failures + 1, RETRY_MS.length - 1)) {
      try {
        await this.#about(signal);
        await (this.#streams ? this.#follow(signal, () => { failures = -1; }) : this.#poll(signal));
      } catch (error) {
        if (signal.aborted) return;
        this.#streams = true;
        this.#become("lost", error);
      }
      // A stream that ends at once, again and again, is no stream.
      await pause(RETRY_MS[Math.max(0, failures)], signal);
      while (document.hidden && !signal.aborted) await pause(1000, signal);
    }
  }

  #become(connection, error = null) {
    if (this.connection === connection && this.error?.message === error?.message) return;
    [this.connection, this.error] = [connection, error];
    this.#changed();
  }

  /** What stays as it is while a master runs. */
  async #about(signal) {
    const [{ version }, { flags = {} }] = await Promise.all([read("version", { signal }), read("flags", { signal })]);
    this.cluster.version = version;
    this.cluster.name = flags.cluster ?? "";
    this.cluster.limits = {
      tasks: Number(flags.max_completed_tasks_per_framework) || 1000,
      frameworks: Number(flags.max_completed_frameworks) || 50,
    };
    if (!this.#streams) return;
    try {
      const { get_master: { master_info: info = {}, start_time: started, elected_time: elected } } = await call("GET_MASTER", { signal });
      this.cluster.master = { id: info.id, pid: info.pid, host: info.hostname, started, elected };
    } catch (error) {
      if (!isUnsupported(error)) throw error;
      this.#streams = false;
    }
  }

  /** Follows the event stream until it ends. Without events in time, or heartbeats, there is none from then on. */
  async #follow(signal, began) {
    const stream = new AbortController();
    const abort = () => stream.abort();
    signal.addEventListener("abort", abort, { once: true });
    const watch = new Watch(() => { this.#streams = false; abort(); });
    watch.expect(FIRST_EVENT_MS);
    try {
      const [path, options] = EVENTS;
      const response = await fetch(path, { ...options, signal: stream.signal });
      if (!response.ok) throw new Refused(path, response.status);
      const [reader, decoder] = [response.body.getReader(), new Decoder()];
      for (;;) {
        const { value, done } = await reader.read();
        if (done) throw new Error("The event stream has ended");
        const events = decoder.push(value).map((record) => JSON.parse(record));
        if (events[0]?.type === "SUBSCRIBED") {
          watch.expect(HEARTBEATS * 1000 * (events[0].subscribed.heartbeat_interval_seconds ?? 15));
          began();
        }
        if (events.length) this.#take(events);
        watch.hear();
      }
    } catch (error) {
      if (isUnsupported(error)) this.#streams = false;
      if (this.#streams) throw error;
    } finally {
      watch.end();
      signal.removeEventListener("abort", abort);
      abort();
    }
  }

  #take(events) {
    for (const event of events) {
      if (event.type === "SUBSCRIBED") this.cluster.begin(event.subscribed.get_state);
      else this.cluster.apply(event);
    }
    this.#become("live");
    this.#refreshSoon(SETTLE_MS);
    this.#changed();
  }

  async #poll(signal) {
    while (!signal.aborted) {
      if (!document.hidden) {
        const began = performance.now();
        this.cluster.replace(await read("state", { signal }));
        this.#become("polling");
        this.#refreshSoon(0);
        this.#changed();
        await pause(SHARE * (performance.now() - began), signal);
      }
      await pause(POLL_MS, signal);
    }
  }

  #refreshSoon(milliseconds) {
    if (document.hidden) return;
    if (this.#isReading) {
      this.#again = true;
      return;
    }
    const due = Math.max(performance.now() + milliseconds, this.#nextRefresh);
    if (this.#refreshing !== null && this.#refreshing.due <= due) return;
    clearTimeout(this.#refreshing?.timer);
    this.#refreshing = { due, timer: setTimeout(() => this.#refresh(), Math.max(0, due - performance.now())) };
  }

  async #refresh() {
    this.#refreshing = null;
    if (document.hidden) return;
    [this.#isReading, this.#again] = [true, false];
    const began = performance.now();
    await Promise.all(["metrics/snapshot", ...this.#needs].map((path) => this.#learn(path)));
    const now = performance.now();
    this.#nextRefresh = now + Math.max(PAUSE_MS, SHARE * (now - began));
    this.#isReading = false;
    if (this.#again) this.#refreshSoon(0);
  }

  async #learn(path) {
    if (this.#asked.has(path)) return;
    this.#asked.add(path);
    try {
      const signal = AbortSignal.timeout(FACT_MS);
      const value = await (path.startsWith("GET_") ? call(path, { signal }) : read(path, { signal }));
      this.facts.set(path, { value });
      if (path === "state-summary") this.cluster.summarize(value);
      if (path === "metrics/snapshot") this.#onMetrics(value);
    } catch (error) {
      this.facts.set(path, { error });
    } finally {
      this.#asked.delete(path);
    }
    this.#changed();
  }

  #onMetrics(metrics) {
    const uptime = metrics["master/uptime_secs"];
    if (this.cluster.master.started && uptime !== undefined) setTime(this.cluster.master.started + uptime);
  }

  /** What was read by a path, if it was. */
  fact(path) {
    return this.facts.get(path)?.value;
  }
}
