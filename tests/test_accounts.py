"""Accounts: a file that opens no door to its reader, logins that tell nothing, doors that close at once."""

import os
import sqlite3
import stat
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from villagemap.auth import NOBODY, OWNER, Actor, Grant, Policy, Role, allows, scope_of
from villagemap.errors import (
    AmbiguousError,
    BadInputError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    TooOftenError,
    UnknownActorError,
    WorkspaceError,
    WrongUseError,
)
from villagemap.flows.people import accounts, links
from villagemap.flows.people.accounts import MOST_TRIES, TRY_WINDOW, actor_of_token, digest, log_in
from villagemap.flows.registry import Session
from villagemap.flows.workspace import ACCOUNTS_FILE, Workspace
from villagemap.settings import now
from villagemap.store.accounts import Accounts, login_key
from villagemap.store.accounts_file import AccountsFile, migrations

PASSWORD = "correct horse 电池"
OFFICE = "192.0.2.7"
OPEN_ISSUE = "019c0000-0000-7000-8000-000000000001"  # a dry toilet in 甲镇
HOUSEHOLD = "019c0000-0000-7000-8000-000000000005"


@pytest.fixture
def county(tiny: Workspace) -> Session:
    """The owner of the tiny county, where anna may log in."""
    session = Session(tiny, OWNER)
    accounts.add_user(session, "anna", PASSWORD, name="安娜", units=["county_water", "town:甲镇"])
    return session


def anna(session: Session, *, address: str = OFFICE) -> accounts.Opened:
    return log_in(Session(session.workspace, NOBODY), "Anna ", PASSWORD, address=address)


def refused(session: Session, login: str, password: str, *, address: str = OFFICE) -> str:
    with pytest.raises((UnknownActorError, TooOftenError)) as fault:
        log_in(Session(session.workspace, NOBODY), login, password, address=address)
    return fault.value.code


# The file


def first_file(path: Path) -> None:
    """accounts.sqlite as the first workspaces have it."""
    connection = sqlite3.connect(path)
    connection.executescript(migrations()[0].read_text(encoding="utf-8") + "PRAGMA user_version = 1;")
    connection.execute("INSERT INTO access_log VALUES ('2026-03-01T00:00:00+00:00', 'owner', 'issues.show', 'a')")
    connection.commit()
    connection.close()


def test_an_older_file_is_taken_over_with_what_it_knows(tmp_path):
    path = tmp_path / ACCOUNTS_FILE
    first_file(path)
    known = Accounts(path)
    assert [entry.subject for entry in known.log_entries(limit=9)] == ["a"]
    assert not known.exist()
    known.close()
    again = Accounts(path)  # the second time there is nothing to do
    again.close()


def test_two_processes_may_take_it_over_at_once(tmp_path):
    path = tmp_path / ACCOUNTS_FILE
    first_file(path)
    with ThreadPoolExecutor(4) as pool:
        for known in pool.map(lambda _: Accounts(path), range(4)):
            known.close()


@pytest.mark.parametrize("content", [b"", b"no database at all, and longer than a header" * 9])
def test_a_foreign_file_is_refused_unchanged(tmp_path, content):
    path = tmp_path / ACCOUNTS_FILE
    path.write_bytes(content)
    with pytest.raises(WorkspaceError) as fault:
        Accounts(path)
    assert fault.value.code == "store_foreign"
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("pragmas", "code"), [("user_version = 99", "schema_newer"), ("application_id = 7", "store_foreign")]
)
def test_a_newer_file_or_another_programs_is_refused_unchanged(tmp_path, pragmas, code):
    path = tmp_path / ACCOUNTS_FILE
    AccountsFile.create(path)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA {pragmas}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(WorkspaceError) as fault:
        Accounts(path)
    assert fault.value.code == code
    assert path.read_bytes() == before


