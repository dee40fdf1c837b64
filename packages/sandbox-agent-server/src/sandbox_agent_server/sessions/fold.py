"""The fold that makes a session's state of the entries of its log, and the step that carries it forward."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sandbox_agent_core.api.policy import PermissionMode
from sandbox_agent_core.frames import LogEntry, acp, extensions, operations
from sandbox_agent_core.frames.entry import rfc3339
from sandbox_agent_core.lenient import as_dict, as_list, as_str, as_text, dicts_in, dicts_with
from sandbox_agent_core.projection import is_apart
from sandbox_agent_core.projection.questions import questions_of
from sandbox_agent_core.projection.turns import prompt_data
from sandbox_agent_core.tool_calls import with_earlier
from sandbox_agent_core.turn_summaries import first_words

from sandbox_agent_server.agents.runner.config_options import ConfigOptions, agent_session_id_of
from sandbox_agent_server.log.entry import Draft
from sandbox_agent_server.log.step import Step
from sandbox_agent_server.sessions import background
from sandbox_agent_server.sessions.state import MAX_GRANTS, SessionSettings, SessionState

__all__ = ["RequestChange", "SessionStep", "created", "fold", "request_change"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestChange:
    """A permission or question that was asked or resolved; for the index."""

    id: str
    asked: dict[str, Any]
    resolution: dict[str, Any] | None = None


class SessionStep(Step):
    """A step that knows what the session is once it is written."""

    __slots__ = ("_before", "_on_commit", "_session_id", "changes", "state")

    def __init__(
        self,
        session_id: str,
        first_seq: int,
        time_ms: int,
        state: SessionState,
        on_commit: Callable[[SessionStep], None] | None = None,
    ) -> None:
        """`on_commit` comes before everything that is to be done after that."""
        Step.__init__(self, first_seq, time_ms)
        self._session_id = session_id
        self._on_commit = on_commit
        self.state = self._before = state
        self.changes: list[RequestChange] = []

    @property
    def is_change(self) -> bool:
        """It says something of the session itself."""
        return self.state is not self._before

    def append(self, draft: Draft) -> None:
        if not draft.is_chunk:
            entry = draft.to_log_entry(self._session_id, self.next_seq, self.time_ms)
            if (change := request_change(self.state, entry)) is not None:
                self.changes.append(change)
            self.state = fold(self.state, entry)
        self.drafts.append(draft)

    def commit(self) -> None:
        if self._on_commit is not None:
            self._on_commit(self)
        super().commit()


def created(entry: LogEntry, *, native_modes: Callable[[str], Mapping[str, str]]) -> SessionState:
    """From the first entry of a log. Raises: ValueError when it is no `session.created`."""
    if entry.method != extensions.SESSION_CREATED:
        raise ValueError(f"the log begins with {entry.method!r}")
    settings = SessionSettings.model_validate(as_dict(entry.payload.get("params")))
    return SessionState.begun(settings, entry.time_ms, native_modes(settings.agent))


def fold(state: SessionState, entry: LogEntry) -> SessionState:
    """The state after an entry. Pure; entries of any shape pass."""
    if entry.sender == "client" and "method" in entry.payload:
        return _client_call(state, entry)
    if entry.sender == "agent" and "method" not in entry.payload:
        return _agent_answer(state, entry)
    if entry.method in _ASKING:
        return _request(state, entry)
    if entry.sender != "server" and entry.method in _OF_THE_SERVER:
        return state  # an agent may write any word, also those of the server
    apply = _BY_METHOD.get(entry.method or "")
    return state if apply is None else apply(state, entry, as_dict(entry.payload.get("params")))


def request_change(state: SessionState, entry: LogEntry) -> RequestChange | None:
    if entry.item_id is None:
        return None
    if (asked := _asked_of(entry)) is not None:
        return RequestChange(id=entry.item_id, asked=asked)
    if (resolution := _resolution_of(entry)) is not None:
        return RequestChange(
            id=entry.item_id, asked=state.pending.get(entry.item_id, {}), resolution=resolution
        )
    return None


def _asked_of(entry: LogEntry) -> dict[str, Any] | None:
    """The body of `GET …/requests` for an entry that asks something; None for any other."""
    annotations = as_dict(entry.annotations)
    if entry.sender != "agent" or "kind" not in annotations:
        return None
    earlier = as_dict(annotations.get("tool"))
    params = as_dict(entry.payload.get("params"))
    asked: dict[str, Any] = {
        "id": entry.item_id,
        "turnId": entry.turn_id,
        "askedAt": rfc3339(entry.time_ms),
        **{name: value for name, value in annotations.items() if name != "tool"},
    }
    if annotations["kind"] == "permission":
        asked["toolCall"] = with_earlier(as_dict(params.get("toolCall")), earlier)
        asked["options"] = dicts_in(params.get("options"))
    elif annotations["kind"] == "hook":
        asked["toolCall"] = with_earlier(as_dict(params.get("toolCall")), earlier)
        if "output" in params:
            asked["output"] = params["output"]
    elif annotations["kind"] == "host_tool":
        asked["tool"], asked["client"] = as_str(params.get("tool")), as_str(params.get("client"))
        asked["input"] = as_dict(params.get("input"))
    else:
        asked["questions"] = questions_of(params)
        asked["message"] = as_str(params.get("message"))
    return asked


def _resolution_of(entry: LogEntry) -> dict[str, Any] | None:
    """The API's resolution, for an entry that is the answer to a request; None for any other."""
    annotations = entry.annotations or {}
    if entry.sender == "agent" or "decidedBy" not in annotations:
        return None
    return {"requestId": entry.item_id, "resolvedAt": rfc3339(entry.time_ms), **annotations}


