"""What any request can meet."""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "Conflict",
    "HeadTooLarge",
    "IdempotencyKeyReused",
    "InternalError",
    "InvalidRequest",
    "LimitReached",
    "MethodNotAllowed",
    "NotAcceptable",
    "NotFound",
    "PayloadTooLarge",
    "PermissionDenied",
    "RequestTimeout",
    "SandboxAgentError",
    "StorageError",
    "Timeout",
    "TokenInvalid",
    "TokenNotFound",
    "Unavailable",
    "UnsupportedMediaType",
    "ValueNotSupported",
]


class SandboxAgentError(Exception):
    """The root. `str()` and `message` are for people, the rest is for programs."""

    code: ClassVar[str] = "internal_error"
    """Does not change: the end of the `type` of a problem document."""
    title: ClassVar[str] = "Internal Error"
    http_status: ClassVar[int] = 500
    """`status` of the problem document that it is over HTTP."""
    retryable: ClassVar[bool] = False
    """The same may succeed when it is tried again."""
    details: dict[str, Any]
    """Facts, by the names of JSON (`exitCode`). They go into the problem document as they are."""

    def __init__(self, message: str, /, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = {key: value for key, value in details.items() if value is not None}


class InvalidRequest(SandboxAgentError):
    code = "invalid_request"
    title = "Invalid Request"
    http_status = 400


class ValueNotSupported(InvalidRequest):
    """A model, thought level or option value that the agent does not offer; `details.offered` lists those it does."""

    code = "value_not_supported"
    title = "Value Not Supported"


class IdempotencyKeyReused(InvalidRequest):
    """The `Idempotency-Key` came with another request before."""

    code = "idempotency_key_reused"
    title = "Idempotency Key Reused"
    http_status = 422


class TokenInvalid(SandboxAgentError):
    code = "token_invalid"
    title = "Token Invalid"
    http_status = 401


class PermissionDenied(SandboxAgentError):
    code = "permission_denied"
    title = "Permission Denied"
    http_status = 403


class NotFound(SandboxAgentError):
    code = "not_found"
    title = "Not Found"
    http_status = 404
    resource: ClassVar[str | None] = None
    """What kind of thing is not there: `details.resource` of the problem document, whose `details.id` is then that of
    the error (`id`, or `processId` of a `process`)."""


class TokenNotFound(NotFound):
    """There is no such token, any more."""

    code = "token_not_found"
    title = "Token Not Found"
    resource = "token"


class MethodNotAllowed(SandboxAgentError):
    code = "method_not_allowed"
    title = "Method Not Allowed"
    http_status = 405


class NotAcceptable(SandboxAgentError):
    code = "not_acceptable"
    title = "Not Acceptable"
    http_status = 406


class Conflict(SandboxAgentError):
    code = "conflict"
    title = "Conflict"
    http_status = 409


class RequestTimeout(SandboxAgentError):
    """The client did not send the whole of its request in time; `details` carry `limit` and `value`."""

    code = "request_timeout"
    title = "Request Timeout"
    http_status = 408
    retryable = True


class PayloadTooLarge(SandboxAgentError):
    code = "payload_too_large"
    title = "Payload Too Large"
    http_status = 413


class HeadTooLarge(PayloadTooLarge):
    """The line and the headers of a request; `details` carry `limit` and `value`."""

    code = "head_too_large"
    title = "Request Head Too Large"
    http_status = 431


class UnsupportedMediaType(SandboxAgentError):
    code = "unsupported_media_type"
    title = "Unsupported Media Type"
    http_status = 415


class LimitReached(SandboxAgentError):
    """A named limit of the server; `details` carry `limit` and `value`."""

    code = "limit_reached"
    title = "Limit Reached"
    http_status = 429
    retryable = True


class InternalError(SandboxAgentError):
    """A bug of ours; the server's log has the traceback under the request id."""


class Unavailable(SandboxAgentError):
    """The server is shutting down."""

    code = "unavailable"
    title = "Unavailable"
    http_status = 503
    retryable = True


class Timeout(SandboxAgentError, TimeoutError):
    """Also a `TimeoutError` of Python."""

    code = "timeout"
    title = "Timeout"
    http_status = 504
    retryable = True


class StorageError(SandboxAgentError):
    """The log could not be written (disk full, read-only): nothing was accepted, nothing was lost."""

    code = "storage_error"
    title = "Storage Error"
    http_status = 507
    retryable = True