def test_it_is_its_owners_alone_and_synced(county):
    folder = county.workspace.folder
    if os.name != "nt":
        for path in folder.glob(f"{ACCOUNTS_FILE}*"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    with county.workspace.accounts._file.writing() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2


def test_no_secret_stands_in_it(county):
    secrets = [
        PASSWORD.encode(),
        anna(county).secret.encode(),
        accounts.make_api_token(county, "anna", name="x").secret.encode(),
        links.make_link(county, name="x", places=["甲镇"]).secret.encode(),
    ]
    content = b"".join(path.read_bytes() for path in county.workspace.folder.glob(f"{ACCOUNTS_FILE}*"))
    assert not [secret for secret in secrets if secret in content]
    assert b"$argon2id$" in content
    assert "secret" not in repr(anna(county))


def test_a_disk_that_is_full_says_so(county):
    with county.workspace.accounts._file.writing() as connection:
        connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(WorkspaceError) as fault:
        for number in range(5000):
            county.workspace.log_access("u1", "x", str(number) * 50)
    assert fault.value.code == "disk_full"


# Users and grants


def test_login_names_are_unique_whatever_their_case(county):
    with pytest.raises(ConflictError) as fault:
        accounts.add_user(county, " ANNA", PASSWORD)
    assert fault.value.code == "login_taken"
    assert [line.user.id for line in accounts.list_users(county)] == ["u1"]


@pytest.mark.parametrize("login", ["", "a", "u12", "l3", "with space", "a/b", "x" * 41])
def test_a_login_name_is_a_plain_word(county, login):
    with pytest.raises(BadInputError) as fault:
        accounts.add_user(county, login, PASSWORD)
    assert fault.value.code == "login_unreadable"


@pytest.mark.parametrize("password", ["", "short", "aaaaaaaaaaaaaaaa", "i am anna, hello", "x" * 201])
def test_a_weak_password_is_refused(county, password):
    with pytest.raises(BadInputError) as fault:
        accounts.set_password(county, "anna", password)
    assert fault.value.code == "password_weak"
    assert anna(county)


def test_a_unit_must_be_known(county):
    assert accounts.list_users(county)[0].user.units == ("county_water", "town:449923101")
    for word in ("county_watr", "town", "town:东村", "planet:x"):
        with pytest.raises((WrongUseError, NotFoundError, AmbiguousError)):
            accounts.add_user(county, "berta", PASSWORD, units=[word])


def test_a_grant_takes_the_words_of_people(county):
    given_grant = accounts.grant(
        county, "u1", "镇干部", places=["甲镇", "乙镇/东村"], groups=["厕所革命"], until=date(2999, 1, 1)
    )
    assert (given_grant.role, given_grant.places, given_grant.groups) == ("town_cadre", ("t1", "v7"), ("toilets",))
    actor = actor_of_token(county, anna(county).secret)
    assert actor == Actor(
        "u1",
        (Grant(role=Role.TOWN_CADRE, places=("t1", "v7"), groups=("toilets",), until=date(2999, 1, 1)),),
        frozenset({"county_water", "town:449923101"}),
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"role": "king"}, "role_unknown"),
        ({"role": "viewer", "places": ["丁镇"]}, "place_unknown"),
        ({"role": "viewer", "places": ["东村"]}, "ambiguous_place"),
        ({"role": "viewer", "groups": ["toilet"]}, "group_unknown"),
        ({"user": "berta", "role": "viewer"}, "unknown_user"),
    ],
)
def test_a_grant_of_what_isnt_known_is_refused(county, words, code):
    with pytest.raises(WrongUseError) as fault:
        accounts.grant(county, words.pop("user", "anna"), words.pop("role"), **words)
    assert fault.value.code == code
    assert county.workspace.accounts.grants() == []


def test_a_grant_taken_back_counts_at_once(county):
    given_grant = accounts.grant(county, "anna", "viewer")
    secret = anna(county).secret
    assert Policy.READ in actor_of_token(county, secret).may
    accounts.revoke_grant(county, given_grant.id)
    assert actor_of_token(county, secret).may == {Policy.PUBLIC}
    with pytest.raises(NotFoundError):
        accounts.revoke_grant(county, given_grant.id)


def test_who_has_a_part_of_the_county_gives_nothing_away(county):
    """An administrator of one town could else grant themselves the county."""
    accounts.grant(county, "anna", "county_admin", places=["甲镇"], private=True)
    session = Session(county.workspace, actor_of_token(county, anna(county).secret))
    for act in (
        lambda: accounts.grant(session, "anna", "county_admin"),
        lambda: accounts.list_users(session),
        lambda: accounts.make_api_token(session, "anna", name="x"),
        lambda: links.make_link(session, name="x", places=["甲镇"]),
        lambda: accounts.access_log(session),
        lambda: accounts.set_password(session, "anna", "another password"),
    ):
        with pytest.raises(ForbiddenError):
            act()


# Logging in


def test_the_right_password_opens_and_closing_closes(county):
    opened = anna(county)
    assert opened.actor == "u1"
    assert actor_of_token(county, opened.secret).id == "u1"
    accounts.log_out(county, opened.secret)
    accounts.log_out(county, opened.secret)  # closed already
    with pytest.raises(UnknownActorError):
        actor_of_token(county, opened.secret)


def test_a_password_is_the_same_however_it_is_typed(county):
    accounts.set_password(county, "anna", "full width １２３４")
    assert log_in(county, "anna", "full width 1234", address=OFFICE)


def test_unknown_wrong_and_locked_get_the_same_answer(county):
    accounts.add_user(county, "berta", PASSWORD)
    accounts.disable_user(county, "berta")
    assert {
        refused(county, "anna", "wrong password"),
        refused(county, "nobody_here", PASSWORD),
        refused(county, "berta", PASSWORD),
        refused(county, "", ""),
    } == {"login_failed"}


