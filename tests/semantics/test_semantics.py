"""The semantics card tells what is measured: it knows the known cases, and notices a technique that is broken."""

from __future__ import annotations

import dataclasses
import random
from typing import ClassVar

import keras
import numpy as np
import pytest
import tensorflow as tf

from lstmstudy.findings import semantics, semantics_card
from lstmstudy.layers import InputDropout, StateDropout, WeightDrop, Zoneout
from lstmstudy.semantics import stock, studied
from lstmstudy.semantics.counterparts import counterparts, names_like
from lstmstudy.semantics.words import (
    BIASES,
    BY_PREDICTIONS,
    COLUMNS,
    DRAWN,
    EXPECTATION,
    GATES,
    INFERENCE,
    MEAN,
    METRIC,
    NO,
    NOT_APPLICABLE,
    NOTHING,
    ONCE,
    OTHER_WEIGHTS,
    PASSES,
    REPEATABLE,
    SAMPLES,
    SEVERAL,
    STEPS,
    WORDS,
    YES,
)
from lstmstudy.techniques import TECHNIQUES, Technique
from lstmstudy.training import program
from lstmstudy.training import train as training
from lstmstudy.training.program import Program, limit_threads
from lstmstudy.updates import weight_decay

limit_threads()

FORMS = {form.label: form for name in TECHNIQUES for form in semantics._forms(name)}
PIECES = {piece.label: piece for form in FORMS.values() for piece in counterparts(form)}
SINGLE = {label: form for label, form in FORMS.items() if form.parts() == (form,)}
KNOWN = {  # cells by form
    "dropout 0.2 per step": {STEPS: NO, GATES: YES, SAMPLES: NO, MEAN: YES, DRAWN: YES, INFERENCE: NO},
    "dropout 0.2 per sequence": {STEPS: YES, GATES: YES, SAMPLES: NO, MEAN: YES, METRIC: NO},
    "recurrent dropout 0.3 per step": {STEPS: NO, GATES: YES},
    "recurrent dropout 0.3 per sequence": {STEPS: YES, GATES: YES, SAMPLES: NO, REPEATABLE: YES},
    "recurrent dropout 0.3 on the candidate": {STEPS: NO, GATES: NOT_APPLICABLE},
    "weight drop 0.3": {STEPS: YES, GATES: NO, SAMPLES: YES, MEAN: YES, INFERENCE: NO},
    "zoneout 0.15 hidden 0.05": {STEPS: NO, MEAN: NO, INFERENCE: EXPECTATION, METRIC: BY_PREDICTIONS},
    "Monte Carlo dropout 0.1 per sequence, 10 passes": {STEPS: YES, INFERENCE: PASSES, REPEATABLE: YES},
    "layer norm": {STEPS: NOT_APPLICABLE, DRAWN: NOTHING, INFERENCE: YES, METRIC: BY_PREDICTIONS},
    "batch norm, moving statistics": {DRAWN: NOTHING, INFERENCE: YES, REPEATABLE: YES},
    "L2 0.0001 on both": {DRAWN: NOTHING, INFERENCE: NO, METRIC: NO, BIASES: NO},
    "weight decay 0.1": {INFERENCE: NO, METRIC: NO, BIASES: NO},
    "gradient noise 0.3": {
        GATES: NO,
        STEPS: NOT_APPLICABLE,
        MEAN: YES,
        DRAWN: YES,
        INFERENCE: NO,
        BIASES: YES,
    },
    "weight averaging 0.9": {INFERENCE: OTHER_WEIGHTS, METRIC: BY_PREDICTIONS, BIASES: NO},
    "early stopping, patience 5": {INFERENCE: OTHER_WEIGHTS, METRIC: BY_PREDICTIONS},
    "mean of 5 models": {INFERENCE: SEVERAL, METRIC: BY_PREDICTIONS},
    "bagging of 5 models, blocks of 24": {DRAWN: ONCE, INFERENCE: SEVERAL},
    "boosting in 5 stages, shrinkage 0.3": {INFERENCE: SEVERAL},
    "recurrent batch norm, moving statistics": {DRAWN: NOTHING, INFERENCE: YES, REPEATABLE: YES},
    "snapshots of 2 cycles": {INFERENCE: SEVERAL},
    "jitter 0.03": {STEPS: NO, SAMPLES: NO, MEAN: YES, DRAWN: YES, INFERENCE: NO},
    "scaling 0.1": {STEPS: YES, SAMPLES: NO, MEAN: YES, DRAWN: YES, INFERENCE: NO},
    "mixup 0.2": {STEPS: YES, SAMPLES: NO, DRAWN: YES, INFERENCE: NO},
    "permutation 4": {STEPS: NO, SAMPLES: NO, DRAWN: YES, INFERENCE: NO},
}
TOLD = {SINGLE[label].name for label in KNOWN if label in SINGLE}
FIRST = {form.name: label for label, form in reversed(SINGLE.items()) if form.name not in TOLD}
MEASURED = [*KNOWN, *FIRST.values()]  # the others take the same way
KERAS = {  # the same for the installed Keras, with where METHODS.md says so
    "layers.Dropout(0.2)": {STEPS: NO, SAMPLES: NO, MEAN: YES, INFERENCE: NO, REPEATABLE: YES},
    "layers.SpatialDropout1D(0.2)": {STEPS: YES, SAMPLES: NO, DRAWN: YES, REPEATABLE: YES},  # K6
    "layers.LSTM(dropout=0.2)": {STEPS: YES, GATES: YES, SAMPLES: NO, REPEATABLE: NO},  # K1, K2, K3, K9
    "layers.LSTM(recurrent_dropout=0.3)": {STEPS: YES, GATES: NO, MEAN: YES, REPEATABLE: NO},  # K1, K3, K9
    "regularizers.L2(l2=0.0001)": {INFERENCE: NO, METRIC: YES, BIASES: NO},  # K14
    "optimizers.AdamW(weight_decay=0.1)": {METRIC: NO, BIASES: YES},  # K17
    "optimizers.Adam(use_ema=True, ema_momentum=0.9)": {INFERENCE: OTHER_WEIGHTS, METRIC: NO},  # K29
    "layers.BatchNormalization()": {DRAWN: NOTHING, INFERENCE: YES, METRIC: BY_PREDICTIONS},
    "callbacks.EarlyStopping(patience=5, restore_best_weights=True)": {INFERENCE: OTHER_WEIGHTS},  # K22
}


