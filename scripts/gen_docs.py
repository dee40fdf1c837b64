"""Writes docs/events.md, docs/errors.md, docs/limits.md and the options in docs/agents.md from the code.

`--check` only says whether they are up to date.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import re
import sys
import types
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from sandbox_agent_core import content
from sandbox_agent_core.agent_options import AgentOptions
from sandbox_agent_core.errors import (
    URN_PREFIX,
    ProviderError,
    SandboxAgentError,
    ServerStartFailed,
    ServerUnreachable,
    StreamGap,
    error_classes,
)
from sandbox_agent_core.events import EVENT_CLASSES, UniversalEvent
from sandbox_agent_core.wire.model import WireModel
from sandbox_agent_server.agents.catalog import Catalog
from sandbox_agent_server.limits import Limits

_ROOT = Path(__file__).parent.parent
_GOLDEN = _ROOT / "packages" / "sandbox-agent-core" / "tests" / "golden" / "events"
_NOTE = "<!-- Written by scripts/gen_docs.py. Change the code, then run it again. -->\n"
_CLIENT_ONLY = (ServerUnreachable, ServerStartFailed, StreamGap, ProviderError)
_OPTIONS_BEGIN = (
    "<!-- options: written by scripts/gen_docs.py from `sandbox_agent_core.agent_options` -->"
)
_OPTIONS_END = "<!-- end of options -->"
_JSON_TYPES: dict[Any, str] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "boolean",
    datetime: "time",
    Any: "anything",
}

_LIMITS_INTRO = """\
# Limits

Everything that somebody else can make large is bounded, in bytes where bytes are what grows. At a limit there is a
clear error or the sender is held back; of a log nothing is ever dropped. Set one with `--limit NAME=VALUE`, with the
variable `SANDBOX_AGENT_NAME` or in the table `[limits]` of the configuration. Sizes are in bytes, times in seconds.

- **Before the token is known**, the head of a request is bounded in bytes (431 `head_too_large`) and time (408
  `request_timeout`), a body is not read, and connections are bounded in number: one that waits makes room for the
  next, and only when all are at work is one more refused (503 `unavailable`).
- **An event stream** holds one page for a reader that takes nothing, and waits for it. What is sent to it later is read
  from the disk.
- **Other answers** wait until there is room for them, and a client that takes nothing of one is let go.

"""

_EVENTS_INTRO = """\
# Events

Everything that happens in a session is in its log: every JSON-RPC frame between the client and the
agent, and everything that the server adds (a turn ended because the agent died, a permission was
answered by a policy). The log has two views, over the same entries and with the same cursors:

- the **frame view** is `{seq, time, sender, turnId?, itemId?, method?, annotations?, payload}` with the raw
  frame in `payload`: what tools for the Agent Client Protocol want;
- the **universal view** is this page: at most one event for each entry, of the same shape for every
  agent.

`GET /v1/sessions/{id}/events?view=universal` answers with a page of events or, if `Accept` asks for
`text/event-stream`, with all events from the cursor on and then the new ones as they happen. The
Python SDK reads the frame view and makes the events itself, so there each event also has `.payload`,
the raw frame.

## The envelope

```json
{"seq": 5, "id": "ses_1:5", "sessionId": "ses_1", "time": "2026-11-23T12:00:00.005Z",
 "type": "message.delta", "turnId": "turn_1", "sender": "agent", "data": {"text": "Hello"}}
```

ENVELOPE

In Python the fields of `data` stand beside those of the envelope, in snake_case:

```python
match event:
    case MessageDelta(text=text): ...
    case ToolCompleted(title=title, status=status): ...
```

## Cursors and order

- `seq` is the cursor. Events come in its order, each once. `?after=N` continues behind event `N`; so
  does `Last-Event-ID`, because the `id` of a server-sent event is its `seq`.
- The log has no gaps, but not every entry is an event, so the `seq` of events does. A cursor of one
  view works in the other.
- An event is sent only after its entry is on disk: a cursor that you have seen is never lost.
- Every `turn.started` is followed by exactly one `turn.ended`, even if the agent or the server is
  killed. Every `permission.requested` and `question.requested` is followed by exactly one
  `...resolved`.