def test_unknown_names_take_the_same_time(county):
    """Measured as work done, not as time gone by: the machine has other things to do."""

    def work(login: str) -> float:
        spent = []
        for number in range(4):
            began = time.process_time()
            refused(county, login, "wrong password", address=f"192.0.2.{number}")
            spent.append(time.process_time() - began)
        return statistics.median(spent)

    work("warming_up")
    known, unknown = work("anna"), work("nobody_here")
    assert 0.5 < unknown / known < 2


def test_too_many_attempts_must_wait_known_or_not(county):
    for login in ("anna", "nobody_here"):
        codes = [refused(county, login, "wrong password") for _ in range(MOST_TRIES.pair + 1)]
        assert codes == ["login_failed"] * MOST_TRIES.pair + ["login_too_often"]
    assert refused(county, "anna", PASSWORD) == "login_too_often"  # the right one, too: else it could be guessed on
    assert anna(county, address="192.0.2.8")  # nobody locks anna out from elsewhere


def test_limits_are_for_the_pair_the_name_and_the_address(county):
    tokens, at = county.workspace.accounts.tokens, now()

    def tries(name: str, address: str, at=at) -> bool:
        return tokens.try_login(name, address, at, TRY_WINDOW, MOST_TRIES)

    assert [tries(f"name{n}", "a") for n in range(MOST_TRIES.address + 1)] == [True] * MOST_TRIES.address + [False]
    assert [tries("name", f"from{n}") for n in range(MOST_TRIES.name + 1)] == [True] * MOST_TRIES.name + [False]
    later = at + TRY_WINDOW + timedelta(seconds=1)
    assert tries("name", "a", later)


def test_a_hundred_attempts_at_once_are_no_way_around(county):
    tokens, at = county.workspace.accounts.tokens, now()
    with ThreadPoolExecutor(8) as pool:
        passed = list(pool.map(lambda _: tokens.try_login("x", "y", at, TRY_WINDOW, MOST_TRIES), range(100)))
    assert sum(passed) == MOST_TRIES.pair


def test_getting_in_forgets_what_was_mistyped(county):
    for _ in range(3):
        for _ in range(MOST_TRIES.pair - 1):
            refused(county, "anna", "wrong password")
        anna(county)


# Doors that close


@pytest.mark.parametrize(
    "close",
    [
        lambda session, _: accounts.set_password(session, "anna", "another password"),
        lambda session, _: accounts.disable_user(session, "anna"),
        lambda session, opened: accounts.revoke_token(session, opened.id),
    ],
    ids=["password", "disable", "revoke"],
)
@pytest.mark.parametrize("kind", ["session", "api"])
def test_a_door_is_closed_at_once(county, close, kind):
    opened = anna(county) if kind == "session" else accounts.make_api_token(county, "anna", name="x")
    assert actor_of_token(county, opened.secret).id == "u1"
    close(county, opened)
    with pytest.raises(UnknownActorError) as fault:
        actor_of_token(county, opened.secret)
    assert fault.value.code == "token_invalid"


def test_who_is_let_in_again_logs_in_anew(county):
    opened = anna(county)
    accounts.disable_user(county, "anna")
    accounts.disable_user(county, "anna", disabled=False)
    with pytest.raises(UnknownActorError):
        actor_of_token(county, opened.secret)
    assert anna(county)


def test_a_token_ends_on_its_instant(county):
    opened = accounts.make_api_token(county, "anna", name="x", days=3)
    tokens = county.workspace.accounts.tokens
    assert tokens.by_hash(digest(opened.secret), opened.expires_at - timedelta(seconds=1))
    assert tokens.by_hash(digest(opened.secret), opened.expires_at) is None
    for days in (0, 367, -1):
        with pytest.raises(WrongUseError):
            accounts.make_api_token(county, "anna", name="x", days=days)


def test_last_use_is_noted_but_not_each(county):
    opened = anna(county)
    first = [actor_of_token(county, opened.secret) and accounts.list_tokens(county)[0].used_at for _ in range(2)]
    assert first[0] is not None
    assert first[0] == first[1]


@given(st.text(max_size=80))
def test_no_made_up_token_opens_anything(tmp_path_factory, secret):
    path = tmp_path_factory.getbasetemp() / "made_up.sqlite"
    if not path.exists():
        AccountsFile.create(path)
    known = Accounts(path)
    assert known.tokens.by_hash(digest(secret), now()) is None
    known.close()


# Links


