"""The set-up on machines with problems: messages instead of tracebacks, and recovery."""

import ast
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from helpers.setup.bootstrap import FIRST_LESSON
from tests.tools.refresh import ROOT

OFFLINE = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": ""}
OFFLINE |= {"PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
# A build backend that hands out a wheel made before: what is installed here needs no network.
PROJECT = '[project]\nname = "nothing"\nversion = "0"\n'
PROJECT += '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
BACKEND = "import shutil\ndef build_editable(folder, *options, **more):\n"
BACKEND += "    return shutil.copy('nothing-0-py3-none-any.whl', folder).replace('\\\\', '/').split('/')[-1]\n"


def wheel(folder: Path, name: str, version: str = "0", main: str = "") -> None:
    """A package that pip can install from a folder; ``python -m name`` runs ``main``."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    files = {f"{name}/__main__.py": main}
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A copy of the course with nothing but its set-up, and pins that are small."""
    root = tmp_path / "course"
    (root / "helpers/setup").mkdir(parents=True)
    (root / "tests").mkdir()
    for name in ("bootstrap.py", "embeddings_course.json"):
        shutil.copy(ROOT / "helpers/setup" / name, root / "helpers/setup" / name)
    (root / "pyproject.toml").write_text(PROJECT)
    (root / "backend.py").write_text(BACKEND)
    for name in ("requirements.txt", "tests/requirements.txt"):
        (root / name).write_text("torch==0\n")
    wheel(root, "nothing")
    return root


@pytest.fixture(scope="module")
def copied_venv(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """With these variables, ``python -m venv`` copies an environment: to install pip into a new one takes seconds."""
    folder = tmp_path_factory.mktemp("venv")
    made = folder / "made"
    subprocess.run([sys.executable, "-m", "venv", made], check=True)
    (folder / "venv.py").write_text(
        "import shutil, sys\nif __name__ == '__main__':\n"
        f"    shutil.copytree({str(made)!r}, sys.argv[1], symlinks=True, dirs_exist_ok=True)\n"
    )
    return {"PYTHONPATH": str(folder)}


def program(path: Path, text: str) -> Path:
    """A shell script that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)
    return path


def fake_venv(root: Path, *, install: str = "", has_torch: bool = False) -> Path:
    """An environment whose interpreter records its arguments and does not install anything."""
    torch = f"*\"version('torch')\"*) exit {int(not has_torch)};;"
    program(root / ".venv/bin/python", f'echo "$@" >> {root}/asked\ncase "$*" in {torch} *install*) {install};; esac')
    return root / "asked"


def boot(root: Path, *arguments: str, python: str | Path = sys.executable, **environment: str) -> tuple[int, str]:
    """Run the command: exit code and output; fails on a traceback."""
    command = [python, "helpers/setup/bootstrap.py", *arguments]
    done = subprocess.run(
        command, cwd=root, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert "Traceback" not in done.stdout
    return done.returncode, done.stdout


def test_a_second_run_installs_nothing_and_changed_pins_install_again(course: Path) -> None:
    asked = fake_venv(course)
    assert boot(course, "lab")[0] == 0
    first = asked.read_text()
    assert first.count("pip install") >= 2 and first.splitlines()[-1].startswith(f"-m jupyterlab {FIRST_LESSON}")
    assert "--ServerApp.ip=127.0.0.1" in first and "token" not in first and "password" not in first
    assert boot(course, "lab")[0] == 0
    second = asked.read_text().removeprefix(first)
    assert "pip install" not in second and "jupyterlab" in second
    with (course / "requirements.txt").open("a") as pins:
        pins.write("# changed\n")
    boot(course, "lab")
    assert "pip install" in asked.read_text().removeprefix(first + second)


def test_a_course_that_was_moved_is_installed_again(course: Path) -> None:
    """The editable install of ``helpers`` names the old folder."""
    fake_venv(course)
    assert boot(course, "lab")[0] == 0
    moved = course.rename(course.parent / "moved")
    asked = fake_venv(moved)
    assert boot(moved, "lab")[0] == 0 and "pip install" in asked.read_text()


def test_the_tests_have_their_own_pins_which_include_those_of_the_lab(course: Path) -> None:
    asked = fake_venv(course)
    boot(course, "run", "-m", "tests")
    assert "tests/requirements.txt" in asked.read_text() and asked.read_text().endswith("-m tests\n")
    before = asked.read_text()
    boot(course, "lab")
    assert "pip install" not in asked.read_text().removeprefix(before)


def test_the_exit_code_of_the_tests_is_returned(course: Path) -> None:
    fake_venv(course, install="exit 0;; *tests) exit 3")
    assert boot(course, "run", "-m", "tests")[0] == 3


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the usual torch needs no graphics card")
def test_only_torch_is_requested_from_the_index_of_torch(course: Path) -> None:
    """Each further package would cause a delay if the index cannot be reached."""
    asked = fake_venv(course)
    boot(course, "lab")
    torch, *others = [line for line in asked.read_text().splitlines() if "pip install" in line]
    assert torch.endswith("torch==0+cpu") and "--no-deps --retries 0" in torch and "whl/cpu" in torch
    assert len(others) == 2 and not any("whl/cpu" in line for line in others)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the usual torch needs no graphics card")
def test_without_the_index_of_torch_the_usual_torch_is_installed(course: Path) -> None:
    asked = fake_venv(course, install='if [[ "$*" = *+cpu ]]; then exit 1; fi')
    code, said = boot(course, "lab")
    assert code == 0 and "installing the larger default build" in said and "jupyterlab" in asked.read_text()


def test_set_up_fails_offline_recovers_online_and_then_starts_offline(
    course: Path, copied_venv: dict[str, str]
) -> None:
    """With a real pip."""
    code, said = boot(course, "lab", **copied_venv | OFFLINE)
    assert code == 1 and said.endswith("Check your connection, then run the same command again.\n")
    wheels = course / "wheels"
    wheel(wheels, "torch", "0+cpu")
    wheel(wheels, "jupyterlab", main="import sys\nprint('lab is here', sys.argv[1])")
    (course / "requirements.txt").write_text("torch==0\njupyterlab==0\n")
    (course / ".venv/leftover").touch()
    code, said = boot(course, "lab", **copied_venv | OFFLINE | {"PIP_FIND_LINKS": str(wheels)})
    assert code == 0 and f"lab is here {FIRST_LESSON}" in said and not (course / ".venv/leftover").exists()
    code, said = boot(course, "lab", **copied_venv | OFFLINE)
    assert code == 0 and said.endswith(f"lab is here {FIRST_LESSON}\n") and "Installing" not in said
    assert "fetchNews" in (course / ".venv/share/jupyter/lab/settings/overrides.json").read_text()
    assert "server" in (course / ".venv/etc/jupyter/jupyter_server_config.d/embeddings_course.json").read_text()


def test_set_up_works_with_unusual_settings_and_folders_of_the_user(course: Path) -> None:
    """A new environment and a real pip, told to install for the user; blanks and brackets in a name; without a home."""
    course = course.rename(course.parent / "My course [2026]")
    wheels = course / "wheels"
    wheel(wheels, "torch", "0+cpu")
    wheel(wheels, "jupyterlab", main="import os\nprint('lab is here', os.environ['JUPYTER_RUNTIME_DIR'])")
    (course / "requirements.txt").write_text("torch==0\njupyterlab==0\n")
    (course / "pip.conf").write_text("[global]\nuser = true\n")
    settings = {"PIP_CONFIG_FILE": str(course / "pip.conf"), "PIP_USER": "1", "HOME": "/dev/null/nobody"}
    code, said = boot(course, "lab", **OFFLINE | {"PIP_FIND_LINKS": wheels.as_uri()} | settings)
    assert code == 0, said
    assert "home folder is not writable" in said and f"lab is here {course}/.venv/state" in said


def test_a_writable_home_folder_is_used(course: Path) -> None:
    fake_venv(course)
    assert "home folder" not in boot(course, "lab", HOME=str(course))[1]


def test_a_full_disk_is_reported_as_such(course: Path) -> None:
    fake_venv(course, install="echo 'ERROR: [Errno 28] No space left on device' >&2; exit 1", has_torch=True)
    code, said = boot(course, "lab")
    assert code == 1 and "The disk is full" in said and "connection" not in said and "Errno 28" in said


def test_the_users_own_server_settings_do_not_hide_the_lessons(course: Path, tmp_path: Path) -> None:
    """What ``make lab`` passes on, given to a real server whose user has set another folder."""
    asked = fake_venv(course)
    code, said = boot(course, "lab")
    assert code == 0 and "shut down after an hour" in said
    passed = asked.read_text().splitlines()[-1].split()[3:]
    config = tmp_path / "config"
    config.mkdir()
    (config / "jupyter_server_config.py").write_text(
        f"c.ServerApp.root_dir = {str(tmp_path)!r}\nc.ServerApp.notebook_dir = {str(tmp_path)!r}\n"
    )
    start = f"app.initialize(argv={passed!r}, find_extensions=False, new_httpserver=False)"
    source = f"from jupyter_server.serverapp import ServerApp; app = ServerApp(); {start}; "
    source += "print(app.root_dir, app.kernel_manager.cull_idle_timeout)"
    environment = os.environ | {"JUPYTER_CONFIG_DIR": str(config)}
    done = subprocess.run([sys.executable, "-c", source], cwd=course, env=environment, capture_output=True, text=True)
    assert done.stdout.split() == [str(course), "3600"], done.stderr


def test_a_lesson_finds_the_package_of_its_own_checkout(tmp_path: Path) -> None:
    """Without an installation, and before one of another copy."""
    checkout = tmp_path / "a checkout"
    shutil.copytree(ROOT / "helpers", checkout / "helpers", ignore=shutil.ignore_patterns("__pycache__"))
    (checkout / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks/helpers.py", checkout / "notebooks")
    code = "import helpers; from helpers.setup import kernel; from helpers import Slider; "
    code += "print(helpers.__file__); print(kernel.__file__)"

    def found(*before: str) -> list[str]:
        command = [sys.executable, "-c", "; ".join([*before, code])]
        done = subprocess.run(command, cwd=checkout / "notebooks", capture_output=True, text=True)
        return done.stdout.splitlines() or done.stderr.splitlines()[-1:]

    assert found() == [str(checkout / "helpers/__init__.py"), str(checkout / "helpers/setup/kernel.py")]
    (told,) = found("import sys, importlib.util as util", "util.find_spec = lambda name: None")
    assert "anywidget and torch" in told and "make lab" in told and "requirements.txt" in told
    shutil.rmtree(checkout / "helpers")
    assert found() == [str(ROOT / "helpers/__init__.py"), str(ROOT / "helpers/setup/kernel.py")], "the installed one"


def test_an_interrupted_set_up_is_repeated(course: Path, copied_venv: dict[str, str]) -> None:
    asked = fake_venv(course, install="sleep 60")
    command = [sys.executable, "helpers/setup/bootstrap.py", "lab"]
    with subprocess.Popen(
        command,
        cwd=course,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        until = time.monotonic() + 20
        while not (asked.exists() and "pip install" in asked.read_text()) and time.monotonic() < until:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=20)[0]
    assert process.returncode == 130 and "Run the same command again to continue." in said and "Traceback" not in said
    (course / ".venv/leftover").touch()
    assert (
        "Creating .venv" in boot(course, "lab", **copied_venv | OFFLINE)[1] and not (course / ".venv/leftover").exists()
    )


def test_a_broken_environment_is_made_again(course: Path, copied_venv: dict[str, str]) -> None:
    broken = course / ".venv/bin"
    broken.mkdir(parents=True)
    (broken / "python").symlink_to("/nowhere/python")
    (course / ".venv/leftover").touch()
    assert "Creating .venv" in boot(course, "lab", **copied_venv | OFFLINE)[1]
    assert not (course / ".venv/leftover").exists() and (course / ".venv/bin/pip").exists()


def test_an_operating_system_error_is_reported(course: Path) -> None:
    (course / ".venv").write_text("somebody's file")
    code, said = boot(course, "lab")
    assert code == 1 and "The set-up failed" in said and (course / ".venv").read_text() == "somebody's file"


def test_a_port_in_use_is_reported(course: Path) -> None:
    asked = fake_venv(course)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, said = boot(course, "lab", PORT=str(taken.getsockname()[1]))
    assert code == 1 and "is in use" in said and "make lab PORT=8899" in said and not asked.exists()
    assert "in use or invalid" in boot(course, "lab", PORT="many")[1]


@pytest.fixture
def old_python(tmp_path: Path) -> Path:
    """An interpreter that says it is Python 3.9."""
    code = "import runpy, sys, platform; sys.version_info = (3, 9, 2); platform.python_version = lambda: '3.9.2'; "
    code += "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    return program(tmp_path / "old/python3", f'exec {sys.executable} -c "{code}" "$@"')


def test_an_old_python_prints_which_version_is_needed(course: Path, old_python: Path) -> None:
    code, said = boot(course, "lab", python=old_python, PATH="/nowhere")
    assert (code, said.count("\n")) == (1, 1)
    assert "Python >= 3.11 is needed, this is 3.9.2." in said and "make lab PYTHON=python3.11" in said


def test_an_old_python_finds_a_newer_one_that_works(
    course: Path, old_python: Path, copied_venv: dict[str, str]
) -> None:
    path = f"{course}/bin:/usr/bin:/bin"
    program(course / "bin/python3.14", "exit 127")  # a shim without a Python behind it
    program(course / "bin/python3.13", f'echo "$@" >> {course}/newer; exec {sys.executable} "$@"')
    boot(course, "lab", python=old_python, PATH=path, **copied_venv | OFFLINE)
    assert "-m venv" in (course / "newer").read_text() and (course / ".venv/pyvenv.cfg").exists()


def test_bootstrap_has_the_syntax_of_python_3_0() -> None:
    """An old Python must be able to run it until it prints its message."""
    tree = ast.parse((ROOT / "helpers/setup/bootstrap.py").read_text())
    newer = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Match, ast.AsyncFunctionDef)
    assert not [node for node in ast.walk(tree) if isinstance(node, newer)]
    unpacked = [node.elts for node in ast.walk(tree) if isinstance(node, ast.List | ast.Tuple | ast.Set)]
    assert not any(isinstance(element, ast.Starred) for elements in unpacked for element in elements)


def test_a_missing_venv_module_is_reported(course: Path) -> None:
    """As on a Debian without python3-venv."""
    (course / "lacks").mkdir()
    (course / "lacks/ensurepip.py").write_text("raise ImportError")
    code, said = boot(course, "lab", PYTHONPATH=str(course / "lacks"))
    assert code == 1 and "The module venv is missing" in said and "sudo apt install python3" in said


def test_make_alone_lists_the_targets() -> None:
    said = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True).stdout
    targets = "help lab test quick refresh site grading badges bench format lock clean"
    for target in targets.split():
        assert f"\n{target} " in "\n" + said


@pytest.mark.parametrize("user", ["0", "1000"])
def test_the_ci_script_installs_the_system_packages_of_the_tests(tmp_path: Path, user: str) -> None:
    """With a ``PATH`` that contains only a package manager; as root, and as a user with sudo."""
    for name in ("bash", "dirname", "env"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    program(tmp_path / "id", f"echo {user}")
    program(tmp_path / "sudo", f'echo sudo >> {tmp_path}/did; exec "$@"')
    program(tmp_path / "made", f'echo "make $* CI=$CI" >> {tmp_path}/did')
    program(
        tmp_path / "apt-get",
        f'echo "apt-get $*" >> {tmp_path}/did; [ $1 = update ] || {shutil.which("mv")} {tmp_path}/ma{{d,k}}e || exit 0',
    )
    said = tmp_path / "did"
    subprocess.run([ROOT / ".ci/run"], env={"PATH": str(tmp_path)}, check=True)
    *before, installed, made = said.read_text().splitlines()
    assert ("sudo" in before) == (user != "0") and installed.startswith("apt-get install -y")
    assert {"make", "chromium", "python3", "python3-venv", "util-linux", "bubblewrap", "firefox-esr", "nodejs"} <= set(
        installed.split()
    )
    assert made == "make test CI=true"
    for name in ("chromium", "firefox-esr", "node", "npm", "python3", "unshare", "git", "bwrap", "openssl"):
        program(tmp_path / name, "exit 0")
    said.unlink()
    subprocess.run([ROOT / ".ci/run"], env={"PATH": str(tmp_path)}, check=True)
    *again, made = said.read_text().splitlines()
    assert made == "make test CI=true" and not any("chromium" in line or "python3" in line for line in again)


def test_invalid_arguments_are_reported(course: Path) -> None:
    assert boot(course, "dance") == (2, "usage: bootstrap.py lab | bootstrap.py run ARGUMENTS\n")


def test_lessons_do_not_need_the_packages_of_graders() -> None:
    """Neither pins nor imports of lessons contain them; the grading command reports if they are missing."""
    graders = ("nbgrader", "distributed", "dask", "sqlalchemy")
    pinned = {line.split("==")[0] for line in (ROOT / "requirements.txt").read_text().splitlines()}
    assert "torch" in pinned and not pinned & set(graders)
    missing = f"import sys; sys.modules.update(dict.fromkeys({graders}))"
    for code, returns, says in (
        ("import helpers, helpers.exercises, helpers.homework", 0, ""),
        ("from helpers.grading.__main__ import main; sys.exit(main(['grade']))", 1, "make grading"),
    ):
        done = subprocess.run([sys.executable, "-c", f"{missing}; {code}"], cwd=ROOT, capture_output=True, text=True)
        assert (done.returncode, says in done.stderr, done.stderr.count("\n") < 2) == (returns, True, True), done.stderr