- Agents are not always in order: an update of a tool call may come before its `tool.started`, and
  events with `late` come after the `turn.ended` of their turn. Treat tool events as patches of one
  thing, by `toolCallId`. A call has one `tool.completed`.
- What a background task does (its sub-agent's words and calls) belongs to the turn that started it, `late`
  when that is over. Every `task.started` is followed by exactly one `task.ended`. What the agent does by
  itself, mostly because a task has ended, is a turn of its own: `turn.started` with `origin` `agent`.

## Deltas

`message.delta` and `reasoning.delta` are pieces of text, as the agent streams them. The run of deltas
of an item is always followed by its `message.completed` or `reasoning.completed`, which carries all
of that run again. An item may be completed in several parts: **its text is all its completions,
joined**. So there are two ways to read:

- show deltas at once, and replace what you showed since the last completion by the next one;
- ask for `?deltas=false`, and lose nothing but the typing.

Every text of the universal view can be encoded. JavaScript agents cut text in the middle of an emoji: a half that
a delta ends in is shown with the next delta, joined, and one that stays alone is U+FFFD. The frame view keeps it.

## What you do not know

New types and new fields will come: pass over what you do not know. Whatever an agent sends that has
no type here is an `agent.update` with all its content, and what is not even a message is an
`agent.unparsed`. Nothing of an agent is dropped, but: history that it repeats when a session is
loaded (the log has it), its answers that tell nothing new (`initialize`, `session/new`, ...), and
`$/cancel_request`.

What an agent writes is read if it can be: escape sequences, a BOM and progress that a terminal would have overwritten
are taken off a line, `NaN` and the infinities are `null`, bytes that are no UTF-8 are U+FFFD, an integer of more than
4300 digits is the text of its digits. Of a line that cannot be read, or is longer than `max_line_bytes`, the
`agent.unparsed` has the beginning. If it was a request, the agent gets an error, and an `error` with its `method` says so;
if it was the answer to a prompt, the turn ends with an error. Requests with one JSON-RPC id that wait at the same time
are refused together: nobody could tell which of them an answer is for. What an agent says of another session
of its own is an `agent.update`; what it asks for one is refused, with an `error`.

A field that is absent was not sent, and the defaults below hold. In a patch (`tool.*`,
`usage.updated`) it did not change.

"""

_CONTENT_INTRO = """
## Content blocks

What prompts, messages and results of tools are made of. Blocks of other types are kept as they are;
so are members that are not listed.
"""

_ERRORS_INTRO = """\
# Errors

The server answers every failed request with a problem document (RFC 9457), media type
`application/problem+json`:

```json
{"type": "URNsession_not_found", "title": "Session Not Found", "status": 404,
 "detail": "There is no session 'ses_x'.", "retryable": false, "details": {"sessionId": "ses_x"}}
```

`type` ends in the `code`, which does not change; `detail` is for people, and may. `details` are for
programs. The SDK raises the class of that code, with the text as `.message` and these as
`.details`. Catch as widely as you like: `NotFound` is also every error below it. What is retryable
may succeed when the same is tried again.

The same codes appear in events: in `error`, and in the `error` of `turn.ended`. Those without a
status are raised by the SDK alone.

"""


_SHOWN = re.compile(
    r"(?P<before><!-- (?P<file>examples/\S+): written by scripts/gen_docs.py -->\n```\w+[^\n]*\n)"
    r".*?^```\n",
    re.DOTALL | re.MULTILINE,
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="change nothing, fail if anything would"
    )
    check = parser.parse_args().check
    stale = []
    pages = {
        "docs/events.md": events_page(),
        "docs/errors.md": errors_page(),
        "docs/limits.md": limits_page(),
        "docs/agents.md": agents_page((_ROOT / "docs/agents.md").read_text(encoding="utf-8")),
    }
    pages |= pages_with_examples()
    for path, text in pages.items():
        target = _ROOT / path
        if target.is_file() and target.read_text(encoding="utf-8") == text:
            continue
        stale.append(path)
        if not check:
            target.parent.mkdir(exist_ok=True)
            target.write_text(text, encoding="utf-8")
    if check and stale:
        print(f"out of date: {', '.join(stale)}. Run `python scripts/gen_docs.py`.")
        return 1
    return 0


def pages_with_examples() -> dict[str, str]:
    """Pages that show files of `examples`, with these as they are."""
    pages = {}
    for page in sorted((_ROOT / "docs").rglob("*.md")):
        before = page.read_text(encoding="utf-8")
        after = _SHOWN.sub(_shown, before)
        if _SHOWN.search(before):
            pages[page.relative_to(_ROOT).as_posix()] = after
    return pages


def _shown(match: re.Match[str]) -> str:
    text = (_ROOT / match["file"]).read_text(encoding="utf-8")
    return f"{match['before']}{text}```\n"


def events_page() -> str:
    parts = [_NOTE, _EVENTS_INTRO.replace("ENVELOPE", _envelope_table())]
    parts.append("## Types\n\n| type | sent when |\n|---|---|\n")
    parts += [
        f"| [`{type}`](#{type.replace('.', '')}) | {_cell(_summary(cls))} |\n"
        for type, cls in EVENT_CLASSES.items()
    ]
    parts += [_event_section(type, cls) for type, cls in EVENT_CLASSES.items()]
    parts.append("\n## Parts\n\nObjects that several events hold.\n")
    parts += [_part_section(cls) for cls in _parts()]
    parts.append(_content_section())
    return "".join(parts)


def limits_page() -> str:
    rows = [
        f"| `{name}` | {_amount(name, field.default)} | {_cell(field.description or '')} |\n"
        for name, field in Limits.model_fields.items()
    ]
    return "".join([_NOTE, _LIMITS_INTRO, "| limit | default | |\n|---|---:|---|\n", *rows])


def agents_page(page: str) -> str:
    """The page with what sessions can ask of each agent alone between its two marks."""
    before, _, rest = page.partition(_OPTIONS_BEGIN)
    _, _, after = rest.partition(_OPTIONS_END)
    catalog = Catalog(plugins=tuple)
    sections = [
        _options_section(name, model)
        for name in catalog.names()
        if (model := catalog.get(name).session_options) is not None
    ]
    return "".join([before, _OPTIONS_BEGIN, "\n", *sections, "\n", _OPTIONS_END, after])


def _options_section(agent: str, model: type[AgentOptions]) -> str:
    risky = model.risky_names()
    rows = [
        f"| `{wire}` | {_type(field.annotation)} | {'risky' if wire in risky else ''} "
        f"| {_cell(field.description or '')} |\n"
        for wire, field in zip(model.names(), model.model_fields.values(), strict=True)
    ]
    return (
        f"\n#### {agent}: `{model.__name__}`\n\n| option | type | | |\n|---|---|---|---|\n"
        + "".join(rows)
    )


def _amount(name: str, value: float | None) -> str:
    if value is None:
        return "none"
    if name.endswith("_s"):
        return f"{value:g} s"
    if not name.endswith("_bytes"):
        return f"{value:g}"
    kib = int(value) // 1024
    return f"{kib} KiB" if kib % 1024 else f"{kib // 1024} MiB"


def _envelope_table() -> str:
    descriptions = _descriptions(UniversalEvent)
    rows = [
        _row(field.alias or name, field, descriptions.get(name, ""))
        for name, field in UniversalEvent.model_fields.items()
        if name != "payload"
    ]
    id_text = inspect.getdoc(UniversalEvent.id) or ""
    rows.insert(1, f"| `id` | text | {_cell(id_text)} |\n")
    rows.append("| `data` | object | What the type adds: see below. |\n")
    return "| field | type | |\n|---|---|---|\n" + "".join(rows).rstrip("\n")


def _event_section(type: str, cls: type[UniversalEvent]) -> str:
    text = f"\n### {type}\n\n`{cls.__name__}`. {inspect.getdoc(cls)}\n\n"
    text += _field_table(cls, cls._data_fields())
    golden = json.loads((_GOLDEN / f"{type}.json").read_text(encoding="utf-8"))
    example = json.dumps(golden[0]["event"], indent=2, ensure_ascii=False)
    return f"{text}\n```json\n{example}\n```\n"


def _part_section(cls: type[BaseModel]) -> str:
    doc = inspect.getdoc(cls) or ""
    # Pydantic answers for a class without a docstring of its own.
    own = doc if cls.__dict__.get("__doc__") else ""
    text = f"\n### {cls.__name__}\n\n" + (f"{own}\n\n" if own else "")
    return text + _field_table(cls, list(cls.model_fields))


def _field_table(cls: type[BaseModel], names: list[str]) -> str:
    descriptions = _descriptions(cls)
    rows = [
        _row(field.alias or name, field, descriptions.get(name, ""))
        for name, field in cls.model_fields.items()
        if name in names
    ]
    return "| field | type | |\n|---|---|---|\n" + "".join(rows)


def _row(name: str, field: FieldInfo, description: str) -> str:
    optional = "" if field.is_required() or _is_tag(field) else "?"
    return f"| `{name}{optional}` | {_type(field.annotation)}{_default(field)} | {_cell(description)} |\n"


def _default(field: FieldInfo) -> str:
    default = field.default
    if field.is_required() or _is_tag(field) or default is None or default == "":
        return ""
    if isinstance(default, str):
        return f", default `{default}`"
    return f", default `{json.dumps(default)}`" if isinstance(default, (bool, int)) else ""


def _is_tag(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1


def _type(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(args[0])
    if origin is Literal:
        return " \\| ".join(f"`{value}`" for value in args)
    if origin in (Union, types.UnionType):
        if content.TextBlock in args:
            return "[ContentBlock](#content-blocks)"
        return " \\| ".join(_type(arg) for arg in args if arg is not type(None))
    if origin is list:
        return f"list of {_type(args[0])}"
    if origin is dict:
        return "object"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return _JSON_TYPES.get(annotation, "object")


def _parts() -> Iterator[type[BaseModel]]:
    """Models inside of events, in the order of their first use; then the content blocks."""
    seen: dict[type[BaseModel], None] = {}

    def visit(annotation: Any) -> None:
        for arg in get_args(annotation):
            visit(arg)
        if isinstance(annotation, type) and issubclass(annotation, WireModel):
            if annotation.__module__ == content.__name__ or annotation in seen:
                return
            seen[annotation] = None
            for field in annotation.model_fields.values():
                visit(field.annotation)

    for cls in EVENT_CLASSES.values():
        for name in cls._data_fields():
            visit(cls.model_fields[name].annotation)
    yield from seen


def _content_section() -> str:
    blocks: list[type[BaseModel]] = [
        content.TextBlock,
        content.ImageBlock,
        content.AudioBlock,
        content.ResourceLink,
        content.EmbeddedResource,
    ]
    return _CONTENT_INTRO + "".join(map(_part_section, blocks))


def _summary(cls: type) -> str:
    return (inspect.getdoc(cls) or "").split("\n")[0]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _descriptions(cls: type) -> dict[str, str]:
    """The text under each field, of the class and of those it inherits from."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, WireModel):
            found |= _own_descriptions(base)
    return found


def _own_descriptions(cls: type) -> dict[str, str]:
    (tree,) = ast.parse(inspect.getsource(cls)).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(description))),
            ):
                found[name] = inspect.cleandoc(description)
            case _:
                pass
    return found


def errors_page() -> str:
    rows = ["| code | class | status | retryable | |\n|---|---|---|---|---|\n"]
    rows += [_error_row(cls) for cls in error_classes().values()]
    tree = "\n".join(_tree(SandboxAgentError, 0))
    return (
        f"{_NOTE}{_ERRORS_INTRO.replace('URN', URN_PREFIX)}{''.join(rows)}"
        f"\n## The tree\n\n```text\n{tree}\n```\n"
    )


def _error_row(cls: type[SandboxAgentError]) -> str:
    doc = (cls.__dict__.get("__doc__") or "").strip()
    status = "" if issubclass(cls, _CLIENT_ONLY) else cls.http_status
    retryable = "yes" if cls.retryable else ""
    return (
        f"| `{cls.code}` | `{cls.__name__}` | {status} | {retryable} "
        f"| {_cell(inspect.cleandoc(doc))} |\n"
    )


def _tree(cls: type[SandboxAgentError], depth: int) -> Iterator[str]:
    yield f"{'  ' * depth}{cls.__name__}"
    for child in cls.__subclasses__():
        yield from _tree(child, depth + 1)


if __name__ == "__main__":
    sys.exit(main())
