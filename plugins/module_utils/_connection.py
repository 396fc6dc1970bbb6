# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One boto3 session per task, shared by all its clients.

``AnsibleAWSModule.client()`` of amazon.aws opens a session per client. With a profile that assumes a role, each of
them asks STS for credentials of its own. A task of ours asks once.

A role to assume can be named by variables of the environment too, which the playbooks set from
``kubestrap_assume_role_arn``: a profile is not always there to be edited, in AWX for example.
"""

from __future__ import annotations

import copy
import functools
import os
import threading
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

try:
    import boto3
    import botocore.config
    import botocore.credentials
    import botocore.loaders
    import botocore.session
except ImportError:
    pass  # AnsibleAWSModule and AWSLookupBase report a missing SDK.

# Variable of the environment -> parameter of AssumeRole.
ASSUME_ROLE_VARIABLES = {
    "KUBESTRAP_ASSUME_ROLE_ARN": "RoleArn",
    "KUBESTRAP_ASSUME_ROLE_EXTERNAL_ID": "ExternalId",
    "KUBESTRAP_ASSUME_ROLE_SESSION_NAME": "RoleSessionName",
}
SESSION_NAME = "kubestrap.aws"

# Reads of one resource run side by side, so the pool has room for as many as the gatherer starts.
MAX_PARALLEL_READS = 16


class AwsConnection:
    """Clients that share one boto3 session.

    :param region: region of all clients that are not asked for another one; may be ``None`` for IAM and STS
    :param endpoint_url: used instead of AWS' endpoints
    :param params: the keyword arguments that amazon.aws' ``_aws_connection_info`` returns: ``profile_name`` or
        ``aws_access_key_id``, ``aws_secret_access_key`` and ``aws_session_token``, and ``verify``, ``aws_config``
    :param user_agent: name and version of the collection, as AWS shall see it in CloudTrail
    :param assume_role: parameters of AssumeRole, for the role in which all clients work; without it those that the
        environment names, see ``ASSUME_ROLE_VARIABLES``
    """

    def __init__(
        self,
        region: str | None = None,
        endpoint_url: str | None = None,
        params: t.Mapping[str, t.Any] | None = None,
        user_agent: str | None = None,
        assume_role: t.Mapping[str, str] | None = None,
    ) -> None:
        options = dict(params or {})
        self.region = region
        self._endpoint_url = endpoint_url
        # Verifying is boto3's default. Said explicitly, it would make it pass over the ca_bundle of a profile.
        verify = options.pop("verify", None)
        self._verify = None if verify is True else verify
        # Standard mode retries throttling, 5xx answers and cut connections with jittered back-off.
        self._config = botocore.config.Config(
            user_agent_extra=user_agent,
            retries={"mode": "standard", "max_attempts": 8},
            max_pool_connections=MAX_PARALLEL_READS,
        )
        extra = options.pop("aws_config", None)
        if extra is not None:
            self._config = self._config.merge(extra)
        self._session_options = {key: value for key, value in options.items() if value is not None}
        self._credentials: dict[str, str] = {}
        self._role = role_to_assume(os.environ) if assume_role is None else dict(assume_role)
        self._clients: dict[tuple[str, str | None], t.Any] = {}
        self._lock = threading.RLock()  # boto3 sessions are not thread safe, clients are

    @functools.cached_property
    def session(self) -> t.Any:
        """The boto3 session; made on first use, so that its errors arise where they are handled."""
        return _session(region_name=self.region, **self._session_options)

    def client(self, service: str, region: str | None = None) -> t.Any:
        """The boto3 client of a service; the same one each time for the same region."""
        key = (service, region or self.region)
        with self._lock:
            if key not in self._clients:
                self._take_role()
                client = self.session.client(
                    service,
                    region_name=key[1],
                    endpoint_url=self._endpoint_url,
                    verify=self._verify,
                    config=self._config,
                    **self._credentials,
                )
                _load_certificates_one_at_a_time(client)
                self._clients[key] = client
            return self._clients[key]

    @property
    def credentials(self) -> t.Any:
        """botocore's credentials with which the clients sign, ``None`` when there are none.

        No call is made, but for AssumeRole where there is a role to assume.
        """
        with self._lock:
            self._take_role()
        if self._credentials:
            return botocore.credentials.Credentials(*self._credentials.values())
        return self.session.get_credentials()

    def _take_role(self) -> None:
        """Assume the role there is, once; under the lock."""
        if not self._role or self._credentials:
            return
        sts = self.session.client(
            "sts",
            region_name=self.region,
            endpoint_url=self._endpoint_url,
            verify=self._verify,
            config=self._config,
        )
        self._credentials = _signing(sts.assume_role(**self._role)["Credentials"])

    def with_credentials(self, credentials: t.Mapping[str, t.Any]) -> AwsConnection:
        """A connection with the same endpoints and settings, whose clients sign with another session.

        :param credentials: ``Credentials`` of an answer of STS
        """
        other = copy.copy(self)
        other.session = self.session  # with its profile, which may name endpoint and certificate authority
        other._credentials = _signing(credentials)
        other._clients = {}
        other.__dict__.pop("caller", None)
        return other

    def with_endpoint(self, endpoint_url: str) -> AwsConnection:
        """A connection with the same credentials and settings, whose clients call this URL."""
        other = copy.copy(self)
        other.session = self.session
        other._endpoint_url = endpoint_url
        other._clients = {}
        return other

    @functools.cached_property
    def caller(self) -> dict[str, str]:
        """``account``, ``arn`` and ``partition`` of the caller (STS GetCallerIdentity, one call per task)."""
        identity = self.client("sts").get_caller_identity()
        return {
            "account": identity["Account"],
            "arn": identity["Arn"],
            "partition": identity["Arn"].split(":")[1],
        }

    @property
    def partition(self) -> str:
        """``aws``, ``aws-cn``, ``aws-us-gov``, ...: from the region where there is one, else from the caller."""
        if self.region:
            return partition_of(self.region)
        return self.caller["partition"]


def role_to_assume(names: t.Mapping[str, str]) -> dict[str, str]:
    """Parameters of AssumeRole by variables of the environment; empty when they name no role.

    :param names: such as ``os.environ``; an empty value is none
    """
    found = {parameter: names[name] for name, parameter in ASSUME_ROLE_VARIABLES.items() if names.get(name)}
    return {"RoleSessionName": SESSION_NAME, **found} if "RoleArn" in found else {}


def _signing(credentials: t.Mapping[str, t.Any]) -> dict[str, str]:
    return {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }


def _session(profile_name: str | None = None, **options: t.Any) -> t.Any:
    """A boto3 session. All of them share what botocore has read of its data files, some of which take long to read."""
    session = botocore.session.Session()
    if profile_name:
        session.set_config_variable("profile", profile_name)
    session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
    return boto3.session.Session(botocore_session=session, profile_name=profile_name, **options)


@functools.cache
def _loader(data_path: str | None) -> t.Any:
    return botocore.loaders.create_loader(data_path)


def _load_certificates_one_at_a_time(client: t.Any) -> None:
    """Let no two connections of a client load their certificates at the same time.

    urllib3 loads them into the TLS context of the client for each connection, and parallel reads begin with several.
    OpenSSL takes no lock where the first of them adds the source (X509_STORE_add_lookup): seen once in some thousand
    tasks, the process then crashes when it frees the context, and its result is lost.
    """
    manager = getattr(getattr(getattr(client, "_endpoint", None), "http_session", None), "_manager", None)
    context = getattr(manager, "connection_pool_kw", {}).get("ssl_context")
    if context is None:
        return
    load, lock = context.load_verify_locations, threading.Lock()

    def load_verify_locations(*args: t.Any, **options: t.Any) -> None:
        with lock:
            load(*args, **options)

    context.load_verify_locations = load_verify_locations


def partition_of(region: str) -> str:
    """The partition of a region, by botocore's own table.

    :raises AnsibleAWSError: no partition has a region of this form
    """
    try:
        return _session().get_partition_for_region(region)
    except Exception as e:  # botocore.exceptions.UnknownRegionError
        raise AnsibleAWSError(message=f"'{region}' is not a region that AWS' SDK knows", exception=e) from e
