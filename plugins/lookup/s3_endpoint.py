# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: s3_endpoint
author:
  - Contributors to kubestrap.aws (@kubestrap)
version_added: 1.0.0
short_description: Host name of S3 in a region
description:
  - Returns V(s3.REGION.SUFFIX) with the suffix of the region's partition, as object store configurations of Thanos, Kubecost and WAL-G want it.
  - The global host V(s3.amazonaws.com) is not in every partition. Nothing is called.
options:
  _terms:
    description:
      - Names of regions.
    type: list
    elements: str
    required: true
requirements:
  - botocore
"""

EXAMPLES = r"""
- name: Show the endpoint of a region of the partition aws-cn
  ansible.builtin.debug:
    msg: "{{ lookup('kubestrap.aws.s3_endpoint', 'cn-north-1') }}" # s3.cn-north-1.amazonaws.com.cn
"""

RETURN = r"""
_raw:
  description: A host name for each region.
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.amazon.aws.plugins.plugin_utils.lookup import AWSLookupBase
from ansible_collections.kubestrap.aws.plugins.module_utils._regions import s3_endpoint


class LookupModule(AWSLookupBase):
    """Lookup ``kubestrap.aws.s3_endpoint``."""

    def run(self, terms: list[str], variables: t.Any = None, **kwargs: t.Any) -> list[str]:
        """A host name for each region.

        :raises AnsibleLookupError: a region that botocore does not know
        """
        super().run(terms, variables, **kwargs)
        try:
            return [s3_endpoint(region) for region in terms]
        except AnsibleAWSError as e:
            raise AnsibleLookupError(f"s3_endpoint: {e}") from e
