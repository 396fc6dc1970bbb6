# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of S3 buckets (S3 user guide, "General purpose bucket naming rules")."""

from __future__ import annotations

import re
import typing as t

from ._identifiers import refuse

_WRITE = "Write the name alone: 3 to 63 characters of a-z, 0-9, '.' and '-', the first and the last a letter or a digit"
_RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def check_bucket_name(option: str, name: t.Any) -> None:
    """Refuse what S3 would refuse, and what is not a name but a URL, an ARN or a path.

    :raises AnsibleAWSError: names the option, the value and what to write
    """
    text = str(name)
    if text.startswith("s3://"):
        rest = text
        while rest.startswith("s3://"):
            rest = rest.removeprefix("s3://")
        bucket = rest.split("/")[0] or "my-bucket"
        refuse(option, name, "is an S3 URL, not the name of a bucket", f"Write {bucket}")
    if text.startswith("arn:"):
        refuse(option, name, "is an ARN, not the name of a bucket", f"Write {text.rsplit(':', 1)[-1] or 'my-bucket'}")
    if "/" in text:
        refuse(
            option, name, "is a path, not the name of a bucket", f"Write {text.strip('/').split('/', maxsplit=1)[0]}"
        )
    if not 3 <= len(text) <= 63:
        refuse(option, name, f"has {len(text)} characters", _WRITE)
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*[a-z0-9]", text) or ".." in text:
        refuse(option, name, "is not the name of a bucket", _WRITE)
    if re.fullmatch(r"\d+\.\d+\.\d+\.\d+", text):
        refuse(option, name, "has the form of an IP address, which S3 refuses", _WRITE)
    for part in _RESERVED_PREFIXES + _RESERVED_SUFFIXES:
        if (part in _RESERVED_PREFIXES and text.startswith(part)) or (
            part in _RESERVED_SUFFIXES and text.endswith(part)
        ):
            refuse(option, name, f"has '{part}', which S3 reserves", "Choose another name")
