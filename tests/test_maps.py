import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import folium
import folium.plugins
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from town_sample import sample_view
from villagemap.errors import BadInputError, NotFoundError, WrongUseError
from villagemap.maps import INLINE_CARDS, MODULES, InlineTown, Links, TownMap, town_map, vendor_asset
from villagemap.maps.frame import inline_assets
from villagemap.model import BBox
from villagemap.settings import Basemap, shown_files
from villagemap.texts import catalog
from villagemap.vocabulary import Vocabulary, load_vocabulary

HOSTILE = [
    "{{cycler.__init__.__globals__.os.getpid()}}",
    "{{ 7 * 191 }} {# note #} {% raw %}",
    "</script><script>window.pwned = 1</script>",
    "<!--<script>",
    "<img src=x onerror=window.pwned=1>",
    "${window.pwned = 1}",
    "`+(window.pwned=1)+`",
    "'\"><svg onload=window.pwned=1>",
    "\u2028\u2029&lt;b&gt;&amp;",
    "__proto__",
]


class PageParts(HTMLParser):
    """Tags with their attributes, and the text of each script, as a browser would cut them."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=False)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] == "script" and self.scripts:
            attrs, text = self.scripts[-1]
            self.scripts[-1] = (attrs, text + data)

    def block(self, block_id: str) -> dict:
        return next(json.loads(text) for attrs, text in self.scripts if attrs.get("id") == block_id)


def hostile_words(text: str) -> Vocabulary:
    ours = load_vocabulary()
    both = {"zh": text, "en": text}
    first = next(iter(ours.categories.values()))
    category = replace(first, code=text, group=text, labels=both, unit=text, lead=text, subdefects={text: both})
    return replace(ours, groups={**ours.groups, text: both}, categories={text: category})


def shape_of(page: str) -> list[tuple[str, list[str]]]:
    """The page's tags without what differs by nonce: the same for a hostile town as for a harmless one."""
    return [(tag, sorted(attrs)) for tag, attrs in PageParts(page).tags]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("linked", [True, False])
def test_text_of_users_stays_text(text, linked):
    links = Links() if linked else None
    view = sample_view(issues=12, text=text, links=links, words=hostile_words(text), review_number=text)
    harmless = sample_view(issues=12, links=links)
    drawn, plain = (town_map(v).page("n0nce") if linked else town_map(v).page_inline() for v in (view, harmless))
    assert shape_of(drawn) == shape_of(plain)
    parts = PageParts(drawn)
    assert parts.block("villagemap-page")["town"]["name"] == text
    running = [script for attrs, script in parts.scripts if attrs.get("type") != "application/json"]
    known = [script for attrs, script in PageParts(plain).scripts if attrs.get("type") != "application/json"]
    assert [script.count(text) for script in running] == [script.count(text) for script in known]
    if not linked:
        assert parts.block("villagemap-town")["cards"][0]["description"] == text


def test_json_blocks_hold_no_sign_that_html_or_javascript_reads():
    view = sample_view(issues=2, text="".join(HOSTILE))
    page = town_map(view).page_inline()
    for name in ("villagemap-page", "villagemap-town"):
        start = page.index(f'id="{name}">') + len(f'id="{name}">')
        content = page[start : page.index("</script>\n", start)]
        assert not set(content) & set("<>&\u2028\u2029")
        assert json.loads(content)


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
@settings(max_examples=40, deadline=None)
def test_any_name_comes_back_as_it_was(text):
    page = town_map(sample_view(issues=1, text=text, links=Links())).page("n")
    assert PageParts(page).block("villagemap-page")["town"] == {"code": text, "name": text, "county": text}


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_no_page_names_another_host(lang):
    linked = town_map(sample_view(lang, links=Links())).page("n0nce")
    inline = town_map(sample_view(lang)).page_inline()
    mine = re.sub(r"<script nonce=[^>]*>\n/\* @preserve.*?</script>", "", inline, flags=re.DOTALL)
    assert len(mine) < len(inline) - 100_000, "Leaflet itself, whose comments name its home, was taken out"
    for page in (linked, mine):
        addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"'`)]*", page))
        assert not {a for a in addresses if "www.w3.org/2000/svg" not in a}
    assert all(attrs.get("src", "/").startswith("/static/") for tag, attrs in PageParts(linked).tags if "src" in attrs)


