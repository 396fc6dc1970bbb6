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
        O(workgroup), O(database), O(table), and may take O(report_kms_key_arn) and O(results_kms_key_arn).
      - V(assume_role), for a workload's role, takes other roles. Takes O(role_arns).
      - V(account_tags), for the payer role, reads the accounts of the organisation and their tags. Takes nothing.
      - V(billing_report_delivery), for the policy of the report bucket, lets AWS Billing deliver. Takes O(bucket), O(account_id), O(partition).
      - V(tls_only), for the policy of any bucket, refuses calls without TLS. Takes O(bucket), O(partition).
      - V(irsa_trust) is the trust of a role that ServiceAccounts take. Takes O(oidc_provider_arn), O(issuer), O(subjects), and may take O(audience).
      - V(workload_role_trust) is the trust of a role that other roles take. Takes O(role_arns).
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
    description: Region of workgroup, database and table.
    type: str
  account_id:
    description: The payer account, 12 digits in quotes.
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
      - ARNs of the roles that are taken (V(assume_role)) or that may take the role (V(workload_role_trust), with V(*) in their names where wanted).
    type: list
    elements: str
  bucket:
    description: Name of the bucket that gets the policy.
    type: str
  oidc_provider_arn:
    description: ARN of the cluster's OpenID Connect provider in the account of the role.
    type: str
  issuer:
    description: Issuer of the cluster.
    type: str
  subjects:
    description: ServiceAccounts as V(system:serviceaccount:NAMESPACE:NAME); V(*) and V(?) are allowed.
    type: list
    elements: str
  audience:
    description: Audience of the tokens; V(sts.amazonaws.com) where it is not set.
    type: str
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
from ansible_collections.kubestrap.aws.plugins.module_utils.policies import POLICIES, document
from ansible_collections.kubestrap.aws.plugins.module_utils.trust import TRUSTS

DOCUMENTS = {**POLICIES, **TRUSTS}


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
