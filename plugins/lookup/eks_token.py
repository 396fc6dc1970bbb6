# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: eks_token
author:
  - Contributors to kubestrap.aws (@kubestrap)
version_added: 1.0.0
short_description: Token for the API server of an EKS cluster
description:
  - Makes the token that C(aws eks get-token) prints, so that neither a kubeconfig nor the AWS CLI is needed.
  - The cluster knows the IAM principal of these credentials only if it has an access entry (or an entry in C(aws-auth)) for it.
  - EKS takes a token for 15 minutes. In C(module_defaults) the lookup is evaluated for each task, so that each task has a fresh one.
  - Making a token is no call. A profile that assumes a role needs one AssumeRole for each task that uses the lookup, because Ansible
    runs each task in a process of its own; within one task the session is kept.
notes:
  - The token is a secret. Give it to options that are C(no_log), such as O(kubernetes.core.k8s#module:api_key), and never to C(set_fact) with
    O(ansible.builtin.set_fact#module:cacheable), to C(debug), or to a command line. Under O(kubernetes.core.k8s#module:api_key) it is masked in all results.
options:
  _terms:
    description:
      - Names of clusters; not their ARNs.
    type: list
    elements: str
    required: true
  assume_role_arn:
    description:
      - ARN of a role to assume with the credentials. The token is made in its name. Empty means none.
    type: str
  assume_role_external_id:
    description:
      - External id that the trust of O(assume_role_arn) asks for.
    type: str
  assume_role_session_name:
    description:
      - Name of the session of O(assume_role_arn), as CloudTrail shows it. By default V(kubestrap.aws).
    type: str
extends_documentation_fragment:
  - amazon.aws.boto3
  - amazon.aws.common.plugins
  - amazon.aws.region.plugins
seealso:
  - module: kubestrap.aws.eks_cluster_info
"""

EXAMPLES = r"""
- name: Look at a cluster without a kubeconfig
  hosts: localhost
  gather_facts: false
  module_defaults:
    group/kubernetes.core.k8s:
      host: "{{ cluster.endpoint }}"
      ca_cert: "{{ ca_file }}"
      api_key: "{{ lookup('kubestrap.aws.eks_token', cluster.name, region=cluster.region, profile='cluster') }}"
  tasks:
    - name: List the namespaces
      kubernetes.core.k8s_info:
        kind: Namespace
      register: namespaces
"""

RETURN = r"""
_raw:
  description: A token for each cluster; they begin with V(k8s-aws-v1.).
  type: list
  elements: str
"""

import re
import threading
import typing as t

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # Handled by AWSLookupBase

from ansible.errors import AnsibleLookupError
from ansible_collections.amazon.aws.plugins.plugin_utils.botocore import get_aws_connection_info
from ansible_collections.amazon.aws.plugins.plugin_utils.lookup import AWSLookupBase
from ansible_collections.kubestrap.aws.plugins.module_utils._connection import AwsConnection, role_to_assume
from ansible_collections.kubestrap.aws.plugins.module_utils._eks_token import eks_token
from ansible_collections.kubestrap.aws.plugins.module_utils._errors import explain

# Sessions of this process by their options: a role is assumed once, however often its task is templated.
_CONNECTIONS: dict[str, AwsConnection] = {}
_LOCK = threading.Lock()


class LookupModule(AWSLookupBase):
    """Lookup ``kubestrap.aws.eks_token``."""

    def run(self, terms: list[str], variables: t.Any = None, **kwargs: t.Any) -> list[str]:
        """A token for each cluster.

        :raises AnsibleLookupError: no credentials, unknown profile, no region, an ARN in place of a name
        """
        super().run(terms, variables, **kwargs)
        for name in terms:
            if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z_-]{0,99}", str(name)):
                raise AnsibleLookupError(
                    f"eks_token: '{name}' is not the name of an EKS cluster. Write the name alone, not the ARN"
                )
        try:
            connection = self._connection()
            return [eks_token(connection, name) for name in terms]
        except (BotoCoreError, ClientError) as e:
            self.fail_aws(f"eks_token: {explain(e) or 'Failed to make a token'}", exception=e)

    def _connection(self) -> AwsConnection:
        region, endpoint_url, params = get_aws_connection_info(self)
        options = ("assume_role_arn", "assume_role_external_id", "assume_role_session_name")
        # A task's environment does not reach a lookup, so the role comes by options.
        role = role_to_assume({f"KUBESTRAP_{name.upper()}": self.get_option(name) or "" for name in options})
        key = repr((region, endpoint_url, sorted(params.items(), key=lambda item: item[0]), role))
        with _LOCK:
            if key not in _CONNECTIONS:
                _CONNECTIONS[key] = AwsConnection(region, endpoint_url, params, assume_role=role)
            return _CONNECTIONS[key]
