#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: object_storage_probe
version_added: 1.0.0
short_description: Prove that a workload can keep its objects in a bucket
description:
  - Does what an object store's client does (Thanos, Kubecost's federated storage), with the workload's own identity. It lists the bucket, looks for an
    object that does not exist, writes one, reads it, begins and aborts a multipart upload, and deletes the object again.
  - The identity is that of ServiceAccounts, whose own tokens are exchanged for the role's credentials, or an access key.
  - Where a step is refused, the result names the cause and what to change. Causes that S3 does not tell are found with the credentials of the task.
  - The probe object lies below C(kubestrap-probe/) in O(prefix). Nothing is left of it. What the workload may not take away (versions, an object that it
    may not delete) goes with the rights of the task. What object lock keeps is told in RV(proof.left).
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  bucket:
    description:
      - Name of the bucket.
    type: str
    required: true
  bucket_region:
    description:
      - Region that the workload has in its configuration. The region of the task when it is not set.
      - Where the bucket is in another one, the link V(region) fails and names it.
    type: str
  endpoint:
    description:
      - Host of S3 that the workload has in its configuration. It matters where it is not the region's own, such as that of a VPC endpoint.
    type: str
  prefix:
    description:
      - Folder of the workload in the bucket; without it the whole bucket.
    type: str
    default: ''
  prefix_enforced:
    description:
      - Whether the workload must not write outside O(prefix). With V(true) that is tried, and has to be refused.
    type: bool
    default: false
  encryption:
    description:
      - How objects must be encrypted. Without it that is not looked at.
    type: str
    choices: [AES256, 'aws:kms']
  kms_key_arn:
    description:
      - ARN of the key with which objects must be encrypted, with O(encryption=aws:kms).
    type: str
  expected_bucket_owner:
    description:
      - The account that must own the bucket, 12 digits in quotes. It goes with every call.
    type: str
  upload:
    description:
      - What the workload sends with each upload.
    type: dict
    suboptions:
      acl:
        description:
          - The value of C(X-Amz-Acl), such as V(bucket-owner-full-control).
        type: str
      encryption:
        description:
          - The encryption that it asks for.
        type: str
        choices: [AES256, 'aws:kms']
      kms_key_arn:
        description:
          - ARN of the key that it asks for.
        type: str
  write:
    description:
      - Whether objects are written. With V(false) the bucket is listed and the policy simulator of IAM is asked about the other steps, as in check mode. It
        does not see what the bucket or its key refuse.
    type: bool
    default: true
  namespace:
    description:
      - Namespace of O(service_accounts) or O(key_secret).
    type: str
  service_accounts:
    description:
      - All ServiceAccounts whose pods open the bucket. Each of them has to get O(role_arn). What the role may do is then tried once, by the first one.
    type: list
    elements: str
  role_arn:
    description:
      - The role that O(service_accounts) take.
    type: str
  audience:
    description:
      - Audience of the tokens.
    type: str
    default: sts.amazonaws.com
  pods:
    description:
      - Look at the pods that run as O(service_accounts).
    type: dict
    suboptions:
      label_selectors:
        description:
          - Labels of the workload's pods; without them all pods of the namespace are looked at.
        type: list
        elements: str
        default: []
  key_pair:
    description:
      - The access key that the workload uses.
    type: dict
    suboptions:
      access_key:
        description:
          - Its id.
        type: str
        required: true
      secret_key:
        description:
          - Its secret.
        type: str
        required: true
      session_token:
        description:
          - The session token of a temporary key.
        type: str
  key_secret:
    description:
      - The Secret of O(namespace) that has the workload's object store configuration, with the access key in it.
    type: dict
    suboptions:
      name:
        description:
          - Name of the Secret.
        type: str
        required: true
      key:
        description:
          - Key in the Secret, whose value is the YAML with C(config.access_key) and C(config.secret_key).
        type: str
        default: object-store.yaml
      access_key_id_key:
        description:
          - Key in the Secret that has the id of the access key by itself, as StackGres reads it, in place of a YAML.
        type: str
      secret_access_key_key:
        description:
          - Key in the Secret that has its secret. Goes with O(key_secret.access_key_id_key).
        type: str
