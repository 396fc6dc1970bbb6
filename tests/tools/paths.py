# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things lie: the project, its working folder, the cache.

The cache (virtualenvs, built programs) is KUBESTRAP_CACHE, else ``kubestrap-aws`` below XDG_CACHE_HOME, else below
~/.cache. It is shared by all checkouts. Everything else that the tools write is below .make in the project.
"""

from __future__ import annotations

import os
from pathlib import Path

_HERE = Path(__file__).resolve().parents[2]
# This file is also run from the copy that tools.collection makes; the project is then four folders up.
ROOT = _HERE.parents[3] if _HERE.parts[-4:] == (".make", "ansible_collections", "kubestrap", "aws") else _HERE
MAKE = ROOT / ".make"
COLLECTION = MAKE / "ansible_collections" / "kubestrap" / "aws"
RESULTS = MAKE / "results"
VENV = MAKE / "venv"


def cache() -> Path:
    """The folder of what is expensive to make again; it may not exist yet."""
    own = os.environ.get("KUBESTRAP_CACHE")
    if own:
        return Path(own).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().resolve() / "kubestrap-aws"
