# SPDX-License-Identifier: GPL-3.0-or-later
"""How the engine process begins and ends: asked, orphaned, idle, killed, without a model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from service_requests import LONG, SHORT, until_progress

from motion_engine.client import start_engine
from motion_engine.errors import EngineError

WINDOWS = sys.platform == "win32"


def wait_until_gone(pid: int, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the engine lives on"
        time.sleep(0.05)


def test_job_sent_while_the_model_loads_is_served(bundle_name: str):
    with start_engine() as engine:
        events = list(engine.generate(SHORT))
        assert events[0]["event"] == "queued"
        assert events[-1]["event"] == "done"


def test_engine_killed_in_mid_run_and_another_started(bundle_name: str):
    with start_engine() as engine:
        events = engine.generate(LONG)
        until_progress(events)
        engine.process.kill()
        with pytest.raises(EngineError) as caught:
            list(events)
        assert caught.value.code == "engine_died"
        with pytest.raises(OSError):
            engine.call("GET", "/v1/health")
    with start_engine() as another:
        assert list(another.generate(SHORT))[-1]["event"] == "done"


def test_shutdown_in_mid_run_ends_the_stream_and_the_process(bundle_name: str):
    with start_engine() as engine:
        events = engine.generate(LONG)
        until_progress(events)
        assert engine.call("POST", "/v1/shutdown") == {"stopping": True}
        assert list(events)[-1]["event"] == "cancelled"
        assert engine.process.wait(10) == 0


@pytest.mark.skipif(WINDOWS, reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_in_good_order(bundle_name: str, number: signal.Signals):
    with start_engine() as engine:
        engine.wait_until_ready()
        engine.process.send_signal(number)
        engine.process.wait(10)


def test_ends_with_its_parent(bundle_name: str):
    code = (
        "import time; from motion_engine.client import start_engine; e = start_engine();"
        "print(e.pid, flush=True); time.sleep(100)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert psutil.pid_exists(pid)
    parent.kill()
    parent.wait()
    wait_until_gone(pid)
    parent.stdout.close()


def test_ends_at_once_when_its_parent_has_gone_already(bundle_name: str):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with start_engine(["--parent-pid", str(gone.pid)]) as engine:
        assert engine.process.wait(15) == 0


def test_ends_when_idle_but_not_while_it_works(bundle_name: str):
    with start_engine(["--idle-timeout", "1"]) as engine:
        body = LONG | {"count": 2, "steps": 50}
        assert list(engine.generate(body))[-1]["event"] == "done"
        assert engine.process.wait(15) == 0


def test_without_a_bundle_it_says_so(tmp_path: Path):
    with start_engine(environment=os.environ | {"MOTION_PROMPT_BUNDLES": str(tmp_path)}) as engine:
        deadline = time.monotonic() + 20
        while (health := engine.call("GET", "/v1/health"))["status"] == "loading":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert health["status"] == "error"
        assert health["error"]["message"] and health["error"]["fix"]
        connection = engine.connect()
        response = engine.request(connection, "POST", "/v1/generate", SHORT)
        assert response.status == 503
        assert json.loads(response.read())["error"] == health["error"]
        connection.close()


def test_announcement_is_one_line_of_json(bundle_name: str):
    command = [sys.executable, "-m", "motion_engine", "serve", "--parent-pid", str(os.getpid())]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    try:
        hello = json.loads(process.stdout.readline())
        assert set(hello) == {"port", "token", "version", "pid"}
        assert len(hello["token"]) >= 32 and hello["pid"] == process.pid
    finally:
        process.terminate()
        out, err = process.communicate(timeout=15)
    assert out == "", "nothing but the announcement goes to standard output"
    assert hello["token"] not in err


def test_port_in_use(bundle_name: str):
    with start_engine() as engine:
        command = [sys.executable, "-m", "motion_engine", "serve", "--port", str(engine.port)]
        second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert second.returncode == 2
        assert "--port" in second.stderr and "Traceback" not in second.stderr
