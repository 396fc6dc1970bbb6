# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may be written about a cluster's backups, and what the operator of StackGres would refuse of it. Pure.

The operator's webhooks and the CRDs (SGObjectStorage v1beta1, SGCluster v1, SGShardedCluster v1alpha1) have the last
word; here the same rules name the option, before anything is written.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

from ._identifiers import refuse
from ._kubernetes_names import check_kubernetes_name, check_secret_key

Entry = t.Mapping[str, t.Any]

TYPES = ("s3", "s3Compatible")
STORAGE_CLASSES = ("STANDARD", "STANDARD_IA", "REDUCED_REDUNDANCY")
COMPRESSIONS = ("lz4", "lzma", "zstd", "brotli")
METHODS = ("irsa", "access_key")
OTHER_REGION = ("refuse", "custom_env")
# Option -> field of the CRD, and the least value.
PERFORMANCE: dict[str, tuple[str, int]] = {
    "max_network_bandwidth": ("maxNetworkBandwidth", 1),
    "max_disk_bandwidth": ("maxDiskBandwidth", 1),
    "upload_disk_concurrency": ("uploadDiskConcurrency", 1),
    "upload_concurrency": ("uploadConcurrency", 1),
    "download_concurrency": ("downloadConcurrency", 1),
}
SECRET_NAME, KEY_ID_KEY, SECRET_KEY_KEY = "s3-backup-secret", "accessKeyId", "secretAccessKey"

