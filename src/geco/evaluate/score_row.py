"""From what a method made of one picture to the finished rows of its columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from geco.cameras import rig
from geco.errors import GecoError, MissingExtraError, OutputError
from geco.evaluate.foreign import (
    LIKENESS_SIZE,
    Foreign,
    ReadMesh,
    align_mesh,
    find_mesh,
    read_mesh,
    search_pose,
)
from geco.evaluate.job import MethodResult
from geco.evaluate.methods import Method
from geco.evaluate.pictures import TILE, resized, save_strip, strip_path
from geco.evaluate.rows import Row
from geco.evaluate.scores import Measures, MeshArrays, score_mesh, score_pictures
from geco.evaluate.settings import Settings
from geco.evaluate.truth import CameraSet, Truth, camera_sets, on_white
from geco.images import over_white
from geco.mesh.types import Mesh
from geco.metrics.align import Alignment, align, apply, common_frame
from geco.metrics.images import not_white
from geco.types import Floats

MESHES = "meshes"


class Scorer:
    """Measures rows of one method and writes their pictures and meshes.

    Args:
        keep_meshes: write our meshes as GLB.
        read: reads meshes made elsewhere; by default in this process.
    """

    def __init__(
        self,
        report: Path,
        settings: Settings,
        method: Method,
        measures: Measures,
        keep_meshes: bool,
        read: ReadMesh = read_mesh,
    ) -> None:
        self.read = read
        self.report, self.settings, self.method, self.measures, self.keep = (
            report,
            settings,
            method,
            measures,
            keep_meshes,
        )
        self.cameras = camera_sets()

    def rows(
        self, truth: Truth, seed: int, outcome: MethodResult, error: str | None, facts: dict[str, Any]
    ) -> list[Row]:
        """One row a column. ``error``: why there is no outcome; ``facts``: of the loaded model."""
        rows = []
        for number, (column, variant) in enumerate(self.method.columns(self.settings.variants).items()):
            row: Row = {
                "method": column,
                "base": self.method.name,
                "variant": variant,
                "object": truth.key,
                "seed": seed,
            }
            try:
                if error is not None:
                    raise GecoError(error)
                # The views are the same for every variant: they stand in the first column only.
                if number == 0:
                    self._views(row, truth, column, seed, outcome)
                if self.method.kind == "meshes":
                    self._foreign(row, truth, column, seed)
                elif self.method.has_process:
                    self._own(row, truth, column, seed, outcome, variant, facts)
                row.setdefault("status", "ok")
            except (MissingExtraError, OutputError):
                raise  # of the machine, not of the method: started again, the row is measured
            except GecoError as problem:
                row |= {"status": "failed", "error": str(problem)}
            rows.append(row)
        return rows

    def _views(self, row: Row, truth: Truth, column: str, seed: int, outcome: MethodResult) -> None:
        if self.method.kind == "copy-input":
            views = np.repeat(over_white(truth.input)[None], len(truth.views["A"]), axis=0)
        elif self.method.kind == "model" and outcome.views is not None:
            views = outcome.views
        else:
            return
        native = views.shape[1]
        large = resized(views, self.settings.size)
        row["views"] = score_pictures(
            large, not_white(large).astype(np.float32), truth.views["A"], truth.input, self.measures
        )
        if native < self.settings.size:
            small = truth.rig_views(rig("zero123plus-v1.2"), native)
            row["views_native"] = {
                **score_pictures(
                    views, not_white(views).astype(np.float32), small, truth.input, self.measures
                ),
                "size": native,
            }
        save_strip(
            strip_path(self.report, truth.key, column, seed, "views"), resized(views, min(native, TILE))
        )

    def _own(
        self,
        row: Row,
        truth: Truth,
        column: str,
        seed: int,
        outcome: MethodResult,
        variant: str,
        facts: dict[str, Any],
    ) -> None:
        row["stages"] = dict(outcome.stages.get(variant, {}))
        row["seconds"] = row["stages"].get("total")
        row["memory"] = {"peak_mb": outcome.peak_mb, "gpu_mb": outcome.gpu_mb}
        row |= {name: facts.get(name) for name in ("sampling", "load_seconds", "warmup_seconds")}
        mesh = outcome.meshes[variant]
        if isinstance(mesh, str):
            raise GecoError(mesh)
        row["facts"] = outcome.facts[variant]
        if self.keep:
            from geco.mesh.export import save

            save(mesh, self.report / MESHES / truth.key / f"{column}-seed{seed}.glb")
        if self.settings.alignment == "search":
            found, row["alignment"] = search_pose(
                (mesh.vertices, mesh.faces), truth, lambda pose: self._from_input(mesh, pose)
            )
        else:
            found = align((mesh.vertices, mesh.faces), truth.mesh, "box")
            row["alignment"] = found.record()
        placed = _moved(mesh, found)
        self._compare(row, truth, column, seed, placed)
        if outcome.views is not None:
            row["mesh"] |= self._consistency(mesh, outcome.views, facts)

    def _foreign(self, row: Row, truth: Truth, column: str, seed: int) -> None:
        folder = Path(self.method.source)
        path = find_mesh(folder, truth.names)
        if path is None:
            row |= {"status": "missing", "error": f"no mesh of that name in {folder.name}"}
            return
        found = align_mesh(path, truth, self.settings.mesh_light, folder, self.read)
        row["alignment"] = found.alignment
        row["facts"] = {"faces": len(found.object.faces)}
        self._compare(row, truth, column, seed, found)

    def _compare(self, row: Row, truth: Truth, column: str, seed: int, placed: Mesh | Foreign) -> None:
        """Fill in the input's own view, the sets and the mesh's scores, and save the strips."""
        for name in ("input", *self.settings.sets):
            rgb, alpha = self._render(placed, self.cameras[name])
            row[name] = score_pictures(rgb, alpha, truth.views[name], truth.input, self.measures)
            if name != "input":
                save_strip(strip_path(self.report, truth.key, column, seed, name), rgb)
        surface = placed if isinstance(placed, Mesh) else placed.object
        arrays: MeshArrays = (surface.vertices, surface.faces)
        side = 1 / float(np.cbrt(np.linalg.det(common_frame(*truth.mesh)[:3, :3])))
        scores, facts = score_mesh(arrays, truth.mesh, side)
        row["mesh"] = scores
        row["volumes"] = facts

    def _render(self, placed: Mesh | Foreign, cameras: CameraSet) -> tuple[Floats, Floats]:
        """Bare colours on white (N, S, S, 3) and coverage (N, S, S)."""
        size = self.settings.size
        if isinstance(placed, Foreign):
            return placed.render(cameras, size, self.settings.mesh_light)
        from geco.render.shade_numpy import render_mesh

        rendered = [render_mesh(placed, pose, cameras.fov, size, engine="numba") for pose in cameras.poses]
        return on_white(np.stack(rendered))

    def _from_input(self, mesh: Mesh, pose: Alignment) -> Floats:
        from geco.render.shade_numpy import render_mesh

        camera = self.cameras["input"]
        return on_white(
            render_mesh(_moved(mesh, pose), camera.poses[0], camera.fov, LIKENESS_SIZE, engine="numba")
        )[0]

    def _consistency(self, mesh: Mesh, views: Floats, facts: dict[str, Any]) -> dict[str, float]:
        """How well the views that the mesh was made from agree with each other on it, in the
        model's own frame.
        """
        from geco.metrics.consistency import consistency

        cameras = rig(facts["rig"])
        found = consistency(views, cameras.poses(), cameras.fov, (mesh.vertices, mesh.faces))
        return {
            "consistency_rmse": found.rmse,
            "consistency_relative": found.relative,
            "views_iou": found.silhouette_iou,
        }


def _moved(mesh: Mesh, pose: Alignment) -> Mesh:
    return mesh.with_(vertices=apply(pose.matrix, mesh.vertices).astype(np.float32), normals=None)
