"""Options of the service from the command line, the environment and a file: which counts, what is refused."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest

from geco.cli.main import parser
from geco.cli.serve import settings_of
from geco.errors import ConfigError
from tests.cli_command import geco

if sys.version_info < (3, 11):
    pytest.importorskip("tomli")


def filled(*arguments: str, file: Path | None = None, text: str = "", **variables: str) -> argparse.Namespace:
    """The options of ``geco serve ARGUMENTS --config FILE`` in an environment of these variables."""
    if file is not None:
        file.write_text(text)
        arguments = (*arguments, "--config", str(file))
    options = parser("serve").parse_args(["serve", *arguments])
    options.layers.fill(options, variables)
    return options


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "service.toml"


def test_the_command_line_counts_before_the_environment_before_the_file_before_the_default(
    file: Path,
) -> None:
    text = "port = 1\nmax-upload = 2\ngrace = 3.5\ncors = ['https://file.example']\n"
    options = filled(
        *("--port", "10", "--cors", "https://line.example"),
        file=file,
        text=text,
        GECO_PORT="20",
        GECO_MAX_UPLOAD="30",
        GECO_CORS="https://a.example, https://b.example",
    )
    assert (options.port, options.max_upload, options.grace, options.max_faces) == (10, 30.0, 3.5, 500_000)
    assert options.cors == ["https://line.example"]
    assert filled(file=file, text=text).cors == ["https://file.example"]
    assert filled(GECO_CORS="https://a.example, https://b.example").cors[1] == "https://b.example"
    assert settings_of(options).limits.upload == 30 * 2**20


def test_every_option_can_be_said_in_all_three_ways_and_means_the_same(file: Path) -> None:
    for name, action in parser("serve").parse_args(["serve"]).layers.actions.items():
        if name == "config":
            continue
        switch, number = action.nargs == 0, action.type in (int, float)
        value = "true" if switch else "7" if number else action.choices[0] if action.choices else "some"
        variable = {f"GECO_{name.upper().replace('-', '_')}": value}
        text = f"{name} = {value if switch or number else repr(value)}"
        ways = (
            filled(f"--{name}", *([] if switch else [value])),
            filled(**variable),
            filled(file=file, text=text),
        )
        assert len({repr(getattr(options, action.dest)) for options in ways}) == 1, name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max-uplaod = 3", "no option of geco serve is called max-uplaod. Is it max-upload?"),
        ("max_upload = 3", "Is it max-upload?"),
        ("zebra = 3", "names are those of geco serve --help"),
        ("[limits]\nport = 3", "no option of geco serve is called limits"),
        ("config = 'other.toml'", "no option of geco serve is called config"),
        ("port = '80'", "port is '80'. Give a number."),
        ("port = 80.5", "Give a whole number."),
        ("port = true", "port is True. Give a number."),
        ("quiet = 1", "quiet is 1. Choose true or false."),
        ("host = 127", "Give text in quotes."),
        ("sampler = 'euler'", "Choose one of ddim, euler-ancestral."),
        ("cors = ['a', 3]", "cors is 3. Give text in quotes."),
        ("port =", "is no TOML"),
        ("port = 1\nport = 2", "is no TOML"),
    ],
)
def test_what_is_wrong_in_the_file_is_said_in_one_line(file: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"service\.toml") as raised:
        filled(file=file, text=text)
    assert said in str(raised.value) and len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"GECO_MAX_UPLAOD": "3"}, "reads no variable GECO_MAX_UPLAOD. Is it GECO_MAX_UPLOAD?"),
        ({"GECO_PORT": "tcp://10.0.0.1:80"}, "GECO_PORT is 'tcp://10.0.0.1:80'. Give a whole number."),
        ({"GECO_GRACE": "soon"}, "Give a number."),
        ({"GECO_QUIET": "perhaps"}, "Choose true or false."),
        ({"GECO_SAMPLER": "euler"}, "Choose one of"),
        ({"GECO_CONFIG": "/no/such/file.toml"}, "/no/such/file.toml does not exist"),
    ],
)
def test_what_is_wrong_in_the_environment_is_said_in_one_line(variables: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        filled(**variables)
    assert said in str(raised.value)


def test_variables_of_others_are_let_alone() -> None:
    kubernetes = ("GECO_SERVICE_HOST", "GECO_SERVICE_PORT", "GECO_PORT_80_TCP_ADDR", "GECO_PORT_80_TCP_PORT")
    assert filled(**dict.fromkeys((*kubernetes, "GECO_SHARED", "GECO_COMFYUI", "GECOPORT"), "x")).port == 8000


def test_a_file_may_be_named_by_the_environment(file: Path) -> None:
    file.write_text("port = 5")
    assert filled(GECO_CONFIG=str(file)).port == 5


def test_the_command_ends_with_the_line_and_no_other_command_reads_any_of_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("max-uplaod = 3\n")
    ended = geco("serve", "--config", file)
    assert ended.returncode == 2 and ended.stderr.count("\n") == 1 and "max-upload?" in ended.stderr
    monkeypatch.setenv("GECO_MODEL", "/no/such/model")
    assert geco("info").returncode == 0
    assert geco("serve", "--port", "0").returncode == 2
