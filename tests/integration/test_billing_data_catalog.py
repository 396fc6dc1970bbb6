# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who makes the table over the report: the role, with its two ways to the months, a crawler, or somebody else.

Payers go through their states side by side, a run each; the tests look at what the runs left behind. `managed` has an
Athena that finds nothing through the projection, `existing` has a view that somebody else keeps, `stopped` a report
that AWS no longer delivers, `crawler` the crawler of the template that AWS delivers, in a bucket with a notification.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from integration.installation import Installation, Run
from integration.world import _PARQUET, COLUMNS, policies, schema
from sandbox.client import Sandbox

MANAGED, EXISTING, STOPPED, CRAWLER = "catalog-payer", "catalog-payer2", "catalog-payer3", "catalog-payer4"
QUEUE = "somebody-elses"
LOCATION = "s3://kubestrap-cur-{account}-us-east-1/cur/kubecost/kubecost/"


def plays(state: str = "present") -> list[dict[str, Any]]:
    """The role over all payers: the check of the input, then the work. Each host's failure is its own."""
    role = "kubestrap.aws.billing_data"
    return [
        {
            "hosts": "payers",
            "gather_facts": False,
            "tasks": [
                {"name": "Check", "ansible.builtin.include_role": {"name": role, "tasks_from": "preflight"}},
                {
                    "name": "Work",
                    "ansible.builtin.include_role": {"name": role},
                    "vars": {"billing_data_state": state, "billing_data_delete_data": True},
                },
            ],
        }
    ]


