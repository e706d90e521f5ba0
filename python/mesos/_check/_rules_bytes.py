"""Rules for text where bytes are needed, and bytes where text is needed."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from mesos._check._rules import Rules
from mesos._check._tree import (
    argument,
    arguments,
    attribute,
    bare,
    comes_from,
    content,
    enclosing,
    is_bytes_literal,
    is_text,
    keyword,
    literal,
    method,
    receiver,
)

if TYPE_CHECKING:
    from tree_sitter import Node

    from mesos._check._rules import Found
    from mesos._check._tree import Source

RULES = Rules()
_HASHES = {"md5", "sha1", "sha224", "sha256", "sha384", "sha512", "new", "sha", "blake2b"}
_ENCODERS = {"base64.b64encode", "base64.urlsafe_b64encode", "base64.b32encode", "base64.encodebytes",
             "base64.encodestring", "binascii.hexlify", "binascii.crc32", "zlib.compress", "zlib.crc32",
             "zlib.adler32"}  # fmt: skip
_URLS = {"urllib2.urlopen", "urllib.urlopen", "urllib.request.urlopen"}
_TEXT_MODES = ("universal_newlines", "text", "encoding", "errors")


def _is_hash(source: Source, call: Node) -> bool:
    name = source.called(call)
    return name.split(".")[0] in ("hashlib", "md5", "sha") and name.rpartition(".")[2] in _HASHES


@RULES.will(
    "text-to-socket", "call",
    says="a socket, a pipe or an HTTP answer takes bytes, not text",
    remedy='write b"...", or text.encode()',
    bad='import socket\nsock.send("text")\n', good='import socket\nsock.send(b"bytes")\n',
)  # fmt: skip
def _text_to_socket(source: Source, node: Node) -> Found:
    name, target = method(node), receiver(node)
    text = argument(node, 0, "")
    if name in ("sendall", "sendto"):
        return is_text(source, text)
    if name == "send":
        words = content(target).lower()
        known = any(word in words for word in ("sock", "conn", "client", "request")) or words == "s"
        return known and source.uses("socket") and is_text(source, text)
    if name == "write" and attribute(target) == "wfile":
        return is_text(source, text)
    return source.called(node) == "os.write" and is_text(source, argument(node, 1, ""))


@RULES.will(
    "text-to-process", "call",
    says="a child's standard input takes bytes, unless the process was started with text=True",
    remedy="pass text=True to Popen, or encode the text",
    bad="import subprocess\np = subprocess.Popen(a, stdin=subprocess.PIPE)\np.communicate('text')\n",
    good="import subprocess\np = subprocess.Popen(a, stdin=subprocess.PIPE, text=True)\np.communicate('text')\n",
)  # fmt: skip
def _text_to_process(source: Source, node: Node) -> Found:
    target = receiver(node)
    if method(node) == "write" and attribute(target) == "stdin" and target is not None:
        process = target.child_by_field_name("object")
    elif method(node) == "communicate":
        process = target
    else:
        return False
    if "sys" in (content(process), source.dotted(process)) or not is_text(source, argument(node, 0, "input")):
        return False
    return not _opens_text(source, process)


def _opens_text(source: Source, process: Node | None) -> bool:
    """Whether the process is known to have been started with text."""
    starts = [process] if process is not None and process.type == "call" else []
    if process is not None and process.type == "identifier":
        starts = list(source.values(process))
    return any(_is_text_mode(start) for start in starts)


def _is_text_mode(call: Node) -> bool:
    return call.type == "call" and any(keyword(call, name) is not None for name in _TEXT_MODES)


def _is_output(source: Source, node: Node | None, depth: int = 0) -> bool:
    """Whether an expression is bytes that were read from a child, a URL, a socket or a binary file."""
    node = bare(node)
    if node is None or depth > 5:
        return False
    again = functools.partial(_is_output, source, depth=depth + 1)
    if node.type == "identifier":
        values = [*_unpacked(source, node), *(v for v in source.values(node) if v.type != "identifier")]
        return any(map(again, values)) or any(_is_stream(source, one) for one in _loops(source, node))
    if node.type == "subscript":
        return again(node.child_by_field_name("value"))
    if node.type != "call":
        return False
    if source.called(node) == "subprocess.check_output":
        return not _is_text_mode(node)
    name, base = method(node), receiver(node)
    if name in ("strip", "rstrip", "lstrip"):
        return again(base)
    if name == "communicate":
        return _opens_bytes(source, base)
    if name in ("recv", "recvfrom"):
        return source.uses("socket")
    return name in ("read", "readline", "readlines") and _is_stream(source, base)


def _loops(source: Source, name: Node) -> list[Node]:
    """Returns what a name is taken from in the loop around it."""
    function = enclosing(name, "function_definition")
    found = source.loops.get(content(name), [])
    return [one for one in found if enclosing(one, "function_definition") == function]


def _is_stream(source: Source, node: Node | None) -> bool:
    """Whether an expression is a stream of bytes."""
    node = bare(node)
    if node is None:
        return False
    if node.type == "identifier":
        call = _with(source, node)
        return any(
            v.type != "identifier" and _is_stream(source, v) for v in [*source.values(node), *([call] if call else [])]
        )
    if attribute(node) in ("stdout", "stderr"):
        return _opens_bytes(source, node.child_by_field_name("object"))
    if node.type != "call":
        return False
    if source.called(node) == "iter":
        one = argument(node, 0, "")
        return (
            attribute(one) in ("readline", "read")
            and one is not None
            and _is_stream(source, one.child_by_field_name("object"))
        )
    if source.called(node) in ("open", "file"):
        return "b" in (_mode(node) or "")
    if method(node) in ("readlines",):
        return _is_stream(source, receiver(node))
    return source.called(node) in _URLS or method(node) == "getresponse"


def _opens_bytes(source: Source, process: Node | None) -> bool:
    """Whether an expression is a process that was started without text."""
    starts = [process] if process is not None and process.type == "call" else []
    if process is not None and process.type == "identifier":
        starts = list(source.values(process))
    calls = [start for start in starts if source.called(start).rpartition(".")[2] == "Popen"]
    return bool(calls) and not any(_is_text_mode(call) for call in calls)


def _unpacked(source: Source, name: Node) -> list[Node]:
    """Returns what is assigned to a name among others, as in ``out, err = p.communicate()``."""
    found = []
    for node in source.nodes:
        if node.type != "assignment":
            continue
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is not None and left.type == "pattern_list" and right is not None and method(right) == "communicate":
            found += [right for one in left.named_children if content(one) == content(name)]
    return found


@RULES.will(
    "bytes-as-text", "call", "comparison_operator", "binary_operator",
    says="what is read from a child, a URL, a socket or a binary file is bytes, and is used as text here",
    remedy="call .decode(); for a child, pass text=True when it is started",
    bad='import subprocess\nsubprocess.check_output(a).split("\\n")\n',
    good='import subprocess\nsubprocess.check_output(a, text=True).split("\\n")\n',
)  # fmt: skip
def _output_as_text(source: Source, node: Node) -> Found:
    if node.type == "call":
        if method(node) in ("split", "startswith", "endswith", "find", "replace", "strip", "rsplit", "index", "count"):
            return is_text(source, argument(node, 0, "")) and _is_output(source, receiver(node))
        name = source.called(node)
        if name in ("re.search", "re.match", "re.findall", "re.split", "re.finditer"):
            return is_text(source, argument(node, 0, "")) and _is_output(source, argument(node, 1, ""))
        return name == "str" and _is_output(source, argument(node, 0, ""))
    sides = node.named_children
    if node.type == "binary_operator" and content(node.child_by_field_name("operator")) != "+":
        return False
    return any(_is_output(source, s) for s in sides) and any(is_text(source, s) for s in sides)


@RULES.will(
    "text-to-hash", "call",
    says="hashes and base64 take bytes, not text",
    remedy="encode the text: hashlib.md5(text.encode())",
    bad='import hashlib\nhashlib.md5("%s" % x)\n', good='import hashlib\nhashlib.md5(b"x")\n',
)  # fmt: skip
def _text_to_hash(source: Source, node: Node) -> Found:
    name = source.called(node)
    if _is_hash(source, node):
        return is_text(source, argument(node, 1 if name.endswith(".new") else 0, ""))
    if name in _ENCODERS:
        return is_text(source, argument(node, 0, ""))
    if name == "hmac.new":
        return is_text(source, argument(node, 0, "")) or is_text(source, argument(node, 1, ""))
    if method(node) == "update" and (target := receiver(node)) is not None and target.type == "identifier":
        hashes = [value for value in source.values(target) if _is_hash(source, value)]
        return bool(hashes) and is_text(source, argument(node, 0, ""))
    return False


_KNOWN_BYTES = ("encode", "read", "dumps", "bytes", "chunk", "block", "buf", "data", "SerializeToString", "digest()")


@RULES.may(
    "hash-of-text", "call",
    says="hashes take bytes; this may be text",
    remedy="encode it if it is text",
    bad="import hashlib\ndef f(key):\n    print key\n    return hashlib.md5(key)\n",
    good="import hashlib\ndef f(chunk):\n    print chunk\n    return hashlib.md5(chunk)\n",
)  # fmt: skip
def _hash_of_text(source: Source, node: Node) -> Found:
    if _text_to_hash(source, node) or _exact_bytes(source, node) or not source.is_python_2:
        return False
    given = argument(node, 1 if source.called(node) == "hashlib.new" else 0, "")
    target = receiver(node)
    if not _is_hash(source, node):
        is_name = method(node) == "update" and target is not None and target.type == "identifier"
        if not is_name or target is None or not any(_is_hash(source, value) for value in source.values(target)):
            return False
    if given is None or any(word in content(given) for word in _KNOWN_BYTES):
        return False
    if given.type == "identifier" and any(w in content(v) for v in source.values(given) for w in _KNOWN_BYTES):
        return False
    return not is_bytes_literal(given)


_OPENERS = {"urllib2.urlopen", "urllib.urlopen", "urllib.request.urlopen", "urllib2.Request", "urllib.request.Request",
            "urlopen", "Request"}  # fmt: skip


@RULES.will(
    "text-in-post", "call",
    says="the body of a POST in urllib is bytes, not text",
    remedy="encode it: urlopen(url, text.encode())",
    bad='import urllib2\nurllib2.urlopen(url, "text")\n', good='import urllib2\nurllib2.urlopen(url, b"x")\n',
)  # fmt: skip
def _text_in_post(source: Source, node: Node) -> Found:
    if source.called(node) in _OPENERS:
        return is_text(source, argument(node, 1, "data"))
    return method(node) == "add_data" and is_text(source, argument(node, 0, ""))


@RULES.will(
    "exact-bytes", "call",
    says="what is read from a data field is text that holds bytes; this function takes exactly bytes (or a path)",
    remedy="pass bytes(x.data), or x.data.decode() for a path",
    bad="import hashlib\nhashlib.md5(task.data)\n", good="import hashlib\nhashlib.md5(bytes(task.data))\n",
)  # fmt: skip
def _exact_bytes(source: Source, node: Node) -> Found:
    name = source.called(node)
    given = arguments(node)
    if _is_hash(source, node) or name in ("hmac.new", "struct.pack", "pathlib.Path", *_OPENERS):
        data = given[1:] if name in _OPENERS or name == "struct.pack" else given
        body = keyword(node, "data")
        return any(_is_data(one) for one in [*data, *([body] if body is not None else [])])
    return False


def _is_data(node: Node) -> bool:
    base = node.child_by_field_name("object")
    names = ("task", "taskinfo", "task_info", "status", "update", "executor", "executorinfo", "executor_info", "info")
    return attribute(node) == "data" and content(base).rpartition(".")[2].lower() in names


_DUMPS = {"pickle.dumps", "cPickle.dumps", "marshal.dumps", "base64.b64encode", "zlib.compress", "struct.pack",
          "base64.encodestring", "cloudpickle.dumps", "base64.b64decode", "dill.dumps"}  # fmt: skip


@RULES.will(
    "str-of-bytes", "call",
    says="""str() of bytes is "b'...'", with the quotes""",
    remedy="remove str(), or call .decode()",
    bad="import pickle\nstr(pickle.dumps(x))\n", good="import pickle\nstr(pickle.loads(x))\n",
)  # fmt: skip
def _str_of_bytes(source: Source, node: Node) -> Found:
    if source.called(node) not in ("str", "unicode") or len(arguments(node)) != 1:
        return False
    given = argument(node, 0, "")
    return comes_from(source, given, _DUMPS, {"SerializeToString", "SerializePartialToString", "encode"})


@RULES.will(
    "bytes-in-text", "binary_operator", "call",
    says="bytes are put into text here",
    remedy="call .decode() on the bytes first",
    bad='import base64\n"Basic " + base64.b64encode(x)\n',
    good='import base64\n"Basic " + base64.b64encode(x).decode()\n',
)  # fmt: skip
def _bytes_in_text(source: Source, node: Node) -> Found:
    if node.type == "call":
        if method(node) in ("replace", "split", "strip", "rstrip", "startswith"):
            return is_text(source, argument(node, 0, "")) and comes_from(
                source, receiver(node), _DUMPS - {"marshal.dumps"}
            )
        return source.called(node) == "json.dumps" and comes_from(source, argument(node, 0, ""), _DUMPS)
    left, right = node.child_by_field_name("left"), bare(node.child_by_field_name("right"))
    if content(node.child_by_field_name("operator")) not in "+%" or right is None:
        return False
    values = right.named_children if right.type == "tuple" else [right]
    if is_text(source, left):
        return any(comes_from(source, value, _DUMPS) for value in values)
    return is_text(source, right) and comes_from(source, left, _DUMPS) and content(node.children[1]) == "+"


@RULES.will(
    "open-unbuffered", "call",
    says="text files cannot be unbuffered",
    remedy='use open(path, "wb", 0) and bytes, or buffering=1 and flush()',
    bad='open(path, "w", 0)\n', good='open(path, "wb", 0)\n',
)  # fmt: skip
def _open_unbuffered(source: Source, node: Node) -> Found:
    if source.called(node) not in ("open", "file", "os.fdopen", "io.open"):
        return False
    mode, size = argument(node, 1, "mode"), argument(node, 2, "buffering")
    text = "r" if mode is None else literal(mode)
    return content(size) == "0" and text is not None and "b" not in text


def _opened(source: Source, node: Node | None) -> Node | None:
    """Returns the call of ``open`` that an expression or a name is the result of."""
    node = bare(node)
    if node is not None and node.type == "identifier":
        for one in source.values(node):
            if source.called(one) in ("open", "file", "os.fdopen"):
                return one
        return _with(source, node)
    return node if node is not None and source.called(node) in ("open", "file", "os.fdopen") else None


def _with(source: Source, name: Node) -> Node | None:
    one: Node | None = name
    while one is not None:
        one = one.parent
        if one is None or one.type != "with_statement":
            continue
        clause = next((c for c in one.named_children if c.type == "with_clause"), None)
        for item in clause.named_children if clause is not None else []:
            value = item.named_children[0] if item.named_children else item
            if value.type == "as_pattern" and content(value.child_by_field_name("alias")) == content(name):
                call = value.named_children[0]
                return call if source.called(call) in ("open", "file") else None
    return None


def _mode(call: Node) -> str | None:
    mode = argument(call, 1, "mode")
    return "r" if mode is None else literal(mode)


@RULES.will(
    "pickle-in-text-file", "call",
    says="pickle and marshal need a binary file",
    remedy='open the file with "rb" or "wb"',
    bad='import pickle\npickle.load(open("x"))\n', good='import pickle\npickle.load(open("x", "rb"))\n',
)  # fmt: skip
def _pickle_file(source: Source, node: Node) -> Found:
    name = source.called(node)
    module, _, function = name.rpartition(".")
    if module not in ("pickle", "cPickle", "marshal", "dill", "cloudpickle") or function not in ("load", "dump"):
        return False
    call = _opened(source, argument(node, 0 if function == "load" else 1, "file"))
    mode = _mode(call) if call is not None else None
    return mode is not None and "b" not in mode


@RULES.will(
    "text-to-binary-file", "call",
    says="a binary file takes bytes, not text",
    remedy='open it with "w", or encode the text',
    bad='f = open("x", "wb")\nf.write("text")\n', good='f = open("x", "w")\nf.write("text")\n',
)  # fmt: skip
def _binary_file(source: Source, node: Node) -> Found:
    if method(node) == "write":
        target, is_given_text = receiver(node), is_text(source, argument(node, 0, ""))
    elif source.called(node) in ("json.dump", "csv.writer"):
        target, is_given_text = argument(node, 1 if source.called(node) == "json.dump" else 0, ""), True
    else:
        return False
    if not is_given_text or target is None:
        return False
    call = _opened(source, target)
    if call is not None:
        return "b" in (_mode(call) or "")
    values = source.values(target) if target.type == "identifier" else []
    temporary = [v for v in values if source.called(v) in ("tempfile.NamedTemporaryFile", "tempfile.TemporaryFile")]
    return any(not arguments(v) and keyword(v, "mode") is None for v in temporary)


@RULES.will(
    "bytes-to-text-file", "call",
    says="a text file takes text, and these are bytes",
    remedy='open it with "wb"',
    bad='import pickle\nf = open("x", "w")\nf.write(pickle.dumps(x))\n',
    good='import pickle\nf = open("x", "wb")\nf.write(pickle.dumps(x))\n',
)  # fmt: skip
def _text_file(source: Source, node: Node) -> Found:
    if method(node) != "write":
        return False
    given, call = argument(node, 0, ""), _opened(source, receiver(node))
    mode = _mode(call) if call is not None else None
    is_binary = comes_from(source, given, _DUMPS, {"SerializeToString"}) or _is_output(source, given)
    return mode is not None and "b" not in mode and is_binary


@RULES.will(
    "text-codec", "call",
    says='text has no codecs such as "hex" and "base64"',
    remedy="use binascii.hexlify(), base64.b64encode(), codecs.encode()",
    bad='"x".encode("hex")\n', good='status.uuid.encode("hex")\n',
)  # fmt: skip
def _text_codec(source: Source, node: Node) -> Found:
    codec = (literal(argument(node, 0, "encoding")) or "").replace("-", "_").lower()
    if method(node) not in ("encode", "decode") or attribute(receiver(node)) in ("uuid", "data", "value"):
        return False
    return codec in ("hex", "base64", "zlib", "string_escape", "unicode_escape", "zip", "bz2", "rot13", "string_escape")


@RULES.will(
    "decode-of-text", "call",
    says="text has no method decode()",
    remedy="remove it",
    bad='"text".decode("utf-8")\n', good='b"bytes".decode("utf-8")\n',
)  # fmt: skip
def _decode_of_text(source: Source, node: Node) -> Found:
    return method(node) == "decode" and is_text(source, receiver(node))


@RULES.will(
    "text-to-zookeeper", "call",
    says="kazoo takes and returns bytes",
    remedy="encode the value, and decode what get() returns",
    bad='import kazoo.client\nzk.create("/path", "value")\n',
    good='import kazoo.client\nzk.create("/path", b"value")\n',
)  # fmt: skip
def _text_to_zookeeper(source: Source, node: Node) -> Found:
    if not source.uses("kazoo") or method(node) not in ("create", "set"):
        return False
    return any(w in content(receiver(node)).lower() for w in ("zk", "zoo", "kazoo")) and is_text(
        source, argument(node, 1, "value")
    )
