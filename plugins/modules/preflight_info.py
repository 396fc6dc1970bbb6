#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: preflight_info
version_added: 1.0.0
short_description: Check credentials, names and access before anything is written
description:
  - Looks at everything that the inventory says of one host (a payer account or a cluster) and that AWS can confirm or refuse without a write.
  - Fails with all problems at once. Each names the variable, the value, and what to write instead.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  expected_account_id:
    description:
      - Account that the credentials must belong to, 12 digits in quotes. It is the value of C(kubestrap_account_id).
    type: raw
  account_required:
    description:
      - Whether O(expected_account_id) must be given.
    type: bool
    default: false
  caller:
    description:
      - Whose the credentials are, as an earlier task of this run with the same ones has returned it. STS is not asked again then.
    type: dict
    suboptions:
      account_id:
        description: As RV(preflight.account_id).
        type: str
        required: true
      arn:
        description: As RV(preflight.arn).
        type: str
        required: true
      aws_partition:
        description: As RV(preflight.aws_partition).
        type: str
        required: true
  buckets:
    description:
      - Buckets that will be made or used.
    type: list
    elements: dict
    default: []
    suboptions:
      option:
        description: Name of the variable that names the bucket, for the message.
        type: str
        required: true
      name:
        description: Name of the bucket.
        type: str
        required: true
  names:
    description:
      - Further names that are checked by their rules alone.
    type: list
    elements: dict
    default: []
    suboptions:
      option:
        description: Name of the variable, for the message.
        type: str
        required: true
      value:
        description: The name.
        type: str
        required: true
      kind:
        description: Whose rules it has to follow.
        type: str
        required: true
        choices: [report, report_prefix, iam_role, iam_user, iam_path, workgroup, glue, namespace, helm release, secret, serviceaccount]
  cluster_name:
    description:
      - EKS cluster that must exist, have an issuer, and accept these credentials. Without it no cluster is looked at.
    type: str
  cluster_access:
    description:
      - Whether the API server of the cluster must accept a token made from these credentials.
    type: bool
    default: true
  helm_binary:
    description:
      - Helm program that must be there. Without it none is looked for.
    type: str
  billing_data:
    description:
      - What a payer account shall have, in the words of the role C(billing_data). What it has already is read and compared.
    type: dict
    suboptions:
      taken_away:
        description: Whether it is to be taken away. Then nothing has to fit.
        type: bool
        default: false
      report_name:
        description: Name of the Cost and Usage Report.
        type: str
        required: true
      report_bucket:
        description: Bucket into which AWS delivers.
        type: str
        required: true
      report_prefix:
        description: Folder in that bucket.
        type: str
        required: true
      report_change:
        description: Whether an existing report with other settings may be changed.
        type: bool
        default: false
      report_kms_key_arn:
        description: Customer key of the report bucket. That AWS Billing may use it is looked up in its policy.
        type: str
        default: ""
      workgroup:
        description: Athena workgroup of the queries.
        type: str
        required: true
      workgroup_change:
        description: Whether a workgroup that is not ours may be changed.
        type: bool
        default: false
      results_location:
        description: Where the results of queries are to go, as V(s3://bucket/folder/).
        type: str
        required: true
      results_kms_key_arn:
        description: Customer key of the results bucket.
        type: str
        default: ""
      scan_limit_bytes:
        description: Bytes after which Athena cancels a query, V(0) for no limit.
        type: int
        default: 0
      role_name:
        description: Name of the role that reads the billing data.
        type: str
        required: true
      role_path:
        description: IAM path of that role.
        type: str
        default: /
      reader_role_arns:
        description: Roles that are to be let in, as far as they are known.
        type: list
        elements: str
        default: []
      trust_size_limit:
        description: Characters that the trust of the role may have.
        type: int
        default: 2048
      tags:
        description: Tags that the workgroup is to have, where it is ours.
        type: dict
        default: {}
      ownership_tags:
        description: Tags by which our own resources are known.
        type: dict
        default: {}
  release:
    description:
      - Release of Kubecost that will be installed or updated. What Helm has installed is read, and whether the chart that is wanted can follow it.
      - A generation follows the one before it. A release that is not wired by this collection keeps its generation.
    type: dict
    suboptions:
      name:
        description: Name of the release.
        type: str
        required: true
      namespace:
        description: Namespace of the release.
        type: str
        required: true
      generation:
        description: Generation of Kubecost that is wanted.
        type: str
        required: true
        choices: ['1', '2', '3']
      chart_ref:
        description: Chart as M(kubernetes.core.helm) takes it. A folder or archive on the controller must be a chart of O(release.generation).
        type: str
      chart_repo_url:
        description: Repository of O(release.chart_ref).
        type: str
      chart_version:
        description: Version that is wanted, where it is not left to the release or the collection.
        type: str
      chart_digest:
        description:
          - Digest of the chart, of its manifest in an OCI registry, else of its archive. Of a local archive it is compared here.
        type: str
      chart_ca_file:
        description: File with the certificate authority of the chart's repository or registry.
        type: path
      timeout:
        description:
          - How long a run of Helm takes at most, such as V(10m).
          - A revision that is pending for a shorter time is refused, since the run may still be at work. Without it no pending revision is refused.
        type: str
      kubeconfig:
        description: File by which the cluster is reached, where that is not done with these credentials.
        type: path
      context:
        description: Context in O(release.kubeconfig).
        type: str
      wiring:
        description:
          - What P(kubestrap.aws.kubecost_values#filter) takes, as one text in JSON, without what is known only later.
          - A release that this collection has not wired is refused when it has values that would be lost or get another value. Their keys are named.
          - Without it no values are compared.
        type: json
      role:
        description: Path and name of the role that the ServiceAccount will have, such as V(/kubecost-demo).
        type: str
      change:
        description: Whether the values of a release that this collection has not wired may be replaced.
        type: bool
        default: false
      taken_away:
        description:
          - Whether the release is to be taken away. Then nothing has to fit, unless it has to get its own values back since somebody else installed it.
        type: bool
        default: false
      recorded:
        description:
          - Whether Helm has a record of the release. Where Argo CD or Flux installs it, there is none. Then only the ServiceAccounts that its
            pods run with are looked at, and nothing is refused.
        type: bool
        default: true
      keeps_in_bucket:
        description:
          - Whether a bucket is named for the release, to keep its data in or to keep them there no longer. V(false) refuses a release that keeps its data in
            one.
        type: bool
        default: true
  cost_allocation_tags:
    description:
      - Look at the cost allocation tags that the role C(cost_allocation_tags) is to set. A member account of an organization is a problem, which names the
        account that pays.
      - While one is to be set, O(rights) are looked up.
    type: dict
    suboptions:
      groups:
        description: Groups of keys, see the filter P(kubestrap.aws.cost_allocation_tag_keys#filter).
        type: list
        elements: str
        required: true
      labels:
        description: Whether the keys of labels are meant, of those that billing has seen.
        type: bool
        default: true
      keys:
        description: Further keys, the user's own.
        type: list
        elements: str
        default: []
      state:
        description: What they are to be.
        type: str
        choices: [active, inactive]
        default: active
      backfill_from:
        description: First day of the month from which a backfill is wanted.
        type: str
        default: ''
  namespace:
    description:
      - Namespace of the workload. While it has no Secret of this collection, O(rights) and O(cluster_rights) are looked up.
    type: str
  rights:
    description:
      - What these credentials need to be allowed for a first run. Asked from IAM (C(iam:SimulatePrincipalPolicy)) before the first write.
      - Only where it makes sense. Neither when all O(buckets) exist and the workload is in its O(namespace), nor when there are other problems.
      - Of a payer account Lake Formation is asked too whether it governs new databases. That is a note.
      - In check mode a missing right is a note. What IAM cannot decide, or these credentials may not ask, is a note always.
    type: dict
    suboptions:
      document:
        description: Name of the policy that is enough, of P(kubestrap.aws.iam_document#lookup).
        type: str
        required: true
        choices:
          - cost_allocation_tags_operator
          - kubecost_cluster_operator
          - kubecost_payer_operator
          - object_storage_workload_operator
          - stackgres_backup_operator
          - workload_storage_operator
      parameters:
        description: What the policy takes besides partition and account, which are those of the credentials.
        type: dict
        required: true
      tags:
        description: Tags of what will be created, since policies may demand some.
        type: dict
        default: {}
      always:
        description: Whether to look also where nothing is seen that would have to be made.
        type: bool
        default: false
  cluster_rights:
    description:
      - What these credentials need to be allowed in the cluster for a first run. Asked from its API server (SelfSubjectAccessReview), which
        knows EKS' access policies too, before the first write.
      - In check mode a missing right is a note. So is one that only some charts need, or charts with some values.
    type: dict
    suboptions:
      document:
        description: Name of the objects that give enough rights, as the page Permissions of the documentation shows them.
        type: str
        required: true
        choices: [kubecost_cluster_rbac, object_store_rbac]
      parameters:
        description: What decides the rights that are needed, with C(namespace) at least; C(helm) of V(kubecost_cluster_rbac), C(irsa) and
          C(restart) of V(object_store_rbac).
        type: dict
        required: true
      kubeconfig:
        description: File by which the cluster is reached, where that is not done with these credentials.
        type: path
      context:
        description: Context in O(cluster_rights.kubeconfig).
        type: str
  quotas:
    description:
      - Whether to look if the account has room for what a first run makes, before the first write.
      - That are the roles in O(names) and the cluster's OpenID Connect provider (one call, C(iam:GetAccountSummary), when O(rights) would
        be looked up or the payer's role does not exist), and the report of O(billing_data).
      - A payer of which no reader is known (O(billing_data.reader_role_arns)) may make no role. That it would find no room is no problem then.
      - A role or a report that finds no room is a problem, in check mode too. For a provider, whose quota AWS does not tell, it is a note, and
        so is what these credentials may not see.
    type: bool
    default: false
  problems:
    description:
      - What the caller has found wrong itself, one sentence each. It is reported together with the rest.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - kubestrap.aws.attributes.info
  - kubestrap.aws.attributes.action_group
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Check a payer account before anything is written
  kubestrap.aws.preflight_info:
    expected_account_id: "111111111111"
    account_required: true
    region: us-east-1
    buckets:
      - option: billing_data_report_bucket
        name: acme-cur-111111111111
    names:
      - {option: billing_data_report_name, kind: report, value: kubecost}
  register: payer

- name: Check a cluster
  kubestrap.aws.preflight_info:
    profile: cluster
    region: eu-west-1
    cluster_name: demo
    helm_binary: helm
    namespace: kubecost
    rights:
      document: kubecost_cluster_operator
      parameters: {region: eu-west-1, cluster_name: demo, role_name: kubecost-demo}
    cluster_rights:
      document: kubecost_cluster_rbac
      parameters: {namespace: kubecost}
  register: cluster
"""

RETURN = r"""
preflight:
  description: What was found.
  returned: always
  type: dict
  contains:
    account_id:
      description: Account of the credentials.
      type: str
      sample: "222222222222"
    arn:
      description: ARN of the caller.
      type: str
      sample: arn:aws:sts::222222222222:assumed-role/operator/session
    aws_partition:
      description: Partition of the caller.
      type: str
      sample: aws
    region:
      description: Region of the host.
      type: str
      sample: eu-west-1
    first:
      description: Whether much is still to be made, so that O(rights) were looked up.
      type: bool
      sample: true
    buckets:
      description: Name of each bucket, and whether it exists.
      type: dict
      sample: {acme-cur-111111111111: false}
    cluster:
      description: The cluster, as M(kubestrap.aws.eks_cluster_info) returns it; V(null) when none was asked for.
      type: dict
    release:
      description:
        - What Helm has installed under the name of the release; V(null) when there is nothing, or none was asked for.
        - Where O(release.recorded=false) only C(service_accounts) and C(former_service_accounts), those of other generations.
      type: dict
      contains:
        name:
          description: Name of the release.
          type: str
          sample: kubecost
        chart:
          description: Its chart.
          type: str
          sample: cost-analyzer
        chart_version:
          description: Version of the chart.
          type: str
          sample: 2.8.7
        generation:
          description: Generation of Kubecost; V(null) when the chart is another one.
          type: str
          sample: '2'
        status:
          description: State of the newest revision, in Helm's words.
          type: str
          sample: deployed
        revision:
          description: Number of the newest revision.
          type: int
          sample: 4
        written:
          description: When Helm wrote that state.
          type: str
          sample: '2026-11-21T12:00:00Z'
        wired:
          description: Whether this collection has written its values.
          type: bool
        stores:
          description: Whether these values keep its data in a bucket.
          type: bool
        adopted:
          description: Whether somebody else has installed it. It is never uninstalled then.
          type: bool
        pods_wired:
          description: Whether its pods may run with values that this collection wrote, also while the newest revision is not deployed.
          type: bool
        service_accounts:
          description: ServiceAccounts that pods of the release may run with now.
          type: list
          elements: str
          sample: [kubecost-cost-analyzer]
        former_service_accounts:
          description: ServiceAccounts that its pods ran with before, or with another generation of the chart.
          type: list
          elements: str
          sample: [kubecost]
    chart:
      description: The chart that will be installed; V(null) when no release was asked for, or when none is needed to take it away.
      type: dict
      contains:
        local:
          description: Whether it is a file or folder on the controller.
          type: bool
        version:
          description: Its version. That of a release which exists stays, unless another one is set. Empty when only a digest is.
          type: str
          sample: 2.8.7
    helm:
      description: Path of the helm program.
      type: str
      sample: /usr/local/bin/helm
    billing_data:
      description:
        - What the payer account has already; V(null) when O(billing_data) was not given.
        - C(report) has C(exists), C(fits) (whether nothing but tags is to be changed), C(status) (its last delivery) and C(others_in_bucket),
          the names of further reports that are delivered into the report bucket.
        - C(workgroup) has C(managed), whether its settings are made by us, C(settings) (those, as options of
          M(kubestrap.aws.athena_workgroup)), C(fits) (whether it has them), and where results really go (C(results_location),
          C(results_bucket), C(results_prefix), C(results_kms_key_arn)); C(follows) says whether that is a location of the workgroup's own.
        - C(reader_role) has C(exists), C(ours) and C(readers), each with C(sid) and C(principals).
        - C(notes) are sentences for the user.
      type: dict
    quotas:
      description: What room IAM has for new roles; V(null) when it was not asked, or does not tell.
      type: dict
      contains:
        roles_left:
          description: How many roles the account may still make.
          type: int
          sample: 941
        roles_needed:
          description: How many of the roles in O(names) do not exist. It is looked up where fewer than 100 are left, and is 0 otherwise.
          type: int
          sample: 0
    cost_allocation_tags:
      description: The tags; V(null) without O(cost_allocation_tags), or when they cannot be read.
      type: dict
      contains:
        wanted_keys:
          description: All keys that are meant.
          type: list
          elements: str
          sample: [kubernetes_cluster, kubernetes_namespace]
        known_keys:
          description: Those of them that billing has seen, and all that were named by the user.
          type: list
          elements: str
          sample: [kubernetes_namespace]
        tags:
          description: Those that billing has seen, as M(kubestrap.aws.ce_cost_allocation_tag_info) returns them.
          type: list
          elements: dict
        resource:
          description: As M(kubestrap.aws.ce_cost_allocation_tag) returns it for C(known_keys).
          type: dict
        changes:
          description: What a run would do.
          type: list
          elements: str
          sample: [activate the cost allocation tag kubernetes_namespace]
    problems:
      description: What has to be corrected, one sentence each. The module fails when there are any.
      type: list
      elements: str
    notes:
      description: What could not be seen, one sentence each, and in check mode the rights that are missing.
      type: list
      elements: str
"""

from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule
from ansible_collections.kubestrap.aws.plugins.module_utils._preflight_host import look
from ansible_collections.kubestrap.aws.plugins.module_utils._preflight_names import NAME_KINDS
from ansible_collections.kubestrap.aws.plugins.module_utils._preflight_rights import DOCUMENTS
from ansible_collections.kubestrap.aws.plugins.module_utils.operator_rbac import OPERATOR_RBAC

BILLING_DATA = dict(
    taken_away=dict(type="bool", default=False),
    report_name=dict(type="str", required=True),
    report_bucket=dict(type="str", required=True),
    report_prefix=dict(type="str", required=True),
    report_change=dict(type="bool", default=False),
    report_kms_key_arn=dict(type="str", default="", no_log=False),
    workgroup=dict(type="str", required=True),
    workgroup_change=dict(type="bool", default=False),
    results_location=dict(type="str", required=True),
    results_kms_key_arn=dict(type="str", default="", no_log=False),
    scan_limit_bytes=dict(type="int", default=0),
    role_name=dict(type="str", required=True),
    role_path=dict(type="str", default="/"),
    reader_role_arns=dict(type="list", elements="str", default=[]),
    trust_size_limit=dict(type="int", default=2048),
    tags=dict(type="dict", default={}),
    ownership_tags=dict(type="dict", default={}),
)
CALLER = ("account_id", "arn", "aws_partition")
COST_ALLOCATION_TAGS = dict(
    groups=dict(type="list", elements="str", required=True),
    labels=dict(type="bool", default=True),
    # Keys of tags are no secrets, whatever their name.
    keys=dict(type="list", elements="str", default=[], no_log=False),
    state=dict(type="str", choices=["active", "inactive"], default="active"),
    backfill_from=dict(type="str", default=""),
)


def main():
    module = KubestrapAWSModule(
        argument_spec=dict(
            expected_account_id=dict(type="raw"),
            account_required=dict(type="bool", default=False),
            caller=dict(type="dict", options={name: dict(type="str", required=True) for name in CALLER}),
            buckets=dict(
                type="list",
                elements="dict",
                default=[],
                options=dict(option=dict(type="str", required=True), name=dict(type="str", required=True)),
            ),
            names=dict(
                type="list",
                elements="dict",
                default=[],
                options=dict(
                    option=dict(type="str", required=True),
                    value=dict(type="str", required=True),
                    kind=dict(type="str", required=True, choices=list(NAME_KINDS)),
                ),
            ),
            cluster_name=dict(type="str"),
            cluster_access=dict(type="bool", default=True),
            helm_binary=dict(type="str"),
            billing_data=dict(type="dict", options=BILLING_DATA),
            release=dict(
                type="dict",
                options=dict(
                    name=dict(type="str", required=True),
                    namespace=dict(type="str", required=True),
                    generation=dict(type="str", required=True, choices=["1", "2", "3"]),
                    chart_ref=dict(type="str"),
                    chart_repo_url=dict(type="str"),
                    chart_version=dict(type="str"),
                    chart_digest=dict(type="str"),
                    chart_ca_file=dict(type="path"),
                    timeout=dict(type="str"),
                    kubeconfig=dict(type="path"),
                    context=dict(type="str"),
                    wiring=dict(type="json", no_log=True),
                    role=dict(type="str"),
                    change=dict(type="bool", default=False),
                    taken_away=dict(type="bool", default=False),
                    recorded=dict(type="bool", default=True),
                    keeps_in_bucket=dict(type="bool", default=True),
                ),
            ),
            cost_allocation_tags=dict(type="dict", options=COST_ALLOCATION_TAGS),
            namespace=dict(type="str"),
            rights=dict(
                type="dict",
                options=dict(
                    document=dict(type="str", required=True, choices=sorted(DOCUMENTS)),
                    parameters=dict(type="dict", required=True),
                    tags=dict(type="dict", default={}),
                    always=dict(type="bool", default=False),
                ),
            ),
            cluster_rights=dict(
                type="dict",
                options=dict(
                    document=dict(type="str", required=True, choices=sorted(OPERATOR_RBAC)),
                    parameters=dict(type="dict", required=True),
                    kubeconfig=dict(type="path"),
                    context=dict(type="str"),
                ),
            ),
            quotas=dict(type="bool", default=False),
            problems=dict(type="list", elements="str", default=[]),
        ),
    )
    preflight = module.guard(lambda: look(module.connection, module.params, module.check_mode))
    if preflight["problems"]:
        text = "\n".join(f"({n}) {problem}." for n, problem in enumerate(preflight["problems"], start=1))
        module.fail_json(msg=text if len(preflight["problems"]) > 1 else preflight["problems"][0], preflight=preflight)
    module.exit_json(changed=False, preflight=preflight)


if __name__ == "__main__":
    main()
