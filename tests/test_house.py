"""The rules of the house, held over everything that is committed: shape, layers, words, addresses, promises."""

import ast
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path
from string import Formatter
from typing import Any

import grimp
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from villagemap import errors
from villagemap.texts import LANGS

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "villagemap"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CODE = sorted([ROOT / "run.py", *(p for room in ("src", "geodata", "benchmarks") for p in (ROOT / room).rglob("*.py"))])
HOSTS = {  # the only other hosts that a committed file may name: names of formats and links for people, never fetched
    "uri.amap.com",  # a person's phone opens it to be guided to a stop
    "json-schema.org",
    "schemas.openxmlformats.org",
    "www.apache.org",
    "www.geopackage.org",
    "www.opengis.net",
    "www.topografix.com",
    "www.w3.org",
}
ERRORS = {name for name, value in vars(errors).items() if isinstance(value, type) and name.endswith("Error")}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def committed() -> list[Path]:
    """Every text file that git knows, or would at the next ``git add``."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [p for p in paths if p.is_file() and b"\0" not in p.read_bytes()[:8000]]


# Shape


def bodies(path: Path) -> Iterator[tuple[int, str]]:
    """Length of each function's body without its docstring, and where it stands."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            if body:
                length = (body[-1].end_lineno or 0) - body[0].lineno + 1
                yield length, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"


def test_functions_are_short():
    lengths = sorted(found for path in CODE for found in bodies(path))
    assert [where for length, where in lengths if length > 60] == []
    assert lengths[int(0.95 * len(lengths)) - 1][0] <= 30


def test_modules_are_short():
    lines = {path.relative_to(ROOT).as_posix(): path.read_bytes().count(b"\n") for path in CODE}
    assert {path: n for path, n in lines.items() if n > 500} == {}


# Layers


