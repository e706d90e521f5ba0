# ruff: noqa: E501 (examples)
"""Rules for packages that frameworks of that time often use, and that have changed since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesos._check._rules import Rules
from mesos._check._rules_library import gone_names
from mesos._check._tree import arguments, content, enclosing, is_text, keyword, method, receiver, walk

if TYPE_CHECKING:
    from tree_sitter import Node

    from mesos._check._rules import Found
    from mesos._check._tree import Source

RULES = Rules()

RENAMED = {
    "gevent.wsgi": "gevent.pywsgi", "gevent.coros": "gevent.lock", "gevent.core": "gevent.hub.get_hub().loop",
    "gevent.signal": "gevent.signal_handler", "gevent.shutdown": "nothing: remove it",
    "gevent.dns": "gevent.socket", "gevent.http": "gevent.pywsgi", "gevent.rawgreenlet": "gevent.spawn_raw",
    "psutil.NUM_CPUS": "psutil.cpu_count()", "psutil.TOTAL_PHYMEM": "psutil.virtual_memory().total",
    "psutil.BOOT_TIME": "psutil.boot_time()", "psutil.network_io_counters": "psutil.net_io_counters",
    "psutil.phymem_usage": "psutil.virtual_memory", "psutil.virtmem_usage": "psutil.swap_memory",
    "psutil.avail_phymem": "psutil.virtual_memory", "psutil.used_phymem": "psutil.virtual_memory",
    "psutil.get_pid_list": "psutil.pids", "psutil.get_users": "psutil.users",
    "psutil.get_boot_time": "psutil.boot_time", "psutil.cached_phymem": "psutil.virtual_memory",
    "werkzeug.secure_filename": "werkzeug.utils.secure_filename", "werkzeug.contrib": "a package of its own, such as cachelib",
    "werkzeug.wsgi.DispatcherMiddleware": "werkzeug.middleware.dispatcher.DispatcherMiddleware",
    "flask.Markup": "markupsafe.Markup", "flask.escape": "markupsafe.escape", "flask.json.JSONEncoder": "a JSONProvider",
    "jinja2.Markup": "markupsafe.Markup", "jinja2.escape": "markupsafe.escape", "jinja2.contextfunction": "jinja2.pass_context",
    "tornado.web.asynchronous": "coroutines", "tornado.gen.Task": "coroutines", "tornado.gen.engine": "tornado.gen.coroutine",
    "numpy.float": "float", "numpy.int": "int", "numpy.bool": "bool", "numpy.object": "object", "numpy.str": "str",
    "requests.packages.urllib3": "urllib3", "google.protobuf.service": "a package of your own",
    "google.protobuf.service_reflection": "a package of your own", "kazoo.testing.KazooTestCase": "a real ZooKeeper",
}  # fmt: skip
"""Names of other packages that their releases for Python 3.11 do not have, and what takes their place."""


@RULES.will(
    "renamed-in-package", "attribute", "import_from_statement",
    says="releases of the package that run on Python 3.11 do not have this name",
    remedy="use what takes its place",
    bad="import psutil\npsutil.NUM_CPUS\n", good="import psutil\npsutil.cpu_count()\n",
)  # fmt: skip
def _renamed_in_package(source: Source, node: Node) -> Found:
    return gone_names(source, node, lambda name: RENAMED.get(name, ""))


@RULES.will(
    "yaml-load", "call",
    says="yaml.load() takes a Loader since PyYAML 6",
    remedy="use yaml.safe_load(), or pass Loader=",
    bad="import yaml\nyaml.load(text)\n", good="import yaml\nyaml.load(text, Loader=yaml.SafeLoader)\n",
)  # fmt: skip
def _yaml_load(source: Source, node: Node) -> Found:
    return source.called(node) in ("yaml.load", "yaml.load_all") and (
        len(arguments(node)) == 1 and keyword(node, "Loader") is None
    )


@RULES.will(
    "text-to-wsgi", "return_statement", "yield",
    says="the answer of a WSGI application is bytes, not text",
    remedy='encode it, or write b"..."',
    bad="def app(environ, start_response):\n    start_response('200 OK', [])\n    return ['text']\n",
    good="def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'bytes']\n",
)  # fmt: skip
def _text_to_wsgi(source: Source, node: Node) -> Found:
    function = enclosing(node, "function_definition")
    parameters = function.child_by_field_name("parameters") if function is not None else None
    if function is None or parameters is None:
        return False
    if "start_response" not in {content(n) for n in parameters.named_children}:
        return False
    return any(_holds_text(source, function, value) for value in node.named_children)


def _holds_text(source: Source, function: Node, value: Node) -> bool:
    """Whether an answer is text, or a list of it, or something that text is added to."""
    pieces = value.named_children if value.type in ("list", "tuple") else [value]
    if any(is_text(source, piece) for piece in pieces):
        return True
    return value.type == "identifier" and any(_adds_text(source, n, content(value)) for n in walk(function))


def _adds_text(source: Source, call: Node, name: str) -> bool:
    given = arguments(call) if method(call) in ("put", "append", "write") else []
    return len(given) == 1 and content(receiver(call)) == name and is_text(source, given[0])


@RULES.may(
    "key-without-item", "call",
    says="the key does not depend on the item: it is the same object for each, and if that has no order, sorting raises TypeError",
    remedy="write the key in terms of the lambda's parameter",
    bad="jobs.sort(key=lambda job: Job.cpu)\n", good="jobs.sort(key=lambda job: job.cpu)\n",
)  # fmt: skip
def _key_without_item(source: Source, node: Node) -> Found:
    key = keyword(node, "key")
    if (
        key is None
        or key.type != "lambda"
        or not (method(node) == "sort" or source.called(node) in ("sorted", "min", "max"))
    ):
        return False
    parameters, body = key.child_by_field_name("parameters"), key.child_by_field_name("body")
    if parameters is None or body is None or len(parameters.named_children) != 1:
        return False
    name = content(parameters.named_children[0])
    # A call may give each item another value, as random.random() does.
    return not any(n.type == "call" or content(n) == name for n in walk(body))
