"""A request that comes again with its key is not carried out again."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sandbox_agent_client import SandboxAgent, SandboxAgentSync, errors
from support.server import ServerProcess, until

KEY = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    server = ServerProcess(tmp_path_factory.mktemp("idempotency")).start()
    yield server
    server.stop()


def turns(server: ServerProcess, session_id: str) -> int:
    return len(server.events(session_id, "turn.started"))


def sessions(client: httpx.Client) -> set[str]:
    listed = client.get("/v1/sessions", params={"limit": 1000}).json()["sessions"]
    return {one["id"] for one in listed}


def test_a_prompt_runs_once_and_is_answered_as_often_as_it_comes(server: ServerProcess) -> None:
    session_id = server.create()
    path = f"/v1/sessions/{session_id}/prompt"
    with server.client() as client:
        for params in ({}, {"wait": "true"}):
            before = turns(server, session_id)
            headers = {KEY: f"prompt {params}"}
            answers = [
                client.post(path, json={"text": "hi"}, params=params, headers=headers)
                for _ in range(3)
            ]
            assert len({(one.status_code, one.content) for one in answers}) == 1
            assert [one.headers.get(REPLAYED) for one in answers] == [None, "true", "true"]
            turn_id = answers[0].json()["turnId"]
            until(lambda: turn_id in [e["turnId"] for e in server.events(session_id, "turn.ended")])  # noqa: B023
            assert turns(server, session_id) == before + 1

            other = client.post(path, json={"text": "ho"}, params=params, headers=headers)
            assert other.status_code == 422
            assert other.json()["type"].endswith(":idempotency_key_reused")
            assert turns(server, session_id) == before + 1
        again = client.post(path, json={"text": "hi"}, headers={KEY: "another"})
        assert REPLAYED not in again.headers
        # A key belongs to what it was made for.
        second = server.create()
        elsewhere = client.post(f"/v1/sessions/{second}/prompt", json={"text": "hi"}, headers={KEY: "another"})  # fmt: skip
        assert (elsewhere.status_code, REPLAYED in elsewhere.headers) == (202, False)


def test_a_key_takes_any_text(server: ServerProcess) -> None:
    path = f"/v1/sessions/{server.create()}/prompt"
    headers = {KEY: "half a character", "content-type": "application/json"}
    with server.client() as client:
        answers = [
            client.post(path, content=rb'{"text": "half \ud83d"}', headers=headers)
            for _ in range(2)
        ]
    assert [one.status_code for one in answers] == [202, 202]
    assert answers[0].content == answers[1].content


def test_a_turn_that_failed_is_not_run_again(server: ServerProcess) -> None:
    session_id = server.create()
    with server.client() as client:
        first, second = (
            client.post(
                f"/v1/sessions/{session_id}/prompt",
                json={"text": "error -32000"},
                params={"wait": "true"},
                headers={KEY: "fails"},
            )
            for _ in range(2)
        )
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert second.headers["content-type"] == first.headers["content-type"]
    assert first.status_code >= 400
    assert turns(server, session_id) == 1


def test_what_is_purged_is_gone_from_the_answers_too(server: ServerProcess) -> None:
    with server.client() as client:
        body = {"agent": "mock", "metadata": {"secret": "metadata-marker"}}
        made = client.post("/v1/sessions", json=body, headers={KEY: "purged"})
        path = f"/v1/sessions/{made.json()['id']}"
        client.delete(path, params={"purge": "true"})
        again = client.post("/v1/sessions", json=body, headers={KEY: "purged"})
    assert again.status_code == 201
    assert REPLAYED not in again.headers


def test_what_was_refused_may_come_again(server: ServerProcess) -> None:
    with server.client() as client:
        headers = {KEY: "refused"}
        for _ in range(2):
            refused = client.post("/v1/sessions", json={"agent": "no such agent"}, headers=headers)
            assert refused.status_code == 400
        made = client.post("/v1/sessions", json={"agent": "mock"}, headers=headers)
        assert made.status_code == 201


def test_requests_with_one_key_at_the_same_time_are_one(server: ServerProcess) -> None:
    def create(_number: int) -> httpx.Response:
        with server.client() as client:
            return client.post("/v1/sessions", json={"agent": "mock"}, headers={KEY: "at once"})

    with server.client() as client:
        before = sessions(client)
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(create, range(6)))
        assert {one.status_code for one in answers} == {201}
        assert len({one.content for one in answers}) == 1
        assert len(sessions(client) - before) == 1
        assert sorted(REPLAYED in one.headers for one in answers) == [False, *[True] * 5]


def test_an_answer_is_given_once(server: ServerProcess) -> None:
    session_id = server.create()
    server.prompt(session_id, "permission", wait=False)
    with server.client() as client:
        path = f"/v1/sessions/{session_id}/requests"
        until(lambda: client.get(path).json()["requests"])
        (asked,) = client.get(path).json()["requests"]
        first, second, other = (
            client.post(f"{path}/{asked['id']}", json={"reply": reply}, headers={KEY: "answer"})
            for reply in ("once", "once", "reject")
        )
        without = client.post(f"{path}/{asked['id']}", json={"reply": "once"})
    assert (first.status_code, first.content) == (200, second.content)
    assert second.status_code == 200
    assert other.status_code == 422
    assert without.status_code == 409
    assert len(server.events(session_id, "permission.resolved")) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "ta\tb"])
def test_what_is_no_key_is_refused(server: ServerProcess, key: str) -> None:
    with server.client() as client:
        answer = client.post("/v1/sessions", json={"agent": "mock"}, headers={KEY: key})
    assert answer.status_code == 400
    assert KEY in answer.json()["detail"]


@pytest.mark.fault(
    "a request is sent again after its answer was lost, also after `kill -9`",
    "it is carried out once and gets the first answer (`Idempotency-Key`; the SDK sends one by itself)",
)
def test_keys_survive_the_death_of_the_server(
    make_server: Callable[..., ServerProcess],
) -> None:
    server = make_server().start()
    made: list[httpx.Response] = []
    prompted: list[httpx.Response] = []
    for _ in range(2):
        with server.client() as client:
            made.append(
                client.post("/v1/sessions", json={"agent": "mock"}, headers={KEY: "create"})
            )
            session_id = made[0].json()["id"]
            path = f"/v1/sessions/{session_id}/prompt"
            prompted.append(client.post(path, json={"text": "hang"}, headers={KEY: "prompt"}))
        until(lambda: turns(server, session_id))  # noqa: B023
        server.kill()
        server.start()
    assert [one.status_code for one in made] == [201, 201]
    assert made[0].content == made[1].content
    assert [one.status_code for one in prompted] == [202, 202]
    assert prompted[0].content == prompted[1].content
    assert turns(server, session_id) == 1

    # Of one that was being answered when the server died nobody knows the end, and it is not tried again.
    with server.client() as client:
        path = f"/v1/sessions/{session_id}/prompt"
        waiting = {"params": {"wait": "true"}, "json": {"text": "hang"}, "headers": {KEY: "dies"}}
        with ThreadPoolExecutor(1) as pool:
            lost = pool.submit(client.post, path, **waiting)  # type: ignore[arg-type]
            until(lambda: turns(server, session_id) == 2)
            server.kill()
            with pytest.raises(httpx.TransportError):
                lost.result()
    server.start()
    with server.client() as client:
        unknown = client.post(path, **waiting)  # type: ignore[arg-type]
    assert unknown.status_code == 409
    assert unknown.json()["type"].endswith(":outcome_unknown")
    assert turns(server, session_id) == 2


class Lossy:
    """Every request arrives; the answer to the first of each prompt, creation and answer is lost."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self.keys: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        with httpx.Client(timeout=30) as client:
            headers = {
                name: value for name, value in request.headers.items() if name != "content-length"
            }
            answer = client.request(
                request.method, str(request.url), content=request.content, headers=headers
            )
        key = request.headers.get(KEY)
        if key is not None:
            is_first = key not in self.keys
            self.keys.append(key)
            if is_first:
                raise httpx.ReadError("connection reset by peer")
        return httpx.Response(answer.status_code, content=answer.content, headers={"content-type": answer.headers.get("content-type", "")})  # fmt: skip


