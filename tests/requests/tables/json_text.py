"""Bodies in JSON: their syntax, and what becomes of it."""

from __future__ import annotations

import json
from typing import Any

from tests.requests import Request
from tests.requests.tables import SUPPRESS, call, subscribe

ID = '"framework_id":{"value":"@framework"}'
KILL = {"task_id": {"value": "unknown"}}
ACKNOWLEDGE = {"agent_id": {"value": "@agent"}, "task_id": {"value": "t"}}
UUID = "AAECAwQFRgeICQoLDA0ODw=="


def requests() -> list[Request]:
    return [*syntax(), *values(), *numbers(), *base64()]


def syntax() -> list[Request]:
    good = json.dumps(SUPPRESS)
    bodies: dict[str, str | bytes] = {
        "nothing": "",
        "a blank": " ",
        "an opening brace": "{",
        "a closing brace": "}",
        "an empty object": "{}",
        "an empty list": "[]",
        "a list of a call": f"[{good}]",
        "null": "null",
        "true": "true",
        "a number": "1",
        "a string": '"SUPPRESS"',
        "a word": "SUPPRESS",
        "rubbish after a call": f"{good} rubbish",
        "a second call after a call": f"{good}{good}",
        "a brace after a call": f"{good}}}",
        "a zero byte after a call": good.encode() + b"\0",
        "a line after a call": f"{good}\r\n",
        "blanks around a call": f" \t\n{good} \n",
        "a byte order mark": b"\xef\xbb\xbf" + good.encode(),
        "a comma at the end of an object": f'{{"type":"SUPPRESS",{ID},}}',
        "a comma at the end of a list": f'{{"type":"SUPPRESS",{ID},"suppress":{{"roles":["*",]}}}}',
        "no comma": f'{{"type":"SUPPRESS" {ID}}}',
        "no colon": f'{{"type" "SUPPRESS",{ID}}}',
        "single quotes": "{'type':'SUPPRESS'}",
        "a name without quotes": f'{{type:"SUPPRESS",{ID}}}',
        "a comment": f'{{"type":"SUPPRESS",/* a */{ID}}}',
        "a string without its end": '{"type":"SUPPRESS',
        "an object without its end": f'{{"type":"SUPPRESS",{ID}',
        "a line within a string": '{"type":"SUPP\nRESS"}',
        "a tab within a string": '{"type":"SUPP\tRESS"}',
        "a wrong escape": '{"type":"SUPP\\xRESS"}',
        "an escape": f'{{"type":"SUPPR\\u0045SS",{ID}}}',
        "half a surrogate": f'{{"type":"SUPPRESS",{ID},"x":"\\ud800"}}',
        "a pair of surrogates": f'{{"type":"SUPPRESS",{ID},"x":"\\ud83d\\ude00"}}',
        "a low surrogate first": f'{{"type":"SUPPRESS",{ID},"x":"\\ude00"}}',
        "bytes that are not UTF-8": f'{{"type":"SUPPRESS",{ID},"x":"'.encode() + b'\xff"}',
        "NaN": f'{{"type":"SUPPRESS",{ID},"x":NaN}}',
        "Infinity": f'{{"type":"SUPPRESS",{ID},"x":Infinity}}',
        "True": f'{{"type":"SUPPRESS",{ID},"x":True}}',
        "a name twice, the second wrong": f'{{"type":"SUPPRESS",{ID},"type":"ACCEPT"}}',
        "a name twice, the first wrong": f'{{"type":"ACCEPT",{ID},"type":"SUPPRESS"}}',
        "an object twice": '{"type":"KILL","framework_id":{"value":"@framework"},"kill":{"task_id":{"value":"a"}},"kill":{"agent_id":{"value":"b"}}}',
        **{
            f"lists {depth} deep": f'{{"type":"SUPPRESS",{ID},"x":{"[" * depth}{"]" * depth}}}'
            for depth in (50, 120, 198, 199, 200, 201, 1000)
        },
        "objects 198 deep": f'{{"type":"SUPPRESS",{ID},"x":{"{" * 1}{chr(34)}a{chr(34)}:{(chr(123) + chr(34) + "a" + chr(34) + ":") * 197}1{"}" * 198}}}',
    }
    return [Request(f"JSON: {what}", body) for what, body in bodies.items()]


