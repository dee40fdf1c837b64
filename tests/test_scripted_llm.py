"""The scripted model endpoint itself: if it lies, every test with a real agent does."""

from __future__ import annotations

import json
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from support.fixtures import scripted_llm
from support.scripted_llm import ScriptedLLM
from support.scripted_llm.json_schema import fitting_value

__all__ = ["scripted_llm"]

JSON = dict[str, Any]
SHELL_SCHEMA = {"type": "object", "properties": {"command": {"type": "string"}}}


def anthropic(text: str, result: str | None) -> tuple[str, JSON]:
    content: list[JSON] = [{"type": "text", "text": text}]
    if result:
        content.append({"type": "tool_result", "tool_use_id": "t", "content": result})
    tools = [{"name": "Bash", "input_schema": SHELL_SCHEMA}]
    messages = [{"role": "user", "content": content}]
    return "/v1/messages?beta=true", {"messages": messages, "tools": tools, "stream": True}


def chat(text: str, result: str | None) -> tuple[str, JSON]:
    messages = [{"role": "user", "content": text}]
    if result:
        messages.append({"role": "tool", "content": result})
    tools = [{"type": "function", "function": {"name": "bash", "parameters": SHELL_SCHEMA}}]
    return "/v1/chat/completions", {"messages": messages, "tools": tools, "stream": True}


def responses(text: str, result: str | None) -> tuple[str, JSON]:
    items: list[JSON] = [{"role": "user", "content": [{"type": "input_text", "text": text}]}]
    if result:
        items.append({"type": "function_call_output", "call_id": "c", "output": result})
    tools = [{"type": "function", "name": "shell", "parameters": SHELL_SCHEMA}]
    return "/v1/responses", {"input": items, "tools": tools, "stream": True}


def gemini(text: str, result: str | None) -> tuple[str, JSON]:
    parts: list[JSON] = [{"text": text}]
    if result:
        parts.append({"functionResponse": {"name": "x", "response": {"output": result}}})
    tools = [{"functionDeclarations": [{"name": "run_shell_command", "parameters": SHELL_SCHEMA}]}]
    path = "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse"
    return path, {"contents": [{"role": "user", "parts": parts}], "tools": tools}


DELTAS = re.compile(r'"(?:delta|text|content)": "((?:[^"\\]|\\.)*)"')
EACH_API = pytest.mark.parametrize("request_of", [anthropic, chat, responses, gemini])
RequestOf = Callable[[str, str | None], tuple[str, JSON]]


def post(llm: ScriptedLLM, path: str, body: JSON) -> str:
    request = urllib.request.Request(
        llm.url + path, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=5) as response:
        return str(response.read().decode())


@EACH_API
def test_it_streams_the_text_of_a_scenario(
    scripted_llm: ScriptedLLM, request_of: RequestOf
) -> None:
    answer = post(scripted_llm, *request_of("please SCENARIO:text", None))
    assert "Hello from the scripted model." in "".join(DELTAS.findall(answer))


@EACH_API
def test_it_calls_the_offered_shell_and_then_quotes_the_result(
    scripted_llm: ScriptedLLM, request_of: RequestOf
) -> None:
    call = post(scripted_llm, *request_of("SCENARIO:tool SHELL<<touch x>>", None))
    final = post(scripted_llm, *request_of("SCENARIO:tool", "made x"))
    assert "touch" in call
    assert "made x" in final
    assert [(r.scenario, r.step, r.outcome) for r in scripted_llm.requests] == [
        ("tool", 0, "answered"),
        ("tool", 1, "answered"),
    ]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "x"),
        ({"type": "string", "minLength": 3}, "xxx"),
        ({"type": "number"}, 1),
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "number", "maximum": 0.5}, 0.5),
        ({"type": "boolean"}, False),
        ({"enum": ["all", "one"]}, "all"),
        ({"const": "only"}, "only"),
        ({"type": "string", "default": "high"}, "high"),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, None),
        ({"type": ["integer", "null"]}, None),
        ({"oneOf": [{"type": "boolean"}, {"type": "string"}]}, False),
        ({"type": "array", "items": {"type": "string"}, "minItems": 2}, ["x", "x"]),
        ({"type": "object", "required": ["a"], "properties": {"a": {"enum": [7]}}}, {"a": 7}),
        ({}, "x"),
    ],
)
def test_a_required_field_gets_what_its_schema_admits(schema: JSON, value: object) -> None:
    assert fitting_value(schema) == value


