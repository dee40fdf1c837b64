"""python -m benchmarks: measure, print the table, say which budgets were missed."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from support.agents import installed_binary, load_pins

from .report import describe_machine, text_table, write_into
from .row import Plan, Row
from .rows import MEASUREMENTS

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "performance.md"


def main() -> int:
    args = parse_arguments()
    peer = None if args.without_peer else installed_binary(load_pins()["peer"])
    if peer is None and not args.without_peer:
        say("The peer is not installed (python scripts/install_test_agents.py --peer): ours alone.")
    plan = Plan(
        is_quick=args.quick,
        peer_binary=peer,
        skips_ours=args.without_ours,
        soak_s=args.soak_minutes * 60,
    )
    say(f"{describe_machine()}{', quick' if args.quick else ''}")
    rows: list[Row] = []
    for name in args.only or MEASUREMENTS:
        started = time.monotonic()
        rows += MEASUREMENTS[name](plan)
        say(f"  {name}: {time.monotonic() - started:.0f} s")
    say("\n" + text_table(rows))
    if args.write_docs:
        write_into(PAGE, rows)
        say(f"\nwritten into {PAGE.relative_to(REPOSITORY)}")
    return 1 if args.check and any(row.is_met is False for row in rows) else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Our server beside the peer's, in the same run."
    )
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument(
        "--only",
        action="append",
        choices=list(MEASUREMENTS),
        metavar="NAME",
        help=f"one of {', '.join(MEASUREMENTS)}; may be given again",
    )
    parser.add_argument("--check", action="store_true", help="fail when a budget is missed")
    parser.add_argument("--write-docs", action="store_true", help=f"into docs/{PAGE.name}")
    parser.add_argument(
        "--soak-minutes",
        type=float,
        default=0.5,
        metavar="N",
        help="how long the row `soak` goes on (default 0.5)",
    )
    parser.add_argument("--without-peer", action="store_true")
    parser.add_argument("--without-ours", action="store_true")
    return parser.parse_args()


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
