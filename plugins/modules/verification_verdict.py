#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


# The work is done by the action plugin of the same name; this file is its documentation.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: verification_verdict
version_added: 1.0.0
short_description: End a verification with an exit code
description:
  - Gives C(ansible-playbook) the exit code of a verdict, for pipelines that only look at that.
  - V(fits) and V(pending) end with 0, V(denied) with 2 and V(differs) with 4.
  - Ansible knows no exit codes of its own making. So V(differs) counts as an unreachable host, whose exit code is 4, though nothing is unreachable.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  verdict:
    description:
      - The verdict, as the filters P(kubestrap.aws.verification_document#filter) and P(kubestrap.aws.tag_report_document#filter) have it.
    type: str
    choices: [fits, pending, differs, denied]
    required: true
  denied:
    description:
      - What is said with V(denied), in place of words about the calls of a workload.
    type: str
  differs:
    description:
      - What is said with V(differs), in place of words about the calls of a workload.
    type: str
extends_documentation_fragment:
  - kubestrap.aws.attributes.action
  - kubestrap.aws.attributes.info
seealso:
  - plugin: kubestrap.aws.verification_document
    plugin_type: filter
"""

EXAMPLES = r"""
- name: End with the exit code of the verdict
  kubestrap.aws.verification_verdict:
    verdict: fits
"""

RETURN = r"""
verdict:
  description: The verdict.
  returned: always
  type: str
  sample: fits
"""
