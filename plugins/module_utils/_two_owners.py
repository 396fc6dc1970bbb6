# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who reads whose billing data, from the hosts of a run and from what the other owner handed over. Pure.

Hosts of the run win over a document. An entry for a document is described in ``_hand_off``.
"""

from __future__ import annotations

import fnmatch
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

from . import policies
from . import trust as trusts
from ._hand_off import Entry
from ._regions import check_region

Entries = t.Mapping[str, Entry]


def readers_of(
    payer: str, account_id: str, run: Entries, known: Entries, named: t.Sequence[str] = ()
) -> dict[str, list[str]]:
    """The clusters that read one payer.

    :param payer: its inventory name
    :param account_id: its account. A cluster of the same account reads with its own role: the trust does not need it. A
        user with an access key takes the reader's role all the same
    :param run: inventory name -> entry of each cluster of this run; an empty one says nothing
    :param known: the same from a readers document
    :param named: ARNs, and patterns of them, that the payer's own variables name. A role that a pattern means is in no
        need of a statement of its own
    :returns: ``role_arns`` (roles to trust), ``leaving_role_arns`` (roles that are to lose the trust), ``clusters``
        (names of all that read this payer and stay) and ``run`` (those of them that are hosts of this run)
    """
    entries = {**known, **{name: entry for name, entry in run.items() if entry}}
    reading = {name: entry for name, entry in entries.items() if payer in entry["payers"]}
    staying = {name: entry for name, entry in reading.items() if not entry.get("leaving")}
    roles = {
        entry["role_arn"]
        for entry in staying.values()
        if entry["account_id"] != account_id or ":user/" in entry["role_arn"]
    }
    leaving = {entry["role_arn"] for entry in reading.values() if entry.get("leaving")}
    # A role that another cluster still uses does not leave.
    leaving -= {entry["role_arn"] for entry in entries.values() if not entry.get("leaving")}
    roles = {role for role in roles if not any(fnmatch.fnmatchcase(role, pattern) for pattern in named)}
    return {
        "role_arns": sorted(roles | set(named)),
        "leaving_role_arns": sorted(leaving),
        "clusters": sorted(staying),
        "run": sorted(name for name in staying if run.get(name)),
    }


def billing_of(payers: t.Sequence[str], run: Entries, known: Entries) -> dict[str, t.Any]:
    """The billing data that one cluster reads.

    :param payers: inventory names, in the order of the cloud integration
    :param run: inventory name -> ``billing_data_result`` of each payer of this run; an empty one says nothing
    :param known: entries of a billing document
    :returns: ``billing`` (in the form of ``billing_data_result``) and ``missing`` (names)
    """
    billing, missing = [], []
    for payer in payers:
        if run.get(payer):
            billing.append(dict(run[payer]))
        elif payer in known:
            billing.append({**known[payer], "changes": [], "notes": []})
        else:
            missing.append(payer)
    return {"billing": billing, "missing": missing}


def payer_problems(
    host: str,
    payers: t.Any,
    hosts: t.Sequence[str],
    known: Entries,
    region: str,
    partitions: t.Mapping[str, str],
) -> list[str]:
    """What is wrong with the payers that a cluster names (``kubecost_payers``), one sentence each.

    :param host: inventory name of the cluster
    :param hosts: the payers of the inventory
    :param known: entries of a billing document. Where there are neither, the names cannot be judged yet
    :param region: of the cluster
    :param partitions: inventory name -> partition of each payer of this run
    """
    option = "kubecost_payers"
    names = [*hosts, *(name for name in known if name not in hosts)]
    unfit = not isinstance(payers, (list, tuple)) or not payers or not all(isinstance(name, str) for name in payers)
    unknown = [] if unfit or not names else [name for name in payers if name not in names]
    if unfit or unknown:
        said = ", ".join(str(name) for name in payers) if isinstance(payers, (list, tuple)) else payers
        which = f", of these: [{', '.join(names)}]" if names else ""
        more = (
            f". {', '.join(unknown)} is neither in the group payers nor in the billing document "
            "(kubestrap_hand_off_billing_file): add it to the group, or ask its owner for the document"
            if unknown
            else ""
        )
        return [
            f"{option}: '{said}' of {host} is not a list of hosts of the group payers. "
            f"Write a list of inventory names{which}{more}"
        ]
    try:
        own = check_region(option, region)
    except AnsibleAWSError:
        return []  # which is told by the name of the region's own variable
    theirs = {name: partitions.get(name) or known.get(name, {}).get("partition") or own for name in payers}
    return [
        _two_partitions(f"{option}: '{name}' of {host}", "payer", partition, "cluster", own)
        for name, partition in theirs.items()
        if partition != own
    ]


def reader_problems(
    payer: str,
    partition: str,
    run: Entries,
    known: Entries,
    absent: bool = False,
    purge: bool = False,
    limit: str = "",
    job: t.Mapping[str, str] | None = None,
    whole: bool = False,
    trust: t.Mapping[str, t.Any] | None = None,
) -> list[str]:
    """What is wrong between a payer and the clusters that read it, one sentence each.

    :param payer: its inventory name
    :param partition: of its account
    :param run: inventory name -> entry of each cluster of this run, with ``state`` (``present`` or ``absent``)
    :param known: entries of a readers document
    :param absent: the billing data is to be taken away
    :param purge: readers that are unknown to this run are to lose the trust
    :param limit: of the run (``--limit``)
    :param job: of AWX, see ``partial``
    :param whole: the user says that the run sees all clusters (``kubestrap_whole_inventory``)
    :param trust: of the payer's role: ``account_id``, ``named`` (as of ``readers_of``), ``readers`` (``principals`` of
        each statement that is there) and ``size_limit`` (characters; ``None`` for IAM's own)
    """
    problems = [
        _two_partitions(
            f"kubestrap_hand_off_readers: '{name}', which reads {payer},",
            "cluster",
            entry["partition"],
            "payer",
            partition,
        )
        for name, entry in known.items()
        if payer in entry["payers"] and entry["partition"] != partition and not entry.get("leaving")
    ]
    reading = [name for name, entry in run.items() if entry and payer in entry["payers"]]
    staying = [name for name in reading if run[name].get("state") == "present"]
    if absent and staying:
        problems.append(
            f"billing_data_state: 'absent' of {payer} cannot be while {', '.join(staying)} reads its billing data. "
            "Write kubecost_state: absent for the cluster too, or run the playbook kubestrap.aws.teardown"
        )
    why = partial(limit, job or {}, whole) if purge else ""
    if why:
        problems.append(
            f"billing_data_purge_readers: 'true' of {payer} cannot be {why}: clusters that are not part of this "
            "run would lose their access. Run it over the whole inventory"
        )
    if purge and not absent and not reading and not any(payer in entry["payers"] for entry in known.values()):
        problems.append(
            f"billing_data_purge_readers: 'true' of {payer} would leave it without a reader. Name its clusters in the "
            "inventory or in the readers document (kubestrap_hand_off_readers_file)"
        )
    return problems if absent or not trust else [*problems, *_crowd(payer, run, known, purge, trust)]


def _crowd(payer: str, run: Entries, known: Entries, purge: bool, trust: t.Mapping[str, t.Any]) -> list[str]:
    """Why the trust of a payer's role has no room for all who are to read; empty where nobody comes to it."""
    coming = {name: entry for name, entry in run.items() if entry and entry.get("state") != "absent"}
    named = trust["named"]
    wanted = set(readers_of(payer, trust["account_id"], coming, known, named)["role_arns"])
    there = {arn for reader in trust["readers"] for arn in reader["principals"] if ":role/" in arn or ":user/" in arn}
    if wanted <= there:
        return []
    statements = trusts.workload_role_trust(role_arns=sorted(wanted if purge else wanted | there))
    size = policies.size({"Version": "2012-10-17", "Statement": statements})
    limit = int(trust["size_limit"] or policies.TRUST_POLICY_SIZE)
    if size <= limit:
        return []
    return [
        f"kubecost_payers: {payer} would have {len(statements)} readers, and the trust of its role {size} characters; "
        f"IAM allows {limit}. Name many roles by one pattern in billing_data_reader_role_arns of {payer} (such as "
        "arn:aws:iam::222222222222:role/kubecost-*), or have AWS raise the quota and write it in "
        "billing_data_trust_size_limit"
    ]


def partial(limit: str, job: t.Mapping[str, str], whole: bool = False) -> str:
    """Why a run may not see all clusters, as words after "cannot be"; empty when it sees them all.

    A slice has an inventory of its own, and no variable that says so. AWX runs slices in a workflow that has the name
    of their job template; one that is launched anew stays a slice, and is in no workflow any more. Source:
    models/jobs.py and models/workflow.py of AWX (``create_unified_job``, ``get_job_kwargs``, ``awx_meta_vars``).

    :param job: ``id``, ``launch_type``, ``workflow`` (name of the workflow job) and ``template`` (name of the job
        template) of the job of AWX; an empty id outside of AWX
    """
    if limit:
        return "with --limit"
    if not job.get("id") or whole:
        return ""
    launched, workflow, template = (job.get(key, "") for key in ("launch_type", "workflow", "template"))
    if launched == "workflow" and workflow and template and workflow == template:
        return f"in a slice of the AWX job template {template}"
    if launched in ("", "relaunch") or (launched == "workflow" and not (workflow and template)):
        return "in a job of AWX that may be a slice (if it is none, write kubestrap_whole_inventory: true)"
    return ""


def _two_partitions(which: str, kind: str, partition: str, other_kind: str, other: str) -> str:
    payer_partition = partition if kind == "payer" else other
    return (
        f"{which} is a {kind} in the partition {partition}, and the {other_kind} is in {other}: no role can be taken "
        f"across partitions. Read the billing data of {payer_partition} with a Kubecost on a cluster of "
        f"{payer_partition}, one payer for each partition; or give this Kubecost access keys of an IAM user of "
        f"{payer_partition} for it"
    )
