# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys of an object-store document, by consumer: their names, their types, and what a wrong one leads to.

Thanos decodes the file strictly (thanos-io/objstore, providers/s3): a key that it does not know ends the start of the
pod. Kubecost's client is a fork (opencost, core/pkg/storage) that is strict at the outer level only: within ``config``
it passes over what it does not know, so that a typing error changes nothing and nobody is told.

No message has a value of a text or a mapping in it. A secret may stand anywhere in a file that is wrong.
"""

from __future__ import annotations

import difflib
import re
import typing as t

from ._identifiers import refuse

# Consumer -> its name in messages.
CONSUMERS = {"thanos": "Thanos", "thanos_0_32": "Thanos 0.32", "kubecost": "Kubecost"}
HIDDEN = "..."

TEXT, FLAG, COUNT, DURATION, TEXTS = "text", "flag", "count", "duration", "texts"
# Prometheus' durations (model.ParseDuration) have no fractions and go up to years; Go's have both the other way round.
_DURATIONS = {
    "thanos": re.compile(r"0|(?=\d)(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?"),
    "kubecost": re.compile(r"0|(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+"),
}
_ALL = tuple(CONSUMERS)
_THANOS = ("thanos", "thanos_0_32")


class Key(t.NamedTuple):
    """A key that is no section of its own."""

    kind: str
    choices: tuple[str, ...] = ()
    consumers: tuple[str, ...] = _ALL


Keys = dict[str, t.Any]  # name -> Key, or Keys of a section

# In the order in which Thanos' own documentation has them; documents are written in it.
CONFIG: Keys = {
    "bucket": Key(TEXT),
    "endpoint": Key(TEXT),
    "region": Key(TEXT),
    "disable_dualstack": Key(FLAG, consumers=("thanos",)),
    "aws_sdk_auth": Key(FLAG),
    "access_key": Key(TEXT),
    "insecure": Key(FLAG),
    "signature_version2": Key(FLAG),
    "secret_key": Key(TEXT),
    "session_token": Key(TEXT, consumers=_THANOS),
    "put_user_metadata": Key(TEXTS),
    "http_config": {
        "idle_conn_timeout": Key(DURATION),
        "response_header_timeout": Key(DURATION),
        "insecure_skip_verify": Key(FLAG),
        "tls_handshake_timeout": Key(DURATION),
        "expect_continue_timeout": Key(DURATION),
        "max_idle_conns": Key(COUNT),
        "max_idle_conns_per_host": Key(COUNT),
        "max_conns_per_host": Key(COUNT),
        "tls_config": {
            "ca_file": Key(TEXT),
            "cert_file": Key(TEXT),
            "key_file": Key(TEXT),
            "server_name": Key(TEXT),
            "insecure_skip_verify": Key(FLAG),
        },
        "force_attempt_http2": Key(FLAG, consumers=("thanos",)),
        "disable_compression": Key(FLAG),
    },
    "trace": {"enable": Key(FLAG)},
    "list_objects_version": Key(TEXT, ("", "v1", "v2")),
    "bucket_lookup_type": Key(TEXT, ("auto", "virtual-hosted", "path"), _THANOS),
    "send_content_md5": Key(FLAG, consumers=("thanos",)),
    "disable_multipart": Key(FLAG, consumers=("thanos",)),
    "part_size": Key(COUNT),
    "sse_config": {
        "type": Key(TEXT, ("", "SSE-S3", "SSE-KMS", "SSE-C")),
        "kms_key_id": Key(TEXT),
        "kms_encryption_context": Key(TEXTS),
        "encryption_key": Key(TEXT),
    },
    "sts_endpoint": Key(TEXT),
    "max_retries": Key(COUNT, consumers=("thanos",)),
}
DOCUMENT: Keys = {"type": Key(TEXT), "config": CONFIG, "prefix": Key(TEXT)}
OPTIONS: Keys = {**CONFIG, "prefix": DOCUMENT["prefix"]}


def check_consumer(consumer: t.Any) -> None:
    """Refuse what is no consumer."""
    if consumer not in CONSUMERS:
        refuse("consumer", consumer, "does not read an object store", f"Write one of: {', '.join(CONSUMERS)}")


def shaped(place: str, value: t.Any, keys: Keys, consumer: str) -> dict[str, t.Any]:
    """The mapping as plain data in the order of ``keys``, without what is null: that leaves a default as it is.

    :param place: where it stands, for messages
    :raises AnsibleAWSError: a key that the consumer does not know, or a value of another type than it reads
    """
    if not isinstance(value, t.Mapping):
        refuse(place, HIDDEN, f"is {_called(value)}, not a mapping", f"Write keys below it: {', '.join(keys)}")
    for name in value:
        if not isinstance(name, str):
            refuse(place, HIDDEN, f"has {_called(name)} in the place of a key", "Write the key in quotes")
        _check_key(place, name, keys, consumer)
    made = {}
    for name, key in keys.items():
        if value.get(name) is None:
            continue
        here = f"{place}.{name}"
        made[name] = (
            _typed(here, value[name], key, consumer)
            if isinstance(key, Key)
            else shaped(here, value[name], key, consumer)
        )
    return made


def _check_key(place: str, name: str, keys: Keys, consumer: str) -> None:
    """Refuse a key that the consumer does not know, with what it may be instead."""
    key = keys.get(name)
    who = CONSUMERS[consumer]
    here = f"{place}.{name}"
    if key is not None:
        if not isinstance(key, Key) or consumer in key.consumers:
            return
        if name == "session_token":
            refuse(here, HIDDEN, "cannot be read by Kubecost, which takes no temporary keys", _NO_TEMPORARY_KEYS)
        if consumer == "kubecost":
            refuse(here, HIDDEN, "is a key of Thanos, which Kubecost passes over in silence", "Leave it out")
        refuse(here, HIDDEN, f"is newer than {who}, which would not start with it", "Leave it out")
    if name == "hedging_config":
        refuse(here, HIDDEN, "is described by Thanos, which then does not start with it", "Leave it out")
    if name == "prefix" and "config" not in keys:
        refuse(here, HIDDEN, "does not stand in config", "Write prefix beside type and config")
    if name in CONFIG and "config" in keys:
        refuse(here, HIDDEN, "does not stand beside type", f"Write {name} below config")
    strict = consumer != "kubecost" or "config" in keys
    problem = f"is not a key that {who} knows; it " + (
        "would not start with it" if strict else "passes over it in silence"
    )
    section = next((parent for parent, inner in CONFIG.items() if not isinstance(inner, Key) and name in inner), None)
    if section and section in keys:
        refuse(here, HIDDEN, problem, f"Write {name} below {section}")
    known = [other for other, entry in keys.items() if not isinstance(entry, Key) or consumer in entry.consumers]
    near = difflib.get_close_matches(re.sub(r"[\s-]", "_", name.strip().lower()), known, n=1)
    refuse(here, HIDDEN, problem, f"Write {near[0]}?" if near else f"The keys are: {', '.join(known)}")


_NO_TEMPORARY_KEYS = "Use the keys of an IAM user (AKIA...), or no keys and a role of the ServiceAccount"


def _typed(place: str, value: t.Any, key: Key, consumer: str) -> t.Any:
    """The value as plain data: what Ansible hands over may be a text or number with a tag."""
    if key.kind == FLAG:
        if not isinstance(value, bool):
            refuse(place, HIDDEN, f"is {_called(value)}, not true or false", "Write true or false, without quotes")
        return value
    if key.kind == COUNT:
        if isinstance(value, bool) or not isinstance(value, int):
            refuse(place, HIDDEN, f"is {_called(value)}, not a whole number", "Write the number without quotes")
        if value < 0:
            refuse(place, value, "is below zero", "Write zero or more")
        return int(value)
    if key.kind == DURATION:
        return _duration(place, value, consumer)
    if key.kind == TEXTS:
        if not isinstance(value, t.Mapping):
            refuse(place, HIDDEN, f"is {_called(value)}, not a mapping", "Write names and values below it")
        return {_text(place, name): _text(f"{place}.{name}", entry) for name, entry in value.items()}
    text = _text(place, value)
    if key.choices and text not in key.choices:
        named = [choice for choice in key.choices if choice]
        refuse(place, HIDDEN, f"is not a value that {CONSUMERS[consumer]} knows", f"Write one of: {', '.join(named)}")
    return text


def _text(place: str, value: t.Any) -> str:
    if not isinstance(value, str):
        refuse(place, HIDDEN, f"is {_called(value)}, not a text", "Put it in quotes")
    return str.__str__(value)


def _duration(place: str, value: t.Any, consumer: str) -> str | int:
    """A duration such as 90s. A number without a unit is refused by Thanos; Kubecost takes it for nanoseconds."""
    write = "Write a number and its unit, for example 90s or 2m"
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        refuse(place, HIDDEN, f"is {_called(value)}, not a duration", write)
    if isinstance(value, int):
        if value:
            refuse(place, value, "has no unit", write)
        return 0
    text = str.__str__(value)
    if not text or not _DURATIONS["kubecost" if consumer == "kubecost" else "thanos"].fullmatch(text):
        refuse(place, HIDDEN, f"is not a duration that {CONSUMERS[consumer]} reads", write)
    return text


def _called(value: t.Any) -> str:
    """What a value is, in words."""
    if value is None:
        return "empty"
    for types, name in (
        (bool, "true or false"),
        ((int, float), "a number"),
        (str, "a text"),
        (t.Mapping, "a mapping"),
        ((list, tuple), "a list"),
    ):
        if isinstance(value, types):
            return name
    return f"a {type(value).__name__}"
