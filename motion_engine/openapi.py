# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenAPI document of the protocol: ``python -m motion_engine.openapi > docs/openapi.json``."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from motion_engine import __version__
from motion_engine.protocol import (
    AddBundleBody,
    BundleAdded,
    BundleRemoved,
    Cancellation,
    CancelledEvent,
    CaptionBody,
    CaptionEvent,
    ClipErrorEvent,
    DoneEvent,
    EmbedBody,
    EmbedReply,
    ErrorEvent,
    ErrorReply,
    Farewell,
    GenerateBody,
    Health,
    MotionEvent,
    ProgressEvent,
    QueuedEvent,
)


def openapi() -> dict[str, Any]:
    """The OpenAPI 3.1 document of the protocol. Made from the models above, not from the web framework,
    so that it stays the same whatever version of the framework is installed."""
    models: list[type[BaseModel]] = [
        ErrorReply, GenerateBody, CaptionBody, EmbedBody, AddBundleBody, Health, Cancellation, BundleAdded,
        BundleRemoved, EmbedReply, Farewell,
        QueuedEvent, ProgressEvent, MotionEvent, CaptionEvent, ClipErrorEvent, DoneEvent, ErrorEvent, CancelledEvent,
    ]  # fmt: skip
    _, definitions = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    schemas = _plain(definitions["$defs"])
    schemas["Event"] = {
        "description": "One line of a stream.",
        "oneOf": [_ref(model.__name__) for model in models if "event" in model.model_fields],
        "discriminator": {"propertyName": "event"},
    }
    refusals = {
        "401": _reply("The token is missing or wrong.", "ErrorReply"),
        "403": _reply("The Host header is not this server's, or an Origin header is present.", "ErrorReply"),
    }
    of_clips = refusals | {
        "400": _reply("The body is not JSON.", "ErrorReply"),
        "413": _reply("The body is larger than 32 MiB.", "ErrorReply"),
        "422": _reply("A field is wrong; the sentence says which and why.", "ErrorReply"),
        "501": _reply("The bundle does not offer this task.", "ErrorReply"),
        "503": _reply("The model could not be loaded, or too many jobs wait.", "ErrorReply"),
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Motion Prompt engine",
            "version": __version__,
            "description": "Local text-to-motion. The engine prints port and token on its standard output.",
        },
        "servers": [{"url": "http://127.0.0.1:{port}", "variables": {"port": {"default": "0"}}}],
        "security": [{"token": []}],
        "paths": {
            "/v1/health": {
                "get": _operation("health", "Version, bundles, device, queue.", {
                    "200": _reply("The state of the engine.", "Health"), **refusals,
                }),
            },
            "/v1/generate": {
                "post": _operation("generate", "Make motions; the reply is a stream of events.", {
                    "200": _reply("One event a line.", "Event", "application/x-ndjson"),
                    "400": _reply("The body is not JSON.", "ErrorReply"),
                    "413": _reply("The body is larger than 1 MiB (with a variation: 32 MiB).", "ErrorReply"),
                    "422": _reply("A field is wrong; the sentence says which and why.", "ErrorReply"),
                    "501": _reply("No bundle offers what was asked for.", "ErrorReply"),
                    "503": _reply("The model could not be loaded, or too many jobs wait.", "ErrorReply"),
                    **refusals,
                }, body="GenerateBody"),
            },
            "/v1/jobs/{id}": {
                "delete": _operation("cancel", "Cancel a job; the computation stops at its next step.", {
                    "200": _reply("Whether a job was cancelled.", "Cancellation"), **refusals,
                }) | {"parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
                ]},
            },
            "/v1/bundles": {
                "post": _operation("add_bundle", "Add a model of the user's own; it can be used at once.", {
                    "200": _reply("What was added.", "BundleAdded"),
                    "400": _reply("The body is not JSON.", "ErrorReply"),
                    "422": _reply("Nothing was added; the sentence says why.", "ErrorReply"), **refusals,
                }, body="AddBundleBody"),
            },
            "/v1/bundles/{name}": {
                "delete": _operation("remove_bundle", "Delete a model of the user's own.", {
                    "200": _reply("What was removed.", "BundleRemoved"),
                    "422": _reply("Nothing was removed; the sentence says why.", "ErrorReply"), **refusals,
                }) | {"parameters": [
                    {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}},
                ]},
            },
            "/v1/shutdown": {
                "post": _operation("shutdown", "Cancel all jobs and end the server.", {
                    "200": _reply("The server is stopping.", "Farewell"), **refusals,
                }),
            },
            "/v1/caption": {
                "post": _operation("caption", "Describe clips in words; the reply is a stream of events.", {
                    "200": _reply("One event a line.", "Event", "application/x-ndjson"), **of_clips,
                }, body="CaptionBody"),
            },
            "/v1/embed": {
                "post": _operation("embed", "Texts and clips to the joint space, for search by words.", {
                    "200": _reply("A unit vector for each.", "EmbedReply"), **of_clips,
                }, body="EmbedBody"),
            },
        },
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }  # fmt: skip


def _plain(schema: Any) -> Any:
    """A JSON schema without what one version of pydantic writes and another leaves out."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _plain(value) for key, value in schema.items()}
    if plain.get("additionalProperties") is True:
        del plain["additionalProperties"]
    if "const" in plain:
        plain.pop("enum", None)
    if len(plain.get("allOf", [])) == 1:
        plain |= plain.pop("allOf")[0]
    return plain


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _reply(description: str, schema: str, media: str = "application/json") -> dict[str, Any]:
    return {"description": description, "content": {media: {"schema": _ref(schema)}}}


def _operation(name: str, summary: str, replies: dict[str, Any], body: str | None = None) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": name, "summary": summary, "responses": dict(sorted(replies.items())),
    }  # fmt: skip
    if body:
        content = {"application/json": {"schema": _ref(body)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


if __name__ == "__main__":
    print(json.dumps(openapi(), indent=1))
