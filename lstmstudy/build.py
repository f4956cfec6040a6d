"""From parameters to the report: train what is missing, execute what is stale, render."""

from __future__ import annotations

import json
import sys
import tempfile
from typing import TYPE_CHECKING

from lstmstudy import paths
from lstmstudy.execution import Execution, code_inputs, execute_all, file_inputs, installed, text_hash
from lstmstudy.parsing.strict_yaml import ParamsError, printable
from lstmstudy.plan import COMPARISON, METHODS, Plan, make_plan
from lstmstudy.store.outcomes import MissingRunsError
from lstmstudy.store.published import open_store
from lstmstudy.store.turns import turn
from lstmstudy.verdicts.words import verdict_lines
from lstmstudy.workers.missing import given_up
from lstmstudy.workers.outstanding import state_of, train_announced
from lstmstudy.workers.pace import expected_seconds
from lstmstudy.workers.pool import Failure, local_lanes
from lstmstudy.workers.progress import minutes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lstmstudy.report import Chapter
    from lstmstudy.runs import Outcome, Run
    from lstmstudy.store.outcomes import RunStore
    from lstmstudy.verdicts.document import Findings
    from lstmstudy.workers.outstanding import RunState

_VANISHED = "vanished from reports/store/, which somebody empties; the same command trains what is missing"


def print_plan(profile: str) -> None:
    """Print the runs of each notebook, how many are distinct and stored, and the minutes to expect."""
    plan = make_plan(profile, store=writable(paths.STORE))
    store = open_store(plan)
    print(f"{'notebook':38} {'arms':>5} {'runs':>6} {'missing':>8}")
    for name, arms in plan.notebooks.items():
        state = state_of(plan.runs(arms), store)
        print(f"{name:38} {len(arms):5} {len(state.runs):6} {len(state.missing):8}")
    whole = state_of(plan.all_runs, store)
    cores = len(local_lanes())
    compared = plan.runs(plan.notebooks[COMPARISON])
    tiers = (
        [run for run in whole.missing if (run.identity in compared) is judged] for judged in (True, False)
    )
    seconds = [expected_seconds(tier, whole.runs.values(), store) / cores for tier in tiers]
    print(
        f"{len(whole.runs)} distinct runs, {len(whole.stored)} stored, {len(whole.missing)} missing: "
        f"about {minutes(sum(seconds))} of training on {cores} cores, {minutes(seconds[0])} of it for what is compared "
        f"on every task and {minutes(seconds[1])} for what is described"
    )


def build(profile: str, only: str | None = None, scheduler: str | None = None, *, train: bool = True) -> int:
    """Build the report of a profile, or one chapter of it; return the exit code.

    Args:
        profile: Name of the profile.
        only: Name of a notebook; its page is ``notebooks/<notebook>.html`` beside the report.
        scheduler: Address of a Dask cluster that trains; None for this machine.
        train: Whether missing runs are trained; else they are named as missing.

    Returns:
        0, or 1 if a notebook failed, a run is missing, the rule gives more false verdicts than it promises,
        or the report is too large to share; it is written all the same.
    """
    plan = make_plan(profile, store=writable(paths.STORE))
    sources = _notebooks(plan, only)
    folder = writable(paths.REPORTS / profile)
    with turn(folder):
        try:
            return _build(plan, sources, folder, only, scheduler=scheduler, train=train)
        except MissingRunsError:
            print(f"stopped: runs that the report needs {_VANISHED}", file=sys.stderr)
            return 1


def _build(
    plan: Plan,
    sources: dict[str, Path],
    folder: Path,
    only: str | None,
    *,
    scheduler: str | None,
    train: bool,
) -> int:
    """Train what is missing, execute what is stale, and write the pages; return the exit code."""
    from lstmstudy.about import about_report
    from lstmstudy.findings.advice import in_short
    from lstmstudy.findings.answer import write_picture
    from lstmstudy.report import LIMIT, build_pages, build_report, said
    from lstmstudy.report.markdown import inline_html, plain
    from lstmstudy.verdicts.honesty import false_rates
    from lstmstudy.verdicts.kept import study_findings

    store = open_store(plan)
    store.sweep()
    arms = {name: plan.notebooks[name] for name in sources}
    state = state_of({k: run for name in sources for k, run in plan.runs(arms[name]).items()}, store)
    state, failures = _trained(state, store, scheduler, train=train and store.takes_runs)

    findings = study_findings(plan, store, store.reader(plan.all_runs), folder)
    for problem in findings.problems if only is None else ():  # one chapter trains no other's runs
        print(f"not measured: {problem}", file=sys.stderr)
    shared = {**code_inputs(), "its environment": text_hash(installed())}
    executions = {}
    for name, source in sources.items():
        needed = plan.runs(arms[name])
        files = [
            state.stored[identity].name if identity in state.stored else "missing" for identity in needed
        ]
        inputs = {
            **file_inputs([source]),
            "the parameters": _parameters(plan),
            "its runs": text_hash(files),
            "its verdicts": text_hash([_verdicts(findings, name)]),
            **shared,
        }
        executions[name] = Execution(
            source, folder / "notebooks" / f"{name}.ipynb", {"profile": plan.profile.name}, inputs
        )
    with given_up(failures):
        errors = _execute(executions)
    chapters = _chapters(executions, errors)
    about = about_report(
        plan, findings, folder, store.written, runs=state.runs, stored=state.stored, failures=failures
    )
    page = folder / (f"notebooks/{only}.html" if only else "report.html")
    if only is None:
        build_pages(chapters, about, summary=COMPARISON, folder=folder / "notebooks")
    size = build_report(chapters, about, summary=COMPARISON, out=page)
    if only is None:
        write_picture(findings, folder)
    if only is None and store.takes_runs:
        _take_away(plan, findings, store.reader(plan.all_runs), folder)
    wrong = [f"the rule is not honest: {rate}, and 5 % were promised" for rate in false_rates(findings)]
    if size > LIMIT:
        wrong.append(f"{paths.relative(page)} has {size / 1e6:.1f} MB, and {LIMIT / 1e6:.0f} were promised")
    for problem in wrong:
        print(problem, file=sys.stderr)
    if only is None:
        lines = [
            *verdict_lines(findings),
            *(printable(plain(inline_html(each))) for each in in_short(findings)),
        ]
    else:
        lines = [plain(inline_html(each)) for one in chapters for each in said(one.notebook)]
    print("\n".join(f"  {line}" for line in lines))
    print(f"report: {paths.relative(page)}")
    return 1 if state.missing or wrong or any(errors.values()) else 0


