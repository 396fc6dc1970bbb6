# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the organisation of the sandbox runs: the things that cost money, day by day."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

USAGE = "Usage"
_REGION_PREFIX = {
    "us-east-1": "",
    "us-east-2": "USE2-",
    "us-west-2": "USW2-",
    "eu-west-1": "EUW1-",
    "eu-central-1": "EUC1-",
    "eu-north-1": "EUN1-",
    "ap-southeast-2": "APS2-",
}
_LOCATIONS = {
    "us-east-1": "US East (N. Virginia)",
    "us-east-2": "US East (Ohio)",
    "us-west-2": "US West (Oregon)",
    "eu-west-1": "EU (Ireland)",
    "eu-central-1": "EU (Frankfurt)",
    "eu-north-1": "EU (Stockholm)",
}
_SERVICES = {
    "AmazonEKS": "Amazon Elastic Container Service for Kubernetes",
    "AmazonEC2": "Amazon Elastic Compute Cloud",
    "AmazonS3": "Amazon Simple Storage Service",
    "AmazonRDS": "Amazon Relational Database Service",
    "AWSELB": "Elastic Load Balancing",
    "AmazonVPC": "Amazon Virtual Private Cloud",
    "AWSDataTransfer": "AWS Data Transfer",
    "AmazonCloudWatch": "AmazonCloudWatch",
    "awskms": "AWS Key Management Service",
}


@dataclass(frozen=True)
class Cluster:
    """An EKS cluster whose cost is in the report."""

    name: str
    account: str
    region: str


@dataclass(frozen=True)
class Item:
    """One thing that costs money: `amount` units a day at `rate` USD; `tags` by tag key."""

    product: str
    usage_type: str
    operation: str
    account: str
    region: str
    resource: str
    family: str
    unit: str
    rate: float
    amount: float
    zone: str = ""
    line_type: str = USAGE
    instance_type: str = ""
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def service_name(self) -> str:
        """The product's full name."""
        return _SERVICES.get(self.product, self.product)

    @property
    def location(self) -> str:
        """The region's name in price lists."""
        return _LOCATIONS.get(self.region, self.region)


