# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM refuses the documents, names and sizes that AWS refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sandbox.tests.gateway_tools import CLUSTER, PAYER, allow, make_role, policy, refused, role_client, unique

ROOT = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{CLUSTER}:root"}, "Action": "sts:AssumeRole"}


def of_size(characters: int, *statements: dict[str, Any], **members: Any) -> str:
    """A minified document of exactly this many characters that count: the Sid is padded."""
    statement = {"Sid": "", **(statements[0] if statements else allow("s3:GetObject", "*")), **members}
    document = {"Version": "2012-10-17", "Statement": [statement, *statements[1:]]}
    missing = characters - len(json.dumps(document, separators=(",", ":")))
    assert missing >= 0
    statement["Sid"] = "S" * missing
    return json.dumps(document, separators=(",", ":"))


@pytest.mark.parametrize(
    "principal",
    [
        "arn:aws:iam::222222222222:role/nobody",
        "arn:aws:iam::222222222222:user/nobody",
        "AROAEXAMPLEUNKNOWN000",
        "arn:aws:iam::222222222222:role/wrong-path/operator-of-trust-test",
    ],
)
def test_a_trust_names_principals_that_exist(gateway: Any, principal: str) -> None:
    iam = gateway.client("iam", CLUSTER)
    trust = policy({**ROOT, "Principal": {"AWS": principal}})
    for call, name in (
        (iam.create_role, "AssumeRolePolicyDocument"),
        (iam.update_assume_role_policy, "PolicyDocument"),
    ):
        role = unique("trusting")
        if call == iam.update_assume_role_policy:
            make_role(gateway, CLUSTER, [ROOT], [], name=role)
        error = refused(call, RoleName=role, **{name: trust})
        assert (error.code, error.status) == ("MalformedPolicyDocument", 400)
        assert error.message.startswith("Invalid principal in policy") and principal in error.message


def test_a_trust_may_name_what_exists(gateway: Any) -> None:
    other = make_role(gateway, PAYER, [{**ROOT, "Principal": {"AWS": PAYER}}], [], path="/team/")
    user = gateway.client("iam", CLUSTER).create_user(UserName=unique("user"))["User"]["Arn"]
    principals = {"AWS": [other, user, PAYER, f"arn:aws:iam::{PAYER}:root"], "Service": "pods.eks.amazonaws.com"}
    assert make_role(gateway, CLUSTER, [{**ROOT, "Principal": principals}], [])


def test_size_of_a_trust(gateway: Any) -> None:
    iam = gateway.client("iam", CLUSTER)
    fits = of_size(2048, ROOT)
    name = unique("long-trust")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(json.loads(fits), indent=4))
    for call, parameters in (
        (iam.create_role, {"RoleName": unique("x"), "AssumeRolePolicyDocument": of_size(2049, ROOT)}),
        (iam.update_assume_role_policy, {"RoleName": name, "PolicyDocument": of_size(2049, ROOT)}),
    ):
        error = refused(call, **parameters)
        assert (error.code, error.status) == ("LimitExceeded", 409)
        assert error.message == "Cannot exceed quota for ACLSizePerRole: 2048"


def test_inline_policies_of_a_role_share_their_size(gateway: Any) -> None:
    iam = gateway.client("iam", CLUSTER)
    name = make_role(gateway, CLUSTER, [ROOT], []).rsplit("/", 1)[-1]
    iam.put_role_policy(RoleName=name, PolicyName="one", PolicyDocument=of_size(6000))
    iam.put_role_policy(RoleName=name, PolicyName="two", PolicyDocument=of_size(4100))
    error = refused(iam.put_role_policy, RoleName=name, PolicyName="three", PolicyDocument=of_size(141))
    assert (error.code, error.status) == ("LimitExceeded", 409)
    assert error.message == f"Maximum policy size of 10240 bytes exceeded for role {name}"
    iam.put_role_policy(RoleName=name, PolicyName="one", PolicyDocument=of_size(5900))
    iam.put_role_policy(RoleName=name, PolicyName="three", PolicyDocument=of_size(140))


