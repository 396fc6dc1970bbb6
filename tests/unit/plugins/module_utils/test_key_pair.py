# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key pairs in an object store's YAML, and what is never shown."""

from __future__ import annotations

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._key_pair import NotAPair, keys_in

ID, SECRET = "AKIA0000000000000000", "example-of-a-secret"


def test_a_pair() -> None:
    pair = keys_in(f"type: S3\nconfig: {{bucket: b, access_key: {ID}, secret_key: {SECRET}}}")
    assert (pair.access_key, pair.secret_key, pair.session_token, pair.temporary) == (ID, SECRET, None, False)
    assert SECRET not in repr(pair)


def test_a_temporary_pair() -> None:
    pair = keys_in(f"config: {{access_key: ASIA0000000000000000, secret_key: {SECRET}, session_token: t}}")
    assert (pair.session_token, pair.temporary) == ("t", True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"config:\n\tsecret_key: {SECRET}", "it has a tab, which YAML does not take (line 2)"),
        (f"config: {{secret_key: '{SECRET}}}", "it is not YAML (line 1)"),
        (f"- {SECRET}", "it is a list, not a mapping (line 1)"),
        (SECRET, "it is a text, not a mapping"),
        ("", "it is empty"),
        (f"config: [{SECRET}]", "it has in config a list, not a mapping"),
        (f"secret_key: {SECRET}", "it has no config"),
        (f"config: {{secret_key: {SECRET}}}", "it has no config.access_key"),
        (f"config: {{access_key: {ID}, secret_key: ''}}", "it has no config.secret_key"),
        (f"config: {{access_key: 12345, secret_key: {SECRET}}}", "config.access_key is not a text"),
        (f"config: {{access_key: {ID}, secret_key: {SECRET}, session_token: 1}}", "config.session_token is not a text"),
    ],
)
def test_a_text_without_a_pair_is_told_without_its_values(text: str, said: str) -> None:
    with pytest.raises(NotAPair) as error:
        keys_in(text)
    assert said in str(error.value)
    assert SECRET not in str(error.value)
    assert error.value.__suppress_context__ or error.value.__context__ is None
