# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a Secret, what is read from one, and that no value of it is shown."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._key_pair import KeyPair
from ansible_collections.kubestrap.aws.plugins.module_utils._store_secret_text import (
    Source,
    differences,
    held_in,
    says_the_same,
)

PAIR = KeyPair("AKIA0000000000000000", "example-of-a-secret")
CONFIG = {"bucket": "acme-store", "region": "eu-west-1"}


def source(**changes: Any) -> Source:
    return Source(**{"consumer": "thanos", "config": CONFIG, **changes})


def refused(made: Source, pair: KeyPair | None = None) -> str:
    with pytest.raises(AnsibleAWSError) as error:
        made.write(pair)
    assert "example-of-a-secret" not in str(error.value)
    return str(error.value)


def test_a_text_of_options_with_and_without_a_pair() -> None:
    without, with_pair = source().write(), source().write(PAIR)
    assert "access_key" not in without.text
    assert 'secret_key: "example-of-a-secret"' in with_pair.text
    assert (without.facts["has_keys"], with_pair.facts["has_keys"]) == (False, True)
    assert with_pair.facts["access_key_id"] == PAIR.access_key
    assert "example-of-a-secret" not in repr(with_pair) + str(with_pair.facts)


def test_the_text_of_a_file_is_taken_as_it_is() -> None:
    text = "# mine\ntype: S3\nconfig: {bucket: acme-store, endpoint: s3.amazonaws.com, region: eu-west-1}\n"
    made = source(config=None, content=text).write()
    assert made.text == text
    assert "The endpoint s3.amazonaws.com is that of us-east-1" in made.facts["notes"][0]


@pytest.mark.parametrize(
    ("changes", "pair", "said"),
    [
        ({"config": {**CONFIG, "secret_key": "example-of-a-secret"}}, None, "store.secret_key: '...' may be shown"),
        ({"config": {**CONFIG, "bukket": "b"}}, None, "store.bukket: '...' is not a key that Thanos knows"),
        ({"config": {**CONFIG, "aws_sdk_auth": True}}, PAIR, "store.aws_sdk_auth: 'true' cannot stand together"),
        ({"region": "us-east-1"}, None, "store.region: 'eu-west-1' is not in the region of the bucket, us-east-1"),
        ({"region": "nowhere"}, None, "bucket_region: 'nowhere'"),
        ({"content": "- x"}, None, "file: 'line 1' is a list, not a mapping"),
        ({"content": "type: S3\nconfig: {bucket: b}"}, None, "file.config.endpoint: '' is missing"),
    ],
)
def test_what_the_consumer_would_not_read_is_refused(changes: dict[str, Any], pair: Any, said: str) -> None:
    assert said in refused(source(inputs={"config": "store", "content": "file"}, **changes), pair)


def test_a_pair_is_judged_by_its_own_option() -> None:
    temporary = KeyPair(PAIR.access_key.replace("AKIA", "ASIA"), PAIR.secret_key, "token")
    source().check_pair("key_pair", temporary)
    with pytest.raises(AnsibleAWSError, match="^my_pair.access_key: 'ASIA0.*cannot use"):
        source(consumer="kubecost", inputs={"key_pair": "my_pair"}).check_pair("key_pair", temporary)


@pytest.mark.parametrize(
    ("text", "held"),
    [
        (f"config: {{access_key: {PAIR.access_key}, secret_key: {PAIR.secret_key}, unknown: 1}}", PAIR),
        (None, None),
        ("{", None),
        (f"config: {{access_key: {PAIR.access_key}}}", None),
        (f"config: {{access_key: {PAIR.access_key}, secret_key: 'two words'}}", None),
        (f"config: {{access_key: {PAIR.access_key}, secret_key: <your-secret-key>}}", None),
        ("config: {access_key: ASIA0000000000000000, secret_key: s, session_token: t}", None),
    ],
)
def test_a_pair_that_can_be_in_use_is_held_and_nothing_else(text: str | None, held: KeyPair | None) -> None:
    assert held_in(text) == held


def test_differences_are_told_by_names() -> None:
    before = source(config={**CONFIG, "http_config": {"idle_conn_timeout": "90s"}}).write(PAIR)
    after = source(config={**CONFIG, "prefix": "prod"}).write(KeyPair("AKIA0000000000000001", PAIR.secret_key))
    assert differences(before.text, after) == [
        "~ config.access_key",
        "+ prefix",
        "- config.http_config.idle_conn_timeout",
    ]
    assert differences(None, source().write()) == ["+ type", "+ config.bucket", "+ config.endpoint", "+ config.region"]
    assert differences("{", source().write())[0] == "~ what is there cannot be read"
    assert differences("# x\n" + after.text, after) == ["~ its form, or a key that its consumer does not know"]


def test_another_form_says_the_same() -> None:
    wanted = source().write()
    assert says_the_same("# theirs\n" + wanted.text.replace('"', ""), wanted)
    assert not says_the_same(source().write(PAIR).text, wanted)
    assert not says_the_same("{", wanted)
    assert not says_the_same(None, wanted)
