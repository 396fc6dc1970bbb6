# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter says what is wrong by its own name."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.kubestrap.aws.plugins.filter.cur_crawler_template import FilterModule

TEMPLATE = """
Resources:
  Database: {Type: 'AWS::Glue::Database', Properties: {DatabaseInput: {Name: bill}}}
  Crawler: {Type: 'AWS::Glue::Crawler', DependsOn: Database}
"""
cur_crawler_template = FilterModule().filters()["cur_crawler_template"]


def test_good_input() -> None:
    template = cur_crawler_template(TEMPLATE, "cron(0 6 * * ? *)", "bill", iam_path="/", permissions_boundary="")
    assert set(template["Resources"]) == {"Database", "Crawler"}


def test_bad_input() -> None:
    with pytest.raises(AnsibleFilterError, match="cur_crawler_template: database: 'other' .* Write bill"):
        cur_crawler_template(TEMPLATE, "cron(0 6 * * ? *)", "other")
