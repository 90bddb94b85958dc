"""What a task asks for, within the server's limits."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, TypeVar

from geco.choices import CHOICES
from geco.serve.jobs import MeshTask, Task
from geco.serve.samples import SamplesTask
from geco.serve.settings import Limits

TaskKind = TypeVar("TaskKind", bound=Task)


def within(task: TaskKind, model: dict[str, Any], limits: Limits) -> TaskKind:
    """The task with the model's own sizes and steps lowered to the server's limits, where nothing else was
    asked for.
    """
    if isinstance(task, SamplesTask):
        return replace(task, task=within(task.task, model, limits))
    if not isinstance(task, MeshTask):
        return task
    values = dict(task.values)
    for row in CHOICES:
        most = getattr(limits, row.limit) if row.limit else math.inf
        textureless = row.name == "texture_size" and values.get("vertex_colors")
        if values.get(row.name) is None and model.get(row.name, 0) > most and not textureless:
            values[row.name] = most
    return replace(task, values=values)
