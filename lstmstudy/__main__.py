"""What make calls: ``python -m lstmstudy report|plan --profile <name>``."""

from __future__ import annotations

import argparse
import sys

from lstmstudy.params import ParamsError


def main(arguments: list[str] | None = None) -> int:
    """Run one verb and return the exit code; a wrong input is one line on stderr, without a traceback."""
    parser = argparse.ArgumentParser(prog="python -m lstmstudy", description="The study as commands.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, words in (
        ("report", "train what is missing and build the report"),
        ("plan", "say what is missing"),
    ):
        command = verbs.add_parser(verb, help=words)
        command.add_argument("--profile", default="default", help="a file of params/, without .yaml")
        if verb == "report":
            command.add_argument("--only", help="one notebook, such as 01_dropout")
    given = parser.parse_args(arguments)
    from lstmstudy.build import build, print_plan

    try:
        if given.verb == "plan":
            print_plan(given.profile)
            return 0
        return build(given.profile, given.only)
    except ParamsError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; everything trained so far is stored", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
