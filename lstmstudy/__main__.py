"""What make calls: ``python -m lstmstudy <verb>``; ``--help`` lists the verbs."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from pathlib import Path

from lstmstudy import paths
from lstmstudy.parsing.strict_yaml import ParamsError
from lstmstudy.workers.processes import stop_once

_GOES_ON = "everything trained so far is stored, and the same command goes on from there"
_REFUSALS = {  # what a machine says that takes no more, or will not let us; any other error is a mistake of ours
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "EPERM", "EIO", "EISDIR", "EMFILE", "ENFILE")
    if hasattr(errno, name)
}


def main(arguments: list[str] | None = None) -> int:
    """Run one verb and return the exit code; a wrong input, or a full disk, is one line on stderr, without a traceback."""
    given = _parser().parse_args(arguments)
    try:
        return int(given.do(given))
    except ParamsError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"stopped: {_GOES_ON}", file=sys.stderr)
        return 130
    except OSError as error:
        name = error.filename2 or error.filename
        place = Path(os.fsdecode(name)) if isinstance(name, str | bytes | os.PathLike) else None
        emptied = isinstance(error, FileNotFoundError) and place and place.is_relative_to(paths.REPORTS)
        if error.errno not in _REFUSALS and not emptied:  # a folder of ours that somebody deletes meanwhile
            raise
        where = f"{paths.relative(place)}: " if place else ""
        print(f"stopped: {where}{error.strerror}; {_GOES_ON}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lstmstudy", description="The study as commands.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    profile = argparse.ArgumentParser(add_help=False)
    profile.add_argument("--profile", default="default", help="a file of params/, without .yaml")

    cluster = argparse.ArgumentParser(add_help=False)
    cluster.add_argument("--scheduler", metavar="ADDRESS", help="a Dask cluster that trains: tcp://host:port")

    report = verbs.add_parser(
        "report", parents=[profile, cluster], help="train what is missing and build the report"
    )
    report.add_argument("--only", help="one notebook, such as 01_dropout")
    report.set_defaults(do=_report)
    verbs.add_parser("plan", parents=[profile], help="say what is missing").set_defaults(do=_plan)

    words = "write the study's parameters and notebooks into a folder of your own (for an installed package)"
    start = verbs.add_parser("start", help=words)
    start.add_argument("folder", type=Path, help="a new folder, such as study")
    start.set_defaults(do=_start)

    words = "search learning rates and strengths for every arm, and write params/tuned.yaml"
    tune = verbs.add_parser("tune", parents=[profile, cluster], help=words)
    arms = "arms as params/tuned.yaml names them, such as 'dropout per=step', or techniques"
    tune.add_argument("--only", nargs="+", default=[], metavar="ARM", help=arms)
    tune.set_defaults(do=_tune)

    new = verbs.add_parser("new", help="look at a table and write params/<name>.yaml for it")
    new.add_argument("data", type=Path, help="a CSV or Parquet file")
    new.add_argument("--name", default="mine", help="of the profile")
    new.add_argument("--target", metavar="COLUMN", help="what is forecast; else the table says it")
    new.add_argument("--label", metavar="COLUMN", help="the class of each sequence; else the same")
    new.set_defaults(do=_new)

    words = "check every stored file, and train a sample of runs again"
    verify = verbs.add_parser("verify", parents=[profile], help=words)
    verify.add_argument("--sample", type=int, default=3, help="how many runs are trained again")
    verify.set_defaults(do=_verify)
    words = "train one run again, and compare it with the stored one"
    rerun = verbs.add_parser("rerun", parents=[profile], help=words)
    rerun.add_argument("run", help="the beginning of its identity, as in runs.csv")
    rerun.set_defaults(do=_rerun)

    words = "write the stored runs of a profile into one archive"
    export = verbs.add_parser("export", parents=[profile], help=words)
    export.add_argument("archive", type=Path, help="the archive, such as runs.zip")
    export.set_defaults(do=_export)
    take = verbs.add_parser("import", help="take the runs of an archive into the store")
    take.add_argument("archive", type=Path, help="what export wrote")
    take.set_defaults(do=_import)

    words = "write what is stored of the full study and not published yet as one more part of it"
    verbs.add_parser("publish", help=words).set_defaults(do=_publish)

    diff = verbs.add_parser("diff", help="write a page with what changed from one report to another")
    diff.add_argument(
        "old", type=Path, help="folder of a report, such as reports/default, or its findings.json"
    )
    diff.add_argument("new", type=Path, help="the same of another")
    diff.add_argument("--out", type=Path, default=paths.REPORTS / "diff.html", help="where the page goes")
    diff.set_defaults(do=_diff)
    return parser


# Each verb imports what it needs: some of it takes seconds.


def _report(given: argparse.Namespace) -> int:
    from lstmstudy.build import build

    return build(given.profile, given.only, given.scheduler)


def _start(given: argparse.Namespace) -> int:
    from lstmstudy.start import start

    start(given.folder)
    return 0


def _plan(given: argparse.Namespace) -> int:
    from lstmstudy.build import print_plan

    print_plan(given.profile)
    return 0


def _publish(_: argparse.Namespace) -> int:
    from lstmstudy.publication import publish

    return publish()


def _tune(given: argparse.Namespace) -> int:
    from lstmstudy.tuning import tune

    return tune(given.profile, given.only, given.scheduler)


def _new(given: argparse.Namespace) -> int:
    from lstmstudy.proposal.new import new_profile

    new_profile(given.data, given.name, target=given.target, label=given.label)
    return 0


def _verify(given: argparse.Namespace) -> int:
    from lstmstudy.verification.verify import verify

    return verify(given.profile, given.sample)


def _rerun(given: argparse.Namespace) -> int:
    from lstmstudy.verification.verify import rerun

    return rerun(given.run, given.profile)


def _export(given: argparse.Namespace) -> int:
    from lstmstudy.store.sharing import export_runs

    return export_runs(given.profile, given.archive)


def _import(given: argparse.Namespace) -> int:
    from lstmstudy.store.sharing import import_runs

    return import_runs(given.archive)


def _diff(given: argparse.Namespace) -> int:
    """Write the page, say in three lines what is in it, and return the exit code."""
    from lstmstudy.build import writable
    from lstmstudy.report.difference import write_difference

    out = given.out
    found = write_difference(given.old, given.new, writable(out.parent) / out.name)
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


def run() -> None:
    """Be the process of a command: `main`, with the settings that the Makefile has for all of them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # no start-up lines between those of the build
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # the rounding of the workers
    stop_once()
    sys.exit(main())


if __name__ == "__main__":
    run()
