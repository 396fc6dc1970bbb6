# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of each SGCluster of an inventory: who its pods are on AWS, what is applied, what is refused. Pure.

``plan`` puts together what the user wrote, what is in the cluster (``_stackgres_read``) and where the buckets are. The
same plan is made before the first write, for what it refuses, and again by the run, for what it does.
"""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

from ._kube_apply import conflicts, differs, owned
from ._kube_objects import is_ours
from ._stackgres_identity import (
    Entry,
    Place,
    bucket_host,
    folder_above,
    host_option,
    identity,
    other_region,
    policy_of,
    principal_of,
    restore_hosts,
    role_name,
    user_name,
)
from ._stackgres_objects import (
    CLUSTER,
    SHARDED_CLUSTER,
    cluster_backups,
    cluster_without,
    object_storage,
    object_storage_name,
    overrides_without,
    parts_of,
    paths_of,
    service_account,
)
from ._stackgres_rules import problems_of, secret_of
from ._stackgres_versions import walg_of
from .stackgres_policies import backup_folders

Seen = t.Mapping[str, t.Any]

# What has to be served by the API, by the plural names of the kinds.
NEEDED = ("sgobjectstorages", "sgclusters")
PROVED = "proof.kubestrap.aws/stackgres-backup"


def plan(entries: t.Sequence[Entry], seen: Seen, place: Place) -> dict[str, t.Any]:
    """The plan of one EKS cluster.

    :param entries: as the role documents ``stackgres_backup_clusters``
    :param seen: what ``_stackgres_read.read`` returned
    :returns: ``clusters`` (one mapping for each entry, see ``_planned``), ``problems`` (all of them, to be mended
        before anything is written), ``operator_version``
    """
    version = place.operator_version or place.installing or str((seen.get("operator") or {}).get("version") or "")
    problems = _missing_kinds(entries, seen, place)
    planned: list[dict[str, t.Any]] = []
    for number, raw in enumerate(entries):
        label = raw.get("name") or number
        option = f"{place.option}[{label}]"
        entry = _filled(raw, place)
        wrong = problems_of(option, entry)
        if not wrong:
            try:
                made = _planned(option, entry, _found(seen, entry), seen, place, version)
            except AnsibleAWSError as e:
                wrong = [str(e)]
            else:
                wrong = made["problems"]
                planned.append(made)
        problems += wrong
    problems += _twice(planned, place.option)
    return {"clusters": planned, "problems": problems, "operator_version": version}


def secrets_of(entry: Entry) -> list[str]:
    """Names of the Secrets whose keys have to be there: those that a user wrote."""
    names = [secret_of(entry)["name"]] if secret_of(entry)["existing"] else []
    encryption = entry.get("encryption") or {}
    for reference in (encryption.get("key"), encryption.get("passphrase"), entry.get("ca_certificate")):
        if isinstance(reference, t.Mapping) and reference.get("name"):
            names.append(str(reference["name"]))
    return list(dict.fromkeys(names))


def _filled(raw: Entry, place: Place) -> dict[str, t.Any]:
    entry = {key: value for key, value in raw.items() if value is not None}
    for key in ("identity_method", "state", "bucket"):
        entry.setdefault(key, getattr(place, key))
    return entry


def _planned(
    option: str, entry: Entry, found: t.Mapping[str, t.Any], seen: Seen, place: Place, operator: str
) -> dict[str, t.Any]:
    """What becomes of one SGCluster.

    :returns: names (``label``, ``namespace``, ``name``, ``object_storage``), ``state``, ``exists``, ``bucket_host`` and
        the place in it, the identity (``identity_method``, ``principal_arn``, ``trusted``, ``policy``), ``apply`` with
        its ``changes``, ``problems`` (``disputed``: those that come from the cluster), ``notes``, ``blocked``
        and ``pending``
    """
    cluster, storage = found.get("cluster"), found.get("object_storage")
    sharded, namespace, name = bool(entry.get("sharded")), entry["namespace"], entry["name"]
    kind = SHARDED_CLUSTER if sharded else CLUSTER
    host, prefix = bucket_host(option, entry, place)
    bucket = place.storages[host]
    version = str(found.get("version") or "")
    method, notes, problems = identity(option, entry, version, place, operator)
    role = method == "irsa"
    wanted = entry["state"] == "present"
    region = other_region(option, entry, bucket, place) if role and wanted else ""
    principal = principal_of(entry, place, role)
    secret = secret_of(entry)
    walg = str(entry.get("walg_version") or walg_of(version or operator))
    paths = paths_of(cluster)
    parts = parts_of(entry, cluster)
    definitions = _definitions(entry, found, seen, bucket, prefix, principal if role else "", region)
    # One that goes may have had a key once, while its versions were too old for a role.
    keyed = not role or (not wanted and place.when_too_old == "access_key")
    own_user = keyed and not secret["existing"]
    disputed = _secrets_missing(option, entry, found) if wanted else []
    disputed += _refused(option, entry, cluster, storage, definitions, principal if role else "") if wanted else []
    changed = [definition for there, definition in definitions if differs(there, definition)]
    blocked = _blocked(entry, found, changed) if wanted else _blocked(entry, found, [{"kind": "SGObjectStorage"}])
    folders = backup_folders(namespace, name, sharded, prefix, paths)
    return {
        "label": f"{namespace}/{name}",
        "kind": kind,
        "api_version": f"stackgres.io/{_served(seen, entry)}",
        "namespace": namespace,
        "name": name,
        "sharded": sharded,
        "state": entry["state"],
        "exists": cluster is not None,
        "namespace_exists": bool(found.get("namespace_exists")),
        "version": version,
        "walg_version": walg,
        "bucket_host": host,
        "bucket": bucket["bucket"],
        "prefix": prefix,
        # Of several folders (shards, a path of the user's own) the one above them.
        "folder": folders[0] if len(folders) == 1 else folder_above(prefix, namespace, folders),
        # Where the proof writes: one of the folders, whose wildcard a shard stands for.
        "probed": folders[0],
        "paths": paths,
        "identity_method": method,
        "role_name": role_name(entry, place),
        # As preflight_info checks names.
        "checked_role_name": {"option": f"{option}.role_name", "kind": "iam_role", "value": role_name(entry, place)},
        # Whether a run has been here before.
        "made": storage is not None,
        "user_name": user_name(entry, place),
        "own_user": own_user,
        "principal_arn": principal if role or own_user else "",
        "trusted": [f"{name}-*-patroni" if sharded else service_account(name)],
        "service_accounts": [service_account(part) for part in parts],
        "parts": parts,
        "pod_selectors": [
            "app=StackGresCluster",
            f"stackgres.io/cluster-name in ({','.join(parts)})",
        ],
        "secret": {key: secret[key] for key in ("name", "access_key_id_key", "secret_access_key_key")},
        "object_storage": object_storage_name(entry),
        "policy": policy_of(entry, bucket, prefix, paths, walg, place),
        "apply": changed,
        "apply_in_check_mode": [] if disputed else _checkable(found, changed, own_user),
        "changes": [_summary(definition) for definition in changed],
        "remove": _removal(entry, found, seen) if not wanted else {"definitions": [], "changes": [], "kept": []},
        "restore_hosts": restore_hosts(entry, host, prefix, place) if wanted else [],
        "proved": str((((cluster or {}).get("metadata") or {}).get("annotations") or {}).get(PROVED, "")),
        "checksum": hashlib.sha256(
            repr([principal, bucket["bucket"], folders, walg, secret["name"]]).encode()
        ).hexdigest(),
        "restart": bool(entry.get("restart")),
        "backup_now": bool(entry.get("backup_now")),
        "without_role": _without_role(found, principal) if role and cluster is not None else [],
        "unannotated": _unannotated(found, parts, principal) if role and cluster is not None else [],
        "blocked": blocked,
        "pending": [] if cluster is not None or not wanted else [_not_there(kind, namespace, name)],
        "problems": problems + disputed,
        "disputed": disputed,
        "notes": notes,
    }


# --- what is applied


def _definitions(
    entry: Entry,
    found: t.Mapping[str, t.Any],
    seen: Seen,
    bucket: t.Mapping[str, t.Any],
    prefix: str,
    role_arn: str,
    region: str,
) -> list[tuple[t.Any, dict[str, t.Any]]]:
    """Each object as it is, and what is applied to it."""
    if entry["state"] != "present":
        return []
    there = found.get("object_storage")
    made = [(there, object_storage(entry, bucket["bucket"], bucket["region"], prefix, bool(role_arn), there))]
    if found.get("cluster") is not None:
        version = _served(seen, entry)
        made.append((found["cluster"], cluster_backups(entry, found["cluster"], version, role_arn, region)))
    return made


def _refused(
    option: str,
    entry: Entry,
    cluster: t.Any,
    storage: t.Any,
    definitions: list[tuple[t.Any, dict[str, t.Any]]],
    role_arn: str,
) -> list[str]:
    """What the API server would refuse to take over, and what the operator would drop."""
    problems = []
    for there, definition in definitions:
        label = f"{definition['kind']} {definition['metadata']['namespace']}/{definition['metadata']['name']}"
        for path, owner in conflicts(there, definition):
            problems.append(
                f"{option}: {path} of the {label} says something else, and is {owner}'s. Nothing is taken from others: "
                "take it out there (kubectl apply, Argo CD or Flux), or write the same here"
            )
    if entry.get("sharded") and cluster is not None and role_arn:
        for index in overrides_without(cluster, role_arn):
            problems.append(
                f"{option}: the override {index} of the shards of {entry['namespace']}/{entry['name']} has annotations "
                "of its own, so that the operator would leave out the role there. Write spec.shards.overrides[]."
                f"metadata.annotations.serviceAccount: {{eks.amazonaws.com/role-arn: {role_arn}}} there, or remove them"
            )
    return problems


def _secrets_missing(option: str, entry: Entry, found: t.Mapping[str, t.Any]) -> list[str]:
    """Keys of Secrets that the user names and that are not there."""
    secrets: t.Mapping[str, t.Any] = found.get("secrets") or {}
    wanted = []
    secret = secret_of(entry)
    if secret["existing"]:
        wanted += [("secret", secret["name"], secret[key]) for key in ("access_key_id_key", "secret_access_key_key")]
    encryption = entry.get("encryption") or {}
    for place, reference in (
        ("encryption.key", encryption.get("key")),
        ("encryption.passphrase", encryption.get("passphrase")),
        ("ca_certificate", entry.get("ca_certificate")),
    ):
        if reference:
            wanted.append((place, reference["name"], reference["key"]))
    problems = []
    for place, name, key in wanted:
        keys = secrets.get(name)
        if keys is None:
            problems.append(
                f"{option}.{place}: the Secret '{name}' does not exist in the namespace {entry['namespace']}. Create "
                "it there, where SGObjectStorage and SGCluster are, or name another one"
            )
        elif key not in keys:
            problems.append(
                f"{option}.{place}: '{key}' is not a key of the Secret {entry['namespace']}/{name}. Its keys are: "
                f"{', '.join(keys) or 'none'}"
            )
    return list(dict.fromkeys(problems))


def _removal(entry: Entry, found: t.Mapping[str, t.Any], seen: Seen) -> dict[str, t.Any]:
    """What of it is ours in the cluster, and goes: our fields of the SGCluster first, then the SGObjectStorage."""
    cluster, storage = found.get("cluster"), found.get("object_storage")
    name, changes, kept = object_storage_name(entry), [], []
    definitions = []
    if cluster is not None and owned(cluster):
        definitions.append({"state": "applied", "definition": cluster_without(entry, _served(seen, entry))})
        changes.append(f"take the backups out of the {cluster['kind']} {entry['namespace']}/{entry['name']}")
    if storage is not None:
        users = [user for user in found.get("users") or [] if user != entry["name"]]
        if not is_ours(storage):
            kept.append(f"the SGObjectStorage {name} was not made by this collection")
        elif users:
            kept.append(f"the SGObjectStorage {name} is used by {', '.join(users)}")
        else:
            definition = {
                "apiVersion": "stackgres.io/v1beta1",
                "kind": "SGObjectStorage",
                "metadata": {"name": name, "namespace": entry["namespace"]},
            }
            definitions.append({"state": "absent", "definition": definition})
            changes.append(f"delete the SGObjectStorage {entry['namespace']}/{name}")
    return {"definitions": definitions, "changes": changes, "kept": kept}


def _blocked(entry: Entry, found: t.Mapping[str, t.Any], changed: list[dict[str, t.Any]]) -> str:
    """Why the cluster's objects have to be left alone now, empty when nothing is in the way."""
    running = found.get("running_backups") or []
    if not running or found.get("object_storage") is None:
        return ""
    if not any(definition["kind"] == "SGObjectStorage" for definition in changed):
        return ""
    return (
        f"A backup of {entry['namespace']}/{entry['name']} is running ({', '.join(running)}), and would fail if its "
        "SGObjectStorage changed meanwhile. Run this again when it has ended."
    )