# The operator allows an SGCluster 44 characters, and an SGShardedCluster as many less as its suffixes take.
_LONGEST = {False: 44, True: 37}
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_CRON_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    (
        "month",
        1,
        12,
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    ),
    ("day of the week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)
_CRON_WRITE = "Write minute, hour, day of the month, month and day of the week in UTC, for example '0 5 * * *'"


def problems_of(option: str, entry: Entry) -> list[str]:
    """What is wrong with an entry, each with option, value and what to write.

    :param option: what the entry is called in messages
    """
    problems = []
    for check in (
        _check_names,
        _check_identity,
        _check_type,
        _check_secret,
        _check_encryption,
        _check_backups,
        _check_restore,
    ):
        try:
            check(option, entry)
        except AnsibleAWSError as e:
            problems.append(str(e))
    return problems


def check_cron(option: str, text: t.Any) -> None:
    """Refuse what is not a schedule of five fields.

    :raises AnsibleAWSError: names the field
    """
    if not isinstance(text, str) or not text.strip():
        refuse(option, text, "is no schedule", _CRON_WRITE)
    if text.strip().startswith(("TZ=", "CRON_TZ=")):
        refuse(option, text, "has a time zone; schedules of backups are in UTC", _CRON_WRITE)
    if text.strip().startswith("@"):
        refuse(option, text, "is a short form, which the operator does not know", _CRON_WRITE)
    fields = text.split()
    if len(fields) != len(_CRON_FIELDS):
        refuse(option, text, f"has {len(fields)} fields in place of five", _CRON_WRITE)
    for field, (name, least, most, words) in zip(fields, _CRON_FIELDS, strict=True):
        for part in field.split(","):
            if not _is_cron_part(part, least, most, words):
                refuse(option, text, f"has '{part}' as {name}, which goes from {least} to {most}", _CRON_WRITE)


def place_of(option: str, text: t.Any, prefix: t.Any = "") -> tuple[str, str]:
    """Bucket and folder of what was written: a bucket may come with a scheme before and a folder behind it.

    :param prefix: the folder, where it is written on its own
    :returns: the bucket and the folder, without slashes at the ends
    :raises AnsibleAWSError: it is neither, or the folder is written twice
    """
    found = re.fullmatch(r"(?:(?:s3|https?)://)?([^/:]+)((?:/[^/]*)*)", str(text or ""))
    if not found:
        refuse(
            f"{option}.bucket", text, "is not a bucket", "Write my-bucket, my-bucket/folder or s3://my-bucket/folder"
        )
    inside = "/".join(filter(None, found[2].split("/")))
    folder = "/".join(filter(None, str(prefix or "").split("/")))
    if inside and folder and inside != folder:
        refuse(
            f"{option}.prefix", prefix, f"is not the folder of bucket ('{inside}')", "Write the folder in one of them"
        )
    for each in (inside, folder):
        if any(character in each for character in "*?") or " " in each:
            refuse(
                f"{option}.prefix", each, "must not have a wildcard or a space", "Write the folder, for example prod"
            )
    return found[1], inside or folder


def secret_of(entry: Entry) -> dict[str, t.Any]:
    """The Secret of the access key, with what the guide of StackGres calls it where nothing is written."""
    defaults = {
        "name": SECRET_NAME,
        "access_key_id_key": KEY_ID_KEY,
        "secret_access_key_key": SECRET_KEY_KEY,
        "namespace": entry.get("namespace"),
        "existing": False,
    }
    given = entry.get("secret") or {}
    return {**defaults, **{key: value for key, value in given.items() if value not in (None, "")}}


# --- parts


def _check_names(option: str, entry: Entry) -> None:
    for key in ("name", "namespace"):
        if not entry.get(key):
            refuse(f"{option}.{key}", entry.get(key), "is empty", "Write that of the SGCluster, for example orders")
    check_kubernetes_name(f"{option}.namespace", entry["namespace"], "namespace")
    name, longest = str(entry["name"]), _LONGEST[bool(entry.get("sharded"))]
    if not _NAME.fullmatch(name) or len(name) > longest:
        kind = "SGShardedCluster" if entry.get("sharded") else "SGCluster"
        write = f"Write at most {longest} lower-case letters, digits and '-', beginning with a letter"
        refuse(f"{option}.name", name, f"is not a name of an {kind}", write)
    if entry.get("object_storage"):
        check_kubernetes_name(f"{option}.object_storage", entry["object_storage"], "secret")
    place_of(option, entry.get("bucket"), entry.get("prefix"))


def _check_identity(option: str, entry: Entry) -> None:
    method = entry.get("identity_method")
    if method == "pod_identity":
        write = "Write irsa (IAM Roles for Service Accounts), which works on every EKS cluster, or access_key"
        refuse(f"{option}.identity_method", method, "is not available yet", write)
    _one_of(f"{option}.identity_method", method, METHODS)
    _one_of(f"{option}.other_region", entry.get("other_region") or "refuse", OTHER_REGION)


def _check_type(option: str, entry: Entry) -> None:
    kind = entry.get("type") or "s3"
    _one_of(f"{option}.type", kind, TYPES)
    if entry.get("storage_class"):
        _one_of(f"{option}.storage_class", entry["storage_class"], STORAGE_CLASSES)
    if kind == "s3":
        for key in ("endpoint", "path_style", "ca_certificate"):
            if entry.get(key):
                write = "Write type: s3Compatible, or leave it out; with type: s3 the region tells the host"
                refuse(f"{option}.{key}", entry[key], "is for s3Compatible only", write)
        return
    if entry.get("identity_method") == "irsa":
        write = "Write identity_method: access_key, or type: s3"
        refuse(f"{option}.type", kind, "knows no role; an SGObjectStorage has useIAMRole for s3 only", write)
    endpoint = entry.get("endpoint")
    if not endpoint or not re.match(r"https?://[^/]+", str(endpoint)):
        write = "Write the URL of the endpoint, for example https://bucket.vpce-0123.s3.eu-west-1.vpce.amazonaws.com"
        refuse(f"{option}.endpoint", endpoint, "is not a URL", write)
    if entry.get("ca_certificate"):
        _check_reference(f"{option}.ca_certificate", entry["ca_certificate"])


def _check_secret(option: str, entry: Entry) -> None:
    secret = secret_of(entry)
    check_kubernetes_name(f"{option}.secret.name", secret["name"], "secret")
    for key in ("access_key_id_key", "secret_access_key_key"):
        check_secret_key(f"{option}.secret.{key}", secret[key])
    if secret["access_key_id_key"] == secret["secret_access_key_key"]:
        write = "Write another key for one of the two"
        refuse(f"{option}.secret.secret_access_key_key", secret["secret_access_key_key"], "has the id already", write)
    if secret["namespace"] != entry.get("namespace"):
        write = f"Keep the Secret in the namespace {entry.get('namespace')}, where SGObjectStorage and SGCluster are"
        refuse(f"{option}.secret.namespace", secret["namespace"], "is not the SGCluster's namespace", write)
    if secret["existing"] and entry.get("identity_method") == "irsa":
        write = "Write identity_method: access_key, or leave the Secret out"
        refuse(f"{option}.secret.existing", True, "is not used with a role", write)


def _check_encryption(option: str, entry: Entry) -> None:
    encryption = entry.get("encryption") or {}
    if not encryption:
        return
    method = encryption.get("method")
    _one_of(f"{option}.encryption.method", method, ("sodium", "openpgp"))
    _check_reference(f"{option}.encryption.key", encryption.get("key"))
    if method == "sodium":
        _one_of(
            f"{option}.encryption.key_transform", encryption.get("key_transform") or "none", ("base64", "hex", "none")
        )
        if encryption.get("passphrase"):
            refuse(f"{option}.encryption.passphrase", "", "is for openpgp only", "Leave it out")
    else:
        if encryption.get("key_transform"):
            refuse(
                f"{option}.encryption.key_transform", encryption["key_transform"], "is for sodium only", "Leave it out"
            )
        if encryption.get("passphrase"):
            _check_reference(f"{option}.encryption.passphrase", encryption["passphrase"])


def _check_backups(option: str, entry: Entry) -> None:
    if entry.get("cron_schedule") not in (None, ""):
        check_cron(f"{option}.cron_schedule", entry["cron_schedule"])
    if entry.get("retention") is not None:
        _at_least(f"{option}.retention", entry["retention"], 1, "how many full backups are kept")
    if entry.get("compression"):
        _one_of(f"{option}.compression", entry["compression"], COMPRESSIONS)
    for name, value in (entry.get("performance") or {}).items():
        if name not in PERFORMANCE:
            refuse(f"{option}.performance", name, "is not known", f"Write one of: {', '.join(PERFORMANCE)}")
        if value is not None:
            _at_least(f"{option}.performance.{name}", value, PERFORMANCE[name][1], "a number")


def _check_restore(option: str, entry: Entry) -> None:
    for number, source in enumerate(entry.get("restore_from") or []):
        here = f"{option}.restore_from[{number}]"
        for key in ("name", "namespace"):
            if not source.get(key):
                refuse(f"{here}.{key}", source.get(key), "is empty", "Write that of the SGCluster that was backed up")
        if source.get("bucket") or source.get("prefix"):
            place_of(here, source.get("bucket") or entry.get("bucket"), source.get("prefix"))


def _check_reference(option: str, reference: t.Any) -> None:
    """A key of a Secret: ``name`` and ``key``."""
    if not isinstance(reference, t.Mapping) or not reference.get("name") or not reference.get("key"):
        shown = reference if isinstance(reference, t.Mapping) else type(reference).__name__
        refuse(option, shown, "is not a key of a Secret", "Write {name: my-secret, key: my-key}")
    check_kubernetes_name(f"{option}.name", reference["name"], "secret")
    check_secret_key(f"{option}.key", reference["key"])


def _one_of(option: str, value: t.Any, known: t.Sequence[str]) -> None:
    if value not in known:
        refuse(
            option,
            value,
            "is not known to StackGres" if "." in option else "is not known",
            f"Write one of: {', '.join(known)}",
        )


def _at_least(option: str, value: t.Any, least: int, what: str) -> None:
    try:
        number = int(str(value))
    except ValueError:
        number = least - 1
    if isinstance(value, bool) or number < least:
        refuse(option, value, f"is less than {least}, or no whole number", f"Write {what}, {least} or more")


def _is_cron_part(part: str, least: int, most: int, words: tuple[str, ...]) -> bool:
    body, slash, step = part.partition("/")
    if slash and not (step.isdigit() and 0 < int(step) <= most):
        return False
    if body == "*":
        return True
    first, dash, last = body.partition("-")
    values = []
    for text in (first, last) if dash else (first,):
        number = _cron_number(text, words, least)
        if number is None or not least <= number <= most:
            return False
        values.append(number)
    return values == sorted(values) and (not slash or bool(dash))


def _cron_number(text: str, words: tuple[str, ...], least: int) -> int | None:
    if text.isdigit():
        return int(text)
    return words.index(text.lower()) + least if text.lower() in words else None
