# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changes of a release's values is told by key, and nothing of the user's is shown."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._kubecost_values_changes import changes

OURS: dict[str, Any] = {"global": {"podAnnotations": {"kubestrap.aws/release": "adopted"}}, "create": True, "empty": {}}


@pytest.mark.parametrize(
    ("current", "planned", "user", "lines"),
    [
        (OURS, OURS, {}, []),
        (
            {},
            OURS,
            {},
            ["+ create: true", "+ empty: {}", '+ global.podAnnotations.kubestrap\\.aws/release: "adopted"'],
        ),
        ({"proxy": "hush-1"}, {"proxy": "hush-2"}, {"proxy": "hush-2"}, ["~ proxy"]),
        ({"proxy": "hush"}, {}, {}, ["- proxy"]),
        ({"a": {"b": "hush"}}, {"a": {"b": "ours"}}, {}, ['~ a.b: "ours"']),
        # For Python they are the same.
        ({"on": 1}, {"on": True}, {}, ["~ on: true"]),
        # A mapping that becomes a text, or the other way round.
        ({"a": {"b": "hush"}}, {"a": "text"}, {"a": "text"}, ["+ a", "- a.b"]),
        ({"list": ["hush"]}, {"list": ["hush", "x"]}, {"list": ["x"]}, ["~ list"]),
    ],
)
def test_lines(current: Any, planned: Any, user: Any, lines: list[str]) -> None:
    assert changes(current, planned, user) == lines
