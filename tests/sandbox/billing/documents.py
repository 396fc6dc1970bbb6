# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that AWS puts beside the data of a report: manifest, create-table SQL, crawler template.

Shapes: AWS Cost and Usage Reports guide, "Querying Cost and Usage Reports using Amazon Athena". The crawler template
has the resources, names and properties that AWS generates, and of the Lambda functions' code only its first line.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from .columns import Column
from .line_items import Period


class Layout:
    """Where the parts of a report lie in its bucket; the report name appears twice, the month is not zero-padded."""

    def __init__(self, definition: dict[str, Any]) -> None:
        self.name: str = definition["ReportName"]
        self.bucket: str = definition["S3Bucket"]
        self.root = f"{definition.get('S3Prefix', '').strip('/')}/{self.name}".lstrip("/")

    @property
    def table(self) -> str:
        """The table that AWS' own templates make."""
        return self.name.lower().replace("-", "_")

    @property
    def crawler(self) -> str:
        """The key of the crawler's CloudFormation template."""
        return f"{self.root}/crawler-cfn.yml"

    @property
    def status(self) -> str:
        """The key of the status table's only file."""
        return f"{self.root}/cost_and_usage_data_status/cost_and_usage_data_status.parquet"

    def data(self, period: Period) -> str:
        """The key of a period's data."""
        start = period.start
        return f"{self.root}/{self.name}/year={start.year}/month={start.month}/{self.name}-00001.snappy.parquet"

    def manifest(self, period: Period) -> str:
        """The key of a period's manifest."""
        return f"{self.root}/{period.folder}/{self.name}-Manifest.json"

    def create_table(self, period: Period) -> str:
        """The key of a period's create-table SQL."""
        return f"{self.root}/{period.folder}/{self.name}-create-table.sql"


def manifest(layout: Layout, account: str, period: Period, columns: list[Column], delivered: str) -> bytes:
    """REPORT-Manifest.json; `delivered` as 20240513T052400Z."""
    document = {
        "assemblyId": delivered,
        "account": account,
        "columns": [{"category": column.category, "name": column.name, "type": column.kind} for column in columns],
        "charset": "UTF-8",
        "compression": "Parquet",
        "contentType": "Parquet",
        "reportId": hashlib.sha256(f"{account}/{layout.name}".encode()).hexdigest(),
        "reportName": layout.name,
        "billingPeriod": {"start": f"{period.start:%Y%m%dT000000.000Z}", "end": f"{period.end:%Y%m%dT000000.000Z}"},
        "bucket": layout.bucket,
        "reportKeys": [layout.data(period)],
        "additionalArtifactKeys": [],
    }
    return json.dumps(document, indent=2).encode()


def create_table_sql(layout: Layout, columns: list[Column]) -> bytes:
    """REPORT-create-table.sql, as AWS writes it: database and table are both called by the report."""
    body = ",\n".join(f"\t{column.name} {column.kind}" for column in columns)
    return (
        f"CREATE EXTERNAL TABLE {layout.table}.{layout.table}(\n{body}\n)\n\n"
        "PARTITIONED BY (\n\tyear STRING,\n\tmonth STRING\n)\n"
        "ROW FORMAT SERDE 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe'\n"
        "WITH SERDEPROPERTIES (\n\t'serialization.format' = '1'\n)\n"
        f"LOCATION 's3://{layout.bucket}/{layout.root}/{layout.name}/'\n"
    ).encode()


