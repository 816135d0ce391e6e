"""One tree of errors.

    VillagemapError
    ├── WrongUseError           exit 2, HTTP 400   the request itself can't be meant
    │   ├── NotFoundError       exit 2, HTTP 404
    │   └── AmbiguousError      exit 2, HTTP 409   candidates are listed
    ├── UnknownActorError       exit 2, HTTP 401   nobody we know asks
    ├── ForbiddenError          exit 2, HTTP 403
    ├── TooOftenError           exit 2, HTTP 429   tried too often in a short time
    ├── ConflictError           exit 2, HTTP 409   somebody else was first
    ├── BadInputError           exit 3, HTTP 422   a file or value can't be taken
    │   ├── TooLargeError       exit 3, HTTP 413
    │   └── RefusedError        exit 3, HTTP 422   the workflow says no, and why
    └── WorkspaceError          exit 2, HTTP 503   the folder isn't (or isn't yet) ours
        └── DiskFullError       exit 2, HTTP 507   no room; nothing was written

Each has a stable ``code``. The sentence a person reads is ``errors.<code>`` of the message
catalog, filled with ``params``; it says what, where and what to do.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from villagemap.texts import text


class VillagemapError(Exception):
    """Root of all errors that are meant for a person.

    Parameters
    ----------
    code
        Key under ``errors`` in the message catalog, such as ``"unknown_town"``.
    **params
        Values for the sentence, and extension members of the problem+json answer.
    """

    exit_code: ClassVar[int] = 1
    status: ClassVar[int] = 500

    def __init__(self, code: str, **params: Any) -> None:  # noqa: ANN401 - values of any printable type
        super().__init__(code)
        self.code = code
        self.params = params

    def sentence(self, lang: str) -> str:
        """What happened, where, and what to do about it, in ``lang``."""
        return text(f"errors.{self.code}", lang, **self.params)

    def __str__(self) -> str:
        return self.sentence("en")


class WrongUseError(VillagemapError):
    """The request itself can't be meant: an unknown option, filter or format."""

    exit_code = 2
    status = 400


class NotFoundError(WrongUseError):
    """No such town, issue, place, file or page."""

    status = 404


class AmbiguousError(WrongUseError):
    """A name fits several places; ``params["candidates"]`` lists them."""

    status = 409


class UnknownActorError(VillagemapError):
    """Nobody is logged in, or what was shown opens nothing (any more)."""

    exit_code = 2
    status = 401


class TooOftenError(VillagemapError):
    """Tried too often in a short time."""

    exit_code = 2
    status = 429


class ForbiddenError(VillagemapError):
    """The policy says no."""

    exit_code = 2
    status = 403


class ConflictError(VillagemapError):
    """Somebody else changed it first, or the key is taken."""

    exit_code = 2
    status = 409


class BadInputError(VillagemapError):
    """A file or a value can't be taken as it is; nothing was written."""

    exit_code = 3
    status = 422


class TooLargeError(BadInputError):
    """More bytes, rows or pixels than we read."""

    status = 413


class WorkspaceError(VillagemapError):
    """The folder is no workspace, half-written, of a newer schema, or in use in a way that forbids this."""

    exit_code = 2
    status = 503


class DiskFullError(WorkspaceError):
    """There is no room on the disk: nothing was written, and it goes on when there is room again."""

    status = 507

    def __init__(self) -> None:
        super().__init__("disk_full")


class RefusedError(BadInputError):
    """The workflow refuses an action.

    Parameters
    ----------
    action
        The action's code.
    why
        Codes of ``workflow.refusals``.
    status
        Where the issue stands, in words by language.
    allowed
        Codes of the actions that start from there.
    missing
        What the evidence lacks, as codes of ``evidence.missing``.
    steps
        What the chain still asks for, as codes of ``workflow.steps``.
    """

    def __init__(
        self,
        action: str,
        why: Sequence[str],
        *,
        status: Mapping[str, str],
        allowed: Sequence[str] = (),
        missing: Sequence[str] = (),
        steps: Sequence[str] = (),
    ) -> None:
        super().__init__(
            "refused", action=action, why=list(why), allowed=list(allowed), missing=list(missing), steps=list(steps)
        )
        self._status = status

    def sentence(self, lang: str) -> str:
        """What can't be done, every reason why, and what can."""
        comma = text("workflow.comma", lang)
        shown = {
            "status": self._status[lang],
            "allowed": comma.join(text(f"workflow.actions.{code}", lang) for code in self.params["allowed"]),
            "missing": comma.join(text(f"evidence.missing.{code}", lang) for code in self.params["missing"]),
            "steps": comma.join(text(f"workflow.steps.{code}", lang) for code in self.params["steps"]),
        }
        reasons = [text(f"workflow.refusals.{code}", lang, **shown) for code in self.params["why"]]
        action = text(f"workflow.actions.{self.params['action']}", lang)
        return text("errors.refused", lang, action=action, reasons=text("workflow.joint", lang).join(reasons))
