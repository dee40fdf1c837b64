"""What the API server says when it does not do as it is told: a `Status` object with a reason that clients go by."""

from __future__ import annotations

from typing import Any

__all__ = ["Refusal"]

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Expired",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


class Refusal(Exception):
    """An answer that is no success; the reason follows from the code, unless it is given."""

    def __init__(
        self,
        code: int,
        message: str,
        *,
        reason: str | None = None,
        details: dict[str, Any] | None = None,
        retry_after_s: int | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason or _REASONS.get(code, "")
        self.details = dict(details or {})
        self.metadata = dict(metadata or {})
        self.headers: dict[str, str] = {}
        if retry_after_s is not None:
            self.headers["Retry-After"] = str(retry_after_s)
            self.details["retryAfterSeconds"] = retry_after_s

    @property
    def status(self) -> dict[str, Any]:
        """The `Status` object of the answer."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.metadata,
            "status": "Failure",
            "message": str(self),
            "reason": self.reason,
            "code": self.code,
        }
        if self.details:
            status["details"] = self.details
        return status

    @classmethod
    def not_found(cls, plural: str, name: str, *, group: str = "") -> Refusal:
        """There is no object of this name."""
        of = f"{plural}.{group}" if group else plural
        return cls(
            404, f'{of} "{name}" not found', details={"name": name, "group": group, "kind": plural}
        )

    @classmethod
    def no_such_path(cls) -> Refusal:
        """There is no such resource, or none that this server knows."""
        return cls(404, "the server could not find the requested resource")

    @classmethod
    def expired(cls, revision: int, oldest: int) -> Refusal:
        """What is asked for was compacted."""
        return cls(410, f"too old resource version: {revision} ({oldest})")
