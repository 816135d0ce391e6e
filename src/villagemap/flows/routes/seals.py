"""Flows of a seal: commit to a plan or draw before the visit without telling it, and prove afterwards that it is it.

The commitment is SHA-256 of a salt (32 hex digits) and the content, as one text. The content of a record is its
canonical JSON without the seal's own fields; of something kept elsewhere it is the SHA-256 that the sealer gives. The
seal's event holds the commitment alone. The salt stands with the sealed record, which is as secret; for what is kept
elsewhere it is told once, and the sealer keeps it.
"""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from uuid_utils import uuid7

from villagemap.auth import Policy
from villagemap.chain import body_text, instant_text
from villagemap.errors import BadInputError, ConflictError, NotFoundError, WrongUseError
from villagemap.flows.registry import Session, flow
from villagemap.flows.routes.draw_views import find_draw, is_shown
from villagemap.model import Record
from villagemap.settings import now
from villagemap.store import Writer

SEALED_FIELDS = frozenset({"seal", "salt", "sealed", "opened_at"})
"""What a seal itself writes into a record, and so isn't part of what it seals."""
SEALABLE = ("draw", "plan")
DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """A commitment, when and at which event it was made, and whether it is open; instants are texts in UTC.

    ``subject`` is the sealed record, "" where the content is kept elsewhere or the seal isn't open yet. ``salt`` is
    told once it is open; at the sealing of something kept elsewhere too, for the sealer to keep.
    """

    id: str
    commitment: str
    sealed_at: str
    sealed_by: str
    seq: int = 0
    opened_at: str = ""
    subject: str = ""
    salt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealCheck:
    """Whether what lies here is what was sealed.

    ``holds`` says that the content of then gives the commitment (None: kept elsewhere, and not shown yet); ``intact``
    that the chain up to the sealing hashes to what it was; ``changed`` are the fields of the record that were changed
    since, which breaks no seal but is told. ``content`` is the SHA-256 of the sealed content.
    """

    seal: Seal
    holds: bool | None
    intact: bool
    changed: tuple[str, ...]
    content: str


def commitment(salt: str, content: str) -> str:
    """Hex SHA-256 of the salt and the content as one UTF-8 text."""
    return hashlib.sha256((salt + content).encode()).hexdigest()


def content_of(subject: str, fields: Mapping[str, Any]) -> str:
    """What is sealed of a record: canonical JSON of its subject and its fields."""
    kept = {name: value for name, value in fields.items() if name not in SEALED_FIELDS}
    return body_text({"subject": subject, "fields": kept})


@flow("seal.make", Policy.PLAN)
def make_seal(session: Session, what: str) -> Seal:
    """Seal a plan or draw ("plan/ID", "draw/ID"; a draw by its name too), or a SHA-256 of something kept elsewhere.

    Raises
    ------
    NotFoundError
        ``unknown_sealed``, ``unknown_draw``
    ConflictError
        ``seal_stands`` where it is sealed or open already; ``draw_not_drawn``.
    """
    at, seal_id, salt = now(), str(uuid7()), secrets.token_hex(16)
    word, digest = what.strip(), what.strip().lower()
    elsewhere = DIGEST.fullmatch(digest) is not None
    store = session.workspace.store
    with store.writing() as writer:
        record = None if elsewhere else _sealable(session, word)
        content = digest if record is None else content_of(record.subject, record.fields)
        if record is not None:
            sealed = {**record.fields, "seal": seal_id, "salt": salt, "sealed": True}
            _put(writer, replace(record, fields=sealed), "seal", session.actor.id)
        fields = {
            "commitment": commitment(salt, content),
            "sealed_at": instant_text(at),
            "sealed_by": session.actor.id,
            "elsewhere": elsewhere,
        }
        seq = _put(writer, Record(subject=f"seal/{seal_id}", type="seal", fields=fields), "make", session.actor.id)
    return replace(_seal_of(Record(subject=f"seal/{seal_id}", type="seal", fields=fields)), seq=seq,
                   salt=salt if elsewhere else "")  # fmt: skip


