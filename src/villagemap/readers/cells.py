"""One row's cells by field, with what goes wrong in them noted as findings."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from villagemap.readers.columns import ColumnMapping, ColumnMatch
from villagemap.readers.findings import Finding
from villagemap.readers.sandbox import Row

Value = TypeVar("Value")


class Cells:
    """The cells of rows of one table, by field name.

    A cell's word is translated by the mapping's codes, a blank one replaced by the mapping's constant.
    """

    def __init__(self, columns: Sequence[str], match: ColumnMatch, mapping: ColumnMapping) -> None:
        self._names = {name: columns[index] for name, index in match.fields.items()}
        self._index = dict(match.fields)
        self._constants = dict(mapping.values)
        self._codes = mapping.codes
        self._texts: dict[str, str] = {}
        self.row = 0
        self.findings: list[Finding] = []

    def turn_to(self, row: Row) -> None:
        """Read from this row now, with no findings yet."""
        self.row, self.findings = row.number, []
        texts = self._constants.copy()
        for name, index in self._index.items():
            if value := row.values[index].strip():
                texts[name] = value
        for name in self._codes.keys() & texts.keys():
            texts[name] = self._codes[name].get(texts[name], texts[name])
        self._texts = texts

    def text(self, name: str) -> str:
        """A field's text, stripped; "" where there is none."""
        return self._texts.get(name, "")

    def has(self, name: str) -> bool:
        """Whether any column or constant gives this field."""
        return name in self._index or name in self._constants

    def parsed(self, name: str, parse: Callable[[str], Value | None]) -> Value | None:
        """A field's value; what can't be read is left blank with a warning."""
        value = self._texts.get(name)
        if not value:
            return None
        try:
            return parse(value)
        except ValueError as fault:
            self.warn(str(fault), name, value)
            return None

    def warn(self, code: str, name: str = "", value: str = "", **params: object) -> None:
        """Note something that the row is stored in spite of."""
        self.findings.append(Finding(self.row, code, self._names.get(name, name), value, params=dict(params)))

    def reject(self, code: str, name: str = "", value: str = "", **params: object) -> None:
        """Note why the row can't be stored."""
        self.findings.append(
            Finding(self.row, code, self._names.get(name, name), value, rejects=True, params=dict(params))
        )
