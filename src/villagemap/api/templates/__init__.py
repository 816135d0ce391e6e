"""Pages as Jinja2 templates: ours alone. What people wrote comes in as values and is escaped."""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from villagemap.texts import LANGS, catalog, text


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("villagemap.api", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(name: str, lang: str, **values: Any) -> str:  # noqa: ANN401 - a template shows any value
    """The page ``name`` in ``lang``; templates find their words under ``t`` and fill them with ``say(key, …)``."""

    def say(key: str, **params: Any) -> str:  # noqa: ANN401
        return text(f"pages.{key}", lang, **params)

    other = next(other for other in LANGS if other != lang)
    return (
        _environment()
        .get_template(name)
        .render(
            t=catalog("pages", lang),
            say=say,
            figure=figure,
            html_lang={"zh": "zh-CN"}.get(lang, lang),
            other_lang=other,
            other_name=text("pages.own_name", other),
            percent=percent,
            gap="" if lang == "zh" else " ",  # between sentences
            **values,
        )
    )


def figure(value: int) -> str:
    """A count as people read it."""
    return f"{value:,}"


def percent(part: int, whole: int) -> str:
    """A share in whole percent; "" where there is nothing to share."""
    return f"{round(100 * part / whole)}" if whole else ""
