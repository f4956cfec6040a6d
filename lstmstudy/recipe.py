"""What a model is trained with: techniques, and the recipe that they make up."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from lstmstudy.source import module_path
from lstmstudy.stages import Stages

if TYPE_CHECKING:
    import keras
    import numpy as np

    from lstmstudy.data import TaskInfo
    from lstmstudy.layers.augmentation import Augmentation
    from lstmstudy.layers.cell_hook import CellHook
    from lstmstudy.updates import UpdateHook

# Names that the techniques of this package have, each in a file of that name.
_TAKEN = frozenset(path.stem for path in Path(__file__).with_name("techniques").glob("[!_]*.py"))


@dataclasses.dataclass(frozen=True)
class Technique:
    """One regularizer with its settings. Subclass it, one file for each technique.

    The fields of the subclass are the settings. Those named in `values` may change without
    building the network anew (the compiled epoch receives them as numbers); every other field
    changes the network's structure.

    A subclass places itself by overriding one or more of `before_lstm`, `after_lstm`, `in_cell`,
    `on_batch`, `in_update`, `rows`, `learning_rate` and `passes`; the layers and hooks that the first
    five return must hold a Keras variable for each name in `values`. One that trains several models
    overrides `members` or `in_stages`, one that only scores a trajectory `reading`, one that is several others `parts`.
    `check` and `unfit` say with which settings, recipes and tasks it makes no sense.

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


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How one model is built and trained; without techniques it is the baseline.

    Techniques that are off are dropped and the others sorted by name, so that recipes which train
    the same model are equal.

    Args:
        layers: Number of LSTM layers.
        width: Units of each layer.
        epochs: Length of the whole trajectory; stopping is a reading of it.
        batch_size: Samples in one update.
        learning_rate: Step size of Adam.
        techniques: The regularizers that are on.
        member: Which member of an ensemble this is: every member draws from streams of its own; 0 is the
            single model.

    Raises:
        ValueError: If two settings of one technique are given, one that is only a reading, or one that
            cannot work with these settings.
    """

    layers: int = 2
    width: int = 32
    epochs: int = 40
    batch_size: int = 32
    learning_rate: float = 0.003
    techniques: tuple[Technique, ...] = ()
    member: int = 0

    def __post_init__(self) -> None:
        parts = tuple(part for technique in self.techniques for part in technique.parts())
        object.__setattr__(self, "techniques", parts)
        for technique in self.techniques:
            if technique.is_reading:
                msg = f"{technique.title} reads a trajectory and is no part of a recipe. Received: {technique!r}"
                raise ValueError(msg)
        names = [technique.name for technique in self.techniques]
        if len(set(names)) < len(names):
            msg = f"A recipe has each technique once. Received: techniques={names}"
            raise ValueError(msg)
        on = (technique for technique in self.techniques if not technique.is_off)
        object.__setattr__(self, "techniques", tuple(sorted(on, key=lambda technique: technique.name)))
        for technique in self.techniques:
            technique.check(self)

    def check_reading(self, reading: str) -> None:
        """Raise a ValueError if a trajectory of this recipe cannot be read in this way.

        The schedule of a technique that is not replayable depends on the planned length: an earlier epoch
        of it is not what a shorter training would have given.
        """
        for technique in self.techniques:
            if not technique.replayable and reading != "last":
                msg = (
                    f"{technique.title} plans its whole length ahead, so that only the end can be read. "
                    f"Expected 'last'. Received: reading={reading!r}"
                )
                raise ValueError(msg)

    @property
    def stages(self) -> Stages:
        """How its training is divided: as the technique that has stages says, or in a single one."""
        found = (technique.in_stages(self) for technique in self.techniques)
        return next((stages for stages in found if stages is not None), Stages(1, self.epochs))

    def role(self, consumer: str) -> str:
        """Return the name of a consumer's random stream, such as ``"batches"``, for this member."""
        own = [technique.streams for technique in self.techniques if technique.streams]
        member = [f"member/{self.member}"] if self.member else []
        return "/".join([*own, *member, consumer])

    def adding(self, *techniques: Technique) -> Recipe:
        """Return this recipe with further techniques."""
        return dataclasses.replace(self, techniques=(*self.techniques, *techniques))

    def describe(self) -> dict[str, Any]:
        """Return the recipe as plain values, as its identity counts them."""
        plain: dict[str, Any] = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "techniques"
        }
        plain["techniques"] = {technique.name: technique.settings() for technique in self.techniques}
        return plain

    def structure(self) -> tuple[Any, ...]:
        """Return what must be compiled anew when it changes; rates and the learning rate are values."""
        return (
            self.layers,
            self.width,
            self.batch_size,
            *(structure for technique in self.techniques if (structure := technique.structure())),
        )


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
    ours = cls.__module__.startswith(f"{__package__}.techniques.")
    if not ours and vars(cls).get("name") in _TAKEN:
        msg = (
            f"Every technique has a name of its own. Expected none of {', '.join(sorted(_TAKEN))}. "
            f"Received: name={cls.name!r}"
        )
        raise ValueError(msg)
