# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The crawler of a Cost and Usage Report: whether it is there, and whether it has to run.

AWS delivers a CloudFormation template with the report that makes it. The stack is made by others (amazon.aws'
cloudformation); here its ends are looked at, and the crawler is run when AWS has delivered more than its table shows.
"""

from __future__ import annotations

import dataclasses
import datetime
import time
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.amazon.aws.plugins.module_utils.tagging import boto3_tag_list_to_ansible_dict

from ._connection import AwsConnection
from ._cur_names import crawler_name
from ._errors import error_code, error_handler
from ._glue_existing import Existing, read_existing
from ._glue_table import ReportPlace, TableId, columns_of, read_database, read_of_report
from ._identifiers import refuse
from ._ownership import is_foreign
from ._plan import Change, Plan, gather

try:
    from botocore.exceptions import ClientError
except ImportError:
    pass  # AnsibleAWSModule reports a missing SDK.

_GlueError = error_handler("EntityNotFoundException")
_StackError = error_handler("ValidationError")

TEMPLATE = "crawler-cfn.yml"
_POLL_SECONDS = 5
# A stack in one of these does not get better by itself.
_BROKEN = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED")


@dataclasses.dataclass(frozen=True)
class Found:
    """What was read.

    :ivar crawler: ``Crawler`` of GetCrawler, ``None`` when it does not exist
    :ivar stack: ``Stack`` of DescribeStacks; ``None`` when it does not exist
    :ivar template: as AWS delivered it; ``None`` before that
    :ivar database: whether the database exists
    """

    crawler: dict[str, t.Any] | None
    stack: dict[str, t.Any] | None
    template: str | None
    database: bool
    existing: Existing


def read(
    connection: AwsConnection, target: TableId, place: ReportPlace, stack_name: str, today: datetime.date
) -> Found:
    """All of it, side by side."""
    key = f"{place.folder}{TEMPLATE}"
    where = {"Bucket": place.bucket, "Key": key, "ExpectedBucketOwner": target.account_id}

    def template() -> bytes:
        return connection.client("s3").get_object(**where)["Body"].read()

    found = gather(
        {
            "existing": lambda: read_existing(connection, target, place, today),
            "crawler": lambda: _crawler(connection, crawler_name(place.name)),
            "stack": lambda: _stack(connection, stack_name),
            "template": lambda: read_of_report(f"read s3://{place.bucket}/{key}", template, target.account_id),
            "database": lambda: read_database(connection, target) is not None,
        }
    )
    text = found["template"]
    return Found(**{**found, "template": None if text is None else text.decode("utf-8", "replace")})


def shape(found: Found, place: ReportPlace, ownership_tags: t.Mapping[str, str] | None) -> dict[str, t.Any]:
    """The crawler and its stack as the module returns them."""
    crawler, stack = found.crawler or {}, found.stack
    last = crawler.get("LastCrawl") or {}
    return {
        "name": crawler_name(place.name),
        "exists": found.crawler is not None,
        "state": crawler.get("State"),
        "last_status": last.get("Status"),
        "schedule": (crawler.get("Schedule") or {}).get("ScheduleExpression"),
        "stack": None
        if stack is None
        else {
            "name": stack["StackName"],
            "status": stack["StackStatus"],
            "owned": not is_foreign(boto3_tag_list_to_ansible_dict(stack.get("Tags") or []), ownership_tags),
        },
        "template": None if found.crawler else found.template,
    }


def check_stack(found: Found, target: TableId, stack_name: str) -> None:
    """Refuse what would make a new stack fail, before it is begun.

    :raises AnsibleAWSError: what is there, and what to do about it
    """
    status = (found.stack or {}).get("StackStatus", "")
    if status in _BROKEN:
        problem = f"is a CloudFormation stack in the state {status}, which it does not leave by itself"
        refuse("stack_name", stack_name, problem, "Look at its events, delete it, and run this again")
    if found.crawler is None and found.stack is None and found.database:
        refuse(
            "database",
            target.database,
            f"exists already in {target.region}, and the delivered template wants to make it",
            "Delete it if nobody needs it (a table of this collection goes with catalog managed and state absent), or "
            "use its table as it is (catalog existing)",
        )


def reason_to_run(found: Found) -> str | None:
    """Why the crawler has to run now; ``None`` when its table shows all that AWS has delivered."""
    delivery = found.existing.delivery
    if delivery is None:
        return None
    if found.existing.table is None:
        return "there is no table yet"
    if found.existing.partition_missing:
        return f"the month {delivery.period} is no partition yet"
    storage = found.existing.table.get("StorageDescriptor") or {}
    known = {column["name"] for column in columns_of(storage.get("Columns"))}
    new = [column["name"] for column in delivery.columns if column["name"] not in known]
    return f"the table has not got the column {new[0]} yet" if new else None


def plan_run(found: Found, resource: dict[str, t.Any], place: ReportPlace, wanted: bool, wait_timeout: int) -> Plan:
    """Run the crawler when AWS has delivered what its table does not show.

    :param resource: as it is now
    :param wanted: whether it may be run
    :param wait_timeout: seconds to wait for its end; 0 does not wait
    """
    reason = reason_to_run(found)
    # Without a crawler there has to be a template to make one of, or nothing can run.
    if not wanted or reason is None or (found.crawler is None and found.template is None):
        return Plan(resource, resource)
    name = crawler_name(place.name)
    change = Change(
        f"run the Glue crawler {name}, because {reason}",
        "glue",
        "start_crawler",
        {"Name": name},
        function=lambda connection: _run(connection, name, wait_timeout),
    )
    return Plan(resource, resource, [change])


def _run(connection: AwsConnection, name: str, wait_timeout: int) -> None:
    glue = connection.client("glue")
    try:
        glue.start_crawler(Name=name)
    except ClientError as e:
        if error_code(e) != "CrawlerRunningException":
            raise
    deadline = time.monotonic() + wait_timeout
    while time.monotonic() < deadline:
        crawler = glue.get_crawler(Name=name)["Crawler"]
        if crawler["State"] == "READY":
            last = crawler.get("LastCrawl") or {}
            if last.get("Status") == "FAILED":
                text = last.get("ErrorMessage") or "AWS does not say why"
                raise AnsibleAWSError(message=f"The Glue crawler {name} failed: {text}")
            return
        time.sleep(min(_POLL_SECONDS, max(0.0, deadline - time.monotonic())))


@_GlueError.list_error_handler("read the Glue crawler", None)
def _crawler(connection: AwsConnection, name: str) -> dict[str, t.Any] | None:
    return connection.client("glue").get_crawler(Name=name)["Crawler"]


@_StackError.list_error_handler("read the CloudFormation stack", None)
def _stack(connection: AwsConnection, name: str) -> dict[str, t.Any] | None:
    (stack,) = connection.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    return stack
