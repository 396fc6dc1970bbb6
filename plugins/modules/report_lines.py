#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file only documents the action plugin of the same name.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: report_lines
version_added: 1.0.0
short_description: Display lines and tables that can be read
description:
  - Displays lines on standard output as they are. M(ansible.builtin.debug) shows a text of several lines as one line.
  - Lines of more than 118 characters are wrapped between words, and so is the last column of a wide table.
  - Under C(no_log) nothing is displayed. With a standard output callback that writes JSON, the lines go to standard error.
  - A text such as C(changed=3) is displayed with a colon in place of the equals sign, so that tools which watch Ansible's recap are not misled.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  title:
    description:
      - Heading of the report.
    type: str
  table:
    description:
      - A table, displayed before O(lines).
      - At least one of O(table) and O(lines) is required.
    type: dict
    suboptions:
      columns:
        description:
          - Names of the columns.
        type: list
        elements: str
        required: true
      rows:
        description:
          - The rows. Each is a list with one value for each column, or a dictionary with names of columns as keys.
          - A value of several lines takes several lines. An empty value is displayed as V(-).
        type: list
        elements: raw
        required: true
  lines:
    description:
      - Lines to display.
    type: list
    elements: str
extends_documentation_fragment:
  - kubestrap.aws.attributes.action
  - kubestrap.aws.attributes.info
seealso:
  - module: ansible.builtin.debug
"""

EXAMPLES = r"""
- name: Show what was proved
  kubestrap.aws.report_lines:
    title: Kubecost on prod-eu
    table:
      columns: [step, state, seen]
      rows:
        - [token of the ServiceAccount, passed, system:serviceaccount:kubecost:kubecost]
        - [role of the payer, passed, arn:aws:iam::111111111111:role/kubecost-cur-access]
        - [billing data, pending, AWS has delivered nothing yet]

- name: Show what comes next
  kubestrap.aws.report_lines:
    lines:
      - AWS delivers the first report within 24 hours.
      - Run this playbook again after that.
"""

RETURN = r"""
lines:
  description: The lines as displayed.
  returned: always
  type: list
  elements: str
  sample: ["", "Kubecost on prod-eu", "==================="]
"""
