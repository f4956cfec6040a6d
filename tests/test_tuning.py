"""Random search: equally long for every arm, on seeds that nothing judges, by validation alone, resumable."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from engine import made_outcome, made_result
from planning import changed, parameters, plan_of, refusal, task_of

from lstmstudy import paths, tuning
from lstmstudy import plan as planning
from lstmstudy.__main__ import main
from lstmstudy.data import CATALOG
from lstmstudy.params.grids import load_technique
from lstmstudy.params.profile import load_profile
from lstmstudy.params.search import entry_key, rounded
from lstmstudy.params.tuned import load_tuned
from lstmstudy.readings import Validation
from lstmstudy.store.outcomes import RunStore
from lstmstudy.tuning import FIRST_SEED, plan_searches, score, tune
from lstmstudy.workers import outstanding
from lstmstudy.workers.pool import Failure

MINE = """\
tasks: [sunspots, digits_rows]
techniques: [dropout, permutation, trio, early_stopping]
units: 3
network: {layers: 2, width: 8}
training: {epochs: 5, batch_size: 32, learning_rate: 0.003}
tuning: {trials: 4, units: 2}
"""
KEYS = {
    "sunspots": ["baseline", "dropout per=step", "dropout per=sequence", "trio l2=0.01 patience=3 rate=0.3"],
    "digits_rows": [
        "baseline",
        "dropout per=step",
        "dropout per=sequence",
        "permutation",
        "trio l2=0.01 patience=3 rate=0.3",
    ],
}
SEARCHES = sum(map(len, KEYS.values()))


@pytest.fixture
def folder(tmp_path):
    """Return a folder of parameters with the profile above."""
    (tmp_path / "params").mkdir()
    return parameters(tmp_path / "params", MINE)


class Trainer:
    """Stands where runs are trained, and saves made outcomes.

    Args:
        validation: Returns the validation curve of a run.
        test: Returns its test curve; like the validation unless given.
    """

    def __init__(self, validation, test=None):
        self.validation = validation
        self.test = test or validation
        self.trained = []
        self.refused = ()  # identities that get no outcome

    def __call__(self, runs, store, cache, known=(), *, lanes=None):
        """Save an outcome of each run and return the failures, as `train_missing` does."""
        del cache, known, lanes
        failures = []
        for run in runs:
            if run.identity in self.refused:
                failures.append(Failure(run, "its worker ended twice"))
                continue
            self.trained.append(run.identity)
            curve = np.array(self.validation(run), float)
            diverged = None if np.isfinite(curve).all() else "training loss nan in epoch 2"
            result = made_result(curve, self.test(run), metric=CATALOG[run.task].metric, diverged=diverged)
            store.save(made_outcome(run.identity, result))
        return failures


def near(run, target=0.004):
    """Return a curve whose best epoch is best where the learning rate is near a target."""
    away = abs(np.log(run.recipe.learning_rate / target))
    return away + 0.01 * (run.seed % 2) + np.array([0.5, 0.3, 0.2, 0.25, 0.4])


@pytest.fixture
def trainer(monkeypatch):
    """Return a trainer that the search uses instead of the workers; tasks have no data."""
    made = Trainer(near)
    monkeypatch.setattr(outstanding, "train_missing", made)
    monkeypatch.setattr(planning, "open_task", task_of)
    return made


def searches_of(folder, **tuning_):
    """Return the searches of the profile by task and key, with other values in its tuning."""
    plan = plan_of(folder)
    changed_tuning = plan.profile.tuning.model_copy(update=tuning_)
    plan = dataclasses.replace(plan, profile=plan.profile.model_copy(update={"tuning": changed_tuning}))
    return {(search.task, search.key): search for search in plan_searches(plan)}


def drawn_by(search):
    """Return what a search draws, without its runs."""
    return [(each.learning_rate, each.settings) for each in search.draws]


def test_every_arm_and_the_baseline_get_the_same_number_of_trials_and_seeds(folder):
    """On each task each arm that makes sense there has 4 draws of 2 runs, all distinct."""
    searches = searches_of(folder)
    assert list(searches) == [(task, key) for task, keys in KEYS.items() for key in keys]
    for search in searches.values():
        assert len(search.draws) == 4
        assert [len(each.runs) for each in search.draws] == [2, 2, 2, 2]
        assert len(search.runs) == 8
    assert len({identity for search in searches.values() for identity in search.runs}) == 8 * SEARCHES


def test_two_seeds_train_each_draw_on_two_folds(folder):
    """All trials of all arms have the same seeds on the same folds, and differ in their recipes alone."""
    for search in searches_of(folder, units=5).values():
        for each in search.draws:
            n_folds = CATALOG[search.task].n_folds
            assert [(run.seed, run.fold) for run in each.runs] == [(1000 + k, k % n_folds) for k in range(5)]
            assert len({run.recipe for run in each.runs}) == 1


def test_no_tuning_seed_is_ever_judged(folder):
    """The lowest tuning seed lies above the highest seed that any number of units allowed in a profile has."""
    assert all(run.seed >= FIRST_SEED for s in searches_of(folder).values() for run in s.runs.values())
    most = 1000
    assert "units: Expected an integer from 1 to 1000" in refusal(
        load_profile, "mine", changed_units(folder, most + 1)
    )
    plan = plan_of(changed_units(folder, most, old=most + 1))
    judged = {unit.seed for task in CATALOG for unit in plan.units(task, plan.profile.units)}
    assert max(judged) < FIRST_SEED
    for scope in ("description: {tasks: [sunspots], units: 1001}", "designs: {combined: {units: 1001}}"):
        (folder / "more.yaml").write_text(f"{MINE}{scope}\n", encoding="utf-8")
        assert "units: Expected an integer from 1 to 1000" in refusal(load_profile, "more", folder)


def changed_units(folder, units, old=3):
    """Change the units of the profile and return its folder."""
    changed(folder, f"\nunits: {old}\n", f"\nunits: {units}\n")
    return folder


@pytest.mark.parametrize("name", ["default", "full"])  # smoke takes what was chosen at the nearest size
def test_a_shipped_profile_searches_all_that_it_compares_equally_and_switches_none_off(name):
    """On each task every draw trains something other than the baseline, and none is a judged run."""
    plan = plan_of(paths.PARAMS, name)
    searches = plan_searches(plan)
    for search in searches:
        assert len(search.draws) == plan.profile.tuning.trials
        for each in search.draws:
            assert all(bool(run.recipe.techniques) == (search.key != "baseline") for run in each.runs)
    expected = {
        (task, entry_key(technique, entry))
        for technique in plan.profile.techniques
        for entry in load_technique(technique).tuned
        for task in plan.profile.tasks
        if plan.profile.compares(technique, entry_key(technique, entry))
        and not (technique == "permutation" and CATALOG[task].kind == "forecasting")
    }
    expected |= {(task, "baseline") for task in plan.profile.tasks}
    assert {(search.task, search.key) for search in searches} == expected


def test_what_is_not_compared_is_searched_for_by_name():
    """It draws as it would if it were compared."""
    plan = plan_of(paths.PARAMS, "full")
    assert not plan.profile.compares("mixup", "mixup")
    searches = plan_searches(plan, ["mixup"])
    assert {(search.task, search.key) for search in searches} == {(t, "mixup") for t in plan.profile.tasks}
    everything = dataclasses.replace(plan, profile=plan.profile.model_copy(update={"compared": None}))
    drawn = {(each.task, each.key): each.runs.keys() for each in plan_searches(everything)}
    assert all(each.runs.keys() == drawn[each.task, each.key] for each in searches)


def test_draws_do_not_depend_on_other_arms_tasks_or_profiles(folder):
    """An arm on a task draws the same whatever else is searched, and in whatever order."""
    whole = searches_of(folder)
    changed(folder, "[sunspots, digits_rows]", "[digits_rows, elnino]")
    changed(folder, "[dropout, permutation, trio, early_stopping]", "[zoneout, permutation, dropout]")
    changed(folder, "width: 8", "width: 16")
    other = searches_of(folder)
    shared = whole.keys() & other.keys()
    assert shared == {("digits_rows", key) for key in KEYS["digits_rows"][:4]}
    assert all(drawn_by(whole[name]) == drawn_by(other[name]) for name in shared)


def test_arms_and_tasks_draw_each_for_itself(folder):
    """No two searches try the same learning rates."""
    rates = [tuple(rate for rate, _ in drawn_by(search)) for search in searches_of(folder).values()]
    assert len(set(rates)) == SEARCHES


def test_a_longer_search_only_appends(folder):
    """The first draws of 9 are the 4 of a shorter search, and so are their runs."""
    shorter, longer = searches_of(folder), searches_of(folder, trials=9)
    for name, search in shorter.items():
        assert longer[name].draws[:4] == search.draws
        assert len(longer[name].draws) == 9
    more = searches_of(folder, units=3)
    assert all(more[name].runs.keys() > search.runs.keys() for name, search in shorter.items())


@pytest.mark.usefixtures("trainer")
def test_what_is_written_is_what_was_trained(folder, tmp_path):
    """Learning rate and settings of every trial in the file are those of the recipes, to the last bit."""
    assert tune("mine", folder=folder, store=tmp_path / "store") == 0
    for (task, key), search in searches_of(folder).items():
        found = load_tuned(folder).sizes["2x8"][task][key]
        assert [(each.learning_rate, each.settings) for each in found.trials] == drawn_by(search)
        for each, trial in zip(search.draws, found.trials, strict=True):
            recipe = each.runs[0].recipe
            assert recipe.learning_rate == trial.learning_rate == rounded(trial.learning_rate)
            if "dropout" in key:
                assert recipe.techniques[0].settings() == trial.settings
        assert found.trained.seeds == (1000, 1001)
        assert (found.trained.epochs, found.trained.batch_size) == (5, 32)
        assert found.search == search.ranges


def test_the_winner_has_the_lowest_mean_validation_of_its_task(folder, trainer, tmp_path):
    """Where learning rates near 0.002 are best on one task and near 0.008 on the other, each gets its own."""
    targets = {"sunspots": 0.002, "digits_rows": 0.008}
    trainer.validation = lambda run: near(run, targets[run.task])
    assert tune("mine", folder=folder, store=tmp_path / "store") == 0
    chosen = load_tuned(folder).sizes["2x8"]
    for task, target in targets.items():
        assert list(chosen[task]) == ["baseline", *sorted(set(KEYS[task]) - {"baseline"})]
        for key, found in chosen[task].items():
            rates = [each.learning_rate for each in found.trials]
            assert found.best.learning_rate == min(rates, key=lambda rate: abs(np.log(rate / target))), key


def test_a_trial_is_scored_by_the_mean_over_its_seeds(folder, trainer, tmp_path):
    """One lucky seed does not win: the mean of both at the selected epoch is what is written."""
    first = searches_of(folder)["sunspots", "baseline"].draws[0].learning_rate
    trainer.validation = lambda run: (
        [0.1 if run.seed == 1000 else 0.9, 2.0] if run.recipe.learning_rate == first else [0.3, 0.4]
    )
    tune("mine", ["baseline"], folder=folder, store=tmp_path / "store")
    trials = load_tuned(folder).sizes["2x8"]["sunspots"]["baseline"].trials
    assert [each.validation for each in trials] == [0.5, 0.3, 0.3, 0.3]


def test_an_arm_that_stops_is_scored_where_it_stops(folder, trainer, tmp_path):
    """The trio is read at patience 3, other arms at the selected epoch."""
    trainer.validation = lambda _: [0.5, 0.6, 0.7, 0.8, 0.1]
    tune("mine", folder=folder, store=tmp_path / "store")
    found = load_tuned(folder).sizes["2x8"]["sunspots"]
    assert {key: each.best.validation for key, each in found.items()} == {
        "baseline": 0.1,
        "dropout per=sequence": 0.1,
        "dropout per=step": 0.1,
        "trio l2=0.01 patience=3 rate=0.3": 0.5,
    }


def test_replaced_test_figures_change_nothing(folder, trainer, tmp_path):
    """With noise, or the very opposite, as test figures the file is the same to the byte."""
    tune("mine", folder=folder, store=tmp_path / "store")
    first = (folder / "tuned.yaml").read_bytes()
    rng = np.random.default_rng(0)
    for number, test in enumerate((lambda _: rng.random(5), lambda run: 9 - near(run))):
        (folder / "tuned.yaml").unlink()
        trainer.test = test
        tune("mine", folder=folder, store=tmp_path / f"store {number}")
        assert (folder / "tuned.yaml").read_bytes() == first


def test_trials_are_scored_from_an_object_without_test_figures(folder):
    """Validation metrics alone are enough to score a search, and nothing else is in the object."""
    assert [field.name for field in dataclasses.fields(Validation)] == ["metric"]
    search = searches_of(folder)["sunspots", "baseline"]
    validations = {identity: Validation(np.array([0.5, 0.25])) for identity in search.runs}
    assert [trial.validation for trial in search.trials(validations)] == [0.25] * 4


@pytest.mark.parametrize(
    ("metrics", "reading", "expected"),
    [
        (([0.5, 0.2, 0.3], [0.4, 0.5, 0.6]), "selected", 0.3),
        (([0.5, 0.2, 0.3], [0.4, 0.5, 0.6]), "last", 0.45),
        (([0.5, 0.2, 0.3], [0.4, np.nan, np.nan]), "selected", np.inf),
        (([0.5, 0.2, np.nan], [0.4, 0.5, 0.6]), "selected", np.inf),
        (([np.nan], [0.4]), "selected", np.inf),
        (([1.23456789], [1.23456789]), "selected", 1.23457),
    ],
)
def test_a_score_is_a_mean_and_infinite_after_a_divergence(metrics, reading, expected):
    """A seed that diverged, however late and however good before, makes the trial infinite."""
    assert score([Validation(np.array(metric)) for metric in metrics], reading) == pytest.approx(
        expected, abs=0
    )


def test_a_trial_of_which_a_seed_diverged_is_never_chosen(folder, trainer, tmp_path):
    """It stands in the file as infinite, and another one wins though its metric is worse."""
    tune("mine", ["baseline"], folder=folder, store=tmp_path / "first")
    best = load_tuned(folder).sizes["2x8"]["sunspots"]["baseline"].best.learning_rate
    trainer.validation = lambda run: (
        [0.01, 0.001, *[np.nan] * 3] if (run.recipe.learning_rate, run.seed) == (best, 1001) else near(run)
    )
    assert tune("mine", ["baseline"], folder=folder, store=tmp_path / "second") == 0
    found = load_tuned(folder).sizes["2x8"]["sunspots"]["baseline"]
    assert [each.learning_rate for each in found.trials if np.isinf(each.validation)] == [best]
    assert found.best.learning_rate != best


def test_where_all_trials_diverged_nothing_is_chosen_and_the_others_are_written(
    folder, trainer, tmp_path, capsys
):
    """The exit code is 1, the arm is named, and the file has every other one."""
    trainer.validation = lambda run: (
        [0.5] + [np.nan] * 4
        if run.task == "sunspots" and [each.name for each in run.recipe.techniques] == ["dropout"]
        else near(run)
    )
    assert tune("mine", folder=folder, store=tmp_path / "store") == 1
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        f"sunspots, dropout per={per}: nothing chosen, all 4 trials diverged" for per in ("step", "sequence")
    ]
    chosen = load_tuned(folder).sizes["2x8"]
    assert set(chosen["sunspots"]) == {key for key in KEYS["sunspots"] if "dropout" not in key}
    assert set(chosen["digits_rows"]) == set(KEYS["digits_rows"])


def test_a_run_that_could_not_be_trained_keeps_its_arm_out_and_the_others_in(
    folder, trainer, tmp_path, capsys
):
    """Nothing is chosen from 7 of 8 runs; the next call trains the missing one alone and chooses."""
    (lacking, *_) = searches_of(folder)["sunspots", "baseline"].runs
    trainer.refused = (lacking,)
    assert tune("mine", folder=folder, store=tmp_path / "store") == 1
    said = capsys.readouterr().err
    assert "sunspots, baseline: nothing chosen, 1 of its runs are missing" in said
    assert "baseline" not in load_tuned(folder).sizes["2x8"]["sunspots"]
    assert len(trainer.trained) == 8 * SEARCHES - 1
    trainer.refused, trainer.trained = (), []
    assert tune("mine", folder=folder, store=tmp_path / "store") == 0
    assert trainer.trained == [lacking]
    assert "baseline" in load_tuned(folder).sizes["2x8"]["sunspots"]


def test_only_what_is_not_stored_is_trained(folder, trainer, tmp_path, capsys):
    """A search goes on where it ended, and what it writes is what it would have written at once."""
    tune("mine", folder=folder, store=tmp_path / "once")
    at_once = (folder / "tuned.yaml").read_bytes()
    (folder / "tuned.yaml").unlink()
    whole = len(trainer.trained)
    store = RunStore(tmp_path / "store")
    for run in itertools.islice(all_runs(folder).values(), 10):
        trainer([run], store, None)
    trainer.trained = []
    tune("mine", folder=folder, store=store.folder)
    assert len(trainer.trained) == whole - 10
    assert (folder / "tuned.yaml").read_bytes() == at_once
    trainer.trained = []
    capsys.readouterr()
    tune("mine", folder=folder, store=store.folder)
    assert trainer.trained == []
    assert capsys.readouterr().out.startswith(f"runs: all {8 * SEARCHES} are stored")
    assert (folder / "tuned.yaml").read_bytes() == at_once


def all_runs(folder):
    """Return the runs of all searches, by identity."""
    return {key: run for search in searches_of(folder).values() for key, run in search.runs.items()}


def test_a_longer_search_trains_only_its_further_draws(folder, trainer, tmp_path):
    """Going from 4 trials to 6 costs 2 draws of every arm."""
    tune("mine", folder=folder, store=tmp_path / "store")
    changed(folder, "trials: 4", "trials: 6")
    trainer.trained = []
    tune("mine", folder=folder, store=tmp_path / "store")
    assert len(trainer.trained) == 2 * 2 * SEARCHES


@pytest.mark.parametrize(
    ("only", "keys"),
    [
        (["dropout per=step"], {"dropout per=step"}),
        (["dropout"], {"dropout per=step", "dropout per=sequence"}),
        (["baseline", "permutation"], {"baseline", "permutation"}),
    ],
)
def test_a_search_can_be_left_at_some_arms_or_techniques(folder, trainer, tmp_path, only, keys):
    """Only these are trained; what was chosen for the others, and at other sizes, stays in the file."""
    tune("mine", folder=folder, store=tmp_path / "store")
    changed(folder, "width: 8", "width: 4")
    tune("mine", folder=folder, store=tmp_path / "store")
    before = load_tuned(folder).sizes
    trainer.trained, trainer.validation = [], lambda run: near(run, 0.009)
    expected = {
        identity
        for (_, key), search in searches_of(folder).items()
        if key in keys
        for identity in search.runs
    }
    tune("mine", only, folder=folder, store=tmp_path / "other")
    assert set(trainer.trained) == expected
    after = load_tuned(folder).sizes
    assert after["2x8"] == before["2x8"]
    for task, arms in before["2x4"].items():
        assert after["2x4"][task].keys() == arms.keys()
        for key, found in arms.items():
            assert (after["2x4"][task][key] == found) == (key not in keys)


@pytest.mark.parametrize(
    ("wrong", "nearest"), [("dropuot", "dropout"), ("dropout per=steps", "dropout per=step")]
)
def test_a_wrong_name_of_an_arm_is_one_line(folder, trainer, tmp_path, wrong, nearest):
    """The message names the nearest arm, and nothing is trained."""
    message = refusal(lambda: tune("mine", [wrong], folder=folder, store=tmp_path / "store"))
    assert message.startswith(f"--only: unknown arm `{wrong}`.")
    assert f"Did you mean `{nearest}`" in message
    assert trainer.trained == []
    refusal(lambda: tune("mine", ["zoneout"], folder=folder, store=tmp_path / "store"))


def test_a_damaged_file_is_told_before_the_training(folder, trainer, tmp_path):
    """Nothing is trained while what would be added to the file could not be."""
    (folder / "tuned.yaml").write_text("2x8: 5\n", encoding="utf-8")
    message = refusal(lambda: tune("mine", folder=folder, store=tmp_path / "store"))
    assert message.startswith("tuned.yaml: 2x8: ")
    assert trainer.trained == []


@pytest.mark.parametrize(
    ("name", "entry"), [("early_stopping", "{patience: 3}"), ("averaging", "{models: 5, combine: mean}")]
)
def test_a_technique_that_trains_no_model_of_its_own_cannot_be_searched(folder, name, entry):
    """A way to read and an ensemble of baselines have no learning rate; the message names their file."""
    if "averaging" not in (folder / "mine.yaml").read_text(encoding="utf-8"):
        changed(folder, "early_stopping]", "early_stopping, averaging]")
    path = folder / "techniques" / f"{name}.yaml"
    path.write_text(f"{path.read_text(encoding='utf-8')}\ntuned:\n  - {entry}\n", encoding="utf-8")
    message = refusal(lambda: plan_searches(plan_of(folder)))
    assert message.startswith(f"params/techniques/{name}.yaml: tuned: ")


def test_what_the_network_cannot_train_is_one_line(folder):
    """A technique that needs two layers is refused where there is one, with profile and technique named."""
    changed(folder, "layers: 2", "layers: 1")
    changed(folder, "[dropout, permutation, trio, early_stopping]", "[dropout, layer_norm]")
    message = refusal(lambda: plan_searches(plan_of(folder)))
    assert message.startswith("mine.yaml: techniques: layer_norm: ")
    assert message.endswith("Received: layers=1")


def test_the_command_hands_on_profile_and_arms(monkeypatch, capsys):
    """`tune --profile mine --only a b` searches just these; the exit code is the search's, 2 for wrong input."""
    calls = []
    monkeypatch.setattr(tuning, "tune", lambda *given: calls.append(given) or 1)
    assert main(["tune", "--profile", "mine", "--only", "dropout per=step", "l2"]) == 1
    assert main(["tune"]) == 1
    assert calls == [("mine", ["dropout per=step", "l2"], None), ("default", [], None)]
    monkeypatch.undo()
    assert main(["tune", "--profile", "nobody's"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.usefixtures("trainer")
def test_what_was_chosen_is_said_arm_by_arm(folder, tmp_path, capsys):
    """A line for each arm and task gives the numbers of the file and how many trials there were."""
    tune("mine", folder=folder, store=tmp_path / "store")
    lines = capsys.readouterr().out.splitlines()
    found = load_tuned(folder).sizes["2x8"]["digits_rows"]["dropout per=step"].best
    assert (
        f"digits_rows, dropout per=step: learning_rate {found.learning_rate:g}, rate {found.settings['rate']:g} "
        f"(validation {found.validation:g}, the best of 4)"
    ) in lines
    assert len([line for line in lines if "the best of 4" in line]) == SEARCHES
    assert lines[-1] == "tuned: tuned.yaml"
