"""One run in Blender's main thread: it asks the thread now and then, and at the end makes the objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from .made import fitted, spots
from .objects import add_object
from .work import Work

GAP = 1.2  # between the middles of neighbours, of the widest one


@dataclass(frozen=True)
class Placing:
    """Where the objects go.

    Attributes:
        size: longest side in metres, or None. pivot: see :func:`fitted`.
        collection: name of a new one; None: where the user is.
        columns: objects a row.
    """

    size: float | None
    pivot: str
    collection: str | None
    columns: int


@dataclass
class Run:
    """A work under way, and where its objects go. All objects are made at the end, so that they are one step
    of undo, whatever the user did in between.
    """

    work: Work
    placing: Placing

    def start(self, context: Any) -> None:
        """Begin."""
        status = context.window_manager.geco
        status.running, status.stop = True, False
        self.work.start()
        self.tick(context)

    def tick(self, context: Any) -> bool:
        """Show how far it is, hand a cancel on; whether it still runs."""
        status = context.window_manager.geco
        if status.stop:
            self.work.cancel()
        running = self.work.running
        status.factor, status.text = self.work.factor, self.work.text
        return running

    def end(self, context: Any) -> None:
        """Nothing is under way any more."""
        self.work.cancel()
        context.window_manager.geco.running = False

    def finish(self, context: Any) -> list[Any]:
        """The new objects, selected."""
        self.end(context)
        ready = [fitted(made, self.placing.size, self.placing.pivot) for made in self.work.made]
        if not ready:
            return []
        collection = context.collection
        if self.placing.collection is not None:
            collection = bpy.data.collections.new(self.placing.collection)
            context.scene.collection.children.link(collection)
        widest = np.max([made.extent for made in ready], axis=0) * GAP
        places = spots(len(ready), self.placing.columns, (float(widest[0]), float(widest[1])))
        places += np.array(context.scene.cursor.location)
        created = [add_object(made, collection, place) for made, place in zip(ready, places)]
        _select(context, created)
        return created


def _select(context: Any, created: list[Any]) -> None:
    if context.mode != "OBJECT":  # whoever edits something stays there
        return
    layer = context.view_layer
    for other in layer.objects.selected[:]:
        other.select_set(False)
    shown = [one for one in created if one.visible_get()]
    for one in shown:
        one.select_set(True)
    if shown:
        layer.objects.active = shown[0]
