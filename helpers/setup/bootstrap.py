"""Set up and start the course: ``python3 helpers/setup/bootstrap.py lab``. Needs nothing but Python itself.

``lab`` makes ``.venv``, installs the pinned requirements and opens JupyterLab; ``run ARGUMENTS`` also installs the
tools of the tests and runs ``python ARGUMENTS``. A second call installs nothing unless the pins changed, and a set-up
that was interrupted is repeated. This file contains only syntax of Python 3.0, so that an old Python can run it and
print which version is needed.
"""

import hashlib
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
OLDEST, NEWEST = (3, 11), (3, 14)  # the versions that the pins are made for
OTHERS = ("python3.14", "python3.13", "python3.12", "python3.11")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
FIRST_LESSON = "notebooks/00_start_here.ipynb"
EXTENSION = ROOT / "helpers/setup/embeddings_course.json"  # lets Jupyter Server load helpers.setup.server
IDLE_S = 3600
UNFINISHED = "unfinished"  # a file that exists in the environment while something is being installed
SETTINGS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}
REASONS = (  # a part of an error message of pip, and the message for the user
    (
        "No space left on device",
        "The disk is full: the course needs 2 GB in {}. Free some space, then run the same command again.",
    ),
    (
        "quota exceeded",
        "Your disk quota is exceeded: the course needs 2 GB in {}. Free some space, then run the same command again.",
    ),
    (
        "Permission denied",
        "A folder is not writable (see the message of pip above). Move the course to your own folder.",
    ),
)


class Stop(Exception):
    """An error that the user can correct; the message states how."""


