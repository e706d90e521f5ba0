"""Rules for text where bytes are needed, and bytes where text is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesos._check._origins import mode_of, opened, opens_text, origin
from mesos._check._rules import Rules
from mesos._check._tree import (
    argument,
    arguments,
    attribute,
    bare,
    comes_from,
    content,
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
_TEXT_METHODS = {"split", "startswith", "endswith", "find", "replace", "strip", "rsplit", "index", "count"}
_ENCODERS = {"base64.b64encode", "base64.urlsafe_b64encode", "base64.b32encode", "base64.encodebytes",
             "base64.encodestring", "binascii.hexlify", "binascii.crc32", "zlib.compress", "zlib.crc32",
             "zlib.adler32"}  # fmt: skip


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
    return not opens_text(source, process)


@RULES.will(
    "bytes-as-text", "call", "comparison_operator", "binary_operator",
    says="what is read here is bytes, and is used as text",
    remedy="call .decode(); for a child, pass text=True when it is started",
    bad='import subprocess\nsubprocess.check_output(a).split("\\n")\n',
    good='import subprocess\nsubprocess.check_output(a, text=True).split("\\n")\n',
)  # fmt: skip
def _bytes_as_text(source: Source, node: Node) -> Found:
    used: list[Node | None] = []
    if node.type == "call":
        if method(node) in _TEXT_METHODS:
            used = [receiver(node)] if is_text(source, argument(node, 0, "")) else []
        elif source.called(node) in ("re.search", "re.match", "re.findall", "re.split", "re.finditer"):
            used = [argument(node, 1, "")] if is_text(source, argument(node, 0, "")) else []
        elif source.called(node) == "str":
            used = [argument(node, 0, "")]
    elif node.type == "comparison_operator" or content(node.child_by_field_name("operator")) == "+":
        used = list(node.named_children) if any(is_text(source, s) for s in node.named_children) else []
    for one in used:
        start = origin(source, one)
        if start is not None:
            return start, f"what is read here is bytes, and line {node.start_point[0] + 1} uses it as text"
    return False


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
    "str-of-bytes", "call", "pair",
    says="""str() of bytes is "b'...'", with the quotes""",
    remedy="remove str(), or call .decode()",
    bad="import pickle\nstr(pickle.dumps(x))\n", good="import pickle\nstr(pickle.loads(x))\n",
)  # fmt: skip
def _str_of_bytes(source: Source, node: Node) -> Found:
    if node.type == "pair":  # a table of converters, by the types of protobuf's fields
        key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
        return attribute(key) == "TYPE_BYTES" and source.dotted(value) == "str"
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
    call = opened(source, argument(node, 0 if function == "load" else 1, "file"))
    mode = mode_of(call) if call is not None else None
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
    call = opened(source, target)
    if call is not None:
        return "b" in (mode_of(call) or "")
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
    given, call = argument(node, 0, ""), opened(source, receiver(node))
    mode = mode_of(call) if call is not None else None
    is_binary = comes_from(source, given, _DUMPS, {"SerializeToString"}) or origin(source, given) is not None
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
    return codec in ("hex", "base64", "zlib", "string_escape", "zip", "bz2", "rot13")


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
