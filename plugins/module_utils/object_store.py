# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``object-store.yaml`` and ``federated-store.yaml``: where Thanos and Kubecost keep their data. Pure, no call.

A document is made from options (``build``) or is a user's own (``parse``). Both are held against rules (``check``) that
are stricter than those of the consumer itself: Kubecost passes over a typing error in silence.

No message has a key, a secret or a token in it, and no part of the text of a file that cannot be read.
"""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

from ._identifiers import refuse
from ._object_store_endpoint import check_endpoint
from ._object_store_keys import CONFIG, CONSUMERS, DOCUMENT, HIDDEN, OPTIONS, check_consumer, shaped
from ._object_store_rules import ACL_HEADER, check_rules, header, is_access_key_id, sets_acl, storage_class
from ._regions import check_region, s3_endpoint

try:
    import yaml
except ImportError:
    yaml = None  # It comes with Ansible, but a module may run in another Python.

__all__ = ["CONSUMERS", "build", "check", "facts", "loaded", "parse", "render"]

Document = dict[str, t.Any]

_EXAMPLE = "Write type: S3, and below config: the keys bucket, endpoint and region"
_TYPE = "S3"


def build(options: t.Any, consumer: str, option: str = "options") -> Document:
    """The document for these options.

    :param options: the keys of ``config``, and ``prefix``. What is null or empty is left out. ``endpoint`` is that of
        the region when it is not given
    :param consumer: one of ``CONSUMERS``
    :param option: what the options are called in messages
    :raises AnsibleAWSError: an option that the consumer does not know, of a wrong type, or that contradicts another one
    """
    check_consumer(consumer)
    given = shaped(option, _without_empty(options), OPTIONS, consumer)
    prefix = given.pop("prefix", "")
    if not given.get("endpoint"):
        if not given.get("region"):
            refuse(f"{option}.region", "", "is missing", "Write the region of the bucket, for example eu-west-1")
        check_region(f"{option}.region", given["region"])
        given["endpoint"] = s3_endpoint(given["region"])
    # A file that still has a guide's <your-secret-key> is refused by check(); here it shows what a document looks like.
    check_rules(option, given, consumer, placeholders=True)
    document = {"type": _TYPE, "config": {name: given[name] for name in CONFIG if name in given}}
    return {**document, "prefix": prefix} if _checked_prefix(f"{option}.prefix", prefix) else document


def parse(text: str, option: str = "document") -> Document:
    """The document in a file of a user.

    :param option: what the file is called in messages
    :raises AnsibleAWSError: the text is not YAML, or not one mapping with a mapping ``config``; with the line
    """
    text = str.__str__(text)
    document, line, problem = loaded(text)
    if problem:
        refuse(option, f"line {line}" if line else HIDDEN, problem, _CURES.get(problem, _EXAMPLE))
    return t.cast(Document, document)


def check(document: t.Any, consumer: str, region: str = "", partition: str = "", option: str = "document") -> list[str]:
    """Hold a document against the consumer's rules.

    :param region: where the bucket is, when that is known; the document must not say otherwise
    :param partition: the partition of the bucket, when that is known
    :param option: what the document is called in messages
    :returns: notes: what works, but should be known
    :raises AnsibleAWSError: names the place in the document, and what to write
    """
    check_consumer(consumer)
    known = shaped(option, document, DOCUMENT, consumer)
    kind = known.get("type", "")
    # Both consumers read the type in any case.
    if kind.upper() != _TYPE:
        problem = "is not the type of a bucket of S3" if kind else "is missing"
        refuse(
            f"{option}.type", kind if kind in ("GCS", "AZURE", "FILESYSTEM", "cluster") else HIDDEN, problem, _EXAMPLE
        )
    _checked_prefix(f"{option}.prefix", known.get("prefix", ""))
    return check_rules(f"{option}.config", known.get("config", {}), consumer, region=region, partition=partition)


def render(document: t.Mapping[str, t.Any]) -> str:
    """The document as YAML, always in the same order.

    Every text is in quotes: the consumers' parser takes more texts for numbers and truth values than PyYAML does; a
    name of digits would lose its zeros.
    """
    _need_yaml()
    return yaml.dump(_ordered(document, DOCUMENT), Dumper=_dumper(), sort_keys=False, width=10**6, allow_unicode=True)


def facts(document: t.Mapping[str, t.Any], notes: t.Sequence[str] = ()) -> dict[str, t.Any]:
    """What others need to know of a document that has been checked; no secret is among it.

    :param notes: what ``check`` returned
    """
    config = {name: value for name, value in document["config"].items() if value is not None}
    sse = config.get("sse_config") or {}
    endpoint = check_endpoint("config.endpoint", config["endpoint"], config.get("region", ""))
    access_key = config.get("access_key", "")
    return {
        "bucket": config["bucket"],
        "prefix": (document.get("prefix") or "").strip("/"),
        "region": config.get("region") or endpoint.region,
        "endpoint": config["endpoint"],
        "custom_endpoint": not endpoint.is_aws,
        "insecure": bool(config.get("insecure")),
        "aws_sdk_auth": bool(config.get("aws_sdk_auth")),
        "has_keys": bool(access_key),
        "temporary_keys": bool(config.get("session_token")),
        # What has not the form of an ID may be a secret in the wrong place.
        "access_key_id": access_key if is_access_key_id(access_key) else "",
        "put_object_acl": sets_acl(config),
        "acl": header(config, ACL_HEADER),
        "storage_class": storage_class(config),
        "sse_type": sse.get("type") or "",
        "kms_key_id": sse.get("kms_key_id") or "",
        "notes": list(notes),
    }


def _need_yaml() -> None:
    if yaml is None:
        raise AnsibleAWSError(
            message="The Python of this task has no package PyYAML. Set ansible_python_interpreter to "
            "'{{ ansible_playbook_python }}', whose Ansible brings it, or install it there"
        )


def _without_empty(options: t.Any) -> t.Any:
    """Options of a role have defaults such as '' and {}, which mean that nothing is set."""
    if not isinstance(options, t.Mapping):
        return options
    made = {name: _without_empty(value) for name, value in options.items()}
    return {name: value for name, value in made.items() if value is not None and value != "" and value != {}}


def _checked_prefix(place: str, prefix: str) -> str:
    if prefix and not prefix.strip("/"):
        refuse(place, prefix, "is no prefix", "Write a folder such as clusters/prod, or leave it out")
    return prefix


def _ordered(section: t.Mapping[str, t.Any], keys: t.Mapping[str, t.Any]) -> Document:
    """The section in the order of its keys, with its texts marked for quotes."""
    made: Document = {}
    for name in [*(name for name in keys if name in section), *(name for name in section if name not in keys)]:
        value, inner = section[name], keys.get(name)
        if isinstance(value, t.Mapping):
            made[name] = (
                _ordered(value, inner)
                if isinstance(inner, dict)
                else {_Quoted(key): _quoted(entry) for key, entry in sorted(value.items())}
            )
        elif value is not None:
            made[name] = value if name == "type" and value == _TYPE else _quoted(value)
    return made


class _Quoted(str):
    """A text that is written in quotes."""


def _quoted(value: t.Any) -> t.Any:
    return _Quoted(value) if isinstance(value, str) else value


@functools.cache
def _dumper() -> t.Any:
    """A dumper that quotes what is marked, and writes no aliases."""

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: t.Any) -> bool:
            return True

    Dumper.add_representer(
        _Quoted, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
    )
    return Dumper


_NOT_YAML = "is not YAML"
_TAB = "has a tab, which YAML does not take"
_TWICE = "has a key that is there twice"
_NODES = {"scalar": "a text", "sequence": "a list", "mapping": "a mapping"}
_CURES = {
    _NOT_YAML: "Look there, and at the line before it, for a ':' or a quote that is missing, or a wrong indentation",
    _TAB: "Write spaces in its place",
    _TWICE: "Leave one of the two out; the consumer refuses the file",
}


def loaded(text: str) -> tuple[t.Any, int, str]:
    """The data of a text, or the line and the problem: for those who judge by themselves what is in a file.

    :returns: a mapping, whose ``config`` is a mapping too where it is there, or ``None``; the line, 0 when there is
        none; the problem, words that follow the name of the text, empty when there is none

    PyYAML's own words are not used: some of them quote the text, and so does what its exceptions print.
    """
    _need_yaml()
    loader = None
    try:
        loader = _loader()(text)
        node = loader.get_single_node()
        line, problem = _shape(node)
        return (None, line, problem) if problem else (loader.construct_document(node), 0, "")
    except _Twice as e:
        return None, e.line, _TWICE
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        line = mark.line if mark else 0
        here = text.splitlines()[line : line + 1]
        return None, line + 1, _TAB if here and "\t" in here[0] else _NOT_YAML
    except (yaml.YAMLError, ValueError, RecursionError):
        return None, 0, _NOT_YAML
    finally:
        if loader:
            loader.dispose()


def _shape(node: t.Any) -> tuple[int, str]:
    """The line and the problem of a document, or of its ``config``, that is no mapping."""
    if node is None:
        return 0, "is empty"
    if node.id != "mapping":
        return node.start_mark.line + 1, f"is {_NODES[node.id]}, not a mapping"
    for key, value in node.value:
        if key.value == "config" and value.tag.endswith(":null"):
            return key.start_mark.line + 1, "has nothing below config"
        if key.value == "config" and value.id != "mapping":
            return value.start_mark.line + 1, f"has in config {_NODES[value.id]}, not a mapping"
    return 0, ""


class _Twice(Exception):
    """A key is there twice."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line


@functools.cache
def _loader() -> t.Any:
    """A safe loader that loses no key in silence."""

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: t.Any, deep: bool = False) -> t.Any:
            seen: set[t.Any] = set()
            for key, _value in node.value:
                name = (key.tag, key.value) if key.id == "scalar" else key
                if name in seen:
                    raise _Twice(key.start_mark.line + 1)
                seen.add(name)
            return super().construct_mapping(node, deep=deep)

    return Loader
