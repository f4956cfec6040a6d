"""What every technique of the guide declares about itself."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from lstmstudy.source import module_path

if TYPE_CHECKING:
    import keras
    import numpy as np

    from lstmstudy.data import TaskInfo
    from lstmstudy.layers.augmentation import Augmentation
    from lstmstudy.layers.cell_hook import CellHook
    from lstmstudy.recipe import Recipe
    from lstmstudy.stages import Stages
    from lstmstudy.updates import UpdateHook


@dataclasses.dataclass(frozen=True)
class Technique:
    """One regularizer with its settings; a subclass in a file of its own for each.

    The fields of the subclass are the settings. Those named in `values` may change without
    building the network anew (the compiled epoch receives them as numbers); every other field
    changes the network's structure.

    A subclass places itself by overriding one or more of `before_lstm`, `after_lstm`, `in_cell`,
    `on_batch`, `in_update`, `rows`, `learning_rate` and `passes`; the layers and hooks that the first
    five return must hold a Keras variable for each name in `values`. One that trains several models
    overrides `members`, one that only scores a trajectory `reading`.

    Its class stands at the top level of a module that workers can import; that module counts in the
    identity of its runs, and so does every further one in `modules`.
    """

    name: ClassVar[str]  # as in params/techniques/<name>.yaml
    title: ClassVar[str]  # as in prose
    reference: ClassVar[str]  # where it was published
    values: ClassVar[tuple[str, ...]] = ()  # settings that are values of the compiled epoch
    modules: ClassVar[tuple[str, ...]] = ()  # code that runs only where it is on, beside its own module
    is_reading: ClassVar[bool] = False  # True: a way to read a trajectory, never part of a recipe
    replayable: ClassVar[bool] = True  # False: its schedule depends on the planned length

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a class that workers cannot import, and count its module in the identity of its runs.

        Raises:
            TypeError: If the class is defined in a notebook cell, in ``__main__`` or in a function.
            ValueError: If a class outside of this package takes the name of one in it.
        """
        super().__init_subclass__(**kwargs)
        check_importable(cls)
        cls.modules = tuple(dict.fromkeys((cls.__module__, *cls.modules)))

    @property
    def is_off(self) -> bool:
        """Whether these settings leave the baseline as it is."""
        raise AttributeError(f"{type(self).__name__} does not say which settings are off.")

    @property
    def strength(self) -> float:
        """The setting along which a dose-response figure is drawn."""
        raise AttributeError(f"{type(self).__name__} does not name its strength.")

    @property
    def variant(self) -> str:
        """What is held fixed along a dose-response line, as a word of prose; may be empty."""
        return ""

    @property
    def reading(self) -> str:
        """How trajectories with the technique are read: the selected epoch, unless it stops by itself."""
        return "selected" if self.replayable else "last"

    @property
    def label(self) -> str:
        """Name of an arm with this technique, unique among its settings."""
        return " ".join(part for part in (self.title, f"{self.strength:g}", self.variant) if part)

    def settings(self) -> dict[str, Any]:
        """Return the settings as plain values, by name."""
        return dataclasses.asdict(self)

    def structure(self) -> tuple[Any, ...]:
        """Return what must be compiled anew when it changes: the class and the settings that are no values."""
        fixed = {key: value for key, value in self.settings().items() if key not in self.values}
        return (type(self), *sorted(fixed.items()))

    def parts(self) -> tuple[Technique, ...]:
        """Return the techniques that it consists of; a combination has several."""
        return (self,)

    def members(self, recipe: Recipe) -> tuple[Recipe, ...]:
        """Return the recipes of the models that are trained side by side; () is one model with the technique."""
        del recipe
        return ()

    @property
    def combine(self) -> Literal["mean", "median"]:
        """How the predictions of its members become one."""
        return "mean"

    def unfit(self, info: TaskInfo) -> str:
        """Return why the technique makes no sense on a task, or "" where it does."""
        del info
        return ""

    def check(self, recipe: Recipe) -> None:
        """Raise a ValueError if the technique cannot work in a recipe, such as one with batches of one."""

    def before_lstm(self, name: str) -> keras.layers.Layer | None:
        """Return a layer to place in front of an LSTM layer, or None.

        Args:
            name: A name for it, unique in the network, such as ``"dropout_1"``.
        """
        del name
        return None

    def after_lstm(self, name: str) -> keras.layers.Layer | None:
        """Return a layer to place between one LSTM layer and the next, or None."""
        del name
        return None

    def in_cell(self, name: str) -> CellHook | None:
        """Return a regularizer to place inside the cell of an LSTM layer, or None."""
        del name
        return None

    def on_batch(self, name: str) -> Augmentation | None:
        """Return what changes every training batch, or None."""
        del name
        return None

    def in_update(self, name: str) -> UpdateHook | None:
        """Return what acts on weights and gradients around every update, or None."""
        del name
        return None

    @property
    def recomputes(self) -> bool:
        """Whether moving statistics are computed anew over the training part in front of each evaluation."""
        return False

    @property
    def streams(self) -> str:
        """Name of the random streams that a run with it draws from; "" are those that all arms share."""
        return ""

    @property
    def passes(self) -> int:
        """How many noisy predictions an evaluation averages; 0 is one prediction without noise."""
        return 0

    def rows(self, n: int, info: TaskInfo, rng: np.random.Generator) -> np.ndarray | None:
        """Return which of the `n` training samples are trained on, with repetitions, (n,); None is each once."""
        del n, info, rng
        return None

    def learning_rate(self, update: np.ndarray, updates: int) -> np.ndarray | None:
        """Return the factor on the learning rate at each update (from 0) of `updates` in all, or None."""
        del update, updates
        return None

    def in_stages(self, recipe: Recipe) -> Stages | None:
        """Return the stages of a run in which several networks come to predict together, or None."""
        del recipe
        return None


def check_importable(cls: type[Technique]) -> None:
    """Raise an error unless workers can import a technique and its name is its own."""
    try:
        module_path(cls.__module__)
        nested = "<locals>" in cls.__qualname__
    except ValueError:
        nested = True
    if nested:
        msg = (
            "Workers import a technique from its file, and the identity of its runs counts that file. Expected a "
            "class at the top level of a module. In a notebook, begin the cell with `%%writefile my_technique.py` "
            f"and import the class from my_technique in the next cell. Received: class={cls.__module__}.{cls.__qualname__}"
        )
        raise TypeError(msg)
    if cls.__module__.startswith(f"{__package__}.") or "name" not in vars(cls):
        return
    from lstmstudy.techniques.registry import TECHNIQUES

    if cls.name in TECHNIQUES:
        msg = (
            "Every technique has a name of its own. Expected none of "
            f"{', '.join(sorted(TECHNIQUES))}. Received: name={cls.name!r}"
        )
        raise ValueError(msg)