def test_a_link_for_a_town_looks_at_it(county):
    made = links.make_link(county, name="甲镇政府", places=["甲镇"], uses=2)
    actor = actor_of_token(county, links.redeem_link(county, made.secret).secret)
    assert (actor.id, actor.grants, actor.may) == ("l1", (), {Policy.PUBLIC, Policy.READ})
    assert accounts.who(Session(county.workspace, actor)).name == "甲镇政府"


def test_a_link_for_issues_works_on_them_for_their_units(county):
    made = links.make_link(county, name="x", issues=[OPEN_ISSUE])
    issue = county.workspace.store.issue(OPEN_ISSUE)
    assert set(made.link.units) == links.charged_units(county, issue)
    actor = actor_of_token(county, links.redeem_link(county, made.secret).secret)
    vocabulary = county.workspace.vocabulary
    other = county.workspace.store.issue(OPEN_ISSUE[:-1] + "7")
    assert allows(actor, Policy.WORK, scope_of(issue, vocabulary))
    assert not allows(actor, Policy.WORK, scope_of(other, vocabulary))
    assert not allows(actor, Policy.VERIFY, scope_of(issue, vocabulary))


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({}, "link_for_what"),
        ({"places": ["甲镇"], "issues": [OPEN_ISSUE]}, "link_for_what"),
        ({"issues": [HOUSEHOLD]}, "link_restricted"),
        ({"issues": ["no_such"]}, "unknown_issue"),
        ({"places": ["丁镇"]}, "place_unknown"),
        ({"places": ["甲镇"], "days": 93}, "days_unreadable"),
        ({"places": ["甲镇"], "uses": 0}, "uses_unreadable"),
    ],
)
def test_a_link_that_makes_no_sense_is_refused(county, words, code):
    with pytest.raises((WrongUseError, ForbiddenError)) as fault:
        links.make_link(county, name="x", **words)
    assert fault.value.code == code
    assert links.list_links(county) == []


def test_a_link_has_its_uses_and_no_more_even_at_once(county):
    made = links.make_link(county, name="x", places=["甲镇"], uses=3)

    def redeem(_: int) -> str:
        try:
            return links.redeem_link(county, made.secret).secret
        except UnknownActorError as fault:
            return fault.code

    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(redeem, range(12)))
    assert opened.count("link_invalid") == 9
    good = [secret for secret in opened if secret != "link_invalid"]
    assert len(set(good)) == 3
    assert all(actor_of_token(county, secret).id == "l1" for secret in good)  # used up is for others


def test_a_link_taken_back_closes_what_it_opened(county):
    made = links.make_link(county, name="x", places=["甲镇"])
    opened = links.redeem_link(county, made.secret)
    links.revoke_link(county, "l1")
    assert accounts.list_tokens(county)[0].revoked_at is not None
    with pytest.raises(UnknownActorError):
        actor_of_token(county, opened.secret)
    with pytest.raises(UnknownActorError):
        links.redeem_link(county, made.secret)
    with pytest.raises(NotFoundError):
        links.revoke_link(county, "l1")


def test_what_a_link_opened_ends_with_it(county):
    made = links.make_link(county, name="x", places=["甲镇"], days=1)
    opened = links.redeem_link(county, made.secret)
    assert opened.expires_at == made.link.expires_at
    tokens = county.workspace.accounts.tokens
    assert tokens.link("l1", made.link.expires_at) is None
    assert tokens.by_hash(digest(opened.secret), made.link.expires_at) is None


# The log


def test_every_change_is_in_the_log(county):
    given_grant = accounts.grant(county, "anna", "viewer")
    opened = anna(county)
    accounts.make_api_token(county, "anna", name="x")
    made = links.make_link(county, name="x", places=["甲镇"])
    links.redeem_link(county, made.secret)
    links.revoke_link(county, "l1")
    accounts.revoke_grant(county, given_grant.id)
    accounts.log_out(county, opened.secret)
    accounts.set_password(county, "anna", "another password")
    accounts.disable_user(county, "anna")
    noted = [(entry.actor, entry.flow, entry.subject) for entry in reversed(accounts.access_log(county))]
    assert noted == [
        ("owner", "users.add", "u1"),
        ("owner", "users.grant", "u1 g1 viewer"),
        ("u1", "session.log_in", "u1 t1"),
        ("owner", "tokens.make", "u1 t2"),
        ("owner", "links.make", "l1"),
        ("l1", "links.redeem", "t3"),
        ("owner", "links.revoke", "l1"),
        ("owner", "users.revoke", "g1"),
        ("u1", "session.log_out", "t1"),
        ("owner", "users.password", "u1"),
        ("owner", "users.disable", "u1 disabled"),
    ]
    assert [entry.actor for entry in accounts.access_log(county, actor="l1")] == ["l1"]
    assert accounts.access_log(county, since=now() + timedelta(days=1)) == []


def test_login_keys_fold_what_people_take_for_the_same():
    assert login_key(" Änna ") == login_key("änna")
