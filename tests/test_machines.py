"""Machines that lack something: POSIX, a cache, a home, threads after a fork. Each works, or says
in one line what is missing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cases import BUGS
from tests.cli_command import SOURCE

EXAMPLE = SOURCE.parent / "examples" / "bus.png"
TOY = BUGS / "run" / "toy.png"
posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="a system with fork")

# Once in the ordinary way, for the libraries: they have ways of their own on Windows, which this system
# cannot play.
AS_ON_WINDOWS = """
import builtins, importlib, os, pkgutil, signal, sys
import geco
names = [found.name for found in pkgutil.walk_packages(geco.__path__, "geco.")]
for name in names:
    importlib.import_module(name)
for name in [name for name in sys.modules if name.split(".")[0] == "geco"]:
    del sys.modules[name]
MODULES = {"resource", "fcntl", "pwd", "grp", "termios", "tty", "pty", "posix", "syslog", "crypt"}
OS = ["fork", "forkpty", "register_at_fork", "getuid", "geteuid", "getgid", "getegid", "getgroups",
      "setsid", "getpgid", "killpg", "uname", "sched_getaffinity", "fchown", "fchmod", "chown",
      "O_NONBLOCK", "O_CLOEXEC",
      "O_DIRECTORY", "O_NOFOLLOW", "mkfifo", "WNOHANG", "waitstatus_to_exitcode", "getpriority",
      "setpriority", "nice", "sysconf", "statvfs", "posix_fadvise", "pread", "sendfile"]
SIGNALS = ["SIGKILL", "SIGHUP", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGQUIT", "SIGCHLD", "SIGXFSZ",
           "alarm", "setitimer", "ITIMER_REAL", "pthread_sigmask", "sigtimedwait", "pause"]
for module, missing in ((os, OS), (signal, SIGNALS)):
    for name in missing:
        if hasattr(module, name):
            delattr(module, name)
real = builtins.__import__
def without_posix(name, globals=None, locals=None, fromlist=(), level=0):
    if (globals or {}).get("__name__", "").split(".")[0] == "geco" and name.split(".")[0] in MODULES:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return real(name, globals, locals, fromlist, level)
builtins.__import__ = without_posix
for name in names:
    importlib.import_module(name)
assert len(names) > 250 and not hasattr(sys.modules["geco.files"].os, "fork"), len(names)
try:
    exec("import fcntl", {"__name__": "geco.test"})
except ModuleNotFoundError:
    print("imported", len(names))
