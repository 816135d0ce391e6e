"""Scores from the store: figures that agree with a count by hand, the same rank for everybody, and in time."""

import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from conftest import MORNING, TODAY
from test_actions import ANALYST, INSPECTOR, TOWN, VIEWER, VILLAGE, put, submitted_issue, take
from villagemap.auth import NOBODY, Actor, Link
from villagemap.errors import ForbiddenError, NotFoundError
from villagemap.flows.campaigns.sweeps import Position, begin_sweep, check_in
from villagemap.flows.cases.imports import import_issues
from villagemap.flows.cases.issues import county_table
from villagemap.flows.registry import Session
from villagemap.flows.standing.score_views import told_deductions, told_rank, told_scores
from villagemap.flows.standing.scores import case_columns, deduction_table, rank_table, score_table, visited_villages
from villagemap.flows.workspace import Workspace
from villagemap.model import Change, IssueFilter, Level
from villagemap.readers.issue_drafts import ImportOptions


@pytest.mark.usefixtures("_towns")
def test_535_found_73_claimed_0_verified_462_left(empty: Workspace, tmp_path: Path):
    rows = [f"问题公厕,449923101200,2026-03-{1 + n % 9:02d},{'已完成' if n < 73 else '整改中'},{n}" for n in range(535)]
    (tmp_path / "ledger.csv").write_text("\n".join(["问题类别,村代码,发现日期,整改状态,编号", *rows]), encoding="utf-8")
    session = Session(empty, ANALYST)
    assert import_issues(session, tmp_path / "ledger.csv", ImportOptions(), apply=True).stored == 535
    told = told_scores(score_table(session))["places"][0]
    assert (told["found"], told["claimed"], told["verified"], told["left"]) == (535, 73, 0, 462)
    assert (told["claimed_percent"], told["verified_percent"]) == (13.6, 0.0)
    assert county_table(session)[0].found == 535
    assert empty.store.verify() is None


@pytest.fixture
def _towns(empty: Workspace) -> None:
    from conftest import tiny_places

    with empty.store.writing() as writer:
        writer.put_places(tiny_places(), actor="owner", at=MORNING)


def test_what_events_tell_reaches_the_figures(tiny: Workspace):
    session = Session(tiny, ANALYST)

    def row() -> dict[str, int]:
        return score_table(session).tally.row(0)

    before = row()
    issue = submitted_issue(tiny)
    take(tiny, TOWN, "return", issue, reason="没拆净")
    take(tiny, TOWN, "submit", issue)
    take(tiny, INSPECTOR, "return", issue, reason="还是没拆净")
    take(tiny, TOWN, "submit", issue)
    take(tiny, INSPECTOR, "close", issue)
    assert {name: row()[name] - before[name] for name in ("returns", "returned", "failed", "verified", "checked")} == {
        "returns": 2, "returned": 1, "failed": 1, "verified": 1, "checked": 1}  # fmt: skip
    take(tiny, INSPECTOR, "reopen", issue, reason="反弹")
    cases = case_columns(session, tiny.columns())
    assert (cases.returns.sum(), cases.failed_recheck.sum()) == (2, 1)
    assert row()["verified"] == before["verified"]
    assert tiny.store.verify() is None


def test_self_found_is_what_the_vocabulary_says(tiny: Workspace):
    session = Session(tiny, ANALYST)
    assert score_table(session).tally.by_others.tolist() == [0, 0, 0]
    put(tiny, source="exposure_film")
    take(tiny, ANALYST, "register", put_id(tiny))
    assert score_table(session).tally.by_others.tolist() == [1, 0, 0]
    sheet = told_deductions(deduction_table(session))["places"]
    assert sum(line["cases"] for line in sheet[0]["indicators"].values()) == 1
    assert sheet[0]["total"] < sheet[1]["total"] == sheet[2]["total"]
    early = deduction_table(session, last_on=date(2026, 1, 1)).sheet
    assert early.cases.sum() == 0


def put_id(workspace: Workspace):
    return next(i for i in workspace.store.issues(IssueFilter(statuses=("reported",)), limit=9))


