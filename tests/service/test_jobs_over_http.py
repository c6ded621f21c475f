# SPDX-License-Identifier: GPL-3.0-or-later
"""Cancel, disconnect, several clients: what happens to running and waiting jobs."""

from __future__ import annotations

import threading
import time
from typing import Any

from service_requests import LONG, SHORT, until_progress

from motion_engine.client import EngineProcess


def wait_for_empty_queue(engine: EngineProcess, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while engine.call("GET", "/v1/health")["queue"]:
        assert time.monotonic() < deadline, "the computation goes on"
        time.sleep(0.02)


def test_cancel_in_mid_run_stops_the_computation(engine: EngineProcess):
    events = engine.generate(LONG)
    job = until_progress(events)
    assert engine.call("DELETE", f"/v1/jobs/{job}") == {"cancelled": True}
    rest = list(events)
    assert rest[-1] == {"event": "cancelled", "job": job}
    assert len(rest) <= 3, "at most the step in work is finished"
    assert engine.call("GET", "/v1/health")["queue"] == 0
    assert engine.call("DELETE", f"/v1/jobs/{job}") == {"cancelled": False}
    assert list(engine.generate(SHORT))[-1]["event"] == "done"


def test_cancel_of_an_unknown_job(engine: EngineProcess):
    assert engine.call("DELETE", "/v1/jobs/0123456789abcdef") == {"cancelled": False}


def test_closed_connection_cancels(engine: EngineProcess):
    events = engine.generate(LONG)
    until_progress(events)
    events.close()
    wait_for_empty_queue(engine)
    assert list(engine.generate(SHORT))[-1]["event"] == "done"


def test_waiting_job_learns_its_position_and_can_be_cancelled(engine: EngineProcess):
    running = engine.generate(LONG)
    first = until_progress(running)
    second, third = engine.generate(SHORT), engine.generate(SHORT)
    hello = next(second)
    assert (hello["event"], hello["position"]) == ("queued", 1)
    assert next(third)["position"] == 2
    assert engine.call("GET", "/v1/health")["queue"] == 3
    assert engine.call("DELETE", f"/v1/jobs/{hello['job']}") == {"cancelled": True}
    assert [event["event"] for event in second] == ["cancelled"]
    assert next(third)["position"] == 1, "a waiting job hears that it has moved up"
    engine.call("DELETE", f"/v1/jobs/{first}")
    assert list(running)[-1]["event"] == "cancelled"
    assert list(third)[-1]["event"] == "done"


def test_waiting_job_whose_client_leaves_is_dropped(engine: EngineProcess):
    running = engine.generate(LONG)
    until_progress(running)
    waiting = engine.generate(SHORT)
    next(waiting)
    waiting.close()
    deadline = time.monotonic() + 5
    while engine.call("GET", "/v1/health")["queue"] > 1:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    running.close()
    wait_for_empty_queue(engine)


def test_clients_at_once_get_their_own_motions(engine: EngineProcess):
    bodies = [SHORT | {"seed": seed, "count": 2} for seed in (1, 101, 201, 301)]
    alone = [motions(engine, body) for body in bodies]
    together: dict[int, list[str]] = {}

    def ask(index: int) -> None:
        together[index] = motions(engine, bodies[index])

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(len(bodies))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [together[index] for index in range(len(bodies))] == alone


def motions(engine: EngineProcess, body: dict[str, Any]) -> list[str]:
    events = [event for event in engine.generate(body) if event["event"] == "motion"]
    return [event["motion"]["joints"]["data"] for event in events]
