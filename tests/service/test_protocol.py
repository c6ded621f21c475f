# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP protocol, spoken with a real engine process: what it answers and what it refuses."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motion_engine import protocol, skeleton
from motion_engine.client import EngineProcess
from motion_engine.openapi import openapi
from motion_engine.wire import decode_motion

OPENAPI = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"


def raw(
    engine: EngineProcess, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> tuple[int, Any]:
    """Status and JSON of a request with exactly these headers (and a Content-Length)."""
    connection = engine.connect(timeout=20)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def good_headers(engine: EngineProcess, **changes: str) -> dict[str, str]:
    headers = {"Host": f"127.0.0.1:{engine.port}", "Authorization": f"Bearer {engine.token}"}
    return headers | {name.replace("_", "-"): value for name, value in changes.items()}


def post(engine: EngineProcess, body: bytes) -> tuple[int, Any]:
    return raw(engine, "POST", "/v1/generate", good_headers(engine), body)


# --- what it answers ------------------------------------------------------------------------------------


def test_health(engine: EngineProcess):
    health = engine.call("GET", "/v1/health")
    assert health["status"] == "ready"
    assert health["pid"] == engine.pid == engine.process.pid
    assert health["queue"] == 0 and health["error"] is None
    assert health["device"]
    (default,) = [bundle for bundle in health["bundles"] if bundle["default"]]
    assert default["licence"] and default["title"]
    assert "motionlcm" in default["samplers"]
    assert default["fps"] == 20 and default["max_duration"] > 5


def test_generate_streams_progress_and_motions(engine: EngineProcess):
    body = {"prompt": "a person walks forward", "duration": 3.0, "seed": 7, "count": 2, "steps": 4}
    events = list(engine.generate(body))
    for event in events:
        protocol.parse_event(json.dumps(event))
    kinds = [event["event"] for event in events]
    assert kinds == ["queued", "progress", "progress", "progress", "progress", "motion", "motion", "done"]
    assert len({event["job"] for event in events}) == 1
    assert [(event["step"], event["steps"]) for event in events[1:5]] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert events[4]["fraction"] == 1.0
    for index, event in enumerate(events[5:7]):
        assert (event["index"], event["count"]) == (index, 2)
        motion = decode_motion(event["motion"])
        assert motion.fps == 20 and abs(motion.n_frames - 60) <= 4
        joints = skeleton.forward_kinematics(motion.rotations.astype(float), motion.root.astype(float))
        assert np.abs(joints - motion.joints).max() < 1e-4
        assert motion.provenance["prompt"] == "a person walks forward"
        assert motion.provenance["seed"] == 7 + index
    assert events[-1]["elapsed_ms"] > 0


def test_same_request_and_seed_same_motion(engine: EngineProcess):
    body = {"prompt": "someone waves", "duration": 2.0, "seed": 11, "count": 2}
    first, second = ([e for e in engine.generate(body) if e["event"] == "motion"] for _ in range(2))
    assert [e["motion"]["joints"] for e in first] == [e["motion"]["joints"] for e in second]
    alone = [e for e in engine.generate(body | {"seed": 12, "count": 1}) if e["event"] == "motion"]
    np.testing.assert_allclose(
        decode_motion(alone[0]["motion"]).joints, decode_motion(first[1]["motion"]).joints, atol=1e-4
    )
    other = [e for e in engine.generate(body | {"seed": 13, "count": 1}) if e["event"] == "motion"]
    assert other[0]["motion"]["joints"] != alone[0]["motion"]["joints"]


def test_post_processing_can_be_turned_off(engine: EngineProcess):
    body = {"prompt": "a person runs", "duration": 2.0, "post": {"foot_lock": False, "floor": False}}
    events = list(engine.generate(body))
    assert events[-1]["event"] == "done"


def test_connection_can_be_used_again(engine: EngineProcess):
    connection = engine.connect()
    for _ in range(3):
        response = engine.request(connection, "GET", "/v1/health")
        assert response.status == 200 and json.loads(response.read())["status"] == "ready"
    connection.close()


# --- who may ask ----------------------------------------------------------------------------------------

CALLS = [
    ("GET", "/v1/health"),
    ("POST", "/v1/generate"),
    ("POST", "/v1/caption"),
    ("POST", "/v1/embed"),
    ("DELETE", "/v1/jobs/x"),
    ("POST", "/v1/bundles"),
    ("DELETE", "/v1/bundles/base"),
    ("POST", "/v1/shutdown"),
    ("GET", "/nothing"),
    ("OPTIONS", "/v1/generate"),
]


@pytest.mark.parametrize(("method", "path"), CALLS)
@pytest.mark.parametrize(
    "authorization", [None, "Bearer wrong", "Bearer ", "Basic {token}", "{token}", "Bearer {token}x"]
)
def test_every_call_needs_the_token(engine: EngineProcess, method: str, path: str, authorization: str | None):
    headers = good_headers(engine)
    del headers["Authorization"]
    if authorization is not None:
        headers["Authorization"] = authorization.format(token=engine.token)
    status, reply = raw(engine, method, path, headers)
    assert (status, reply["error"]["code"]) == (401, "bad_token")
    assert engine.token not in json.dumps(reply)


@pytest.mark.parametrize("origin", ["https://example.com", "http://127.0.0.1", "null", ""])
def test_web_pages_are_refused_even_with_the_token(engine: EngineProcess, origin: str):
    status, reply = raw(engine, "GET", "/v1/health", good_headers(engine, Origin=origin))
    assert (status, reply["error"]["code"]) == (403, "foreign_origin")


@pytest.mark.parametrize(
    "host", ["example.com", "example.com:{port}", "127.0.0.1", "127.0.0.1:1", "", "[::1]:{port}"]
)
def test_foreign_host_is_refused(engine: EngineProcess, host: str):
    status, reply = raw(engine, "GET", "/v1/health", good_headers(engine, Host=host.format(port=engine.port)))
    assert (status, reply["error"]["code"]) == (403, "bad_host")


def test_localhost_is_this_host(engine: EngineProcess):
    status, _ = raw(engine, "GET", "/v1/health", good_headers(engine, Host=f"localhost:{engine.port}"))
    assert status == 200


def test_no_permission_for_web_pages_is_ever_given(engine: EngineProcess):
    connection = engine.connect()
    response = engine.request(connection, "GET", "/v1/health")
    assert not [name for name in response.headers if name.lower().startswith("access-control")]
    connection.close()


def test_only_the_loopback_is_listened_on(engine: EngineProcess):
    addresses = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in addresses - {"127.0.0.1"}:
        if address.startswith("127."):
            continue
        with pytest.raises(OSError):
            socket.create_connection((address, engine.port), timeout=1).close()


# --- what may be asked ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed_json"),
        (b"{", 400, "malformed_json"),
        (b'{"prompt": "a" "b"}', 400, "malformed_json"),
        (b'{"prompt": "\xff\xfe"}', 400, "malformed_json"),
        (b"[" * 100_000, 400, "malformed_json"),
        (b"[]", 422, "bad_request"),
        (b"null", 422, "bad_request"),
        (b'{"prompt": 5}', 422, "bad_request"),
        (b'{"prompt": "a", "speed": 2}', 422, "bad_request"),
        (b'{"prompt": "a", "duration": NaN}', 422, "bad_request"),
        (b'{"prompt": "a", "duration": Infinity}', 422, "bad_request"),
        (b'{"prompt": "a", "guidance": NaN}', 422, "bad_request"),
        (b'{"prompt": "a", "seed": -1}', 422, "bad_request"),
        (b'{"prompt": "a", "seed": 1.5}', 422, "bad_request"),
        (b'{"prompt": "a", "post": {"foot_lock": "maybe"}}', 422, "bad_request"),
    ],
)
def test_bad_body(engine: EngineProcess, body: bytes, status: int, code: str):
    found, reply = post(engine, body)
    assert (found, reply["error"]["code"]) == (status, code)
    assert reply["error"]["message"].endswith(".") and reply["error"]["fix"]


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": ""},
        {"prompt": None},
        {"prompt": " \n\t "},
        {"prompt": "walk " * 2000},
        {"duration": 0},
        {"duration": -3},
        {"duration": 1000},
        {"count": 0},
        {"tries": 0},
        {"tries": 17},
        {"count": 1000},
        {"steps": 0},
        {"steps": -4},
        {"sampler": "no_such_sampler"},
        {"bundle": "no_such_bundle"},
        {"bundle": "../../etc"},
    ],
    ids=lambda change: repr(change)[:40],
)
def test_value_that_the_engine_refuses(engine: EngineProcess, change: dict[str, Any]):
    status, reply = post(engine, json.dumps({"prompt": "a person walks"} | change).encode())
    assert status == 422
    error = reply["error"]
    assert error["code"] not in ("bad_request", "internal")
    assert error["message"].endswith(".") and error["fix"]