def test_it_fills_what_a_strict_tool_requires(scripted_llm: ScriptedLLM) -> None:
    path, body = chat("SCENARIO:tool SHELL<<touch x>>", None)
    timeout = {"anyOf": [{"type": "number"}, {"type": "null"}]}
    properties = {"command": {"type": "string"}, "timeout": timeout}
    body["tools"][0]["function"]["parameters"] = {
        "type": "object",
        "properties": properties,
        "required": ["command", "timeout"],
    }
    assert arguments_of(post(scripted_llm, path, body)) == {"command": "touch x", "timeout": None}


def test_it_calls_what_a_search_found_through_the_tool_for_that(scripted_llm: ScriptedLLM) -> None:
    prompt = 'SCENARIO:mcp TOOL<<stamp>> ARGS<<{"text": "letter"}>>'
    path, body = chat(prompt, None)
    body["tools"] += [
        {"type": "function", "function": {"name": name, "parameters": {}}}
        for name in ("tool_search", "tool_call")
    ]
    assert "tool_search" in post(scripted_llm, path, body)
    found = {"name": "mcp__post__stamp", "parametersJsonSchema": {"type": "object"}}
    body["messages"] += [
        {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "tool_search"}}]},
        {
            "role": "tool",
            "content": f"<functions>\n<function>{json.dumps(found)}</function>\n</functions>",
        },
    ]
    called = arguments_of(post(scripted_llm, path, body))
    assert called == {"name": "mcp__post__stamp", "arguments": {"text": "letter"}}


def arguments_of(answer: str) -> JSON:
    """Of the one call in a streamed answer of Chat Completions."""
    chunks = [
        json.loads(line.removeprefix("data: "))
        for line in answer.splitlines()
        if line.startswith("data: {")
    ]
    calls = [
        call
        for chunk in chunks
        for choice in chunk["choices"]
        for call in choice["delta"].get("tool_calls", [])
    ]
    text = "".join(call["function"].get("arguments") or "" for call in calls)
    arguments: JSON = json.loads(text)
    return arguments


def test_it_answers_requests_without_tools_apart_from_the_script(scripted_llm: ScriptedLLM) -> None:
    path, body = anthropic("SCENARIO:tool", None)
    assert "Scripted title" in post(scripted_llm, path, body | {"tools": []})


def test_it_tells_the_earlier_texts_and_images_that_it_sees(scripted_llm: ScriptedLLM) -> None:
    path, body = anthropic("the word is zebra SCENARIO:text", None)
    image = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
    body["messages"] += [
        {"role": "assistant", "content": "noted"},
        {"role": "user", "content": [{"type": "text", "text": "SCENARIO:memory"}]},
    ]
    assert "zebra" in post(scripted_llm, path, body)
    body["messages"][-1]["content"] = [
        {"type": "text", "text": "SCENARIO:image"},
        {"type": "image", "source": image},
    ]
    assert "image/png" in post(scripted_llm, path, body)


def test_it_fails_with_the_status_of_the_scenario(scripted_llm: ScriptedLLM) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(scripted_llm, *anthropic("SCENARIO:http429", None))
    caught.value.close()
    assert caught.value.code == 429


def test_it_notices_that_the_agent_hung_up(scripted_llm: ScriptedLLM) -> None:
    path, body = anthropic("SCENARIO:slow", None)
    payload = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(payload)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", scripted_llm.port), timeout=5) as agent:
        agent.sendall(head.encode() + payload)
        assert agent.recv(100)
    scripted_llm.wait_for_request(lambda request: request.outcome == "disconnected")


def test_it_stops_at_once_while_an_answer_is_on_its_way() -> None:
    path, body = anthropic("SCENARIO:hang", None)
    payload = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(payload)}\r\n\r\n"
    with socket.socket() as agent:
        with ScriptedLLM() as llm:
            agent.connect(("127.0.0.1", llm.port))
            agent.sendall(head.encode() + payload)
            llm.wait_for_request()
            started = time.monotonic()
        assert time.monotonic() - started < 2
