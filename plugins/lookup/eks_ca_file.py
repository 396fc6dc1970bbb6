# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: eks_ca_file
author:
  - Contributors to kubestrap.aws (@kubestrap)
version_added: 1.0.0
short_description: A file with the certificate authority of an EKS cluster
description:
  - Returns the path of a file for the option C(ca_cert) of the modules of kubernetes.core, which take a file only.
  - The file lies below C(ANSIBLE_HOME), is named after its content, and is written when it is not there. A certificate authority is no secret.
options:
  _terms:
    description:
      - The certificate authority in base64, C(certificate_authority_data) of M(kubestrap.aws.eks_cluster_info).
    type: list
    elements: str
    required: true
seealso:
  - module: kubestrap.aws.eks_cluster_info
  - plugin: kubestrap.aws.eks_token
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Look at the nodes of a cluster without a kubeconfig
  vars:
    cluster: "{{ eks.eks_clusters[0] }}"
  kubernetes.core.k8s_info:
    kind: Node
    host: "{{ cluster.endpoint }}"
    ca_cert: "{{ lookup('kubestrap.aws.eks_ca_file', cluster.certificate_authority_data) }}"
    api_key: "{{ lookup('kubestrap.aws.eks_token', cluster.name, region=cluster.region) }}"
"""

RETURN = r"""
_list:
  description: Path of the file, one for each term.
  type: list
  elements: str
"""

import base64
import binascii
import hashlib
import tempfile
import typing as t
from pathlib import Path

from ansible import constants
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        # Not the temporary folder: others could put a file there before us.
        folder = Path(constants.config.get_config_value("ANSIBLE_HOME")) / "kubestrap.aws"
        return [str(_ensure(folder, _decode(term))) for term in terms]


def _decode(term: str) -> bytes:
    try:
        content = base64.b64decode(term, validate=True)
    except (binascii.Error, TypeError, ValueError) as e:
        raise AnsibleLookupError(f"eks_ca_file: the term is not base64 ({e})") from e
    if b"BEGIN CERTIFICATE" not in content:
        raise AnsibleLookupError(
            "eks_ca_file: the term is not a certificate. Give certificate_authority_data as eks_cluster_info returns it"
        )
    return content


def _ensure(folder: Path, content: bytes) -> Path:
    """The file with this content, written in one piece where it is missing or another one."""
    path = folder / f"ca-{hashlib.sha256(content).hexdigest()[:20]}.pem"
    if path.is_file() and path.read_bytes() == content:
        return path
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        new = Path(file.name)
    try:
        new.write_bytes(content)
        new.replace(path)
    except BaseException:
        new.unlink()
        raise
    return path