extends_documentation_fragment:
  - kubestrap.aws.attributes.info
  - kubestrap.aws.attributes.action_group
  - kubestrap.aws.kubernetes
  - kubestrap.aws.proof
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
notes:
  - The credentials of the task make no step themselves. They read the role, explain refusals, and sweep away what the workload cannot.
    Useful rights are iam:GetRole, iam:SimulatePrincipalPolicy, iam:GetAccessKeyLastUsed, iam:ListAccessKeys, s3:GetBucketPolicy, and on the probe
    object s3:DeleteObject, s3:DeleteObjectVersion and s3:AbortMultipartUpload.
  - In the cluster it takes the verbs C(create) on C(serviceaccounts/token), C(get) on C(serviceaccounts) and C(secrets), C(list) on C(pods).
  - In check mode nothing is written. The bucket is listed, and the policy simulator of IAM is asked about the other steps.
  - A bucket with a default retention keeps each probe object for that time.
seealso:
  - module: kubestrap.aws.workload_identity_probe
  - module: kubestrap.aws.s3_storage_bucket
  - plugin: kubestrap.aws.iam_document
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Prove that every part of Thanos can use the bucket
  kubestrap.aws.object_storage_probe:
    host: "{{ cluster.endpoint }}"
    ca_cert: "{{ ca_file }}"
    api_key: "{{ lookup('kubestrap.aws.eks_token', 'demo', region='eu-west-1', profile='cluster') }}"
    region: eu-west-1
    bucket: acme-thanos
    prefix: prod-eu
    prefix_enforced: true
    encryption: AES256
    expected_bucket_owner: "222222222222"
    namespace: monitoring
    service_accounts: [prometheus-server, thanos-store, thanos-compact, thanos-bucket]
    role_arn: arn:aws:iam::222222222222:role/thanos
  register: storage

- name: Prove the access key that is in a Secret
  kubestrap.aws.object_storage_probe:
    host: "{{ cluster.endpoint }}"
    ca_cert: "{{ ca_file }}"
    api_key: "{{ lookup('kubestrap.aws.eks_token', 'demo', region='eu-west-1', profile='cluster') }}"
    region: eu-west-1
    bucket: acme-federated
    namespace: kubecost
    key_secret:
      name: federated-store
      key: federated-store.yaml
    fail_on: never
  register: storage
