"""Settings: what a county may set, and a sentence for what it can't."""

from datetime import date, datetime
from pathlib import Path

import pytest

from villagemap.errors import WorkspaceError
from villagemap.settings import TIME_ZONE, Settings, read_settings, workspace_dir

WHOLE = """
county = "tiny"
name = "小县"
code = "449923"
demo = true
today = 2026-03-20
hard_due_on = 2026-04-05
map_review_number = "粤S(2026)001号"
[basemap]
url = "http://tiles.example.org/{z}/{x}/{y}.png"
credit = "示例"
"""


def _read(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return read_settings(path)


def test_all_that_can_be_set_is_read(tmp_path: Path):
    settings = _read(tmp_path, WHOLE)
    assert (settings.county, settings.name, settings.code, settings.demo) == ("tiny", "小县", "449923", True)
    assert (settings.day(), settings.hard_due_on) == (date(2026, 3, 20), date(2026, 4, 5))
    assert (settings.basemap.credit, settings.basemap.datum) == ("示例", "wgs84")


def test_without_a_fixed_day_it_is_shanghais(tmp_path: Path):
    before = datetime.now(TIME_ZONE).date()
    assert before <= _read(tmp_path, 'county = "tiny"\nname = "小县"').day() <= datetime.now(TIME_ZONE).date()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('county = "tiny"', "name"),
        ('county = "tiny"\nname = "小县"\nhard_due = 2026-04-05', "hard_due"),
        ("county = 5\nname = '小县'", "county"),
        ("county = 'tiny'\nname = '小县'\ntoday = '2026-03-20'", "today"),
        ("county = 'tiny'\nname = '小县'\ntoday = 2026-03-20T08:00:00", "today"),
        ("county = 'tiny'\nname = '小县'\ndemo = 1", "demo"),
        ("county = 'tiny'\nname = '小县'\nbasemap = 'here'", "basemap"),
        ("county = 'tiny'\nname = '小县'\n[basemap]\nurl = 5", "url"),
        ("county = 'tiny'\nname = '小县'\n[basemap]\nhref = ''", "href"),
        ("county = 'tiny", "settings.toml"),
    ],
)
def test_what_cant_be_a_setting_is_named(tmp_path: Path, text: str, names: str):
    with pytest.raises(WorkspaceError) as fault:
        _read(tmp_path, text)
    for lang in ("zh", "en"):
        assert names in fault.value.sentence(lang)
        assert "settings.toml" in fault.value.sentence(lang)


def test_the_workspace_is_as_given_else_by_the_environment_else_here(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("VILLAGEMAP_DIR", raising=False)
    assert workspace_dir(None) == Path()
    monkeypatch.setenv("VILLAGEMAP_DIR", "county")
    assert workspace_dir(None) == Path("county")
    assert workspace_dir(Path("other")) == Path("other")