def crawler_template(layout: Layout) -> bytes:
    """crawler-cfn.yml, as AWS generates it for a report with the ATHENA artifact; dates stand there without quotes."""
    database = f"athenacurcfn_{layout.table}"
    parquet = "org.apache.hadoop.hive.ql.io.parquet"
    data = f"{layout.root}/{layout.name}"
    rights = _CRAWLER_RIGHTS.format(objects=f"{layout.bucket}/{data}*")
    of_bucket = _right("s3:PutBucketNotification", f"!Sub 'arn:${{AWS::Partition}}:s3:::{layout.bucket}'")
    return f"""AWSTemplateFormatVersion: 2010-09-09
Resources:

  AWSCURDatabase:
    Type: 'AWS::Glue::Database'
    Properties:
      DatabaseInput:
        Name: '{database}'
      CatalogId: !Ref AWS::AccountId

{_role("AWSCURCrawlerComponentFunction", "glue", rights, _GLUE_SERVICE)}
        - PolicyName: AWSCURKMSDecryption
          PolicyDocument:
            Version: 2012-10-17
            Statement:
              - Effect: Allow
                Action:
                  - 'kms:Decrypt'
                Resource: '*'

{_role("AWSCURCrawlerLambdaExecutor", "lambda", _right("glue:StartCrawler", "'*'"))}
  AWSCURCrawler:
    Type: 'AWS::Glue::Crawler'
    DependsOn:
      - AWSCURDatabase
      - AWSCURCrawlerComponentFunction
    Properties:
      Name: AWSCURCrawler-{layout.name}
      Description: A recurring crawler that keeps your CUR table in Athena up-to-date.
      Role: !GetAtt AWSCURCrawlerComponentFunction.Arn
      DatabaseName: !Ref AWSCURDatabase
      Targets:
        S3Targets:
          - Path: 's3://{layout.bucket}/{data}'
            Exclusions:
              - '**.json'
              - '**.yml'
              - '**.sql'
              - '**.csv'
              - '**.gz'
              - '**.zip'
      SchemaChangePolicy:
        UpdateBehavior: UPDATE_IN_DATABASE
        DeleteBehavior: DELETE_FROM_DATABASE

{_function("AWSCURInitializer", "AWSCURCrawler", "AWSCURCrawlerLambdaExecutor")}
  AWSStartCURCrawler:
    Type: 'Custom::AWSStartCURCrawler'
    Properties:
      ServiceToken: !GetAtt AWSCURInitializer.Arn

  AWSS3CUREventLambdaPermission:
    Type: AWS::Lambda::Permission
    Properties:
      Action: 'lambda:InvokeFunction'
      FunctionName: !GetAtt AWSCURInitializer.Arn
      Principal: 's3.amazonaws.com'
      SourceAccount: !Ref AWS::AccountId
      SourceArn: !Sub 'arn:${{AWS::Partition}}:s3:::{layout.bucket}'

{_role("AWSS3CURLambdaExecutor", "lambda", of_bucket)}
{_function("AWSS3CURNotification", "AWSS3CUREventLambdaPermission", "AWSS3CURLambdaExecutor")}
  AWSPutS3CURNotification:
    Type: 'Custom::AWSPutS3CURNotification'
    Properties:
      ServiceToken: !GetAtt AWSS3CURNotification.Arn
      TargetLambdaArn: !GetAtt AWSCURInitializer.Arn
      BucketName: '{layout.bucket}'
      ReportKey: '{data}'

  AWSCURReportStatusTable:
    Type: 'AWS::Glue::Table'
    DependsOn: AWSCURDatabase
    Properties:
      DatabaseName: {database}
      CatalogId: !Ref AWS::AccountId
      TableInput:
        Name: 'cost_and_usage_data_status'
        TableType: 'EXTERNAL_TABLE'
        StorageDescriptor:
          Columns:
            - Name: status
              Type: 'string'
          InputFormat: '{parquet}.MapredParquetInputFormat'
          OutputFormat: '{parquet}.MapredParquetOutputFormat'
          SerdeInfo:
            SerializationLibrary: '{parquet}.serde.ParquetHiveSerDe'
          Location: 's3://{layout.bucket}/{layout.root}/cost_and_usage_data_status/'
""".encode()


_GLUE_SERVICE = """
      ManagedPolicyArns:
        - !Sub 'arn:${AWS::Partition}:iam::aws:policy/service-role/AWSGlueServiceRole'"""
_CRAWLER_RIGHTS = """              - Effect: Allow
                Action:
                  - 'glue:UpdateDatabase'
                  - 'glue:UpdatePartition'
                  - 'glue:CreateTable'
                  - 'glue:UpdateTable'
                  - 'glue:ImportCatalogToGlue'
                Resource: '*'
              - Effect: Allow
                Action:
                  - 's3:GetObject'
                  - 's3:PutObject'
                Resource: !Sub 'arn:${{AWS::Partition}}:s3:::{objects}'"""


def _right(action: str, resource: str) -> str:
    """A statement of a policy in the template."""
    return f"""              - Effect: Allow
                Action:
                  - '{action}'
                Resource: {resource}"""


def _role(name: str, service: str, rights: str, managed: str = "") -> str:
    """A role of the template that a service takes."""
    return f"""  {name}:
    Type: 'AWS::IAM::Role'
    Properties:
      AssumeRolePolicyDocument:
        Version: 2012-10-17
        Statement:
          - Effect: Allow
            Principal:
              Service:
                - {service}.amazonaws.com
            Action:
              - 'sts:AssumeRole'
      Path: /{managed}
      Policies:
        - PolicyName: {name}
          PolicyDocument:
            Version: 2012-10-17
            Statement:
{rights}"""


def _function(name: str, after: str, role: str) -> str:
    """A Lambda function of the template: it cannot be made any more, for its runtime has ended."""
    return f"""  {name}:
    Type: 'AWS::Lambda::Function'
    DependsOn: {after}
    Properties:
      Code:
        ZipFile: >
          const AWS = require('aws-sdk');
      Handler: 'index.handler'
      Timeout: 30
      Runtime: nodejs16.x
      ReservedConcurrentExecutions: 1
      Role: !GetAtt {role}.Arn
"""
