# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How a module reaches the API server of a cluster."""

    DOCUMENTATION = r"""
options:
  host:
    description:
      - URL of the API server. Either this with O(api_key), or O(kubeconfig).
    type: str
  api_key:
    description:
      - Token for the API server, such as the lookup P(kubestrap.aws.eks_token#lookup) makes.
    type: str
  ca_cert:
    description:
      - File with the certificate authority of the API server.
    type: path
  kubeconfig:
    description:
      - A kubeconfig file, for clusters that are reached in another way.
    type: path
  context:
    description:
      - Context in O(kubeconfig).
    type: str
  cluster_name:
    description:
      - Name of the EKS cluster; it makes messages clearer.
    type: str
requirements:
  - kubernetes (only with O(kubeconfig))
"""
