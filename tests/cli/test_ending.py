"""Whatever stops a command, one line says so, the exit code is the expected one, and files are whole."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from geco import memory
from geco.cli import ending
from geco.errors import ConfigError, MissingExtraError
from tests.cases import BUGS
from tests.cli_command import SOURCE, geco

resource = pytest.importorskip("resource")
TOY = BUGS / "run" / "toy.png"
QUICK = ("cameras", "--json")  # a command of a tenth of a second


def _unloaded(why: ImportError) -> MissingExtraError:
    """What is said where a library cannot be imported."""
    error = MissingExtraError("torch", "torch", "the model 'x'")
    error.__cause__ = why
    return error


def start(*arguments: str | Path, **more: object) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), **more.pop("environment", {})}  # type: ignore
    command = [sys.executable, "-m", "geco.cli.main", *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, **more)  # type: ignore


def shell(line: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """A line of sh in which ``$geco`` is this checkout's command."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(SOURCE),
        "geco": f"{sys.executable} -m geco.cli.main",
        **variables,
    }
    return subprocess.run(["sh", "-c", line], env=environment, capture_output=True, timeout=120)


@pytest.mark.parametrize("mebibytes", [90, 520, pytest.param(900, marks=pytest.mark.slow)])
def test_too_little_memory_ends_in_one_line_that_names_what_to_lower(tmp_path: Path, mebibytes: int) -> None:
    out = tmp_path / "o.glb"
    limit = (mebibytes << 20,) * 2
    done = geco("run", TOY, "-o", out, "-q", preexec=lambda: resource.setrlimit(resource.RLIMIT_AS, limit))
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("geco: not enough memory"), done.stderr
    assert mebibytes < 256 or "--resolution" in done.stderr
    assert done.stdout == "" and not list(tmp_path.iterdir())


@pytest.mark.parametrize("mebibytes", [700, 1350])
def test_a_model_on_torch_without_room_for_its_samples_ends_in_one_line(
    tmp_path: Path, mebibytes: int
) -> None:
    """Below what torch needs for itself, and where it cannot allocate: 8 sets of views take 1 GB."""
    limit = (mebibytes << 20,) * 2
    model = Path(__file__).parents[2] / "models" / "small" / "teacher"
    wanted = ("--model", model, "--device", "cpu", "--samples", "8", "--steps", "1", "-o", tmp_path / "out/")
    done = geco("run", TOY, *wanted, preexec=lambda: resource.setrlimit(resource.RLIMIT_AS, limit))
    assert done.returncode == 2 and done.stdout == "", done.stderr
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("geco: not enough memory"), done.stderr
    advice = ("--samples", "--max-memory", "--texture-size", "fp16", "offload")
    for said in advice if mebibytes > 1024 else ["torch alone needs 1024 MiB"]:
        assert said in done.stderr
    assert not list(tmp_path.rglob("*.glb"))


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (MemoryError(), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (RuntimeError("can't start new thread"), True),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
            True,
        ),
        (RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"), True),
        (RuntimeError("shapes do not match"), False),
        (ImportError("libx.so: failed to map segment from shared object"), True),
        (ValueError("out of memory"), False),
        (ConfigError("not enough memory"), False),
        (RuntimeError("could not create a primitive"), True),
        (_unloaded(ImportError("libx.so: failed to map segment from shared object")), True),
        (_unloaded(ImportError("No module named 'torch'")), False),
    ],
)
def test_a_shortage_of_memory_is_known_by_type_or_text(error: Exception, found: bool) -> None:
    assert memory.is_shortage(error) is found


def test_a_full_disk_behind_standard_output_is_one_line_and_the_mesh_is_whole(tmp_path: Path) -> None:
    for unbuffered in ("", "1"):
        out = tmp_path / f"o{unbuffered}.glb"
        done = shell(f'$geco run "{TOY}" -o "{out}" --json >/dev/full', PYTHONUNBUFFERED=unbuffered)
        assert done.returncode == 2 and done.stderr.count(b"\n") == 1 and b"standard output" in done.stderr, (
            done.stderr
        )
        assert out.read_bytes()[:4] == b"glTF"
    done = shell("$geco run --help >/dev/full")
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1, done.stderr


def test_a_reader_that_leaves_gives_exit_code_141_and_no_line(tmp_path: Path) -> None:
    pictures = tmp_path / "in"
    pictures.mkdir()
    for name in "abc":
        (pictures / f"{name}.png").write_bytes(TOY.read_bytes())
    run = start(
        "run", pictures, "-o", tmp_path / "out", "--json", "--texture-size", "64", stdout=subprocess.PIPE
    )
    assert run.stdout is not None and run.stdout.readline().startswith(b"{")
    run.stdout.close()
    _, said = run.communicate(timeout=60)
    assert (run.returncode, said) == (141, b"")
    written = list((tmp_path / "out").iterdir())
    assert 1 <= len(written) < 3 and all(path.read_bytes()[:4] == b"glTF" for path in written)


