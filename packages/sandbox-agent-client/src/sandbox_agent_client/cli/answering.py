"""What agents wait for, over sessions, and answering it in the words of a command line."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox_agent_client._async.requests import (
    AnswerValue,
    AnyRequest,
    HostToolCall,
    PermissionRequest,
    QuestionRequest,
)
from sandbox_agent_client.cli.approval import about, chosen
from sandbox_agent_client.cli.names import find
from sandbox_agent_client.errors import InvalidRequest, RequestNotFound

__all__ = ["ACTOR", "described", "pick", "respond"]

ACTOR = "sandbox-agent requests"


def pick(
    waiting: Sequence[AnyRequest], name: str | None, *, session: str | None = None
) -> AnyRequest:
    """The one of that id, or of an id that begins so; without a name, the only one.

    Raises:
        RequestNotFound: nothing waits, or none of that id. InvalidRequest: it could be several.
    """
    where = f" in session {session!r}" if session else ""
    if name is None:
        if len(waiting) == 1:
            return waiting[0]
        if not waiting:
            raise RequestNotFound(f"Nothing waits for an answer{where}.")
        ids = ", ".join(request.id for request in waiting)
        raise InvalidRequest(f"Several requests wait{where}: name one of {ids}.")
    found = find(name, waiting, what="requests", ids=lambda one: (one.id,))
    if found is None:
        ids = ", ".join(request.id for request in waiting)
        raise RequestNotFound(
            f"No request {name!r} waits{where}. " + (f"These do: {ids}." if ids else "None does.")
        )
    return found


async def respond(
    request: AnyRequest, answers: Sequence[str], *, message: str | None = None
) -> str:
    """What became of it, as a sentence.

    Raises:
        InvalidRequest: that is no answer to it.
        RequestAlreadyResolved: somebody was first.
    """
    match request:
        case PermissionRequest():
            return await _decide(request, answers, message)
        case QuestionRequest():
            return await _answer(request, answers)
        case _:
            raise InvalidRequest(
                f"Request {request.id} is for a hook or a function of its session: programs answer it, not people."
            )


def described(request: AnyRequest) -> str:
    """In one line."""
    if isinstance(request, PermissionRequest):
        return about(request)
    if isinstance(request, QuestionRequest):
        asked = [question.question for question in request.questions]
        return " / ".join(asked) or request.message
    if isinstance(request, HostToolCall):
        return f"function: {request.tool}"
    return f"hook: {request.title}"


async def _decide(request: PermissionRequest, answers: Sequence[str], message: str | None) -> str:
    word = answers[0].lower() if len(answers) == 1 else ""
    if message is not None and word != "deny":
        raise InvalidRequest("--message goes with deny.")
    match word:
        case "allow" | "once":
            done = await request.allow_once(actor=ACTOR)
        case "always":
            done = await request.allow_always(actor=ACTOR)
        case "deny" | "reject":
            done = await request.deny(message=message, actor=ACTOR)
        case _:
            raise InvalidRequest(
                f"Request {request.id} is for a permission ({about(request)}): answer allow, always or deny."
            )
    said = done.option_kind or done.outcome
    return f"{said.replace('_', ' ')}: {about(request)}"


async def _answer(request: QuestionRequest, answers: Sequence[str]) -> str:
    if list(answers) == ["decline"] or list(answers) == ["deny"]:
        await request.decline(actor=ACTOR)
        return f"declined: {described(request)}"
    if len(answers) != len(request.questions):
        lines = [
            f"  {question.question}"
            + (f" ({', '.join(one.label for one in question.options)})" if question.options else "")
            for question in request.questions
        ]
        raise InvalidRequest(
            f"Request {request.id} has {len(request.questions)} questions, {len(answers)} were answered:\n"
            + "\n".join(lines)
        )
    given: dict[str, AnswerValue] = {
        question.id: [str(chosen(question, part.strip())) for part in answer.split(",")]
        if question.multi_select
        else chosen(question, answer)
        for question, answer in zip(request.questions, answers, strict=True)
    }
    await request.answer(given, actor=ACTOR)
    return f"answered: {described(request)}"
