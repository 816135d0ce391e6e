"""Flows that take issues in from files: a preview first, then one transaction under an operation number."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from villagemap.auth import Policy
from villagemap.errors import BadInputError
from villagemap.flows.cases.relapses import Predecessors, predecessors
from villagemap.flows.registry import NothingNew, Session, flow
from villagemap.model import Change, Issue, Located, Operation, Status
from villagemap.readers.columns import match_columns
from villagemap.readers.findings import Finding
from villagemap.readers.issue_drafts import Draft, ImportOptions, IssueDrafter
from villagemap.readers.sandbox import Table, open_table
from villagemap.settings import now
from villagemap.store import Store, Writer

MOST_FINDINGS = 1_000
"""A report keeps the first so many findings; the counts are of all."""

SOME_OF_EACH = 10
"""So many of each kind are kept in any case."""

Progress = Callable[[int, int | None], None]
"""Called with rows read so far and, where known, rows in all."""


@dataclass(slots=True, kw_only=True)
class ImportReport:
    """What became of a file's rows: ``read`` = ``stored`` + ``known`` + ``rejected``, always.

    ``operation`` is None for a preview. ``codes`` counts findings by code, ``findings`` lists the first of them.
    """

    file: str
    kind: str
    matched: dict[str, str]
    unmatched: tuple[str, ...]
    read: int = 0
    stored: int = 0
    known: int = 0
    rejected: int = 0
    unlocated: int = 0
    outside: int = 0
    claimed: int = 0
    relapses: int = 0
    operation: int | None = None
    codes: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def note(self, findings: Sequence[Finding]) -> None:
        """Count findings and keep the first ones."""
        for finding in findings:
            self.codes[finding.code] += 1
            if len(self.findings) < MOST_FINDINGS or self.codes[finding.code] <= SOME_OF_EACH:
                self.findings.append(finding)

    def counts(self) -> dict[str, int]:
        """The figures that an operation's event tells."""
        names = ("read", "stored", "known", "rejected", "unlocated", "outside", "claimed", "relapses")
        return {name: getattr(self, name) for name in names}


@flow("issues.import", Policy.WRITE)
def import_issues(
    session: Session,
    path: Path,
    options: ImportOptions,
    *,
    apply: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """Read one file's rows into issues: a preview, or with ``apply`` one transaction under an operation number.

    A row is already known when the very same row was read before, in this file or another, or when it carries the id
    of an issue; the same point or text alone never makes it so. A row that claims to be closed becomes ``submitted``.
    A file that brings nothing new leaves no trace, and its report no operation.

    Raises
    ------
    BadInputError
        ``no_rows`` for a file without any; ``all_rejected`` when applying one of which no row can be stored.
        Nothing is written then.
    """
    workspace = session.workspace
    with open_table(path) as table:
        match = match_columns(table.columns, "issues", options.mapping.columns)
        drafter = IssueDrafter(
            table, match, options, workspace.vocabulary, workspace.gazetteer(), workspace.settings.county
        )
        matched = {table.columns[index]: name for name, index in match.fields.items()}
        report = ImportReport(file=table.file, kind=table.kind, matched=matched, unmatched=match.unmatched)
        with suppress(NothingNew), workspace.store.writing() if apply else nullcontext() as writer:
            closed = predecessors(workspace.store, workspace.vocabulary)
            intake = _Intake(workspace.store, writer, session.actor.id, now(), report, closed, workspace.settings.day())
            intake.begin(table)
            for drafts in _drafted(table, drafter, progress):
                intake.take(drafts)
            intake.end()
    return report


def _drafted(table: Table, drafter: IssueDrafter, progress: Progress | None) -> Iterator[list[Draft]]:
    done = 0
    for rows in table.batches():
        yield drafter.drafts(rows)
        done += len(rows)
        if progress:
            progress(done, table.rows)


@dataclass(slots=True)
class _Intake:
    """One file on its way in: counts what comes, and writes it where a writer is given."""

    store: Store
    writer: Writer | None
    actor: str
    at: datetime
    report: ImportReport
    closed: Predecessors
    today: date
    ids: set[str] = field(default_factory=set)
    """Of all rows so far: a file may name one id twice, and what it wrote isn't read back before the end."""

    def begin(self, table: Table) -> None:
        if self.writer is not None:
            operation = Operation(
                number=0, kind="import", actor=self.actor, at=self.at, file_name=table.file, file_sha256=table.sha256
            )
            self.report.operation = self.writer.add_operation(operation)

    def take(self, drafts: Sequence[Draft]) -> None:
        report = self.report
        report.read += len(drafts)
        good = [draft for draft in drafts if draft.issue is not None]
        rows = self.store.known_rows([draft.row_key for draft in good])
        self.ids |= self.store.known_ids([draft.issue.id for draft in good if draft.issue])
        fresh = []
        for draft in drafts:
            if draft.issue is None:
                report.rejected += 1
                report.note(draft.findings)
            elif draft.row_key in rows:
                report.known += 1
            elif draft.issue.id in self.ids:
                report.known += 1
                report.note([Finding(draft.row, "id_known", value=draft.issue.id)])
            else:
                self.ids.add(draft.issue.id)
                fresh.append(draft.issue)
                report.note(draft.findings)
        fresh = self.closed.linked(fresh, self.today)
        self._count(fresh)
        if self.writer is not None and fresh:
            self.writer.record([_change(issue, self.at, self.actor) for issue in fresh], report.operation)

    def _count(self, fresh: Sequence[Issue]) -> None:
        self.report.stored += len(fresh)
        self.report.unlocated += sum(issue.located is Located.UNLOCATED for issue in fresh)
        self.report.outside += sum(issue.located is Located.OUTSIDE for issue in fresh)
        self.report.claimed += sum(issue.status is Status.SUBMITTED for issue in fresh)
        self.report.relapses += sum(issue.relapse_of is not None for issue in fresh)

    def end(self) -> None:
        report = self.report
        if not report.read:
            raise BadInputError("no_rows", file=report.file)
        if self.writer is None or report.operation is None:
            return
        if report.rejected == report.read:
            raise BadInputError(
                "all_rejected", file=report.file, rows=report.read, findings=report.findings, codes=report.codes
            )
        if not report.stored:
            report.operation = None
            raise NothingNew
        self.writer.finish_operation(report.operation, report.counts(), actor=self.actor, at=self.at)


def _change(issue: Issue, at: datetime, actor: str) -> Change:
    kind = "report" if issue.status is Status.REPORTED else "register"
    return Change(kind=kind, issue=issue, at=at, actor=actor)
