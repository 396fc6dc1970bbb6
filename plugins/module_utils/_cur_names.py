# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names that AWS gives to what it makes for a Cost and Usage Report. Pure functions."""

from __future__ import annotations


def crawler_name(report_name: str) -> str:
    """The Glue crawler of the delivered template (crawler-cfn.yml, resource AWSCURCrawler)."""
    return f"AWSCURCrawler-{report_name}"