def test_inline_policies_of_a_user_share_a_smaller_size(gateway: Any) -> None:
    iam = gateway.client("iam", CLUSTER)
    name = unique("user")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="one", PolicyDocument=of_size(1900))
    error = refused(iam.put_user_policy, UserName=name, PolicyName="two", PolicyDocument=of_size(149))
    assert (error.code, error.status) == ("LimitExceeded", 409)
    assert error.message == f"Maximum policy size of 2048 bytes exceeded for user {name}"
    iam.put_user_policy(UserName=name, PolicyName="two", PolicyDocument=of_size(148))


def test_size_of_a_managed_policy(gateway: Any) -> None:
    iam = gateway.client("iam", CLUSTER)
    arn = iam.create_policy(PolicyName=unique("managed"), PolicyDocument=of_size(6144))["Policy"]["Arn"]
    for call, parameters in (
        (iam.create_policy, {"PolicyName": unique("managed")}),
        (iam.create_policy_version, {"PolicyArn": arn}),
    ):
        error = refused(call, PolicyDocument=of_size(6145), **parameters)
        assert (error.code, error.message) == ("LimitExceeded", "Cannot exceed quota for PolicySize: 6144")


BAD_DOCUMENTS = {
    "no JSON": "{not json",
    "a list": "[]",
    "no statement": '{"Version": "2012-10-17"}',
    "empty statement": '{"Version": "2012-10-17", "Statement": []}',
    "policy in a policy": policy({"Version": "2012-10-17", "Statement": [allow("s3:GetObject", "*")]}),
    "unknown version": policy(allow("s3:*", "*")).replace("2012-10-17", "2024-01-01"),
    "unknown effect": policy({**allow("s3:GetObject", "*"), "Effect": "allow"}),
    "action without vendor": policy(allow("GetObject", "*")),
    "action with a space": policy(allow("s3:Get Object", "*")),
    "no action": policy({"Effect": "Allow", "Resource": "*"}),
    "no resource": policy({"Effect": "Allow", "Action": "s3:GetObject"}),
    "resource that is no ARN": policy(allow("s3:GetObject", "my-bucket/*")),
    "principal": policy({**allow("s3:GetObject", "*"), "Principal": "*"}),
    "unknown operator": policy({**allow("s3:GetObject", "*"), "Condition": {"StringIs": {"aws:userid": "x"}}}),
    "condition key without vendor": policy({**allow("s3:GetObject", "*"), "Condition": {"Bool": {"secure": "true"}}}),
    "same Sid twice": policy({**allow("s3:GetObject", "*"), "Sid": "A"}, {**allow("s3:PutObject", "*"), "Sid": "A"}),
    "Sid with a dash": policy({**allow("s3:GetObject", "*"), "Sid": "my-sid"}),
}


@pytest.mark.parametrize("document", BAD_DOCUMENTS.values(), ids=BAD_DOCUMENTS)
def test_malformed_identity_policies(gateway: Any, document: str) -> None:
    iam = gateway.client("iam", CLUSTER)
    role = make_role(gateway, CLUSTER, [ROOT], []).rsplit("/", 1)[-1]
    for call, parameters in (
        (iam.put_role_policy, {"RoleName": role, "PolicyName": "bad"}),
        (iam.create_policy, {"PolicyName": unique("bad")}),
    ):
        error = refused(call, PolicyDocument=document, **parameters)
        assert (error.code, error.status) == ("MalformedPolicyDocument", 400)


def test_well_formed_identity_policies(gateway: Any) -> None:
    make_role(
        gateway,
        CLUSTER,
        [ROOT],
        [
            allow(["s3:Get*", "kms:Decrypt"], ["arn:aws:s3:::b/*", "*"]),
            {
                "Effect": "Deny",
                "NotAction": "iam:*",
                "NotResource": "arn:aws:s3:::b",
                "Condition": {
                    "ForAllValues:StringLikeIfExists": {"aws:TagKeys": ["a"]},
                    "Null": {"aws:TokenIssueTime": "true"},
                },
            },
        ],
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Resource": "*"}, "Has prohibited field Resource"),
        ({"Principal": None}, "must contain principals"),
        ({"Action": "s3:GetObject"}, "may only specify STS AssumeRole actions"),
        ({"Action": "AssumeRole"}, "must be prefaced by a vendor"),
        ({"Effect": "Permit"}, "Syntax errors"),
        ({"NotPrincipal": {"AWS": "*"}}, "NotPrincipal"),
    ],
)
def test_malformed_trusts(gateway: Any, change: dict[str, Any], words: str) -> None:
    statement = {name: value for name, value in {**ROOT, **change}.items() if value is not None}
    error = refused(
        gateway.client("iam", CLUSTER).create_role, RoleName=unique("bad"), AssumeRolePolicyDocument=policy(statement)
    )
    assert error.code == "MalformedPolicyDocument" and words in error.message


