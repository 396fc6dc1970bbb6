# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An access key with its secret, and where it stands in an object store's YAML. No text here has a secret in it."""

from __future__ import annotations

import dataclasses

from .object_store import loaded


@dataclasses.dataclass(frozen=True)
class KeyPair:
    """An access key.

    :ivar session_token: of temporary keys, else ``None``
    """

    access_key: str
    secret_key: str = dataclasses.field(repr=False)
    session_token: str | None = dataclasses.field(default=None, repr=False)

    @property
    def temporary(self) -> bool:
        """Whether STS has made it, so that it expires."""
        return self.access_key.startswith("ASIA")


class NotAPair(Exception):
    """A text has no key pair; the message says what is wrong, and has none of its values."""


def keys_in(text: str) -> KeyPair:
    """The key pair of an object store's YAML, whatever else is in it.

    :raises NotAPair: there is none
    """
    document, line, problem = loaded(text)
    if problem:
        raise NotAPair(f"it {problem}{f' (line {line})' if line else ''}")
    config = document.get("config")
    if not isinstance(config, dict):
        raise NotAPair("it has no config")
    pair = [config.get(name) or None for name in ("access_key", "secret_key", "session_token")]
    for name, value in zip(("access_key", "secret_key"), pair, strict=False):
        if value is None:
            raise NotAPair(f"it has no config.{name}")
    for name, value in zip(("access_key", "secret_key", "session_token"), pair, strict=True):
        if value is not None and not isinstance(value, str):
            raise NotAPair(f"config.{name} is not a text; put it in quotes")
    return KeyPair(*pair)
