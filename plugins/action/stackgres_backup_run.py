# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.kubestrap.aws.plugins.plugin_utils.stackgres_job import StackGresJob


class ActionModule(StackGresJob):
    """Follows the backup and says how far it is."""

    result_name = "backup"
    noun = "backup"
