"""Everything that a study found, from its tables alone; kept on disk until something that it rests on changes."""

from __future__ import annotations

import functools
import hashlib
import json
import sys
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy import paths
from lstmstudy.claims.table import FILE
from lstmstudy.parsing.untrusted import open_plain, plain_bytes
from lstmstudy.plan import COMPARISON
from lstmstudy.source import package_modules, source_digest
from lstmstudy.stats.calibration import Rate, power, sham_rates, sign_flip_rate
from lstmstudy.stats.pool import Pool
from lstmstudy.stats.sign_flips import ALPHA
from lstmstudy.store.atomic import write_whole
from lstmstudy.verdicts.bench import Bench
from lstmstudy.verdicts.compared import MARGIN, advice_found, costs_found, finite_mean, techniques_found
from lstmstudy.verdicts.contrasts import Judgement, contrast_found, finite_or_none
from lstmstudy.verdicts.document import (
    Calibration,
    Findings,
    PowerFound,
    RateFound,
    RunCount,
    TaskFacts,
)
from lstmstudy.verdicts.judging import claims_found, ordered, questions
from lstmstudy.verdicts.rows import (
    DECLARED,
    SHAM,
    contrast_rows,
    rounded,
    sham_contrasts,
    unit_rows,
)
from lstmstudy.verdicts.tables import TABLES, Tables, read_tables, write_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from lstmstudy.plan import Plan
    from lstmstudy.runs import Outcome, Run
    from lstmstudy.store.outcomes import RunStore
    from lstmstudy.verdicts.rows import Row

FINDINGS, SCHEMA, STAMP = "findings.json", "findings.schema.json", "findings.stamp"
_BESIDE = (  # packages and modules that no finding rests on
    "__init__",
    "__main__",
    "about",
    "build",
    "diagnosis",
    "execution",
    "export",
    "figures",
    "findings",
    "gaps",
    "proposal",
    "provenance",
    "report",
    "semantics",
    "store.sharing",
    "store.turns",
    "study.asked",
    "study.results",
    "study.views",
    "traceback",
    "tuning",
    "verification",
    "workers",
)


def study_findings(plan: Plan, store: RunStore, outcome: Callable[[Run], Outcome], folder: Path) -> Findings:
    """Return what a study found; computed and written into `folder`, with its tables, where that is not current.

    Args:
        plan: The study.
        store: Where its outcomes are.
        outcome: Returns the outcome of a run, or raises MissingRunsError.
        folder: Where findings and tables lie; it is created.
    """
    stored = store.check(plan.all_runs)
    key = _key(plan, [path.name for path in stored.values()])
    stamp = folder / STAMP
    before = plain_bytes(stamp).decode(errors="replace").split()
    if before[:1] == [key]:
        if before[1:] == [_seal(folder)]:
            return read_findings(folder)
        print(f"{paths.relative(folder)}/: findings or tables were altered; computed again", file=sys.stderr)
    folder.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    rows, problems = unit_rows(Bench(plan, outcome))
    runs = [run for identity, run in plan.all_runs.items() if identity in stored]
    tables = write_tables(folder, plan, rows, outcome, runs)
    findings = found(plan, tables, problems)
    write_whole(folder / FINDINGS, findings.model_dump_json(indent=1).encode())
    write_whole(folder / SCHEMA, json.dumps(Findings.model_json_schema(), indent=1).encode())
    write_whole(stamp, f"{key} {_seal(folder)}".encode())
    return findings


def _seal(folder: Path) -> str:
    """Return the hash of all that was written into a folder: damaged, or from another study, it is found out."""
    texts = [
        f"{name} {hashlib.sha256(plain_bytes(folder / name)).hexdigest()}"
        for name in (FINDINGS, SCHEMA, *TABLES)
    ]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def read_findings(folder: Path) -> Findings:
    """Return the findings that lie in a folder.

    Raises:
        OSError: If there are none.
        ValueError: If they are not as the document says.
    """
    with open_plain(folder / FINDINGS) as file:
        return Findings.model_validate_json(file.read())


def found_again(plan: Plan, folder: Path) -> Findings:
    """Return the findings anew from the tables in a folder; no outcome is read."""
    return found(plan, read_tables(folder), read_findings(folder).problems)


def found(plan: Plan, tables: Tables, problems: Sequence[str]) -> Findings:
    """Return the findings of a study.

    Args:
        plan: Which claims there are, and the facts about tasks and search.
        tables: Every number that a finding rests on.
        problems: What could not be measured, one line each.
    """
    overlap, rows = _overlap(plan), ordered(tables.units, plan.profile)
    claims = claims_found(plan.profile, plan.folder, rows, overlap)
    family = [claim.id for claim in claims if claim.judged]
    costs = costs_found(tables, plan.tuned_baseline.name)
    return Findings(
        profile=plan.profile.name,
        trials=plan.n_trials,
        tuned=plan.tuned_notes,
        tasks=tuple(_facts(plan, tables, name) for name in plan.profile.tasks),
        claims=tuple(claims),
        techniques=tuple(techniques_found(plan, rows, overlap)),
        advice=tuple(advice_found(plan, rows, costs, overlap)),
        runs=RunCount(
            planned=len(plan.all_runs),
            stored=len(tables.runs),
            diverged=sum(bool(row["diverged"]) for row in tables.runs),
        ),
        calibration=_calibration(plan, rows, family, overlap),
        arms=tuple(costs),
        problems=tuple(problems),
    )