"""


def python(code: str, *arguments: str | Path, **variables: str | None) -> subprocess.CompletedProcess[str]:
    """Run a program with this checkout's package; a variable of None is taken away."""
    given = {**os.environ, "PYTHONPATH": str(SOURCE), **variables}
    environment = {name: value for name, value in given.items() if value is not None}
    command = [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_every_module_loads_and_the_command_runs_without_posix(tmp_path: Path) -> None:
    out = tmp_path / "bus.glb"
    code = AS_ON_WINDOWS + "from geco.cli.main import main\nraise SystemExit(main(sys.argv[1:]))"
    more = ("-q", "--texture-size", "64")
    done = python(code, "run", EXAMPLE, "-o", out, *more, USERNAME="torch wants to know")
    assert done.returncode == 0 and done.stdout.startswith("imported "), done.stderr
    assert out.read_bytes()[:4] == b"glTF" and list(tmp_path.iterdir()) == [out]


@posix
def test_a_forked_child_ends_whether_it_uses_the_pipeline_or_not() -> None:
    """ONNX Runtime's threads do not come along: using or ending the parent's session would wait
    for them for ever.
    """
    code = """
import hashlib, multiprocessing, os, sys
from geco import GecoPipeline
from geco.surface_to_asset import AssetOptions
pipeline = GecoPipeline.from_pretrained("small")
def digest():
    mesh = pipeline(sys.argv[1], options=AssetOptions(texture_size=64)).mesh
    return hashlib.sha256(mesh.vertices.tobytes()).hexdigest()
def code_of(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
def fork(job):
    child = os.fork()
    if child == 0:
        sys.exit(job())
    return code_of(child)
if __name__ == "__main__":
    before = digest()
    assert fork(lambda: 3) == 3, "a child that does nothing"
    assert fork(lambda: 4 if digest() == before else 1) == 4, "a child that makes a mesh"
    assert fork(lambda: 5 if fork(lambda: 6) == 6 else 1) == 5, "a child of a child"
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(digest) == before
    assert digest() == before, "the parent goes on"
    print("ended")
"""
    done = python(code, TOY)
    assert done.returncode == 0 and done.stdout == "ended\n", done.stderr


KERNEL = "def add(a, b):\n    return a + b\n"
COMPILE = (
    "import sys; sys.path.insert(0, sys.argv[1]); import kernel; from geco.render.compiled import "
    "compiled, _cache_of\n"
    "f = compiled(kernel.add); assert f(1, 2) == 3; print(sum(f.stats.cache_hits.values()), "
    "_cache_of(kernel.add) is not None)"
)


def test_loops_are_compiled_where_no_cache_can_be_kept(tmp_path: Path) -> None:
    """Read-only package, no home: root may write everywhere, so a file stands where the cache's
    folder would be.
    """
    (tmp_path / "kernel.py").write_text(KERNEL)
    (tmp_path / "__pycache__").touch()
    done = python(COMPILE, tmp_path, HOME="/proc", XDG_CACHE_HOME="/proc/cache", NUMBA_CACHE_DIR=None)
    assert (done.returncode, done.stdout) == (0, "0 False\n"), done.stderr


def test_a_damaged_or_full_cache_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "kernel.py").write_text(KERNEL)
    cache = tmp_path / "cache"
    runs = [python(COMPILE, tmp_path, NUMBA_CACHE_DIR=str(cache)) for _ in range(2)]
    assert [run.stdout for run in runs] == ["0 True\n", "1 True\n"], runs
    for path in cache.rglob("*.nb?"):
        path.write_bytes(path.read_bytes()[:20])
    done = python(COMPILE, tmp_path, NUMBA_CACHE_DIR=str(cache))
    assert (done.returncode, done.stdout) == (0, "0 True\n"), done.stderr
    if sys.platform != "win32":
        full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10,) * 2)\n"
        done = python(full + COMPILE, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "full"))
        assert done.returncode == 0, done.stderr


def test_evaluation_goes_on_without_a_home(tmp_path: Path) -> None:
    objects = BUGS / "objects" / "same_name" / "a"
    more = ["--methods", "copy-input", "--protocol", "A", "--size", "32", "--clip-weights", "none"]
    code = "import sys; from geco.cli.main import main; raise SystemExit(main(sys.argv[1:]))"
    home = {
        "HOME": "/proc",
        "XDG_CACHE_HOME": None,
        "TORCH_HOME": None,
        "HF_HOME": None,
        "HF_HUB_OFFLINE": "1",
    }
    done = python(code, "evaluate", "--objects", objects, "-o", tmp_path / "report", *more, **home)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert "lpips_alex" in (tmp_path / "report" / "results.json").read_text()


@posix
def test_no_home_for_a_converted_model_is_one_line() -> None:
    """A user without HOME and without an entry in the list of users."""
    code = (
        "import os; os.environ.pop('HOME', None)\nimport pwd\n"
        "def nobody(number): raise KeyError(number)\npwd.getpwuid = nobody\n"
        "from geco.cli.main import main\nraise SystemExit(main(['run', 'x.png', '--model', 'some/model']))"
    )
    done = python(code, XDG_CACHE_HOME=None, HF_HOME=None, HF_HUB_OFFLINE="1")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and done.stderr.startswith("geco: "), (
        done.stderr
    )
