"""A finding about travel: a fact about a site or a road, told to a person; nothing stops because of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from villagemap.texts import text


@dataclass(frozen=True, slots=True, kw_only=True)
class TravelFinding:
    """What is noticed about a site (``site`` is its id, "" for none): a key under ``roads.findings`` and its values."""

    code: str
    site: str = ""
    params: Mapping[str, str | int | float] = field(default_factory=dict)

    def sentence(self, lang: str) -> str:
        """What is wrong, with the id, and what becomes of it."""
        return text(f"roads.findings.{self.code}", lang, site=self.site, **self.params)