@dataclasses.dataclass(frozen=True)
class Louder(Technique):
    """A technique that nobody has heard of: what enters an LSTM layer gets louder, at inference too."""

    by: float = 0.5

    name: ClassVar[str] = "louder"
    title: ClassVar[str] = "louder"
    reference: ClassVar[str] = "none"
    is_off: ClassVar[bool] = False

    def before_lstm(self, name):
        """Return a layer that multiplies."""
        return keras.layers.Rescaling(1 + self.by, name=name)


@dataclasses.dataclass(frozen=True)
class Hissing(Louder):
    """Another one: what goes from one LSTM layer to the next gets noise from a layer of Keras."""

    name: ClassVar[str] = "hissing"

    def before_lstm(self, name):
        """Return nothing."""

    def after_lstm(self, name):
        """Return a layer that adds noise."""
        return keras.layers.GaussianNoise(self.by, name=name)


@pytest.mark.parametrize("label", MEASURED)
def test_every_technique_has_a_card_of_few_words(label):
    """Every cell is one of the words of a card, and what is known of a form stands in it."""
    words = studied.measured(SINGLE[label])
    assert set(words) <= set(COLUMNS)
    assert set(words.values()) <= set(WORDS)
    assert {DRAWN, INFERENCE, METRIC, REPEATABLE} <= set(words)
    known = KNOWN.get(label, {})
    assert {column: words[column] for column in known} == known


def test_the_known_cases_are_forms_of_the_grids():
    """No known case is left out because a grid has changed."""
    assert set(KNOWN) <= set(SINGLE)
    assert set(KERAS) <= set(PIECES)


@pytest.mark.parametrize("label", KERAS)
def test_what_the_installed_keras_does_is_measured(label):
    """Its rows hold what is known of it."""
    words = stock.measured(PIECES[label])
    assert set(words.values()) <= set(WORDS)
    assert {column: words[column] for column in KERAS[label]} == KERAS[label]


def test_a_technique_of_tomorrow_gets_its_answers():
    """One that this package has never seen is measured by what it does, wherever that is."""
    words = studied.measured(Louder())
    assert words[INFERENCE] == YES
    assert words[METRIC] == BY_PREDICTIONS
    assert words[DRAWN] == NOTHING
    words = studied.measured(Hissing())
    assert {words[column] for column in (MEAN, DRAWN, REPEATABLE)} == {YES}
    assert {words[column] for column in (STEPS, SAMPLES, INFERENCE, METRIC)} == {NO}