def _trained(
    state: RunState, store: RunStore, scheduler: str | None, *, train: bool
) -> tuple[RunState, list[Failure]]:
    """Train what is missing, if it is to be, and return what is stored then, and what has no outcome, with the reason."""
    if not train:
        print(f"runs: {len(state.stored)} of {len(state.runs)} are here, and none is trained")
        return state, [Failure(run, "it was not trained for this report") for run in state.missing]
    failures = train_announced(state, store, scheduler)
    if state.missing:
        state = state_of(state.runs, store)
    failed = {each.run.identity for each in failures}
    if gone := [Failure(run, f"it {_VANISHED}") for run in state.missing if run.identity not in failed]:
        print(f"missing: {len(gone)} runs were stored and {_VANISHED}", file=sys.stderr)
        failures = [*failures, *gone]  # no notebook trains them: two would at once
    return state, failures


def _take_away(plan: Plan, findings: Findings, outcome: Callable[[Run], Outcome], folder: Path) -> None:
    """Write the recommended models beside the report, and say where."""
    from lstmstudy.export.recommended import FOLDER, write_recommended

    if write_recommended(plan, findings, outcome, folder):
        print(f"recommended models, with scripts that use and train them: {paths.relative(folder / FOLDER)}/")


def _verdicts(findings: Findings, chapter: str) -> str:
    """Return those findings that a chapter shows, as text."""
    if chapter in (COMPARISON, METHODS):
        return findings.model_dump_json()
    own = [claim.model_dump_json() for claim in findings.claims if claim.chapter == chapter]
    return "\n".join([*own, *(cost.model_dump_json() for cost in findings.arms)])


def _execute(executions: dict[str, Execution]) -> dict[str, str | None]:
    """Execute the stale notebooks, saying why each is stale; return what stopped each of them."""
    stale = {}
    for name, execution in executions.items():
        if reasons := execution.stale():
            stale[name] = execution
            print(f"{name}: executed, because of {_listed(reasons)}")
    if not stale:
        print("notebooks: nothing changed")
    errors: dict[str, str | None] = dict.fromkeys(executions)
    for name, error in execute_all(stale):
        errors[name] = error
        if error:
            print(printable(f"{name}: failed in {error}"), file=sys.stderr)
    return errors


def _listed(reasons: list[str]) -> str:
    more = f" and {len(reasons) - 3} more" if len(reasons) > 3 else ""
    return ", ".join(reasons[:3]) + more


def _chapters(executions: dict[str, Execution], errors: dict[str, str | None]) -> list[Chapter]:
    """Return the executed notebooks; one that was never executed without outputs, an unreadable one empty."""
    import nbformat

    from lstmstudy.report import Chapter

    chapters = []
    for name, execution in executions.items():
        path = execution.target if execution.target.exists() else execution.source
        try:
            notebook = nbformat.read(path, as_version=4)
        except ValueError as error:  # such as a conflict that a merge left in it
            notebook = nbformat.v4.new_notebook()
            errors[name] = errors[name] or f"{paths.relative(path)} is no notebook: {error}".splitlines()[0]
        chapters.append(Chapter(name, notebook, errors[name]))
    return chapters


def _notebooks(plan: Plan, only: str | None) -> dict[str, Path]:
    """Return the notebooks of the profile's chapters by name.

    Raises:
        ParamsError: If a chapter has no notebook, or `only` is no chapter of the profile.
    """
    found = {path.stem: path for path in sorted(paths.NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))}
    if only is not None and only not in plan.notebooks:
        raise ParamsError(
            f"ONLY names a chapter of the profile. Expected one of: {', '.join(plan.notebooks)}. Received: ONLY={only}"
        )
    for name in plan.notebooks:
        if name not in found:
            raise ParamsError(
                f"notebooks/{name}.ipynb: the file is missing, and params/ names it as a chapter. "
                f"Expected one of: {', '.join(found)}. Received: notebook={name}"
            )
    return {name: found[name] for name in plan.notebooks if only in (None, name)}


def _parameters(plan: Plan) -> str:
    """Return the hash of everything that the profile decides."""
    arms = [repr(arm) for arms in plan.notebooks.values() for arm in arms]
    return text_hash([json.dumps(plan.profile.model_dump(), sort_keys=True), *arms])


def writable(folder: Path) -> Path:
    """Return a folder that exists and can be written to.

    Raises:
        ParamsError: If it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise ParamsError(
            f"{paths.relative(folder)}/ cannot be written to: {error.strerror}. "
            f"Expected a folder that this user may change. Received: {paths.relative(folder)}"
        ) from None