def _client_call(state: SessionState, entry: LogEntry) -> SessionState:
    if entry.method == acp.INITIALIZE:
        return replace(state, is_running=True, ended_ms=None)
    if entry.method in operations.BEGIN_A_TURN and entry.turn_id is not None:
        is_told = entry.method == acp.SESSION_PROMPT
        prompt = _words_of(entry) if is_told else None
        return replace(
            state,
            first_prompt=state.first_prompt or prompt,
            last_prompt=prompt or state.last_prompt,
            turn_id=entry.turn_id,
            turn_seq=entry.seq,
            queued=_without(state.queued, entry.turn_id),
            context_due=state.context_due and not is_told,
        )
    return state


def _words_of(entry: LogEntry) -> str | None:
    """The beginning of what was typed, in one line; None for what nobody typed."""
    if "operation" in as_dict(entry.annotations):
        return None
    text = prompt_data(as_dict(entry.payload.get("params")).get("prompt"))["text"]
    return first_words(text) or None


def _agent_answer(state: SessionState, entry: LogEntry) -> SessionState:
    method = entry.method
    if method in operations.BEGIN_A_TURN:
        return replace(
            state,
            turn_id=None,
            options=state.options.allowing(None),
            spending=state.spending.after(entry, as_dict(entry.payload.get("result"))),
        )
    if method is None or "error" in entry.payload:
        return state
    result = entry.payload.get("result")
    if method == acp.INITIALIZE:
        hello = as_dict(result)
        info = hello.get("agentInfo")
        return replace(
            state,
            agent_info=info if isinstance(info, dict) else None,
            capabilities=as_dict(hello.get("agentCapabilities")),
        )
    if method in _OPEN_A_SESSION:
        session_id = state.agent_session_id
        if method in (acp.SESSION_NEW, acp.SESSION_FORK):
            session_id = as_str(as_dict(result).get("sessionId"))
        options = state.options.after_session(result)
        return replace(state, options=options, agent_session_id=session_id)
    return _with_options(state, state.options.after_answer(method, entry.annotations, result))