def false_rates(findings: Findings) -> list[str]:
    """Return which rates of false verdicts lie wholly above 5 %: then the rule is not honest, and the build fails."""
    rates = {
        "random signs, all claims together": findings.calibration.sign_flips,
        "a claim about a sham technique": findings.calibration.sham_alone,
        "as many claims about sham techniques": findings.calibration.sham_family,
    }
    return [
        f"{name}: {100 * rate.share:.1f} % false verdicts (95 % interval {100 * rate.low:.1f} to {100 * rate.high:.1f} %)"
        for name, rate in rates.items()
        if rate is not None and rate.low > ALPHA
    ]


def _key(plan: Plan, files: list[str]) -> str:
    """Return the hash of everything that findings rest on."""
    texts = [
        json.dumps(plan.profile.model_dump(), sort_keys=True),
        *(
            (plan.folder / name).read_text(encoding="utf-8")
            for name in (FILE, "tuned.yaml")
            if (plan.folder / name).exists()
        ),
        *sorted(files),
        _code(),
    ]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


@functools.cache
def _code() -> str:
    """Return the digest of the modules that findings rest on."""
    return source_digest(package_modules(without=_BESIDE))


def _overlap(plan: Plan) -> dict[str, float]:
    """Return test targets over training targets by task, where units share data: not where series are made afresh."""
    return {
        name: float(np.mean([len(fold.test.y) / len(fold.train.y) for fold in task.folds]))
        for name, task in plan.tasks.items()
        if task.floor is None
    }


def _facts(plan: Plan, tables: Tables, name: str) -> TaskFacts:
    task = plan.tasks[name]
    units = plan.units(name, plan.profile.units)
    errors = {row["run"]: float(row["selected test"] or "nan") for row in tables.runs}
    own = [
        row
        for row in tables.arms
        if (row["chapter"], row["arm"], row["task"]) == (COMPARISON, plan.tuned_baseline.name, name)
    ]
    rivals = [task.references[int(row["fold"])] for row in own] or [task.references[0]]
    simple = {
        method: float(np.mean([each[method][task.info.metric] for each in rivals])) for method in rivals[0]
    }
    best = min(simple, key=lambda method: simple[method])
    return TaskFacts(
        name=name,
        title=task.info.title,
        kind=task.info.kind,
        metric=task.info.metric,
        units=len(units),
        folds=len({unit.fold for unit in units}),
        training=round(np.mean([len(fold.train.y) for fold in task.folds])),
        test=round(np.mean([len(fold.test.y) for fold in task.folds])),
        baseline=finite_or_none(finite_mean(np.array([errors[row["runs"]] for row in own]))),
        simple=best,
        simple_error=finite_or_none(simple[best]),
    )


def _calibration(
    plan: Plan, rows: Sequence[Row], family: Sequence[str], overlap: dict[str, float]
) -> Calibration:
    """Return how honest the rule is, measured with the numbers of this study."""
    bench = Judgement(overlap)
    contrasts = sham_contrasts(plan)
    shams = [
        bench.judged(contrast, MARGIN, own)
        for number, contrast in enumerate(contrasts)
        if (own := contrast_rows(rows, SHAM, number, DECLARED))
    ]
    pool = _pool([each.rows for each in shams]) if len(shams) > 1 and family else None
    rates = sham_rates(pool, len(family), np.log1p(MARGIN)) if pool else None
    return Calibration(
        claims=len(family),
        sign_flips=_rate(sign_flip_rate(questions(plan.folder, rows, family, overlap))) if family else None,
        sham_alone=_rate(rates.alone) if rates else None,
        sham_family=_rate(rates.family) if rates else None,
        sham_arms=len(shams) + 1 if shams else 0,
        shams=tuple(contrast_found(each, each.whole.p) for each in shams),
        power=tuple(
            PowerFound(
                planted=each.planted, units=each.units, alone=_rate(each.alone), family=_rate(each.family)
            )
            for each in (power(pool, len(family), np.log1p(MARGIN)) if pool else ())
        ),
    )


def _rate(rate: Rate) -> RateFound:
    return RateFound(share=rounded(rate.share), low=rounded(rate.low), high=rounded(rate.high))


def _pool(shams: Sequence[Sequence[Row]]) -> Pool:
    """Return the log errors of the baseline and of arms that do nothing, in the units that all of them have."""
    errors, folds = {}, {}
    for task in dict.fromkeys(row.task for row in shams[0]):
        by_arm = [{row.seed: row for row in rows if row.task == task} for rows in shams]
        seeds = sorted(set.intersection(*(set(rows) for rows in by_arm)))
        baseline = [by_arm[0][seed].control for seed in seeds]
        errors[task] = np.log([baseline, *([rows[seed].arm for seed in seeds] for rows in by_arm)])
        folds[task] = np.array([by_arm[0][seed].fold for seed in seeds])
    return Pool(errors, folds)
