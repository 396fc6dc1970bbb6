# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``cloud-integration.json``: where Kubecost and OpenCost find billing data. Pure functions, no call.

There are two forms. ``legacy`` is a list below ``aws``; Kubecost 1 and 2 document it. ``athena`` is ``aws.athena[]``
with an authorizer; OpenCost and Kubecost 3 document it. A document is never a mix: OpenCost reads it in the new form
first, and on any error reads the whole of it in the legacy form (OpenCost 1.112, pkg/cloud/config).
"""

from __future__ import annotations

import hashlib
import json
import re
import typing as t

from ._identifiers import check_account_id, refuse
from ._integration_entries import FORMS, assembled, check_others
from ._integration_keys import LEGACY_ID, LEGACY_SECRET, key_authorizer
from ._key_pair import KeyPair
from ._regions import check_region
from ._s3_names import check_bucket_name

Document = dict[str, t.Any]

REQUIRED_KEYS = ("account_id", "bucket", "region", "database", "table", "workgroup")
OPTIONAL_KEYS = ("catalog", "role_arn", "cur_version")
KNOWN_KEYS = REQUIRED_KEYS + OPTIONAL_KEYS
CUR_VERSIONS = ("1.0", "2.0")

_SCHEME = "s3://"
_ROLE_ARN = re.compile(r"arn:(?P<partition>aws[a-z-]*):iam::(?P<account_id>\d{12}):role/\S+")


def build(entries: t.Any, form: str, others: t.Any = None, pair: KeyPair | None = None) -> Document:
    """The document for these payers, and for other clouds.

    :param entries: one mapping per payer with the keys ``KNOWN_KEYS``. ``account_id`` holds report, Athena and Glue;
        ``bucket`` is Athena's result location (with or without ``s3://``, with or without a prefix); ``role_arn`` is
        the role to take in the payer account, empty or left out when the workload's own role can read there
    :param form: one of ``FORMS``
    :param others: entries of azure, gcp and alibaba, in one of the forms; with them ``entries`` may be empty
    :param pair: the access key that the workload uses in place of its ServiceAccount's identity
    :raises AnsibleAWSError: an entry is incomplete or wrong, or two entries have the same key. No value of ``others``
        is in the message
    """
    if form not in FORMS:
        refuse("form", form, "is not a form of the cloud integration", f"Write one of: {', '.join(FORMS)}")
    theirs = check_others("others", others, form)
    if not isinstance(entries, (list, tuple)) or not (entries or theirs):
        refuse("entries", entries, "is not a list of payers", "Write a list with one mapping for each payer")
    checked = [_checked(f"entries[{number}]", entry) for number, entry in enumerate(entries)]
    _refuse_collisions(checked)
    if form == "athena":
        ours = {("aws", "athena"): [_athena_entry(entry, pair) for entry in checked]}
        return assembled({**ours, **theirs}, form)
    for number, entry in enumerate(checked):
        if entry["cur_version"] != "1.0":
            refuse(
                f"entries[{number}].cur_version",
                entry["cur_version"],
                "cannot be read by Kubecost 1 and 2, for which the legacy form is",
                "Write '1.0' and use a legacy Cost and Usage Report",
            )
    return assembled({("aws",): [_legacy_entry(entry, pair) for entry in checked], **theirs}, form)


def key(entry: t.Mapping[str, t.Any]) -> str:
    """What Kubecost and OpenCost call the integration of an entry: ``<account>/<bucket>`` (their status shows it)."""
    return f"{entry['account_id']}/{normalised_bucket('bucket', entry['bucket'])}"


def checksum(document: Document) -> str:
    """SHA-256 of a document in hexadecimal; the order of its keys does not matter."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def normalised_bucket(option: str, value: t.Any) -> str:
    """A result location as Athena takes it, ``s3://bucket[/prefix]``: with its scheme, without a slash at the end.

    Kubecost sends it verbatim as ``ResultConfiguration.OutputLocation``; without the scheme Athena answers
    "outputLocation is not a valid S3 path".

    :raises AnsibleAWSError: the scheme is doubled or another one, or there is no name of a bucket
    """
    write = "Write the bucket alone or with a folder, for example results or s3://results/kubecost"
    if not isinstance(value, str):
        refuse(option, value, "is not the name of a bucket", write)
    location = value.removeprefix(_SCHEME)
    if _SCHEME in location:
        refuse(option, value, "has s3:// more than once", write)
    if "://" in location or location.startswith(("arn:", "/", "s3:")):
        refuse(option, value, "is not a bucket of S3", write)
    bucket, _slash, prefix = location.partition("/")
    check_bucket_name(option, bucket)
    prefix = prefix.strip("/")
    return f"{_SCHEME}{bucket}/{prefix}" if prefix else f"{_SCHEME}{bucket}"


