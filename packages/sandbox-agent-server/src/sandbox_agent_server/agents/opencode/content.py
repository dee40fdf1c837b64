"""ACP prompt blocks as the parts of an OpenCode message, or as one of its commands. Pure."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from sandbox_agent_core.lenient import compact

from sandbox_agent_server.agents.native.content import (
    Blob,
    Block,
    Image,
    Link,
    Text,
    prompt_blocks,
    text_block,
    unsupported,
)
from sandbox_agent_server.agents.native.refusals import InvalidParams
from sandbox_agent_server.agents.native.translator import Native
from sandbox_agent_server.agents.opencode.offers import Offers

__all__ = ["command_in", "command_of", "output_format", "prompt_parts"]


def prompt_parts(prompt: Any) -> list[Native]:
    """Raises: InvalidParams."""
    return [_part(block) for block in prompt_blocks(prompt)]


def command_in(parts: list[Native], offers: Offers) -> Native | None:
    """What to post for `/name arguments`, when there is a command of that name."""
    text = parts[0].get("text", "")
    name, _, arguments = text[1:].partition(" ")
    if not text.startswith("/") or not offers.has_command(name):
        return None
    command = command_of(name, arguments.strip(), offers)
    if files := [part for part in parts[1:] if part["type"] == "file"]:
        command["parts"] = files
    return command


def command_of(name: str, arguments: str, offers: Offers) -> Native:
    command = {**offers.settings(), "command": name, "arguments": arguments}
    if model := command.get("model"):
        # Here it is one word.
        command["model"] = f"{model['providerID']}/{model['modelID']}"
    return command


def output_format(schema: Any, *, retries: int | None = None) -> Native:
    """What goes with a prompt whose answer is to be of a JSON schema. Raises: InvalidParams."""
    if schema is None:
        return {}
    if not isinstance(schema, dict):
        raise InvalidParams("`outputSchema` must be a JSON schema")
    return {"format": {"type": "json_schema", "schema": schema, **compact(retryCount=retries)}}


def _part(block: Block) -> Native:
    match block:
        case Text(text):
            return text_block(text)
        case Image(mime, data, uri) | Blob(uri, mime, data) if mime and data:
            return _file(mime, f"data:{mime};base64,{data}", uri)
        case Image(mime, _, uri) if uri.startswith(("http://", "https://", "file://")):
            return _file(mime or "image/png", uri, uri)
        case Link(uri, _, mime):
            return _file(mime or "text/plain", uri, uri) if block.path else text_block(block.text())
        case _:
            takes = "texts, links, and images and files with their type and content"
            raise unsupported(block, agent="OpenCode", takes=takes)


def _file(mime: str, url: str, uri: str) -> Native:
    part: Native = {"type": "file", "mime": mime, "url": url}
    if name := unquote(urlsplit(uri).path).rpartition("/")[2]:
        part["filename"] = name
    return part
