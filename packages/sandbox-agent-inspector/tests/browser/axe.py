"""axe-core in a page whose policy lets no script in: in a world of its own, beside the page's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Page
from support.optional import skip_without

__all__ = ["Axe"]

_SOURCE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
_BAD = ("serious", "critical")
# Colours of what fades in are none of the design's. What goes round for ever is not waited for.
_SETTLED = """
    Promise.allSettled(document.getAnimations()
        .filter((each) => each.effect.getComputedTiming().endTime !== Infinity)
        .map((each) => each.finished)).then(() => null)
"""


class Axe:
    def __call__(self, page: Page, *, within: str | None = None, **options: Any) -> list[str]:
        """Each finding in a line: rule, impact, which elements. `within` is a CSS selector; `options` are axe's own."""
        if not _SOURCE.is_file():
            skip_without("axe-core is not there: make inspector")
        session = page.context.new_cdp_session(page)
        try:
            frame = session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
            world = session.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": "axe"})
            context = world["executionContextId"]
            self._value(session, context, _SETTLED)
            self._value(session, context, _SOURCE.read_text(encoding="utf-8") + "; null")
            place = "document" if within is None else json.dumps(within)
            wanted = {"resultTypes": ["violations"], **options}
            report = self._value(
                session,
                context,
                f"axe.run({place}, {json.dumps(wanted)}).then((found) => JSON.stringify(found.violations))",
            )
        finally:
            session.detach()
        return [_told(each) for each in json.loads(report) if each["impact"] in _BAD]

    def _value(self, session: Any, context: int, expression: str) -> Any:
        answer = session.send(
            "Runtime.evaluate",
            {
                "expression": expression,
                "contextId": context,
                "awaitPromise": True,
                "returnByValue": True,
            },
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")


def _told(finding: dict[str, Any]) -> str:
    nodes = "; ".join(
        f"{' '.join(map(str, node['target']))}: {node.get('failureSummary', '').splitlines()[-1:]}"
        for node in finding["nodes"][:5]
    )
    return f"{finding['id']} ({finding['impact']}): {finding['help']} at {nodes}"