class Story:
    """The runs in their order, and what was looked at between them."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.place = place = Installation(sandbox, "catalog", number=12, payers=4, clusters=0)
        for payer in place.payers:
            operator = f"arn:aws:iam::{place.account(payer)}:role/operator"
            place.vars[payer]["billing_data_reader_role_arns"] = [operator]
        names = {"billing_data_database": "finops", "billing_data_table": "bill"}
        place.vars[EXISTING] |= {"billing_data_catalog": "existing", **names}
        place.vars[CRAWLER] |= {"billing_data_catalog": "crawler", "kubestrap_tags": {"team": "platform"}}

        self.nothing = place.run(plays(), check=True)
        self.first = place.run(plays())
        self.base_tables()
        self.view("SELECT line_item_resource_id, year FROM lake.raw")
        self.notify()
        for payer in (MANAGED, EXISTING, CRAWLER):
            place.deliver(payer)
        place.deliver(STOPPED, until="2024-03-15")
        sandbox.settings({"athena_partition_projection": False})
        self.delivered = place.run(plays())
        self.unchanged_table = self.glue().get_table(DatabaseName="finops", Name="bill")["Table"]
        self.view(f"SELECT {', '.join(COLUMNS)} FROM lake.raw")
        self.kept_table = self.glue().get_table(DatabaseName="finops", Name="bill")["Table"]
        place.deliver(CRAWLER, tags=["team_of_catalog"])
        self.fitting = place.run(plays())
        self.crawled = self.glue(CRAWLER).get_table(DatabaseName="athenacurcfn_kubecost", Name="kubecost")["Table"]
        self.stack = self.resources_of_the_stack()
        self.notifications = self.notification()
        self.rows = self.query(), self.query(without="lake")
        self.months = self.glue(MANAGED).get_partitions(DatabaseName="athenacurcfn_kubecost", TableName="kubecost")
        sandbox.settings({"athena_partition_projection": True})
        for payer in place.payers:
            leaving = place.vars[payer].pop("billing_data_reader_role_arns")
            place.vars[payer]["billing_data_leaving_role_arns"] = leaving
        self.gone = place.run(plays("absent"))

    def notify(self) -> None:
        """Somebody else has a notification on the bucket of the report."""
        aws = self.place.payer_aws(CRAWLER)
        aws.client("sqs").create_queue(QueueName=QUEUE)
        arn = f"arn:aws:sqs:us-east-1:{self.place.account(CRAWLER)}:{QUEUE}"
        queue = {"Id": "mine", "QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}
        aws.client("s3").put_bucket_notification_configuration(
            Bucket=self.crawled_bucket,
            NotificationConfiguration={"QueueConfigurations": [queue]},
            SkipDestinationValidation=True,
        )

    @property
    def crawled_bucket(self) -> str:
        """The bucket of the report that is crawled."""
        return f"kubestrap-cur-{self.place.account(CRAWLER)}-us-east-1"

    def notification(self) -> dict[str, Any]:
        """All notifications of that bucket."""
        s3 = self.place.payer_aws(CRAWLER).client("s3")
        answer = s3.get_bucket_notification_configuration(Bucket=self.crawled_bucket)
        return {name: value for name, value in answer.items() if name.endswith("Configurations")}

    def resources_of_the_stack(self) -> set[str]:
        """Types of what the stack of the crawler made."""
        stacks = self.place.payer_aws(CRAWLER).client("cloudformation")
        found = stacks.describe_stack_resources(StackName="kubestrap-cur-crawler-kubecost")["StackResources"]
        return {resource["ResourceType"] for resource in found}

    def glue(self, payer: str = EXISTING) -> Any:
        """Glue of a payer's account."""
        return self.place.payer_aws(payer).client("glue")

    def base_tables(self) -> None:
        """What somebody else has: a table over the report, in another database than the view will be in."""
        glue = self.glue()
        for database in ("finops", "lake"):
            glue.create_database(DatabaseInput={"Name": database})
        location = LOCATION.format(account=self.place.account(EXISTING))
        columns = [{"Name": column["name"], "Type": column["type"]} for column in schema.base_columns()]
        keys = [{"Name": key["name"], "Type": key["type"]} for key in schema.PARTITION_KEYS]
        table = {
            "Name": "raw",
            "TableType": "EXTERNAL_TABLE",
            "StorageDescriptor": {"Columns": columns, "Location": location, **_PARQUET},
            "PartitionKeys": keys,
            "Parameters": {
                "projection.enabled": "true",
                "projection.year.type": "integer",
                "projection.year.range": "2020,2040",
                "projection.month.type": "integer",
                "projection.month.range": "1,12",
            },
        }
        glue.create_table(DatabaseName="lake", TableInput=table)

    def view(self, sql: str) -> None:
        """Make the view, or make it anew."""
        names = sql.removeprefix("SELECT ").split(" FROM")[0].split(", ")
        types = {column["name"]: column["type"] for column in schema.base_columns()}
        document = {"originalSql": sql, "catalog": "awsdatacatalog", "schema": "finops"}
        table = {
            "Name": "bill",
            "TableType": "VIRTUAL_VIEW",
            "StorageDescriptor": {"Columns": [{"Name": name, "Type": types.get(name, "string")} for name in names]},
            "ViewOriginalText": f"/* Presto View: {base64.b64encode(json.dumps(document).encode()).decode()} */",
            "ViewExpandedText": "/* Presto View */",
        }
        glue = self.glue()
        known = [found["Name"] for found in glue.get_tables(DatabaseName="finops")["TableList"]]
        write = glue.update_table if "bill" in known else glue.create_table
        write(DatabaseName="finops", TableInput=table)

    def query(self, without: str = "") -> Any:
        """Query the view as the reader role; `without` takes the tables of this database out of its policy."""
        from ansible_collections.kubestrap.aws.plugins.module_utils._athena_query import run_query

        aws = self.place.payer_aws(EXISTING)
        role = self.place.reader_arn(EXISTING)
        if without:
            document = self.reader_policy()
            for statement in document["Statement"]:
                if isinstance(statement["Resource"], list):
                    statement["Resource"] = [arn for arn in statement["Resource"] if f"table/{without}" not in arn]
            name = {"RoleName": "kubecost-cur-access", "PolicyName": "billing-data-reader"}
            aws.client("iam").put_role_policy(**name, PolicyDocument=json.dumps(document))
        keys = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="catalog")["Credentials"]
        reader = aws.with_credentials(keys)
        projection = self.sandbox.settings({"athena_partition_projection": True})
        assert projection["athena_partition_projection"]
        return run_query(reader, "SELECT line_item_resource_id FROM finops.bill LIMIT 1", workgroup="kubecost")

    def reader_policy(self) -> dict[str, Any]:
        """What the readers of the view may do."""
        name = {"RoleName": "kubecost-cur-access", "PolicyName": "billing-data-reader"}
        return self.place.payer_aws(EXISTING).client("iam").get_role_policy(**name)["PolicyDocument"]


