"""A finding: a fact about a row, told to a person. It is returned; only what stops the work is raised."""

from dataclasses import dataclass, field
from typing import Any

from villagemap.texts import text


@dataclass(frozen=True, slots=True)
class Finding:
    """What is noticed about one row: its number in the file, the column, the value, and a code with a sentence.

    ``rejects`` tells whether the row can't be stored because of it; otherwise it is stored and the finding warns.
    """

    row: int
    code: str
    column: str = ""
    value: str = ""
    rejects: bool = False
    params: dict[str, Any] = field(default_factory=dict)

    def sentence(self, lang: str) -> str:
        """What is wrong with which value, and what to do."""
        return text(f"imports.{self.code}", lang, column=self.column, value=self.value[:60], **self.params)