def _checkable(found: t.Mapping[str, t.Any], changed: list[dict[str, t.Any]], own_key: bool) -> list[dict[str, t.Any]]:
    """What a dry run can ask the operator's webhooks about: not what names something that is yet to be made.

    :param own_key: whether the SGObjectStorage names a Secret of ours, which the run makes before it
    """
    storage = found.get("object_storage")
    if not found.get("namespace_exists"):
        return []
    asked = []
    for definition in changed:
        if definition["kind"] == "SGObjectStorage":
            # One that is named already has been seen by the webhook; another is not there before the run.
            if not own_key or _selectors(definition) == _selectors(storage):
                asked.append(definition)
        elif storage is not None:
            asked.append(definition)
    return asked


def _selectors(storage: t.Any) -> t.Any:
    """The keys of Secrets that an SGObjectStorage names, ``None`` for none."""
    spec = (storage or {}).get("spec") or {}
    return ((spec.get(spec.get("type")) or {}).get("awsCredentials") or {}).get("secretKeySelectors")


def _summary(definition: t.Mapping[str, t.Any]) -> str:
    where = f"{definition['kind']} {definition['metadata']['namespace']}/{definition['metadata']['name']}"
    return f"write the {where}" if definition["kind"] == "SGObjectStorage" else f"write the backups of the {where}"


