"""The tables against the cube's topology, checked by other means than they were made by."""

from __future__ import annotations

import numpy as np
import pytest

from geco.isosurface import tables as cube

TABLES = cube.tables()
INSIDE = (np.arange(256)[:, None] >> np.arange(8) & 1).astype(bool)


def test_edges_join_corners_one_step_apart_and_each_face_has_four() -> None:
    assert (np.abs(cube.CORNERS[cube.EDGES[:, 0]] - cube.CORNERS[cube.EDGES[:, 1]]).sum(axis=1) == 1).all()
    assert len({frozenset(e) for e in cube.EDGES.tolist()}) == 12
    assert (np.bincount(cube.EDGE_AXIS) == 4).all()
    for axis in range(3):
        assert sorted(cube.EDGE_SLOT[axis == cube.EDGE_AXIS]) == [0, 1, 2, 3]


def test_crossed_edges_are_shared_out_among_the_dual_vertices() -> None:
    for case in range(256):
        members = [[e for e in group if e >= 0] for group in TABLES.dual_edges[case].tolist()]
        assert sorted(e for m in members for e in m) == np.flatnonzero(TABLES.crossing[case]).tolist()
        assert [len(m) >= 3 for m in members] == [i < TABLES.dual_count[case] for i in range(4)]
        for number, edges in enumerate(members):
            assert edges == sorted(edges)
            assert (TABLES.edge_dual[case, edges] == number).all()


def test_every_dual_vertex_stands_for_one_closed_loop() -> None:
    """On each face a loop passes through an even number of the face's edges, and walking it
    visits all its edges.
    """
    face_edges = [
        [e for e, ends in enumerate(cube.EDGES.tolist()) if set(ends) <= set(face)]
        for face in cube.FACES.tolist()
    ]
    for case in range(256):
        for dual in range(TABLES.dual_count[case]):
            on_faces = [(TABLES.edge_dual[case, edges] == dual).sum() for edges in face_edges]
            assert set(on_faces) <= {0, 2, 4}
            # A loop crosses every edge once and each edge lies on two faces: as many segments as edges.
            assert sum(on_faces) // 2 == (TABLES.edge_dual[case] == dual).sum()


def test_known_cases() -> None:
    assert TABLES.dual_count[[0, 1, 6, 22, 105, 126, 255]].tolist() == [0, 1, 2, 3, 4, 2, 0]
    assert TABLES.dual_edges[6, 0, :3].tolist() == [0, 1, 9]  # corners 1 and 2: apart, the lower corner first
    # corners 3 and 4 outside: ordered by outside corner
    assert TABLES.dual_edges[231, 0, :3].tolist() == [4, 5, 9]
    assert np.bincount(TABLES.dual_count).tolist() == [2, 162, 82, 8, 2]


def test_problem_cases_are_the_36_of_the_paper_and_come_apart_when_inverted() -> None:
    problem = np.flatnonzero(TABLES.problem_face >= 0)
    assert len(problem) == 36  # 12 of case C16, 24 of case C19
    for case in problem:
        face = cube.FACES[TABLES.problem_face[case]]
        assert INSIDE[case, face].sum() == 2  # diagonal
        edges = [e for e, ends in enumerate(cube.EDGES.tolist()) if set(ends) <= set(face.tolist())]
        assert len(set(TABLES.edge_dual[case, edges])) == 1
        assert len(set(TABLES.edge_dual[255 - case, edges])) == 2


@pytest.mark.parametrize("case", [1, 3, 51, 254])
def test_a_single_dual_vertex_looks_at_every_face(case: int) -> None:
    assert (TABLES.face_dual[case] == 0).all()
