"""What make calls: ``python -m lstmstudy report|plan|tune --profile <name>``; ``new DATA``; and ``diff OLD NEW``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lstmstudy import paths
from lstmstudy.params import ParamsError


def main(arguments: list[str] | None = None) -> int:
    """Run one verb and return the exit code; a wrong input is one line on stderr, without a traceback."""
    parser = argparse.ArgumentParser(prog="python -m lstmstudy", description="The study as commands.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, words in (
        ("report", "train what is missing and build the report"),
        ("plan", "say what is missing"),
        ("tune", "search learning rates and strengths for every arm, and write params/tuned.yaml"),
    ):
        command = verbs.add_parser(verb, help=words)
        command.add_argument("--profile", default="default", help="a file of params/, without .yaml")
        if verb == "report":
            command.add_argument("--only", help="one notebook, such as 01_dropout")
        if verb == "tune":
            arms = "arms as params/tuned.yaml names them, such as 'dropout per=step', or techniques"
            command.add_argument("--only", nargs="+", default=[], metavar="ARM", help=arms)
    command = verbs.add_parser("new", help="look at a table and write params/<name>.yaml for it")
    command.add_argument("data", type=Path, help="a CSV or Parquet file")
    command.add_argument("--name", default="mine", help="of the profile")
    command.add_argument("--target", metavar="COLUMN", help="what is forecast; else the table says it")
    command.add_argument("--label", metavar="COLUMN", help="the class of each sequence; else the same")
    command = verbs.add_parser("diff", help="write a page with what changed from one report to another")
    command.add_argument(
        "old", type=Path, help="folder of a report, such as reports/default, or its findings.json"
    )
    command.add_argument("new", type=Path, help="the same of another")
    command.add_argument("--out", type=Path, default=paths.REPORTS / "diff.html", help="where the page goes")
    given = parser.parse_args(arguments)
    try:
        return _run(given)
    except ParamsError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; everything trained so far is stored", file=sys.stderr)
        return 130


def _run(given: argparse.Namespace) -> int:
    """Do what a verb says, and return the exit code."""
    from lstmstudy.build import build, print_plan
    from lstmstudy.proposal.new import new_profile
    from lstmstudy.tuning import tune

    if given.verb == "diff":
        return _diff(given.old, given.new, given.out)
    if given.verb == "tune":
        return tune(given.profile, given.only)
    if given.verb == "report":
        return build(given.profile, given.only)
    if given.verb == "new":
        new_profile(given.data, given.name, target=given.target, label=given.label)
    else:
        print_plan(given.profile)
    return 0


def _diff(old: Path, new: Path, out: Path) -> int:
    """Write the page, say in three lines what is in it, and return the exit code."""
    from lstmstudy.build import writable
    from lstmstudy.report.difference import write_difference

    found = write_difference(old, new, writable(out.parent) / out.name)
    for change in found.verdicts:
        print(f"{change.what}: {change.old} -> {change.new}")
    verdicts, parameters = len(found.verdicts), len(found.parameters)
    print(
        f"{verdicts} {'verdict' if verdicts == 1 else 'verdicts'} changed, {len(found.effects)} of {found.compared} "
        f"effects moved beyond their intervals, {parameters} "
        f"{'parameter or version differs' if parameters == 1 else 'parameters and versions differ'}"
    )
    print(f"difference: {paths.relative(out)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