def _request(state: SessionState, entry: LogEntry) -> SessionState:
    if entry.item_id is None:
        return state
    if (asked := _asked_of(entry)) is not None:
        return replace(state, pending={**state.pending, entry.item_id: asked})
    asked, resolution = state.pending.get(entry.item_id, {}), _resolution_of(entry)
    if resolution is not None and (may_become := _may_become(asked, resolution)) is not None:
        state = _with_options(state, state.options.allowing(may_become))
    if resolution is not None and isinstance(grant := resolution.get("grant"), dict):
        others = [one for one in state.grants if one != grant]
        state = replace(state, grants=(*others, grant)[-MAX_GRANTS:])
    return replace(
        state,
        pending={id: asked for id, asked in state.pending.items() if id != entry.item_id},
    )


def _update(state: SessionState, entry: LogEntry, _params: dict[str, Any]) -> SessionState:
    if entry.sender != "agent" or is_apart(entry):
        return state
    # Claude's `/clear` starts a session of its own: resuming the old one would bring the old memory.
    if (session_id := agent_session_id_of(entry.payload)) is not None:
        return replace(state, agent_session_id=session_id)
    update = as_dict(as_dict(entry.payload.get("params")).get("update"))
    match update.get("sessionUpdate"):
        case acp.SESSION_INFO_UPDATE if "title" in update:
            return replace(state, agent_title=as_text(update["title"]))
        case acp.AVAILABLE_COMMANDS_UPDATE:
            commands = dicts_with(update.get("availableCommands"), "name")
            return replace(state, commands=tuple(command["name"] for command in commands))
    return _with_options(state, state.options.after_update(entry.payload))


def _with_options(state: SessionState, options: ConfigOptions) -> SessionState:
    return state if options is state.options else replace(state, options=options)


def _created(state: SessionState, entry: LogEntry, _params: dict[str, Any]) -> SessionState:
    return replace(state, created_ms=entry.time_ms)


def _updated(state: SessionState, _entry: LogEntry, params: dict[str, Any]) -> SessionState:
    return replace(state, settings=state.settings.updated(params))


def _resumed(state: SessionState, _entry: LogEntry, params: dict[str, Any]) -> SessionState:
    continuity: Any = as_str(params.get("continuity")) or state.continuity
    return replace(
        state,
        continuity=continuity,
        context_due=state.context_due or continuity != "native",
        agent_session_id=as_str(params.get("agentSessionId")) or state.agent_session_id,
    )


def _rewound(state: SessionState, _entry: LogEntry, params: dict[str, Any]) -> SessionState:
    """An agent that cannot forget by itself begins anew, and is told what was before."""
    if params.get("how") != "transcript":
        return state
    return replace(state, agent_session_id=None, continuity="replayed", context_due=True)


def _ended(state: SessionState, entry: LogEntry, _params: dict[str, Any]) -> SessionState:
    return replace(state, ended_ms=entry.time_ms)


def _exited(state: SessionState, _entry: LogEntry, _params: dict[str, Any]) -> SessionState:
    return replace(state, is_running=False)


def _queued(state: SessionState, entry: LogEntry, _params: dict[str, Any]) -> SessionState:
    return replace(state, queued=(*state.queued, entry.turn_id or ""))


def _dropped(state: SessionState, entry: LogEntry, _params: dict[str, Any]) -> SessionState:
    return replace(state, queued=_without(state.queued, entry.turn_id))


def _turn_ended(state: SessionState, entry: LogEntry, params: dict[str, Any]) -> SessionState:
    if entry.sender != "server" and not background.is_of_background(entry):
        return state
    turn_id = entry.turn_id or params.get("turnId")
    if turn_id is not None and turn_id == state.own_turn_id:
        return replace(state, own_turn_id=None, spending=state.spending.after(entry, params))
    said = {"usage": params.get("usage"), "_meta": {"cost": params.get("cost")}}
    return replace(
        state,
        turn_id=None,
        options=state.options.allowing(None),
        spending=state.spending.after(entry, said),
    )


def _changed_by(
    read: Callable[[SessionState, LogEntry, dict[str, Any]], dict[str, Any]],
) -> Callable[[SessionState, LogEntry, dict[str, Any]], SessionState]:
    def apply(state: SessionState, entry: LogEntry, params: dict[str, Any]) -> SessionState:
        changes = read(state, entry, params)
        return replace(state, **changes) if changes else state

    return apply