class Fleet:
    """All items of one organisation; the same seed, accounts and clusters give the same fleet."""

    def __init__(self, seed: int | str, payer: str, accounts: list[str], clusters: list[Cluster]) -> None:
        self._random = random.Random(f"{seed}/fleet")
        self.payer = payer
        self.accounts = accounts or [payer]
        self.clusters = clusters

    def items(self, count: int) -> list[Item]:
        """`count` items: the clusters' own first, then the other services, then more nodes and volumes."""
        found = [item for cluster in self.clusters for item in self._cluster(cluster)] + self._others()
        while len(found) < count:
            number = len(found)
            if self.clusters:
                cluster = self.clusters[number % len(self.clusters)]
                found.append(self._node(cluster, number) if number % 2 else self._volume(cluster, number))
            else:
                found.append(self._virtual_machine(self.accounts[number % len(self.accounts)], number))
        return found[:count]

    def _hex(self) -> str:
        return f"{self._random.getrandbits(68):017x}"

    def _cluster(self, cluster: Cluster) -> list[Item]:
        prefix, tags = _REGION_PREFIX.get(cluster.region, ""), self._cluster_tags(cluster)
        return [
            Item(
                "AmazonEKS",
                f"{prefix}AmazonEKS-Hours:perCluster",
                "CreateOperation",
                cluster.account,
                cluster.region,
                f"arn:aws:eks:{cluster.region}:{cluster.account}:cluster/{cluster.name}",
                "Compute",
                "Hours",
                0.10,
                24,
                description=f"$0.10 per hour Amazon EKS cluster usage in {cluster.region}",
                tags=tags,
            ),
            self._node(cluster, 0),
            self._node(cluster, 1, "DiscountedUsage"),
            self._node(cluster, 2, "SavingsPlanCoveredUsage"),
            self._volume(cluster, 0),
            self._volume(cluster, 1),
            Item(
                "AWSELB",
                f"{prefix}LoadBalancerUsage",
                "LoadBalancing:Network",
                cluster.account,
                cluster.region,
                f"arn:aws:elasticloadbalancing:{cluster.region}:{cluster.account}:loadbalancer/net/web/{self._hex()}",
                "Load Balancer-Network",
                "Hrs",
                0.0252,
                24,
                tags={**tags, "kubernetes.io/service-name": "ingress/ingress-nginx", "kubernetes_namespace": "ingress"},
            ),
            Item(
                "AmazonEC2",
                f"{prefix}NatGateway-Bytes",
                "NatGateway",
                cluster.account,
                cluster.region,
                f"arn:aws:ec2:{cluster.region}:{cluster.account}:natgateway/nat-{self._hex()}",
                "NAT Gateway",
                "GB",
                0.048,
                41.5,
                tags={"Name": f"{cluster.name}-nat", "team": "platform"},
            ),
            Item(
                "AWSDataTransfer",
                f"{prefix}DataTransfer-Regional-Bytes",
                "InterZone-In",
                cluster.account,
                cluster.region,
                f"i-{self._hex()}",
                "Data Transfer",
                "GB",
                0.01,
                63.0,
                tags=tags,
            ),
            Item(
                "AmazonCloudWatch",
                f"{prefix}DataProcessing-Bytes",
                "PutLogEvents",
                cluster.account,
                cluster.region,
                f"arn:aws:logs:{cluster.region}:{cluster.account}:log-group:/aws/eks/{cluster.name}/cluster",
                "Data Payload",
                "GB",
                0.57,
                2.4,
            ),
        ]

    @staticmethod
    def _cluster_tags(cluster: Cluster) -> dict[str, str]:
        return {
            "aws:eks:cluster-name": cluster.name,
            "eks:cluster-name": cluster.name,
            "alpha.eksctl.io/cluster-name": cluster.name,
            "kubernetes_cluster": cluster.name,
            "team": "platform",
        }

    def _node(self, cluster: Cluster, number: int, line_type: str = USAGE) -> Item:
        kind, rate = (("m5.xlarge", 0.214), ("m6i.large", 0.107), ("c5.2xlarge", 0.384))[number % 3]
        prefix = _REGION_PREFIX.get(cluster.region, "")
        return Item(
            "AmazonEC2",
            f"{prefix}BoxUsage:{kind}",
            "RunInstances",
            cluster.account,
            cluster.region,
            f"i-{self._hex()}",
            "Compute Instance",
            "Hrs",
            rate,
            24,
            f"{cluster.region}{'abc'[number % 3]}",
            line_type,
            kind,
            f"${rate} per On Demand Linux {kind} Instance Hour",
            {**self._cluster_tags(cluster), "Name": f"{cluster.name}-node-{number}"},
        )

    def _volume(self, cluster: Cluster, number: int) -> Item:
        claim = ("prometheus-server", "kubecost-cost-analyzer", "postgres-data", "grafana")[number % 4]
        tags = {
            **self._cluster_tags(cluster),
            "kubernetes.io/created-for/pvc/name": f"{claim}-{number}",
            "kubernetes.io/created-for/pv/name": f"pvc-{self._hex()}",
            "kubernetes_namespace": ("kubecost", "shop", "monitoring")[number % 3],
        }
        return Item(
            "AmazonEC2",
            f"{_REGION_PREFIX.get(cluster.region, '')}EBS:VolumeUsage.gp3",
            "CreateVolume-Gp3",
            cluster.account,
            cluster.region,
            f"vol-{self._hex()}",
            "Storage",
            "GB-Mo",
            0.088,
            round((20 + 16 * (number % 9)) / 30, 6),
            f"{cluster.region}{'abc'[number % 3]}",
            tags=tags,
        )

    def _virtual_machine(self, account: str, number: int) -> Item:
        return Item(
            "AmazonEC2",
            "BoxUsage:t3.medium",
            "RunInstances",
            account,
            "us-east-1",
            f"i-{self._hex()}",
            "Compute Instance",
            "Hrs",
            0.0416,
            24,
            f"us-east-1{'abcd'[number % 4]}",
            USAGE,
            "t3.medium",
            "$0.0416 per On Demand Linux t3.medium Instance Hour",
            {"Name": f"legacy-{number}", "team": ("search", "billing", "data")[number % 3]},
        )

    def _others(self) -> list[Item]:
        last, region = self.accounts[-1], "us-east-1"
        # Tagged by the scheme that assigns resources outside the cluster; not all of its keys are activated.
        database = {
            "team": "shop",
            "kubernetes_namespace": "shop",
            "kubernetes_deployment": "orders",
            "kubernetes_label_app.kubernetes.io/name": "orders",
        }
        return [
            Item(
                "AmazonS3",
                "TimedStorage-ByteHrs",
                "StandardStorage",
                self.payer,
                region,
                "company-billing-reports",
                "Storage",
                "GB-Mo",
                0.023,
                4.1,
                tags={"team": "finance"},
            ),
            Item(
                "AmazonS3",
                "Requests-Tier1",
                "PutObject",
                last,
                region,
                "company-thanos-metrics",
                "API Request",
                "Requests",
                0.000005,
                18250,
                tags={"team": "platform", "kubernetes_namespace": "monitoring"},
            ),
            Item(
                "AmazonRDS",
                "InstanceUsage:db.r6g.large",
                "CreateDBInstance:0014",
                last,
                region,
                f"arn:aws:rds:{region}:{last}:db:orders",
                "Database Instance",
                "Hrs",
                0.225,
                24,
                instance_type="db.r6g.large",
                tags=database,
            ),
            Item(
                "AmazonRDS",
                "RDS:GP3-Storage",
                "CreateDBInstance:0014",
                last,
                region,
                f"arn:aws:rds:{region}:{last}:db:orders",
                "Database Storage",
                "GB-Mo",
                0.115,
                6.7,
                tags=database,
            ),
            Item(
                "AWSDataTransfer",
                "DataTransfer-Out-Bytes",
                "RunInstances",
                last,
                region,
                f"i-{self._hex()}",
                "Data Transfer",
                "GB",
                0.09,
                12.8,
                tags={"team": "shop"},
            ),
            self._virtual_machine(self.payer, 0),
            self._virtual_machine(last, 1),
            Item(
                "awskms",
                "us-east-1-KMS-Requests",
                "Decrypt",
                last,
                region,
                f"arn:aws:kms:{region}:{last}:key/{self._hex()}",
                "API Request",
                "Requests",
                0.000003,
                9600,
            ),
            Item(
                "AmazonVPC",
                "PublicIPv4:InUseAddress",
                "AllocateAddressVPC",
                last,
                region,
                f"arn:aws:ec2:{region}:{last}:elastic-ip/eipalloc-{self._hex()}",
                "IP Address",
                "Hrs",
                0.005,
                24,
            ),
        ]
