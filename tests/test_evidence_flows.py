"""Photos as evidence, through the real sandbox, store and index: kept, graded, served clean, recognised again."""

from dataclasses import replace
from datetime import timedelta
from io import BytesIO

import pytest
from PIL import Image

from conftest import MORNING, TODAY, tiny_issue, tiny_places
from villagemap.auth import OWNER, Actor, Grant, Role
from villagemap.errors import BadInputError, ForbiddenError, NotFoundError, WrongUseError
from villagemap.evidence import Cause, Letter
from villagemap.flows.cases.evidence import Capture, add_photo, missing_evidence, overrule_likeness
from villagemap.flows.registry import Session
from villagemap.flows.workspace import Workspace
from villagemap.model import Issue
from villagemap.sample.pictures import sample_photos
from villagemap.settings import now

FIRST = "019c0000-0000-7000-8000-000000000000"
SECOND = "019c0000-0000-7000-8000-000000000006"


@pytest.fixture(scope="module")
def scenes() -> list[bytes]:
    """Four different pictures."""
    issues = [replace(tiny_issue(n, tiny_places()), category="garbage_scattered") for n in range(0, 60, 5)]
    return [jpeg for _, _, jpeg, _ in sample_photos(issues, seed=5, count=4)][:4]


def live(issue: Issue) -> Capture:
    """Taken in our page, on the spot, today."""
    lon, lat = issue.geometry[7:-1].split() if issue.geometry else ("0", "0")
    return Capture(
        live=True, device_at=now(), submitted_at=now(), device_lonlat=(float(lon), float(lat)), device_accuracy_m=8.0
    )


def issue_of(workspace: Workspace, issue_id: str) -> Issue:
    found = workspace.store.issue(issue_id)
    assert found is not None
    return found


def test_a_live_photo_on_the_spot_is_an_a_and_counts(tiny: Workspace, scenes: list[bytes]) -> None:
    session, issue = Session(tiny, OWNER), issue_of(tiny, FIRST)
    assert missing_evidence(session, issue) == ("after",)
    photo, grade = add_photo(session, FIRST, "after", BytesIO(scenes[0]), "a.jpg", live(issue))
    assert grade.letter is Letter.A, grade
    assert missing_evidence(session, issue) == ()
    with tiny.photos.open(photo.sha256) as original:
        assert original.read() == scenes[0]
    record = tiny.store.record(f"photo/{FIRST}/{photo.sha256}")
    assert record is not None
    with tiny.photos.open(str(record.fields["served"])) as served, Image.open(served) as image:
        assert not image.getexif()
    assert "111." not in str(tiny.store.events(f"photo/{FIRST}/{photo.sha256}")[0].body)
    assert tiny.store.verify() is None


def test_far_away_is_a_d_and_does_not_count(tiny: Workspace, scenes: list[bytes]) -> None:
    session, issue = Session(tiny, OWNER), issue_of(tiny, FIRST)
    far = replace(live(issue), device_lonlat=(111.5, 20.95))
    _, grade = add_photo(session, FIRST, "after", BytesIO(scenes[0]), "a.jpg", far)
    assert (grade.letter, grade.reasons[0].cause) == (Letter.D, Cause.FAR)
    assert missing_evidence(session, issue) == ("after_grade",)


def test_the_same_and_nearly_the_same_picture_elsewhere_asks_a_person(tiny: Workspace, scenes: list[bytes]) -> None:
    session = Session(tiny, OWNER)
    add_photo(session, FIRST, "after", BytesIO(scenes[0]), "a.jpg", live(issue_of(tiny, FIRST)))
    issue = issue_of(tiny, SECOND)
    _, copied = add_photo(session, SECOND, "after", BytesIO(scenes[0]), "b.jpg", live(issue))
    assert Cause.COPY_ELSEWHERE in {reason.cause for reason in copied.reasons}
    with Image.open(BytesIO(scenes[0])) as image:
        width, height = image.size
        cropped = image.crop((width // 10, height // 10, width, height)).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        again = BytesIO()
        cropped.save(again, "JPEG", quality=60)
    photo, alike = add_photo(session, SECOND, "after", BytesIO(again.getvalue()), "c.jpg", live(issue))
    assert Cause.ALIKE_ELSEWHERE in {reason.cause for reason in alike.reasons}
    assert missing_evidence(session, issue) == ("after_likeness",)
    with pytest.raises(WrongUseError):
        overrule_likeness(session, SECOND, photo.sha256, " ")
    assert overrule_likeness(session, SECOND, photo.sha256, "两处相邻，同一背景").letter is Letter.C
    assert missing_evidence(session, issue) == ()
    assert tiny.store.verify() is None


def test_before_and_after_the_same_picture_never_counts(tiny: Workspace, scenes: list[bytes]) -> None:
    session, issue = Session(tiny, OWNER), issue_of(tiny, FIRST)
    photo, _ = add_photo(session, FIRST, "before", BytesIO(scenes[1]), "a.jpg", live(issue))
    again, grade = add_photo(session, FIRST, "after", BytesIO(scenes[1]), "b.jpg", live(issue))
    assert again.stage == "before"  # one file is one photo, whatever it is called
    assert photo.sha256 == again.sha256
    assert missing_evidence(session, issue) == ("after",)
    assert grade.letter is Letter.A


def test_who_has_no_part_in_it_adds_nothing(tiny: Workspace, scenes: list[bytes]) -> None:
    before = tiny.store.head()
    viewer = Actor("u8", (Grant(role=Role.VIEWER),))
    elsewhere = Actor("u3", (Grant(role=Role.TOWN_CADRE, places=("t2",)),))
    with pytest.raises(ForbiddenError):
        add_photo(Session(tiny, viewer), FIRST, "after", BytesIO(scenes[0]), "a.jpg")
    with pytest.raises(NotFoundError):
        add_photo(Session(tiny, elsewhere), FIRST, "after", BytesIO(scenes[0]), "a.jpg")
    with pytest.raises(WrongUseError, match="stage"):
        add_photo(Session(tiny, OWNER), FIRST, "later", BytesIO(scenes[0]), "a.jpg")
    with pytest.raises(BadInputError):
        add_photo(Session(tiny, OWNER), FIRST, "after", BytesIO(b"no picture at all"), "a.jpg")
    assert tiny.store.head() == before


def test_an_old_phone_clock_is_set_right_by_what_it_showed_on_sending(tiny: Workspace, scenes: list[bytes]) -> None:
    issue = issue_of(tiny, FIRST)
    slow = timedelta(hours=9)
    capture = replace(live(issue), device_at=now() - slow, submitted_at=now() - slow)
    _, grade = add_photo(Session(tiny, OWNER), FIRST, "after", BytesIO(scenes[2]), "a.jpg", capture)
    assert {reason.cause for reason in grade.reasons} >= {Cause.CLOCK_OFF, Cause.TIMELY}
    assert grade.letter is Letter.B
    assert MORNING.date() < TODAY
