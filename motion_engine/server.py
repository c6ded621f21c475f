# SPDX-License-Identifier: GPL-3.0-or-later
"""The local HTTP server: routes of the protocol, the event stream, start and orderly end."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from motion_engine import __version__, protocol
from motion_engine.bundle import list_bundles
from motion_engine.errors import EngineError
from motion_engine.guard import Guard, error_response
from motion_engine.jobs import Job, JobQueue
from motion_engine.lifetime import Lifetime

if TYPE_CHECKING:
    from motion_engine.engine import Engine

log = logging.getLogger(__name__)

DRAIN_LIMIT = 16 << 20
"""Bytes of an oversized body that are read and thrown away, so that the client gets to see the reply."""

GRACE_SECONDS = 3
"""How long open streams and the running step may take when the server ends."""
