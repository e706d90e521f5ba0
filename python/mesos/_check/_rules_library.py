"""Rules for modules and functions of the standard library that are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesos._check._conversion import is_guarded, old_modules
from mesos._check._rules import Rules
from mesos._check._tree import content, enclosing, keyword, method

if TYPE_CHECKING:
    from collections.abc import Callable

    from tree_sitter import Node

    from mesos._check._rules import Found
    from mesos._check._tree import Source

RULES = Rules()

GONE_MODULES = {
    "pkg_resources": ("setuptools 82", "importlib.metadata, importlib.resources"),
    "md5": ("3.0", "hashlib"), "sha": ("3.0", "hashlib"), "sets": ("3.0", "set and frozenset"),
    "popen2": ("3.0", "subprocess"), "new": ("3.0", "types"), "compiler": ("3.0", "ast"),
    "mimetools": ("3.0", "email"), "rfc822": ("3.0", "email"), "MimeWriter": ("3.0", "email"),
    "user": ("3.0", "nothing"), "statvfs": ("3.0", "os.statvfs"), "exceptions": ("3.0", "the builtin exceptions"),
    "htmllib": ("3.0", "html.parser"), "sgmllib": ("3.0", "html.parser"), "mutex": ("3.0", "threading"),
    "dircache": ("3.0", "os.listdir"), "fpformat": ("3.0", "format()"), "multifile": ("3.0", "email"),
    "asyncore": ("3.12", "asyncio, or the package pyasyncore"), "asynchat": ("3.12", "asyncio, or pyasynchat"),
    "smtpd": ("3.12", "the package aiosmtpd"), "imp": ("3.12", "importlib"),
    "distutils": ("3.12", "setuptools, shutil.which, sysconfig, the package packaging"),
    "aifc": ("3.13", "a package"), "audioop": ("3.13", "a package"), "cgi": ("3.13", "urllib.parse, email.message"),
    "cgitb": ("3.13", "traceback"), "chunk": ("3.13", "a package"), "crypt": ("3.13", "a package"),
    "imghdr": ("3.13", "a package"), "lib2to3": ("3.13", "the package fissix"), "mailcap": ("3.13", "a package"),
    "msilib": ("3.13", "a package"), "nis": ("3.13", "a package"), "nntplib": ("3.13", "a package"),
    "ossaudiodev": ("3.13", "a package"), "pipes": ("3.13", "shlex.quote, subprocess"),
    "sndhdr": ("3.13", "a package"), "spwd": ("3.13", "a package"), "sunau": ("3.13", "a package"),
    "telnetlib": ("3.13", "socket, or the package telnetlib3"), "uu": ("3.13", "base64, binascii"),
    "xdrlib": ("3.13", "struct"),
}  # fmt: skip
"""Modules that are gone: since which Python or other package, and what takes their place."""


def _import(source: Source, node: Node, since_3_0: bool) -> Found:
    if is_guarded(node):
        return False
    module = node.child_by_field_name("module_name")
    names = [module] if module is not None else node.children_by_field_name("name")
    if module is not None and module.type == "relative_import":
        return False
    for one in names:
        name = content(one.child_by_field_name("name") or one).split(".")[0]
        version, instead = GONE_MODULES.get(name, ("", ""))
        if version and (not version.startswith("3.1")) == since_3_0 and name not in old_modules():
            where = f"Python {version}" if version.startswith("3.") else version
            return f"the module {name} was removed in {where}: use {instead}"
    return False


@RULES.will(
    "gone-module", "import_statement", "import_from_statement",
    says="Python 3 does not have this module",
    remedy="import what takes its place",
    bad="import md5\n", good="try:\n    import md5\nexcept ImportError:\n    pass\n",
)  # fmt: skip
def _gone_module(source: Source, node: Node) -> Found:
    return _import(source, node, since_3_0=True)


@RULES.may(
    "leaving-module", "import_statement", "import_from_statement",
    says="Python 3.12 or 3.13 does not have this module",
    remedy="import what takes its place; Python 3.11 still has it",
    bad="import imp\n", good="import importlib\n",
)  # fmt: skip
def _leaving_module(source: Source, node: Node) -> Found:
    return _import(source, node, since_3_0=False)


GONE_NAMES = {
    "inspect.getargspec": "inspect.getfullargspec or inspect.signature", "string.letters": "string.ascii_letters",
    "string.lowercase": "string.ascii_lowercase", "string.uppercase": "string.ascii_uppercase",
    "string.maketrans": "str.maketrans", "string.join": '" ".join(...)',
    "string.split": "the method split",
    "string.replace": "the method replace", "string.strip": "the method strip", "string.lower": "the method lower",
    "string.upper": "the method upper", "string.atoi": "int()", "string.atof": "float()",
    "string.find": "the method find",
    "string.zfill": "the method zfill", "string.rjust": "the method rjust", "string.ljust": "the method ljust",
    "os.popen2": "subprocess.Popen", "os.popen3": "subprocess.Popen", "os.popen4": "subprocess.Popen",
    "os.errno": "import errno", "time.clock": "time.perf_counter or time.process_time",
    "platform.linux_distribution": "the package distro", "platform.dist": "the package distro",
    "base64.encodestring": "base64.encodebytes", "base64.decodestring": "base64.decodebytes",
    "cgi.escape": "html.escape", "sys.setdefaultencoding": "nothing: remove it", "sys.exc_clear": "nothing: remove it",
    "sys.setcheckinterval": "sys.setswitchinterval", "itertools.izip_longest": "itertools.zip_longest",
    "threading._sleep": "time.sleep", "fractions.gcd": "math.gcd", "asyncio.async": "asyncio.ensure_future",
    "asyncio.coroutine": "async def",
    "xml.etree.cElementTree": "xml.etree.ElementTree", "types.StringTypes": "str", "types.StringType": "str",
    "random.jumpahead": "nothing: remove it",
    "inspect.formatargspec": "inspect.signature",
    "gettext.lgettext": "gettext.gettext", "types.DictType": "dict", "types.ListType": "list",
    "ssl.PROTOCOL_SSLv3": "ssl.PROTOCOL_TLS_CLIENT",
    "os.tmpnam": "tempfile", "os.tempnam": "tempfile",
}  # fmt: skip
"""Names of the standard library that 2to3 leaves as they are, and what takes their place."""
_CONTAINERS = {"Mapping", "MutableMapping", "Sequence", "MutableSequence", "Iterable", "Iterator", "Callable", "Set",
               "MutableSet", "Hashable", "Sized", "Container", "Generator", "KeysView", "ValuesView", "ItemsView",
               "MappingView", "ByteString", "Coroutine", "Awaitable"}  # fmt: skip


def _gone(name: str) -> str:
    module, _, last = name.rpartition(".")
    if module == "collections" and last in _CONTAINERS:
        return f"collections.abc.{last}"
    return GONE_NAMES.get(name, "")


@RULES.will(
    "gone-name", "attribute", "import_from_statement",
    says="Python 3 does not have this name",
    remedy="use what takes its place",
    bad="import string\nstring.letters\nfrom collections import Mapping\n",
    good="import string\nstring.ascii_letters\nfrom collections import OrderedDict\n",
)  # fmt: skip
def _gone_name(source: Source, node: Node) -> Found:
    return gone_names(source, node, lambda name: "" if name == "inspect.getargspec" else _gone(name))


LEAVING_NAMES = {
    "locale.format": "locale.format_string",
    "ssl.wrap_socket": "ssl.SSLContext.wrap_socket",
    "unittest.makeSuite": "unittest.TestLoader",
    "ConfigParser.SafeConfigParser": "configparser.ConfigParser",
    "configparser.SafeConfigParser": "configparser.ConfigParser",
}
"""Names of the standard library that Python 3.11 still has."""


@RULES.may(
    "leaving-name", "attribute", "import_from_statement",
    says="Python 3.12 or 3.13 does not have this name",
    remedy="use what takes its place; Python 3.11 still has it",
    bad="import ssl\nssl.wrap_socket(s)\n", good="import ssl\nssl.SSLContext()\n",
)  # fmt: skip
def _leaving_name(source: Source, node: Node) -> Found:
    return gone_names(source, node, lambda name: LEAVING_NAMES.get(name, ""))


def gone_names(source: Source, node: Node, instead: Callable[[str], str]) -> Found:
    """Says which names that are imported or used have another one instead."""
    if node.type == "import_from_statement":
        module = content(node.child_by_field_name("module_name"))
        full = [content(n.child_by_field_name("name") or n) for n in node.children_by_field_name("name")]
        names = [f"{module}.{name}" for name in full]
    else:
        name = source.dotted(node)
        names = [name] if name.split(".")[0] in {one.split(".")[0] for one in source.imports.values()} else []
    said = [f"{name} is gone: use {instead(name)}" for name in names if instead(name)]
    return "; ".join(said) if said and not is_guarded(node) else False


@RULES.will(
    "getargspec", "attribute", "import_from_statement",
    says="inspect.getargspec was removed in Python 3.11",
    remedy="use inspect.getfullargspec or inspect.signature",
    bad="import inspect\ninspect.getargspec(f)\n", good="import inspect\ninspect.getfullargspec(f)\n",
)  # fmt: skip
def _getargspec(source: Source, node: Node) -> Found:
    if is_guarded(node):
        return False
    if node.type == "attribute":
        return source.dotted(node) == "inspect.getargspec"
    names = [content(name) for name in node.children_by_field_name("name")]
    return content(node.child_by_field_name("module_name")) == "inspect" and "getargspec" in names


_METHODS = {
    "isAlive": "is_alive()",
    "getchildren": "list(element)",
    "getiterator": "iter()",
    "tostring": "tobytes()",
    "assertItemsEqual": "assertCountEqual()",
}


@RULES.will(
    "gone-method", "call",
    says="this method was removed",
    remedy="use what takes its place",
    bad="import threading\nt.isAlive()\n", good="import threading\nt.is_alive()\n",
)  # fmt: skip
def _gone_method(source: Source, node: Node) -> Found:
    name = method(node)
    if name not in _METHODS or name in source.defined or (name == "tostring" and not source.uses("array")):
        return False
    if name == "getchildren" and not (source.uses("xml") or source.uses("lxml")):
        return False
    return f"{name}() was removed: use {_METHODS[name]}"


@RULES.may(
    "event-loop", "call",
    says="get_event_loop() raises outside of a coroutine if the thread has no loop (Python 3.14)",
    remedy="use asyncio.run(), or get_running_loop() in coroutines",
    bad="import asyncio\nloop = asyncio.get_event_loop()\n",
    good="import asyncio\nasync def f():\n    asyncio.get_event_loop()\n",
)  # fmt: skip
def _event_loop(source: Source, node: Node) -> Found:
    if source.called(node) != "asyncio.get_event_loop":
        return False
    function = enclosing(node, "function_definition")
    return function is None or not content(function).startswith("async")


@RULES.will(
    "loop-argument", "call",
    says="asyncio's functions take no loop since Python 3.10",
    remedy="remove loop=",
    bad="import asyncio\nasyncio.sleep(1, loop=x)\n", good="import asyncio\nasyncio.sleep(1)\n",
)  # fmt: skip
def _loop_argument(source: Source, node: Node) -> Found:
    names = ("sleep", "wait", "wait_for", "gather", "Lock", "Event", "Queue", "Semaphore", "Condition", "shield")
    name = source.called(node)
    return name in {f"asyncio.{one}" for one in names} and keyword(node, "loop") is not None
