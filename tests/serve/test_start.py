"""`geco serve` that cannot start: one line, exit code 2, before the model is loaded."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from geco.cli.main import main, parser
from geco.cli.serve import settings_of
from geco.errors import ConfigError


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line."""
    assert main(["serve", *arguments]) == 2
    said = capsys.readouterr().err
    assert said.startswith("geco: ") and said.count("\n") == 1, said
    return said


@pytest.mark.parametrize("port", ["99999", "-1", "65536", "1000000000000000000000"])
def test_a_port_out_of_range(capsys: pytest.CaptureFixture[str], port: str) -> None:
    assert port in refused(capsys, "--port", port)


def test_a_port_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert "in use" in refused(capsys, "--port", port)


@pytest.mark.parametrize(
    "host", ["", "no-such-host.invalid", "300.1.1.1", "a" * 300, "bücher..example", "192.0.2.1", "host\x00x"]
)
def test_a_host_that_is_none_of_ours(capsys: pytest.CaptureFixture[str], host: str) -> None:
    refused(capsys, "--host", host, "--port", "0")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--max-texture", "8192"],
        ["--max-upload", "inf"],
        ["--max-upload", "nan"],
        ["--max-upload", "0"],
        ["--time-limit", "0"],
        ["--time-limit", "nan"],
        ["--memory", "-1"],
        ["--max-waiting", "-1"],
        ["--max-connections", "0"],
        ["--grace", "inf"],
        ["--cors", "example.org"],
        ["--token", ""],
        ["--token", "@no-such-file"],
        ["--token", "@."],
        ["--model", "no-such-model", "--port", "0"],
    ],
)
def test_options_out_of_range(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    refused(capsys, *arguments)


def test_the_token_comes_from_the_option_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def token(*arguments: str) -> str | None:
        options = parser("serve").parse_args(["serve", *arguments])
        options.layers.fill(options)
        return settings_of(options).access.token

    (tmp_path / "token").write_text("from-a-file\n")
    monkeypatch.delenv("GECO_TOKEN", raising=False)
    assert token() is None
    assert token("--token", "plain") == "plain"
    assert token("--token", f"@{tmp_path / 'token'}") == "from-a-file"
    monkeypatch.setenv("GECO_TOKEN", "from-the-environment")
    assert token() == "from-the-environment" and token("--token", "plain") == "plain"
    (tmp_path / "empty").touch()
    with pytest.raises(ConfigError):
        token("--token", f"@{tmp_path / 'empty'}")
