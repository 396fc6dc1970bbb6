# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: iam_document
author:
  - Contributors to kubestrap.aws (@kubestrap)
version_added: 1.0.0
short_description: Least-privilege IAM and bucket policies by name
description:
  - Returns one of the policies that the collection itself uses, for any partition, as data.
  - Nothing is called. Which parameters a document takes is said below; one that is missing, unknown or impossible is an error.
options:
  _terms:
    description:
      - The name of one document.
      - V(billing_data_reader), for the payer role, reads one billing report through Athena.
        Takes O(partition), O(region), O(account_id), O(report_bucket), O(report_prefix), O(results_bucket), O(results_prefix),
        O(workgroup), O(database), O(table), and may take O(base_tables), O(report_kms_key_arn) and
        O(results_kms_key_arn).
      - V(assume_role), for a workload's role, takes other roles. Takes O(role_arns).
      - V(billing_data_workload), for a workload's role, reads billing data through roles of payers and, in its own account, without one. May take
        O(role_arns) and O(reader_statements), and needs one of them.
      - V(account_tags), for the payer role, reads the accounts of the organisation and their tags. Takes nothing.
      - V(billing_report_delivery), for the policy of the report bucket, lets AWS Billing deliver. Takes O(bucket), O(account_id), O(partition).
      - V(billing_report_key), for the policy of the report bucket's customer key, lets AWS Billing use it. Takes O(account_id).
      - V(object_storage_workload), for the role or user of a workload that keeps objects in a bucket (Thanos, Kubecost's federated storage).
        Takes O(bucket), O(partition), and may take O(prefix), O(key_arn), O(put_object_acl) and O(region).
      - V(object_storage_sharing), for the policy of such a bucket, lets named roles of other accounts use it.
        Takes O(bucket), O(partition), O(role_arns), and may take O(prefixes), O(put_object_acl) and O(account_id).
      - V(object_storage_key), for the policy of the customer key of such a bucket, lets roles use the key through S3.
        Takes O(role_arns), O(region).
      - V(stackgres_backup_workload), for the role or user of the pods of an SGCluster, keeps its backups. Takes O(bucket), O(partition), O(namespace),
        O(cluster), and may take O(sharded), O(prefix), O(paths), O(key_arn), O(region), O(walg_version) and O(versioned).
      - V(stackgres_restore_reader), for the same, reads the backups of another SGCluster. Takes O(bucket), O(partition), O(namespace), O(cluster), and may
        take O(sharded), O(prefix), O(paths) and O(key_arn).
      - V(tls_only), for the policy of any bucket, refuses calls without TLS. Takes O(bucket), O(partition).
      - V(irsa_trust) is the trust of a role that ServiceAccounts take. Takes O(oidc_provider_arn), O(issuer), O(subjects), and may take O(audience).
      - V(workload_role_trust) is the trust of a role that other roles take. Takes O(role_arns).
      - V(kubecost_payer_operator), for whoever runs the payer's half of the playbook C(kubestrap.aws.kubecost).
        Takes O(partition), O(region), O(account_id), O(report_name), O(report_bucket), O(report_prefix), O(results_bucket),
        O(workgroup), O(database), O(role_name), and may take O(iam_path), O(permissions_boundary), O(report_kms_key_arn),
        O(results_kms_key_arn), O(report_expires), O(crawler_stack), O(operator_arn), O(extent) and O(delete_data).
      - V(kubecost_cluster_operator), for whoever runs the cluster's half. Takes O(partition), O(region), O(account_id),
        O(cluster_name), O(role_name), and may take O(issuer), O(iam_path), O(permissions_boundary), O(operator_arn) and O(extent).
      - V(workload_storage_operator), for whoever runs the role C(kubestrap.aws.workload_storage). Takes O(partition), O(region),
        O(account_id), O(bucket), and may take O(kms_key_alias), O(versioning), O(object_lock), O(operator_arn), O(extent) and O(delete_data).
      - V(object_storage_workload_operator), for whoever gives a workload the identity with which it opens a bucket, and proves it. Takes
        O(partition), O(account_id), O(identity_method), and may take O(region), O(cluster_name), O(issuer), O(role_name), O(user_name),
        O(user_names), O(with_role), O(bucket), O(prefix), O(object_lock), O(iam_path), O(permissions_boundary), O(operator_arn) and O(extent).
      - V(tag_report_operator), for whoever runs the playbook C(kubestrap.aws.tag_report) in an account with resources or a cluster. Takes
        O(partition), O(account_id), and may take O(region) and O(cluster_name).
      - V(tag_report_payer_operator), for whoever runs it in a payer account. Takes O(partition), O(region), O(account_id), O(report_bucket),
        O(report_prefix), O(results_bucket), O(results_prefix), O(workgroup), O(database), O(table), and may take O(report_kms_key_arn) and
        O(results_kms_key_arn).
      - V(tag_apply_operator), for whoever runs the playbook C(kubestrap.aws.tag_apply). Takes O(partition), O(account_id), O(services), and may take
        O(remove).
      - V(cost_allocation_tags_operator), for whoever runs the role C(kubestrap.aws.cost_allocation_tags). Takes O(partition), O(account_id), and
        may take O(backfill), O(operator_arn) and O(extent).
      - V(stackgres_backup_operator), for whoever runs the role C(kubestrap.aws.stackgres_backup). Takes O(partition), O(account_id), O(region),
        O(cluster_name), and may take O(role_names) and O(user_names) (one of them is needed), O(issuer), O(bucket), O(clusters), O(iam_path),
        O(permissions_boundary), O(operator_arn) and O(extent).
    type: list
    elements: str
    required: true
  form:
    description:
      - V(document) returns a whole policy document, V(statements) the list of its statements, to be put together with others.
    type: str
    choices: [document, statements]
    default: document
  partition:
    description: Partition of all ARNs, such as V(aws), V(aws-cn) or V(aws-us-gov).
    type: str
  region:
    description:
      - Region of workgroup, database and table; of the object storage documents, region of the bucket and its key.
      - Of V(kubecost_cluster_operator) and V(object_storage_workload_operator) region of the cluster.
    type: str
  account_id:
    description:
      - The payer account, 12 digits in quotes; of the operators' documents the account in which they work.
      - Of V(object_storage_sharing) the account of the bucket. With it all principals of other accounts but O(role_arns) are refused.
    type: str
  report_bucket:
    description: Bucket that AWS delivers the report to.
    type: str
  report_prefix:
    description: Folder of the report; nothing else in the bucket can be read.
    type: str
  results_bucket:
    description: Bucket that Athena writes its results to.
    type: str
  results_prefix:
    description: Folder of the results; V('') means the whole bucket.
    type: str
  workgroup:
    description: Name of the Athena workgroup.
    type: str
  database:
    description: Name of the Glue database.
    type: str
  base_tables:
    description: Tables and views below O(table) where that is a view, as C(database.table). M(kubestrap.aws.glue_cur_table_info) finds them.
    type: list
    elements: str
  table:
    description: Name of the Glue table.
    type: str
  report_kms_key_arn:
    description: ARN of the customer key of the report bucket, where it has one.
    type: str
  results_kms_key_arn:
    description: ARN of the customer key of the results bucket, where it has one.
    type: str
  role_arns:
    description:
      - ARNs of the roles that are taken (V(assume_role), V(billing_data_workload)), that may take the role (V(workload_role_trust)),
        or that may use bucket or key (V(object_storage_sharing), V(object_storage_key)). Those of the last three may have V(*) in their names.
    type: list
    elements: str
  reader_statements:
    description: For each payer in the workload's own account the statements of V(billing_data_reader) (V(billing_data_workload)).
    type: list
    elements: list
  bucket:
    description:
      - Name of the bucket that gets the policy, that the workload uses, or that is made.
      - Of V(object_storage_workload_operator) the bucket in which the proof writes. Without it the operator has no rights in a bucket, and refusals
        are explained less precisely.
    type: str
  prefix:
    description: Folder of the workload in the bucket; nothing else can be listed, read or written. Without it the whole bucket.
    type: str
  prefixes:
    description: Role to its own folder in the bucket. A role that is not there may use the whole bucket.
    type: dict
  key_arn:
    description: ARN of the customer key of the bucket, where it has one.
    type: str
  put_object_acl:
    description: Whether the workload sends C(X-Amz-Acl) with its uploads.
    type: bool
  oidc_provider_arn:
    description: ARN of the cluster's OpenID Connect provider in the account of the role.
    type: str
  issuer:
    description: Issuer of the cluster. V(kubecost_cluster_operator) may be had without it, for any EKS cluster of the region.
    type: str
  subjects:
    description: ServiceAccounts as V(system:serviceaccount:NAMESPACE:NAME); V(*) and V(?) are allowed.
    type: list
    elements: str
  audience:
    description: Audience of the tokens; V(sts.amazonaws.com) where it is not set.
    type: str
  report_name:
    description: Name of the Cost and Usage Report.
    type: str
  role_name:
    description:
      - Name of the role that the playbook makes; of the payer's half the one that reads the billing data, of the cluster's half Kubecost's.
      - Of V(object_storage_workload_operator) the one that the workload's ServiceAccounts take, with O(identity_method=irsa).
    type: str
  cluster_name:
    description: Name of the EKS cluster.
    type: str
  iam_path:
    description: Path of that role or user; V(/) where it is not set.
    type: str
  permissions_boundary:
    description:
      - ARN of the policy that every role and user has as its boundary. Then none can be made, and no policy be put into one, without it.
      - Without it nothing is demanded.
    type: str
  operator_arn:
    description:
      - ARN of the role or user that gets the policy. It may then look up its own rights, and the preflight names those that are missing.
    type: str
  extent:
    description:
      - What the rights are enough for. V(check) reads only, for check mode and for C(kubestrap.aws.verify); V(run) also makes
        and changes; V(teardown) also takes away. V(teardown) where it is not set.
    type: str
    choices: [check, run, teardown]
  report_expires:
    description: Whether delivered reports are deleted after some days, so that the report bucket gets a lifecycle rule.
    type: bool
  crawler_stack:
    description:
      - Name of the CloudFormation stack of AWS' crawler (C(billing_data_crawler_stack)), where that one makes the table. Without it no crawler
        can be made.
    type: str
  delete_data:
    description: Whether a teardown may delete the delivered reports, or the objects of the bucket, too.
    type: bool
  services:
    description:
      - Services whose resources may be tagged, as they are in ARNs, such as V(rds) and V(s3). Each has a right to tag of its own.
    type: list
    elements: str
  remove:
    description: Whether the tags may be taken away again (C(kubestrap_tag_purge), C(kubestrap_tag_state=absent)).
    type: bool
  backfill:
    description: Whether a backfill of cost allocation tags may be asked for (C(cost_allocation_tags_backfill_from)).
    type: bool
  kms_key_alias:
    description:
      - Alias of the KMS key that the role makes for the bucket (C(workload_storage_kms_key_alias)). Without it no key can be made. A key that is
        given to the role takes no right.
    type: str
  versioning:
    description: Whether C(workload_storage_versioning) is set.
    type: bool
  object_lock:
    description: Whether the bucket has object lock (C(workload_storage_object_lock)).
    type: bool
  identity_method:
    description: Whether the workload gets a role that its ServiceAccounts take (V(irsa)), or a user with an access key (V(access_key)).
    type: str
    choices: [irsa, access_key]
  namespace:
    description: Namespace of the SGCluster whose backups they are.
    type: str
  cluster:
    description: Name of the SGCluster (or SGShardedCluster) whose backups they are.
    type: str
  sharded:
    description: Whether it is an SGShardedCluster, whose shards have folders of their own.
    type: bool
  paths:
    description: The paths of its backups, where they are not the operator's own.
    type: list
    elements: str
  walg_version:
    description: The WAL-G in its images. From 3.0.7 on it asks for the bucket's versioning. An unknown one is not told, and works without.
    type: str
  versioned:
    description: Whether the bucket keeps versions. WAL-G 3.0.8 and later then delete versions, too.
    type: bool
  role_names:
    description: Names of the roles of SGClusters.
    type: list
    elements: str
  user_names:
    description:
      - Of V(stackgres_backup_operator) the names of the users of SGClusters with an access key.
      - Of V(object_storage_workload_operator) the names of users beside O(user_name), such as that of Kubecost's billing data.
    type: list
    elements: str
  clusters:
    description: The SGClusters in whose folders of O(bucket) the proof writes, each as C(namespace/name).
    type: list
    elements: str
  user_name:
    description: Name of the user, with O(identity_method=access_key).
    type: str
  with_role:
    description:
      - With O(identity_method=access_key), whether the workload has a role too, as a Kubecost that reads billing data. Its name is O(role_name).
    type: bool
seealso:
  - module: kubestrap.aws.iam_workload_role
  - module: kubestrap.aws.s3_storage_bucket
"""

EXAMPLES = r"""
- name: Show what the payer role may do
  ansible.builtin.debug:
    msg: >-
      {{ lookup('kubestrap.aws.iam_document', 'billing_data_reader', partition='aws', region='eu-west-1', account_id='111111111111',
                report_bucket='acme-billing-report', report_prefix='reports', results_bucket='acme-billing-results',
                results_prefix='kubecost', workgroup='kubecost', database='billing', table='kubecost') }}

- name: Put statements of two documents together
  ansible.builtin.set_fact:
    bucket_policy:
      Version: "2012-10-17"
      Statement: >-
        {{ lookup('kubestrap.aws.iam_document', 'tls_only', form='statements', bucket='acme-billing-report', partition='aws')
           + lookup('kubestrap.aws.iam_document', 'billing_report_delivery', form='statements', bucket='acme-billing-report',
                    account_id='111111111111', partition='aws') }}

- name: Show the trust of a role that Kubecost's ServiceAccount takes
  ansible.builtin.debug:
    msg: >-
      {{ lookup('kubestrap.aws.iam_document', 'irsa_trust', issuer=issuer, subjects=['system:serviceaccount:kubecost:kubecost'],
                oidc_provider_arn='arn:aws:iam::222222222222:oidc-provider/' ~ issuer | replace('https://', '')) }}
  vars:
    issuer: https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF

- name: Show what the role of Thanos may do
  ansible.builtin.debug:
    msg: >-
      {{ lookup('kubestrap.aws.iam_document', 'object_storage_workload', partition='aws', bucket='acme-thanos', prefix='prod-eu') }}

- name: Show what the role of an SGCluster's pods may do
  ansible.builtin.debug:
    msg: >-
      {{ lookup('kubestrap.aws.iam_document', 'stackgres_backup_workload', partition='aws', bucket='acme-backups', namespace='databases',
                cluster='orders', walg_version='3.0.8', versioned=true) }}

- name: Show what whoever runs the cluster's half of the playbook kubecost has to be allowed
  ansible.builtin.debug:
    msg: >-
      {{ lookup('kubestrap.aws.iam_document', 'kubecost_cluster_operator', partition='aws', region='eu-west-1',
                account_id='222222222222', cluster_name='prod-eu', role_name='kubecost-prod-eu', extent='run') }}

- name: Show what whoever makes a bucket with a key of its own has to be allowed
  ansible.builtin.debug:
    msg: >-
      {{ lookup('kubestrap.aws.iam_document', 'workload_storage_operator', partition='aws', region='eu-west-1',
                account_id='222222222222', bucket='acme-thanos', kms_key_alias='acme-thanos') }}
"""

RETURN = r"""
_raw:
  description: The document, or with O(form=statements) the list of statements.
  type: list
  elements: raw
"""

import inspect
import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils.operator_cost_tag_policies import OPERATOR_COST_TAG_POLICIES
from ansible_collections.kubestrap.aws.plugins.module_utils.operator_policies import OPERATOR_POLICIES
from ansible_collections.kubestrap.aws.plugins.module_utils.operator_stackgres import OPERATOR_STACKGRES
from ansible_collections.kubestrap.aws.plugins.module_utils.operator_storage_policies import OPERATOR_STORAGE_POLICIES
from ansible_collections.kubestrap.aws.plugins.module_utils.operator_tag_policies import OPERATOR_TAG_POLICIES
from ansible_collections.kubestrap.aws.plugins.module_utils.policies import POLICIES, document
from ansible_collections.kubestrap.aws.plugins.module_utils.stackgres_policies import STACKGRES_POLICIES
from ansible_collections.kubestrap.aws.plugins.module_utils.storage_policies import STORAGE_POLICIES
from ansible_collections.kubestrap.aws.plugins.module_utils.trust import TRUSTS

DOCUMENTS = {
    **POLICIES,
    **STORAGE_POLICIES,
    **STACKGRES_POLICIES,
    **OPERATOR_POLICIES,
    **OPERATOR_STORAGE_POLICIES,
    **OPERATOR_TAG_POLICIES,
    **OPERATOR_COST_TAG_POLICIES,
    **OPERATOR_STACKGRES,
    **TRUSTS,
}


class LookupModule(LookupBase):
    """Lookup ``kubestrap.aws.iam_document``."""

    def run(self, terms: list[str], variables: t.Any = None, **kwargs: t.Any) -> list[t.Any]:
        """The document, or its statements, as the one element of a list.

        :raises AnsibleLookupError: names what is missing or wrong, and what there is
        """
        self.set_options(var_options=variables, direct=kwargs)
        if len(terms) != 1 or terms[0] not in DOCUMENTS:
            given = "', '".join(map(str, terms))
            raise AnsibleLookupError(
                f"iam_document: there is no document '{given}'. Write one of: {', '.join(sorted(DOCUMENTS))}"
            )
        name = terms[0]
        params = {key: self.get_option(key) if self.has_option(key) else kwargs[key] for key in kwargs if key != "form"}
        self._check(name, {key for key, value in params.items() if value is not None})
        try:
            statements = DOCUMENTS[name](**{key: value for key, value in params.items() if value is not None})
        except AnsibleAWSError as e:
            raise AnsibleLookupError(f"iam_document: {name}: {e}") from e
        return [statements if self.get_option("form") == "statements" else document(statements)]

    @staticmethod
    def _check(name: str, given: set[str]) -> None:
        wanted = inspect.signature(DOCUMENTS[name]).parameters
        required = [key for key, parameter in wanted.items() if parameter.default is parameter.empty]
        optional = [key for key in wanted if key not in required]
        missing = [key for key in required if key not in given]
        unknown = sorted(given - set(wanted))
        problems = [f"{text}: {', '.join(keys)}" for text, keys in (("missing", missing), ("unknown", unknown)) if keys]
        if problems:
            takes = f"It takes {', '.join(required) or 'no parameter'}"
            if optional:
                takes += f", and may take {', '.join(optional)}"
            raise AnsibleLookupError(f"iam_document: {name}: {'; '.join(problems)}. {takes}")
