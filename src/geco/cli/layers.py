"""Options of the service from three places: the command line, ``GECO_*`` variables, and a file of TOML. The
first that says something of an option decides, then its default. Made of the parser's own options, whatever
they are; no other command reads the environment.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from geco.errors import ConfigError, MissingExtraError

PREFIX = "GECO_"
MOST_FILE = 2**20  # bytes
# Below it two names are not taken for the same one misspelt: Kubernetes sets GECO_PORT_8000_TCP and the like
# for a service of the name geco.
ALIKE = 0.8
_SWITCH = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


class Layers:
    """The options of a command, to be filled in from file and environment.

    Args:
        command: the parser with all its options; none of them has a default of its own afterwards, and what
            the command line says of them is told apart from what it leaves out.
    """

    def __init__(self, command: argparse.ArgumentParser) -> None:
        command.add_argument(
            "--config",
            metavar="FILE",
            help=f"TOML with any of these options (port = 8080); each is also read from {PREFIX}NAME "
            f"({PREFIX}MAX_UPLOAD); first the command line counts, then the environment, then the file",
        )
        named = [
            action for action in command._actions if action.dest != "help"
        ]  # argparse has no public list
        self.actions = {_name(action): action for action in named}
        self.defaults = {action.dest: action.default for action in named}
        for action in named:
            action.help = (action.help or "").replace("%(default)s", str(action.default))
            action.default = argparse.SUPPRESS

    def fill(self, options: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> None:
        """Add to ``options`` whatever the command line left out.

        Raises:
            ConfigError: a file, a key or a value that is none. MissingExtraError: no reader of TOML.
        """
        set_ = self._of_environment(environment)
        file = getattr(options, "config", set_.get("config"))
        found = {**self.defaults, **(self._of_file(file) if file is not None else {}), **set_, "config": file}
        for name, value in found.items():
            if not hasattr(options, name):
                setattr(options, name, value)

    def _of_file(self, path: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, value in read(path).items():
            action = self.actions.get(name)
            if action is None or name == "config":
                near = "" if name == "config" else self._near(name, 0.6)
                remedy = (
                    f"Is it {near}?" if near else "The names are those of geco serve --help, without dashes."
                )
                raise ConfigError(f"{path}: no option of geco serve is called {name}", remedy)
            values[action.dest] = _of_toml(action, value, f"{path}: {name}")
        return values

    def _of_environment(self, environment: Mapping[str, str]) -> dict[str, Any]:
        variables = {_variable(name): action for name, action in self.actions.items()}
        values: dict[str, Any] = {}
        for name in sorted(name for name in environment if name.startswith(PREFIX)):
            action = variables.get(name)
            if action is not None:
                values[action.dest] = _of_text(action, environment[name], name)
            elif near := self._near(name.removeprefix(PREFIX).lower().replace("_", "-"), ALIKE):
                raise ConfigError(f"geco serve reads no variable {name}", f"Is it {_variable(near)}?")
        return values

    def _near(self, name: str, alike: float) -> str:
        return next(iter(get_close_matches(name, self.actions, 1, alike)), "")


def read(path: str) -> dict[str, Any]:
    """A file of TOML; raises ConfigError, naming the line, and MissingExtraError on Python 3.10."""
    from geco.reading import read_regular

    if sys.version_info >= (3, 11):
        import tomllib
    else:
        try:
            import tomli as tomllib
        except ImportError as error:
            raise MissingExtraError("tomli", "web", "a configuration file") from error
    try:
        return tomllib.loads(read_regular(path, MOST_FILE, ConfigError).decode())
    except ValueError as error:  # of TOML, and of bytes that are no UTF-8
        raise ConfigError(f"{path} is no TOML: {error}", "Write one option a line: port = 8080.") from error


def _of_toml(action: argparse.Action, value: Any, where: str) -> Any:
    """A value of the file: a number for a number, text for text, true for a switch, a list for what may be
    given several times.
    """
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise ConfigError(f"{where} is {value!r}", "Choose true or false.")
        return value
    if _is_list(action):
        return [_of_toml_one(action, each, where) for each in (value if isinstance(value, list) else [value])]
    return _of_toml_one(action, value, where)


def _of_toml_one(action: argparse.Action, value: Any, where: str) -> Any:
    wanted = (int, float) if action.type in (int, float) else (str,)
    if not isinstance(value, wanted) or isinstance(value, bool):
        kind = "a number" if action.type in (int, float) else "text in quotes"
        raise ConfigError(f"{where} is {value!r}", f"Give {kind}.")
    return _one(action, str(value), where)


def _of_text(action: argparse.Action, value: str, where: str) -> Any:
    """A value of the environment; several have commas between them."""
    if action.nargs == 0:
        if value.lower() not in _SWITCH:
            raise ConfigError(f"{where} is {value!r}", "Choose true or false.")
        return _SWITCH[value.lower()]
    if _is_list(action):
        return [_one(action, each.strip(), where) for each in value.split(",") if each.strip()]
    return _one(action, value, where)


def _one(action: argparse.Action, text: str, where: str) -> Any:
    """As the parser takes a word of the command line."""
    try:
        value = action.type(text) if callable(action.type) else text
    except (ValueError, TypeError, argparse.ArgumentTypeError):
        kind = "whole number" if action.type is int else "number"
        raise ConfigError(f"{where} is {text!r}", f"Give a {kind}.") from None
    if action.choices is not None and value not in action.choices:
        raise ConfigError(f"{where} is {text!r}", f"Choose one of {', '.join(map(str, action.choices))}.")
    return value


def _is_list(action: argparse.Action) -> bool:
    return isinstance(action, argparse._AppendAction)


def _name(action: argparse.Action) -> str:
    """Of the long option, without its dashes."""
    return next(each for each in action.option_strings if each.startswith("--")).removeprefix("--")


def _variable(name: str) -> str:
    return PREFIX + name.upper().replace("-", "_")
