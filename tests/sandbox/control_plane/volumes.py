# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A supply of volumes in place of a provisioner: claims are bound at once, and what was bound is replaced."""

from __future__ import annotations

import asyncio
import itertools
import logging

from . import objects
from .api import ApiError, KubernetesApi

_LOG = logging.getLogger("sandbox.volumes")
_PATH = "/api/v1/persistentvolumes"


class VolumeSupply:
    """Keeps `spare` unbound volumes in a cluster, and removes those whose claim is gone."""

    def __init__(self, api: KubernetesApi, spare: int = 20, seconds: float = 2.0) -> None:
        self._api, self._spare, self._seconds = api, spare, seconds
        self._numbers = itertools.count(1)

    async def fill(self) -> None:
        """Bring the supply up to its size once."""
        unbound = 0
        for item in (await self._api.arequest("GET", _PATH))["items"]:
            phase = item.get("status", {}).get("phase", "Pending")
            if phase in ("Released", "Failed"):
                await self._api.arequest("DELETE", f"{_PATH}/{item['metadata']['name']}")
            unbound += phase in ("Pending", "Available") and "claimRef" not in item["spec"]
        missing = max(0, self._spare - unbound)
        names = [f"sandbox-{next(self._numbers):04}" for _unused in range(missing)]
        await asyncio.gather(*(self._api.arequest("POST", _PATH, objects.volume(name)) for name in names))

    async def keep_filled(self) -> None:
        """Do so until cancelled."""
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self.fill()
            except (OSError, ApiError) as error:  # busy or stopping: the next round sees to it
                _LOG.warning("volumes of %s: %s", self._api.endpoint, error)