# --- what was seen


def _found(seen: Seen, entry: Entry) -> t.Mapping[str, t.Any]:
    for each in seen.get("clusters") or []:
        if (each["namespace"], each["name"]) == (entry["namespace"], entry["name"]):
            return each
    return {}


def _served(seen: Seen, entry: Entry) -> str:
    kind = "sgshardedclusters" if entry.get("sharded") else "sgclusters"
    return str((seen.get("served") or {}).get(kind) or ("v1alpha1" if entry.get("sharded") else "v1"))


def _missing_kinds(entries: t.Sequence[Entry], seen: Seen, place: Place) -> list[str]:
    wanted = [entry for entry in entries if (entry.get("state") or place.state) == "present"]
    if place.installing or not wanted:
        return []
    served = seen.get("served") or {}
    kinds = [*NEEDED, *(["sgshardedclusters"] if any(entry.get("sharded") for entry in wanted) else [])]
    missing = [kind for kind in kinds if kind not in served]
    if not missing:
        return []
    return [
        f"The cluster {place.cluster_name} does not know {', '.join(missing)} (stackgres.io): the operator of "
        "StackGres is not installed there, or its CRDs are missing. Install it, or write "
        f"{host_option(place, 'install_operator')}: true"
    ]


def _without_role(found: t.Mapping[str, t.Any], role_arn: str) -> list[str]:
    """The SGClusters with pods that run without the role."""
    clusters = [pod["cluster"] for pod in found.get("pods") or [] if pod.get("role_arn") != role_arn]
    return list(dict.fromkeys(clusters))


