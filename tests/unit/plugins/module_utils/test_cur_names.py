# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that AWS gives."""

from __future__ import annotations

from ansible_collections.kubestrap.aws.plugins.module_utils._cur_names import crawler_name


def test_the_crawler_of_a_report() -> None:
    assert crawler_name("kubecost") == "AWSCURCrawler-kubecost"
