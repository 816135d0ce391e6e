"""run.py on tiny projects of its own in a temporary folder: real environments, real pip, no network."""

import ast
import importlib.util
import json
import os
import signal
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

RUN = Path(__file__).parents[1] / "run.py"

PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "villagemap"
dependencies = ["tiny"]
[dependency-groups]
dev = []
"""

BACKEND = """
import shutil
def build_editable(folder, config_settings=None, metadata_directory=None):
    return shutil.copy("villagemap-0-py3-none-any.whl", folder).replace("\\\\", "/").rpartition("/")[2]
"""

VILLAGEMAP = """
import sys, time, tiny
try:
    print(sys.argv[1:], flush=True)
    time.sleep(0 if "--no-serve" in sys.argv else 60)
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


def write_wheel(folder: Path, name: str, files: dict[str, str]) -> None:
    """A wheel of version 0 that pip takes."""
    facts = f"{name}-0.dist-info"
    files = files | {
        f"{facts}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 0\n",
        f"{facts}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{facts}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{facts}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-0-py3-none-any.whl", "w") as wheel:
        for path, content in files.items():
            wheel.writestr(path, content)


def start(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, folder / "run.py", *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONUTF8": "1"},
        timeout=120,
        check=False,
    )


def load(folder: Path) -> ModuleType:
    """run.py as a module whose project is ``folder``."""
    spec = importlib.util.spec_from_file_location("run_under_test", folder / "run.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder with nothing but run.py."""
    (tmp_path / "run.py").write_bytes(RUN.read_bytes())
    return tmp_path


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one dependency, set up from a folder of wheels."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "wheels").mkdir()
    write_wheel(folder / "wheels", "tiny", {"tiny.py": ""})
    write_wheel(folder, "villagemap", {"villagemap/__init__.py": "", "villagemap/__main__.py": VILLAGEMAP})
    for name, content in (("pyproject.toml", PYPROJECT), ("backend.py", BACKEND), ("constraints.txt", "tiny==0\n")):
        (folder / name).write_text(content, encoding="utf-8")
    (folder / "run.py").write_bytes(RUN.read_bytes())
    done = start(folder, "setup", "--wheels", str(folder / "wheels"))
    assert done.returncode == 0, done.stderr
    assert "Installing" in done.stderr
    return folder


def test_parses_on_old_pythons_and_needs_only_the_standard_library():
    tree = ast.parse(RUN.read_text(encoding="utf-8"), feature_version=(3, 8))
    imports = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    imports |= {str(n.module) for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert imports <= sys.stdlib_module_names


def test_old_python_is_told_so_and_nothing_is_made(bare: Path):
    code = (
        f"import runpy, sys; sys.version_info = (3, 8, 18); runpy.run_path({str(bare / 'run.py')!r}, None, '__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", code], capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 1
    assert "需要 Python 3.11" in done.stderr
    assert "needs Python 3.11 or newer" in done.stderr
    assert not (bare / ".venv").exists()


def test_help_makes_nothing(bare: Path):
    done = start(bare, "--help")
    assert done.returncode == 0
    for word in ("test", "setup", "bench", "--port", "--dir", "--open", "--no-serve", "--wheels"):
        assert word in done.stdout
    assert start(bare, "--nonsense").returncode == 2
    assert not (bare / ".venv").exists()


def test_second_start_installs_nothing_and_hands_the_words_on(project: Path, tmp_path: Path):
    done = start(project, "--no-serve", "--port", "8123", "--dir", str(tmp_path))
    assert done.returncode == 0
    assert done.stderr == ""
    assert ast.literal_eval(done.stdout) == ["demo", "--dir", str(tmp_path), "--port", "8123", "--no-serve"]


def test_default_workspace_lies_beside_run_py(project: Path):
    assert str(project / "workspace") in start(project, "--no-serve").stdout


def test_changed_pins_install_again_and_a_moved_project_is_made_again(project: Path):
    wheels = ("setup", "--wheels", str(project / "wheels"))
    (project / "constraints.txt").write_text("# changed\ntiny==0\n", encoding="utf-8")
    done = start(project, *wheels)
    assert "Installing" in done.stderr
    assert "Making" not in done.stderr
    stamp = project / ".venv" / "villagemap.json"
    stamp.write_text(json.dumps(json.loads(stamp.read_text()) | {"place": "elsewhere"}), encoding="utf-8")
    assert "Making" in start(project, *wheels).stderr
    assert start(project, *wheels).stderr == ""


def test_failed_install_says_what_to_do_and_leaves_no_stamp(bare: Path):
    (bare / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    (bare / "constraints.txt").write_text("", encoding="utf-8")
    (bare / "empty").mkdir()
    done = start(bare, "setup", "--wheels", str(bare / "empty"))
    assert done.returncode == 1
    assert "--wheels FOLDER" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (bare / ".venv" / "villagemap.json").exists()


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("everybody", [True, False])
def test_ctrl_c_ends_the_server_quietly(project: Path, everybody: bool):
    serving = subprocess.Popen(
        [sys.executable, project / "run.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert serving.stdout
    assert "demo" in serving.stdout.readline()
    if everybody:  # as a terminal does it
        os.killpg(serving.pid, signal.SIGINT)
    else:  # as a service manager may
        serving.send_signal(signal.SIGTERM)
    out, err = serving.communicate(timeout=20)  # returns only when the child is gone too: it holds the pipe
    assert serving.returncode == 0
    assert err == ""
    assert out == ("stopped\n" if everybody else "")


def test_pip_from_outside_installs_into_an_environment_without_pip(bare: Path):
    run = load(bare)
    venv.create(bare / ".venv", with_pip=False)
    pip = run.pip_command()
    assert pip[-2:] == ["--python", str(run.PYTHON)]
    listed = subprocess.run([*pip, "list", "--format", "json"], capture_output=True, text=True, check=True)
    assert json.loads(listed.stdout) == []


def test_no_pip_anywhere_says_what_to_install(bare: Path, monkeypatch: pytest.MonkeyPatch):
    run = load(bare)
    venv.create(bare / ".venv", with_pip=False)
    monkeypatch.setattr(sys, "executable", str(run.PYTHON))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit, match="apt install python3-venv python3-pip"):
        run.pip_command()


def test_browser_by_variable_path_and_usual_place(bare: Path, monkeypatch: pytest.MonkeyPatch):
    run = load(bare)
    chrome = bare / "Google" / "Chrome" / "Application" / "chrome.exe"
    chrome.parent.mkdir(parents=True)
    chromium = bare / ("chromium.exe" if os.name == "nt" else "chromium")
    for program in (chrome, chromium):
        program.touch(mode=0o755)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("VILLAGEMAP_BROWSER", raising=False)
    monkeypatch.setenv("PROGRAMFILES", str(bare))
    assert Path(run.find_browser()) == chrome
    monkeypatch.setenv("PATH", str(bare))
    assert Path(run.find_browser()) == chromium
    monkeypatch.setenv("VILLAGEMAP_BROWSER", "my-own-browser")
    assert run.find_browser() == "my-own-browser"