"""

RETURN = r"""
proof:
  description: What was proved.
  returned: always, also when the task fails for a link
  type: dict
  contains:
    state:
      description: V(proved), V(pending) or V(failed).
      type: str
      returned: always
      sample: proved
    caller_arn:
      description: Who made the steps in the bucket; V(null) when nobody could.
      type: str
      returned: always
      sample: arn:aws:sts::222222222222:assumed-role/thanos/kubestrap-monitoring-prometheus-server
    left:
      description: What stays in the bucket.
      type: list
      elements: dict
      returned: always
      contains:
        key:
          description: Key of the object.
          type: str
          returned: always
          sample: prod-eu/kubestrap-probe/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0
        version_id:
          description: Its version, V(null) in a bucket without versions.
          type: str
          returned: always
          sample: 3HL4kqtJvjVBH40Nrjfkd
        reason:
          description: Why it stays.
          type: str
          returned: always
          sample: object lock keeps it until 2026-12-21T10:00:00Z (GOVERNANCE)
    links:
      description: The links, those of each ServiceAccount first, then the steps in the bucket.
      type: list
      elements: dict
      returned: always
      contains:
        link:
          description:
            - V(service_account), V(token), V(trust), V(role) and V(pods) of each ServiceAccount, or V(access_key).
            - Then V(list), V(region), V(missing) (a missing object is told from a forbidden one), V(put), V(get), V(encryption), V(multipart), V(delete)
              and V(outside) (nothing can be written outside the prefix).
          type: str
          returned: always
          sample: put
        identity:
          description: The ServiceAccount as C(NAMESPACE:NAME), or the Secret of the access key.
          type: str
          returned: always
          sample: monitoring:prometheus-server
        state:
          description: V(ok), V(pending), V(failed) or V(skipped).
          type: str
          returned: always
          sample: failed
        detail:
          description: What was seen.
          type: str
          returned: always
          sample: "prod-eu/kubestrap-probe/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0 cannot be written: AccessDenied: ..."
        cause:
          description: Why it is so, empty when the link is V(ok).
          type: str
          returned: always
          sample: no policy of arn:aws:iam::222222222222:role/thanos allows s3:PutObject on arn:aws:s3:::acme-thanos/prod-eu/...
        change:
          description: What to change, empty when nothing is wrong.
          type: str
          returned: always
          sample: Add s3:PutObject on arn:aws:s3:::acme-thanos/prod-eu/... to the policy of arn:aws:iam::222222222222:role/thanos
        missing:
          description: Whether it failed because an object does not exist at all.
          type: bool
          returned: always
          sample: false
"""

from ansible_collections.kubestrap.aws.plugins.module_utils._identifiers import refuse
from ansible_collections.kubestrap.aws.plugins.module_utils._key_pair import KeyPair
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_connection import (
    KUBERNETES_ARGUMENTS,
    KUBERNETES_RULES,
    kube_of,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._kubernetes_names import check_kubernetes_name
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule
from ansible_collections.kubestrap.aws.plugins.module_utils._probe_links import PROOF_ARGUMENTS, fails, message
from ansible_collections.kubestrap.aws.plugins.module_utils._probe_storage import (
    StorageClaim,
    check_storage_claim,
    endpoint_url,
    prove_storage,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._probe_storage_place import Storage
from ansible_collections.kubestrap.aws.plugins.module_utils._regions import check_region

ENCRYPTION = dict(type="str", choices=["AES256", "aws:kms"])
UPLOAD = dict(
    acl=dict(type="str"),
    encryption=ENCRYPTION,
    kms_key_arn=dict(type="str", no_log=False),
)
KEY_PAIR = dict(
    access_key=dict(type="str", required=True, no_log=False),  # an id; messages name it
    secret_key=dict(type="str", required=True, no_log=True),
    session_token=dict(type="str", no_log=True),
)
KEY_SECRET = dict(
    name=dict(type="str", required=True),
    key=dict(type="str", default="object-store.yaml", no_log=False),
    access_key_id_key=dict(type="str", no_log=False),
    secret_access_key_key=dict(type="str", no_log=False),
)
ARGUMENTS = dict(
    **KUBERNETES_ARGUMENTS,
    **PROOF_ARGUMENTS,
    bucket=dict(type="str", required=True),
    bucket_region=dict(type="str"),
    endpoint=dict(type="str"),
    prefix=dict(type="str", default=""),
    prefix_enforced=dict(type="bool", default=False),
    encryption=ENCRYPTION,
    kms_key_arn=dict(type="str", no_log=False),
    expected_bucket_owner=dict(type="str"),
    upload=dict(type="dict", options=UPLOAD),
    write=dict(type="bool", default=True),
    namespace=dict(type="str"),
    service_accounts=dict(type="list", elements="str"),
    role_arn=dict(type="str"),
    audience=dict(type="str", default="sts.amazonaws.com"),
    pods=dict(type="dict", options=dict(label_selectors=dict(type="list", elements="str", default=[]))),
    key_pair=dict(type="dict", options=KEY_PAIR, no_log=False),
    key_secret=dict(
        type="dict",
        options=KEY_SECRET,
        required_together=[("access_key_id_key", "secret_access_key_key")],
        no_log=False,
    ),
)
IDENTITIES = ("service_accounts", "key_pair", "key_secret")
RULES = dict(
    mutually_exclusive=[*KUBERNETES_RULES["mutually_exclusive"], IDENTITIES],
    required_one_of=[IDENTITIES],
    required_together=[*KUBERNETES_RULES["required_together"], ("service_accounts", "role_arn")],
    required_by={
        **KUBERNETES_RULES["required_by"],
        "service_accounts": ("namespace",),
        "key_secret": ("namespace",),
        "pods": ("service_accounts",),
    },
)
SENT = {"acl": "ACL", "encryption": "ServerSideEncryption", "kms_key_arn": "SSEKMSKeyId"}


def storage_of(params, region):
    """Where the workload keeps its objects.

    :param region: of the task, where the options name no other
    """
    region = params["bucket_region"] or region
    if not region:
        refuse("bucket_region", region, "is empty", "Write the region of the bucket, or give the task a region")
    partition = check_region("bucket_region", region)
    sent = params["upload"] or {}
    return Storage(
        bucket=params["bucket"],
        region=region,
        partition=partition,
        endpoint_url=endpoint_url(params["endpoint"], region),
        prefix=params["prefix"],
        prefix_enforced=params["prefix_enforced"],
        encryption=params["encryption"],
        kms_key_arn=params["kms_key_arn"],
        owner=params["expected_bucket_owner"],
        sent={parameter: sent[option] for option, parameter in SENT.items() if sent.get(option)},
    )


def claim_of(params, region):
    """What the task's options ask to be proved."""
    return StorageClaim(
        storage=storage_of(params, region),
        namespace=params["namespace"],
        service_accounts=tuple(params["service_accounts"] or ()),
        role_arn=params["role_arn"] or "",
        audience=params["audience"],
        pair=params["key_pair"] and KeyPair(**params["key_pair"]),
        key_secret=params["key_secret"] and {key: name for key, name in params["key_secret"].items() if name},
        label_selectors=None if params["pods"] is None else tuple(params["pods"]["label_selectors"]),
        awaited=params["awaited"],
        patience_seconds=params["wait_timeout"] if params["recently_changed"] else 0,
        write=params["write"],
    )


