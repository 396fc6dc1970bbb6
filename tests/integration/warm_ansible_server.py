# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fork server of ``warm_ansible`` imports when it starts."""

import os

from integration.warm_ansible import SETTINGS, import_everything

os.environ.update(SETTINGS)
import_everything()
