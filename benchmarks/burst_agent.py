"""The agent of both servers: a small ACP program that writes updates as fast as a pipe takes them.

A prompt says what to do: `burst N`, `paced N MICROSECONDS` or `big N BYTES`. Every update carries
its index, a paced one also the clock at the moment it was written:

    "text":"#00000042@00123456789012345;"
"""

import json
import os
import sys
import time

UPDATES_PER_WRITE = 500


def main() -> None:
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if "id" in message and "method" in message:
            answer(message)


def answer(message: dict) -> None:  # type: ignore[type-arg]
    params = message.get("params") or {}
    result: object = {}
    if message["method"] == "initialize":
        result = {
            "protocolVersion": 1,
            "agentCapabilities": {"loadSession": False},
            "authMethods": [],
        }
    elif message["method"] == "session/new":
        result = {"sessionId": f"bench-{os.getpid()}"}
    elif message["method"] == "session/prompt":
        play(params["sessionId"], params["prompt"][0]["text"].split())
        result = {"stopReason": "end_turn"}
    reply = {"jsonrpc": "2.0", "id": message["id"], "result": result}
    write(json.dumps(reply).encode() + b"\n")


def play(session_id: str, words: list[str]) -> None:
    head = (
        '{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"' + session_id + '",'
        '"update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"#'
    )
    tail = '"}}}}\n'
    count = int(words[1])
    if words[0] == "burst":
        for start in range(0, count, UPDATES_PER_WRITE):
            indices = range(start, min(start + UPDATES_PER_WRITE, count))
            write(
                "".join(
                    [f"{head}{index:08d}; and a few words more{tail}" for index in indices]
                ).encode()
            )
    elif words[0] == "big":
        filler = "x" * int(words[2])
        for index in range(count):
            write(f"{head}{index:08d};{filler}{tail}".encode())
    elif words[0] == "paced":
        pace(count, int(words[2]), head, tail)


def pace(count: int, interval_us: int, head: str, tail: str) -> None:
    due = time.monotonic()
    for index in range(count):
        due += interval_us / 1e6
        time.sleep(max(0.0, due - time.monotonic()))
        write(f"{head}{index:08d}@{time.monotonic_ns():020d};{tail}".encode())


def write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


if __name__ == "__main__":
    main()