def test_import_contracts_hold():
    lint_imports = Path(sys.executable).parent / ("lint-imports.exe" if os.name == "nt" else "lint-imports")
    done = subprocess.run([lint_imports, "--no-cache"], cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout


def test_no_import_cycle():
    graph = grimp.build_graph("villagemap", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    TopologicalSorter(imports).prepare()  # raises CycleError, which names the modules


def third_party_imports() -> dict[str, str]:
    """Distribution of each library that the package imports, and a file that imports it."""
    owners = packages_distributions()
    found = {}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(tree(path)):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            for name in {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"villagemap"}:
                found[canonicalize_name(owners[name][0])] = path.name
    return found


def test_every_imported_library_is_declared():
    project = PYPROJECT["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    assert {name: file for name, file in third_party_imports().items() if name not in declared} == {}


# Words


def flat(table: dict[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}.{key}")
        else:
            yield f"{prefix}.{key}", value


@cache
def catalog(lang: str) -> dict[str, str]:
    files = sorted((SOURCE / "texts" / lang).glob("*.toml"))
    return dict(item for f in files for item in flat(tomllib.loads(f.read_text(encoding="utf-8")), f.stem))


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


def test_both_languages_say_the_same_things_with_the_same_values():
    zh, en = (catalog(lang) for lang in LANGS)
    english_already = {key for key in zh if key.startswith("cli.frame.words.")}  # typer's own words, keys in English
    assert set(zh) - english_already ^ set(en) == set()
    assert {key for key in en if placeholders(zh[key]) != placeholders(en[key])} == set()
    blank = {key for key in en if not zh[key].strip() or not en[key].strip()}
    assert {key for key in blank if not key.endswith(".between")} == set()  # what stands between two sentences


def test_no_chinese_in_the_english_texts():
    assert {key for key, sentence in catalog("en").items() if re.search(r"[\u4e00-\u9fff]", sentence)} <= {
        "maps.page.demo",  # says 示例/DEMO to both
        "pages.switch",  # a language is called by its own name
    }


def key_of(argument: ast.expr, prefix: str) -> str | None:
    """Pattern of the catalog keys that an argument can mean; None where all of it is computed."""
    match argument:
        case ast.Constant(value=str(key)):
            return re.escape(prefix + key)
        case ast.JoinedStr(values=[ast.Constant(), *_] as parts):
            return re.escape(prefix) + "".join(
                re.escape(p.value) if isinstance(p, ast.Constant) else ".+" for p in parts
            )
    return None


ROOMS = dict.fromkeys(ERRORS, "errors.") | {"text": "", "say": "cli.", ".warn": "imports.", ".reject": "imports."}


@cache
def sayers(path: Path) -> dict[str, str]:
    """A module's own functions that say a key of one room, and those it has from our other modules: name to prefix."""
    found = {}
    for node in tree(path).body:
        match node:
            case ast.FunctionDef(args=ast.arguments(posonlyargs=[*only], args=[*more])) if (only + more)[:1]:
                for call in ast.walk(node):
                    match call:
                        case ast.Call(
                            func=ast.Name(id="text"),
                            args=[ast.JoinedStr(values=[ast.Constant(value=str(prefix)), ast.FormattedValue()]), *_],
                        ) if (only + more)[0].arg == "key":
                            found[node.name] = prefix
            case ast.ImportFrom(module=str(module)) if module.startswith("villagemap.cli."):
                theirs = sayers(SOURCE.parent / (module.replace(".", "/") + ".py"))
                found |= {alias.name: theirs[alias.name] for alias in node.names if alias.name in theirs}
    return found


def spoken(path: Path) -> Iterator[tuple[str, set[str] | None, str]]:
    """Key pattern, given values (None: not to be seen here) and place of each sentence that a module asks for."""
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else "." + getattr(node.func, "attr", "")
        rooms = ROOMS | sayers(path)
        pattern = key_of(node.args[0], rooms[name]) if name in rooms else None
        if pattern:
            given = {k.arg or "" for k in node.keywords} | ({"column", "value"} if "imports" in pattern else set())
            unseen = "" in given or (name == "text" and not given)  # text() without values gives a form to fill
            yield pattern, None if unseen else given, f"{path.name}:{node.lineno}"


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: p.relative_to(SOURCE).as_posix())
def test_every_sentence_exists_and_gets_its_values(path: Path):
    later = {"file"} if path.parent.name == "readers" else set()  # the sandbox's child doesn't know the file's name
    for pattern, given, where in spoken(path):
        assert any(re.fullmatch(pattern, key) for key in catalog("zh")), f"{where}: no text {pattern}"
        literal = catalog("zh").get(re.sub(r"\\(.)", r"\1", pattern))
        missing = placeholders(literal) - later - given if literal and given is not None else set()
        assert missing == set(), f"{where}: {pattern} wants {missing}"


CHINESE_IN_CODE = {  # modules where a Chinese literal is something that people write to us, not a sentence of ours
    "api/documents.py",
    "api/issues.py",  # examples of the API's documents
    "crs.py",
    "readers/cells.py",
    "readers/columns.py",
    "sample/",  # the made-up county's people write Chinese
}


def test_no_chinese_literals_outside_the_catalog():
    found = set()
    for path in sorted(SOURCE.rglob("*.py")):
        spare = {id(node.value) for node in ast.walk(tree(path)) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree(path)):
            literal = isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in spare
            if literal and re.search(r"[\u4e00-\u9fff]", node.value):
                found.add(f"{path.relative_to(SOURCE).as_posix()}:{node.lineno} {node.value[:40]}")
    assert {where for where in found if not where.startswith(tuple(CHINESE_IN_CODE))} == set()


# Addresses


def test_no_machine_path_and_no_other_host_in_committed_files():
    """Tests may name other hosts, as hostile input."""
    machine = re.compile(r"(?<![\w.~>}])/(?:root|home|Users|work|srv|mnt)/\w|[A-Z]:\\\\?Users|--(?:extra-)?index-url")
    host = re.compile(r"(?:https?:)?//([a-z0-9-]+(?:\.[a-z0-9-]+)+)", re.IGNORECASE)
    faults = []
    for path in committed():
        name = path.relative_to(ROOT).as_posix()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            strange = {found for found in host.findall(line) if found not in HOSTS and not is_ours(found)}
            if (strange and not name.startswith("tests/")) or (machine.search(line) and path != Path(__file__)):
                faults.append(f"{name}:{number} {line.strip()[:120]}")
    assert faults == []


def is_ours(host: str) -> bool:
    """An address of this machine, or one reserved for examples (RFC 2606)."""
    return re.fullmatch(r"127\.[\d.]+|0\.0\.0\.0|(.+\.)?example(\.(com|org|net))?|.+\.(test|invalid)", host) is not None


# Promises


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if line[:1] not in ("#", "")]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][^\s;@/]*", line)] == []
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


def test_every_dependency_is_pinned_without_an_address():
    pinned = pins()
    lines = (
        *PYPROJECT["build-system"]["requires"],
        *PYPROJECT["project"]["dependencies"],
        *PYPROJECT["dependency-groups"]["dev"],
    )
    waiting = [Requirement(line) for line in lines]
    seen: set[str] = set()
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if str(wanted) in seen:
            continue
        seen.add(str(wanted))
        assert name in pinned, f"{name} is not in constraints.txt"
        try:
            further = [Requirement(line) for line in distribution(name).requires or []]
        except PackageNotFoundError:  # the build backend, where the project was installed in another way
            continue
        extras = ("", *wanted.extras)
        waiting += [r for r in further if not r.marker or any(r.marker.evaluate({"extra": e}) for e in extras)]


def test_licence_and_change_log_fit_the_project():
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert PYPROJECT["project"]["license"] == "Apache-2.0"
    assert "Apache License\n                           Version 2.0, January 2004" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
    assert f"## {PYPROJECT['project']['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "page", ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "README.zh-CN.md", "docs/privacy.md"]
)
def test_every_file_that_the_docs_name_exists(page: str):
    words = re.findall(r"`([\w./-]+)`|\]\(([\w./-]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    paths = {a or b for a, b in words if "/" in (a or b) and not (a or b).startswith("/")}
    bases = (ROOT, SOURCE, (ROOT / page).parent)
    assert {path for path in paths if not any((base / path).exists() for base in bases)} == set()


def test_every_room_that_the_architecture_names_exists():
    rows = re.findall(r"^\| [a-z ]+ \| (.+?) \|", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"), re.MULTILINE)
    rooms = {room for row in rows for room in re.findall(r"`(\w+)`", row)}
    assert len(rooms) > 20
    assert {room for room in rooms if not ((SOURCE / room).is_dir() or (SOURCE / f"{room}.py").is_file())} == set()


GROUPS = {"draw", "links", "meeting", "places", "roads", "route", "seal", "sweep", "tokens", "users"}


def commands(page: str) -> set[str]:
    """Every command line of ours in a page's code blocks."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return {line.partition(" #")[0].strip() for line in lines if re.match(r"(villagemap|python3 run\.py)( |$)", line)}


@cache
def help_of(*words: str) -> str:
    starts = [sys.executable, "run.py"] if words[0] == "run.py" else [sys.executable, "-m", "villagemap"]
    env = os.environ | {"VILLAGEMAP_LANG": "en", "COLUMNS": "200", "PYTHONUTF8": "1"}
    done = subprocess.run(
        [*starts, *words[1:], "--help"], cwd=ROOT, env=env, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


@pytest.mark.parametrize(
    ("page", "line"),
    [(page, line) for page in ("README.md", "README.zh-CN.md", "CONTRIBUTING.md") for line in sorted(commands(page))],
)
def test_every_command_in_the_docs_exists(page: str, line: str):
    words = shlex.split(line.removeprefix("python3 "))
    if words[0] == "run.py":
        assert len(words) < 2 or words[1].startswith("-") or f"run.py {words[1]}" in help_of("run.py")
        known = help_of("run.py")
    else:
        known = help_of(*words[: 3 if words[1] in GROUPS else 2])
    assert [word for word in words if word.startswith(("tests/", "docs/")) and not (ROOT / word).exists()] == []
    options = {word.partition("=")[0] for word in words if word.startswith("-")}
    assert {option for option in options if not re.search(rf"(?<![\w-]){option}(?![\w-])", known)} == set(), page