def test_an_inline_page_has_nothing_to_fetch():
    parts = PageParts(town_map(sample_view()).page_inline())
    assert not [(tag, attrs) for tag, attrs in parts.tags if {"src", "href"} & attrs.keys() and tag != "a"]
    style = inline_assets(TownMap.look)[0]
    assert set(re.findall(r"url\(.{6}", style)) == {'url("data:'}
    assert "@import" not in style
    assert "sourceMappingURL" not in inline_assets(TownMap.look)[1]


def test_every_script_and_style_carries_the_nonce():
    page = town_map(sample_view(links=Links())).page("n0nce")
    parts = PageParts(page)
    assert {attrs.get("nonce") for tag, attrs in parts.tags if tag == "style"} == {"n0nce"}
    running = [attrs for attrs, _ in parts.scripts if attrs.get("type") != "application/json"]
    assert {attrs.get("nonce") for attrs in running} == {"n0nce"}
    assert not [attrs for _, attrs in parts.tags if "style" in attrs], "style attributes fall to the policy"
    assert not [name for _, attrs in parts.tags for name in attrs if name.startswith("on")]


def test_the_inline_policy_allows_nothing_but_the_page_itself():
    page = town_map(sample_view()).page_inline()
    parts = PageParts(page)
    policy = next(attrs["content"] for tag, attrs in parts.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    nonce = next(attrs["nonce"] for tag, attrs in parts.tags if tag == "style")
    assert policy == (f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:")
    assert town_map(sample_view()).page_inline() == page, "equal towns are equal bytes"
    assert nonce not in town_map(sample_view(issues=299)).page_inline()


def test_a_linked_page_is_small():
    for lang in ("zh", "en"):
        assert len(town_map(sample_view(lang, links=Links())).page("n" * 32).encode()) < 40_000


def test_a_link_to_a_file_that_we_lack_stops_the_page():
    framed = town_map(sample_view(issues=3))
    folium.plugins.Fullscreen().add_to(framed)
    with pytest.raises(WrongUseError) as refused:
        framed.page_inline()
    assert refused.value.code == "foreign_asset"
    assert "http" in refused.value.sentence("zh")


def test_folium_layers_without_files_may_be_added():
    framed = town_map(sample_view(issues=3))
    folium.Circle([20.75, 111.3], radius=300).add_to(framed)
    assert "L.circle(" in framed.page_inline()


def test_other_maps_of_the_process_keep_their_own_links():
    before = list(folium.Map.default_js)
    town_map(sample_view(issues=3)).page_inline()
    assert folium.Map.default_js == before
    assert len(town_map(sample_view(links=Links())).page("n")) == len(town_map(sample_view(links=Links())).page("n"))


def test_saving_and_showing_give_the_inline_page(tmp_path):
    framed = town_map(sample_view(issues=5))
    framed.save(tmp_path / "a.html")
    framed.save(str(tmp_path / "b.html"))
    stream = io.BytesIO()
    framed.save(stream, close_file=False)
    page = framed.page_inline()
    assert (tmp_path / "a.html").read_text("utf-8") == (tmp_path / "b.html").read_text("utf-8") == page
    assert stream.getvalue().decode() == page
    shown = framed._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert "<script" not in shown


def test_a_page_with_links_only_cannot_be_saved(tmp_path):
    with pytest.raises(WrongUseError) as refused:
        town_map(sample_view(links=Links())).save(tmp_path / "town.html")
    assert refused.value.code == "map_without_data"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("basemap", "code"),
    [
        (Basemap(url="https://tiles.example.org/{z}/{x}/{y}.png", datum="gcj02"), "basemap_datum"),
        (Basemap(url="https://tiles.example.org/{z}/{x}/{key}.png"), "basemap_url"),
        (Basemap(url="https://a;script-src *.org/{z}/{x}/{y}.png"), "basemap_url"),
        (Basemap(url="javascript://a.org/{z}/{x}/{y}"), "basemap_url"),
    ],
)
def test_a_basemap_that_would_lie_or_break_is_refused(basemap, code):
    with pytest.raises(BadInputError) as refused:
        town_map(sample_view(links=Links(), basemap=basemap)).csp("n")
    assert refused.value.code == code
    assert refused.value.sentence("zh")
    assert refused.value.sentence("en")


def test_a_basemap_opens_the_policy_for_its_host_alone():
    own = Basemap(url="https://t{s}.tiles.example.org/{z}/{x}/{y}", credit="<b>credit</b>")
    framed = town_map(sample_view(links=Links(), basemap=own))
    assert "img-src 'self' data: https://*.tiles.example.org;" in framed.csp("n")
    assert PageParts(framed.page("n")).block("villagemap-page")["basemap"]["url"] == own.url
    assert "tiles.example.org" not in town_map(sample_view(basemap=own)).page_inline(), "a file on disk stays alone"
    assert "img-src 'self' data:;" in town_map(sample_view(links=Links())).csp("n")


def test_more_issues_than_a_file_may_hold_are_refused():
    card = {"id": "1", "lon": 111.3, "lat": 20.75}
    empty = b'{"type":"FeatureCollection","features":[]}'
    inline = InlineTown(boundary=empty, villages=empty, cards=[card] * (INLINE_CARDS + 1))
    with pytest.raises(BadInputError) as refused:
        town_map(sample_view(issues=1, inline=inline))
    assert refused.value.code == "inline_cards"


def test_an_extent_that_is_no_number_is_refused():
    with pytest.raises(BadInputError) as refused:
        town_map(sample_view(issues=1, bbox=BBox(111.0, 20.0, float("nan"), 21.0)))
    assert refused.value.code == "bbox_not_finite"


@pytest.mark.parametrize("path", ["leaflet/../../settings.py", "leaflet/leaflet-src.js", "", "/etc/passwd", "LEAFLET"])
def test_only_listed_vendor_files_are_served(path):
    with pytest.raises(NotFoundError):
        vendor_asset(path)


def test_vendor_files_come_from_the_wheel():
    assert "Leaflet 1.9" in vendor_asset("leaflet/leaflet.js").read_text("utf-8")[:200]
    assert all(vendor_asset(f"leaflet/{name}").is_file() for name in ("leaflet.css", "images/layers.png"))


def test_modules_can_be_written_one_after_another():
    """Each imports only from those before it, and no two give one name to different things."""
    names: dict[str, str] = {}
    for index, module in enumerate(MODULES):
        source = (shown_files("static") / module).read_text("utf-8")
        for wanted in re.findall(r'^import .* from "\./(.*)";$', source, flags=re.MULTILINE):
            assert wanted in MODULES[:index], (module, wanted)
        for name in re.findall(
            r"^(?:export )?(?:async )?(?:function|const|let|class) (\w+)", source, flags=re.MULTILINE
        ):
            assert names.setdefault(name, module) == module, name
    script = inline_assets(TownMap.look)[2]
    assert not re.findall(r"^(import|export)\b.*", script, flags=re.MULTILINE)


def test_our_scripts_never_turn_text_into_markup():
    for module in Path(shown_files("static")).glob("*.js"):
        source = module.read_text("utf-8")
        assert not re.search(
            r"\.innerHTML\s*\+?=|outerHTML|insertAdjacentHTML|document\.write|\beval\(|Function\(", source
        )


def test_each_sentence_of_the_map_exists_in_both_languages():
    zh, en = (catalog("maps", lang)["page"] for lang in ("zh", "en"))
    assert zh.keys() == en.keys()
    for key in zh:
        assert set(re.findall(r"\{\w+\}", zh[key])) == set(re.findall(r"\{\w+\}", en[key])), key
    used = "\n".join((shown_files("static") / module).read_text("utf-8") for module in MODULES)
    for key in re.findall(r'\bsay\("(\w+)"', used):
        assert key in zh, key