async def test_the_sdk_sends_again_what_may_have_been_lost(server: ServerProcess) -> None:
    lossy = Lossy(server)
    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(lossy)) as http,
        SandboxAgent.connect(server.url, token=server.token, http_client=http) as client,
    ):
        session = await client.create_session("mock")
        with server.client() as plain:
            accepted = await client._connection.transport.call(_prompt_call(session.id))
            until(lambda: turns(server, session.id) == 1)
            assert accepted.turn_id
            assert len([one for one in sessions(plain) if one == session.id]) == 1
    assert len(lossy.keys) == 4
    assert len(set(lossy.keys)) == 2


def test_the_sync_sdk_does_so_too_and_gives_up_in_the_end(server: ServerProcess) -> None:
    tries: list[str] = []

    def never(request: httpx.Request) -> httpx.Response:
        if KEY in request.headers:
            tries.append(request.headers[KEY])
            raise httpx.ReadError("connection reset by peer")
        return httpx.Response(200, json={"status": "ok", "version": "0", "uptimeS": 1.0})

    with (
        httpx.Client(transport=httpx.MockTransport(never)) as http,
        SandboxAgentSync.connect("http://test", http_client=http) as client,
        pytest.raises(errors.ServerUnreachable),
    ):
        client.create_session("mock")
    assert len(tries) == 4
    assert len(set(tries)) == 1


def _prompt_call(session_id: str) -> Any:
    from sandbox_agent_client._calls import turns as calls

    return calls.prompt(session_id, "text")
