#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: workload_identity_probe
version_added: 1.0.0
short_description: Prove that a ServiceAccount can really use its IAM role
description:
  - Does what the workload will do, with the ServiceAccount's own token. It lets the API server make a token, takes the role with it, goes on to the
    payer's role, looks at the table, and runs one small query. Then it compares what is in the cluster with what was proved.
  - Where a link of this chain breaks, the result names the cause and what to change. Causes that AWS does not tell (it only says AccessDenied) are found
    by reading the role with the credentials of the task.
  - Changes nothing, neither in AWS nor in the cluster. The query, like each query of Athena, writes its result to O(athena.output_location).
  - A proof without a pod does not show that the running pods got the role. So the pods' environment is read, too.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  namespace:
    description:
      - Namespace of the workload.
    type: str
    required: true
  service_account:
    description:
      - ServiceAccount of the workload.
    type: str
    required: true
  audience:
    description:
      - Audience of the token.
    type: str
    default: sts.amazonaws.com
  role_arn:
    description:
      - The role that the ServiceAccount takes. Either this or O(key_entry) is needed.
    type: str
  key_entry:
    description:
      - The entry, as C(account/bucket), in the cloud integration of O(secret) whose access key the workload uses in place of its ServiceAccount's identity.
        The chain then begins with that key (link V(access_key)), and neither ServiceAccount nor pods are looked at.
    type: str
  assume_role_arn:
    description:
      - The role, of the payer account, that the workload then goes on to. Leave it out where O(role_arn) itself reads the data.
    type: str
  athena:
    description:
      - The billing data that the workload reads. Leave it out to prove the roles alone.
    type: dict
    suboptions:
      region:
        description:
          - Region of workgroup and table; the region of the task when it is not set.
        type: str
      workgroup:
        description:
          - Workgroup of the query.
        type: str
        required: true
      database:
        description:
          - Glue database.
        type: str
        required: true
      table:
        description:
          - Glue table.
        type: str
        required: true
      output_location:
        description:
          - Where the workload has Athena write results, with V(s3://).
        type: str
        required: true
      required_columns:
        description:
          - Columns that the table must have. Without this option those that Kubecost's and OpenCost's queries need.
        type: list
        elements: str
      query:
        description:
          - Whether to run the query. It reads one row of this month or the last one.
        type: bool
        default: true
  cost_allocation_tags:
    description:
      - Tags by which costs of resources outside the cluster are to be assigned. The query then looks for what a resource with one of them costs, in this month
        and the last one (link V(tags)). Without such a cost the link is pending, and names why.
    type: dict
    suboptions:
      keys:
        description:
          - Keys of tags, as they are on resources. Those by which Kubecost recognises resources of EKS are passed over.
        type: list
        elements: str
        required: true
      active:
        description:
          - The active ones, each with the time since when. Leave it out when nobody has looked.
        type: dict
      pending:
        description:
          - Those that billing has not seen on any resource.
        type: list
        elements: str
        default: []
  delivered:
    description:
      - Whether AWS has delivered the report. With V(false) a query without rows, or a table that does not exist, is pending, not failed.
    type: bool
    default: true
  secret:
    description:
      - The Secret that the workload is configured with.
    type: dict
    suboptions:
      name:
        description:
          - Name of the Secret.
        type: str
        required: true
      key:
        description:
          - Key in the Secret.
        type: str
        default: cloud-integration.json
      expected:
        description:
          - The document that the key must have. Where it differs is told by place, never by value.
          - Set C(no_log) on the task when the document has access keys in it.
        type: raw
      compare:
        description:
          - V(document) compares the whole document. V(entries) looks for the entries of O(secret.expected), and passes over those of others beside them.
        type: str
        choices: [document, entries]
        default: document
  pods:
    description:
      - Look at the pods that run as O(service_account).
    type: dict
    suboptions:
      label_selectors:
        description:
          - Labels of the workload's pods; without them all pods of the namespace are looked at.
        type: list
        elements: str
        default: []
  helm_release:
    description:
      - The Helm release that must be deployed in O(namespace).
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
  - The credentials of the task are those of the cluster's account. They make no call of the chain itself; they read the role for the explanation.
    Without the rights iam:GetRole and iam:SimulatePrincipalPolicy the explanations are less precise.
  - In the cluster it takes the verbs C(create) on C(serviceaccounts/token), C(get) on C(serviceaccounts) and C(secrets), C(list) on C(pods) and C(secrets).
  - In check mode tokens and sessions are made, but no query is run.
seealso:
  - module: kubestrap.aws.iam_workload_role
  - module: kubestrap.aws.eks_cluster_info
  - plugin: kubestrap.aws.eks_token
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Prove that Kubecost can read the billing data
  kubestrap.aws.workload_identity_probe:
    host: "{{ cluster.endpoint }}"
    ca_cert: "{{ ca_file }}"
    api_key: "{{ lookup('kubestrap.aws.eks_token', 'demo', region='eu-west-1', profile='cluster') }}"
    region: eu-west-1
    namespace: kubecost
    service_account: kubecost
    role_arn: arn:aws:iam::222222222222:role/kubecost
    assume_role_arn: arn:aws:iam::111111111111:role/kubecost-cur-access
    athena:
      region: us-east-1
      workgroup: kubecost
      database: billing
      table: kubecost
      output_location: s3://acme-billing-results/kubecost
  register: access

- name: Prove that the access key in Kubecost's cloud integration still reaches the payer's role
  kubestrap.aws.workload_identity_probe:
    host: "{{ cluster.endpoint }}"
    ca_cert: "{{ ca_file }}"
    api_key: "{{ lookup('kubestrap.aws.eks_token', 'demo', region='eu-west-1', profile='cluster') }}"
    region: eu-west-1
    namespace: kubecost
    service_account: kubecost
    key_entry: 111111111111/s3://acme-billing-results/kubecost
    secret: {name: cloud-integration}
    assume_role_arn: arn:aws:iam::111111111111:role/kubecost-cur-access
    fail_on: never
  register: by_key

- name: Prove that a role can be taken, and show what is wrong without failing
  kubestrap.aws.workload_identity_probe:
    host: "{{ cluster.endpoint }}"
    ca_cert: "{{ ca_file }}"
    api_key: "{{ lookup('kubestrap.aws.eks_token', 'demo', region='eu-west-1', profile='cluster') }}"
    region: eu-west-1
    namespace: kubecost
    service_account: another
    role_arn: arn:aws:iam::222222222222:role/kubecost
    fail_on: never
  register: access
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
      description: The session of the last role that was taken; V(null) when none was.
      type: str
      returned: always
      sample: arn:aws:sts::111111111111:assumed-role/kubecost-cur-access/kubestrap-kubecost
    query:
      description: The query; V(null) when none was run.
      type: dict
      returned: always
      contains:
        query_execution_id:
          description: Id of the query in Athena.
          type: str
          returned: when the query was started
          sample: 0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0
        state:
          description: How it ended.
          type: str
          returned: always
          sample: SUCCEEDED
        rows:
          description: Number of rows, V(0) or V(1).
          type: int
          returned: always
          sample: 1
        bytes_scanned:
          description: Bytes that Athena read, which it charges.
          type: int
          returned: always
          sample: 123456
    links:
      description: The links of the chain in their order; only those that the task asks for.
      type: list
      elements: dict
      returned: always
      contains:
        link:
          description:
            - V(service_account), V(token), V(trust), V(role), V(access_key), V(payer_role), V(table), V(query), V(tags), V(secret), V(pods) or V(release).
          type: str
          returned: always
          sample: role
        state:
          description: V(ok), V(pending), V(failed) or V(skipped).
          type: str
          returned: always
          sample: failed
        detail:
          description: What was seen.
          type: str
          returned: always
          sample: "kubecost:kubecost cannot take the role arn:aws:iam::222222222222:role/kubecost: AccessDenied: ..."
        cause:
          description: Why it is so, empty when the link is V(ok).
          type: str
          returned: always
          sample: the trust policy names system:serviceaccount:kubecost:other, but the ServiceAccount is kubecost:kubecost
        change:
          description: What to change, empty when nothing is wrong.
          type: str
          returned: always
          sample: Let the trust policy name system:serviceaccount:kubecost:kubecost under oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF:sub
        missing:
          description: Whether it failed because an object does not exist at all.
          type: bool
          returned: always
          sample: false
"""

from ansible_collections.kubestrap.aws.plugins.module_utils._cur_schema import KUBECOST_REQUIRED_COLUMNS, PARTITION_KEYS
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_connection import (
    KUBERNETES_ARGUMENTS,
    KUBERNETES_RULES,
    kube_of,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._kubernetes_names import check_kubernetes_name
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule
from ansible_collections.kubestrap.aws.plugins.module_utils._probe import Claim, check_claim, prove
from ansible_collections.kubestrap.aws.plugins.module_utils._probe_billing import Athena
from ansible_collections.kubestrap.aws.plugins.module_utils._probe_links import PROOF_ARGUMENTS, fails, message
from ansible_collections.kubestrap.aws.plugins.module_utils._probe_tags import Tags

ATHENA = dict(
    region=dict(type="str"),
    workgroup=dict(type="str", required=True),
    database=dict(type="str", required=True),
    table=dict(type="str", required=True),
    output_location=dict(type="str", required=True),
    required_columns=dict(type="list", elements="str"),
    query=dict(type="bool", default=True),
)
SECRET = dict(
    name=dict(type="str", required=True),
    key=dict(type="str", default="cloud-integration.json", no_log=False),
    expected=dict(type="raw"),
    compare=dict(type="str", choices=["document", "entries"], default="document"),
)
TAGS = dict(
    # Keys of tags are no secrets, whatever their name.
    keys=dict(type="list", elements="str", required=True, no_log=False),
    active=dict(type="dict"),
    pending=dict(type="list", elements="str", default=[]),
)
ARGUMENTS = dict(
    **KUBERNETES_ARGUMENTS,
    **PROOF_ARGUMENTS,
    namespace=dict(type="str", required=True),
    service_account=dict(type="str", required=True),
    audience=dict(type="str", default="sts.amazonaws.com"),
    role_arn=dict(type="str"),
    key_entry=dict(type="str", no_log=False),
    assume_role_arn=dict(type="str"),
    athena=dict(type="dict", options=ATHENA),
    cost_allocation_tags=dict(type="dict", options=TAGS),
    delivered=dict(type="bool", default=True),
    secret=dict(type="dict", options=SECRET, no_log=False),
    pods=dict(type="dict", options=dict(label_selectors=dict(type="list", elements="str", default=[]))),
    helm_release=dict(type="str"),
)

RULES = dict(
    required_together=KUBERNETES_RULES["required_together"],
    required_one_of=[*KUBERNETES_RULES["required_one_of"], ("role_arn", "key_entry")],
    mutually_exclusive=[*KUBERNETES_RULES["mutually_exclusive"], ("role_arn", "key_entry"), ("key_entry", "pods")],
    required_by={**KUBERNETES_RULES["required_by"], "key_entry": ("secret",)},
)

# Of a legacy Cost and Usage Report.
COLUMNS = (*KUBECOST_REQUIRED_COLUMNS, *(key["name"] for key in PARTITION_KEYS))


def claim_of(params):
    """What the task's options ask to be proved."""
    athena, tags = params["athena"], params["cost_allocation_tags"]
    return Claim(
        namespace=params["namespace"],
        service_account=params["service_account"],
        audience=params["audience"],
        role_arn=params["role_arn"],
        key_entry=params["key_entry"],
        assume_role_arn=params["assume_role_arn"],
        athena=athena
        and Athena(
            region=athena["region"],
            workgroup=athena["workgroup"],
            database=athena["database"],
            table=athena["table"],
            output_location=athena["output_location"],
            required_columns=tuple(athena["required_columns"] or COLUMNS),
            delivered=params["delivered"],
        ),
        query=bool(athena and athena["query"]),
        tags=tags and Tags(tuple(tags["keys"]), tags["active"], tuple(tags["pending"])),
        secret=params["secret"],
        label_selectors=None if params["pods"] is None else tuple(params["pods"]["label_selectors"]),
        helm_release=params["helm_release"],
        awaited=params["awaited"],
        patience_seconds=params["wait_timeout"] if params["recently_changed"] else 0,
    )


def main():
    module = KubestrapAWSModule(
        argument_spec=ARGUMENTS,
        **RULES,
    )
    params = module.params

    def check_names():
        check_kubernetes_name("namespace", params["namespace"], "namespace")
        check_kubernetes_name("service_account", params["service_account"], "serviceaccount")
        check_claim(claim_of(params), params["host"])

    module.guard(check_names)
    kube = kube_of(module)
    proof = module.guard(lambda: prove(module.connection, kube, claim_of(params), module.check_mode))
    if fails(proof, params["fail_on"], module.check_mode):
        module.fail_json(msg=message(proof), proof=proof)
    module.exit_json(changed=False, proof=proof)


if __name__ == "__main__":
    main()
