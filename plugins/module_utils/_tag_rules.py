# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules that say which resources get which tags: reading and checking them, and what a rule selects. Pure but for the
file.

Limits of tags: AWS General Reference, "Tag naming limits and requirements".
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

from ._identifiers import check_account_id, refuse
from ._regions import check_region
from ._tagged_resources import Resource, check_types, type_of
from .tag_scheme import near_miss

# The tag by which is known what was set here; see ``_resource_tags_plan``.
MARKER = "kubestrap.aws/tags"
# By it the collection knows what it has made, and may delete (``_ownership``). A tag may not pretend that.
_OWNERSHIP = ("managed-by", "kubestrap.aws")

MOST_TAGS = 50
_LONGEST_KEY, _LONGEST_VALUE = 128, 256
_FOREIGN = re.compile(r"[^\w\s.:/=+\-@]")
_WILD = re.compile(r"[*?]")
_RULE_KEYS = ("name", "select", "tags")
_SELECTORS = ("arn", "resource_type", "region", "account_id", "tags", "everything")
EXAMPLE = """rules:
  - name: orders
    select: {arn: "arn:aws:rds:*:*:db:orders*"}
    tags: {kubernetes_namespace: shop, kubernetes_deployment: orders}"""


@dataclasses.dataclass(frozen=True)
class Rule:
    """One rule: what all of its selectors select gets its tags. An empty selector selects all.

    :ivar arns: patterns with ``*`` and ``?``, of which one has to fit; so with the others
    :ivar selected_tags: key -> patterns of its value
    """

    name: str
    tags: t.Mapping[str, str]
    arns: tuple[str, ...] = ()
    resource_types: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    account_ids: tuple[str, ...] = ()
    selected_tags: t.Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    everything: bool = False

    @property
    def literal_arns(self) -> list[str]:
        """ARNs that are named, and not described. AWS lists no resource that never had a tag; these can have one."""
        return [arn for arn in self.arns if not _WILD.search(arn)]

    def selects(self, resource: Resource) -> bool:
        kind = type_of(resource.arn)
        return (
            (not self.arns or any(_fits(pattern, resource.arn) for pattern in self.arns))
            and (not self.resource_types or kind in self.resource_types or resource.service in self.resource_types)
            and (not self.regions or resource.region in self.regions)
            and (not self.account_ids or resource.account_id in self.account_ids)
            and all(
                key in resource.tags and any(_fits(pattern, resource.tags[key]) for pattern in patterns)
                for key, patterns in self.selected_tags.items()
            )
        )


def _fits(pattern: str, text: str) -> bool:
    """Whether ``*`` and ``?`` of a pattern can stand for what the text has there."""
    parts = [".*" if part == "*" else "." if part == "?" else re.escape(part) for part in re.split(r"([*?])", pattern)]
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def load(option: str, path: str) -> list[Rule]:
    """The rules of a file.

    :raises AnsibleAWSError: it cannot be read, or is no file of rules; the place is named where YAML tells it
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as e:
        refuse(option, path, f"cannot be read ({getattr(e, 'strerror', None) or e})", "Write the path of a YAML file")
    return parse(option, path, text)


def parse(option: str, path: str, text: str) -> list[Rule]:
    """The rules of a file's text; see ``load``."""
    tab = next((number for number, line in enumerate(text.splitlines(), 1) if re.match(r" *\t", line)), None)
    if tab:
        refuse(option, path, f"has a tab in line {tab}, which YAML does not take for space", "Indent with spaces")
    document = _yaml(option, path, text)
    if not isinstance(document, dict) or set(document) != {"rules"}:
        kind = "a list" if isinstance(document, list) else "empty" if document is None else "no dictionary with rules"
        if isinstance(document, dict):
            kind = f"a dictionary with {', '.join(map(str, document)) or 'nothing'}"
        refuse(option, path, f"is {kind}", f"Write one key, rules, and the rules below it:\n{EXAMPLE}\n")
    return check(f"{option} {path}: rules", document["rules"])


def _yaml(option: str, path: str, text: str) -> t.Any:
    try:
        import yaml  # Ansible depends on it; only a file of rules needs it
    except ImportError as e:
        raise AnsibleAWSError(message=f"{option}: a YAML file cannot be read: {e}. Install PyYAML") from e

    class Loader(yaml.SafeLoader):
        """YAML would take the last one of two keys that are the same, without a word."""

        def construct_mapping(self, node: t.Any, deep: bool = False) -> dict[t.Any, t.Any]:
            seen: set[str] = set()
            for key, _value in node.value:
                if key.value in seen:
                    line = key.start_mark.line + 1
                    refuse(option, path, f"has the key {key.value} twice (line {line})", "Write each key once")
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader)  # a SafeLoader
    except yaml.YAMLError as e:
        mark = getattr(e, "problem_mark", None)
        where = f" (line {mark.line + 1}: {getattr(e, 'problem', '')})" if mark else ""
        refuse(option, path, f"is not YAML{where}", f"Write rules such as\n{EXAMPLE}\n")


def check(option: str, rules: t.Any) -> list[Rule]:
    """Rules as data become rules; everything that can be known of them without a resource is refused.

    :param option: where they stand, for the message
    :raises AnsibleAWSError: names the rule, the key and what to write
    """
    if not isinstance(rules, list) or not rules:
        refuse(option, rules, "is no list of rules", f"Write at least one, for example\n{EXAMPLE}\n")
    found = [_rule(f"{option}[{number}]", number, each) for number, each in enumerate(rules)]
    for each in found:
        if [other.name for other in found].count(each.name) > 1:
            refuse(option, each.name, "is the name of several rules", "Give each rule a name of its own")
    return found


