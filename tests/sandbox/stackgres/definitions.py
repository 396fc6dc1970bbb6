# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of StackGres, small: what backups on S3 have to do with, the rest open or left out.

Groups, versions, names, types, enums, patterns, defaults and required members are those of StackGres 1.18. An object
here has exactly the members of the real one, so that a field which does not exist is pruned, or refused under strict
validation (`spec.pods.metadata`); or it takes anything, where nothing is said about it. No kind has a status
subresource, and all lists are atomic, as there. `additionalPrinterColumns` are left out.
"""

from __future__ import annotations

from typing import Any

GROUP = "stackgres.io"
Schema = dict[str, Any]

_NAME = "^[a-z]([-a-z0-9]*[a-z0-9])?$"
_BUCKET = r"^((s3|https?)://)?[^/]+(/[^/]*)*$"
_SIZE = r"^[0-9]+(\.[0-9]+)?(Mi|Gi|Ti)$"
_STORAGE_TYPES = ["s3", "s3Compatible", "gcs", "azureBlob"]
_COMPRESSIONS = ["lz4", "lzma", "zstd", "brotli"]


def _text(**more: Any) -> Schema:
    return {"type": "string", **more}


def _number(**more: Any) -> Schema:
    return {"type": "integer", **more}


def _flag(**more: Any) -> Schema:
    return {"type": "boolean", **more}


def _list(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def _map(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def _open(**more: Any) -> Schema:
    """An object that takes anything."""
    return {"type": "object", "x-kubernetes-preserve-unknown-fields": True, **more}


def _object(properties: dict[str, Schema], *required: str, **more: Any) -> Schema:
    """An object with these members and no others."""
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {}), **more}


def _texts(*names: str) -> dict[str, Schema]:
    return {name: _text() for name in names}


def _selector(required: bool) -> Schema:
    return _object(_texts("key", "name"), *(("key", "name") if required else ()))


def _keys(*names: str, **more: Schema) -> Schema:
    return _object({**{name: _selector(True) for name in names}, **more}, *names)


def _storage(role: bool, *required: str) -> Schema:
    """Where backups lie: the spec of an SGObjectStorage, and what an SGBackup remembers of it.

    `role`: whether the version knows useIAMRole (1.18.0); before it, credentials of S3 are keys.
    """
    keys = _keys("accessKeyId", "secretAccessKey")
    s3_credentials = {"useIAMRole": _flag(default=False), "secretKeySelectors": keys}
    compatible = _keys("accessKeyId", "secretAccessKey", caCertificate=_selector(True))
    place = {"bucket": _text(pattern=_BUCKET), **_texts("region", "storageClass")}
    return _object(
        {
            "type": _text(enum=_STORAGE_TYPES),
            "encryption": _object(
                {
                    "method": _text(),
                    "sodium": _object({"key": _selector(False), "keyTransform": _text(default="none")}, "key"),
                    "openpgp": _object({"key": _selector(False), "keyPassphrase": _selector(False)}, "key"),
                }
            ),
            "s3": _object(
                {
                    **place,
                    "awsCredentials": _object(s3_credentials)
                    if role
                    else _object({"secretKeySelectors": keys}, "secretKeySelectors"),
                },
                "bucket",
                "awsCredentials",
            ),
            "s3Compatible": _object(
                {
                    **place,
                    "endpoint": _text(),
                    "enablePathStyleAddressing": _flag(),
                    "awsCredentials": _object({"secretKeySelectors": compatible}, "secretKeySelectors"),
                },
                "bucket",
                "awsCredentials",
            ),
            "gcs": _open(),
            "azureBlob": _open(),
        },
        *required,
    )


def _pods(**more: Any) -> Schema:
    """The pods of a cluster; there is no `metadata`."""
    custom_lists = ("customVolumes", "customInitContainers", "customContainers")
    custom_maps = ("customVolumeMounts", "customInitVolumeMounts", "customEnvFrom", "customInitEnvFrom")
    variables = _map(_list(_object({**_texts("name", "value"), "valueFrom": _open()}, "name")))
    return {
        "terminationGracePeriodSeconds": _number(format="int64"),
        "readinessProbe": _open(),
        "livenessProbe": _open(),
        "persistentVolume": _object(
            {"size": _text(pattern=_SIZE), **_texts("storageClass", "fsGroupChangePolicy")}, "size"
        ),
        **{f"disable{part}": _flag(default=False) for part in ("ConnectionPooling", "MetricsExporter", "PostgresUtil")},
        "disableEnvoy": _flag(default=True),
        "resources": _open(),
        "scheduling": _open(),
        "managementPolicy": _text(**more),
        "updateStrategy": _open(default={"type": "OnlyDbOps"}),
        **{name: _list(_open()) for name in custom_lists},
        **{name: _map(_list(_open())) for name in custom_maps},
        "customEnv": variables,
        "customInitEnv": variables,
    }


def _metadata(account: bool, *services: str) -> Schema:
    """Labels and annotations of what the operator makes. `account`: ServiceAccounts have their own (1.18.0)."""
    names = ["allResources", "clusterPods", "services", "primaryService", "replicasService", *services]
    marks = _object({name: _map(_text()) for name in [*names, *(["serviceAccount"] if account else [])]})
    return _object({"annotations": marks, "labels": marks})


def _backups(path: dict[str, Schema], **more: Schema) -> Schema:
    performance = {
        **{name: _number() for name in ("maxNetworkBandwidth", "maxDiskBandwidth")},
        **{f"{name}Concurrency": _number(minimum=1) for name in ("uploadDisk", "upload", "download")},
    }
    return _list(
        _object(
            {
                **_texts("sgObjectStorage", "cronSchedule", "volumeSnapshotClass"),
                "compression": _text(enum=_COMPRESSIONS),
                "performance": _object(performance),
                **path,
                "useVolumeSnapshot": _flag(),
                "fastVolumeSnapshot": _flag(),
                "timeout": _number(),
                "reconciliationTimeout": _number(default=300),
                "retainWalsForUnmanagedLifecycle": _flag(),
                **more,
            },
            "sgObjectStorage",
        )
    )


def _postgres(**more: Any) -> Schema:
    flavor = {"version": _text(), "flavor": _text(**more)}
    return _object({**flavor, "extensions": _list(_open()), "ssl": _open(default={"enabled": True})}, "version")


def _conditions() -> Schema:
    return _list(_object(_texts("lastTransitionTime", "message", "reason", "status", "type")))


def _cluster(role: bool) -> Schema:
    unsaid = ("autoscaling", "replication", "postgresServices", "managedSql", "replicateFrom", "nonProductionOptions")
    settings = ("postgres", "pooling", "postgresExporter", "observability", "patroni", "credentials", "binding")
    spec = {
        "profile": _text(default="production"),
        "postgres": _postgres(default="vanilla"),
        "instances": _number(minimum=0),
        "sgInstanceProfile": _text(),
        "metadata": _metadata(role),
        "pods": _object(_pods(default="OrderedReady"), "persistentVolume"),
        "configurations": _object(
            {
                **_texts("sgPostgresConfig", "sgPoolingConfig"),
                **{name: _open() for name in settings},
                "backups": _backups({"path": _text()}, retention=_number(minimum=1, default=5), maxRetries=_number()),
            }
        ),
        "initialData": _open(),
        **{name: _open() for name in (*unsaid, "distributedLogs")},
        "toInstallPostgresExtensions": _list(_open()),
    }
    pod = {"replicationGroup": _number(), "primary": _flag(), "pendingRestart": _flag()}
    pod |= {**_texts("name", "nodeName"), "installedPostgresExtensions": _list(_open())}
    texts = ("postgresVersion", "buildVersion", "sgPostgresConfig", "labelSelector", "arch", "os", "labelPrefix")
    status = {
        **_texts(*texts, "replicationInitializationFailedSGBackup"),
        "conditions": _conditions(),
        "extensions": _list(_open()),
        "backupPaths": _list(_text()),
        "instances": _number(),
        "podStatuses": _list(_object(pod, "name")),
        "dbOps": _open(),
        "managedSql": _open(),
        "binding": _object(_texts("name")),
    }
    return _kind(_object(spec, "instances", "postgres", "pods"), _object(status), _text(maxLength=44, pattern=_NAME))


def _sharded(role: bool) -> Schema:
    def part(instances: dict[str, Schema], pods_required: tuple[str, ...], *required: str, **more: Any) -> Schema:
        own = {
            **instances,
            "sgInstanceProfile": _text(),
            "pods": _object(_pods(), *pods_required),
            "configurations": _open(),
            "metadata": _metadata(role),
            **{name: _open() for name in ("autoscaling", "managedSql", "replication")},
        }
        return _object({**own, **more}, *required)

    services = ("coordinatorAnyService", "coordinatorPrimaryService", "shardsPrimariesService")
    per_shard = {"instancesPerCluster": _number(minimum=0)}
    override = part({"index": _number(minimum=0), **per_shard}, (), "index")
    volume = ("persistentVolume",)
    unsaid = ("replication", "postgresServices", "replicateFrom", "distributedLogs", "nonProductionOptions")
    settings = ("observability", "credentials", "binding", "postgresExporter")
    spec = {
        "profile": _text(default="production"),
        **_texts("type", "database"),
        "postgres": _postgres(),
        "metadata": _metadata(role, *services),
        "configurations": _object(
            {
                **{name: _open() for name in settings},
                "backups": _backups(
                    {"paths": _list(_text(nullable=True))},
                    retention=_number(minimum=1),
                ),
            }
        ),
        "coordinator": part({"instances": _number(minimum=0)}, volume, "instances", "pods"),
        "shards": part(
            {"clusters": _number(minimum=0), **per_shard},
            volume,
            "clusters",
            "instancesPerCluster",
            "pods",
            overrides=_list(override),
        ),
        "initialData": _open(),
        **{name: _open() for name in unsaid},
    }
    statuses = _list(_object({"name": _text(), "pendingRestart": _flag()}, "name"))
    status = {
        **_texts("postgresVersion", "buildVersion"),
        "conditions": _conditions(),
        "extensions": _list(_open()),
        "clusterStatuses": statuses,
        "toInstallPostgresExtensions": _list(_open()),
        "binding": _object(_texts("name")),
        "sgBackups": _list(_text()),
    }
    required = ("database", "postgres", "coordinator", "shards")
    return _kind(_object(spec, *required), _object(status), _text(maxLength=37, pattern=_NAME))


def _backup(role: bool) -> Schema:
    spec = {
        "sgCluster": _text(),
        "managedLifecycle": _flag(),
        "timeout": _number(),
        "reconciliationTimeout": _number(default=300),
        "maxRetries": _number(),
    }
    sizes = {"uncompressed": _number(format="int64"), "compressed": _number(format="int64")}
    texts = ("hostname", "sourcePod", "systemIdentifier", "postgresVersion", "pgData", "startWalFile", "timeline")
    status = {
        **_texts("internalName", "backupPath"),
        "process": _object(
            {
                **_texts("status", "failure", "jobPod"),
                "managedLifecycle": _flag(),
                "timing": _object(_texts("start", "end", "stored")),
            }
        ),
        "backupInformation": _object(
            {
                **_texts(*texts),
                "size": _object(sizes),
                "lsn": _object(_texts("start", "end")),
                "controlData": _open(),
            }
        ),
        "sgBackupConfig": _object(
            {
                "baseBackups": _object({"compression": _text(enum=_COMPRESSIONS)}),
                "storage": _storage(role, "type"),
            },
            "storage",
        ),
        "volumeSnapshot": _object(_texts("name", "backupLabel", "tablespaceMap")),
    }
    return _kind(_object(spec), _object(status), _text(maxLength=56, pattern=_NAME))


def _operation() -> Schema:
    """SGDbOps: of the operations, the restart."""
    unsaid = ("benchmark", "vacuum", "repack", "majorVersionUpgrade", "minorVersionUpgrade", "securityUpgrade")
    spec = {
        **_texts("sgCluster", "op", "runAt", "timeout"),
        "maxRetries": _number(),
        "restart": _object({"method": _text(), "onlyPendingRestart": _flag()}),
        **{name: _open() for name in (*unsaid, "scheduling")},
    }
    lists = ("initialInstances", "pendingToRestartInstances", "restartedInstances")
    restart = {name: _list(_text()) for name in lists}
    restart |= _texts("primaryInstance", "switchoverInitiated", "switchoverFinalized", "failure")
    status = {"conditions": _conditions(), "opRetries": _number(), "opStarted": _text(), "restart": _object(restart)}
    status |= {name: _open() for name in ("benchmark", "majorVersionUpgrade", "minorVersionUpgrade", "securityUpgrade")}
    return _kind(_object(spec, "sgCluster", "op"), _object(status), _text(maxLength=21, pattern=_NAME))


def _kind(spec: Schema, status: Schema | None = None, name: Schema | None = None) -> Schema:
    metadata = _object({"name": name or _text()})
    members = {"metadata": metadata, "spec": spec, **({"status": status} if status else {})}
    return _object(members, "metadata", "spec")


def path(plural: str, namespace: str = "", name: str = "") -> str:
    """The path of a kind's objects, or of one of them, in the API server."""
    version = {kind[1]: kind[2] for kind in _KINDS}[plural]
    where = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{GROUP}/{version}{where}/{plural}" + (f"/{name}" if name else "")