def test_messages_that_nobody_takes_do_not_end_the_work() -> None:
    assert shell("$geco run nothing.png 2>/dev/full").returncode == 2
    assert shell("$geco data info --nonsense 2>/dev/full").returncode == 2


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_lead_nowhere(closed: str, tmp_path: Path) -> None:
    done = shell(f"$geco {' '.join(QUICK)} {closed}")
    assert done.returncode == 0 and done.stderr == b"", done
    done = shell(f"$geco run nothing.png {closed}")
    assert done.returncode == 2 and done.stdout == b"", done


@pytest.mark.parametrize("encoding", ["ascii", "cp932", "latin-1", "utf-8:strict", "cp1252:strict"])
def test_every_help_can_be_read_on_every_terminal(encoding: str) -> None:
    code = (
        "import argparse, sys; from geco.cli import streams; from geco.cli.main import parser; "
        "streams.make_usable()\n"
        "def show(p):\n    p.print_help()\n    p.print_help(sys.stderr)\n"
        "    [show(q) for a in p._actions if isinstance(a, argparse._SubParsersAction) for q in "
        "a.choices.values()]\n"
        "show(parser()); print('caf\\udce9 \\U0001f600')"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert (
        b"\\udce9" in done.stdout and done.stdout.decode(encoding.partition(":")[0]).count("usage: geco") > 15
    )


@pytest.mark.parametrize("name", ["C", pytest.param("tr_TR.UTF-8", marks=pytest.mark.slow)])
def test_a_folder_with_odd_names_is_done_under_every_locale(name: str, tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path / "in")
    os.mkdir(folder)
    for picture in (b"caf\xe9.png", "模型.png".encode(), b"zebra.png"):
        with open(os.path.join(folder, picture), "wb") as file:
            file.write(TOY.read_bytes())
    done = shell(
        f'$geco run "{tmp_path}/in" -o "{tmp_path}/out" --texture-size 64', LC_ALL=name, PYTHONUTF8="0"
    )
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out").iterdir())) == 3


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", pytest.param("SIGHUP", marks=pytest.mark.slow)])
def test_a_signal_ends_a_command_with_one_line_and_its_code(name: str, tmp_path: Path) -> None:
    number = getattr(signal, name)
    (tmp_path / "in").mkdir()
    for picture in range(30):
        (tmp_path / "in" / f"{picture}.png").write_bytes(TOY.read_bytes())
    run = start("run", tmp_path / "in", "-o", tmp_path / "out", "-q", stdout=subprocess.PIPE)
    while not list(tmp_path.glob("out/*.glb")):
        assert run.poll() is None, run.communicate()
        time.sleep(0.05)
    run.send_signal(number)
    _, said = run.communicate(timeout=30)
    assert run.returncode == 128 + number
    assert said.count(b"\n") == 1 and said.startswith(b"geco: ") and b"whole" in said, said
    assert all(
        path.suffix == ".glb" and path.read_bytes()[:4] == b"glTF" for path in (tmp_path / "out").iterdir()
    )


def test_nohup_is_respected(tmp_path: Path) -> None:
    code = (
        "import os, signal; from geco.cli import ending\nwith ending.signals(): os.kill(os.getpid(), "
        "signal.SIGHUP); print('on')"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, preexec_fn=ignore, timeout=30
    )
    assert done.stdout == b"on\n", done


def test_a_current_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    done = shell(
        f'mkdir "{tmp_path}/gone" && cd "{tmp_path}/gone" && rmdir "{tmp_path}/gone" && $geco run "{TOY}"'
    )
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1 and b"current folder" in done.stderr, (
        done.stderr
    )


def test_a_failure_of_the_system_is_a_line_and_with_debug_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def opens_a_folder() -> int:
        return len(tmp_path.read_bytes())

    assert ending.guarded(opens_a_folder, "run") == 2
    said = capsys.readouterr().err
    assert (
        said == f"geco: the system refused: {tmp_path}: Is a directory. Check paths, rights and free space.\n"
    )
    with pytest.raises(IsADirectoryError):
        ending.guarded(opens_a_folder, "run", debug=True)


def test_the_line_stands_alone_after_a_progress_bar() -> None:
    code = (
        "import sys; from geco.cli import ending, streams; from geco.errors import OutputError; "
        "streams.make_usable()\n"
        "def work():\n    sys.stderr.write('\\r 50%|bar'); raise OutputError('no space')\n"
        "sys.exit(ending.guarded(work, 'train'))"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, timeout=30)
    assert (done.returncode, done.stderr) == (2, b"\r 50%|bar\ngeco: no space\n")


def test_a_bug_of_ours_is_no_line_but_a_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        ending.guarded(lambda: 1 // 0, "run")
