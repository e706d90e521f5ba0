"""Rules for the language: methods that are no longer called, division, comparisons, names that became keywords."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

from mesos._check._rules import Rules
from mesos._check._tree import (
    argument,
    arguments,
    attribute,
    bare,
    content,
    enclosing,
    is_text,
    keyword,
    literal,
    method,
    node_is_parameter,
    receiver,
    walk,
)

if TYPE_CHECKING:
    from tree_sitter import Node

    from mesos._check._rules import Found
    from mesos._check._tree import Source

RULES = Rules()


def _is_method(node: Node, *names: str) -> bool:
    return content(node.child_by_field_name("name")) in names and enclosing(node, "class_definition") is not None


@RULES.will(
    "cmp-method", "function_definition",
    says="__cmp__ is no longer called: objects compare by identity, and < raises TypeError",
    remedy="write __eq__ and __lt__ (functools.total_ordering adds the rest), and __hash__ if objects are keys",
    bad="class A:\n    def __cmp__(self, other):\n        return 0\n",
    good="class A:\n    def __lt__(self, other):\n        return False\n",
)  # fmt: skip
def _cmp_method(source: Source, node: Node) -> Found:
    return _is_method(node, "__cmp__")


@RULES.will(
    "cmp-argument", "call",
    says="sort() and sorted() take no function that compares two values",
    remedy="pass key=, or key=functools.cmp_to_key(function)",
    bad="x.sort(cmp=f)\n", good="x.sort(key=f)\n",
)  # fmt: skip
def _cmp_argument(source: Source, node: Node) -> Found:
    if method(node) == "sort":
        return keyword(node, "cmp") is not None or (len(arguments(node)) == 1 and not _is_numpy(source))
    if source.called(node) == "sorted":
        return keyword(node, "cmp") is not None or len(arguments(node)) > 1
    return False


def _is_numpy(source: Source) -> bool:
    return source.uses("numpy") or source.uses("pymongo")


@RULES.will(
    "cmp-function", "call",
    says="cmp() no longer exists",
    remedy="compare with < and ==, or use (a > b) - (a < b)",
    bad="cmp(a, b)\n", good="def cmp(a, b):\n    return 0\ncmp(1, 2)\n",
)  # fmt: skip
def _cmp_function(source: Source, node: Node) -> Found:
    return content(node.child_by_field_name("function")) == "cmp" and "cmp" not in source.defined


@RULES.will(
    "div-method", "function_definition",
    says="__div__ is no longer called by /",
    remedy="name it __truediv__ (and __rdiv__ __rtruediv__, __idiv__ __itruediv__)",
    bad="class A:\n    def __div__(self, other):\n        return 0\n",
    good="class A:\n    def __div__(self, other):\n        return 0\n    __truediv__ = __div__\n",
)  # fmt: skip
def _div_method(source: Source, node: Node) -> Found:
    if not _is_method(node, "__div__", "__rdiv__", "__idiv__"):
        return False
    body = enclosing(node, "class_definition")
    name = content(node.child_by_field_name("name")).replace("div__", "truediv__")
    return name not in content(body)


@RULES.will(
    "slice-method", "function_definition",
    says="__getslice__ is no longer called by x[a:b]",
    remedy="let __getitem__ accept a slice (__setitem__, __delitem__)",
    bad="class A:\n    def __getslice__(self, a, b):\n        return 0\n",
    good="class A:\n    def __getitem__(self, a):\n        return 0\n",
)  # fmt: skip
def _slice_method(source: Source, node: Node) -> Found:
    return _is_method(node, "__getslice__", "__setslice__", "__delslice__")


@RULES.may(
    "coerce-method", "function_definition",
    says="__unicode__, __coerce__, __hex__ and __oct__ are no longer called",
    remedy="write __str__ (it returns text), or __index__ for hex() and oct()",
    bad="class A:\n    def __unicode__(self):\n        return ''\n",
    good="class A:\n    def __str__(self):\n        return ''\n",
)  # fmt: skip
def _coerce_method(source: Source, node: Node) -> Found:
    if _is_method(node, "__unicode__"):
        return "def __str__" not in content(enclosing(node, "class_definition"))
    return _is_method(node, "__coerce__", "__hex__", "__oct__")


_WHOLE = {"range", "xrange", "itertools.islice", "random.randint", "random.randrange", "chr", "unichr", "bin", "hex",
          "itertools.repeat"}  # fmt: skip


@RULES.will(
    "integer-division", "binary_operator", "augmented_assignment",
    says="/ gives a float, but a whole number is needed here",
    remedy="use //",
    bad="x[len(x) / 2]\n", good="x[len(x) // 2]\ny = x / 2\n",
)  # fmt: skip
def _integer_division(source: Source, node: Node) -> Found:
    operator = content(node.child_by_field_name("operator"))
    if operator not in ("/", "/=") or "division" in source.imports or _is_float(source, node):
        return False
    if operator == "/=":
        left = node.child_by_field_name("left")
        return left is not None and left.type == "identifier" and _name_is_whole(source, left, node)
    return _is_whole(source, node)


def _is_float(source: Source, node: Node) -> bool:
    for side in ("left", "right"):
        one = bare(node.child_by_field_name(side))
        if one is None:
            return True
        if one.type == "float" or is_text(source, one) or source.called(one) in ("float", "Path", "pathlib.Path"):
            return True
        if one.type == "binary_operator" and _is_float(source, one):
            return True
        if one.type == "identifier" and any(
            v.type == "float" or source.called(v) == "float" for v in source.values(one)
        ):
            return True
    return False


def _is_whole(source: Source, node: Node) -> bool:
    """Whether what is computed is an index, a count, or such."""
    while (parent := node.parent) is not None:
        if parent.type == "binary_operator":
            operator = content(parent.child_by_field_name("operator"))
            if operator == "*" and any(c.type in ("list", "string") for c in parent.named_children):
                return True
            if operator not in "+-*":
                return False
        elif parent.type == "subscript":
            return parent.child_by_field_name("value") != node
        elif parent.type == "argument_list":
            return source.called(parent.parent) in _WHOLE
        elif parent.type == "assignment":
            left = parent.child_by_field_name("left")
            if left is not None and left.type == "identifier":
                return _name_is_whole(source, left, parent)
            return attribute(left) in ("begin", "end") and parent.child_by_field_name("right") == node
        elif parent.type not in ("slice", "parenthesized_expression", "unary_operator"):
            return False
        node = parent
    return False


def _name_is_whole(source: Source, name: Node, assignment: Node) -> bool:
    """Whether a name that a division is assigned to is an index later on."""
    place = enclosing(assignment, "function_definition", "lambda") or source.tree.root_node
    for node in walk(place):
        if node.type != "identifier" or content(node) != content(name) or node.start_byte <= assignment.start_byte:
            continue
        parent = node.parent
        while parent is not None and parent.type in ("slice", "parenthesized_expression", "binary_operator"):
            if parent.type == "binary_operator" and content(parent.child_by_field_name("operator")) not in "+-*":
                break
            node, parent = parent, parent.parent
        if parent is not None and parent.type == "subscript" and parent.child_by_field_name("value") != node:
            return True
        if parent is not None and parent.type == "argument_list" and source.called(parent.parent) in _WHOLE:
            return True
    return False


@RULES.may(
    "iter-attribute", "call",
    says='hasattr(x, "__iter__") is true for text too',
    remedy="ask isinstance(x, (str, bytes)) first",
    bad='hasattr(x, "__iter__")\n', good='hasattr(x, "name")\n',
)  # fmt: skip
def _iter_attribute(source: Source, node: Node) -> Found:
    if source.called(node) != "hasattr" or literal(argument(node, 1, "")) != "__iter__":
        return False
    test: Node | None = node
    while (outer := enclosing(test, "boolean_operator")) is not None:
        test = outer
    return "isinstance" not in content(test)


_EXCEPTIONS = {
    name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)
}


@RULES.will(
    "exception-message", "attribute",
    says="exceptions have no attribute message",
    remedy="use str(e), or e.args[0]",
    bad="try:\n    f()\nexcept ValueError as e:\n    log(e.message)\n",
    good="try:\n    f()\nexcept E as e:\n    log(str(e))\n",
)  # fmt: skip
def _exception_message(source: Source, node: Node) -> Found:
    if attribute(node) != "message":
        return False
    base = node.child_by_field_name("object")
    if attribute(base) == "value" and base is not None:
        return _is_raised(base.child_by_field_name("object"))
    if base is None or base.type != "identifier":
        return False
    if any(method(value) == "exception" for value in source.values(base)):  # of a future
        return True
    clause: Node | None = node
    while (clause := enclosing(clause, "except_clause")) is not None:
        head = [child for child in clause.named_children if child.type != "block"]
        names = [content(n) for child in head for n in walk(child) if n.type == "identifier"]
        if names and names[-1] == content(base) and (len(head) > 1 or head[0].type == "as_pattern"):
            # Other classes may have an attribute of that name.
            return source.is_python_2 or bool(_EXCEPTIONS & set(names))
    return False


def _is_raised(name: Node | None) -> bool:
    """Whether a name is what ``pytest.raises`` gives."""
    one = name
    while (one := enclosing(one, "with_statement", "function_definition")) is not None:
        heads = [n for n in walk(one) if n.type == "as_pattern" and "raises(" in content(n)]
        if any(content(head.child_by_field_name("alias")) == content(name) for head in heads):
            return True
    return False


@RULES.may(
    "exception-unpacked", "subscript",
    says="exceptions cannot be indexed",
    remedy="use e.args[0]",
    bad="try:\n    f()\nexcept E as e:\n    log(e[0])\n",
    good="try:\n    f()\nexcept E as e:\n    log(e.args[0])\n",
)  # fmt: skip
def _exception_unpacked(source: Source, node: Node) -> Found:
    base = node.child_by_field_name("value")
    clause = enclosing(node, "except_clause")
    if base is None or base.type != "identifier" or clause is None:
        return False
    head = [child for child in clause.named_children if child.type not in ("block", "comment")]
    names = [content(n) for child in head for n in walk(child) if n.type == "identifier"]
    return bool(names) and names[-1] == content(base) and (len(head) > 1 or head[0].type == "as_pattern")


@RULES.may(
    "identity-of-literal", "comparison_operator",
    says="`is` compares identity, and a value with this content need not be the same object",
    remedy="use == or !=",
    bad="if data is not '':\n    pass\n", good="if data is not None:\n    pass\n",
)  # fmt: skip
def _identity(source: Source, node: Node) -> Found:
    children = [bare(child) for child in node.named_children]
    has_is = any(child.type in ("is", "is not") for child in node.children)
    return has_is and any(c is not None and c.type in ("string", "integer", "float", "tuple") for c in children)


@RULES.will(
    "async-name", "identifier",
    says="async and await are keywords",
    remedy="choose another name",
    bad="def f(async=True):\n    pass\n", good="async def f():\n    pass\n",
)  # fmt: skip
def _async_name(source: Source, node: Node) -> Found:
    return content(node) in ("async", "await")


@RULES.may(
    "stop-iteration", "raise_statement",
    says="StopIteration in a generator becomes RuntimeError (PEP 479)",
    remedy="use return",
    bad="def f():\n    yield 1\n    raise StopIteration\n",
    good="def f():\n    raise StopIteration\n",
)  # fmt: skip
def _stop_iteration(source: Source, node: Node) -> Found:
    raised = node.named_children[0] if node.named_children else None
    if raised is None or "StopIteration" not in (content(raised), source.called(raised)):
        return False
    function = enclosing(node, "function_definition")
    return function is not None and any(
        n.type == "yield" and enclosing(n, "function_definition") == function for n in walk(function)
    )


_VIEWS = {"keys", "values", "items"}
_ITERATORS = {"map", "filter", "zip"}


@RULES.will(
    "view-as-list", "subscript", "call",
    says="dict.keys(), map(), filter() and zip() give no list: it has no index, no len(), no sort()",
    remedy="wrap it in list(), or use sorted()",
    bad="d.keys()[0]\nmap(f, x)[0]\nlen(filter(f, x))\n", good="list(d.keys())[0]\nlen(d.keys())\n",
)  # fmt: skip
def _view_as_list(source: Source, node: Node) -> Found:
    if node.type == "subscript":
        one, lengths = node.child_by_field_name("value"), True
    elif source.called(node) == "len":
        one, lengths = argument(node, 0, ""), False
    elif method(node) in ("sort", "append", "extend", "index", "pop", "reverse"):
        one, lengths = receiver(node), True
    else:
        return False
    if one is not None and one.type == "identifier":
        values = source.values(one)
        function = enclosing(one, "function_definition")
        is_given = function is not None and node_is_parameter(function, content(one))
        one = values[0] if len(values) == 1 and not is_given else None
    if one is None or one.type != "call":
        return False
    is_view = method(one) in _VIEWS and not arguments(one) and not source.uses("pandas")
    return (lengths and is_view) or source.called(one) in _ITERATORS


@RULES.may(
    "none-in-order", "call",
    says="None cannot be compared with < to other values",
    remedy="sort by a key that replaces None",
    bad="max(None, 1)\n", good="max(0, 1)\n",
)  # fmt: skip
def _none_in_order(source: Source, node: Node) -> Found:
    return source.called(node) in ("max", "min") and any(n.type == "none" for n in arguments(node))


_GONE_BUILTINS = {
    "file": "use open()", "buffer": "use memoryview()", "coerce": "convert explicitly", "unichr": "use chr()",
    "reload": "use importlib.reload()",
}  # fmt: skip


@RULES.will(
    "gone-builtin", "call",
    says="this function no longer exists",
    remedy="use open() instead of file(), memoryview() instead of buffer()",
    bad="file('x')\n", good="open('x')\n",
)  # fmt: skip
def _gone_builtin(source: Source, node: Node) -> Found:
    name = content(node.child_by_field_name("function"))
    if name not in ("file", "buffer", "coerce") or name in source.defined:
        return False
    return f"{name}() no longer exists: {_GONE_BUILTINS[name]}"