def check(params, claim):
    """Refuse what cannot be proved, before any call."""
    if params["namespace"] is not None:
        check_kubernetes_name("namespace", params["namespace"], "namespace")
    for name in claim.service_accounts:
        check_kubernetes_name("service_accounts", name, "serviceaccount")
    if params["service_accounts"] == []:
        refuse("service_accounts", [], "is empty", "Write the ServiceAccounts of all pods that open the bucket")
    if claim.key_secret:
        check_kubernetes_name("key_secret.name", claim.key_secret["name"], "secret")
    if needs_cluster(claim) and not (params["host"] or params["kubeconfig"]):
        write = "Write host, api_key and ca_cert of the cluster, or kubeconfig"
        refuse("host", params["host"], "is not set, and ServiceAccounts and Secrets are in a cluster", write)
    check_storage_claim(claim, params["host"])


def needs_cluster(claim):
    """Whether the identity is in the cluster."""
    return bool(claim.service_accounts or claim.key_secret)


def main():
    module = KubestrapAWSModule(argument_spec=ARGUMENTS, **RULES)
    params = module.params
    claim = module.guard(lambda: claim_of(params, module.region))
    module.guard(lambda: check(params, claim))
    kube = kube_of(module) if needs_cluster(claim) else None
    proof = module.guard(lambda: prove_storage(module.connection, kube, claim, module.check_mode))
    if fails(proof, params["fail_on"], module.check_mode):
        module.fail_json(msg=message(proof), proof=proof)
    module.exit_json(changed=False, proof=proof)


if __name__ == "__main__":
    main()