def test_towns_and_villages_agree_with_counts(session: Session):
    whole, rows = county_table(session)
    towns, villages = score_table(session).tally, score_table(session, by=Level.VILLAGE).tally
    assert towns.found.tolist() == [row.counts.found for row in rows]
    assert towns.overdue.sum() == villages.overdue.sum() == whole.overdue
    assert towns.claimed.sum() == villages.claimed.sum() == whole.claimed
    one = score_table(session, by=Level.VILLAGE, town="乙镇")
    assert [place.name for place in one.places] == ["东村村委会", "中村村委会", "西村村委会"]
    assert one.tally.found.sum() == towns.found[1]
    with pytest.raises(NotFoundError):
        score_table(session, town="丁镇")


def test_everybody_reads_the_same_rank_of_what_they_may_see(tiny: Workspace):
    owner = rank_table(Session(tiny, ANALYST))
    town = rank_table(Session(tiny, TOWN))
    assert [place.name for place in town.places] == ["甲镇"]
    assert town.ranking.rank.tolist() == owner.ranking.rank[:1].tolist()
    assert town.ranking.exact.tolist() == owner.ranking.exact[:1].tolist()
    assert town.ranking.rates["late"].expected.tolist() == owner.ranking.rates["late"].expected[:1].tolist()
    village = rank_table(Session(tiny, VILLAGE), by=Level.VILLAGE)
    assert [place.place_id for place in village.places] == ["v4"]
    named = Actor("link", link=Link(issues=("019c0000-0000-7000-8000-000000000000",)))
    assert score_table(Session(tiny, named)).places == ()
    with pytest.raises(ForbiddenError):
        rank_table(Session(tiny, NOBODY))


def test_a_tally_counts_what_one_may_see(tiny: Workspace):
    whole, seen = (score_table(Session(tiny, actor)).tally for actor in (ANALYST, VIEWER))
    assert seen.found.sum() == whole.found.sum() - 10  # the ten households


def test_villages_visited_with_proof_stand_beside_the_figures(session: Session):
    before = session.workspace.store.head().seq
    sweep = begin_sweep(session, "筛查", hamlets=True)
    check_in(session, sweep.id, "v5", Position(lon=111.15, lat=20.75, accuracy_m=10))
    check_in(session, sweep.id, "h13", Position(lon=111.12, lat=20.65, accuracy_m=10))
    check_in(session, sweep.id, "v6", Position(lon=111.15, lat=20.65, accuracy_m=10))  # too far away
    head = session.workspace.store.head().seq
    assert (score_table(session).tally.villages.tolist(), score_table(session).tally.visited.tolist()) == (
        [3, 3, 3], [2, 0, 0])  # fmt: skip
    assert rank_table(session, by=Level.VILLAGE).ranking.visited.tolist()[:3] == [1, 1, 0]
    put(session.workspace)
    then = visited_villages(session, head)
    assert then.visited.tolist() == visited_villages(session, session.workspace.store.head().seq).visited.tolist()
    assert (len(then.visited), then.visited.sum()) == (9, 2)
    assert visited_villages(session, before).visited.sum() == 0


def test_told_figures_are_plain_json(session: Session):
    import orjson

    for told in (told_scores(score_table(session)), told_rank(rank_table(session)),
                 told_deductions(deduction_table(session))):  # fmt: skip
        assert orjson.loads(orjson.dumps(told))["day"] == TODAY.isoformat()


def test_a_county_of_20_000_issues_from_the_file(tiny: Workspace):
    base = tiny.store.issues(IssueFilter(), limit=60)
    for block in range(10):
        fresh = [
            replace(base[n % 60], id=f"019c0000-0000-7000-{8001 + block}-{n:012d}", number="", revision=1, sightings=())
            for n in range(2000)
        ]
        with tiny.store.writing() as writer:
            writer.record([Change(kind="register", issue=issue, at=MORNING, actor="owner") for issue in fresh])
    session = Session(tiny, ANALYST)
    tiny.gazetteer()
    began = time.perf_counter()
    for by in (Level.TOWN, Level.VILLAGE):
        score_table(session, by=by)
        rank_table(session, by=by)
        deduction_table(session, by=by)
    assert time.perf_counter() - began < 1.0
