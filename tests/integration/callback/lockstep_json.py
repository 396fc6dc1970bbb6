# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run said, as JSON.

Like ansible.posix.json, which knows by its name only that Ansible's own strategy goes task by task. Mitogen's does so
too, and its runs would be told host by host.
"""

from __future__ import annotations

from ansible_collections.ansible.posix.plugins.callback.json import CallbackModule as Json

DOCUMENTATION = """
name: lockstep_json
short_description: Output as JSON, task by task
description:
  - All events of a run as JSON on stdout, the results of a task's hosts side by side.
type: stdout
options:
  show_custom_stats:
    description: Whether what set_stats was told is in it.
    default: false
    type: bool
    env:
      - name: ANSIBLE_SHOW_CUSTOM_STATS
  json_indent:
    description: Spaces of the indentation; none for one line.
    default: 0
    type: integer
"""


class CallbackModule(Json):
    """The callback."""

    CALLBACK_NAME = "lockstep_json"

    def _new_play(self, play):
        started = super()._new_play(play)
        self._is_lockstep = True
        return started