@flow("seal.open", Policy.PLAN)
def open_seal(session: Session, word: str, *, salt: str = "", digest: str = "") -> SealCheck:
    """Open a seal after the visit: from now on everybody may see what was sealed, and make its commitment again.

    Parameters
    ----------
    salt, digest
        For something kept elsewhere: what was told at its sealing, and its SHA-256.

    Raises
    ------
    NotFoundError
        ``unknown_seal``
    BadInputError
        ``seal_broken`` where these don't give the commitment, or the sealed record isn't there any more.
    WrongUseError
        ``seal_needs_salt``
    """
    store = session.workspace.store
    with store.writing() as writer:
        seal = _find(session, word)
        if seal.fields.get("opened_at"):
            return _checked(session, seal)
        at = instant_text(now())
        if seal.fields["elsewhere"]:
            if not salt or not digest:
                raise WrongUseError("seal_needs_salt")
            told = {"salt": salt.strip().lower(), "content": digest.strip().lower()}
            if commitment(told["salt"], told["content"]) != seal.fields["commitment"]:
                raise BadInputError("seal_broken", seal=_id(seal))
        else:
            record = _sealed_by(session, seal)
            if record is None:
                raise BadInputError("seal_broken", seal=_id(seal))
            told = {"salt": record.fields["salt"], "subject": record.subject}
            opened = replace(record, fields={**record.fields, "opened_at": at})
            _put(writer, opened, "open", session.actor.id)
        opened_seal = replace(seal, fields={**seal.fields, **told, "opened_at": at})
        _put(writer, opened_seal, "open", session.actor.id)
    return _checked(session, _find(session, word))


@flow("seal.check", Policy.READ)
def check_seal(session: Session, word: str) -> SealCheck:
    """Whether what lies here is what was sealed, and when that was; a closed seal is there only for who may plan.

    Raises
    ------
    NotFoundError
        ``unknown_seal``
    """
    return _checked(session, _find(session, word))


@flow("seal.list", Policy.READ)
def list_seals(session: Session) -> list[Seal]:
    """All seals that the actor may see, the latest first."""
    return [_seal_of(one) for one in reversed(session.workspace.store.records("seal")) if is_shown(session, one)]


def _find(session: Session, word: str) -> Record:
    """A seal by its id, or the start of its commitment."""
    store, word = session.workspace.store, word.strip()
    record = store.record(f"seal/{word}")
    if record is None and len(word) >= 8:  # noqa: PLR2004 - shorter starts fit by chance
        fits = [one for one in store.records("seal") if str(one.fields["commitment"]).startswith(word.lower())]
        record = fits[0] if len(fits) == 1 else None
    if record is None or not is_shown(session, record):
        raise NotFoundError("unknown_seal", word=word[:100])
    return record


def _sealable(session: Session, word: str) -> Record:
    """The record that somebody wants sealed."""
    kind, slash, _ = word.partition("/")
    record = session.workspace.store.record(word) if slash and kind in SEALABLE else None
    if record is None:
        if slash and kind == "plan":
            raise NotFoundError("unknown_sealed", word=word[:100])
        record = find_draw(session, word.removeprefix("draw/"))
    if record.fields.get("seal") or record.fields.get("opened_at"):
        raise ConflictError("seal_stands", what=record.fields.get("name", word))
    if record.type == "draw" and not record.fields.get("number"):
        raise ConflictError("draw_not_drawn", name=record.fields["name"])
    return record


def _sealed_by(session: Session, seal: Record) -> Record | None:
    """The record that names this seal."""
    records = (record for kind in SEALABLE for record in session.workspace.store.records(kind))
    return next((record for record in records if record.fields.get("seal") == _id(seal)), None)


def _checked(session: Session, seal: Record) -> SealCheck:
    """A seal held against the chain: the record as it stood at the sealing, folded from its events."""
    store = session.workspace.store
    made = store.events(seal.subject)[0]
    told = replace(_seal_of(seal), seq=made.seq)
    intact = store.hash_of(made.seq) == made.hash
    if seal.fields["elsewhere"]:
        content, salt = seal.fields.get("content", ""), seal.fields.get("salt", "")
        gives = commitment(salt, content) == told.commitment if content else None
        return SealCheck(seal=told, holds=gives, intact=intact, changed=(), content=content)
    record = _sealed_by(session, seal)
    if record is None:
        return SealCheck(seal=told, holds=False, intact=intact, changed=(), content="")
    then = next((one for one in store.records_at(record.type, made.seq) if one.subject == record.subject), record)
    content = content_of(record.subject, then.fields)
    holds = commitment(str(record.fields.get("salt", "")), content) == told.commitment
    names = (then.fields.keys() | record.fields.keys()) - SEALED_FIELDS
    changed = tuple(sorted(name for name in names if then.fields.get(name) != record.fields.get(name)))
    digest = hashlib.sha256(content.encode()).hexdigest()
    return SealCheck(seal=told, holds=holds, intact=intact, changed=changed, content=digest)


def _seal_of(record: Record) -> Seal:
    fields = record.fields
    return Seal(
        id=_id(record),
        commitment=fields["commitment"],
        sealed_at=fields["sealed_at"],
        sealed_by=fields["sealed_by"],
        opened_at=fields.get("opened_at", ""),
        subject=fields.get("subject", ""),
        salt=fields.get("salt", ""),
    )


def _id(seal: Record) -> str:
    return seal.subject.removeprefix("seal/")


def _put(writer: Writer, record: Record, kind: str, actor: str) -> int:
    return writer.put_record(record, kind=kind, actor=actor, at=now())
