"""Pictures from files, from a folder, or from the .blend: each starts a run, which is one step of undo."""

import time
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, StringProperty

from .fields import PICTURES, chosen
from .objects import pixels_of
from .preferences import preferences
from .running import Placing, Run
from .work import Failure, Job, Maker, Work

PAUSE = 0.05  # seconds between two looks at the thread
MANY = 4  # objects in one row; more become a square


def maker_of(context: Any) -> Maker:
    """Here or on a server, as the preferences say; raises Failure."""
    ours = preferences(context)
    choices = chosen(context.scene.geco, ours.place == "SERVER")
    if ours.place == "SERVER":
        from . import server

        return server.maker(
            server.Server(ours.address, ours.token, ours.model), choices, bpy.app.online_access
        )
    from . import local

    return local.maker(choices, ours.threads or None)


class Starting:
    """What the three operators share: ``jobs`` is theirs."""

    bl_options = {"UNDO"}  # noqa: RUF012
    collection: str | None = None

    @classmethod
    def poll(cls, context: Any) -> bool:
        """One run at a time."""
        return not context.window_manager.geco.running

    def jobs(self, context: Any, seeds: tuple[int, ...]) -> list[Job]:
        """What to do; raises Failure where there is nothing."""
        raise NotImplementedError

    def execute(self, context: Any) -> set[str]:
        """Start; without a window wait for the end."""
        settings = context.scene.geco
        apart = settings.best_of  # each sample looks at so many seeds
        seeds = tuple(range(settings.seed, settings.seed + settings.samples * apart, apart))
        try:
            jobs = self.jobs(context, seeds)
            work = Work(maker_of(context), jobs)
        except Failure as failure:
            self.report({"ERROR"}, str(failure))
            return {"CANCELLED"}
        count = len(jobs) * len(seeds)
        columns = len(seeds) if len(seeds) > 1 else count if count <= MANY else int(count**0.5 + 0.999)
        placing = Placing(settings.size or None, settings.pivot, self.collection, columns)
        self._run = Run(work, placing)
        self._run.start(context)
        if bpy.app.background:
            while self._run.tick(context):
                time.sleep(PAUSE)
            return self._finish(context)
        manager = context.window_manager
        self._timer = manager.event_timer_add(2 * PAUSE, window=context.window)
        manager.modal_handler_add(self)
        _show_status(context, True)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        """Everything else may be done meanwhile."""
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        running = self._run.tick(context)
        _redraw(context)
        if running:
            return {"PASS_THROUGH"}
        self._leave(context)
        return self._finish(context)

    def cancel(self, context: Any) -> None:
        """Blender ends or opens another file."""
        self._run.end(context)
        self._leave(context)

    def _leave(self, context: Any) -> None:
        context.window_manager.event_timer_remove(self._timer)
        _show_status(context, False)

    def _finish(self, context: Any) -> set[str]:
        work = self._run.work
        created = self._run.finish(context)
        kind = "WARNING" if created else "ERROR"
        for line in work.failures[:10]:
            self.report({kind}, line)
        if len(work.failures) > 10:
            self.report({kind}, f"{len(work.failures) - 10} more pictures failed")
        if not created:
            if work.stop.is_set() and not work.failures:
                self.report({"INFO"}, "GECO: cancelled")
            return {"CANCELLED"}
        self.report({"INFO"}, f"GECO: {len(created)} object{'s' if len(created) > 1 else ''} made")
        return {"FINISHED"}


class GECO_OT_from_files(Starting, bpy.types.Operator):
    """Make textured meshes of pictures, one object each"""

    bl_idname = "geco.from_files"
    bl_label = "Textured Mesh of Picture (GECO)"

    __annotations__ = {
        "directory": StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"}),
        "files": CollectionProperty(type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"}),
        "filepath": StringProperty(subtype="FILE_PATH", options={"HIDDEN", "SKIP_SAVE"}),
        "filter_image": BoolProperty(default=True, options={"HIDDEN"}),
        "filter_folder": BoolProperty(default=True, options={"HIDDEN"}),
    }

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Dropped files are there already; else they are asked for."""
        if self.directory and self.files:
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def jobs(self, context: Any, seeds: tuple[int, ...]) -> list[Job]:
        """The chosen files."""
        named = [Path(bpy.path.abspath(self.directory), item.name) for item in self.files if item.name]
        paths = named or ([Path(bpy.path.abspath(self.filepath))] if self.filepath else [])
        if not paths:
            raise Failure("no picture was chosen")
        return [Job(path.stem, path, seeds) for path in paths]


class GECO_OT_from_folder(Starting, bpy.types.Operator):
    """Make a textured mesh of every picture in a folder, in a collection of the folder's name"""

    bl_idname = "geco.from_folder"
    bl_label = "Textured Meshes of Folder (GECO)"

    __annotations__ = {
        "directory": StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"}),
        "filter_folder": BoolProperty(default=True, options={"HIDDEN"}),
    }

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Ask for the folder."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def jobs(self, context: Any, seeds: tuple[int, ...]) -> list[Job]:
        """Its pictures, by name."""
        folder = Path(bpy.path.abspath(self.directory))
        if not self.directory or not folder.is_dir():
            raise Failure(f"{self.directory or 'nothing'} is no folder")
        found = (path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
        paths = sorted(path for path in found if not path.name.startswith("."))
        if not paths:
            raise Failure(f"{folder} holds no picture")
        self.collection = folder.name
        return [Job(path.stem, path, seeds) for path in paths]


class GECO_OT_from_image(Starting, bpy.types.Operator):
    """Make a textured mesh of an image of this file"""

    bl_idname = "geco.from_image"
    bl_label = "Textured Mesh of Image (GECO)"

    __annotations__ = {
        "image": StringProperty(name="Image", description="By name; empty: the one that the panel shows"),
    }

    def jobs(self, context: Any, seeds: tuple[int, ...]) -> list[Job]:
        """The image's pixels as they are now."""
        image = bpy.data.images.get(self.image) if self.image else context.scene.geco.image
        if image is None:
            raise Failure(f"no image is called {self.image!r}" if self.image else "choose an image first")
        try:
            pixels = pixels_of(image)
        except ValueError as error:
            raise Failure(str(error)) from error
        return [Job(Path(image.name).stem, pixels, seeds)]


class GECO_OT_cancel(bpy.types.Operator):
    """Stop after the present step; objects that are ready are kept"""

    bl_idname = "geco.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Something runs."""
        return context.window_manager.geco.running

    def execute(self, context: Any) -> set[str]:
        """The run looks at it."""
        context.window_manager.geco.stop = True
        return {"FINISHED"}


def _show_status(context: Any, shown: bool) -> None:
    from .panel import draw_status

    if context.workspace is not None:
        context.workspace.status_text_set(draw_status if shown else None)


def _redraw(context: Any) -> None:
    _show_status(context, True)  # said again it is drawn again: no area's list holds that bar
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()