@pytest.mark.parametrize(
    "parameters",
    [
        {"RoleName": "r" * 65},
        {"RoleName": "with space"},
        {"RoleName": "slash/ed"},
        {"Path": "team"},
        {"Path": "/team"},
        {"Path": "/" + "p" * 511 + "/"},
        {"MaxSessionDuration": 3599},
        {"MaxSessionDuration": 43201},
    ],
)
def test_names_and_paths(gateway: Any, parameters: dict[str, Any]) -> None:
    iam = gateway.client("iam", CLUSTER, parameter_validation=False)
    error = refused(
        iam.create_role, **{"RoleName": unique("r"), "AssumeRolePolicyDocument": policy(ROOT), **parameters}
    )
    assert (error.code, error.status) == ("ValidationError", 400)


def test_longest_names_and_unique_ones(gateway: Any) -> None:
    iam = gateway.client("iam", CLUSTER)
    name = unique("Longest").ljust(64, "x")
    iam.create_role(RoleName=name, Path="/a/b+c/", AssumeRolePolicyDocument=policy(ROOT))
    error = refused(iam.create_role, RoleName=name.lower(), AssumeRolePolicyDocument=policy(ROOT))
    assert (error.code, error.status) == ("EntityAlreadyExists", 409)


def test_a_role_with_policies_is_not_deleted(gateway: Any) -> None:
    iam = gateway.client("iam", CLUSTER)
    name = make_role(gateway, CLUSTER, [ROOT], [allow("s3:GetObject", "*")]).rsplit("/", 1)[-1]
    managed = iam.create_policy(PolicyName=unique("m"), PolicyDocument=policy(allow("s3:GetObject", "*")))["Policy"][
        "Arn"
    ]
    iam.attach_role_policy(RoleName=name, PolicyArn=managed)
    iam.create_policy_version(PolicyArn=managed, PolicyDocument=policy(allow("s3:*", "*")), SetAsDefault=True)
    for undo in (
        lambda: iam.detach_role_policy(RoleName=name, PolicyArn=managed),
        lambda: iam.delete_role_policy(RoleName=name, PolicyName="rights"),
    ):
        assert refused(iam.delete_role, RoleName=name).code == "DeleteConflict"
        undo()
    iam.delete_role(RoleName=name)
    assert refused(iam.get_role, RoleName=name).code == "NoSuchEntity"
    assert refused(iam.delete_policy, PolicyArn=managed).code == "DeleteConflict"
    iam.delete_policy_version(PolicyArn=managed, VersionId="v1")
    iam.delete_policy(PolicyArn=managed)


def test_attached_policies_exist_and_are_ten_at_most(gateway: Any) -> None:
    iam = gateway.client("iam", CLUSTER)
    name = make_role(gateway, CLUSTER, [ROOT], []).rsplit("/", 1)[-1]
    missing = f"arn:aws:iam::{CLUSTER}:policy/missing"
    assert refused(iam.attach_role_policy, RoleName=name, PolicyArn=missing).code == "NoSuchEntity"
    document = policy(allow("s3:GetObject", "*"))
    arns = [
        iam.create_policy(PolicyName=unique("ten"), PolicyDocument=document)["Policy"]["Arn"] for _unused in range(11)
    ]
    for arn in arns[:10]:
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    error = refused(iam.attach_role_policy, RoleName=name, PolicyArn=arns[10])
    assert (error.code, error.message) == ("LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10")