def _mode(state: SessionState, _entry: LogEntry, params: dict[str, Any]) -> SessionState:
    mode = params.get("permissionMode")
    if "by" in params:
        return _with_options(state, state.options.judged_by(mode))
    return _with_options(
        state, state.options.with_permission_mode(mode, native=params.get("modeId"))
    )


def _may_become(asked: Mapping[str, Any], resolution: Mapping[str, Any]) -> PermissionMode | None:
    """How loose a mode an answer lets the agent go into: `always` may be its `accept edits`, and a plan may be
    approved. A policy has nobody who knows which it is."""
    kind, decider = resolution.get("optionKind"), resolution["decidedBy"]
    switches = as_dict(asked.get("toolCall")).get("kind") == "switch_mode"
    if kind not in ("allow_once", "allow_always") or decider not in ("user", "policy"):
        return None
    if decider == "policy":
        return "ask" if switches else None
    return "accept-edits" if switches or kind == "allow_always" else None


def _hook_resolved(state: SessionState, entry: LogEntry, _params: dict[str, Any]) -> SessionState:
    """Of a permission, which is a person's or the policy's affair now."""
    asked = state.pending.get(entry.item_id or "")
    if asked is None:
        return state
    left = {name: value for name, value in asked.items() if name != "hook"}
    return replace(state, pending={**state.pending, asked["id"]: left})


def _agent_started(state: SessionState, _entry: LogEntry, params: dict[str, Any]) -> SessionState:
    def names(member: str) -> tuple[str, ...]:
        return tuple(text for text in as_list(params.get(member)) if isinstance(text, str))

    return replace(
        state,
        mcp_servers=names("mcpServers"),
        host_tools=names("tools"),
        skills=names("skills"),
        warnings=names("warnings"),
    )


def _unparsed(state: SessionState, _entry: LogEntry, _params: dict[str, Any]) -> SessionState:
    return replace(state, unparsed=state.unparsed + 1)


def _without(queued: tuple[str, ...], turn_id: str | None) -> tuple[str, ...]:
    return tuple(id for id in queued if id != turn_id)


_BY_METHOD: Final[dict[str, Callable[[SessionState, LogEntry, dict[str, Any]], SessionState]]] = {
    acp.SESSION_UPDATE: _update,
    extensions.SESSION_CREATED: _created,
    extensions.SESSION_REWOUND: _rewound,
    extensions.SESSION_UPDATED: _updated,
    extensions.SESSION_RESUMED: _resumed,
    extensions.SESSION_ENDED: _ended,
    extensions.AGENT_STARTED: _agent_started,
    extensions.AGENT_EXITED: _exited,
    extensions.AGENT_UNPARSED: _unparsed,
    extensions.TURN_QUEUED: _queued,
    extensions.TURN_DROPPED: _dropped,
    extensions.TURN_STARTED: _changed_by(background.turn_started),
    extensions.TURN_ENDED: _turn_ended,
    extensions.TASK_STARTED: _changed_by(background.task_started),
    extensions.TASK_UPDATED: _changed_by(background.task_updated),
    extensions.TASK_ENDED: _changed_by(background.task_ended),
    extensions.PERMISSION_MODE_CHANGED: _mode,
    extensions.HOOK_RESOLVED: _hook_resolved,
}

_ASKING: Final = (
    acp.SESSION_REQUEST_PERMISSION, acp.ELICITATION_CREATE, extensions.HOOK, extensions.HOST_TOOL,
)  # fmt: skip
_OPEN_A_SESSION: Final = (acp.SESSION_NEW, acp.SESSION_FORK, acp.SESSION_LOAD, acp.SESSION_RESUME)

_OF_THE_SERVER: Final = (
    frozenset(_BY_METHOD)
    - {acp.SESSION_UPDATE}
    - extensions.FROM_ADAPTERS
    - extensions.OF_TASKS
    - extensions.OF_OWN_TURNS
)
