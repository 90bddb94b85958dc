"""What the command says of a cut-out: one line on standard error where it is doubtful, fields in JSON."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.cases import BUGS
from tests.cli_command import geco


def test_a_doubtful_cut_out_is_said_in_one_line_and_in_json(tmp_path: Path) -> None:
    shutil.copy(BUGS / "cutout" / "white_mug_on_white.png", tmp_path / "mug.png")
    shutil.copy(BUGS / "cutout" / "stray_pixel.png", tmp_path / "toy.png")
    done = geco("run", "mug.png", "toy.png", "-o", "out", "--json", "-q", "--samples", "2", cwd=tmp_path)
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("geco: mug.png: the cut-out is doubtful (")
    assert "--save-steps" in lines[0] and "transparent background" in lines[0]
    made = [json.loads(line) for line in done.stdout.splitlines()]
    facts = {(Path(fact["picture"]).name, fact["seed"]): fact for fact in made}
    for seed in (0, 1):
        mug, toy = facts["mug.png", seed], facts["toy.png", seed]
        assert mug["cutout_confidence"] < 0.4 and mug["cutout_doubt"] in lines[0]
        assert toy["cutout"] == "plain" and toy["cutout_confidence"] > 0.8 and toy["cutout_doubt"] is None
