"""A session as ACP clients are told of it, and what they give for one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from sandbox_agent_core.api.sessions import SessionInfo
from sandbox_agent_core.errors import InvalidRequest
from sandbox_agent_core.lenient import as_str, compact

from sandbox_agent_server.agents.runner.config_options import ConfigOptions

__all__ = ["body_of", "listed", "offered", "session_id_of"]

Model = TypeVar("Model", bound=BaseModel)


def body_of(model: type[Model], params: Mapping[str, Any], /, **more: Any) -> Model:
    """`more` are members of it by their names on the wire. Raises: InvalidRequest."""
    given = {name: params[name] for name in ("cwd", "mcpServers") if params.get(name) is not None}
    try:
        return model.model_validate({**compact(**more), **given})
    except ValidationError as exc:
        error = exc.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in error["loc"])
        raise InvalidRequest(f"`{where}`: {error['msg']}") from exc


def session_id_of(params: Mapping[str, Any]) -> str:
    """Raises: InvalidRequest."""
    session_id = as_str(params.get("sessionId"))
    if session_id is None:
        raise InvalidRequest("`sessionId` is missing, or is no text")
    return session_id


def offered(options: ConfigOptions) -> dict[str, Any]:
    """`modes`, `models` and `configOptions`, where the agent has them."""
    modes = models = None
    if options.modes and options.mode is not None:
        modes = {"currentModeId": options.mode, "availableModes": list(options.modes)}
    if options.listed_models and options.model is not None:
        available = [{"modelId": model.get("id"), **model} for model in options.listed_models]
        models = {"currentModelId": options.model, "availableModels": available}
    return compact(
        modes=modes, models=models, configOptions=list(options.options) if options.options else None
    )


def listed(info: SessionInfo) -> dict[str, Any]:
    return compact(sessionId=info.id, cwd=info.cwd, title=info.title, updatedAt=info.updated_at)
