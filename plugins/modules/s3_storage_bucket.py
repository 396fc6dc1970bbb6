#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: s3_storage_bucket
version_added: 1.0.0
short_description: Manage an S3 bucket with its settings in one step
description:
  - Makes a bucket as workloads and AWS' delivery services need it. Unless told otherwise it is private, without ACLs, and reached over TLS only.
  - Settings that the task does not set are neither read nor changed. A new bucket has S3's defaults for them, such as encryption with keys of S3.
  - Statements of the bucket policy and lifecycle rules are merged by their Sid and ID, so that several tasks can own parts of them.
  - All calls name O(account_id) as the expected owner, so a bucket of someone else is never used by mistake.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  name:
    description:
      - Name of the bucket, without V(s3://). It is unique over all accounts of AWS.
    type: str
    required: true
  state:
    description:
      - Whether the bucket exists.
      - With V(absent) a bucket that is not empty is an error, unless O(force) or O(keep_if_not_empty) is set.
    type: str
    choices: [present, absent]
    default: present
  public_access_block:
    description:
      - Whether all public access is blocked (all four settings). V(false) leaves them as they are.
    type: bool
    default: true
  object_ownership:
    description:
      - Who owns the objects. V(BucketOwnerEnforced) turns ACLs off.
    type: str
    choices: [BucketOwnerEnforced, BucketOwnerPreferred, ObjectWriter]
    default: BucketOwnerEnforced
  encryption:
    description:
      - Default encryption of new objects.
    type: dict
    suboptions:
      sse_algorithm:
        description:
          - V(AES256) uses keys of S3, V(aws:kms) a key of KMS.
        type: str
        choices: [AES256, aws:kms]
        required: true
      kms_master_key_id:
        description:
          - ARN of the KMS key, which is in the region of the bucket. Its id or alias will do when it is in the account of the bucket.
          - Without it the bucket keeps its key when it uses KMS already, else AWS' own key V(aws/s3) is used, which other accounts cannot use.
        type: str
      bucket_key_enabled:
        description:
          - Whether S3 uses a bucket key, which takes far fewer calls of KMS. Only with V(aws:kms).
        type: bool
        default: true
  versioning:
    description:
      - Whether objects that are overwritten or deleted are kept as versions. Once V(Enabled) it can only be V(Suspended).
    type: str
    choices: [Enabled, Suspended]
  object_lock:
    description:
      - Has the bucket made with object lock, which keeps versions of objects from being deleted. It can never be turned off, and takes
        versioning with it. A bucket that was made without it is refused.
      - An empty mapping is object lock without a default retention. What a bucket has is kept as long as the mode is left out.
    type: dict
    suboptions:
      mode:
        description:
          - Whether the retention of new objects may be lifted by whoever has the right to (V(GOVERNANCE)), or by nobody (V(COMPLIANCE)).
        type: str
        choices: [GOVERNANCE, COMPLIANCE]
      days:
        description:
          - How long new objects are locked, in days. Either this or O(object_lock.years).
        type: int
      years:
        description:
          - How long new objects are locked, in years.
        type: int
  tls_only:
    description:
      - Whether the bucket policy refuses calls without TLS, in a statement with the Sid V(DenyInsecureTransport).
      - V(false) leaves such a statement as it is. Name its Sid in O(absent_policy_sids) to remove it.
    type: bool
    default: true
  policy_statements:
    description:
      - Statements of the bucket policy. Each has a Sid and takes the place of the one with this Sid. All other statements are kept.
    type: list
    elements: dict
  absent_policy_sids:
    description:
      - Sids of statements that are removed from the bucket policy, unless they are in O(policy_statements).
      - A V(*) at the end stands for all Sids that begin so.
    type: list
    elements: str
  shared_with:
    description:
      - Roles and users of other accounts that keep objects in the bucket, as the document V(object_storage_sharing) of the lookup
        P(kubestrap.aws.iam_document#lookup) lets them in. All others from outside the account are refused then, whatever else the policy allows.
      - Those that are let in already and are not named here stay, so that several tasks can each let in a part of them.
    type: list
    elements: dict
    suboptions:
      role_arn:
        description:
          - ARN of the role or user, with V(*) in its name where wanted.
        type: str
        required: true
      prefix:
        description:
          - Folder to which it is limited. Without it the whole bucket may be used.
        type: str
        default: ""
      put_object_acl:
        description:
          - Whether it sends C(X-Amz-Acl) with its uploads.
        type: bool
        default: false
  absent_shared_with:
    description:
      - ARNs of roles and users that lose their place, unless they are in O(shared_with).
    type: list
    elements: str
  purge_shared_with:
    description:
      - Whether all that O(shared_with) does not name lose their place.
    type: bool
    default: false
  lifecycle_rules:
    description:
      - Lifecycle rules. Each takes the place of the rule with its O(lifecycle_rules[].id).
    type: list
    elements: dict
    suboptions:
      id:
        description:
          - ID of the rule.
        type: str
        required: true
      prefix:
        description:
          - Beginning of the keys of the objects that the rule is for. Without it the rule is for all.
        type: str
        default: ""
      expiration_days:
        description:
          - Days after which an object expires.
        type: int
      noncurrent_version_expiration_days:
        description:
          - Days after which a version is deleted that is no longer the current one.
        type: int
      abort_incomplete_multipart_upload_days:
        description:
          - Days after which an unfinished multipart upload is removed.
        type: int
  absent_lifecycle_rule_ids:
    description:
      - IDs of lifecycle rules that are removed.
    type: list
    elements: str
  adopt:
    description:
      - Whether a bucket that exists without O(ownership_tags) keeps its own settings. Then only O(policy_statements) and O(lifecycle_rules)
        are put beside what it has, and another O(encryption) is an error.
      - V(false) gives it all settings of the task.
    type: bool
    default: false
  purge_lifecycle_rules:
    description:
      - Whether lifecycle rules that are not in O(lifecycle_rules) are removed.
    type: bool
    default: false
  force:
    description:
      - With O(state=absent), whether all objects, their versions and their delete markers are deleted with the bucket. They cannot be restored.
    type: bool
    default: false
  keep_if_not_empty:
    description:
      - With O(state=absent) and without O(force), whether a bucket that is not empty is kept and reported in RV(kept), instead of an error.
    type: bool
    default: false
  keep_because:
    description:
      - With O(state=absent), why the bucket stays whatever is in it, such as that a service writes into it. Without it the bucket may go.
    type: str
notes:
  - S3 replaces a bucket policy as a whole. With O(shared_with), one that was changed is read again after a second, and what another run has overwritten
    meanwhile is written again.
extends_documentation_fragment:
  - kubestrap.aws.attributes
  - kubestrap.aws.attributes.action_group
  - kubestrap.aws.account
  - kubestrap.aws.ownership
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.tags
  - amazon.aws.boto3
seealso:
  - module: amazon.aws.s3_bucket
  - module: amazon.aws.s3_bucket_info
  - module: kubestrap.aws.iam_workload_role
"""

EXAMPLES = r"""
- name: A bucket for the results of Athena, which expire after a day
  kubestrap.aws.s3_storage_bucket:
    name: example-athena-results
    region: eu-west-1
    lifecycle_rules:
      - id: expire-results
        prefix: results/
        expiration_days: 1
        abort_incomplete_multipart_upload_days: 1
    tags:
      team: platform
  register: results

- name: A bucket with a KMS key, versions and a reader in another account
  kubestrap.aws.s3_storage_bucket:
    name: example-backups
    region: eu-west-1
    encryption:
      sse_algorithm: aws:kms
      kms_master_key_id: "{{ key_arn }}"
    versioning: Enabled
    policy_statements:
      - Sid: Restore
        Effect: Allow
        Principal:
          AWS: arn:aws:iam::222222222222:root
        Action: s3:GetObject
        Resource: arn:aws:s3:::example-backups/*

- name: Let a role of another account keep objects in its folder, and another one no longer
  kubestrap.aws.s3_storage_bucket:
    name: example-backups
    region: eu-west-1
    shared_with:
      - role_arn: arn:aws:iam::222222222222:role/thanos-prod-eu
        prefix: prod-eu
    absent_shared_with:
      - arn:aws:iam::222222222222:role/thanos-old

- name: Take the bucket of the results away, with what is in it
  kubestrap.aws.s3_storage_bucket:
    name: example-athena-results
    region: eu-west-1
    state: absent
    force: true
"""

RETURN = r"""
s3_storage_bucket:
  description: The bucket as it is after the task, in check mode as it would be; V(null) when it is absent. Settings that were not read are left out.
  returned: always
  type: dict
  contains:
    name:
      description: Name of the bucket.
      type: str
      returned: when the bucket exists
      sample: example-athena-results
    arn:
      description: ARN of the bucket.
      type: str
      returned: when the bucket exists
      sample: arn:aws:s3:::example-athena-results
    url:
      description: URL of the bucket, as Athena and others take it, without a slash at its end.
      type: str
      returned: when the bucket exists
      sample: s3://example-athena-results
    region:
      description: Region of the bucket.
      type: str
      returned: when the bucket exists
      sample: eu-west-1
    account_id:
      description: Account that owns the bucket.
      type: str
      returned: when the bucket exists
      sample: "111111111111"
    public_access_block:
      description: The four settings.
      type: dict
      returned: with O(public_access_block)
      sample: {block_public_acls: true, ignore_public_acls: true, block_public_policy: true, restrict_public_buckets: true}
    object_ownership:
      description: Who owns the objects.
      type: str
      returned: with O(object_ownership)
      sample: BucketOwnerEnforced
    encryption:
      description: Default encryption, with the keys of O(encryption).
      type: dict
      returned: with O(encryption)
      sample: {sse_algorithm: AES256, kms_master_key_id: null, bucket_key_enabled: false}
    versioning:
      description: V(Enabled), V(Suspended), or V(Disabled) when it was never enabled.
      type: str
      returned: with O(versioning)
      sample: Enabled
    object_lock:
      description: Default retention of object lock, with the keys of O(object_lock).
      type: dict
      returned: with O(object_lock)
      sample: {mode: GOVERNANCE, days: 30, years: null}
    policy:
      description: The bucket policy, V(null) for none.
      type: dict
      returned: with O(tls_only), O(policy_statements), O(absent_policy_sids) or O(shared_with)
      sample: {Version: "2012-10-17", Statement: []}
    lifecycle_rules:
      description: All lifecycle rules, in the form of the S3 API.
      type: list
      elements: dict
      returned: with O(lifecycle_rules) or O(absent_lifecycle_rule_ids)
      sample: [{ID: expire-results, Status: Enabled, Filter: {Prefix: results/}, Expiration: {Days: 1}}]
    transition_default_minimum_object_size:
      description: S3's setting of that name, which belongs to the lifecycle rules and is kept.
      type: str
      returned: with O(lifecycle_rules) or O(absent_lifecycle_rule_ids)
      sample: all_storage_classes_128K
    tags:
      description: Tags of the bucket.
      type: dict
      returned: with O(tags)
      sample: {team: platform}
    empty:
      description: Whether the bucket has neither objects nor versions nor delete markers.
      type: bool
      returned: with O(state=absent), when the bucket is kept
      sample: false
kept:
  description: Why the bucket stays although O(state=absent).
  returned: when it is not empty, was not made with O(ownership_tags), or with O(keep_because)
  type: str
  sample: the bucket example-backups is not empty
changes:
  description: What was done, or would be done in check mode, one line per step.
  returned: always
  type: list
  elements: str
  sample: ["set the lifecycle rules of the bucket example-athena-results"]
"""

from ansible_collections.kubestrap.aws.plugins.module_utils._identifiers import refuse
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule
from ansible_collections.kubestrap.aws.plugins.module_utils._ownership import is_foreign
from ansible_collections.kubestrap.aws.plugins.module_utils._s3_bucket import BucketId, read
from ansible_collections.kubestrap.aws.plugins.module_utils._s3_bucket_plan import (
    plan_absent,
    plan_adopted,
    plan_present,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._s3_bucket_settings import Settings

ENCRYPTION = dict(
    sse_algorithm=dict(type="str", choices=["AES256", "aws:kms"], required=True),
    kms_master_key_id=dict(type="str", no_log=False),
    bucket_key_enabled=dict(type="bool", default=True, no_log=False),
)
LIFECYCLE_RULE = dict(
    id=dict(type="str", required=True),
    prefix=dict(type="str", default=""),
    expiration_days=dict(type="int"),
    noncurrent_version_expiration_days=dict(type="int"),
    abort_incomplete_multipart_upload_days=dict(type="int"),
)
SHARED_WITH = dict(
    role_arn=dict(type="str", required=True),
    prefix=dict(type="str", default=""),
    put_object_acl=dict(type="bool", default=False),
)
SETTINGS = dict(
    public_access_block=dict(type="bool", default=True),
    object_ownership=dict(
        type="str",
        choices=["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"],
        default="BucketOwnerEnforced",
    ),
    encryption=dict(type="dict", options=ENCRYPTION),
    versioning=dict(type="str", choices=["Enabled", "Suspended"]),
    object_lock=dict(
        type="dict",
        options=dict(
            mode=dict(type="str", choices=["GOVERNANCE", "COMPLIANCE"]),
            days=dict(type="int"),
            years=dict(type="int"),
        ),
    ),
    tls_only=dict(type="bool", default=True),
    policy_statements=dict(type="list", elements="dict"),
    absent_policy_sids=dict(type="list", elements="str"),
    shared_with=dict(type="list", elements="dict", options=SHARED_WITH),
    absent_shared_with=dict(type="list", elements="str"),
    purge_shared_with=dict(type="bool", default=False),
    lifecycle_rules=dict(type="list", elements="dict", options=LIFECYCLE_RULE),
    absent_lifecycle_rule_ids=dict(type="list", elements="str"),
    purge_lifecycle_rules=dict(type="bool", default=False),
    tags=dict(type="dict", aliases=["resource_tags"]),
    purge_tags=dict(type="bool", default=True),
    **KubestrapAWSModule.OWNERSHIP_ARGUMENT_SPEC,
)


def main():
    module = KubestrapAWSModule(
        argument_spec=dict(
            name=dict(type="str", required=True),
            state=dict(type="str", choices=["present", "absent"], default="present"),
            force=dict(type="bool", default=False),
            keep_if_not_empty=dict(type="bool", default=False),
            keep_because=dict(type="str"),
            adopt=dict(type="bool", default=False),
            **SETTINGS,
            **KubestrapAWSModule.ACCOUNT_ARGUMENT_SPEC,
        ),
    )
    params = module.params
    settings = Settings(**{option: params[option] for option in SETTINGS})
    module.guard(lambda: settings.check(params["name"]))
    bucket = module.guard(lambda: bucket_id(module))

    if params["state"] == "present":
        needed = settings.to_read

        def plan(current):
            planned = plan_present(bucket, current, settings)
            # Whose it is matters only where something differs; so it is asked only then.
            if current and planned.changes and params["adopt"] and _foreign(module, bucket, current):
                return plan_adopted(bucket, current, settings)
            return planned
    else:
        needed = ("empty", "tags") if params["ownership_tags"] else ("empty",)

        def plan(current):
            options = ("force", "keep_if_not_empty", "keep_because", "ownership_tags")
            return plan_absent(bucket, current, **{option: params[option] for option in options})

    shared = ["put_bucket_policy"] if params["state"] == "present" and settings.sharing else []
    module.manage("s3_storage_bucket", lambda: read(module.connection, bucket, needed), plan, shared=shared)


def _foreign(module: KubestrapAWSModule, bucket: BucketId, current: dict) -> bool:
    """Whether the bucket lacks the ownership tags."""
    seen = current if "tags" in current else read(module.connection, bucket, ("tags",)) or {"tags": {}}
    return is_foreign(seen["tags"], module.params["ownership_tags"])


def bucket_id(module: KubestrapAWSModule) -> BucketId:
    """The bucket that the task names."""
    region = module.connection.region
    if not region:
        refuse("region", region, "is not a region", "Set the region of the bucket, for example eu-west-1")
    return BucketId(module.params["name"], region, module.account_id, module.connection.partition)


if __name__ == "__main__":
    main()