def values() -> list[Request]:
    fields: dict[str, Any] = {
        "an unknown field": {**SUPPRESS, "unknown": 1},
        "an unknown field within": {**SUPPRESS, "suppress": {"unknown": {"a": [1]}}},
        "camelCase for the framework's id": {"type": "SUPPRESS", "frameworkId": {"value": "@framework"}},
        "camelCase for a body": call("UPDATE_FRAMEWORK", updateFramework={"framework_info": {}}),
        "camelCase within": subscribe(failoverTimeout="x"),
        "a name in capitals": {**SUPPRESS, "TYPE": "SUPPRESS"},
        "a type by its number": {**SUPPRESS, "type": 12},
        "a type by its number as text": {**SUPPRESS, "type": "12"},
        "a type in small letters": {**SUPPRESS, "type": "suppress"},
        "a type with a blank": {**SUPPRESS, "type": "SUPPRESS "},
        "an unknown type": {**SUPPRESS, "type": "UNSUBSCRIBE"},
        "an empty type": {**SUPPRESS, "type": ""},
        "a type that is null": {**SUPPRESS, "type": None},
        "a type that is true": {**SUPPRESS, "type": True},
        "a type that is a list": {**SUPPRESS, "type": ["SUPPRESS"]},
        "a type that is an object": {**SUPPRESS, "type": {"value": "SUPPRESS"}},
        "an id that is text": {**SUPPRESS, "framework_id": "@framework"},
        "an id that is a number": {**SUPPRESS, "framework_id": 1},
        "an id that is null": {**SUPPRESS, "framework_id": None},
        "an id that is true": {**SUPPRESS, "framework_id": True},
        "an id that is a list": {**SUPPRESS, "framework_id": [{"value": "@framework"}]},
        "an id without its value": {**SUPPRESS, "framework_id": {}},
        "an id whose value is null": {**SUPPRESS, "framework_id": {"value": None}},
        "an id whose value is a number": {**SUPPRESS, "framework_id": {"value": 1}},
        "an id whose value is true": {**SUPPRESS, "framework_id": {"value": True}},
        "an id whose value is a list": {**SUPPRESS, "framework_id": {"value": ["a"]}},
        "an id whose value is an object": {**SUPPRESS, "framework_id": {"value": {"value": "a"}}},
        "a body that is null": call("KILL", kill=None),
        "a body that is text": call("KILL", kill="task"),
        "a body that is a list": call("KILL", kill=[{"task_id": {"value": "task"}}]),
        "a list that is one object": call("RECONCILE", reconcile={"tasks": KILL}),
        "a list that is one text": call("SUPPRESS", suppress={"roles": "*"}),
        "a list that is null": call("SUPPRESS", suppress={"roles": None}),
        "a list that has null": call("SUPPRESS", suppress={"roles": ["*", None]}),
        "a list within a list": call("SUPPRESS", suppress={"roles": [["*"]]}),
        "a list with a number": call("SUPPRESS", suppress={"roles": [1]}),
        "a list with an object": call("SUPPRESS", suppress={"roles": [{"value": "*"}]}),
        "a boolean as text": call(
            "UPDATE_FRAMEWORK",
            update_framework={
                "framework_info": {"user": "root", "name": "n", "id": {"value": "@framework"}, "checkpoint": "false"}
            },
        ),
        "a boolean as another text": call(
            "UPDATE_FRAMEWORK",
            update_framework={
                "framework_info": {"user": "root", "name": "n", "id": {"value": "@framework"}, "checkpoint": "no"}
            },
        ),
        "a boolean as a number": call(
            "UPDATE_FRAMEWORK",
            update_framework={
                "framework_info": {"user": "root", "name": "n", "id": {"value": "@framework"}, "checkpoint": 0}
            },
        ),
        "required fields that are missing": call("UPDATE_FRAMEWORK", update_framework={}),
        "two required fields that are missing": call("SHUTDOWN", shutdown={}),
        "required fields in a list": call("RECONCILE", reconcile={"tasks": [{}, {"task_id": {}}]}),
        "a required field of an id": call("DECLINE", decline={"offer_ids": [{}]}),
        "two errors": {"type": 1, "framework_id": 2},
        "two errors, the other way": {"framework_id": 2, "decline": 3, "type": "X"},
        "an error and a missing field": call("SHUTDOWN", shutdown={"executor_id": 1}),
    }
    return [
        *(Request(f"JSON with {what}", value) for what, value in fields.items()),
        Request("JSON with an unknown capability", subscribe(capabilities=[{"type": "TELEPATHY"}]), scene="nobody"),
        Request("JSON with a capability by its number", subscribe(capabilities=[{"type": 2}]), scene="nobody"),
        Request("JSON with a capability without its type", subscribe(capabilities=[{}]), scene="nobody"),
        Request(
            "JSON with labels", subscribe(labels={"labels": [{"key": "k", "value": "v"}, {"key": "k"}]}), scene="nobody"
        ),
        Request("JSON with a label that is text", subscribe(labels={"labels": ["k=v"]}), scene="nobody"),
        Request("JSON with a map", subscribe({"offer_constraints": {"role_constraints": {"*": {}}}}), scene="nobody"),
        Request(
            "JSON with a map that is a list",
            subscribe({"offer_constraints": {"role_constraints": [{"key": "*"}]}}),
            scene="nobody",
        ),
        Request(
            "JSON with a map of text",
            subscribe({"offer_constraints": {"role_constraints": {"*": "x"}}}),
            scene="nobody",
        ),
    ]


