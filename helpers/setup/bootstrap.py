"""Set up and start the course: ``python3 helpers/setup/bootstrap.py lab``. Needs nothing but Python itself.

``lab`` makes ``.venv``, installs the pinned requirements and opens JupyterLab; ``run ARGUMENTS`` makes the same with
the tools of the tests and runs ``python ARGUMENTS`` in it. A second call installs nothing unless the pins changed, and
a set-up that was interrupted is made anew. Written in the grammar of the first Python 3, so that an old one gets as
far as the sentence that says which is needed.
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
UNFINISHED = "unfinished"  # a file that lies in the environment as long as something is being installed
SETTINGS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}
REASONS = (  # a sign in what pip says, and what to do about it
    (
        "No space left on device",
        "The disk is full: the course needs 2 GB below {}. Make room, then run the same again.",
    ),
    (
        "quota exceeded",
        "Your disk quota is used up: the course needs 2 GB below {}. Make room, then run the same again.",
    ),
    ("Permission denied", "A folder cannot be written (pip says which, above). Move the course to one that is yours."),
)


class Stop(Exception):
    """Something that the person at the keyboard can mend; the text says how."""


def succeeds(python, code):
    """Whether an interpreter runs this code to its end; False as well if there is no such program."""
    try:
        command = [str(python), "-c", code]
        return subprocess.call(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def find_python():
    """The interpreter to use: this one, or one on the PATH that the pins are made for. Raises Stop if this is too old
    and there is no other."""
    if OLDEST <= tuple(sys.version_info[:2]) <= NEWEST:
        return sys.executable
    for name in OTHERS:
        if shutil.which(name) and succeeds(shutil.which(name), "import sys; sys.version_info >= (3, 11) or 1 / 0"):
            return shutil.which(name)
    if sys.version_info >= OLDEST:
        return sys.executable
    raise Stop(
        "Python >= 3.11 is needed, this is {}. Install a newer one (python.org, apt, brew), "
        "then: make lab PYTHON=python3.11".format(platform.python_version())
    )


def call(command, sentence):
    """Run a command; if it fails, stop with the reason that its error output names, else with a sentence."""
    process = subprocess.Popen([str(part) for part in command], cwd=str(ROOT), stderr=subprocess.PIPE)
    error = process.communicate()[1].decode("utf-8", "replace")
    sys.stderr.write(error)
    sys.stderr.flush()
    if process.returncode:
        for sign, reason in REASONS:
            if sign in error:
                raise Stop(reason.format(ROOT))
        raise Stop(sentence)


def inside(venv):
    """The interpreter of a virtual environment."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def pins(testing):
    """The file of pinned requirements: the learners', or with the tools of the tests."""
    return ROOT / ("tests/requirements.txt" if testing else "requirements.txt")


def fingerprint(testing):
    """Changes when what must be installed changes, and when the course is moved to another folder."""
    content = b"".join(path.read_bytes() for path in (pins(testing), ROOT / "pyproject.toml", Path(__file__)))
    return hashlib.sha256(content + str(ROOT).encode()).hexdigest()


def make(venv):
    """Make an empty environment in the place of whatever is there. Raises Stop if Python lacks a module for it."""
    python = find_python()
    if not succeeds(python, "import venv, ensurepip"):
        name = Path(python).name if Path(python).name.startswith("python3") else "python3"
        raise Stop("The module venv is missing. On Debian and Ubuntu: sudo apt install {}-venv".format(name))
    print("Making {} ...".format(venv.name), flush=True)
    if venv.exists():
        shutil.rmtree(str(venv))
    venv.mkdir()
    (venv / UNFINISHED).touch()
    call([python, "-m", "venv", venv], "The environment could not be made (why is said above).")


