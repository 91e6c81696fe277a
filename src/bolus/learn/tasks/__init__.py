"""What can be learned: one line of a table for each learned system."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bolus.core.errors import BadRecipe
from bolus.learn.tasks.amortised import NET
from bolus.learn.tasks.angiograms import ARTERIES, ICA
from bolus.learn.tasks.core_size import CORE_SIZE
from bolus.learn.tasks.maps import CTP_UNET, DSC_GAN
from bolus.learn.tasks.task import Task
from bolus.learn.tasks.thrombus import THROMBUS

__all__ = ["TASKS", "Task", "task"]


TASKS: Final[Mapping[str, Task]] = MappingProxyType(
    {chosen.name: chosen for chosen in (ICA, ARTERIES, THROMBUS, CORE_SIZE, CTP_UNET, DSC_GAN, NET)}
)

"""Every learned system by name."""


def task(name: str) -> Task:
    """Return a task by name.

    Raises
    ------
    BadRecipe
        If there is none of that name.
    """
    if name not in TASKS:
        raise BadRecipe("unknown task", wanted=", ".join(TASKS), found=name)
    return TASKS[name]
