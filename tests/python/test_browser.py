"""A real browser, run by the cluster's own user: pages of other origins neither read nor change anything, and links open."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster
from playwright.sync_api import sync_playwright

from tests.python.conftest import absent
from tests.python.support import Recorder, running, task, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUMS = ("chromium", "google-chrome")
SECRET = "the-name-of-a-secret-framework"
NOBODY = 65534
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
    # Names that an attacker points at this machine.
    "--host-resolver-rules=MAP evil.example 127.0.0.1, MAP rebound.example 127.0.0.1",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if found is None:
        absent("there is no chromium: install Debian's package of that name")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context() as context:
        yield context


class Site:
    """A web site of another origin."""

    def __init__(self) -> None:
        self.page = ""

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(handler) -> None:  # noqa: N805
                body = self.page.encode()
                handler.send_response(200)
                handler.send_header("Content-Type", "text/html; charset=utf-8")
                handler.send_header("Content-Length", str(len(body)))
                handler.end_headers()
                handler.wfile.write(body)

            def log_message(handler, *_: Any) -> None:  # noqa: N805
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


ATTACK = """
async ([url, secret]) => {
  const read = [], tried = [];
  const attempt = async (what, promise) => {
    tried.push(what);
    const limit = new Promise((done) => setTimeout(() => done("timed out"), 3000));
    try { const got = await Promise.race([promise(), limit]); if (String(got).includes(secret)) read.push(what); }
    catch (error) { if (!(error instanceof Error || error instanceof Event)) throw error; }
  };
  const loaded = (node, source) => new Promise((done, failed) => {
    node.onload = () => done(node); node.onerror = failed;
    node[node instanceof HTMLLinkElement ? "href" : "src"] = source;
    document.body.append(node);
  });
  const make = (name) => document.createElement(name);
  const posts = [
    ["/teardown", "application/x-www-form-urlencoded", "frameworkId=FRAMEWORK"],
    ["/teardown", "text/plain", "frameworkId=FRAMEWORK"],
    ["/master/teardown", "application/x-www-form-urlencoded", "frameworkId=FRAMEWORK"],
    ["/api/v1", "text/plain", '{"type":"TEARDOWN","teardown":{"framework_id":{"value":"FRAMEWORK"}}}'],
    ["/api/v1", "text/plain", '{"type":"MARK_AGENT_GONE","mark_agent_gone":{"agent_id":{"value":"AGENT"}}}'],
    ["/api/v1", "application/json", '{"type":"TEARDOWN","teardown":{"framework_id":{"value":"FRAMEWORK"}}}'],
    ["/maintenance/schedule", "text/plain", '{"windows":[{"machine_ids":[{"hostname":"HOST"}],"unavailability":{"start":{"nanoseconds":1}}}]}'],
    ["/api/v1/scheduler", "text/plain", '{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"","name":"intruder"}}}'],
    ["/api/v1/scheduler", "application/json", '{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"","name":"intruder"}}}'],
  ];
  for (const [path, type, body] of posts) {
    for (const mode of ["no-cors", "cors"]) {
      for (const credentials of ["include", "omit"]) {
        await attempt(`${mode} POST ${path} ${type}`, async () =>
          (await fetch(url + path, { method: "POST", mode, credentials, body, headers: { "Content-Type": type } })).text());
      }
    }
    const frame = make("iframe");
    frame.name = `frame${Math.random()}`;
    document.body.append(frame);
    const form = make("form");
    Object.assign(form, { method: "POST", action: url + path, target: frame.name, enctype: type === "text/plain" ? type : "application/x-www-form-urlencoded" });
    const [name, ...value] = body.split("=");
    const input = make("input");
    Object.assign(input, { name, value: value.join("=") });
    form.append(input);
    document.body.append(form);
    await attempt(`form ${path}`, () => new Promise((done) => { frame.onload = () => done(frame.contentDocument?.body.innerText); form.submit(); }));
  }
  for (const path of ["/state", "/master/state", "/frameworks", "/tasks", "/slave(1)/state", "/state?jsonp=steal"]) {
    for (const credentials of ["include", "omit"]) {
      await attempt(`GET ${path}`, async () => (await fetch(url + path, { credentials })).text());
      await attempt(`no-cors GET ${path}`, async () => (await fetch(url + path, { credentials, mode: "no-cors" })).text());
    }
    await attempt(`GET ${path} with a wrong token`, async () =>
      (await fetch(url + path, { headers: { "X-Remesos-Token": "0123456789abcdef" } })).text());
    globalThis.steal = (state) => { globalThis.stolen = JSON.stringify(state); };
    await attempt(`script ${path}`, async () => { await loaded(make("script"), url + path); return globalThis.stolen; });
    await attempt(`style ${path}`, async () => { const link = make("link"); link.rel = "stylesheet"; await loaded(link, url + path); return [...document.styleSheets].map((s) => [...s.cssRules].map((r) => r.cssText)); });
    await attempt(`image ${path}`, () => loaded(make("img"), url + path));
    await attempt(`frame ${path}`, async () => (await loaded(make("iframe"), url + path)).contentDocument?.body.innerText);
    await attempt(`import ${path}`, async () => JSON.stringify(await import(url + path)));
  }
  await attempt("events", () => new Promise((done, failed) => { const e = new EventSource(`${url}/state`); e.onmessage = (m) => done(m.data); e.onerror = () => { e.close(); failed(new Error()); }; }));
  await attempt("socket", () => new Promise((done, failed) => { const s = new WebSocket(url.replace("http", "ws") + "/state"); s.onmessage = (m) => done(m.data); s.onerror = () => failed(new Error()); }));
  return { read, tried: tried.length };
}
"""


def state(cluster: LocalCluster) -> Any:
    with urllib.request.urlopen(f"{cluster.url}/state", timeout=30) as answer:
        return json.load(answer)


@contextlib.contextmanager
def busy(cluster: LocalCluster) -> Iterator[dict[str, str]]:
    """A framework with a task that runs; what names them."""
    scheduler = Recorder(unwanted=("error", "disconnected"))
    with running(cluster.address, scheduler, mesos_pb2.FrameworkInfo(user="", name=SECRET)) as driver:
        offer = scheduler.offer()
        made = task(offer, "sleep 300")
        driver.launchTasks(offer.id, [made])
        scheduler.state(made.task_id.value, mesos_pb2.TASK_RUNNING)
        yield {"FRAMEWORK": offer.framework_id.value, "AGENT": offer.slave_id.value, "HOST": offer.hostname}
        (framework,) = state(cluster)["frameworks"]
        assert framework["name"] == SECRET
        assert [task["state"] for task in framework["tasks"]] == ["TASK_RUNNING"], "nothing was changed"
        assert state(cluster)["activated_slaves"] == 1
        driver.reviveOffers()
        assert not scheduler.offer(lambda offer: offer.id.value != "").HasField("unavailability")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("host", ["localhost", "evil.example"])
@pytest.mark.parametrize("with_cookie", [False, True])
def test_a_page_of_another_origin_reads_and_changes_nothing(
    context: BrowserContext, site: Site, host: str, with_cookie: bool
) -> None:
    with LocalCluster() as cluster, busy(cluster) as names:
        url = cluster.url.replace("127.0.0.1", "localhost")
        page = context.new_page()
        if with_cookie:
            page.goto(f"{url}/?token={cluster.token}")
            assert len(context.cookies()) == 1
        page.goto(f"http://{host}:{site.port}/")
        attack = ATTACK
        for name, value in names.items():
            attack = attack.replace(name, value)
        outcome = page.evaluate(attack, [url, SECRET])
        assert outcome["read"] == []
        assert outcome["tried"] > 70
        assert [framework["name"] for framework in state(cluster)["completed_frameworks"]] == []


@pytest.mark.timeout(120)
def test_the_same_from_the_web_page_itself_reads_and_changes(context: BrowserContext) -> None:
    """Shows that the attacks work where nothing holds them."""
    scheduler = Recorder()
    with LocalCluster() as cluster, running(cluster.address, scheduler, mesos_pb2.FrameworkInfo(user="", name=SECRET)):
        offer = scheduler.offer()
        page = context.new_page()
        page.goto(cluster.url)
        outcome = page.evaluate(ATTACK.replace("FRAMEWORK", offer.framework_id.value), [cluster.url, SECRET])
        assert {"GET /state", "GET /frameworks", "frame /state"} <= set(outcome["read"])
        scheduler.wait("error")
        assert SECRET in [framework["name"] for framework in state(cluster)["completed_frameworks"]]


def test_a_name_that_is_pointed_at_the_cluster_shows_nothing(context: BrowserContext) -> None:
    with LocalCluster() as cluster, busy(cluster):
        port = cluster.address.rpartition(":")[2]
        page = context.new_page()
        page.goto(f"{cluster.url}/?token={cluster.token}")
        answer = page.goto(f"http://rebound.example:{port}/")
        assert answer is not None
        assert answer.status == 421
        # The page's own script, as if it had been loaded from the attacker's server before.
        fetched = "async (path) => { const answer = await fetch(path); return [answer.status, await answer.text()]; }"
        for path in ("/state", "/master/state", "/files/browse?path=/"):
            status, text = page.evaluate(fetched, path)
            assert (status, SECRET in text) == (421, False)


def shows(page: Page) -> None:
    """Wait until the web page shows what the cluster has."""
    page.get_by_role("status").get_by_text(re.compile(r"^Mesos .* API, 1 agent, live$")).wait_for(timeout=20_000)


@pytest.mark.parametrize("host", ["localhost", "evil.example"])
def test_a_link_in_a_page_of_another_origin_opens_the_web_page(context: BrowserContext, site: Site, host: str) -> None:
    with LocalCluster() as cluster:
        site.page = f'<a href="{cluster.url}">here</a> <a href="{cluster.url}" target="_blank">new</a>'
        page = context.new_page()
        page.goto(f"http://{host}:{site.port}/")
        with context.expect_page() as opened:
            page.get_by_text("new").click()
        shows(opened.value)
        page.get_by_text("here").click()
        shows(page)


FORWARD = """
import asyncio, sys
async def pipe(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
async def serve(reader, writer):
    there = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
    await asyncio.gather(pipe(reader, there[1]), pipe(there[0], writer), return_exceptions=True)
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


@contextlib.contextmanager
def forwarded(cluster: LocalCluster) -> Iterator[str]:
    """The cluster's port as another user reaches it."""
    python = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin")
    if os.geteuid() != 0:
        pytest.skip("only root can ask as another user")
    if python is None:
        absent("no python3 outside of the home directory")
    port = cluster.address.rpartition(":")[2]
    command = [str(python), "-c", FORWARD, port]
    with subprocess.Popen(command, user=NOBODY, stdout=subprocess.PIPE, text=True, cwd="/") as forwarder:
        assert forwarder.stdout is not None
        yield f"http://localhost:{forwarder.stdout.readline().strip()}"
        forwarder.kill()


@pytest.mark.parametrize("host", ["localhost", "evil.example"])
def test_the_browser_of_another_user_is_let_in_by_the_link(context: BrowserContext, site: Site, host: str) -> None:
    with LocalCluster() as cluster, forwarded(cluster) as url:
        page = context.new_page()
        answer = page.goto(url)
        assert answer is not None
        assert (answer.status, "needs its token" in page.content()) == (401, True)
        site.page = f'<a href="{url}/?token={cluster.token}">open</a>'
        page.goto(f"http://{host}:{site.port}/")
        page.get_by_text("open").click()
        shows(page)
        assert page.url == f"{url}/"
        assert page.evaluate("document.cookie") == "", "no script reads it"


def test_a_page_of_another_origin_that_knows_the_token_reads(context: BrowserContext, site: Site) -> None:
    asked = """async ([url, token]) => {
        const answer = await fetch(url, { headers: { "X-Remesos-Token": token } });
        return (await answer.json()).activated_slaves;
    }"""
    with LocalCluster() as cluster:
        page = context.new_page()
        page.goto(f"http://localhost:{site.port}/")
        assert page.evaluate(asked, [f"{cluster.url}/state", cluster.token]) == 1


BASE = "/user/ann/"
"""Where a Jupyter server of a hub is."""


@contextlib.contextmanager
def jupyter(directory: Path, base: str = "/") -> Iterator[Any]:
    """A Jupyter server, as its runtime file describes it."""
    directory.mkdir()
    names = ("RUNTIME_DIR", "CONFIG_DIR", "DATA_DIR")
    environment = {**os.environ, **{f"JUPYTER_{name}": str(directory / name) for name in names}}
    command = [sys.executable, "-m", "jupyter_server", "--allow-root", "--no-browser", "--ServerApp.port=0"]
    command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={directory}", f"--ServerApp.base_url={base}"]
    command += ['--ServerApp.jpserver_extensions={"jupyter_server_proxy": True}']
    log = directory / "log"
    with log.open("w") as output, subprocess.Popen(command, env=environment, stdout=output, stderr=output) as server:
        try:
            # The file is there before it is written.
            def written() -> list[str]:
                texts = [file.read_text() for file in (directory / "RUNTIME_DIR").glob("jpserver-*.json")]
                return [text for text in texts if text]

            wait_until(lambda: written() or server.poll() is not None, "the server has started", 60)
            assert server.poll() is None, log.read_text()
            yield json.loads(written()[0])
        finally:
            server.kill()


@pytest.mark.timeout(180)
def test_every_link_of_the_web_page_works_behind_a_jupyter_proxy(
    context: BrowserContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", BASE)
    scheduler = Recorder()
    with (
        LocalCluster() as cluster,
        jupyter(tmp_path / "jupyter", BASE) as server,
        running(cluster.address, scheduler, mesos_pb2.FrameworkInfo(user="", name=SECRET)) as driver,
    ):
        offer = scheduler.offer()
        made = task(offer, "echo to stdout; echo to stderr >&2; sleep 300")
        driver.launchTasks(offer.id, [made])
        scheduler.state(made.task_id.value, mesos_pb2.TASK_RUNNING)
        assert cluster.notebook_link == f"{BASE}proxy/{cluster.address.rpartition(':')[2]}/"
        root = server["url"].removesuffix(BASE) + cluster.notebook_link
        failed: list[str] = []
        context.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
        context.on("request", lambda asked: None if asked.url.startswith(root) else failed.append(asked.url))
        page = context.new_page()
        page.goto(f"{root}?token={server['token']}")
        shows(page)
        for name, text in (("Frameworks", SECRET), ("Agents", "localhost"), ("Tasks", made.task_id.value)):
            page.get_by_role("link", name=name, exact=True).click()
            page.locator("table").get_by_text(text).first.wait_for(timeout=20_000)
        page.get_by_role("link", name=made.task_id.value).click()
        for line in ("to stdout", "to stderr"):
            page.locator("pre").get_by_text(line).wait_for(timeout=20_000)
        with page.expect_download() as download:
            page.get_by_role("link", name="download").first.click()
        assert "to stdout" in download.value.path().read_text()
        page.locator("main").get_by_role("link", name=SECRET).click()
        page.get_by_role("heading", name=SECRET).wait_for(timeout=20_000)
        page.locator("a.brand").click()
        page.get_by_role("heading", name="Active tasks").wait_for(timeout=20_000)
        assert failed == []


@pytest.mark.timeout(120)
def test_the_access_rules_hold_behind_a_jupyter_proxy(tmp_path: Path) -> None:
    with LocalCluster() as cluster, jupyter(tmp_path / "jupyter") as server, busy(cluster) as names:
        url = f"{server['url']}proxy/{cluster.address.rpartition(':')[2]}"
        logged_in = {"Authorization": f"token {server['token']}"}

        def answer(path: str, headers: dict[str, str], data: bytes | None = None) -> tuple[int, str]:
            request = urllib.request.Request(url + path, data, headers)
            try:
                with urllib.request.urlopen(request, timeout=30) as got:
                    return got.status, got.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()

        status, text = answer("/state", logged_in)
        assert (status, SECRET in text) == (200, True)
        assert SECRET not in answer("/state", {})[1], "nobody is let in who is not logged in to Jupyter"
        evil = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
        data = f"frameworkId={names['FRAMEWORK']}".encode()
        for headers in (evil, {"Origin": evil["Origin"]}, {"Sec-Fetch-Site": "cross-site"}):
            status, text = answer("/teardown", {**logged_in, **headers}, data)
            assert (status, SECRET in text) == (403, False)
        status, text = answer("/state", {**logged_in, **evil})
        assert (status, SECRET in text) == (403, False)
