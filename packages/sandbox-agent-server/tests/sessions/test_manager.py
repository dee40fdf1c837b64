"""Sessions by id: live while something happens, else a row and a file, of which the file is the truth."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from typing import Any

import pytest
from house import House
from sandbox_agent_core.api.requests import AnswerRequest
from sandbox_agent_core.errors import (
    AgentError,
    AgentStartFailed,
    Conflict,
    InvalidRequest,
    LimitReached,
    SessionAlreadyExists,
    SessionClosed,
    SessionDamaged,
    SessionNotFound,
    StorageError,
    Unavailable,
)
from sandbox_agent_core.frames import acp
from sandbox_agent_core.frames.jsonrpc import response
from sandbox_agent_server.log.file import LOG_NAME
from sandbox_agent_server.sessions.agent import SessionSecrets
from sandbox_agent_server.sessions.listing import SessionFilter
from sandbox_agent_server.store.index import INDEX_NAME, SessionIndex
from support.scripted_adapter import ScriptedAdapter, fails, silence
from talk import permission, settled, shapes, until


async def ends_its_turn(house: House, id: str = "ses_1") -> None:
    session = house.live(id)
    assert session is not None
    prompt = [frame for frame in house.agent.sent if frame.get("method") == acp.SESSION_PROMPT][-1]
    house.agent.write(response(prompt["id"], {"stopReason": "end_turn"}))
    await until(lambda: session.state.turn_id is None)


async def its_agent_ends(house: House, id: str = "ses_1") -> None:
    house.agent.die(0)
    await until(lambda: house.live(id) is None)


# Live and not


async def test_a_session_whose_agent_is_gone_costs_nothing(house: House) -> None:
    await house.create()
    session = house.live()
    assert session is not None
    references = [
        weakref.ref(one)
        for one in (session, session.log, session.conversation, session.agent, session.turns)
    ]
    del session
    house.prompt()
    await ends_its_turn(house)
    await its_agent_ends(house)
    await settled()
    gc.collect()
    assert [reference() for reference in references] == [None] * len(references)
    assert not house.manager._archive._logs


async def test_what_a_session_is_does_not_change_when_it_is_let_go(house: House) -> None:
    await house.create(metadata={"a": 1})
    house.prompt()
    await ends_its_turn(house)
    with house.manager.session("ses_1") as session:
        house.agent.die(0)
        await until(lambda: not session.state.is_running)
        live = house.manager.reader.info("ses_1")
    await until(lambda: house.live() is None)
    row = house.manager.reader.info("ses_1")
    assert row == live
    assert row.status == "dormant"
    assert row.last_seq == len(house.entries())
    assert house.manager.reader.list(cursor=None, limit=10).sessions == [row]


async def test_a_session_is_live_as_long_as_somebody_does_something_with_it(house: House) -> None:
    await house.create()
    with house.manager.session("ses_1") as session:
        house.agent.die(0)
        await until(lambda: not session.state.is_running)
        await settled()
        with house.manager.session("ses_1") as same:
            assert same is session
        assert house.live() is session
    assert house.live() is None


async def test_a_prompt_wakes_a_session_at_rest(house: House) -> None:
    await house.create()
    await its_agent_ends(house)
    turn = house.prompt()
    await until(lambda: acp.SESSION_PROMPT in house.agent.methods)
    assert len(house.acme.made) == 2
    await ends_its_turn(house)
    assert (await asyncio.wait_for(turn.wait(), 5)).stop_reason == "end_turn"


async def test_what_waits_for_an_answer_is_told_live_and_from_the_row(house: House) -> None:
    await house.create()
    house.prompt()
    house.agent.write(permission(1), permission(2))
    await until(lambda: house.manager.reader.info("ses_1").pending_requests == 2)
    one, other = house.manager.reader.pending_requests("ses_1")
    with house.manager.session("ses_1") as session:
        session.answer(one["id"], AnswerRequest.model_validate({"reply": "once"}))
    assert list(house.manager.reader.pending_requests("ses_1")) == [other]
    await its_agent_ends(house)
    assert list(house.manager.reader.pending_requests("ses_1")) == []
    first, second = house.manager.reader.requests("ses_1", cursor=None, limit=99)[0]
    assert (first["id"], first["resolution"]["decidedBy"]) == (one["id"], "user")
    assert (second["id"], second["resolution"]["decidedBy"]) == (other["id"], "cancel")


async def test_what_was_ever_asked_is_told_page_by_page(house: House) -> None:
    await house.create()
    house.prompt()
    house.agent.write(*(permission(number) for number in range(5)))
    await until(lambda: house.manager.reader.info("ses_1").pending_requests == 5)
    await its_agent_ends(house)
    seen: list[str] = []
    cursor = None
    for count in (2, 2, 1):
        page, cursor = house.manager.reader.requests("ses_1", cursor=cursor, limit=2)
        assert len(page) == count
        seen += [one["id"] for one in page]
    assert cursor is None
    everything, _ = house.manager.reader.requests("ses_1", cursor=None, limit=99)
    assert seen == [one["id"] for one in everything]
    with pytest.raises(InvalidRequest):
        house.manager.reader.requests("ses_1", cursor="x", limit=2)


async def test_sessions_are_listed_newest_first_page_by_page(house: House) -> None:
    for number in range(5):
        await house.create(f"ses_{number}")
    first = house.manager.reader.list(cursor=None, limit=2)
    second = house.manager.reader.list(cursor=first.next_cursor, limit=2)
    last = house.manager.reader.list(cursor=second.next_cursor, limit=2)
    listed = [one.id for page in (first, second, last) for one in page.sessions]
    assert listed == [f"ses_{number}" for number in (4, 3, 2, 1, 0)]
    assert last.next_cursor is None
    for cursor in ("x", "-1", "1_0", "", "9" * 30):
        with pytest.raises(InvalidRequest):
            house.manager.reader.list(cursor=cursor, limit=2)


async def test_a_filter_that_hardly_anything_matches_looks_at_so_many_sessions_for_a_page(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox_agent_server.sessions.reader.SCANNED_AT_MOST", 2)
    for number in range(5):
        await house.create(f"ses_{number}", metadata={"n": number})
    wanted = SessionFilter(metadata={"n": "0"})
    pages, cursor = [], None
    while not pages or cursor is not None:
        page = house.manager.reader.list(cursor=cursor, limit=5, wanted=wanted)
        pages.append([one.id for one in page.sessions])
        cursor = page.next_cursor
    assert pages == [[], [], ["ses_0"]]


async def test_what_is_not_there_is_not_found(house: House) -> None:
    for id in ("ses_9", "../ses_1", ""):
        for ask in (house.manager.reader.info, house.manager.reader.log):
            with pytest.raises(SessionNotFound):
                ask(id)
        with pytest.raises(SessionNotFound):
            house.manager.reader.requests(id, cursor=None, limit=99)[0]
        with pytest.raises(SessionNotFound):
            await house.manager.purge(id)


# Making one


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({acp.SESSION_NEW: fails("no")}, AgentError),
        ({acp.INITIALIZE: silence}, asyncio.CancelledError),
    ],
)
async def test_a_session_that_cannot_be_made_leaves_nothing(
    house: House, answers: Any, error: type[BaseException]
) -> None:
    house.answers |= answers
    creating = asyncio.ensure_future(house.create())
    await settled()
    if error is asyncio.CancelledError:
        assert house.directory().exists()
        creating.cancel()
    with pytest.raises(error):
        await asyncio.wait_for(creating, 5)
    assert house.live() is None
    assert not house.directory().exists()
    assert house.manager.reader.list(cursor=None, limit=9).sessions == []
    assert house.agent.is_closed
    await settled()
    assert not house.directory().exists()


async def test_a_session_whose_agent_does_not_start_leaves_nothing(house: House) -> None:
    house.acme.make = lambda: ScriptedAdapter(start_error=AgentStartFailed("no"))
    with pytest.raises(AgentStartFailed):
        await house.create()
    assert not house.directory().exists()
    house.acme.make = lambda: ScriptedAdapter(house.answers)
    assert (await house.create()).status == "idle"


async def test_an_id_is_taken_while_it_is_made_and_afterwards(house: House) -> None:
    house.answers[acp.INITIALIZE] = silence
    creating = asyncio.ensure_future(house.create())
    await settled()
    with pytest.raises(SessionAlreadyExists):
        await house.create()
    creating.cancel()
    await asyncio.gather(creating, return_exceptions=True)
    house.answers[acp.INITIALIZE] = {"protocolVersion": 1}
    await house.create()
    await its_agent_ends(house)
    with pytest.raises(SessionAlreadyExists):
        await house.create()
    assert house.directory().exists()


async def test_a_log_that_the_index_does_not_know_is_not_overwritten(house: House) -> None:
    house.directory().mkdir(parents=True)
    path = house.directory() / LOG_NAME
    for content, error in (
        (b'{"seq":1,"what":"is this"}\n', StorageError),
        (b'{"seq":1,"time":"2026-01-01T00:00:00Z","sender":"server","payload":{}}\n', SessionAlreadyExists),
    ):  # fmt: skip
        path.write_bytes(content)
        with pytest.raises(error):
            await house.create()
        assert path.read_bytes() == content


async def test_no_more_agents_run_than_may(house: House) -> None:
    await house.restart(limits={"max_sessions": 1})
    await house.create("ses_1")
    with pytest.raises(LimitReached):
        await house.create("ses_2")
    assert not house.directory("ses_2").exists()
    await its_agent_ends(house)
    await house.create("ses_2")


# Its end


async def test_a_session_that_ended_takes_no_prompt_until_it_is_resumed(house: House) -> None:
    await house.create()
    await house.manager.end("ses_1")
    await house.manager.end("ses_1")
    assert (house.manager.reader.info("ses_1").status, house.live()) == ("ended", None)
    with pytest.raises(SessionClosed):
        house.prompt()
    assert (await house.manager.resume("ses_1", SessionSecrets())).status == "idle"
    house.prompt()
    assert shapes(house.entries()).count("server session.ended") == 1


async def test_what_is_purged_is_gone_to_the_last_byte(house: House) -> None:
    await house.create("ses_1", env={"ACME_KEY": "hunter2-hunter2"})
    await house.create("ses_2")
    house.prompt()
    house.acme.made[0].write(permission(1))
    await until(lambda: house.manager.reader.requests("ses_1", cursor=None, limit=99)[0])
    await house.manager.purge("ses_1")
    assert not house.directory().exists()
    assert house.directory("ses_2").exists()
    assert house.index.requests("ses_1") == []
    assert [one.id for one in house.manager.reader.list(cursor=None, limit=9).sessions] == ["ses_2"]
    assert "ses_1" not in house.manager._secrets
    assert house.acme.made[0].is_closed
    with pytest.raises(SessionNotFound):
        house.manager.reader.info("ses_1")
    await house.create("ses_1")
    assert len(house.entries()) < 10


async def test_purging_ends_who_reads_the_log(house: House) -> None:
    await house.create()
    log = house.manager.reader.log("ses_1")
    await house.manager.purge("ses_1")
    assert log.is_closed


async def test_on_a_full_disk_there_can_be_purged(house: House, disk: Any) -> None:
    for id in ("ses_1", "ses_2"):
        await house.create(id)
    await its_agent_ends(house, "ses_2")
    with disk.full():
        await house.manager.purge("ses_1")
        await house.manager.purge("ses_2")
    assert not house.directory("ses_1").exists()
    assert not house.directory("ses_2").exists()
    assert house.manager.reader.list(cursor=None, limit=9).sessions == []


async def test_what_cannot_be_read_any_more_can_be_purged(house: House) -> None:
    await house.create()
    await its_agent_ends(house)
    gc.collect()
    (house.directory() / LOG_NAME).write_bytes(b"")
    with pytest.raises(SessionDamaged):
        house.prompt()
    await house.manager.purge("ses_1")
    assert not house.directory().exists()
    with pytest.raises(SessionNotFound):
        house.manager.reader.info("ses_1")


# After a restart, and a death


def told(house: House, id: str = "ses_1") -> tuple[Any, Any]:
    info = house.manager.reader.info(id)
    return info, list(house.manager.reader.requests(id, cursor=None, limit=99)[0])


async def test_a_server_that_dies_while_it_makes_the_index_again_leaves_the_rest_to_the_next(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for id in ("ses_a", "ses_b"):
        await house.create(id)
    await house.close()
    for one in house.data_dir.glob(INDEX_NAME + "*"):
        one.unlink()

    class Killed(BaseException):
        pass

    save = SessionIndex.save

    def save_one(index: SessionIndex, row: Any, requests: Any = ()) -> None:
        if index.page(before_key=None, limit=1):
            raise Killed
        save(index, row, requests)

    with monkeypatch.context() as patch:
        patch.setattr(SessionIndex, "save", save_one)
        with pytest.raises(Killed):
            await house.open()
        house.index._db.close()
        house.index._lock.close()
    await house.open()

    assert {one.id for one in house.manager.reader.list(cursor=None, limit=9).sessions} == {
        "ses_a",
        "ses_b",
    }


@pytest.mark.fault(
    "the index is deleted, damaged or empty", "the server tells the same of every session as before"
)
@pytest.mark.parametrize("index", ["kept", "deleted", "damaged", "empty"])
async def test_with_or_without_its_index_a_server_tells_the_same(house: House, index: str) -> None:
    await house.create("ses_b", metadata={"a": 1}, model=None)
    await house.create("ses_a")
    for id, agent in (("ses_b", house.acme.made[0]), ("ses_a", house.acme.made[1])):
        house.prompt(id)
        agent.write(permission(1))
        await until(lambda id=id: house.manager.reader.info(id).pending_requests)  # type: ignore[misc]
    await house.close()
    await house.open()
    before = {id: told(house, id) for id in ("ses_a", "ses_b")}
    listed = house.manager.reader.list(cursor=None, limit=9)
    await house.close()

    path = house.data_dir / INDEX_NAME
    if index == "deleted":
        for one in house.data_dir.glob(INDEX_NAME + "*"):
            one.unlink()
    elif index == "damaged":
        path.write_bytes(b"this is no database" * 1000)
    elif index == "empty":
        path.write_bytes(b"")
    await house.open()

    assert {id: told(house, id) for id in ("ses_a", "ses_b")} == before
    after = house.manager.reader.list(cursor=None, limit=9)
    assert after.sessions == listed.sessions
    assert house.index.total_bytes() == sum(
        len((house.directory(id) / LOG_NAME).read_bytes()) for id in ("ses_a", "ses_b")
    )


async def test_what_a_dead_server_left_open_is_ended_before_anybody_sees_it(house: House) -> None:
    await house.create()
    house.prompt(text="one")
    house.prompt(text="two")
    house.agent.write(permission(1))
    await until(lambda: house.manager.reader.info("ses_1").pending_requests)
    await house.dies()
    await house.open()
    info, requests = told(house)
    assert (info.status, info.current_turn_id, info.queued_turns) == ("dormant", None, 0)
    assert [one["resolution"]["decidedBy"] for one in requests] == ["cancel"]
    assert shapes(house.entries())[-4:] == [
        "server agent.exited",
        "server tool.completed",
        "server turn.ended",
        "server turn.dropped",
    ]
    assert not house.index.open_sessions()


async def test_an_index_that_is_behind_its_log_catches_up(house: House) -> None:
    await house.create()
    row = house.index.get("ses_1")
    assert row is not None
    house.prompt()
    house.agent.write(permission(1))
    await until(lambda: house.manager.reader.info("ses_1").pending_requests)
    await ends_its_turn(house)
    await its_agent_ends(house)
    expected = told(house)
    house.index.save(row)
    house.index._db.execute("DELETE FROM requests")
    await house.restart()
    assert told(house) == expected


async def test_an_index_that_is_ahead_of_its_log_believes_the_log(house: House) -> None:
    await house.create()
    await its_agent_ends(house)
    lines = (house.directory() / LOG_NAME).read_bytes().splitlines(keepends=True)
    await house.close()
    (house.directory() / LOG_NAME).write_bytes(b"".join(lines[:-1]))
    await house.open()
    with house.manager.session("ses_1") as session:
        assert shapes(house.entries())[-1] == "server agent.exited"
        assert session.state == house.live().state  # type: ignore[union-attr]
    assert house.manager.reader.info("ses_1").last_seq == len(lines)


async def test_a_session_that_cannot_be_recovered_is_no_matter_to_the_others(house: House) -> None:
    await house.create("ses_1")
    await house.create("ses_2")
    await house.dies()
    (house.directory("ses_1") / LOG_NAME).write_bytes(b"")
    await house.open()
    assert house.manager.reader.info("ses_2").status == "dormant"
    assert house.manager.reader.info("ses_1").status == "damaged"
    with pytest.raises(SessionDamaged):
        house.prompt("ses_1")


async def test_with_power_failures_in_mind_a_torn_log_is_indexed_again(house: House) -> None:
    await house.create()
    await its_agent_ends(house)
    await house.close()
    with (house.directory() / LOG_NAME).open("ab") as file:
        file.write(b"\0\0\0")
    (house.data_dir / INDEX_NAME).unlink()
    await house.open(durability="power")
    assert house.manager.reader.info("ses_1").status == "dormant"
    assert shapes(house.entries())[-1] == "server log.repaired"


async def test_what_the_index_cannot_take_now_it_takes_later(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.create()
    save = house.index.save

    def refuse(*_args: Any) -> None:
        raise StorageError("full")

    monkeypatch.setattr(house.index, "save", refuse)
    house.prompt()
    house.agent.write(permission(1))
    await until(lambda: house.manager.reader.info("ses_1").pending_requests)
    await ends_its_turn(house)
    assert house.manager.reader.requests("ses_1", cursor=None, limit=99)[0] == []
    monkeypatch.setattr(house.index, "save", save)
    await its_agent_ends(house)
    (one,) = house.manager.reader.requests("ses_1", cursor=None, limit=99)[0]
    assert one["resolution"]["decidedBy"] == "cancel"


async def test_a_server_that_stops_ends_turns_and_takes_nothing_more(house: House) -> None:
    await house.create()
    turn = house.prompt()
    await house.manager.shut_down()
    assert (await asyncio.wait_for(turn.wait(), 5)).stop_reason == "interrupted"
    with pytest.raises(Unavailable):
        await house.create("ses_2")
    assert house.agent.is_closed


# Secrets


async def test_secrets_survive_a_rest_and_no_restart_and_are_never_on_the_disk(
    house: House,
) -> None:
    await house.create(env={"TOKEN_OF_MINE": "hunter2-hunter2"})
    await its_agent_ends(house)
    house.prompt()
    await until(lambda: acp.SESSION_PROMPT in house.agent.methods)
    assert house.acme.contexts[-1].env["TOKEN_OF_MINE"] == "hunter2-hunter2"
    await house.restart()
    house.prompt()
    await until(lambda: len(house.acme.made) == 3)
    assert "TOKEN_OF_MINE" not in house.acme.contexts[-1].env
    await house.manager.end("ses_1")
    await house.manager.resume("ses_1", SessionSecrets(env={"TOKEN_OF_MINE": "new-secret"}))
    assert house.acme.contexts[-1].env["TOKEN_OF_MINE"] == "new-secret"
    for path in house.data_dir.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"hunter2" not in content
            assert b"new-secret" not in content


async def test_new_secrets_restart_an_idle_agent_and_none_that_works(house: House) -> None:
    await house.create(env={"A": "1"})
    await house.manager.resume("ses_1", SessionSecrets())
    await house.manager.resume("ses_1", SessionSecrets(env={"A": "1"}))
    assert len(house.acme.made) == 1
    house.prompt()
    with pytest.raises(Conflict):
        await house.manager.resume("ses_1", SessionSecrets(env={"B": "2"}))
    await ends_its_turn(house)
    await house.manager.resume("ses_1", SessionSecrets(env={"B": "2"}))
    assert len(house.acme.made) == 2
    env = house.acme.contexts[-1].env
    assert (env["A"], env["B"]) == ("1", "2")


# Retention


async def at_rest(house: House, *ids: str, age_days: float = 0) -> None:
    for id in ids:
        await house.create(id)
        await its_agent_ends(house, id)
        house.index._db.execute(
            "UPDATE sessions SET updated_ms = ? WHERE id = ?",
            (round((time.time() - age_days * 86_400) * 1000), id),
        )


@pytest.fixture
def removing(house: House) -> Any:
    async def removing(**settings: Any) -> list[str]:
        gc.collect()  # a log that nobody reads may still be in a cycle
        read = house.manager._archive._settings
        house.manager._archive._settings = read.model_copy(update=settings)
        await house.manager._archive.remove_old()
        left = house.manager.reader.list(cursor=None, limit=99).sessions
        assert {path.name for path in (house.data_dir / "sessions").iterdir()} == {
            one.id for one in left
        }
        return sorted(one.id for one in left)

    return removing


async def test_what_is_older_than_is_kept_is_removed(house: House, removing: Any) -> None:
    await at_rest(house, "ses_1", "ses_2", age_days=9)
    await at_rest(house, "ses_3", age_days=1)
    assert await removing(retention_days=10) == ["ses_1", "ses_2", "ses_3"]
    assert await removing(retention_days=5) == ["ses_3"]


async def test_what_is_more_than_is_kept_is_removed_oldest_first(
    house: House, removing: Any
) -> None:
    for number in range(4):
        await at_rest(house, f"ses_{number}", age_days=9 - number)
    size = house.index.total_bytes() // 4
    assert await removing(retention_bytes=size * 4 + 100) == ["ses_0", "ses_1", "ses_2", "ses_3"]
    assert await removing(retention_bytes=size * 2 + 100) == ["ses_2", "ses_3"]
    assert await removing(retention_bytes=1) == []


async def test_what_is_live_or_being_read_is_never_removed(house: House, removing: Any) -> None:
    await at_rest(house, "ses_1", "ses_2", "ses_3", age_days=9)
    read = house.manager.reader.log("ses_2")
    await house.manager.resume("ses_3", SessionSecrets())
    assert await removing(retention_days=1, retention_bytes=1) == ["ses_2", "ses_3"]
    del read
    assert await removing(retention_days=1, retention_bytes=1) == ["ses_3"]


async def test_one_that_cannot_be_removed_is_no_matter_to_the_others(
    house: House, removing: Any
) -> None:
    await at_rest(house, "ses_1", "ses_2", age_days=9)
    log = house.directory("ses_1") / LOG_NAME
    log.unlink()
    log.mkdir()
    assert await removing(retention_days=1) == ["ses_1"]
