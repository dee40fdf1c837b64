#!/usr/bin/env python3
"""Writes the price table of models anew, from the prices that `genai-prices` knows of today.

    uv run --with genai-prices scripts/gen_prices.py

Not part of `make fmt`: prices change from day to day, and whoever changes them looks at what changed.
"""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

from genai_prices import data_snapshot
from genai_prices.types import ModelInfo

TABLE = Path(__file__).resolve().parents[1] / (
    "packages/sandbox-agent-server/src/sandbox_agent_server/sessions/prices.toml"
)
PROVIDERS = ("anthropic", "openai", "google", "x-ai", "moonshotai", "mistral", "deepseek")
NOT_FOR_CODE = re.compile(
    r"image|audio|tts|embed|realtime|transcribe|live|whisper|moderation|search|ocr|vox|voice|omni|davinci|"
    r"\bada\b|babbage|curie|instruct|gpt-3|gpt-4-|gpt-4$|vision|robotics|ft:|chat-latest|research|nano-banana|"
    r"gemma|ft-|:extended|safeguard|computer-use|claude-[v123]|-2312|gemini-1|gemini-flash-1|gemini-pro|:free|free$"
)
HEAD = """\
# What models cost, in USD for a million tokens: input, output, and input that was read from the cache and written
# into it, where that has a price of its own. Prices of long contexts and of service tiers are not in it.
# Written by scripts/gen_prices.py; `[prices]` of the server's configuration says otherwise.

date = {date}

[models]
"""


def main() -> None:
    now = datetime.datetime.now(tz=datetime.UTC)
    rows: dict[str, str] = {}
    for provider in data_snapshot.get_snapshot().providers:
        if provider.id not in PROVIDERS:
            continue
        for model in provider.models:
            is_other = provider.id == "google" and not model.id.startswith("gemini")
            if not (is_other or model.deprecated or NOT_FOR_CODE.search(model.id)):
                row = price_row(model, now)
                if row is not None:
                    rows.setdefault(model.id.removesuffix("-latest").lower(), row)
    lines = [f'"{name}" = {row}\n' for name, row in sorted(rows.items())]
    TABLE.write_text(HEAD.format(date=now.date()) + "".join(lines), encoding="utf-8")
    print(f"{len(lines)} models in {TABLE.name}")


def price_row(model: ModelInfo, now: datetime.datetime) -> str | None:
    price = model.get_prices(now)
    told = [base(getattr(price, name, None)) for name in ("input_mtok", "output_mtok")]
    if None in told:
        return None
    cached = [base(getattr(price, name, None)) for name in ("cache_read_mtok", "cache_write_mtok")]
    names = ("input", "output", "cached_read", "cached_write")
    members = [
        f"{name} = {amount.normalize():f}"
        for name, amount in zip(names, [*told, *cached], strict=True)
        if amount is not None
    ]
    return "{ " + ", ".join(members) + " }"


def base(price: Any) -> Decimal | None:
    """Of tiers the first."""
    return getattr(price, "base", price)


if __name__ == "__main__":
    main()
