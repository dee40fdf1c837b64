"""Run the endpoint alone, to try an agent by hand: `python -m support.scripted_llm --port 8099`."""

from __future__ import annotations

import argparse
import json
import sys
import threading

from . import SCENARIOS, ScriptedLLM


def main() -> None:
    parser = argparse.ArgumentParser(description="A model endpoint that answers by script.")
    parser.add_argument("--port", type=int, default=0)
    with ScriptedLLM(port=parser.parse_args().port) as llm:
        sys.stdout.write(json.dumps({"url": llm.url, "scenarios": dict(SCENARIOS)}) + "\n")
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