@pytest.fixture(scope="module")
def story(gateway_sandbox: Sandbox) -> Iterator[Story]:
    """All runs; that each of them ended as it should is told by the tests."""
    yield Story(gateway_sandbox)
    gateway_sandbox.settings({"athena_partition_projection": True})


def result(run: Run, payer: str) -> dict[str, Any]:
    """The fact `billing_data_result` of a payer."""
    found = [task for task in run.tasks if task.host == payer and "billing_data_result" in str(task.result)]
    return found[-1].result["ansible_facts"]["billing_data_result"]


def notes(run: Run, payer: str) -> str:
    """The notes of a payer as one text."""
    return " ".join(result(run, payer)["notes"])


def of_account(story: Story, run: Run, payer: str) -> list[str]:
    """What a run wrote in the account of a payer."""
    account_id = story.place.account(payer)
    return [
        f"{c['service']}:{c['operation']}" for c in run.calls if (c["kind"], c["account_id"]) == ("write", account_id)
    ]


def test_runs_end_as_they_should(story: Story) -> None:
    for run in (story.nothing, story.first, story.fitting, story.gone):
        assert run.ok, run.report
    assert story.nothing.writes == []
    for payer in story.place.payers:
        assert result(story.nothing, payer)["changes"] == result(story.first, payer)["changes"]


def test_a_table_that_is_not_there_yet_is_pending(story: Story) -> None:
    assert result(story.first, EXISTING)["delivered"] is False
    assert "The table finops.bill does not exist yet" in notes(story.first, EXISTING)
    assert "does not exist yet" not in notes(story.first, MANAGED)


def test_a_view_that_does_not_serve_is_refused_before_the_first_write(story: Story) -> None:
    run = story.delivered
    assert run.rc != 0
    assert [task.host for task in run.tasks if task.failed] == [EXISTING]
    said = run.task("kubestrap.aws.billing_data : Compare the table with what the queries need", EXISTING).result["msg"]
    assert "table: 'finops.bill' does not serve the queries of Kubecost" in said
    assert "it has no column line_item_usage_start_date" in said
    assert "it has no column month" in said
    assert of_account(story, run, EXISTING) == []


def test_a_view_that_serves_is_used_as_it_is(story: Story) -> None:
    found = result(story.fitting, EXISTING)
    assert (found["database"], found["table"], found["delivered"], found["notes"]) == ("finops", "bill", True, [])
    assert story.kept_table["UpdateTime"] > story.unchanged_table["UpdateTime"]
    assert [name for name in of_account(story, story.fitting, EXISTING) if name.startswith("glue:")] == []
    changes = result(story.fitting, EXISTING)["changes"]
    assert changes == ["put the inline policy billing-data-reader of the role kubecost-cur-access"]


def test_readers_of_a_view_may_read_what_is_below_it(story: Story) -> None:
    served, refused = story.rows
    assert (served.state, len(served.rows)) == ("SUCCEEDED", 1)
    assert refused.state == "FAILED"
    assert "glue:GetTable" in refused.reason
    own = result(story.first, EXISTING)["changes"]
    assert not [line for line in own if "lake" in line]


def test_months_are_registered_where_the_projection_finds_nothing(story: Story) -> None:
    found = result(story.delivered, MANAGED)
    assert any("months" in line and "as partitions of the Glue table" in line for line in found["changes"])
    assert "Athena found no rows" in notes(story.delivered, MANAGED)
    assert "registered as partitions now" in notes(story.delivered, MANAGED)
    months = sorted(partition["Values"] for partition in story.months["Partitions"])
    assert len(months) == 2
    assert all(not month.startswith("0") for _year, month in months)
    # A later run keeps them, asks no query, and has nothing more to say.
    assert result(story.fitting, MANAGED)["changes"] == []
    assert notes(story.fitting, MANAGED) == ""
    account_id = story.place.account(MANAGED)
    assert story.fitting.count(kind="query", account_id=account_id) == 0
    assert story.delivered.count(kind="query", account_id=account_id) == 1