def _rule(place: str, number: int, rule: t.Any) -> Rule:
    if not isinstance(rule, dict):
        refuse(place, rule, "is no rule", f"Write a dictionary with select and tags, for example\n{EXAMPLE}\n")
    _known(place, rule, _RULE_KEYS)
    select = rule.get("select")
    if select is not None and not isinstance(select, dict):
        refuse(f"{place}.select", select, "is no dictionary of selectors", f"Write any of {', '.join(_SELECTORS)}")
    select = select or {}
    _known(f"{place}.select", select, _SELECTORS)
    selectors = {key: _texts(f"{place}.select.{key}", select[key]) for key in _SELECTORS[:4] if key in select}
    _check_selectors(f"{place}.select", selectors)
    tags = {key: _patterns(f"{place}.select.tags.{key}", value) for key, value in _tags_of(place, select).items()}
    everything = select.get("everything", False)
    if not isinstance(everything, bool):
        refuse(f"{place}.select.everything", everything, "is neither true nor false", "Write true, or leave it out")
    if not (selectors or tags or everything):
        write = "Write at least one selector, or everything: true to tag all resources that AWS lists"
        refuse(f"{place}.select", select, "selects every resource", write)
    return Rule(
        name=str(rule.get("name") or f"rule {number + 1}"),
        tags=_wanted(f"{place}.tags", rule.get("tags")),
        arns=selectors.get("arn", ()),
        resource_types=selectors.get("resource_type", ()),
        regions=selectors.get("region", ()),
        account_ids=selectors.get("account_id", ()),
        selected_tags=tags,
        everything=everything,
    )


def _tags_of(place: str, select: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    tags = select.get("tags", {})
    if not isinstance(tags, dict) or ("tags" in select and not tags):
        refuse(f"{place}.select.tags", tags, "is no dictionary of tags", 'Write key and value, for example {team: "*"}')
    return tags


def _known(place: str, given: t.Mapping[str, t.Any], known: t.Sequence[str]) -> None:
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            write = f"Write {near[0]}?" if near else f"Write any of {', '.join(known)}"
            refuse(place, key, "is not known here", write)


def _texts(place: str, value: t.Any) -> tuple[str, ...]:
    """One text or a list of them. A number would have lost what made it one: zeros, a dot."""
    listed = value if isinstance(value, list) else [value]
    if not listed or not all(isinstance(each, str) and each for each in listed):
        refuse(place, value, "is neither a text nor a list of texts", "Write it in quotes, or a list of such")
    return tuple(listed)


def _patterns(place: str, value: t.Any) -> tuple[str, ...]:
    return _texts(place, value)


def _check_selectors(place: str, selectors: t.Mapping[str, tuple[str, ...]]) -> None:
    for arn in selectors.get("arn", ()):
        if not re.match(r"(arn|\*|a\*|ar\*)", arn) or (not _WILD.search(arn) and arn.count(":") < 5):
            write = "Write one, with * for any text: arn:aws:rds:*:*:db:orders*"
            refuse(f"{place}.arn", arn, "is no pattern of an ARN", write)
        if arn.split(":")[2:3] == ["iam"]:
            write = "Tag it with IAM itself; AWS' tagging service does not take IAM, and it costs nothing"
            refuse(f"{place}.arn", arn, "is in IAM", write)
    check_types(f"{place}.resource_type", selectors.get("resource_type", ()))
    for region in selectors.get("region", ()):
        check_region(f"{place}.region", region)
    for account in selectors.get("account_id", ()):
        check_account_id(f"{place}.account_id", account)


def _wanted(place: str, tags: t.Any) -> dict[str, str]:
    if not isinstance(tags, dict) or not tags:
        refuse(place, tags, "is no dictionary of tags", "Write key and value, for example {kubernetes_namespace: shop}")
    if len(tags) >= MOST_TAGS:
        refuse(
            place, len(tags), "tags are too many", f"A resource has {MOST_TAGS} at most, with the one that remembers"
        )
    for key, value in tags.items():
        check_tag(place, key, value)
    return dict(tags)


def check_tag(place: str, key: t.Any, value: t.Any) -> None:
    """Refuse what AWS would refuse as a tag, and what Kubecost would not read.

    :raises AnsibleAWSError: names place, value and what to write
    """
    if not isinstance(key, str) or not key.strip():
        refuse(place, key, "is no key of a tag", "Write a text of 1 to 128 characters")
    if key.lower().startswith("aws:"):
        refuse(place, key, "begins with aws:, which AWS keeps for itself", "Write another key")
    if len(key) > _LONGEST_KEY:
        refuse(place, key, f"has {len(key)} characters", f"The key of a tag has at most {_LONGEST_KEY}")
    if key == MARKER:
        refuse(place, key, "is the tag by which is known what was set here", "Write another key")
    meant = near_miss(key)
    if meant:
        refuse(place, key, f"is not the key that Kubecost reads, which is {meant}", f"Write {meant}")
    if not isinstance(value, str):
        refuse(f"{place}.{key}", value, "is not a text", f'Write it in quotes: "{value}"')
    if len(value) > _LONGEST_VALUE:
        refuse(f"{place}.{key}", value, f"has {len(value)} characters", f"A value has at most {_LONGEST_VALUE}")
    for text, named in ((key, place), (value, f"{place}.{key}")):
        foreign = _FOREIGN.search(text)
        if foreign:
            write = "Tags have letters, digits, spaces and _ . : / = + - @"
            refuse(named, text, f"has the character {foreign[0]!r}", write)
    if (key, value) == _OWNERSHIP:
        write = "Write another value: what carries this tag counts as made by this collection, which may delete it"
        refuse(f"{place}.{key}", value, "is the tag of what this collection makes", write)