def test_a_permissions_boundary_limits(gateway: Any) -> None:
    iam = gateway.client("iam", CLUSTER)
    boundary = iam.create_policy(
        PolicyName=unique("boundary"), PolicyDocument=policy(allow("s3:ListAllMyBuckets", "*"))
    )["Policy"]["Arn"]
    rights = [allow(["s3:ListAllMyBuckets", "iam:ListRoles"], "*")]
    role_client(gateway, "iam", CLUSTER, rights).list_roles()
    role_client(gateway, "s3", CLUSTER, rights, PermissionsBoundary=boundary).list_buckets()
    bounded = role_client(gateway, "iam", CLUSTER, rights, PermissionsBoundary=boundary)
    assert refused(bounded.list_roles).code == "AccessDenied"


def test_the_condition_key_of_boundaries(gateway: Any) -> None:
    boundary = gateway.client("iam", CLUSTER).create_policy(
        PolicyName=unique("boundary"), PolicyDocument=policy(allow("s3:*", "*"))
    )["Policy"]["Arn"]
    right = {
        **allow(["iam:CreateRole", "iam:PutRolePolicy"], "*"),
        "Condition": {"StringEquals": {"iam:PermissionsBoundary": boundary}},
    }
    iam = role_client(gateway, "iam", CLUSTER, [right])
    bound, free = unique("bound"), unique("free")
    iam.create_role(RoleName=bound, AssumeRolePolicyDocument=policy(ROOT), PermissionsBoundary=boundary)
    error = refused(iam.create_role, RoleName=free, AssumeRolePolicyDocument=policy(ROOT))
    assert error.code == "AccessDenied"
    make_role(gateway, CLUSTER, [ROOT], [], name=free)
    document = policy(allow("s3:GetObject", "*"))
    iam.put_role_policy(RoleName=bound, PolicyName="p", PolicyDocument=document)
    assert refused(iam.put_role_policy, RoleName=free, PolicyName="p", PolicyDocument=document).code == "AccessDenied"


def test_simulation_uses_the_evaluator(gateway: Any) -> None:
    iam = gateway.client("iam", CLUSTER)
    document = policy(
        allow("s3:GetObject", "arn:aws:s3:::here/*"),
        {**allow("s3:PutObject", "*"), "Condition": {"Bool": {"aws:SecureTransport": "true"}}},
    )

    def decisions(**options: Any) -> dict[tuple[str, str], str]:
        answer = iam.simulate_custom_policy(PolicyInputList=[document], **options)["EvaluationResults"]
        return {(result["EvalActionName"], result["EvalResourceName"]): result["EvalDecision"] for result in answer}

    here, there = "arn:aws:s3:::here/x", "arn:aws:s3:::there/x"
    assert decisions(ActionNames=["s3:GetObject", "s3:DeleteObject"], ResourceArns=[here, there]) == {
        ("s3:GetObject", here): "allowed",
        ("s3:GetObject", there): "implicitDeny",
        ("s3:DeleteObject", here): "implicitDeny",
        ("s3:DeleteObject", there): "implicitDeny",
    }
    context = [{"ContextKeyName": "aws:SecureTransport", "ContextKeyType": "boolean", "ContextKeyValues": ["true"]}]
    assert decisions(ActionNames=["s3:PutObject"], ContextEntries=context)[("s3:PutObject", "*")] == "allowed"
    assert decisions(ActionNames=["s3:PutObject"])[("s3:PutObject", "*")] == "implicitDeny"


def test_simulation_of_a_role_knows_its_boundary(gateway: Any) -> None:
    iam = gateway.client("iam", CLUSTER)
    boundary = iam.create_policy(PolicyName=unique("boundary"), PolicyDocument=policy(allow("s3:*", "*")))["Policy"][
        "Arn"
    ]
    arn = make_role(
        gateway, CLUSTER, [ROOT], [allow(["s3:*", "iam:*"], "*")], path="/team/", PermissionsBoundary=boundary
    )
    results = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=["s3:GetObject", "iam:ListRoles"])
    assert [result["EvalDecision"] for result in results["EvaluationResults"]] == ["allowed", "implicitDeny"]
    details = [result["PermissionsBoundaryDecisionDetail"] for result in results["EvaluationResults"]]
    assert [detail["AllowedByPermissionsBoundary"] for detail in details] == [True, False]
    assert "OrganizationsDecisionDetail" not in results["EvaluationResults"][0]
    missing = f"arn:aws:iam::{CLUSTER}:role/missing"
    error = refused(iam.simulate_principal_policy, PolicySourceArn=missing, ActionNames=["s3:GetObject"])
    assert error.code == "NoSuchEntity"


