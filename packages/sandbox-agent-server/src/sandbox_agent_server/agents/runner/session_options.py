"""What a session asks of its agent alone, read with the agent's own model and held against what the server allows."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic.alias_generators import to_camel
from sandbox_agent_core.agent_options import AgentOptions
from sandbox_agent_core.api.policy import MAX_RULES, PermissionPolicy
from sandbox_agent_core.errors import AgentOptionForbidden, AgentOptionsInvalid
from sandbox_agent_core.spi.agent import AgentDefinition

__all__ = ["allowed_options", "allowing", "options_schema", "read_session_options"]


def read_session_options(
    definition: AgentDefinition, given: Mapping[str, Any], *, configured: Sequence[str] | None
) -> AgentOptions | None:
    """None for an agent that takes none. `configured`: `allowed_options` of the agent's configuration.

    Raises:
        AgentOptionsInvalid: an option is unknown or its value impossible; the message has all that are wrong.
        AgentOptionForbidden: the server does not take one of them.
    """
    model = definition.session_options
    if model is None:
        if given:
            raise AgentOptionsInvalid(
                f"{definition.title} takes no `agentOptions`", agent=definition.name, known=[]
            )
        return None
    try:
        options = model.model_validate(given)
    except ValidationError as exc:
        raise _invalid(definition, model, exc) from exc
    allowed = allowed_options(definition, configured)
    for name in options.to_wire():
        if name not in allowed:
            raise _forbidden(definition, name, allowed, is_risky=name in model.risky_names())
    return options


def allowing(policy: PermissionPolicy, options: AgentOptions | None) -> PermissionPolicy:
    """The policy, with what the options allow where it says nothing. Raises: AgentOptionsInvalid: too many rules."""
    more = [] if options is None else options.allow_rules()
    if not more:
        return policy
    if len(policy.rules) + len(more) > MAX_RULES:
        raise AgentOptionsInvalid(f"more than {MAX_RULES} rules, those of the policy included")
    return policy.model_copy(update={"rules": [*policy.rules, *more]})


def allowed_options(definition: AgentDefinition, configured: Sequence[str] | None) -> list[str]:
    """As they are called on the wire. Without a list of the configuration: all but the risky ones."""
    model = definition.session_options
    if model is None:
        return []
    if configured is None:
        return [name for name in model.names() if name not in model.risky_names()]
    listed = {to_camel(name) for name in configured}
    return [name for name in model.names() if name in listed or to_camel(name) in listed]


def options_schema(definition: AgentDefinition) -> dict[str, Any] | None:
    """JSON schema, for a form or an editor; None for an agent that takes none."""
    model = definition.session_options
    return None if model is None else model.model_json_schema(by_alias=True)


def _invalid(
    definition: AgentDefinition, model: type[AgentOptions], exc: ValidationError
) -> AgentOptionsInvalid:
    known = model.names()
    problems = []
    for error in exc.errors(include_url=False, include_input=False, include_context=False):
        path = [str(part) for part in error["loc"]]
        if error["type"] == "extra_forbidden":
            problem = "there is no such option" + _hint(path, known)
        else:
            problem = error["msg"].removeprefix("Value error, ")
        problems.append({"option": ".".join(path), "problem": problem})
    shown = "; ".join(f"`{each['option']}`: {each['problem']}" for each in problems)
    return AgentOptionsInvalid(
        f"`agentOptions` of {definition.title}: {shown}. It takes: {', '.join(known) or 'none'}",
        agent=definition.name,
        problems=problems,
        known=known,
    )


def _hint(path: Sequence[str], known: Sequence[str]) -> str:
    close = difflib.get_close_matches(to_camel(path[0]), known, n=1) if len(path) == 1 else []
    return f"; did you mean `{close[0]}`?" if close else ""


def _forbidden(
    definition: AgentDefinition, name: str, allowed: Sequence[str], *, is_risky: bool
) -> AgentOptionForbidden:
    why = " It can loosen what is asked for or trusted." if is_risky else ""
    return AgentOptionForbidden(
        f"this server does not take the option `{name}` of {definition.title}.{why} Whoever runs the server adds it "
        f"to `allowed_options` of `[agents.{definition.name}]`. It takes: {', '.join(allowed) or 'none'}",
        agent=definition.name,
        option=name,
        allowed=list(allowed),
    )
