"""Learned systems: cases, splits, networks, training, scores, export, and inference without PyTorch.

`import bolus.learn` and everything that a run needs of it work without PyTorch: a shipped network runs in
onnxruntime. Training, exporting and `on_device` need `pip install 'bolus[learn]'`.
"""

from __future__ import annotations

from bolus.learn.core_reply import LargeCore, large_core
from bolus.learn.device import on_device
from bolus.learn.ica import Segmenter, carotid
from bolus.learn.mappers import MAPPERS
from bolus.learn.tasks import TASKS, Task
from bolus.learn.thrombus import ClotFinder, clot_finder

__all__ = [
    "MAPPERS",
    "TASKS",
    "ClotFinder",
    "LargeCore",
    "Segmenter",
    "Task",
    "carotid",
    "clot_finder",
    "large_core",
    "on_device",
]
