"""JSON has types: what is near enough for Python is a mistake in a body."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import Field, ValidationError
from sandbox_agent_core.api.base import RequestBody


class Body(RequestBody):
    switch: bool = False
    maybe: bool | None = None
    count: int = Field(default=1, ge=0)
    seconds: float | None = None
    either: str | bool = ""
    word: Literal["a", "b"] = "a"


@pytest.mark.parametrize(
    "given",
    [{"switch": 0}, {"switch": 1.0}, {"switch": "true"}, {"maybe": 1}, {"count": "5"}, {"count": True},
     {"seconds": "1.5"}, {"seconds": False}, {"switch": None}, {"either": 1}],
)  # fmt: skip
def test_a_value_of_another_type_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Body.model_validate(given)


@pytest.mark.parametrize(
    "given",
    [{"switch": True}, {"maybe": None}, {"count": 5}, {"seconds": 1}, {"seconds": 1.5}, {"either": True},
     {"either": "x"}, {"word": "b"}, {}],
)  # fmt: skip
def test_a_value_of_the_type_is_taken(given: dict[str, Any]) -> None:
    assert Body.model_validate(given).model_dump(exclude_unset=True) == given
