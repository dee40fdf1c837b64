"""What a session is, as a value: a fold over the entries of its log, and nothing else.

So whatever is kept of it elsewhere can be lost: the log makes it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from sandbox_agent_core.api.base_urls import BaseUrls
from sandbox_agent_core.api.policy import PermissionMode, PermissionPolicy
from sandbox_agent_core.frames import LogEntry, acp, extensions
from sandbox_agent_core.frames.entry import rfc3339
from sandbox_agent_core.lenient import as_dict, as_str, dicts_in
from sandbox_agent_core.projection import is_apart
from sandbox_agent_core.projection.questions import questions_of
from sandbox_agent_core.tool_calls import with_earlier

from sandbox_agent_server.agents.runner.config_options import ConfigOptions, agent_session_id_of
from sandbox_agent_server.log.entry import Draft
from sandbox_agent_server.log.step import Step
from sandbox_agent_server.sessions import background
from sandbox_agent_server.sessions.background import TaskState

__all__ = [
    "MAX_GRANTS",
    "RequestChange",
    "SessionSettings",
    "SessionState",
    "SessionStep",
    "created",
    "fold",
    "request_change",
]

MAX_GRANTS: Final = 256
"""What was always allowed in a session and is remembered here; of more the oldest is asked for again."""
STATE_VERSION: Final = 2

Continuity = Literal["fresh", "native", "replayed", "lost"]


class SessionSettings(BaseModel):
    """What a session was made with, and what PATCH has made of it: the data of `session.created`."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True
    )

    agent: str
    cwd: str
    model: str | None = None
    mode: str | None = None
    thought_level: str | None = None
    # Factories, because a default value is copied deeply for every row of a list.
    config_options: dict[str, str | bool] = Field(default_factory=dict)
    system_prompt: str | None = None
    base_url: BaseUrls | None = None
    trust_workspace: bool = False
    permission_policy: PermissionPolicy = Field(default_factory=PermissionPolicy)
    metadata: dict[str, Any] = Field(default_factory=dict)
    context: str | None = None
    """The conversation of an earlier sandbox, as text."""

    def to_wire(self) -> dict[str, Any]:
        return self.model_dump(by_alias=True, exclude_defaults=True)

    def updated(self, changes: Mapping[str, Any]) -> SessionSettings:
        """`changes`: the data of `session.updated`."""
        known = self.to_wire()
        options = {**self.config_options, **as_dict(changes.get("configOptions"))}
        return SessionSettings.model_validate({**known, **changes, "configOptions": options})


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestChange:
    """A permission or question that was asked or resolved; for the index."""

    id: str
    asked: dict[str, Any]
    resolution: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionState:
    settings: SessionSettings
    created_ms: int
    options: ConfigOptions
    """What the agent offers, and what of it is chosen."""
    ended_ms: int | None = None
    is_running: bool = False
    """The agent was started and its end is not in the log."""
    agent_session_id: str | None = None
    agent_info: dict[str, Any] | None = None
    capabilities: dict[str, Any] = field(default_factory=dict)
    continuity: Continuity = "fresh"
    context_due: bool = True
    """The agent has not yet been told what it does not know by itself; the next prompt does it."""
    turn_id: str | None = None
    turn_seq: int = 0
    """Of the `session/prompt` of the running turn."""
    own_turn_id: str | None = None
    """The turn that the agent began by itself. A prompt may run beside it, for the moment it takes the agent
    to see it."""
    own_turn_seq: int = 0
    tasks: Mapping[str, TaskState] = field(default_factory=dict)
    """Background tasks that run, oldest first."""
    queued: tuple[str, ...] = ()
    pending: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """Open requests, oldest first: id -> what was asked."""
    grants: tuple[dict[str, Any], ...] = ()
    """What a person has always allowed, where the agent could only have written it into a file."""
    unparsed: int = 0

    @property
    def is_open(self) -> bool:
        """Something of it would have to be ended after a crash."""
        return (
            self.is_running
            or self.turn_id is not None
            or self.own_turn_id is not None
            or bool(self.queued or self.pending or self.tasks)
        )

    @property
    def open_since_seq(self) -> int | None:
        """Of the entry that began the oldest of what is open: a turn, or the turn of a task."""
        began = [task.turn_seq for task in self.tasks.values()]
        if self.turn_id is not None:
            began.append(self.turn_seq)
        if self.own_turn_id is not None:
            began.append(self.own_turn_seq)
        return min(began, default=None)

    def to_wire(self) -> dict[str, Any]:
        return {
            "version": STATE_VERSION,
            "settings": self.settings.to_wire(),
            "createdMs": self.created_ms,
            "endedMs": self.ended_ms,
            "running": self.is_running,
            "options": self.options.to_wire(),
            "agentSessionId": self.agent_session_id,
            "agentInfo": self.agent_info,
            "capabilities": self.capabilities,
            "continuity": self.continuity,
            "contextDue": self.context_due,
            "turnId": self.turn_id,
            "turnSeq": self.turn_seq,
            "ownTurnId": self.own_turn_id,
            "ownTurnSeq": self.own_turn_seq,
            "tasks": {id: asdict(task) for id, task in self.tasks.items()},
            "queued": self.queued,
            "pending": dict(self.pending),
            "grants": list(self.grants),
            "unparsed": self.unparsed,
        }

    @classmethod
    def from_wire(
        cls, wire: Mapping[str, Any], *, native_modes: Mapping[str, str]
    ) -> SessionState | None:
        """None when another version of the server wrote it, or it is damaged: then the log is read."""
        if wire.get("version") != STATE_VERSION or not all(
            isinstance(wire.get(name), type) for name, type in _WIRE_TYPES.items()
        ):
            return None
        if not all(isinstance(asked, dict) for asked in wire["pending"].values()):
            return None
        try:
            return cls._read(wire, native_modes)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None

    @classmethod
    def _read(cls, wire: Mapping[str, Any], native_modes: Mapping[str, str]) -> SessionState:
        return cls(
            settings=SessionSettings.model_validate(wire["settings"]),
            created_ms=wire["createdMs"],
            ended_ms=wire["endedMs"],
            is_running=wire["running"],
            options=ConfigOptions.from_wire(wire["options"], native_modes=native_modes),
            agent_session_id=wire["agentSessionId"],
            agent_info=wire["agentInfo"],
            capabilities=wire["capabilities"],
            continuity=wire["continuity"],
            context_due=wire["contextDue"],
            turn_id=wire["turnId"],
            turn_seq=wire["turnSeq"],
            own_turn_id=wire["ownTurnId"],
            own_turn_seq=wire["ownTurnSeq"],
            tasks={id: TaskState(**task) for id, task in wire["tasks"].items()},
            queued=tuple(wire["queued"]),
            pending=wire["pending"],
            grants=tuple(dicts_in(wire.get("grants"))),
            unparsed=wire["unparsed"],
        )


