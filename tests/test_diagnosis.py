"""A diagnosis finds overfitting where it was put, and nothing where there is noise alone."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import keras
import numpy as np
import pytest
from matplotlib import pyplot as plt

from lstmstudy.diagnosis import LEAST, SURE, diagnose, rising
from lstmstudy.figures.data import as_csv
from lstmstudy.training.program import limit_threads

limit_threads()

EPOCHS = 40
TIMES = np.arange(EPOCHS)
FALLING = 0.2 + np.exp(-TIMES / 10)  # of training
TURN = 12  # epoch, from 0, after which validation rises
VALLEY = np.where(TIMES <= TURN, 1 - 0.04 * TIMES, 0.52 + 0.02 * (TIMES - TURN))
SHAPES = {
    "overfitting": VALLEY,
    "still learning": 2 - TIMES / EPOCHS,
    "settled": 0.5 + np.exp(-TIMES / 2),
    "unclear": 1 + 0.3 * np.random.default_rng(0).normal(size=EPOCHS),
}
NEARLY_RIGHT = 0.05 + np.exp(-TIMES) + 0.01 * np.random.default_rng(1).normal(size=EPOCHS)  # noise of 20 %
NAUGHTY = "<img src=x onerror=alert(1)>"


def logged(validation, training=None, name="mse"):
    """Return a history with training that falls as long as validation goes on."""
    training = np.linspace(2, 1, len(validation)) if training is None else training
    return {name: list(training), f"val_{name}": list(validation)}


def noisy(seed, length, kind="normal", correlation=0.0):
    """Return noise of variance 1, (length,)."""
    rng = np.random.default_rng([seed, length])
    noise = {
        "normal": rng.normal(size=length),
        "heavy": rng.standard_t(3, size=length) / np.sqrt(3),
        "skewed": rng.exponential(size=length) - 1,
    }[kind]
    for epoch in range(1, length):
        noise[epoch] = correlation * noise[epoch - 1] + np.sqrt(1 - correlation**2) * noise[epoch]
    return noise


def verdicts(histories):
    """Return how often overfitting is said of validation series."""
    found = [diagnose(logged(series)) for series in histories]
    for each in found:
        assert each.verdict != "overfitting" or each.sureness >= SURE
    return np.mean([each.verdict == "overfitting" for each in found])


@pytest.mark.parametrize("verdict", SHAPES)
def test_a_made_history_gets_the_verdict_that_was_put_in(verdict):
    """Falling and rising, falling, flat after falling and mere noise are told apart."""
    assert diagnose(logged(SHAPES[verdict])).verdict == verdict


def test_overfitting_is_found_at_its_best_epoch_and_since_the_next_with_what_it_costs():
    """Without noise every number is the one that was put in."""
    found = diagnose(logged(VALLEY, FALLING))
    end, best = np.median(VALLEY[-4:]), VALLEY[TURN]
    assert (found.best_epoch, found.since_epoch, found.unit) == (TURN + 1, TURN + 2, "percent")
    assert found.rise == pytest.approx(100 * (end / best - 1))
    assert found.gap.best == pytest.approx(100 * (best / FALLING[TURN] - 1))
    assert found.gap.end == pytest.approx(100 * (end / np.median(FALLING[-4:]) - 1))
    assert found.sureness > 0.999
    assert found.sureness < 1


@pytest.mark.parametrize("turn", [5, 10, 20, 30])
def test_the_onset_is_found_within_a_few_epochs_under_noise(turn):
    """In nine of ten clear noisy histories the onset is no more than five epochs off."""
    shape = np.where(turn >= TIMES, 1 - 0.5 * TIMES / turn, 0.5 + 0.5 * (TIMES - turn) / (EPOCHS - turn))
    found = [diagnose(logged(shape + 0.01 * noisy(seed, EPOCHS))) for seed in range(60)]
    since = [each.since_epoch for each in found if each.verdict == "overfitting"]
    assert len(since) == 60
    assert np.quantile(np.abs(np.array(since) - (turn + 2)), 0.9) <= 5


@pytest.mark.parametrize("length", [6, 10, 20, 40, 100])
@pytest.mark.parametrize("kind", ["normal", "heavy", "skewed"])
def test_noise_around_a_constant_is_rarely_called_overfitting(kind, length):
    """Of 300 histories of noise, at most one in twenty is; sampling allows two standard errors more."""
    share = verdicts(10 + noisy(seed, length, kind) for seed in range(300))
    assert share <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 300)


def test_all_histories_of_noise_together_keep_below_one_in_twenty():
    """Over lengths, kinds of noise and trends that never rise, false alarms are 5 % at most."""
    shares = [
        verdicts(
            10 + trend * 10 * np.exp(-np.arange(length) / 4) + noisy(seed, length, kind, correlation)
            for seed in range(60)
        )
        for length in (8, 15, 30, 60)
        for kind in ("normal", "heavy")
        for correlation in (0.0, 0.3)
        for trend in (0, 1)
    ]
    assert np.mean(shares) <= 0.05


def test_noise_that_wanders_more_than_is_assumed_gives_more_false_alarms_but_not_many():
    """With neighbours correlated by .5, the alarm is false in one of ten histories at most."""
    assert verdicts(10 + noisy(seed, 40, correlation=0.5) for seed in range(300)) <= 0.1


@pytest.mark.parametrize(
    ("length", "height", "power"), [(10, 30, 0.9), (20, 10, 0.9), (40, 6, 0.9), (100, 4, 0.95)]
)
def test_a_clear_rise_is_nearly_always_called_overfitting(length, height, power):
    """A rise by some standard deviations of the noise is found, a smaller one in a longer history."""
    times, turn = np.arange(length), length // 3
    shape = np.where(times < turn, 10 * (1 - times / turn) ** 2, height * (times - turn) / (length - turn))
    assert verdicts(30 + shape + noisy(seed, length) for seed in range(100)) >= power


def test_correlated_noise_is_allowed_for():
    """Where neighbours correlate by .3, as they are taken to, false alarms are 5 % as well."""
    shares = [
        verdicts(10 + noisy(seed, length, correlation=0.3) for seed in range(300)) for length in (8, 16, 40)
    ]
    assert np.mean(shares) <= 0.05


def test_noise_is_rarely_called_still_learning():
    """A constant falls no more often than it rises."""
    found = [diagnose(logged(10 + noisy(seed, 40))).verdict for seed in range(300)]
    assert np.mean([each == "still learning" for each in found]) <= 0.05


def test_the_onset_is_not_put_into_a_flat_valley():
    """Where validation stays at its best for long, it is worse only since it rises."""
    shape = np.select([TIMES < 8, TIMES < 26], [1 - TIMES / 16, 0.5], 0.5 + 0.03 * (TIMES - 26))
    found = [diagnose(logged(shape + 0.02 * noisy(seed, EPOCHS))) for seed in range(60)]
    since = [each.since_epoch for each in found if each.verdict == "overfitting"]
    assert len(since) > 50
    assert np.quantile(np.abs(np.array(since) - 28), 0.9) <= 5


def test_settled_hides_no_change_that_matters():
    """Of curves that still change by 7 % in their later half, one in twenty at most is called settled."""
    for sign in (-1, 1):
        shape = 1 + sign * 0.07 * np.maximum(TIMES - 20, 0) / 19
        found = [diagnose(logged(shape + 0.03 * noisy(seed, EPOCHS))).verdict for seed in range(200)]
        assert np.mean([each == "settled" for each in found]) <= 0.05
    quiet = [diagnose(logged(1 + 0.01 * noisy(seed, EPOCHS))).verdict for seed in range(50)]
    assert np.mean([each == "settled" for each in quiet]) >= 0.9


def test_a_best_epoch_among_the_last_is_no_overfitting():
    """Where validation rose but is at its best right now, an earlier epoch is no better."""
    series = VALLEY.copy()
    series[-2] = 0.5
    assert rising(series, 4)[0] >= SURE
    found = diagnose(logged(series, FALLING))
    assert (found.verdict, found.best_epoch, found.since_epoch) == ("unclear", EPOCHS - 1, None)


def test_one_bad_last_epoch_is_no_overfitting():
    """An outlier at the very end does not rise."""
    series = np.full(EPOCHS, 0.5)
    series[-1] = 1.0
    assert diagnose(logged(series)).verdict != "overfitting"


def test_a_rise_below_one_percent_is_none_however_sure():
    """What is too small to matter is settled."""
    series = 0.5 + np.exp(-TIMES / 2) + 5e-5 * TIMES
    assert rising(series, 4)[0] >= SURE
    assert diagnose(logged(series)).verdict == "settled"


def test_training_that_gets_worse_as_well_has_diverged():
    """Where training rises with validation, regularization is not what is missing."""
    found = diagnose(logged(VALLEY, VALLEY - 0.1))
    assert (found.verdict, found.since_epoch) == ("diverged", TURN + 2)
    assert "06_gradient_noise" in found.advice[0]


@pytest.mark.parametrize("scale", [1e-200, 1e-3, 7.0, 1e9, 1e200])
@pytest.mark.parametrize("verdict", SHAPES)
def test_the_unit_of_the_errors_changes_nothing(verdict, scale):
    """Errors times a constant have the same verdict, epochs, percents and sureness."""
    one, other = (
        diagnose(logged(SHAPES[verdict], FALLING)),
        diagnose(logged(SHAPES[verdict] * scale, FALLING * scale)),
    )
    assert (one.verdict, one.best_epoch, one.since_epoch) == (
        other.verdict,
        other.best_epoch,
        other.since_epoch,
    )
    assert [one.rise, *one.gap, one.sureness] == pytest.approx([other.rise, *other.gap, other.sureness])


@pytest.mark.parametrize("shape", [*SHAPES.values(), NEARLY_RIGHT], ids=[*SHAPES, "nearly right"])
def test_a_score_gets_the_verdict_of_its_mirrored_errors(shape):
    """Accuracy as one minus the error is judged as the error is, in points."""
    errors, training = shape / 4, FALLING / 4
    one, other = diagnose(logged(errors, training)), diagnose(logged(1 - errors, 1 - training, "accuracy"))
    assert (one.verdict, one.best_epoch, one.since_epoch) == (
        other.verdict,
        other.best_epoch,
        other.since_epoch,
    )
    assert one.sureness == pytest.approx(other.sureness)
    assert other.unit == "points"
    late = errors[max(one.best_epoch, EPOCHS - 4) :]
    assert other.rise == pytest.approx(np.median(late) - errors.min() if late.size else 0)


def test_scores_above_one_and_negative_losses_are_judged_as_well():
    """Rewards and log likelihoods have no natural zero, so their numbers are in points."""
    reward = diagnose(logged(100 - 50 * VALLEY, 100 - FALLING, "reward"), higher_is_better=True)
    loss = diagnose(logged(VALLEY - 3, FALLING - 3, "loss"))
    for found in (reward, loss):
        assert (found.verdict, found.best_epoch, found.unit) == ("overfitting", TURN + 1, "points")
    assert loss.rise == pytest.approx(np.median(VALLEY[-4:]) - VALLEY[TURN])
    assert "mode='max'" in reward.advice[0]
    assert "mode='min'" in loss.advice[0]


def test_the_caller_knows_better_which_way_is_better():
    """`higher_is_better` overrules what the name says."""
    errors = logged(VALLEY, FALLING, "my_accuracy")
    assert diagnose(errors).best_epoch == EPOCHS
    assert diagnose(errors, higher_is_better=False).best_epoch == TURN + 1


def test_the_direction_of_the_metrics_of_keras_is_known():
    """What Keras calls better when higher is taken so, under its own name, numbered or with a prefix."""
    up, down = logged(SHAPES["still learning"], name="x"), set()
    for name in (
        "AUC",
        "BinaryAccuracy",
        "CosineSimilarity",
        "F1Score",
        "FBetaScore",
        "Precision",
        "R2Score",
        "Recall",
        "BinaryIoU",
        "PearsonCorrelation",
        "ConcordanceCorrelation",
        "TopKCategoricalAccuracy",
        "MeanSquaredError",
        "MeanAbsoluteError",
        "RootMeanSquaredError",
        "KLDivergence",
        "Poisson",
        "Hinge",
        "LogCoshError",
        "MeanAbsolutePercentageError",
        "SparseCategoricalCrossentropy",
    ):
        metric = getattr(keras.metrics, name)()
        for known in (metric.name, f"{metric.name}_1", f"head_{metric.name}"):
            best = diagnose({known: up["x"], f"val_{known}": up["val_x"]}).best_epoch
            assert best == (1 if metric._direction == "up" else EPOCHS), known
            down.add(metric._direction)
    assert down == {"up", "down"}


def test_a_pure_metric_is_preferred_to_the_loss_and_another_can_be_asked_for():
    """``val_loss`` contains penalties, so it is read only where nothing else is, or on demand."""
    history = (
        logged(SHAPES["still learning"], name="loss")
        | logged(VALLEY, name="mae")
        | logged(VALLEY, name="mse")
    )
    assert diagnose(history).metric == "mae"
    assert diagnose(history, metric="mse").metric == diagnose(history, metric="val_mse").metric == "mse"
    assert diagnose(history, metric="loss").verdict == "still learning"
    assert diagnose(logged(VALLEY, name="loss") | {"learning_rate": [1.0] * EPOCHS}).metric == "loss"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["mse", "val_mse", "loss", "val_loss"])
def test_a_value_that_is_not_finite_is_a_finding(where, bad):
    """A run has diverged at the first such epoch, wherever it is logged, and was best before."""
    history = logged(VALLEY, FALLING) | logged(VALLEY, FALLING, "loss")
    history[where][20:] = [bad] * (EPOCHS - 20)
    found = diagnose(history)
    assert (found.verdict, found.since_epoch, found.best_epoch, found.sureness) == (
        "diverged",
        21,
        TURN + 1,
        1,
    )
    assert np.isinf(found.rise)
    assert np.isnan(found.gap.end)
    assert "not finite" in str(found)
    found.plot()


def test_a_run_that_diverges_at_once_has_no_best_epoch():
    """Even of a single epoch it is said; there is nothing finite to draw or to keep."""
    found = diagnose({"loss": [np.nan], "val_loss": [np.nan]})
    assert (found.verdict, found.best_epoch, found.since_epoch) == ("diverged", None, 1)
    assert "None" not in str(found) + found._repr_html_()
    found.plot()


def test_a_real_fit_of_keras_is_diagnosed_end_to_end():
    """What `fit` returns is read as it is, and its `history` gives the same."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, 4, 1)), rng.normal(size=(32, 1))
    model = keras.Sequential([keras.Input((4, 1)), keras.layers.LSTM(2), keras.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    history = model.fit(x[:16], y[:16], validation_data=(x[16:], y[16:]), epochs=6, verbose=0)
    found = diagnose(history)
    assert found == diagnose(history.history)
    assert found.metric == "mae"
    assert found.validation == tuple(history.history["val_mae"])
    assert found.best_epoch == 1 + int(np.argmin(history.history["val_mae"]))


def test_the_history_stays_as_it_is_and_tells_the_same_twice():
    """Nothing is changed, neither the input nor NumPy's global generator, and nothing is drawn anew."""
    history = {name: np.array(values) for name, values in logged(VALLEY + 0.01 * noisy(0, EPOCHS)).items()}
    before, state = copy.deepcopy(history), np.random.get_state()[1].copy()  # noqa: NPY002
    one, other = diagnose(history), diagnose(history)
    assert one == other
    assert hash(one) == hash(other)
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002
    for name, values in before.items():
        np.testing.assert_array_equal(history[name], values)


def test_it_takes_no_tensorflow():
    """Plain dicts are read in a process that never imports it."""
    code = (
        "import sys; from lstmstudy.diagnosis import diagnose; "
        "print(diagnose({'loss': [5, 4, 3, 2, 1], 'val_loss': [1, 2, 3, 4, 5]}).verdict, "
        "{'tensorflow', 'keras', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert done.stdout.split() == ["overfitting", "set()"]


@pytest.mark.parametrize(
    ("history", "options", "error", "message"),
    [
        (None, {}, TypeError, "Received: history=None"),
        ([1.0, 2.0], {}, TypeError, "Received: history=[1.0, 2.0]"),
        ({}, {}, ValueError, "pass `validation_data` to `fit`. Received: history=[]"),
        ({"loss": [1.0] * 5}, {}, ValueError, "pass `validation_data` to `fit`. Received: history=['loss']"),
        ({1: [1.0] * 5, "val_1": [1.0] * 5}, {}, ValueError, "Received: history=[1, 'val_1']"),
        (logged(VALLEY), {"metric": "mae"}, ValueError, "Expected one of: mse. Received: metric='mae'"),
        (logged(VALLEY, FALLING[:9]), {}, ValueError, "Received: mse=9 values, val_mse=40 values"),
        (logged([1.0, 2.0, 3.0, 4.0]), {}, ValueError, "Received: epochs=4"),
        (logged([]), {}, ValueError, "A series has a number for each epoch. Received: mse=[]"),
        ({"mse": ["a"] * 5, "val_mse": [1.0] * 5}, {}, ValueError, "Received: mse=['a', 'a', 'a', 'a', 'a']"),
        ({"mse": 1.0, "val_mse": 2.0}, {}, ValueError, "Received: mse=1.0"),
        ({"mse": [[1.0]] * 5, "val_mse": [1.0] * 5}, {}, ValueError, "Received: mse=[[1.0], "),
    ],
)
def test_an_error_says_what_was_expected_and_ends_with_what_came(history, options, error, message):
    """Every history that is none, or too little of one, is refused in a sentence."""
    with pytest.raises(error, match=re.escape(message)):
        diagnose(history, **options)


def test_five_epochs_are_enough_to_say_what_is_plain():
    """With the least number of epochs, straight lines up and down are told apart."""
    assert diagnose(logged(range(1, LEAST + 1))).verdict == "overfitting"
    assert diagnose(logged(range(LEAST, 0, -1))).verdict == "still learning"


def test_a_long_history_is_judged_like_a_short_one():
    """Thousands of epochs are averaged first, and the onset is still in epochs."""
    times = np.arange(3000)
    shape = np.where(times <= 1000, 1 - times / 2000, 0.5 + (times - 1000) / 4000)
    found = diagnose(logged(shape + 0.01 * noisy(0, 3000)))
    assert found.verdict == "overfitting"
    assert abs(found.best_epoch - 1000) < 100
    assert abs(found.since_epoch - 1000) < 150


@pytest.mark.parametrize("verdict", [*SHAPES, "diverged"])
def test_what_is_said_has_the_verdict_its_doubt_and_chapters_that_exist(verdict):
    """Three lines, one of which says that another seed may differ; each piece of advice names a notebook."""
    found = diagnose(logged(SHAPES.get(verdict, [1.0, np.nan])))
    lines = str(found).split("\n")
    assert len(lines) == 3
    assert lines[0].lower().startswith(verdict)
    assert "another seed may look otherwise" in lines[1]
    assert lines[2] == f"Next: {found.advice[0]}"
    notebooks = {path.stem for path in (Path(__file__).parents[1] / "notebooks").glob("*.ipynb")}
    for each in found.advice:
        named = set(re.findall(r"\d\d_\w+", each))
        assert named
        assert named <= notebooks


def test_sureness_is_never_rounded_up_to_certainty():
    """What is surer than 0.999 is shown as that."""
    assert "Sureness: 0.999," in str(diagnose(logged(VALLEY)))


class Tags(HTMLParser):
    """All tags of a text, and the text without them."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = set(), ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        """Note the tag."""
        assert not attrs
        self.tags.add(tag)

    def handle_data(self, data):
        """Note the text."""
        self.text += data


@pytest.mark.parametrize("shape", [VALLEY, [1.0, np.nan]])
def test_html_escapes_whatever_a_metric_is_called(shape):
    """The name of a metric is text in HTML, with no tag of its own, and in a plot."""
    found = diagnose(logged(shape, name=NAUGHTY))
    read = Tags(found._repr_html_())
    assert read.tags <= {"div", "p", "strong", "br", "ul", "li"}
    assert f"val_{NAUGHTY}" in read.text
    assert all(each in read.text for each in found.advice)
    assert found.plot().get_ylabel() == NAUGHTY


@pytest.mark.parametrize("name", ["{best}", "a{0}", "it's", "two\nlines", "$x$"])
def test_braces_quotes_and_breaks_in_a_name_do_no_harm(name):
    """A metric may have any name; what is said stays three lines."""
    found = diagnose(logged(VALLEY, name=name))
    assert len(str(found).split("\n")) == 3
    assert found.metric == name
    found.plot().figure.canvas.draw()


def test_the_plot_shows_both_curves_the_best_epoch_and_since_when_it_is_worse():
    """Lines, title, mark and shade are those of the diagnosis, on new axes or given ones."""
    found = diagnose(logged(VALLEY, FALLING))
    _, given = plt.subplots()
    for ax in (found.plot(), found.plot(given)):
        lines = {line.get_label(): line for line in ax.lines}
        np.testing.assert_array_equal(lines["validation"].get_ydata(), VALLEY)
        np.testing.assert_array_equal(lines["training"].get_ydata(), FALLING)
        assert lines["median selected epoch"].get_xdata()[0] == found.best_epoch
        assert ax.get_title(loc="left") == f"Overfitting since epoch {found.since_epoch}"
        (shade,) = ax.patches
        assert (shade.get_x(), shade.get_x() + shade.get_width()) == (found.since_epoch - 0.5, EPOCHS)
        assert f"worse since,,{found.since_epoch}" in as_csv(ax.figure)
    assert given is ax
    assert not diagnose(logged(SHAPES["settled"])).plot().patches