def setup(testing=False):
    """Make the environment, or leave it as it is when nothing has changed; returns its interpreter.

    Raises:
        Stop: too old a Python, no venv module, no network.
    """
    venv = ROOT / ".venv"
    stamps = {True: venv / "ready-test", False: venv / "ready"}
    for kind in (True,) if testing else (False, True):  # who has the tools of the tests has what a learner needs
        if stamps[kind].exists() and stamps[kind].read_text() == fingerprint(kind):
            return inside(venv)
    unfinished = venv / UNFINISHED
    whole = succeeds(inside(venv), "import pip, sys; sys.version_info >= (3, 11) or 1 / 0")
    if unfinished.exists() or not whole:
        make(venv)
    unfinished.touch()
    for stamp in stamps.values():
        if stamp.exists():
            stamp.unlink()
    install(inside(venv), testing)
    settings = venv / "share/jupyter/lab/settings"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "overrides.json").write_text(json.dumps(SETTINGS))
    extensions = venv / "etc/jupyter/jupyter_server_config.d"
    extensions.mkdir(parents=True, exist_ok=True)
    shutil.copy(str(EXTENSION), str(extensions))  # pip leaves data files of an editable install out
    stamps[testing].write_text(fingerprint(testing))
    unfinished.unlink()
    return inside(venv)


def install(python, testing):
    """Install the pins, with a torch without graphics card where there is one, and ``helpers``. Raises Stop."""
    # --no-user: whoever has set PIP_USER or "user = true" wants it for other environments.
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-user"]
    offline = "The requirements could not be installed (pip says why, above). Are you online? Then run the same again."
    print("Installing the requirements, a few minutes the first time ...", flush=True)
    torch = next(line for line in pins(testing).read_text().splitlines() if line.startswith("torch=="))
    held = "from importlib.metadata import version; version('torch').split('+')[0] == '{}' or 1 / 0"
    if sys.platform == "linux" and not succeeds(python, held.format(torch[len("torch==") :])):
        # Only torch itself is asked for there: an index that cannot be reached costs one short wait.
        options = ["--no-deps", "--retries", "0", "--timeout", "15", "--extra-index-url", CPU_INDEX]
        command = [str(part) for part in pip + options + [torch + "+cpu"]]
        if subprocess.call(command, stderr=subprocess.DEVNULL):
            print("No CPU-only torch could be had: installing the usual one, which is larger.", flush=True)
    call(pip + ["-r", pins(testing)], offline)
    call(pip + ["--no-deps", "-e", "."], offline)  # not ROOT: pip reads brackets in a path as extras


def check_port(port):
    """Raise Stop if somebody listens to this port already."""
    with socket.socket() as handle:
        if os.name != "nt":
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            handle.bind(("127.0.0.1", int(port)))
        except (OSError, ValueError, OverflowError):
            raise Stop("Port {} is taken or no port. Choose another: make lab PORT=8899".format(port)) from None


def become(command, **environment):
    """Hand over to another program: from here on Ctrl-C is its own. Returns its exit code where it must wait for it."""
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


def folders():
    """Environment variables that keep Jupyter's and IPython's files in ``.venv`` where the home cannot be written."""
    try:
        with tempfile.TemporaryFile(dir=os.path.expanduser("~")):
            return {}
    except OSError:
        print("Your home folder cannot be written: settings are kept in .venv.", flush=True)
    state = ROOT / ".venv/state"
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "MPLCONFIGDIR")
    return {name: str(state / name.lower()) for name in names}


def lab(arguments):
    """Open JupyterLab at the first lesson: on this machine only, with its token."""
    port = os.environ.get("PORT")
    if port:
        check_port(port)
    command = [setup(), "-m", "jupyterlab", FIRST_LESSON, "--ServerApp.ip=127.0.0.1"]
    command.append("--ServerApp.root_dir=" + str(ROOT))  # a user's own settings may name another
    command += ["--MappingKernelManager.cull_idle_timeout={}".format(IDLE_S)] + arguments
    if port:
        command += ["--ServerApp.port=" + port, "--ServerApp.port_retries=0"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    print("The kernel of a notebook whose tab is closed is shut down after an hour without work.", flush=True)
    return become(command, OMP_NUM_THREADS="1", **folders())


def main(arguments):
    try:
        if arguments[:1] == ["lab"]:
            return lab(arguments[1:])
        if arguments[:1] == ["run"] and arguments[1:]:
            return become([setup(testing=True)] + arguments[1:])
        print("say what to do: lab, or run ARGUMENTS OF PYTHON")
        return 2
    except Stop as reason:
        print(reason)
        return 1
    except OSError as reason:
        print("The set-up stopped: {}. Mend that, then run the same again.".format(reason))
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The same command takes it up again.")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