def test_simulation_says_what_the_organisation_denies_and_which_keys_it_was_not_given(gateway: Any) -> None:
    iam = gateway.client("iam", CLUSTER)
    in_europe = {**allow("s3:*", "*"), "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}}
    arn = make_role(gateway, CLUSTER, [ROOT], [in_europe, allow("iam:*", "*")])
    forbidden = {"Statement": [{**allow("iam:CreateRole", "*"), "Effect": "Deny"}]}
    gateway.control("/_sandbox/settings", {"organization_policies": [forbidden]})
    results = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=["s3:GetObject", "iam:CreateRole"])
    gateway.control("/_sandbox/settings", {"organization_policies": []})
    reading, creating = results["EvaluationResults"]
    assert (reading["EvalDecision"], reading["MissingContextValues"]) == ("implicitDeny", ["aws:RequestedRegion"])
    assert (creating["EvalDecision"], creating["MissingContextValues"]) == ("explicitDeny", [])
    allowed = [result["OrganizationsDecisionDetail"]["AllowedByOrganizations"] for result in (reading, creating)]
    assert allowed == [True, False]


def test_oidc_providers(gateway: Any) -> None:
    iam = gateway.client("iam", CLUSTER)
    host = f"oidc.eks.eu-west-1.amazonaws.com/id/{unique('X')}"
    made = iam.create_open_id_connect_provider(
        Url=f"https://{host}", ClientIDList=["sts.amazonaws.com"], Tags=[{"Key": "team", "Value": "finops"}]
    )
    arn = made["OpenIDConnectProviderArn"]
    assert arn == f"arn:aws:iam::{CLUSTER}:oidc-provider/{host}"
    assert made["Tags"] == [{"Key": "team", "Value": "finops"}]
    provider = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (provider["Url"], provider["Tags"]) == (host, [{"Key": "team", "Value": "finops"}])
    assert refused(iam.create_open_id_connect_provider, Url=f"https://{host}").code == "EntityAlreadyExists"

    def audiences() -> list[str]:
        return iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["ClientIDList"]

    for _unused in range(2):
        iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="vault")
        assert audiences() == ["sts.amazonaws.com", "vault"]
    for _unused in range(2):
        iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="vault")
        assert audiences() == ["sts.amazonaws.com"]
    iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=arn, Tags=[{"Key": "cost", "Value": "1"}])
    iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=arn, TagKeys=["team"])
    assert iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=arn)["Tags"] == [
        {"Key": "cost", "Value": "1"}
    ]
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    for call in (iam.get_open_id_connect_provider, iam.delete_open_id_connect_provider):
        assert refused(call, OpenIDConnectProviderArn=arn).code == "NoSuchEntity"
    error = refused(iam.add_client_id_to_open_id_connect_provider, OpenIDConnectProviderArn=arn, ClientID="v")
    assert error.code == "NoSuchEntity"


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"Url": "http://issuer.example.com"}, "ValidationError"),
        ({"Url": "issuer.example.com"}, "ValidationError"),
        ({"Url": "https://issuer.example.com:8443/id/1"}, "InvalidInput"),
        ({"Url": "https://issuer.example.com/id?x=1"}, "InvalidInput"),
        ({"Url": "https://" + "i" * 250 + ".com"}, "InvalidInput"),
        ({"ClientIDList": [f"audience-{n}" for n in range(101)]}, "LimitExceeded"),
        ({"ThumbprintList": ["abc"]}, "ValidationError"),
        ({"ThumbprintList": ["a" * 40] * 6}, "InvalidInput"),
    ],
)
def test_bad_oidc_providers(gateway: Any, parameters: dict[str, Any], code: str) -> None:
    iam = gateway.client("iam", CLUSTER, parameter_validation=False)
    good = {"Url": f"https://issuer.example.com/{unique('id')}", "ClientIDList": ["sts.amazonaws.com"]}
    assert refused(iam.create_open_id_connect_provider, **{**good, **parameters}).code == code
