import json
import re

import pytest

from route_page_sample import sample_routes
from test_maps import HOSTILE, PageParts, shape_of
from villagemap.errors import BadInputError, WrongUseError
from villagemap.maps import RouteLinks, RouteMap, TownMap, route_map
from villagemap.maps.frame import inline_assets
from villagemap.settings import Basemap, shown_files
from villagemap.texts import catalog

LINKED = {"links": RouteLinks(), "inline": None}


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("parts", [{}, LINKED], ids=["held", "linked"])
def test_text_of_users_stays_text(text, parts):
    view, harmless = (sample_routes(stops=6, days=1, left=1, text=said, **parts) for said in (text, ""))
    drawn, plain = (route_map(v).page("n0nce") if parts else route_map(v).page_inline() for v in (view, harmless))
    assert shape_of(drawn) == shape_of(plain)
    page = PageParts(drawn)
    assert page.block("villagemap-page")["plan"]["name"] == text
    running = [script for attrs, script in page.scripts if attrs.get("type") != "application/json"]
    known = [script for attrs, script in PageParts(plain).scripts if attrs.get("type") != "application/json"]
    assert [script.count(text) for script in running] == [script.count(text) for script in known]
    if not parts:
        assert page.block("villagemap-routes")["plan"]["problem"]["teams"][0]["name"] == text


def test_a_file_has_nothing_to_fetch_and_may_run_nothing_else():
    page = route_map(sample_routes(stops=6)).page_inline()
    parts = PageParts(page)
    assert not [(tag, attrs) for tag, attrs in parts.tags if {"src", "href"} & attrs.keys() and tag != "a"]
    nonce = next(attrs["nonce"] for tag, attrs in parts.tags if tag == "style")
    policy = next(attrs["content"] for _, attrs in parts.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy == f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:"
    assert route_map(sample_routes(stops=6)).page_inline() == page, "equal plans are equal bytes"


def test_a_linked_page_is_small_and_names_no_other_host():
    page = route_map(sample_routes(**LINKED)).page("n0nce")
    assert len(page.encode()) < 40_000
    addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"'`)]*", page))
    assert not {address for address in addresses if "www.w3.org/2000/svg" not in address}


def test_a_page_with_links_only_cannot_be_saved(tmp_path):
    with pytest.raises(WrongUseError) as refused:
        route_map(sample_routes(**LINKED)).save(tmp_path / "routes.html")
    assert refused.value.code == "map_without_data"
    assert "三月暗访" in refused.value.sentence("zh")


def test_a_basemap_that_would_lie_is_refused():
    with pytest.raises(BadInputError) as refused:
        route_map(sample_routes(basemap=Basemap(url="https://tiles.example.org/{z}/{x}/{y}.png", datum="gcj02")))
    assert refused.value.code == "basemap_datum"


@pytest.mark.parametrize("kind", [TownMap, RouteMap])
def test_modules_can_be_written_one_after_another(kind):
    """Each imports only from those before it, and no two give one name to different things."""
    names: dict[str, str] = {}
    modules = kind.look.modules
    for index, module in enumerate(modules):
        source = (shown_files("static") / module).read_text("utf-8")
        for wanted in re.findall(r'^import .* from "\./(.*)";$', source, flags=re.MULTILINE):
            assert wanted in modules[:index], (module, wanted)
        found = re.findall(r"^(?:export )?(?:async )?(?:function|const|let|class) (\w+)", source, flags=re.MULTILINE)
        for name in found:
            assert names.setdefault(name, module) == module, name
    assert not re.findall(r"^(import|export)\b.*", inline_assets(kind.look)[2], flags=re.MULTILINE)


def test_each_sentence_of_the_pages_is_said_and_exists():
    words = catalog("maps", "zh")["page"] | catalog("route_page", "zh")["page"]
    modules = sorted({*RouteMap.look.modules, "route-choose.js", "route-form.js"})
    used = "\n".join((shown_files("static") / module).read_text("utf-8") for module in modules)
    asked = set(re.findall(r'\bsay\((?:\w[\w.! =<>&|"]*\? )?"(\w+)"', used))
    assert asked - words.keys() == set()


def test_the_held_plan_is_what_the_server_answers():
    view = sample_routes(stops=6, days=1)
    held = PageParts(route_map(view).page_inline()).block("villagemap-routes")
    assert held["plan"] == json.loads(json.dumps(view.inline.plan))
    assert len(held["legs"]["features"]) == sum(len(route["calls"]) + 1 for route in held["plan"]["plan"]["routes"])
