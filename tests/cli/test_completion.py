"""Tab completion, asked as bash asks for it: the words so far, and which of them is being completed."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from geco.cli.completion import SHELLS
from tests.cli_command import geco

pytest.importorskip("shtab")


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "geco.bash"
    path.write_text(geco("completion", "bash").stdout)
    return path


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        (["ru"], {"run"}),
        (["run", "--fac"], {"--faces"}),
        (["run", "my"], {"my photo.png"}),
        (["run", "my photo.png", "--format", "gl"], {"glb"}),
        (["data", "render", ""], {"meshes"}),
        (["serve", "--model", "me"], {"meshes"}),
        (["completion", ""], set(SHELLS)),
    ],
)
def test_bash_is_offered_commands_options_values_and_file_names(
    script: Path, tmp_path: Path, line: list[str], offered: set[str]
) -> None:
    (tmp_path / "my photo.png").touch()
    (tmp_path / "meshes").mkdir()
    words = shlex.join(["geco", *line])
    ask = f"""compopt() {{ :; }}; source {script}; COMP_WORDS=({words}); COMP_CWORD={len(line)}
    _shtab_geco; printf '%s\\n' "${{COMPREPLY[@]}}" """
    said = subprocess.run(["bash", "-c", ask], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert set(said.stdout.splitlines()) == offered


@pytest.mark.parametrize(("shell", "head"), [("zsh", "#compdef geco"), ("tcsh", "complete geco")])
def test_other_shells_get_their_own_script(shell: str, head: str) -> None:
    made = geco("completion", shell)
    assert made.returncode == 0 and head in made.stdout and "texture-size" in made.stdout
