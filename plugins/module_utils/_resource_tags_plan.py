# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tags resources get by rules, and which of those that were set here before go. Pure: no call.

What was set here is remembered on the resource itself, in the tag ``MARKER``: a checksum of key and value for each tag.
So a tag that somebody else has set or changed is known as theirs, whoever runs this, and wherever. It is never removed,
and changed only where the task says so.
"""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t

from ._identifiers import refuse
from ._tag_rules import MARKER, MOST_TAGS, Rule
from ._tagged_resources import Resource

_DIGITS = 8
MOST_OWN = (256 + 1) // (_DIGITS + 1)  # checksums with a space between them, in the value of one tag


@dataclasses.dataclass(frozen=True)
class Wish:
    """What a task wants.

    :ivar rules: none to take away what was set here
    :ivar override: values that somebody else has set are changed
    :ivar purge: tags that were set here and that no rule wants any more are removed
    """

    rules: tuple[Rule, ...] = ()
    override: bool = False
    purge: bool = False


@dataclasses.dataclass(frozen=True)
class Step:
    """What is to be done to one resource.

    :ivar rules: names of the rules that select it
    :ivar add: tags to set, the marker among them
    :ivar remove: keys to remove, which were set here
    :ivar kept: key -> ``value`` that somebody else has set, and the one that a rule wants
    :ivar refused: why nothing is done to it
    """

    resource: Resource
    rules: tuple[str, ...] = ()
    add: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    remove: tuple[str, ...] = ()
    kept: t.Mapping[str, t.Mapping[str, str]] = dataclasses.field(default_factory=dict)
    refused: str | None = None

    @property
    def changed(self) -> bool:
        return bool(self.add or self.remove)

    @property
    def after(self) -> dict[str, str]:
        """The tags that it has then."""
        return {key: value for key, value in {**self.resource.tags, **self.add}.items() if key not in self.remove}


@dataclasses.dataclass(frozen=True)
class TagPlan:
    """Steps of all resources that a rule selects, or that were tagged here before, by ARN.

    :ivar unmatched: names of rules that select nothing
    :ivar left: how many tags that were set here no rule wants any more, and stay
    """

    steps: list[Step]
    unmatched: list[str]
    left: int = 0


def checksum(key: str, value: str) -> str:
    """By what a tag that was set here is known."""
    return hashlib.sha256(f"{key}={value}".encode()).hexdigest()[:_DIGITS]


def own_keys(tags: t.Mapping[str, str]) -> list[str]:
    """Keys of the tags that were set here and have the value that they were given."""
    known = tags.get(MARKER, "").split()
    return [key for key in tags if key != MARKER and checksum(key, tags[key]) in known]


def plan(resources: t.Sequence[Resource], wish: Wish) -> TagPlan:
    """What to do.

    :param resources: all of the regions, and those that rules name and AWS does not list
    :raises AnsibleAWSError: a rule selects everything without saying so, or two rules contradict each other
    """
    selected = {rule.name: [each for each in resources if rule.selects(each)] for rule in wish.rules}
    for number, rule in enumerate(wish.rules):
        if len(selected[rule.name]) == len(resources) > 1 and not rule.everything:
            write = "Narrow it, or write everything: true among its selectors"
            refuse(f"rules[{number}]", rule.name, f"selects every one of the {len(resources)} resources", write)
    by_arn: dict[str, list[Rule]] = {}
    for rule in wish.rules:
        for each in selected[rule.name]:
            by_arn.setdefault(each.arn, []).append(rule)
    steps, left = [], 0
    for each in sorted(resources, key=lambda resource: resource.arn):
        rules = by_arn.get(each.arn, [])
        if not rules and MARKER not in each.tags:
            continue
        unwanted = _unwanted(each, rules)
        if not rules and not (wish.purge and unwanted):
            left += len(unwanted)
            continue
        left += 0 if wish.purge else len(unwanted)
        steps.append(_step(each, rules, wish))
    return TagPlan(steps, [name for name, found in selected.items() if not found], left)


def _wanted(resource: Resource, rules: t.Sequence[Rule]) -> dict[str, str]:
    wanted: dict[str, tuple[str, str]] = {}  # key -> value, rule
    for rule in rules:
        for key, value in rule.tags.items():
            if key in wanted and wanted[key][0] != value:
                problem = f"and the rule {wanted[key][1]!r} want {key} of {resource.arn} to be {value!r} and "
                refuse(
                    "rules", rule.name, f"{problem}{wanted[key][0]!r}", "Narrow one of them, or write the same value"
                )
            wanted[key] = (value, rule.name)
    return {key: value for key, (value, _rule) in wanted.items()}


def _unwanted(resource: Resource, rules: t.Sequence[Rule]) -> list[str]:
    """What was set here, and no rule of now wants."""
    wanted = {key for rule in rules for key in rule.tags}
    return [key for key in own_keys(resource.tags) if key not in wanted]


def _step(resource: Resource, rules: t.Sequence[Rule], wish: Wish) -> Step:
    tags, own = resource.tags, own_keys(resource.tags)
    wanted = _wanted(resource, rules)
    add, kept = {}, {}
    for key, value in wanted.items():
        if tags.get(key) == value:
            continue
        if key not in tags or key in own or wish.override:
            add[key] = value
        else:
            kept[key] = {"value": tags[key], "wanted": value}
    remove = _unwanted(resource, rules) if wish.purge else []
    names = tuple(rule.name for rule in rules)
    if not add and not remove:
        return Step(resource, names, kept=kept)
    after = {key: value for key, value in {**tags, **add}.items() if key not in remove}
    mine = sorted({*own, *add} - set(remove))
    marker = " ".join(checksum(key, after[key]) for key in mine)
    if len(mine) > MOST_OWN:
        return Step(resource, names, kept=kept, refused=f"more than {MOST_OWN} tags cannot be remembered; want fewer")
    if mine:
        add[MARKER] = after[MARKER] = marker
    elif MARKER in tags:
        remove.append(MARKER)
    count = len([key for key in after if not key.startswith("aws:")])
    if count > MOST_TAGS:
        refused = f"it would have {count} tags, and AWS allows {MOST_TAGS}; one of them remembers what was set here"
        return Step(resource, names, kept=kept, refused=refused)
    return Step(resource, names, add, tuple(remove), kept)