def _checked(option: str, entry: t.Any) -> dict[str, t.Any]:
    """The entry with its defaults, every value valid."""
    if not isinstance(entry, t.Mapping):
        refuse(option, entry, "is not a mapping", f"Write a mapping with the keys {', '.join(REQUIRED_KEYS)}")
    unknown = [name for name in entry if name not in KNOWN_KEYS]
    if unknown:
        refuse(option, unknown[0], "is not a key of a payer", f"The keys are: {', '.join(KNOWN_KEYS)}")
    for name in REQUIRED_KEYS:
        if entry.get(name) in (None, ""):
            write = f"Every payer needs {', '.join(REQUIRED_KEYS)}"
            refuse(f"{option}.{name}", entry.get(name, ""), "is missing", write)
    check_account_id(f"{option}.account_id", entry["account_id"])
    partition = check_region(f"{option}.region", entry["region"])
    for name in ("database", "table", "workgroup", "catalog"):
        _check_text(f"{option}.{name}", entry.get(name) or "-", lower=name in ("database", "table"))
    _check_role(f"{option}.role_arn", entry.get("role_arn") or "", entry["account_id"], partition)
    cur_version = str(entry.get("cur_version") or "1.0")
    if cur_version not in CUR_VERSIONS:
        refuse(f"{option}.cur_version", cur_version, "is not a version of a report", "Write '1.0' or '2.0', in quotes")
    return {
        **{name: entry.get(name) or "" for name in KNOWN_KEYS},
        "bucket": normalised_bucket(f"{option}.bucket", entry["bucket"]),
        "cur_version": cur_version,
    }


def _check_text(option: str, value: t.Any, lower: bool) -> None:
    if not isinstance(value, str) or re.search(r"[\s'\"`]", value):
        refuse(option, value, "is not a name in Athena", "Write the name as Athena shows it, without quotes and spaces")
    # Kubecost looks for the columns by the exact name, and information_schema has lower case only.
    if lower and value != value.lower():
        refuse(option, value, "has upper-case letters, Glue has none", f"Write {value.lower()}")


def _check_role(option: str, role_arn: t.Any, account_id: str, partition: str) -> None:
    if not role_arn:
        return
    match = _ROLE_ARN.fullmatch(str(role_arn))
    example = f"arn:{partition}:iam::{account_id}:role/kubecost-cur-access"
    if not match:
        refuse(option, role_arn, "is not the ARN of a role", f"Write the whole ARN, for example {example}")
    if match["account_id"] != account_id:
        refuse(
            option,
            role_arn,
            f"is a role of account {match['account_id']}, but the billing data is in account {account_id}",
            f"Write a role of the payer account, for example {example}",
        )
    if match["partition"] != partition:
        refuse(option, role_arn, f"is not in the partition {partition} of the region", f"For example {example}")


def _refuse_collisions(entries: list[dict[str, t.Any]]) -> None:
    """Kubecost keeps one integration per account and bucket: a second one would take the place of the first."""
    numbers: dict[str, int] = {}
    for number, entry in enumerate(entries):
        first = numbers.setdefault(key(entry), number)
        if first != number:
            refuse(
                f"entries[{number}].bucket",
                entry["bucket"],
                f"has the key {key(entry)} of entries[{first}]; Kubecost would use only one of the two",
                f"Give each its own folder, for example {entry['bucket']}/{entry['table']}",
            )


def _legacy_entry(entry: dict[str, t.Any], pair: KeyPair | None) -> Document:
    return {
        **({LEGACY_ID: pair.access_key, LEGACY_SECRET: pair.secret_key} if pair else {}),
        "athenaBucketName": entry["bucket"],
        "athenaRegion": entry["region"],
        "athenaDatabase": entry["database"],
        **({"athenaCatalog": entry["catalog"]} if entry["catalog"] else {}),
        "athenaTable": entry["table"],
        "athenaWorkgroup": entry["workgroup"],
        "projectID": entry["account_id"],
        **({"masterPayerARN": entry["role_arn"]} if entry["role_arn"] else {}),
    }


def _athena_entry(entry: dict[str, t.Any], pair: KeyPair | None) -> Document:
    # Without a key the SDK's default chain: the identity that the ServiceAccount gives the pod.
    authorizer: Document = key_authorizer(pair) if pair else {"authorizerType": "AWSServiceAccount"}
    if entry["role_arn"]:
        authorizer = {"authorizerType": "AWSAssumeRole", "roleARN": entry["role_arn"], "authorizer": authorizer}
    return {
        "bucket": entry["bucket"],
        "region": entry["region"],
        "database": entry["database"],
        **({"catalog": entry["catalog"]} if entry["catalog"] else {}),
        "table": entry["table"],
        "workgroup": entry["workgroup"],
        "account": entry["account_id"],
        # Never left out: OpenCost treats an empty version as 2.0.
        "curVersion": entry["cur_version"],
        "authorizer": authorizer,
    }
