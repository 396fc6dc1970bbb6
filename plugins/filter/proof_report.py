# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

Link = t.Mapping[str, str]
NOTHING_PROVED = "Nothing was proved: there was no way to the billing data to try."


def proof_report(links: t.Sequence[Link]) -> dict[str, t.Any]:
    """Rows, notes and state of a proof; see the documentation beside this file."""
    if isinstance(links, (str, t.Mapping)) or not isinstance(links, t.Sequence):
        raise AnsibleFilterError(f"proof_report takes the list of links of a proof, not {type(links).__name__}")
    if not links:
        return {"rows": [], "notes": [NOTHING_PROVED], "state": "failed"}
    failed = [link for link in links if link["state"] == "failed"]
    pending = [link for link in links if link["state"] == "pending"]
    return {
        "rows": [[_name(link), link["state"], link["detail"]] for link in links],
        "notes": [_note(link) for link in _with_different_causes(failed or pending)],
        "state": "failed" if failed else "pending" if pending else "done",
    }


def _name(link: Link) -> str:
    """Of several identities also whose link it is."""
    name = link["link"].replace("_", " ")
    return f"{name} ({link['identity']})" if link.get("identity") else name


def _with_different_causes(links: t.Sequence[Link]) -> list[Link]:
    """The first link of each cause: what stands behind it in the chain would only say the same again."""
    first: dict[t.Any, Link] = {}
    for link in links:
        first.setdefault((link["cause"], link["change"]) if link["cause"] else link["link"], link)
    return list(first.values())


def _note(link: Link) -> str:
    sentences = [link["detail"], link["cause"], link["change"]]
    return " ".join(_sentence(text) for text in sentences if text.strip())


def _sentence(text: str) -> str:
    """With a full stop, and with a capital unless it begins with an ARN, a URL or a name."""
    text = text.strip().rstrip(".")
    first_word = text.partition(" ")[0]
    return (text[0].upper() + text[1:] if first_word.isalpha() else text) + "."


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"proof_report": proof_report}