def _unannotated(found: t.Mapping[str, t.Any], parts: list[str], role_arn: str) -> list[str]:
    """The ServiceAccounts that the operator has not annotated with the role yet."""
    roles = {account["name"]: account.get("role_arn") for account in found.get("service_accounts") or []}
    return [name for name in map(service_account, parts) if roles.get(name) != role_arn]


def _twice(planned: list[dict[str, t.Any]], option: str) -> list[str]:
    """What two SGClusters have to have each for itself."""
    problems = []
    for key, what, inside in (
        ("name", "is there twice", True),
        ("object_storage", "is the SGObjectStorage of another SGCluster too", True),
        ("role_name", "is the role of another SGCluster too", False),
        ("user_name", "is the user of another SGCluster too", False),
        ("secret", "is the Secret of another SGCluster too", True),
    ):
        taken: dict[t.Any, str] = {}
        for cluster in planned:
            role = cluster["identity_method"] == "irsa"
            if (key == "role_name" and not role) or (key in ("user_name", "secret") and not cluster["own_user"]):
                continue
            value = cluster["secret"]["name"] if key == "secret" else cluster[key]
            mark = (cluster["namespace"], value) if inside else value
            if mark in taken:
                problems.append(
                    f"{option}[{cluster['name']}].{key}: '{value}' {what} ({taken[mark]}). Each SGCluster has its own"
                )
            taken.setdefault(mark, cluster["label"])
    return problems


def _not_there(kind: str, namespace: str, name: str) -> str:
    return (
        f"The {kind} {namespace}/{name} does not exist yet. What it needs is there; create it, and run this again: "
        "then it gets its backups."
    )