def succeeds(python, code):
    """Whether an interpreter exists and runs this code without an error."""
    try:
        command = [str(python), "-c", code]
        return subprocess.call(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def find_python():
    """The interpreter to use: this one, or one on the ``PATH`` with a version for which the pins are made.

    Raises:
        Stop: this one is too old, and there is no other.
    """
    if OLDEST <= tuple(sys.version_info[:2]) <= NEWEST:
        return sys.executable
    for name in OTHERS:
        if shutil.which(name) and succeeds(shutil.which(name), "import sys; sys.version_info >= (3, 11) or 1 / 0"):
            return shutil.which(name)
    if sys.version_info >= OLDEST:
        return sys.executable
    raise Stop(
        "Python >= 3.11 is needed, this is {}. Install a newer version (python.org, apt, brew), "
        "then: make lab PYTHON=python3.11".format(platform.python_version())
    )


def call(command, message):
    """Run a command.

    Raises:
        Stop: it fails; with the message of :data:`REASONS` that fits its error output, else with ``message``.
    """
    process = subprocess.Popen([str(part) for part in command], cwd=str(ROOT), stderr=subprocess.PIPE)
    error = process.communicate()[1].decode("utf-8", "replace")
    sys.stderr.write(error)
    sys.stderr.flush()
    if process.returncode:
        for part, reason in REASONS:
            if part in error:
                raise Stop(reason.format(ROOT))
        raise Stop(message)


def interpreter(venv):
    """The interpreter of a virtual environment."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def pins(testing):
    """The file of pinned requirements, with or without the tools of the tests."""
    return ROOT / ("tests/requirements.txt" if testing else "requirements.txt")


def fingerprint(testing):
    """A digest of what has to be installed and of the folder of the course."""
    content = b"".join(path.read_bytes() for path in (pins(testing), ROOT / "pyproject.toml", Path(__file__)))
    return hashlib.sha256(content + str(ROOT).encode()).hexdigest()


def make(venv):
    """Make an empty environment, and delete an existing one.

    Raises:
        Stop: Python is too old, or lacks the modules ``venv`` or ``ensurepip``.
    """
    python = find_python()
    if not succeeds(python, "import venv, ensurepip"):
        name = Path(python).name if Path(python).name.startswith("python3") else "python3"
        raise Stop("The module venv is missing. On Debian and Ubuntu: sudo apt install {}-venv".format(name))
    print("Creating {} ...".format(venv.name), flush=True)
    if venv.exists():
        shutil.rmtree(str(venv))
    venv.mkdir()
    (venv / UNFINISHED).touch()
    call([python, "-m", "venv", venv], "The environment could not be created; see the message above.")


def setup(testing=False):
    """Make or update the environment if the pins changed; return its interpreter.

    Raises:
        Stop: too old a Python, no venv module, no network.
    """
    venv = ROOT / ".venv"
    stamps = {True: venv / "ready-test", False: venv / "ready"}
    for kind in (True,) if testing else (False, True):  # the requirements of the tests include those of the course
        if stamps[kind].exists() and stamps[kind].read_text() == fingerprint(kind):
            return interpreter(venv)
    unfinished = venv / UNFINISHED
    works = succeeds(interpreter(venv), "import pip, sys; sys.version_info >= (3, 11) or 1 / 0")
    if unfinished.exists() or not works:
        make(venv)
    unfinished.touch()
    for stamp in stamps.values():
        if stamp.exists():
            stamp.unlink()
    install(interpreter(venv), testing)
    settings = venv / "share/jupyter/lab/settings"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "overrides.json").write_text(json.dumps(SETTINGS))
    extensions = venv / "etc/jupyter/jupyter_server_config.d"
    extensions.mkdir(parents=True, exist_ok=True)
    shutil.copy(str(EXTENSION), str(extensions))  # pip leaves data files of an editable install out
    stamps[testing].write_text(fingerprint(testing))
    unfinished.unlink()
    return interpreter(venv)


def install(python, testing):
    """Install the pins and ``helpers``; torch without CUDA if it is available for this system.

    Raises:
        Stop: pip fails.
    """
    # --no-user: overrides PIP_USER and "user = true" in the settings of the user
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-user"]
    offline = (
        "The requirements could not be installed (see above). Check your connection, then run the same command again."
    )
    print("Installing the requirements (a few minutes the first time) ...", flush=True)
    torch = next(line for line in pins(testing).read_text().splitlines() if line.startswith("torch=="))
    installed = "from importlib.metadata import version; version('torch').split('+')[0] == '{}' or 1 / 0"
    if sys.platform == "linux" and not succeeds(python, installed.format(torch[len("torch==") :])):
        # Only torch is requested from this index, so that an unreachable index causes one short delay only.
        options = ["--no-deps", "--retries", "0", "--timeout", "15", "--extra-index-url", CPU_INDEX]
        command = [str(part) for part in pip + options + [torch + "+cpu"]]
        if subprocess.call(command, stderr=subprocess.DEVNULL):
            print("No CPU-only build of torch is available; installing the larger default build.", flush=True)
    call(pip + ["-r", pins(testing)], offline)
    call(pip + ["--no-deps", "-e", "."], offline)  # not ROOT: pip reads brackets in a path as extras


def check_port(port):
    """Raise Stop if a port is in use or invalid."""
    with socket.socket() as handle:
        if os.name != "nt":
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            handle.bind(("127.0.0.1", int(port)))
        except (OSError, ValueError, OverflowError):
            raise Stop("Port {} is in use or invalid. Choose another one: make lab PORT=8899".format(port)) from None


def replace_process(command, **environment):
    """Replace this process by another program; on Windows, wait for it and return its exit code."""
    command, environment = [str(part) for part in command], dict(os.environ, **environment)
    os.chdir(str(ROOT))
    if os.name != "nt":
        os.execve(command[0], command, environment)
    process = subprocess.Popen(command, env=environment)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            pass


def state_folders():
    """Environment variables that move the files of Jupyter to ``.venv`` if the home folder is not writable."""
    try:
        with tempfile.TemporaryFile(dir=os.path.expanduser("~")):
            return {}
    except OSError:
        print("Your home folder is not writable; settings are stored in .venv.", flush=True)
    state = ROOT / ".venv/state"
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "MPLCONFIGDIR")
    return {name: str(state / name.lower()) for name in names}


def lab(arguments):
    """Open JupyterLab at the first lesson: on this machine only, with its token."""
    port = os.environ.get("PORT")
    if port:
        check_port(port)
    command = [setup(), "-m", "jupyterlab", FIRST_LESSON, "--ServerApp.ip=127.0.0.1"]
    command.append("--ServerApp.root_dir=" + str(ROOT))  # overrides the settings of the user
    command += ["--MappingKernelManager.cull_idle_timeout={}".format(IDLE_S)] + arguments
    if port:
        command += ["--ServerApp.port=" + port, "--ServerApp.port_retries=0"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    print("The idle kernel of a notebook whose tab is closed is shut down after an hour.", flush=True)
    return replace_process(command, OMP_NUM_THREADS="1", **state_folders())


def main(arguments):
    """Run the command that the arguments name; return the exit status."""
    try:
        if arguments[:1] == ["lab"]:
            return lab(arguments[1:])
        if arguments[:1] == ["run"] and arguments[1:]:
            return replace_process([setup(testing=True)] + arguments[1:])
        print("usage: bootstrap.py lab | bootstrap.py run ARGUMENTS")
        return 2
    except Stop as reason:
        print(reason)
        return 1
    except OSError as reason:
        print("The set-up failed: {}. Correct this, then run the same command again.".format(reason))
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Run the same command again to continue.")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
