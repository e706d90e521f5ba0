"""Where the embedded cluster answers otherwise than the real master on purpose, and why.

An entry has the parts of the answer that differ, as the embedded cluster gives them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.requests import Deliberate

if TYPE_CHECKING:
    from tests.requests import Answer

TEXT = {"Content-Type": "text/plain; charset=utf-8"}
TAKEN: Answer = {"status": 202, "headers": {}, "body": ""}

BLANKS = "Blanks around the value of a header do not belong to it (RFC 9110, 5.5)."
BUILD = "The embedded cluster is not a build of Mesos, so it does not have the date of one."
CLOSES = "A server that closes a connection says so (RFC 9112, 9.6). Mesos closes it without a word."
CRASH = "The real master crashes."
LIMITS = "The embedded cluster bounds what a client can make it hold: docs/embedded-cluster.md has the limits."
METHOD = "Mesos' parser closes the connection at methods that it does not know. A 405 says what is wrong."
LACKING = "What the embedded cluster does not have is named, instead of being reported as not offered."
ORDER = "The order in which Mesos names them is that of a hash table."
UNWRITTEN = (
    "No library writes such bytes for these messages. To take them, Mesos reads over what it does not understand."
)
UTF8 = "A string of protobuf is UTF-8. Mesos would pass other bytes on in JSON that cannot be read."
SECURITY = (
    "The embedded cluster runs commands for whoever reaches its port: docs/embedded-cluster.md has what it refuses."
)
OUTSIDE = "Nothing is told of what is outside of the working directory, not even whether it is there."
TRAILERS = "Mesos takes trailers, which HTTP has (RFC 9112, 7.1.2), for a broken body."
UNKNOWN_TASK = "Mesos' agent never acknowledges an update of a task that it does not know, so the executor sends it again and again."


def refused(status: int, body: str, **headers: str) -> Answer:
    return {"status": status, "headers": {**headers, **TEXT}, "body": body}


def method(name: str) -> Deliberate:
    body = f"405 Method Not Allowed. Expecting one of {{ 'POST' }}, but received '{name}'."
    return Deliberate(METHOD, refused(405, body, Allow="POST"))


def closes(**headers: str) -> Deliberate:
    return Deliberate(CLOSES, {"headers": {"Connection": "close", **headers}})


def task_error(why: str, message: str, reason: str = "REASON_TASK_INVALID", times: int = 1) -> Deliberate:
    """A TASK_ERROR of the scene's task."""
    status = {
        "task_id": {"value": "task"},
        "state": "TASK_ERROR",
        "message": message,
        "source": "SOURCE_MASTER",
        "reason": reason,
        "agent_id": {"value": "@agent"},
        "timestamp": "@time",
    }
    return Deliberate(why, {**TAKEN, "told": [{"type": "UPDATE", "update": {"status": status}}] * times})


def duplicates(body: bool) -> Deliberate:
    message = "'FrameworkInfo.roles' contains duplicate items: { a, b }"
    if body:
        return Deliberate(ORDER, {"body": f"Supplied FrameworkInfo is not valid: {message}"})
    events = [{"type": "ERROR", "error": {"message": message}}, {"type": "(the stream ends)"}]
    return Deliberate(ORDER, {"events": events})


STREAM = {"Content-Type": "application/json", "Mesos-Stream-Id": "@stream"}
NOT_HERE = "The Host 'example.org' is not this cluster: expected localhost, an address of loopback, or a host in REMESOS_LOCAL_HOSTS\n"
NO_TYPE = "Failed to validate scheduler::Call: Expecting 'type' to be present"
NO_ID = "Failed to validate scheduler::Call: Expecting 'framework_id' to be present"
UNPARSED = "Failed to parse body into Call protobuf"

VERSION = '{"type":"GET_VERSION","get_version":{"version_info":{"version":"1.11.0"}}}'


def crashes(status: int, body: str) -> Deliberate:
    return Deliberate(CRASH, refused(status, body))