def test_names_are_looked_up_in_keras(monkeypatch):
    """What Keras lacks is found out, not typed: a class of that name would be seen."""
    assert names_like("weight_drop") == []
    assert "LSTM(recurrent_dropout=)" in names_like("recurrent_dropout")
    monkeypatch.setattr(keras.layers, "WeightDrop", object, raising=False)
    assert names_like("weight_drop") == ["layers.WeightDrop"]


def test_measuring_leaves_the_process_as_it_was():
    """Random generators, the way of running functions, the limit of threads and compiled programs stay."""
    programs, limit = dict(training._PROGRAMS), program.limit_threads
    states = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    studied.measured(SINGLE["dropout 0.2 per step"])
    stock.measured(PIECES["layers.Dropout(0.2)"])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states  # noqa: NPY002
    assert not tf.config.functions_run_eagerly()
    assert program.limit_threads is limit
    assert programs == training._PROGRAMS


def test_a_process_with_more_threads_may_measure(monkeypatch):
    """A notebook that has run other things on all its cores gets its card too."""

    def refuse():
        raise RuntimeError("threads are set already")

    monkeypatch.setattr(program, "limit_threads", refuse)
    assert studied.measured(SINGLE["scaling 0.1"])[INFERENCE] == NO


def _mask(shape, rate, stream):
    """Return a mask as it should be."""
    rate = tf.convert_to_tensor(rate)
    drawn = tf.random.stateless_uniform(shape, tf.cast(stream.next(), tf.int32))
    return tf.cast(drawn >= rate, tf.float32) / (1 - rate)


def _unscaled(shape, rate, stream):
    """Return a mask that forgets to make up for what it drops."""
    return tf.sign(_mask(shape, rate, stream))


def _kept(shape, rate, stream):
    """Return a mask of a stream that stays where it is."""
    where = stream.state.numpy()
    mask = _mask(shape, rate, stream)
    stream.state.assign(where)
    return mask


def _per_step_always(self, inputs, training=None):
    """Drop anew at every step, whatever was promised."""
    return inputs * _mask(inputs.shape, self.rate, self.stream) if training else inputs


def _at_inference_too(self, inputs, training=None):
    """Drop whether or not this is training."""
    del training
    return inputs * _mask(inputs.shape, self.rate, self.stream)


def _shared(self, batch, steps, units):
    """Draw one mask for all samples."""
    del batch, steps
    return _mask((1, 1, units), self.rate, self.stream)


def _tied(self, batch, steps, units):
    """Draw one mask for the four gates."""
    del batch, steps
    return tf.tile(_mask((1, units, units), self.rate, self.stream), (1, 1, 4))


_CARRY = Zoneout.carry


def _half(self, new, old, noise):
    """Keep half of what training keeps on average, at inference."""
    if noise is None:
        noise = tf.concat([tf.zeros_like(new[0]) + rate / 2 for rate in self._rates()], axis=1)
    return _CARRY(self, new, old, noise)


class _Priced(training.Trajectory):
    """Reports a figure with the price of the weights in it."""

    def add(self, epoch, loss, outputs, figures):
        """Score an epoch, and add the price."""
        finite = super().add(epoch, loss, outputs, figures)
        self.curves[f"validation/{self.info.metric}"][epoch] += 0.1
        return finite