_KINDS = (  # kind, plural, version, short name
    ("SGObjectStorage", "sgobjectstorages", "v1beta1", "sgobjs"),
    ("SGCluster", "sgclusters", "v1", "sgclu"),
    ("SGShardedCluster", "sgshardedclusters", "v1alpha1", "sgscl"),
    ("SGBackup", "sgbackups", "v1", "sgbkp"),
    ("SGDbOps", "sgdbops", "v1", "sgdo"),
)
PLURALS = tuple(plural for _kind_name, plural, _version, _short in _KINDS)
_SCALE = {
    "specReplicasPath": ".spec.instances",
    "statusReplicasPath": ".status.instances",
    "labelSelectorPath": ".status.labelSelector",
}


def custom_resource_definitions(version: tuple[int, ...]) -> list[dict[str, Any]]:
    """The definitions that an operator of this version installs."""
    role = version >= (1, 18)
    schemas = {
        "SGObjectStorage": _kind(_storage(role)),
        "SGCluster": _cluster(role),
        "SGShardedCluster": _sharded(role),
        "SGBackup": _backup(role),
        "SGDbOps": _operation(),
    }
    return [
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": f"{plural}.{GROUP}",
                "annotations": {f"{GROUP}/operatorVersion": ".".join(map(str, version))},
            },
            "spec": {
                "group": GROUP,
                "scope": "Namespaced",
                "names": {
                    "kind": kind,
                    "listKind": f"{kind}List",
                    "plural": plural,
                    "singular": kind.lower(),
                    "shortNames": [short],
                },
                "versions": [
                    {
                        "name": api_version,
                        "served": True,
                        "storage": True,
                        "schema": {"openAPIV3Schema": schemas[kind]},
                        **({"subresources": {"scale": _SCALE}} if kind == "SGCluster" else {}),
                    }
                ],
            },
        }
        for kind, plural, api_version, short in _KINDS
    ]