def test_a_crawler_is_pending_before_the_first_delivery(story: Story) -> None:
    found = result(story.first, CRAWLER)
    assert found["delivered"] is False
    assert "AWS has not delivered the report kubecost yet" in notes(story.first, CRAWLER)
    assert "The crawler makes it after the first delivery" in notes(story.first, CRAWLER)
    assert not [line for line in found["changes"] if "crawler" in line.lower()]


def test_the_crawler_is_made_of_the_delivered_template_and_run(story: Story) -> None:
    found = result(story.delivered, CRAWLER)
    assert found["changes"] == [
        "create the CloudFormation stack kubestrap-cur-crawler-kubecost",
        "run the Glue crawler AWSCURCrawler-kubecost, because there is no table yet",
    ]
    assert (found["delivered"], found["notes"]) == (True, [])
    assert (found["database"], found["table"]) == ("athenacurcfn_kubecost", "kubecost")
    columns = {column["Name"] for column in story.crawled["StorageDescriptor"]["Columns"]}
    assert columns > {"line_item_resource_id", "resource_tags_user_team_of_catalog"}


def test_the_crawler_is_run_again_for_a_new_column_only(story: Story) -> None:
    found = result(story.fitting, CRAWLER)
    (run,) = found["changes"]
    assert run.startswith("run the Glue crawler AWSCURCrawler-kubecost, because the table has not got the column")
    assert of_account(story, story.fitting, CRAWLER) == ["glue:StartCrawler"]


def test_no_lambda_function_is_made_and_no_notification_replaced(story: Story) -> None:
    assert story.stack == {"AWS::Glue::Database", "AWS::Glue::Crawler", "AWS::Glue::Table", "AWS::IAM::Role"}
    assert [queue["Id"] for queue in story.notifications["QueueConfigurations"]] == ["mine"]
    assert set(story.notifications) == {"QueueConfigurations"}


def test_the_teardown_takes_the_stack_with_its_table(story: Story) -> None:
    assert "delete the CloudFormation stack kubestrap-cur-crawler-kubecost" in result(story.gone, CRAWLER)["changes"]
    assert story.glue(CRAWLER).get_databases()["DatabaseList"] == []
    assert story.glue(CRAWLER).get_crawlers()["Crawlers"] == []


def test_a_report_that_stopped_is_told_with_its_last_month(story: Story) -> None:
    found = result(story.fitting, STOPPED)
    assert (found["delivered"], found["delivered_period"]) == (True, "2024-03")
    assert found["last_delivery"]
    said = notes(story.fitting, STOPPED)
    assert "AWS has delivered nothing of the report kubecost since the month 2024-03" in said
    assert "status SUCCESS" in said
    assert "since the month" not in notes(story.fitting, MANAGED)


def test_the_teardown_leaves_the_table_of_somebody_else(story: Story) -> None:
    databases = {database["Name"] for database in story.glue().get_databases()["DatabaseList"]}
    assert databases >= {"finops", "lake"}
    assert story.glue().get_table(DatabaseName="finops", Name="bill")["Table"]["TableType"] == "VIRTUAL_VIEW"
    assert [d["Name"] for d in story.glue(MANAGED).get_databases()["DatabaseList"]] == []


def test_the_policy_of_a_plain_table_names_no_other(story: Story) -> None:
    given = {"partition": "aws", "region": "us-east-1", "account_id": story.place.account(MANAGED)}
    names = {"report_bucket": "a", "report_prefix": "cur", "results_bucket": "b", "results_prefix": "x"}
    catalog = {"workgroup": "kubecost", "database": "finops", "table": "bill"}
    plain = policies.billing_data_reader(**given, **names, **catalog)
    wide = policies.billing_data_reader(**given, **names, **catalog, base_tables=["lake.raw"])
    resources = [{arn.split(":", 5)[-1] for arn in document[-1]["Resource"]} for document in (plain, wide)]
    assert resources[1] - resources[0] == {"database/lake", "table/lake/raw"}