_INPUT_MASK = "lstmstudy.layers.input_dropout.dropout_mask"
MUTATIONS = {  # what is broken, the form that shows it, and the cells that tell
    "a fresh mask per step": (
        (InputDropout, "call", _per_step_always),
        "dropout 0.2 per sequence",
        {STEPS: NO},
    ),
    "one mask for all samples": (
        (StateDropout, "sample", _shared),
        "recurrent dropout 0.3 per sequence",
        {SAMPLES: YES},
    ),
    "one mask for all gates": ((WeightDrop, "sample", _tied), "weight drop 0.3", {GATES: YES}),
    "no scaling": ((_INPUT_MASK, None, _unscaled), "dropout 0.2 per step", {MEAN: NO}),
    "one mask for all batches": ((_INPUT_MASK, None, _kept), "dropout 0.2 per sequence", {DRAWN: NO}),
    "dropping at inference": (
        (InputDropout, "call", _at_inference_too),
        "dropout 0.2 per step",
        {INFERENCE: YES, REPEATABLE: NO},
    ),
    "inference that is no expectation": (
        (Zoneout, "carry", _half),
        "zoneout 0.15 hidden 0.05",
        {INFERENCE: YES},
    ),
    "a penalty in the reported metric": (
        (training, "Trajectory", _Priced),
        "L2 0.0001 on both",
        {INFERENCE: NO, METRIC: YES},
    ),
    "an evaluation that moves streams": (
        (Program, "_unmoved_streams", Program._shown_weights),
        "Monte Carlo dropout 0.1 per sequence, 10 passes",
        {REPEATABLE: NO},
    ),
    "decay of biases": (
        (weight_decay, "MATRICES", {"both": ("kernel", "recurrent_kernel", "bias")}),
        "weight decay 0.1",
        {BIASES: YES},
    ),
}


@pytest.mark.parametrize("broken", MUTATIONS)
def test_a_broken_technique_is_told(broken, monkeypatch):
    """The cells change with the code: nothing in them is typed."""
    (owner, name, value), label, cells = MUTATIONS[broken]
    if isinstance(owner, str):
        monkeypatch.setattr(owner, value)
    else:
        monkeypatch.setattr(owner, name, value)
    words = studied.measured(SINGLE[label])
    assert {column: words[column] for column in cells} == cells


@pytest.fixture
def shown(monkeypatch):
    """Return the tables that are shown, with cells that are made up: what is measured has its own tests."""
    tables = []
    monkeypatch.setattr(semantics, "table", lambda frame, caption: tables.append((frame, caption)))
    monkeypatch.setattr(
        studied, "measured", lambda form: {INFERENCE: NO, METRIC: NO, **KNOWN.get(form.label, {})}
    )
    monkeypatch.setattr(
        stock, "measured", lambda piece: {INFERENCE: NO, METRIC: NO, **KERAS.get(piece.label, {})}
    )
    return tables


def test_keras_stands_beneath_the_forms(shown):
    """A row for each form, then one for each thing of Keras; columns that say nothing are left out."""
    sentence = semantics_card("recurrent_dropout")
    ((frame, caption),) = shown
    assert list(frame.index) == [
        *(f"recurrent dropout 0.3 {variant}" for variant in ("per step", "per sequence", "on the candidate")),
        "Keras: layers.LSTM(recurrent_dropout=0.3)",
    ]
    assert BIASES not in frame.columns
    assert frame.loc["recurrent dropout 0.3 on the candidate", GATES] == NOT_APPLICABLE
    assert keras.__version__ in caption
    assert sentence == (
        f"Nothing of recurrent dropout acts at inference; the installed Keras {keras.__version__} answers otherwise "
        f'than every form here: layers.LSTM(recurrent_dropout=0.3) in "{GATES}" (no) and "{REPEATABLE}" (no).'
    )


def test_what_keras_lacks_has_a_row_that_says_so(shown):
    """Nothing of the name was found, so nothing applies."""
    sentence = semantics_card("zoneout", "weight_drop")
    ((frame, _),) = shown
    assert list(frame.index)[1::2] == ["Keras: nothing named zoneout", "Keras: nothing named weight drop"]
    assert set(frame.iloc[1]) == {NOT_APPLICABLE}
    assert sentence == (
        "At inference zoneout acts as the expectation, and nothing of weight drop does; the installed Keras "
        f"{keras.__version__} has nothing named zoneout or weight drop."
    )


def test_a_combination_has_the_rows_of_its_parts(shown):
    """What stops by itself has early stopping's row too, and a part of two combinations has one row."""
    semantics_card("bundle")
    semantics_card("bundle", "trio")
    (alone, _), (both, _) = shown
    ours = [label for label in alone.index if not label.startswith("Keras")]
    assert ours == [
        "dropout 0.3 per step",
        "L2 0.01 on kernel",
        "layer norm",
        "gradient clipping 1 per variable",
        "early stopping, patience 3",
    ]
    assert list(both.index) == list(alone.index)


@pytest.mark.parametrize("names", [(), ("dropuot",)])
def test_a_card_of_nothing_is_an_error(names):
    """The message says which names there are."""
    with pytest.raises(ValueError, match=r"zoneout\. Received: names="):
        semantics_card(*names)
