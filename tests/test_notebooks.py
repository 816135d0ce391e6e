"""The notebooks run from the first cell to the last, without a network, and are kept without outputs."""

import html
import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
OFFLINE = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "VILLAGEMAP_DIR": ""}
SAID_NOT_ASKED = {"www.w3.org", "leafletjs.com"}  # an XML namespace; a credit in Leaflet's source, switched off


def shown(cells: list, kind: str) -> list[str]:
    return [
        output["data"][kind]
        for cell in cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if kind in output.get("data", {})
    ]


@pytest.mark.filterwarnings("ignore:.*zmq.*:RuntimeWarning", "ignore:.*[Pp]roactor.*:RuntimeWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_runs_offline(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, value in OFFLINE.items():
        monkeypatch.setitem(os.environ, name, value)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    book = nbformat.read(path, as_version=4)
    client = NotebookClient(book, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    maps = [output for output in shown(book.cells, "text/html") if "<iframe" in output]
    assert len(maps) == 1
    page = html.unescape(maps[0].partition('srcdoc="')[2])
    assert set(re.findall(r"(?:https?:)?//([\w-]+(?:\.[\w-]+)+)", page)) <= SAID_NOT_ASKED
    assert not re.search(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"']?(?:https?:)?//", page)
    assert "default-src 'none'" in page


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_is_kept_without_outputs(path: Path):
    for cell in nbformat.read(path, as_version=4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_there_are_notebooks():
    assert "01_first_look" in {path.stem for path in NOTEBOOKS}
