"""The scripts: a conversation in, the model's next answer out. Deterministic, no I/O."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from . import tool_calls
from .actions import Action, Drop, Fail, Hang, Say, WebSearch
from .conversation import Conversation

ToolChooser = Callable[[Conversation, str], Action | None]

SCENARIOS: Final[Mapping[str, str]] = {
    "text": '"Hello from the scripted model." in five deltas',
    "say": "the text of SAY<<text>>, such as an object in JSON",
    "think": "a reasoning block, then text",
    "tool": "text and one shell call (SHELL<<command>>), then text quoting its result",
    "tool2": "two shell calls in one answer, then text",
    "chain": "a shell call, after its result another, then text",
    "write-file": "write scenario.txt (FILE<<path>>), then text",
    "edit-file": "in scenario.txt, hello becomes goodbye, then text",
    "read-file": "read scenario.txt, then text",
    "ask": "ask the user which colour, then text",
    "plan": "write a two-step plan, then text",
    "subagent": "start a subagent that plays SUBAGENT<<scenario>> (tool), then text",
    "web-search": "a web search that the provider runs, then text (Responses API only)",
    "mcp": "call the first mcp__ tool (TOOL<<suffix>>, ARGS<<json>>), then text",
    "structured": "call the tool for structured output (ARGS<<json>>), then text; without one, that JSON",
    "memory": "the user texts it can see, as JSON: proves what a resumed agent remembers",
    "image": "how many images the request carries and of which type",
    "huge": "200 kB of text in 1 kB deltas, no line twice",
    "slow": "400 deltas, one each 50 ms: to be cancelled",
    "slow-tool": "a shell call that sleeps 20 s, then text: to be cancelled",
    "hang": "a few words, then nothing for a minute",
    "drop": "a few deltas, then the connection closes",
    "http400": "an error response; also http401, http429, http500 and any other status",
    "context-overflow": "an error response: the prompt does not fit the model",
    "quota": "an error response: nothing is left to pay with",
    "flaky": "503 at the first attempt, text at the next",
}
"""What each `SCENARIO:<name>` makes the model do."""

_PREAMBLE = Say(["I will ", "use a ", "tool."], 0.02)
_ONE_CALL: Final[Mapping[str, ToolChooser]] = {
    "tool": tool_calls.shell,
    "write-file": tool_calls.write_file,
    "edit-file": tool_calls.edit_file,
    "read-file": tool_calls.read_file,
    "ask": tool_calls.ask,
    "structured": tool_calls.structured,
    "slow-tool": lambda conversation, user: tool_calls.shell(
        conversation, user, command="sleep 20; echo late"
    ),
}


def _huge_line(number: int) -> str:
    """1 kB."""
    seed = f"{number}".encode()
    return (
        "x"
        + "".join(hashlib.sha512(seed + bytes([part])).hexdigest() for part in range(8))[:1022]
        + "\n"
    )


_HUGE_LINES = [_huge_line(number) for number in range(200)]
HUGE_TEXT: Final = "".join(_HUGE_LINES)
_MAY_BE_HIDDEN: Final[Mapping[str, ToolChooser]] = {
    "mcp": tool_calls.mcp,
    "plan": tool_calls.plan,
}
_ONLY_TEXT: Final[Mapping[str, list[Action]]] = {
    "text": [Say(["Hello", " from", " the", " scripted", " model."], 0.05)],
    "think": [
        Say(["Let me ", "think ", "about it."], 0.02, is_thought=True),
        Say(["Thought ", "done."], 0.02),
    ],
    # No line twice: some agents stop a model that repeats itself.
    "huge": [Say(_HUGE_LINES, 0)],
    "slow": [Say([f"tick{number} " for number in range(400)], 0.05)],
    "hang": [Say(["before hang "], 0), Hang(60)],
    "drop": [Say(["about ", "to ", "drop "], 0.02), Drop()],
    "context-overflow": [
        Fail(400, "This model's maximum context length is 9 tokens. Your messages have 10.")
    ],
    "quota": [Fail(402, "You exceeded your current quota, please check your plan and billing.")],
}


@dataclass(frozen=True, slots=True)
class Answer:
    """The next answer. `scenario` is `title` for side requests, `default` when none is named."""

    scenario: str
    step: int
    actions: list[Action]


@dataclass(frozen=True, slots=True)
class _Scene:
    name: str
    user: str
    conversation: Conversation
    results: list[str]
    earlier: list[str]

    @property
    def final(self) -> list[Action]:
        quoted = self.results[-1].strip()[:160] if self.results else "nothing"
        return [Say(["Done. ", "Tool said: ", quoted])]

    def call(self, choose: ToolChooser) -> Action:
        return choose(self.conversation, self.user) or Say([f"(no tool for {self.name} offered)"])


def next_answer(conversation: Conversation, attempts: Counter[str]) -> Answer:
    """`attempts` counts tries of a `flaky` prompt; it is the only thing remembered between calls."""
    if not conversation.tools:
        # Title and topic requests offer no tools: answer them without disturbing the script.
        return Answer("title", 0, [Say(["Scripted title"], 0)])
    scene = _find_scene(conversation)
    if scene is None:
        return Answer("default", 0, [Say(["No scenario", " given."])])
    return Answer(scene.name, len(scene.results), _play(scene, attempts))


def _find_scene(conversation: Conversation) -> _Scene | None:
    turns = conversation.turns
    for index in range(len(turns) - 1, -1, -1):
        turn = turns[index]
        if turn.role != "user":
            continue
        if names := list(re.finditer(r"SCENARIO:([A-Za-z0-9_-]+)", turn.text)):
            earlier = [past.text for past in turns[:index] if past.role == "user"]
            # A host that replays a transcript as context may put it before the prompt itself.
            earlier.append(turn.text[: names[-1].start()])
            results = [later.text for later in turns[index + 1 :] if later.role == "result"]
            return _Scene(names[-1].group(1), turn.text, conversation, results, earlier)
    return None


def _play(scene: _Scene, attempts: Counter[str]) -> list[Action]:
    if scene.name in _ONLY_TEXT:
        return _ONLY_TEXT[scene.name]
    if choose := _ONE_CALL.get(scene.name):
        if scene.results:
            return scene.final
        call = scene.call(choose)
        return [call] if scene.name == "structured" and isinstance(call, Say) else [_PREAMBLE, call]
    if choose := _MAY_BE_HIDDEN.get(scene.name):
        return _play_searched(scene, choose)
    if failure := re.fullmatch(r"http(\d{3})", scene.name):
        return [Fail(int(failure.group(1)))]
    return _play_special(scene, attempts)


def _play_special(scene: _Scene, attempts: Counter[str]) -> list[Action]:
    step = len(scene.results)
    match scene.name:
        case "tool2":
            calls = [scene.call(tool_calls.shell), scene.call(_second_shell_call)]
            return [_PREAMBLE, *calls] if step == 0 else scene.final
        case "chain":
            if step == 0:
                return [_PREAMBLE, scene.call(tool_calls.shell)]
            return (
                [Say(["One more."]), scene.call(_second_shell_call)] if step == 1 else scene.final
            )
        case "subagent":
            return _play_subagent(scene)
        case "web-search":
            return [Say(["Searching."]), WebSearch("scripted search"), Say(["Found it."])]
        case "memory":
            said = [_without_tags(text).strip()[:500] for text in scene.earlier]
            return [Say(["I remember: ", json.dumps([text for text in said if text])])]
        case "say":
            return [Say([tool_calls.marker("SAY", scene.user) or "nothing"])]
        case "image":
            images = scene.conversation.images
            kinds = ", ".join(sorted({image.media_type for image in images}))
            return [Say([f"I see {len(images)} image(s)", f": {kinds}" if kinds else ""])]
        case "flaky":
            attempts[scene.user] += 1
            first = attempts[scene.user] == 1
            return [Fail(503)] if first else [Say(["Recovered ", "after retry."])]
    return [Say([f"Unknown scenario {scene.name}"])]


def _without_tags(text: str) -> str:
    """What the person wrote: agents put the time and reminders around it, in tags."""
    names = "current_datetime|[a-z]*_?reminders?|system-reminder|environment_context"
    return re.sub(rf"<({names})\b[^>]*>.*?</\1>", "", text, flags=re.S)


def _play_searched(scene: _Scene, choose: ToolChooser) -> list[Action]:
    """One call, behind a search for the tool where the agent offers it only then."""
    action = scene.call(choose)
    last = json.dumps(scene.conversation.body.get("messages", [])[-2:])
    searched = any(name in last for name in tool_calls.SEARCHES)
    if not scene.results or (len(scene.results) == 1 and searched):
        return [_PREAMBLE, action]
    return scene.final


def _play_subagent(scene: _Scene) -> list[Action]:
    if not scene.results:
        return [_PREAMBLE, scene.call(tool_calls.subagent)]
    if len(scene.results) == 1:
        wait = tool_calls.wait_for_subagent(scene.conversation, scene.results[0])
        if wait is not None:
            return [wait]
    return scene.final


def _second_shell_call(conversation: Conversation, user: str) -> Action | None:
    return tool_calls.shell(conversation, user, command="echo second-call")
