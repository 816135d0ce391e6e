#!/usr/bin/env python3
"""Start villagemap with one command. Needs Python 3.11 or newer and nothing else.

python3 run.py                      make .venv once, then show the sample county on http://127.0.0.1:8000
python3 run.py test [pytest words]  the linters, type checks, import contracts and all tests; with words for
                                    pytest only pytest runs, for a quick loop
python3 run.py setup [--wheels DIR] only install; from a folder of wheels where there is no internet
python3 run.py bench [words]        the benchmarks
"""

# Parses on Python 3.8, so that an old Python can be told that it is old.
from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "villagemap.json"  # what was installed, and for whom
INTERRUPTED = 130
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
WINDOWS_BROWSERS = ("Google/Chrome/Application/chrome.exe", "Microsoft/Edge/Application/msedge.exe")
MAC_BROWSERS = ("Google Chrome", "Chromium", "Microsoft Edge")
LINTERS = (("ruff", "check"), ("ruff", "format", "--check"), ("mypy", "--strict"), ("lint-imports",))


def say(zh: str, en: str) -> None:
    """Tell whoever started this; the message catalog isn't there yet, so in both languages."""
    print(f"{zh}\n{en}", file=sys.stderr, flush=True)


def run(command: list[str], **env: str) -> int:
    """Run in the project's folder and hand back the exit code, 130 after Ctrl-C."""
    child = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONUTF8": "1", **env})
    try:
        return child.wait()
    except KeyboardInterrupt:
        # a terminal's Ctrl-C reaches the child as well; a signal meant for us alone doesn't
        try:
            child.wait(3)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            child.terminate()
            child.wait()
        return INTERRUPTED


