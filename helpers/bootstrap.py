"""Set up and start the course: ``python3 helpers/bootstrap.py lab``. Needs nothing but Python itself.

``lab`` makes ``.venv``, installs the pinned requirements and opens JupyterLab; ``run ARGUMENTS`` makes the same with
the tools of the tests and runs ``python ARGUMENTS`` in it. A second call installs nothing unless the pins changed, and
a set-up that was interrupted is taken up again.
"""

import hashlib
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
NEWER = ("python3.14", "python3.13", "python3.12", "python3.11")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
FIRST_LESSON = "notebooks/00_start_here.ipynb"
SETTINGS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}


class Stop(Exception):
    """Something that the person at the keyboard can mend; the text says how."""


def find_python():
    """The interpreter to use: this one, or a newer one on the PATH. Raises Stop if there is none."""
    if sys.version_info >= OLDEST:
        return sys.executable
    for name in NEWER:
        if shutil.which(name):
            return shutil.which(name)
    found = platform.python_version()
    raise Stop(
        f"Python 3.11 or newer is needed, this is {found}. "
        "Install it (python.org, apt, brew), then: make lab PYTHON=python3.11"
    )


def call(command, sentence, **options):
    """Run a command; if it fails, stop with a sentence."""
    if subprocess.run([str(part) for part in command], cwd=str(ROOT), **options).returncode:
        raise Stop(sentence)


def inside(venv):
    """The interpreter of a virtual environment."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def works(venv):
    """Whether an environment is whole enough to install into."""
    if not inside(venv).exists():
        return False
    return subprocess.run([str(inside(venv)), "-m", "pip", "--version"], stdout=-3, stderr=-3).returncode == 0


def pins(testing):
    """The file of pinned requirements: the learners', or with the tools of the tests."""
    return ROOT / ("tests/requirements.txt" if testing else "requirements.txt")


def fingerprint(testing):
    """Changes when what must be installed changes."""
    content = pins(testing).read_bytes() + (ROOT / "pyproject.toml").read_bytes() + Path(__file__).read_bytes()
    return hashlib.sha256(content).hexdigest()


def setup(testing=False, venv=None):
    """Make the environment, or leave it as it is when nothing has changed; returns its interpreter.

    Raises:
        Stop: too old a Python, no venv module, no network.
    """
    venv = venv or ROOT / ".venv"
    stamps = {True: venv / "ready-test", False: venv / "ready"}
    enough = [stamps[True]] if testing else [stamps[False], stamps[True]]
    if any(stamp.exists() and stamp.read_text() == fingerprint(stamp == stamps[True]) for stamp in enough):
        return inside(venv)
    python = find_python()
    for stamp in stamps.values():
        if stamp.exists():
            stamp.unlink()
    if not works(venv):
        print(f"Making {venv.name} …", flush=True)
        install_venv = f"The module venv is missing. On Debian and Ubuntu: sudo apt install {Path(python).name}-venv"
        call([python, "-m", "venv", "--clear", venv], install_venv, stdout=subprocess.DEVNULL)
    pip = [inside(venv), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = "The requirements could not be installed (pip says why, above). Are you online? Then run the same again."
    print("Installing the requirements, a few minutes the first time …", flush=True)
    if sys.platform == "linux" and not has_torch(venv, testing):
        cpu = [*pip, "--retries", "0", "--extra-index-url", CPU_INDEX, torch_pin(testing) + "+cpu"]
        if subprocess.run([str(part) for part in cpu], stderr=subprocess.DEVNULL).returncode:
            print("No CPU-only torch could be had: installing the usual one, which is larger.", flush=True)
    call([*pip, "-r", pins(testing)], offline)
    call([*pip, "--no-deps", "-e", ROOT], offline)
    place = venv / "share/jupyter/lab/settings/overrides.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(SETTINGS))
    stamps[testing].write_text(fingerprint(testing))
    return inside(venv)


def torch_pin(testing):
    """The line of the requirements that pins torch."""
    return next(line for line in pins(testing).read_text().splitlines() if line.startswith("torch=="))


def has_torch(venv, testing):
    """Whether the environment holds the pinned torch."""
    code = "from importlib.metadata import version; print(version('torch'))"
    done = subprocess.run([str(inside(venv)), "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout.decode().strip().split("+")[0] == torch_pin(testing).split("==")[1]


def check_port(port):
    """Raise Stop if somebody listens to this port already."""
    with socket.socket() as handle:
        if os.name != "nt":
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            handle.bind(("127.0.0.1", int(port)))
        except (OSError, ValueError, OverflowError):
            raise Stop(f"Port {port} is taken or no port. Choose another: make lab PORT=8899") from None


def lab(arguments):
    """Open JupyterLab at the first lesson: on this machine only, with its token."""
    port = os.environ.get("PORT")
    if port:
        check_port(port)
    python = setup()
    command = [python, "-m", "jupyterlab", FIRST_LESSON, "--ServerApp.ip=127.0.0.1", *arguments]
    if port:
        command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    return subprocess.run(
        [str(part) for part in command], cwd=str(ROOT), env=dict(os.environ, OMP_NUM_THREADS="1")
    ).returncode


def main(arguments):
    try:
        if arguments[:1] == ["lab"]:
            return lab(arguments[1:])
        if arguments[:1] == ["run"] and arguments[1:]:
            return subprocess.run([str(setup(testing=True)), *arguments[1:]], cwd=str(ROOT)).returncode
        print("say what to do: lab, or run ARGUMENTS OF PYTHON")
        return 2
    except Stop as reason:
        print(reason)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The same command takes it up again.")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
