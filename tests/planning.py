"""Plans of small studies for tests: nothing is trained."""

from __future__ import annotations

import shutil

import pytest
from engine import stand_in, write_tuned

from lstmstudy import paths
from lstmstudy.data import CATALOG, Task
from lstmstudy.data.cache import task_cache
from lstmstudy.params.profile import load_profile
from lstmstudy.parsing.strict_yaml import ParamsError
from lstmstudy.plan import Plan, make_plan

SHIPPED = (
    "smoke",
    "default",
    "full",
)  # the sizes of the study; other profiles are the user's, and the tutorial's


def task_of(name, cache=None):
    """Return the named task without its data; planning needs its facts and its content hash alone."""
    del cache
    return Task(CATALOG[name], (), (), None, f"content of {name}")


def parameters(folder, text, name="mine"):
    """Copy the shipped techniques and designs into `folder` and write a profile beside them; return `folder`."""
    for part in ("techniques", "designs"):
        shutil.copytree(paths.PARAMS / part, folder / part)
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def plan_of(folder, name="mine"):
    """Return the plan of a profile in `folder`; it can have every task of the catalog."""
    return Plan(load_profile(name, folder), {task: task_of(task) for task in CATALOG}, folder)


def prepared_plan(folder, text, tasks=("sunspots", "digits_rows"), tuned=None):
    """Return the plan of a profile whose tasks are stand-ins that can be opened.

    `tuned` is a size of network; at it a made ``tuned.yaml`` has winners for all tasks.
    """
    shutil.copytree(paths.PARAMS, folder / "params")
    (folder / "params" / "mine.yaml").write_text(text, encoding="utf-8")
    if tuned:
        write_tuned(folder / "params", tasks, size=tuned)
    for name in tasks:
        stand_in(task_cache(folder / "store"), name)
    return make_plan("mine", store=folder / "store", folder=folder / "params")


def changed(folder, old, new, file="mine.yaml"):
    """Replace a text that is there once in a file."""
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def refusal(function, *arguments):
    """Return the ParamsError of a call: one line that says what came."""
    with pytest.raises(ParamsError) as caught:
        function(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    assert "Received: " in message
    return message


def shipped(folder):
    """Copy the shipped parameters into `folder`, with a made ``tuned.yaml`` beside them; return `folder`."""
    shutil.copytree(paths.PARAMS, folder, dirs_exist_ok=True)
    write_tuned(folder, ["digits_rows"])
    return folder