def succeeds(*command: str | Path) -> bool:
    """Whether a command exists and ends with 0; its talk is nobody's business."""
    try:
        return subprocess.run([str(c) for c in command], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def make_environment() -> None:
    """Make ``.venv`` afresh, with a pip of its own where Python brings one (Debian's may not)."""
    say("正在建立运行环境 .venv", "Making .venv")
    make = (sys.executable, "-m", "venv", "--clear", VENV)
    if not succeeds(*make) and not succeeds(*make, "--without-pip"):
        sys.exit(f"无法建立 {VENV}：请检查磁盘与权限。\nCan't make {VENV}: look at the disk and the rights.")


def pip_command() -> list[str]:
    """The words that start a pip which installs into ``.venv``: its own, else any other by ``--python``."""
    if succeeds(PYTHON, "-m", "pip", "--version"):
        return [str(PYTHON), "-m", "pip"]
    for pip in ([sys.executable, "-m", "pip"], ["pip3"], ["pip"]):
        if succeeds(*pip, "--python", PYTHON, "--version"):
            return [*pip, "--python", str(PYTHON)]
    sys.exit(
        "没有可用的 pip（22.3 以上）。Debian、Ubuntu：apt install python3-venv python3-pip，然后重试。\n"
        "No usable pip (22.3 or newer). Debian, Ubuntu: apt install python3-venv python3-pip, then try again."
    )


def requirements(*, dev: bool) -> list[str]:
    """What pyproject.toml asks for: the build backend, what runs and prints, and for developers what checks."""
    import tomllib  # noqa: PLC0415 - older Pythons lack it and must get as far as the version message

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    wanted += project["project"].get("optional-dependencies", {}).get("print", [])
    return wanted + (project["dependency-groups"]["dev"] if dev else [])


def fingerprint() -> str:
    """Changes when the pins do."""
    texts = [(ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


def read_stamp() -> dict[str, str]:
    """What stands in ``.venv``: place, run and dev; empty when there is nothing whole."""
    try:
        stamp: dict[str, str] = json.loads(STAMP.read_text(encoding="utf-8")) if PYTHON.exists() else {}
    except (OSError, ValueError):
        return {}
    return stamp


def install(*, dev: bool = False, wheels: Path | None = None) -> None:
    """Install the pinned dependencies and the project, unless the stamp says that nothing changed."""
    place = f"{sys.version} {ROOT}"  # an environment that was moved, or whose Python went, is made again
    stamp, pins = read_stamp(), fingerprint()
    if stamp.get("place") != place:
        make_environment()
        stamp = {"place": place}
    if stamp.get("dev" if dev else "run") == pins:
        return
    say("正在安装依赖（首次约一分钟）", "Installing dependencies (about a minute the first time)")
    pip = [*pip_command(), "install", "-q", "--disable-pip-version-check", "--no-warn-script-location"]
    source = ["--no-index", "--find-links", str(wheels)] if wheels else []
    project = ["--no-index", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    for words in ([*source, "-c", "constraints.txt", *requirements(dev=dev)], project):
        if run([*pip, *words]) != 0:
            sys.exit(
                "安装失败，原因见上。没有互联网时：python3 run.py setup --wheels 文件夹\n"
                "Installing failed, see above. Without internet: python3 run.py setup --wheels FOLDER"
            )
    stamp.update({"run": pins, **({"dev": pins} if dev else {})})
    STAMP.write_text(json.dumps(stamp), encoding="utf-8")


def find_browser() -> str | None:
    """Path of a Chromium, Chrome or Edge: by ``$VILLAGEMAP_BROWSER``, on the PATH, or in its usual place."""
    if os.environ.get("VILLAGEMAP_BROWSER"):
        return os.environ["VILLAGEMAP_BROWSER"]
    roots = [os.environ[k] for k in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA") if k in os.environ]
    places = [f"{root}/{program}" for root in roots for program in WINDOWS_BROWSERS]
    places += [f"/Applications/{app}.app/Contents/MacOS/{app}" for app in MAC_BROWSERS]
    found = [path for path in map(shutil.which, (*BROWSERS, *places)) if path]
    return found[0] if found else None


def install_browser() -> None:
    """Get Chromium and a Chinese font through apt where they are missing, on Debian as root."""
    release = Path("/etc/os-release")
    if not release.is_file() or "ID=debian" not in release.read_text().splitlines() or os.geteuid() != 0:
        return
    missing = [] if find_browser() else ["chromium"]
    if not succeeds("sh", "-c", "fc-list :lang=zh | grep -q ."):
        missing += ["fontconfig", "fonts-noto-cjk"]
    if missing:
        say("正在用 apt 安装浏览器与中文字体", "Installing a browser and a Chinese font through apt")
        run(["apt-get", "update", "-qq"])
        run(
            ["apt-get", "install", "-qqy", "--no-install-recommends", *missing],
            DEBIAN_FRONTEND="noninteractive",
        )


def test(words: list[str]) -> int:
    """Linters, types, contracts and tests up to the first that fails; with words for pytest, pytest alone."""
    install(dev=True)
    install_browser()
    browser = find_browser()
    if browser is None:
        say("没有找到 Chromium、Chrome 或 Edge", "No Chromium, Chrome or Edge: browser scenarios can't run")
        if os.environ.get("CI") == "true":
            return 1
    for linter in () if words else LINTERS:
        print("==", *linter, flush=True)
        code = run([str(SCRIPTS / linter[0]), *linter[1:]])
        if code != 0:
            return code
    return run([str(PYTHON), "-m", "pytest", *words], **({"VILLAGEMAP_BROWSER": browser} if browser else {}))


def answers(port: int) -> bool:
    """Whether something listens on this port of our own machine."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def open_page(port: int) -> None:
    """Open the page in the person's browser once it answers, within a minute."""
    for _ in range(240):
        if answers(port):
            webbrowser.open(f"http://127.0.0.1:{port}/")
            return
        time.sleep(0.25)


def demo(options: argparse.Namespace) -> int:
    """Build the sample county if there is none, and serve it until Ctrl-C."""
    words = ["demo", "--dir", str(options.dir.resolve()), "--port", str(options.port)]
    if options.no_serve:
        words.append("--no-serve")
    elif options.open and not answers(options.port):  # on a taken port the answer would be somebody else's page
        threading.Thread(target=open_page, args=(options.port,), daemon=True).start()
    code = run([str(PYTHON), "-m", "villagemap", *words])
    return 0 if code == INTERRUPTED else code  # Ctrl-C is how a server ends


def parser() -> argparse.ArgumentParser:
    """The words that run.py itself understands; those after test and bench go on to pytest and the benchmarks."""
    raw = argparse.RawDescriptionHelpFormatter
    words = argparse.ArgumentParser("run.py", description=__doc__, formatter_class=raw)
    words.add_argument("command", nargs="?", choices=("setup", "test", "bench"), help="see above")
    words.add_argument("--port", type=int, default=8000, help="default: %(default)s")
    words.add_argument("--dir", type=Path, default=ROOT / "workspace", help="the workspace, default: %(default)s")
    words.add_argument("--open", action="store_true", help="open the page in a browser")
    words.add_argument("--no-serve", action="store_true", help="only build the sample county")
    words.add_argument("--wheels", type=Path, help="with setup: a folder of wheels")
    return words


def main(words: list[str]) -> int:
    """Do what the words say; the exit code is that of the program that was run."""
    if sys.version_info < (3, 11):
        version = sys.version.split()[0]
        say(
            f"villagemap 需要 Python 3.11 或更新，现在是 {version}。",
            f"villagemap needs Python 3.11 or newer, this is {version}.",
        )
        return 1
    if words[:1] == ["test"]:
        return test(words[1:])
    if words[:1] == ["bench"]:
        install(dev=True)
        return run([str(PYTHON), "-m", "villagemap", *words], VILLAGEMAP_BROWSER=find_browser() or "")
    options = parser().parse_args(words)
    install(wheels=options.wheels.resolve() if options.wheels else None)
    return 0 if options.command == "setup" else demo(options)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended from outside: no server stays behind
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
