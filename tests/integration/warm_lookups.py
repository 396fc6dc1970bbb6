# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible looks up anew for each task it finds in memory: plugins, folders of plugins, the collection's YAML.

None of it changes while tests run.

Part of ``warm_ansible``, whose processes alone import this.
"""

from __future__ import annotations

import copy
import functools
import glob
import types
from pathlib import Path
from typing import Any

from ansible._internal._templating import _jinja_plugins, _lazy_containers
from ansible.parsing.dataloader import DataLoader
from ansible.plugins import loader

_real_load = DataLoader.load_from_file
_real_intercept = _jinja_plugins.JinjaPluginIntercept.__init__
_real_lazy_values = _lazy_containers._AnsibleLazyTemplateDict._lazy_values
# Where the collection's YAML lies.
_folders: list[str] = []
# Path, and whether its texts may be templates -> what is in the file.
_parsed: dict[tuple[str, bool], Any] = {}
# Functions of filters and of tests, by name.
_wrapped: dict[str, dict[str, Any]] = {}


def remember(*folders: Path) -> None:
    """Let all loaders and environments of this process and of its forks share what they find.

    :param folders: of the collection, with YAML that roles and playbooks load
    """
    _folders[:] = [f"{folder}/" for folder in folders]
    DataLoader.load_from_file = _load_from_file
    _jinja_plugins.JinjaPluginIntercept.__init__ = _intercept
    _lazy_containers._AnsibleLazyTemplateDict._lazy_values = staticmethod(_lazy_values)
    found = functools.lru_cache(maxsize=None)(lambda pattern: tuple(glob.iglob(pattern)))
    loader.glob = types.SimpleNamespace(glob=lambda pattern: list(found(pattern)), iglob=found)
    reader = DataLoader()
    for folder in folders:
        for path in folder.rglob("*.yml"):
            reader.load_from_file(str(path), unsafe=True, trusted_as_template=True)


def _load_from_file(
    self: DataLoader,
    file_name: str,
    cache: str = "all",
    unsafe: bool = False,
    json_only: bool = False,
    trusted_as_template: bool = False,
) -> Any:
    path = self.path_dwim(file_name)
    if json_only or cache == "none" or not path.startswith(tuple(_folders)):
        return _real_load(self, file_name, cache, unsafe, json_only, trusted_as_template)
    key = path, trusted_as_template
    if key not in _parsed:
        _parsed[key] = _real_load(self, path, "none", True, False, trusted_as_template)
    return _parsed[key] if unsafe else copy.deepcopy(_parsed[key])


def _intercept(self: Any, jinja_builtins: Any, plugin_loader: Any) -> None:
    _real_intercept(self, jinja_builtins, plugin_loader)
    self._wrapped_funcs = _wrapped.setdefault(plugin_loader.type, {})


def _lazy_values(values: Any, lazy_options: Any) -> Any:
    """The same as ever without a generator: each template has all variables wrapped."""
    if isinstance(values, _lazy_containers._AnsibleLazyTemplateDict):
        return _real_lazy_values(values, lazy_options)
    return _lazy_containers._LazyValueSource(
        source=zip(values, map(_lazy_containers._LazyValue, values.values()), strict=True),
        templar=_lazy_containers.TemplateContext.current().templar,
        lazy_options=lazy_options,
    )