def numbers() -> list[Request]:
    literals = (
        "1", "-1", "0", "0.5", "1e2", "1E+2", "1e400", "-1e400", "1e-400", "01", "+1", ".5", "1.", "-", "0x10", "1_000",
        "9223372036854775807", "9223372036854775808", "18446744073709551616", '"1.5"', '"1e2"', '" 1"', '"1 "', '"x"', '""',
        '"Infinity"', '"-Infinity"', '"NaN"', '"inf"', "true", "null", "[1]", "{}",
    )  # fmt: skip
    text = json.dumps(subscribe())
    doubles = [
        Request(
            f"JSON with failover_timeout {n}",
            text.replace('"user"', f'"failover_timeout": {n}, "user"'),
            scene="nobody",
        )
        for n in literals
    ]
    integers = (
        "1", "-1", "1.5", "1e3", "1e30", "9223372036854775807", "9223372036854775808", '"5"', '"5.5"', '"x"', "true", "null", "{}",
    )  # fmt: skip
    kill = json.dumps(call("KILL", kill={**KILL, "kill_policy": {"grace_period": {"nanoseconds": 424242}}}))
    return [*doubles, *(Request(f"JSON with nanoseconds {n}", kill.replace("424242", n)) for n in integers)]


def base64() -> list[Request]:
    texts = {
        "16 bytes": UUID,
        "without padding": UUID.rstrip("="),
        "with half its padding": UUID[:-1],
        "with more padding": UUID + "=",
        "of the URL-safe kind": "_-ECAwQFRgeICQoLDA0ODw==",
        "of the standard kind": "/+ECAwQFRgeICQoLDA0ODw==",
        "with a blank": f"{UUID[:8]} {UUID[8:]}",
        "with a line": f"{UUID[:8]}\n{UUID[8:]}",
        "with rubbish": f"{UUID[:8]}*{UUID[9:]}",
        "with rubbish after it": f"{UUID}rubbish",
        "with bits left over": "AAECAwQFRgeICQoLDA0ODx==",
        "of one character": "A",
        "of five characters": "AAECA",
        "of nothing": "",
        "of 15 bytes": "AAECAwQFRgeICQoLDA0O",
        "of 17 bytes": "AAECAwQFRgeICQoLDA0ODxA=",
        "of a UUID's text": "MDAwMTAyMDMtMDQwNS00NjA3LTg4MDktMGEwYjBjMGQwZTBm",
        "of zeros": "AAAAAAAAAAAAAAAAAAAAAA==",
        "of a UUID of no version": "AAECAwQFBgcICQoLDA0ODw==",
        "of a UUID of another variant": "AAECAwQFRgfICQoLDA0ODw==",
        "of ones": "/////////////////////w==",
    }
    found = [
        Request(f"base64 {what}", call("ACKNOWLEDGE", acknowledge={**ACKNOWLEDGE, "uuid": uuid}))
        for what, uuid in texts.items()
    ]
    others = {"a number": 1, "null": None, "true": True, "a list": [0, 1]}
    return [
        *found,
        *(
            Request(f"base64 that is {what}", call("ACKNOWLEDGE", acknowledge={**ACKNOWLEDGE, "uuid": v}))
            for what, v in others.items()
        ),
    ]
