# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The links of the chain that a proof consists of, and what the proof is worth as a whole."""

from __future__ import annotations

import dataclasses
import typing as t

OK = "ok"
PENDING = "pending"  # nothing is wrong, but something is not there yet
FAILED = "failed"
SKIPPED = "skipped"  # not looked at; the detail says why
PROVED = "proved"

# In the order in which a token travels, then what is around it. Links that the task does not ask for are left out.
ORDER = (
    "service_account",
    "token",
    "trust",
    "role",
    "access_key",
    "payer_role",
    "table",
    "query",
    "tags",
    "list",
    "region",
    "missing",
    "put",
    "get",
    "encryption",
    "multipart",
    "delete",
    "outside",
    "secret",
    "pods",
    "release",
)

# The options that the modules share which prove something, documented in the fragment ``kubestrap.aws.proof``.
PROOF_ARGUMENTS: dict[str, t.Any] = {
    "awaited": {"type": "str"},
    "recently_changed": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 120},
    "fail_on": {"type": "str", "choices": ["failed", "pending", "never"], "default": "failed"},
}


@dataclasses.dataclass(frozen=True)
class Link:
    """One link.

    :ivar link: a name of ``ORDER``
    :ivar state: ``ok``, ``pending``, ``failed`` or ``skipped``
    :ivar detail: what was seen
    :ivar cause: why it is so, when it is not ok
    :ivar change: what to change, when it failed
    :ivar missing: whether it failed because an object does not exist at all
    :ivar by_run: whether a run of the playbook writes what it failed for; in check mode it may be about to
    :ivar by_install: whether it failed because the workload is not installed as it shall be, so that who installs it
        mends it
    :ivar identity: whose link it is, where a proof is about several identities; empty where it is about one
    """

    link: str
    state: str
    detail: str
    cause: str = ""
    change: str = ""
    missing: bool = dataclasses.field(default=False, repr=False)
    by_run: bool = dataclasses.field(default=False, repr=False)
    by_install: bool = dataclasses.field(default=False, repr=False)
    identity: str = dataclasses.field(default="", repr=False)

    def result(self) -> dict[str, t.Any]:
        """As the module returns it."""
        keys = ("link", "state", "detail", "cause", "change", "missing")
        whose = {"identity": self.identity} if self.identity else {}
        return {key: getattr(self, key) for key in keys} | whose


def ok(link: str, detail: str) -> Link:
    return Link(link, OK, detail)


def pending(link: str, detail: str, cause: str = "", change: str = "") -> Link:
    return Link(link, PENDING, detail, cause, change)


def failed(
    link: str,
    detail: str,
    cause: str,
    change: str,
    missing: bool = False,
    by_run: bool = False,
    by_install: bool = False,
) -> Link:
    return Link(link, FAILED, detail, cause, change, missing, by_run, by_install)


def skipped(link: str, detail: str) -> Link:
    return Link(link, SKIPPED, detail)


def in_check_mode(link: Link) -> Link:
    """A link as check mode shows it: what does not exist yet, or differs, may be what the run would make."""
    if link.state != FAILED or not (link.missing or link.by_run):
        return link
    return _pending_of(link, f"{link.cause}. In check mode it may be what this run would make", link.change)


def awaiting(link: Link, awaited: str | None) -> Link:
    """A link as it is while somebody else has the workload to install.

    :param awaited: what comes next, ``None`` when nobody else installs it
    """
    if not awaited or link.state != FAILED or not link.by_install:
        return link
    return _pending_of(link, link.cause, awaited)


def _pending_of(link: Link, cause: str, change: str) -> Link:
    """A link that failed, as one that is pending, of the same identity."""
    return dataclasses.replace(pending(link.link, link.detail, cause, change), identity=link.identity)


def arranged(links: t.Iterable[Link]) -> list[Link]:
    """The links in the order of ``ORDER``."""
    return sorted(links, key=lambda link: ORDER.index(link.link))


def verdict(links: t.Iterable[Link]) -> str:
    """``failed`` when a link failed, else ``pending`` when one is pending, else ``proved``."""
    states = {link.state for link in links}
    return FAILED if FAILED in states else PENDING if PENDING in states else PROVED


def unreached(wanted: t.Iterable[str], links: t.Sequence[Link], awaited: str | None) -> list[Link]:
    """The links behind one that failed, which are not tried.

    :param wanted: names of all links, in their order
    :param links: those that were tried; one of them failed
    :param awaited: see ``awaiting``
    """
    culprit = next(link for link in links if link.state == FAILED)
    seen = {link.link for link in links}
    ended = "is pending" if awaiting(culprit, awaited).state == PENDING else "failed"
    return [skipped(name, f"Not reached: {culprit.link} {ended}") for name in wanted if name not in seen]


def first(links: t.Iterable[Link], state: str) -> Link | None:
    """The first link in this state."""
    return next((link for link in links if link.state == state), None)


def sentence(link: Link) -> str:
    """A link in plain words: what was seen, why, and what to change."""
    parts = [link.detail, link.cause and f"Cause: {link.cause}", link.change and f"Change: {link.change}"]
    whose = f" of {link.identity}" if link.identity else ""
    return f"{link.link}{whose}: " + " ".join(f"{part.rstrip('.')}." for part in parts if part)


def message(proof: t.Mapping[str, t.Any]) -> str:
    """The first link that failed, else the first that is pending, in plain words."""
    for state in (FAILED, PENDING):
        for link in proof["links"]:
            if link["state"] == state:
                return sentence(Link(**link))
    return "Every link is proved"


def fails(proof: t.Mapping[str, t.Any], fail_on: str, check_mode: bool) -> bool:
    """Whether a task fails for its proof.

    :param fail_on: the module's option: ``failed``, ``pending`` or ``never``
    """
    refused = {"failed": (FAILED,), "pending": (FAILED, PENDING), "never": ()}[fail_on]
    return proof["state"] in refused and not check_mode