def test_oversized_body(engine: EngineProcess):
    body = json.dumps({"prompt": "x" * (2 << 20)}).encode()
    status, reply = post(engine, body)
    assert (status, reply["error"]["code"]) == (413, "body_too_large")


def test_oversized_body_without_a_length(engine: EngineProcess):
    connection = engine.connect(timeout=20)
    pieces = (b"x" * 65536 for _ in range(40))
    connection.request("POST", "/v1/generate", pieces, good_headers(engine), encode_chunked=True)
    response = connection.getresponse()
    assert response.status == 413
    connection.close()


def test_oversized_length_is_refused_before_it_is_sent(engine: EngineProcess):
    connection = engine.connect(timeout=20)
    connection.putrequest("POST", "/v1/generate", skip_host=True)
    for name, value in good_headers(engine, Content_Length=str(10**12)).items():
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/docs", 404), ("GET", "/v1/generate", 405), ("POST", "/v1/health", 405)],
)
def test_unknown_calls(engine: EngineProcess, method: str, path: str, status: int):
    found, reply = raw(engine, method, path, good_headers(engine))
    assert found == status and reply["error"]["message"]


def test_garbage_on_the_socket_harms_nobody(engine: EngineProcess):
    for garbage in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"\0" * 1000):
        with socket.create_connection(("127.0.0.1", engine.port), timeout=5) as connection:
            connection.sendall(garbage)
    connection = http.client.HTTPConnection("127.0.0.1", engine.port, timeout=5)
    connection.close()
    assert engine.call("GET", "/v1/health")["status"] == "ready"


def test_openapi_document_is_current():
    assert json.loads(OPENAPI.read_text(encoding="utf-8")) == json.loads(json.dumps(openapi())), (
        "run: python -m motion_engine.openapi > docs/openapi.json"
    )