_TEXT: Final = (str, type(None))
_WIRE_TYPES: Final[dict[str, Any]] = {
    "settings": dict,
    "createdMs": int,
    "endedMs": (int, type(None)),
    "running": bool,
    "options": dict,
    "agentSessionId": _TEXT,
    "agentInfo": (dict, type(None)),
    "capabilities": dict,
    "continuity": str,
    "contextDue": bool,
    "turnId": _TEXT,
    "turnSeq": int,
    "queued": list,
    "pending": dict,
    "unparsed": int,
}


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
    return SessionState(
        settings=settings,
        created_ms=entry.time_ms,
        options=ConfigOptions(native_modes=native_modes(settings.agent)),
    )


def fold(state: SessionState, entry: LogEntry) -> SessionState:
    """The state after an entry. Pure; entries of any shape pass."""
    if entry.sender == "client" and "method" in entry.payload:
        return _client_call(state, entry)
    if entry.sender == "agent" and "method" not in entry.payload:
        return _agent_answer(state, entry)
    if entry.method in (acp.SESSION_REQUEST_PERMISSION, acp.ELICITATION_CREATE):
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
    if entry.method == acp.SESSION_PROMPT and entry.turn_id is not None:
        return replace(
            state,
            turn_id=entry.turn_id,
            turn_seq=entry.seq,
            queued=_without(state.queued, entry.turn_id),
            context_due=False,
        )
    return state


def _agent_answer(state: SessionState, entry: LogEntry) -> SessionState:
    method = entry.method
    if method == acp.SESSION_PROMPT:
        return replace(state, turn_id=None, options=state.options.allowing(None))
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
    if method in (acp.SESSION_NEW, acp.SESSION_LOAD, acp.SESSION_RESUME):
        session_id = state.agent_session_id
        if method == acp.SESSION_NEW:
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
        return replace(state, own_turn_id=None)
    return replace(state, turn_id=None, options=state.options.allowing(None))


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


def _unparsed(state: SessionState, _entry: LogEntry, _params: dict[str, Any]) -> SessionState:
    return replace(state, unparsed=state.unparsed + 1)


def _without(queued: tuple[str, ...], turn_id: str | None) -> tuple[str, ...]:
    return tuple(id for id in queued if id != turn_id)


_BY_METHOD: Final[dict[str, Callable[[SessionState, LogEntry, dict[str, Any]], SessionState]]] = {
    acp.SESSION_UPDATE: _update,
    extensions.SESSION_CREATED: _created,
    extensions.SESSION_UPDATED: _updated,
    extensions.SESSION_RESUMED: _resumed,
    extensions.SESSION_ENDED: _ended,
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
}

_OF_THE_SERVER: Final = (
    frozenset(_BY_METHOD)
    - {acp.SESSION_UPDATE}
    - extensions.FROM_ADAPTERS
    - extensions.OF_TASKS
    - extensions.OF_OWN_TURNS
)
