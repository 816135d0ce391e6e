"""What a request had that can't be planned as it was said: facts about one stop or team, told and not raised."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from villagemap.texts import text


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A fact about a stop or team of a request.

    ``code`` is a key under ``plans.findings``, ``params`` its values. ``left_out`` says that the stop or team isn't
    planned for that reason; else it is planned, and ``code`` says how.
    """

    code: str
    stop: str = ""
    name: str = ""
    """What people call it, where that isn't its id."""
    team: str = ""
    left_out: bool = False
    of_travel: bool = False
    """Whether it is one of `travel`'s, whose words are under ``roads.findings``."""
    params: Mapping[str, str | int] = field(default_factory=dict)

    def sentence(self, lang: str) -> str:
        """What is the matter, with the id, and what is done about it."""
        word = self.stop or self.team
        called = f"{self.name} ({word})" if self.name not in ("", word) else word
        if self.of_travel:
            return text(f"roads.findings.{self.code}", lang, site=called, **self.params)
        return text(f"plans.findings.{self.code}", lang, id=called, **self.params)


def finding_fields(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings as JSON values."""
    return [asdict(finding) for finding in findings]


def findings_of(fields: Sequence[Mapping[str, Any]]) -> tuple[Finding, ...]:
    """The findings that `finding_fields` gave."""
    return tuple(Finding(**entry) for entry in fields)
