# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The object-store YAML that a Secret shall have, and by which of its keys another one differs. Pure, no call.

What people are shown has names of keys in it, never a value: any of them may be a secret in the wrong place.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

from . import object_store
from ._identifiers import refuse
from ._key_pair import KeyPair, NotAPair, keys_in
from ._object_store_keys import DOCUMENT, HIDDEN, Key, Keys
from ._object_store_rules import check_keys, check_rules
from ._regions import check_region

# The keys of ``config`` that make a pair. They have options of their own, which hide them.
PAIR_KEYS = ("access_key", "secret_key", "session_token")


@dataclasses.dataclass(frozen=True)
class Text:
    """A text and what it says.

    :ivar facts: what others need to know of it; no secret is among it
    """

    text: str = dataclasses.field(repr=False)
    document: t.Mapping[str, t.Any] = dataclasses.field(repr=False)
    facts: t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Source:
    """What the text is made of: options, or the file of a user.

    :ivar config: the options, as ``object_store.build`` takes them, without a key pair
    :ivar content: the text of a file, which is taken as it is
    :ivar region: of the bucket, when it is known
    :ivar inputs: option -> what it is called in messages
    """

    consumer: str
    config: t.Mapping[str, t.Any] | None = None
    content: str | None = dataclasses.field(default=None, repr=False)
    region: str = ""
    inputs: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    def called(self, option: str) -> str:
        """What an option is called in messages."""
        return self.inputs.get(option, option)

    def write(self, pair: KeyPair | None = None) -> Text:
        """The text, with this key pair in it when it is made of options.

        :raises AnsibleAWSError: the consumer would refuse it, or misread it
        """
        partition = check_region("bucket_region", self.region) if self.region else ""
        if self.content is not None:
            option = self.called("content")
            document = object_store.parse(self.content, option)
            notes = object_store.check(document, self.consumer, self.region, partition, option)
            return Text(self.content, document, object_store.facts(document, notes))
        option = self.called("config")
        for name in PAIR_KEYS:
            if (self.config or {}).get(name):
                write = f"Take it out of there, and write it in {self.called('key_pair')}, which no output shows"
                refuse(f"{option}.{name}", HIDDEN, "may be shown where it stands", write)
        document = object_store.build({**(self.config or {}), **_options(pair)}, self.consumer, option)
        notes = check_rules(option, document["config"], self.consumer, self.region, partition)
        return Text(object_store.render(document), document, object_store.facts(document, notes))

    def check_pair(self, option: str, pair: KeyPair) -> None:
        """Refuse a pair that the consumer cannot use.

        :param option: where it was given
        :raises AnsibleAWSError: names the option, and what to write
        """
        check_keys(self.called(option), _options(pair), self.consumer)


def held_in(text: str | None) -> KeyPair | None:
    """The permanent key pair of a text that is in use, ``None`` when it has none that can be one.

    A text that somebody has damaged is written anew, so nothing is refused here.
    """
    try:
        pair = keys_in(text or "")
        check_keys("", _options(pair), "thanos")
    except (NotAPair, AnsibleAWSError):
        return None
    return None if pair.temporary or pair.session_token else pair


def says_the_same(text: str | None, wanted: Text) -> bool:
    """Whether another text has the same meaning."""
    return text is not None and object_store.loaded(text)[0] == wanted.document


def differences(text: str | None, wanted: Text) -> list[str]:
    """By which keys the text that is wanted differs from one that is there; lines for people."""
    before: t.Any = {}
    lines = []
    if text:
        before, _line, problem = object_store.loaded(text)
        lines += ["~ what is there cannot be read"] if problem else []
    old, new = _flat(before or {}, DOCUMENT), _flat(wanted.document, DOCUMENT)
    for name in {**new, **old}:
        if old.get(name) != new.get(name):
            lines.append(f"{'+' if name not in old else '-' if name not in new else '~'} {name}")
    return lines or ["~ its form, or a key that its consumer does not know"]


def _options(pair: KeyPair | None) -> dict[str, str]:
    given = {name: getattr(pair, name) for name in PAIR_KEYS} if pair else {}
    return {name: value for name, value in given.items() if value}


def _flat(section: t.Any, keys: Keys, place: str = "") -> dict[str, t.Any]:
    """The keys that we know, by their place, in the order of documents."""
    made: dict[str, t.Any] = {}
    if not isinstance(section, t.Mapping):
        return made
    for name, key in keys.items():
        value = section.get(name)
        if value is None:
            continue
        if isinstance(key, Key):
            made[place + name] = value
        else:
            made.update(_flat(value, key, f"{place}{name}."))
    return made
