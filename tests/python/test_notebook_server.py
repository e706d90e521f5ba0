"""A notebook on a real Jupyter server, in a real browser: its kernel runs the cells, and the links that they show open the
cluster's web page through jupyter-server-proxy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from tests.python.support import wait_until
from tests.python.test_browser import BASE, browser, context, jupyter
from tools.notebooks import EXAMPLES

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext

__all__ = ["browser", "context"]

# What a notebook's page does: opens it, starts its kernel, runs the cells, and shows their outputs.
RUN = """
async ([base, name, token, more]) => {
  const headers = { Authorization: `token ${token}`, "Content-Type": "application/json" };
  const ask = async (path, body) => {
    const answer = await fetch(base + path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return answer.json();
  };
  const notebook = (await ask(`api/contents/${name}`)).content;
  const session = await ask("api/sessions", { path: name, name, type: "notebook", kernel: { name: "python3" } });
  const url = `${base}api/kernels/${session.kernel.id}/channels?token=${token}`.replace("http", "ws");
  const socket = new WebSocket(url);
  await new Promise((done, failed) => { socket.onopen = done; socket.onerror = failed; });
  document.body.replaceChildren();
  const run = (code) => new Promise((done, failed) => {
    const id = crypto.randomUUID(), outputs = document.createElement("section");
    document.body.append(outputs);
    socket.onmessage = ({ data }) => {
      const { header, parent_header, content } = JSON.parse(data);
      if (parent_header.msg_id !== id) return;
      const shown = document.createElement("div");
      if (header.msg_type === "error") failed(new Error(content.evalue));
      if (header.msg_type === "stream") shown.innerText = content.text;
      if (content.data?.["text/html"]) shown.innerHTML = content.data["text/html"];
      else if (content.data?.["text/plain"]) shown.innerText = content.data["text/plain"];
      outputs.append(shown);
      if (header.msg_type === "status" && content.execution_state === "idle") done();
    };
    const header = { msg_id: id, username: "ann", session: "page", msg_type: "execute_request", version: "5.3" };
    const content = { code, silent: false, store_history: true, user_expressions: {}, allow_stdin: false };
    socket.send(JSON.stringify({ channel: "shell", header, parent_header: {}, metadata: {}, content }));
  });
  for (const code of [...notebook.cells.filter((cell) => cell.cell_type === "code").map((cell) => cell.source), ...more])
    await run(code);
  return session.id;
}
"""
END = """
async ([base, session, token]) => {
  const answer = await fetch(`${base}api/sessions/${session}`, { method: "DELETE", headers: { Authorization: `token ${token}` } });
  if (!answer.ok) throw new Error(answer.status);
}
"""


@pytest.mark.timeout(180)
def test_a_notebook_runs_and_its_links_open_the_web_page(
    context: BrowserContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", BASE)
    notebook: Any = nbformat.read(EXAMPLES / "hello_world.ipynb", as_version=4)
    # The last cell stops the cluster.
    assert "cluster.stop()" in notebook.cells.pop().source
    with jupyter(tmp_path / "jupyter", BASE) as server:
        nbformat.write(notebook, tmp_path / "jupyter" / "hello.ipynb")
        page = context.new_page()
        page.goto(f"{server['url']}?token={server['token']}")
        session = page.evaluate(RUN, [server["url"], "hello.ipynb", server["token"], ["cluster"]])
        for said in ("hello-2 is in state TASK_FINISHED", "hello-1 | TASK_FINISHED | hello from task 1"):
            page.get_by_text(said).wait_for(timeout=20_000)
        failed: list[str] = []
        context.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
        link = page.locator("section:last-of-type").get_by_role("link").first
        assert (link.get_attribute("href") or "").startswith(f"{BASE}proxy/")
        with context.expect_page() as opened:
            link.click()
        web = opened.value
        web.get_by_role("link", name="hello-1").click()
        web.locator("pre").get_by_text("hello from task 1").wait_for(timeout=20_000)
        web.get_by_role("link", name="Agents", exact=True).click()
        web.locator("table").get_by_text("localhost").first.wait_for(timeout=20_000)
        assert web.url.startswith(f"{server['url']}proxy/")
        assert failed == []
        # The server ends the kernel, and the kernel its cluster.
        page.evaluate(END, [server["url"], session, server["token"]])
        wait_until(lambda: web.request.get(web.url).status >= 500, "nothing is behind the proxy any more")
