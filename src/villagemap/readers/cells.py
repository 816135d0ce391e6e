"""The cells of a batch of rows by field name, with what goes wrong in them noted as findings.

A batch is read a column at a time: what repeats in it, as most words of a ledger do, is understood once.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from villagemap.readers.columns import ColumnMapping, ColumnMatch
from villagemap.readers.findings import Finding
from villagemap.readers.sandbox import Row

Value = TypeVar("Value")
Meaning = TypeVar("Meaning")


class Cells:
    """The cells of one table, batch by batch; ``findings`` holds those of each of the batch's rows.

    A cell's word is translated by the mapping's codes, a blank one replaced by the mapping's constant.
    """

    def __init__(self, columns: Sequence[str], match: ColumnMatch, mapping: ColumnMapping) -> None:
        self._names = {name: columns[index] for name, index in match.fields.items()}
        self._index = dict(match.fields)
        self._constants = mapping.values
        self._codes = mapping.codes
        self._texts: dict[str, list[str]] = {}
        self.rows: Sequence[Row] = ()
        self.findings: list[list[Finding]] = []

    def turn_to(self, rows: Sequence[Row]) -> None:
        """Read from these rows now, with no findings yet."""
        self.rows, self.findings = rows, [[] for _ in rows]
        self._texts.clear()

    def texts(self, name: str) -> list[str]:
        """A field's texts, stripped; "" where there is none."""
        if name not in self._texts:
            self._texts[name] = self._column(name)
        return self._texts[name]

    def _column(self, name: str) -> list[str]:
        index, constant = self._index.get(name), self._constants.get(name, "")
        if index is None:
            texts = [constant] * len(self.rows)
        else:
            texts = [row.values[index].strip() or constant for row in self.rows]
        codes: Mapping[str, str] | None = self._codes.get(name)
        return [codes.get(text, text) for text in texts] if codes else texts

    def has(self, name: str) -> bool:
        """Whether any column or constant gives this field."""
        return name in self._index or name in self._constants

    def parsed(
        self, name: str, parse: Callable[[str], Value | None], skipped: Collection[int] = ()
    ) -> list[Value | None]:
        """A field's values; what can't be read is left blank with a warning, ``skipped`` rows are left blank."""
        texts = self.texts(name)
        if not self.has(name):
            return [None] * len(texts)
        known: dict[str, Value | None] = {"": None}
        faults: dict[str, str] = {}
        for text in set(texts) - {""}:
            try:
                known[text] = parse(text)
            except ValueError as fault:
                known[text], faults[text] = None, str(fault)
        values = [known[text] for text in texts]
        for number in skipped:
            values[number] = None
        for number, text in enumerate(texts) if faults else ():
            if text in faults and number not in skipped:
                self.warn(number, faults[text], name, text)
        return values

    def warn(self, number: int, code: str, name: str = "", value: str = "", **params: object) -> None:
        """Note something about a row (by its place in the batch) that it is stored in spite of."""
        self._note(number, code, name, value, params, rejects=False)

    def reject(self, number: int, code: str, name: str = "", value: str = "", **params: object) -> None:
        """Note why a row can't be stored."""
        self._note(number, code, name, value, params, rejects=True)

    def _note(self, number: int, code: str, name: str, value: str, params: dict[str, object], *, rejects: bool) -> None:
        row, column = self.rows[number].number, self._names.get(name, name)
        self.findings[number].append(Finding(row, code, column, value, rejects=rejects, params=params))

    def at(self, number: int) -> "RowCells":
        """One row's cells."""
        return RowCells(self, number)


class RowCells:
    """The cells of one row of a batch."""

    def __init__(self, cells: Cells, number: int) -> None:
        self._cells, self._number = cells, number

    def text(self, name: str) -> str:
        """A field's text, stripped; "" where there is none."""
        return self._cells.texts(name)[self._number]

    def parsed(self, name: str, parse: Callable[[str], Value | None]) -> Value | None:
        """A field's value; what can't be read is left blank with a warning."""
        value = self.text(name)
        try:
            return parse(value) if value else None
        except ValueError as fault:
            self._cells.warn(self._number, str(fault), name, value)
            return None

    def reject(self, code: str, name: str = "", value: str = "") -> None:
        """Note why the row can't be stored."""
        self._cells.reject(self._number, code, name, value)


def meanings(words: Iterable[str], meaning: Callable[[str], Meaning]) -> dict[str, Meaning]:
    """What each word means, found out once."""
    return {word: meaning(word) for word in set(words)}
