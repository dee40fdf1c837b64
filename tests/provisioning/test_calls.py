"""Calls of a vendor's API that are too many, too slow, or cancelled half-way."""

from __future__ import annotations

import asyncio

import pytest
from sandbox_agent_core.errors import (
    ProviderError,
    ProviderQuotaExceeded,
    ProviderTimeout,
    ProviderUnavailable,
    SandboxNotFound,
)
from sandbox_agent_core.provisioning import CommandResult, calls
from sandbox_agent_core.provisioning.calls import patiently, to_its_end, within
from sandbox_agent_core.provisioning.provider import removed_on_failure


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "FIRST_PAUSE_S", 0.0)


class Answers:
    def __init__(self, *failures: ProviderError) -> None:
        self.failures = list(failures)

    async def ask(self) -> str:
        if self.failures:
            raise self.failures.pop(0)
        return "answer"


def too_many(status: int = 429) -> ProviderQuotaExceeded:
    return ProviderQuotaExceeded("too many", status=status)


async def test_what_was_not_done_is_asked_again() -> None:
    assert await patiently(Answers(too_many(), too_many()).ask) == "answer"
    with pytest.raises(ProviderQuotaExceeded):
        await patiently(Answers(too_many(), too_many(), too_many()).ask)
    with pytest.raises(ProviderQuotaExceeded):
        await patiently(Answers(too_many(status=402)).ask)


async def test_what_may_have_been_done_is_asked_again_only_where_that_is_the_same() -> None:
    assert await patiently(Answers(ProviderUnavailable("x")).ask, is_repeatable=True) == "answer"
    with pytest.raises(ProviderUnavailable):
        await patiently(Answers(ProviderUnavailable("x")).ask)


async def test_what_a_cancelled_call_made_is_undone_before_the_cancellation_goes_on() -> None:
    may_end = asyncio.Event()
    undone: list[str] = []

    async def make() -> str:
        await may_end.wait()
        return "made"

    async def undo(made: str) -> None:
        undone.append(made)

    task = asyncio.ensure_future(to_its_end(make(), undo=undo))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()
    assert undone == ["made"]


@pytest.mark.parametrize("ending", ["killed", "refused", "never"])
async def test_a_command_that_is_too_slow_is_a_timeout_however_the_vendor_ends_it(
    ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "KILL_GRACE_S", 0.0 if ending == "never" else 5.0)

    async def run() -> CommandResult:
        await asyncio.sleep(0.02 if ending != "never" else 60)
        if ending == "refused":
            raise ProviderError("cut off")
        return CommandResult(137)

    with pytest.raises(ProviderTimeout):
        await within(0.01, run(), provider="x", sandbox="y")


async def test_a_command_that_fails_in_time_is_what_it_is() -> None:
    async def fail(error: ProviderError | None) -> CommandResult:
        if error is not None:
            raise error
        return CommandResult(3)

    assert (await within(5, fail(None), provider="x", sandbox="y")).exit_code == 3
    for error in (SandboxNotFound("gone"), ProviderUnavailable("down")):
        with pytest.raises(type(error)):
            await within(5, fail(error), provider="x", sandbox="y")


async def test_a_removal_that_fails_does_not_hide_why_it_was_needed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def remove() -> None:
        raise ProviderError("down")

    with pytest.raises(ValueError, match="the reason"):
        async with removed_on_failure(remove, what="the sandbox 7"):
            raise ValueError("the reason")
    assert "the sandbox 7 may be left behind" in caplog.text