def crashes_later(status: int, body: str) -> Deliberate:
    """The real master takes what is nothing, and crashes when it carries it out."""
    return Deliberate(CRASH, refused(status, body), paths=("then",))


def other(why: str, *paths: str) -> Deliberate:
    return Deliberate(why, paths=paths)


NO_QUOTA = "Failed to remove quota: Role '{}' has no quota set"
NO_RESERVATION = "Resource  is not dynamically reserved"
NO_PROVIDERS = "Resource 'cpus:1' is invalid: the embedded cluster has no resource providers"
NOT_A_FORM = "Expecting 'Content-Type' of application/x-www-form-urlencoded\n"
ON_AGENT = "on agent @agent at @agent-path@@address (localhost)"
OVERFLOW = "Mesos counts in thousandths, and this many do not fit into 64 bits."
FLAGS = "The flags are those that the embedded cluster has."
METRICS = "The metrics are those that the embedded cluster can measure."
MESSAGE = "The message of a status says why a task failed. Mesos' endpoints leave it out, its API does not."
PATHS = "There is nothing below an endpoint. Mesos answers such a path as it answers the endpoint."

DELIBERATE: dict[str, dict[str, Deliberate]] = {
    "agent": {
        "Connection: close": Deliberate(
            CLOSES, {"headers": {"Connection": "close", "Content-Type": "application/json"}}
        ),
        "GET_VERSION": Deliberate(BUILD, {"body": VERSION}),
        "GET_VERSION in protobuf": Deliberate(BUILD, {"body": VERSION}),
    },
    "scheduler": {
        "the method post": method("post"),
        "the method LONGMETHODNAME": method("LONGMETHODNAME"),
        "the Content-Type ' application/json '": Deliberate(BLANKS, TAKEN),
        "SUPPRESS with a stream id and a blank": Deliberate(BLANKS, TAKEN),
        "gzip with a blank": Deliberate(BLANKS, {"body": NO_ID}),
        "Connection: close": closes(),
        "Connection: Close": closes(),
        "Connection: close, TE": closes(),
        "SUBSCRIBE with Connection: close": closes(**STREAM, **{"Transfer-Encoding": "chunked"}),
        "a bad call with Connection: close": closes(**TEXT),
        "a wrong method with Connection: close": closes(Allow="POST", **TEXT),
        "HTTP/1.0 with keep-alive": Deliberate(
            "A server of HTTP/1.0 says that it keeps a connection. Mesos keeps it without a word.",
            {"headers": {"Connection": "keep-alive"}},
        ),
        "SUBSCRIBE in HTTP/1.0": Deliberate("HTTP/1.0 has no chunks.", {"headers": STREAM}),
        "chunks with trailers": Deliberate(TRAILERS, TAKEN),
        "the Host of another machine": Deliberate(SECURITY, refused(421, NOT_HERE)),
        "the Origin of a web page": Deliberate(
            SECURITY, refused(403, "Refused: the request comes from a web page of another origin\n")
        ),
        "gzip of 65 megabytes of blanks": Deliberate(
            LIMITS, refused(413, "The body is too large: expected at most 67108864 bytes here\n")
        ),
        "1100 headers more": Deliberate(LIMITS, {"status": 431, "headers": {"Connection": "close"}, "body": ""}),
        "protobuf: a field of the wrong kind": Deliberate(UNWRITTEN, refused(400, UNPARSED)),
        "protobuf: an unknown type at last": Deliberate(UNWRITTEN, refused(400, NO_TYPE)),
        "protobuf: an id that is not UTF-8": Deliberate(UTF8, {"body": UNPARSED}),
        "protobuf: an id that is not UTF-8 and long": Deliberate(UTF8, {"body": UNPARSED}),
        "SUBSCRIBE with roles twice and thrice": duplicates(body=False),
        "UPDATE_FRAMEWORK with roles twice and thrice": duplicates(body=True),
        "ACCEPT: a resource of type TEXT": task_error(CRASH, "Resource 'cpus:' is invalid: Unsupported resource type"),
        "ACCEPT: a group with a task id twice": task_error(
            CRASH,
            "Task 'task' is invalid: Task has duplicate ID: task",
            reason="REASON_TASK_GROUP_INVALID",
            times=2,
        ),
        "ACCEPT: a disk with a source": task_error(
            LACKING, "Resource 'disk:32' is invalid: the embedded cluster has no disk sources"
        ),
        "ACCEPT: a resource provider": task_error(
            LACKING, "Resource 'cpus:1' is invalid: the embedded cluster has no resource providers"
        ),
    },
    "executor": {
        "MESSAGE with Connection: close": closes(),
        **{
            f"UPDATE of {task}": Deliberate(
                UNKNOWN_TASK,
                {
                    "told": [
                        {
                            "type": "ACKNOWLEDGED",
                            "acknowledged": {"task_id": {"value": task_id}, "uuid": "AAECAwQFRgeICQoLDA0ODw=="},
                        }
                    ]
                },
            )
            for task, task_id in (("an unknown task", "x"), ("an empty task id", ""))
        },
    },
    "operator": {
        **{f"GET_FLAGS (nobody){form}": other(FLAGS, "body.get_flags.flags") for form in ("", ", in protobuf")},
        **{
            f"GET_VERSION (nobody){form}": other(BUILD, "body.get_version.version_info")
            for form in ("", ", in protobuf")
        },
        "GET_METRICS": other(METRICS, "body.get_metrics.metrics"),
        **{
            f"REMOVE_QUOTA: {what}": crashes(400, NO_QUOTA.format(role))
            for what, role in (
                ("one that is not set", "nobody"),
                ("the role *", "*"),
                ("an empty role", ""),
                ("a role with a blank", "a b"),
            )
        },
        "RESERVE_RESOURCES: nothing of a resource": crashes_later(
            400, f"Invalid RESERVE operation {ON_AGENT}: {NO_RESERVATION}"
        ),
        "UNRESERVE_RESOURCES: nothing of a resource": crashes_later(
            400, f"Invalid UNRESERVE operation: {NO_RESERVATION}"
        ),
        "CREATE_VOLUMES: nothing of the disk": other(CRASH, "then"),
        "RESERVE_RESOURCES: a resource provider": Deliberate(
            LACKING, refused(400, f"Invalid RESERVE operation {ON_AGENT}: {NO_PROVIDERS}")
        ),
        "UPDATE_QUOTA: a limit that is large": other(OVERFLOW, "body"),
    },
    "endpoints": {
        "GET /files/read?path=@directory/../x (running)": Deliberate(
            OUTSIDE, refused(400, "'@directory/../x' is inaccessible.\n")
        ),
        "GET /state (nobody)": other(f"{BUILD} {FLAGS}", "body.git", "body.build", "body.flags"),
        "GET /flags (nobody)": other(FLAGS, "body.flags"),
        "GET /@agent-path/flags (nobody)": other(FLAGS, "body.flags"),
        "GET /version (nobody)": other(BUILD, "body.build", "body.git", "body.remesos", "body, in its order"),
        "GET /tasks (running)": other(MESSAGE, "body.tasks"),
        "GET /state/a (nobody)": Deliberate(PATHS, refused(404, "404 Not Found.")),
        "GET /weights?jsonp=f (nobody)": Deliberate(
            SECURITY, refused(403, "Refused: 'jsonp' is for pages of this cluster, or with its token in a header\n")
        ),
        "POST /maintenance/schedule: another Content-Type": Deliberate(
            SECURITY, {**refused(415, "Expecting 'Content-Type' of application/json\n"), "then": None}
        ),
        **{
            f"POST /{path} of JSON": Deliberate(SECURITY, refused(415, NOT_A_FORM))
            for path in ("reserve", "unreserve", "create-volumes", "destroy-volumes", "teardown")
        },
    },
}
