#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloud_cost_status_info
version_added: 1.0.0
short_description: Wait for Kubecost or OpenCost to read billing data, and explain what keeps it
description:
  - Reads the page on which Kubecost and OpenCost say how the ingestion of cloud costs goes, over the pods' own port or from a URL. Kubecost 1 has no
    such page; of it the lines C((7.7 complete)) of its log are read.
  - While the first data are on their way it waits, and says every few seconds what it saw last. It ends with a state, and never fails because the time
    is up.
  - Where no data come, it tells apart what all looks the same in the workload. AWS has not delivered yet, AWS denies a call, the query returns no rows, the
    table is the wrong one, or the configuration was not read. Each comes with the next step. The reason is looked for in the pods' log.
  - Lines with ERR in the log that mean nothing for the billing data, such as those about reserved instances and savings plans, are told apart.
  - Changes nothing.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  generation:
    description:
      - What is running, Kubecost by the generation of its chart, or OpenCost. Labels, container and port of the pods follow from it.
    type: str
    choices: ["1", "2", "3", opencost]
    default: "3"
  namespace:
    description:
      - Namespace of the workload.
    type: str
    default: kubecost
  label_selectors:
    description:
      - Labels of the pods that read the billing data. By default those that the chart of the O(generation) gives them.
    type: list
    elements: str
    default: []
  url:
    description:
      - The status page, for workloads whose pods cannot be reached. Kubecost's frontend has it at C(/model/cloudCost/status), OpenCost at
        C(/cloudCost/status).
    type: str
  url_ca_cert:
    description:
      - File with the certificate authority of O(url). By default the system's are used.
    type: path
  url_headers:
    description:
      - Headers to send to O(url), such as C(Authorization).
    type: dict
  integrations:
    description:
      - The integrations that should be there, each a dictionary. Without them those on the page are looked at.
      - C(account_id) of the payer is required. C(results_location), C(database), C(table), C(region) and C(workgroup) are compared with what the workload
        has read. C(delivered) says whether AWS has delivered the report. C(proof) is RV(kubestrap.aws.workload_identity_probe#module:proof) for
        this payer.
      - Other keys are passed over, so that results of the role C(billing_data) can be given as they are.
    type: list
    elements: dict
    default: []
  log_lines:
    description:
      - How many of the last lines of the pod's log are read, where the reason has to be found. V(0) reads none.
    type: int
    default: 5000
  wait:
    description:
      - Whether to wait while time alone can change the state. In check mode there is no wait.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds to wait at most. Then the state is returned as it is.
    type: int
    default: 600
attributes:
  async:
    description: Supports being used with the C(async) keyword.
    support: full
extends_documentation_fragment:
  - kubestrap.aws.attributes.action
  - kubestrap.aws.attributes.info
  - kubestrap.aws.kubernetes
notes:
  - With O(url) the API server may be left out; then no log is read. O(api_key) has to live as long as the task waits.
  - In the cluster it takes the verbs C(list) on C(pods), C(get) on C(pods/log), and C(get) and C(create) on C(pods/portforward).
  - Port-forward is answered by the kubelet. The API server's proxy is not used, because on EKS it often has no way to the pods.
requirements:
  - kubernetes (not with O(url) alone)
seealso:
  - module: kubestrap.aws.workload_identity_probe
  - module: kubestrap.aws.athena_query
"""

EXAMPLES = r"""
- name: Wait until Kubecost reads the billing data
  kubestrap.aws.cloud_cost_status_info:
    host: "{{ cluster.endpoint }}"
    ca_cert: "{{ ca_file }}"
    api_key: "{{ lookup('kubestrap.aws.eks_token', 'demo', region='eu-west-1', profile='cluster') }}"
    namespace: kubecost
    integrations:
      - account_id: "111111111111"
        results_location: s3://acme-billing-results/kubecost
        delivered: true
    wait_timeout: 300
  register: ingestion

- name: Look at the status page behind an ingress, once
  kubestrap.aws.cloud_cost_status_info:
    url: "{{ kubecost_url }}/model/cloudCost/status"
    wait: false
  register: ingestion

- name: Show what comes next
  kubestrap.aws.report_lines:
    lines: "{{ ingestion.cloud_cost.notes or ['Everything is read.'] }}"
"""

RETURN = r"""
cloud_cost:
  description: How the ingestion goes.
  returned: always
  type: dict
  contains:
    state:
      description: V(ok), V(pending) or V(failed); of several integrations the worst.
      type: str
      sample: pending
    finding:
      description:
        - V(working), data are read.
        - V(starting) or V(ingesting), the first query or the first build is not done yet.
        - V(not_delivered), AWS has not delivered the report yet.
        - V(empty_query), the query works and returns no rows.
        - V(denied), AWS denies a call.
        - V(wrong_table), table or columns are not those that the query needs.
        - V(not_read), the pods have not read the configuration that is meant. V(invalid_configuration), they have, and it is wrong.
        - V(query_failed), the query failed and the log does not say why.
        - V(disabled), cloud costs or the integration are switched off.
        - V(not_running), V(unreachable) or V(no_access), there is no pod, no answer, or no right to ask.
      type: str
      sample: not_delivered
    detail:
      description: What was seen.
      type: str
      sample: Data Missing
    cause:
      description: Why it is so, empty when all is well.
      type: str
      sample: AWS has not delivered the report of account 111111111111 yet, which takes up to 24 hours
    change:
      description: The next step, empty when all is well.
      type: str
      sample: Wait, nothing is to be mended; the next run is at 2026-01-01T06:00:00Z
    notes:
      description: The same in sentences, for each integration that is not V(working).
      type: list
      elements: str
      sample: ["Ingestion of 111111111111/s3://acme-results: Data Missing. AWS has not delivered the report of account 111111111111 yet."]
    integrations:
      description: Each integration, or one entry without C(key) when there is none to tell about.
      type: list
      elements: dict
      contains:
        key:
          description: Account and location of the results, as Kubecost names the integration.
          type: str
          sample: 111111111111/s3://acme-results
        expected:
          description: Whether O(integrations) names it. The others do not count for the state.
          type: bool
          sample: true
        state:
          description: As above.
          type: str
          sample: pending
        finding:
          description: As above.
          type: str
          sample: not_delivered
        detail:
          description: As above.
          type: str
          sample: Data Missing
        cause:
          description: As above.
          type: str
          sample: AWS has not delivered the report of account 111111111111 yet, which takes up to 24 hours
        change:
          description: As above.
          type: str
          sample: Wait, nothing is to be mended; the next run is at 2026-01-01T06:00:00Z
        percent:
          description: How much of the first build is done, of Kubecost 1; V(null) where it does not say.
          type: float
          sample: 7.7
        status:
          description: The integration's entry of the status page, without its configuration.
          type: dict
          sample: {connectionStatus: Data Missing, runs: 1, active: true, valid: true}
    harmless:
      description: Errors in the log that mean nothing for the billing data.
      type: list
      elements: dict
      contains:
        text:
          description: The line.
          type: str
          sample: "2026-01-01T00:00:00Z ERR Failed to lookup reserved instance data: no reservation data available in Athena"
        cause:
          description: Why it is there.
          type: str
          sample: reserved instances and savings plans are looked up on another way
    log_lines:
      description: How many lines of the log were read.
      type: int
      sample: 0
    seconds:
      description: For how long it was waited.
      type: int
      sample: 12
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._cloud_cost_finding import Expected, verdict, waits
from ansible_collections.kubestrap.aws.plugins.module_utils._cloud_cost_read import (
    PRODUCTS,
    PortForward,
    Source,
    get_url,
    look,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._identifiers import check_account_id, refuse
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_connection import (
    KUBERNETES_ARGUMENTS,
    KUBERNETES_RULES,
    kube_for,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._kubernetes_names import check_kubernetes_name

# Between two looks of one start of the module. The action plugin starts it anew for each look.
PAUSE_SECONDS = 5
COMPARED = ("database", "table", "region", "workgroup")
SHOWN = (
    "source",
    "provider",
    "active",
    "valid",
    "lastRun",
    "nextRun",
    "RefreshRate",
    "runs",
    "coverage",
    "connectionStatus",
)

ARGUMENTS = dict(
    **KUBERNETES_ARGUMENTS,
    generation=dict(type="str", choices=list(PRODUCTS), default="3"),
    namespace=dict(type="str", default="kubecost"),
    label_selectors=dict(type="list", elements="str", default=[]),
    url=dict(type="str"),
    url_ca_cert=dict(type="path"),
    url_headers=dict(type="dict", no_log=True),
    integrations=dict(type="list", elements="dict", default=[]),
    log_lines=dict(type="int", default=5000),
    wait=dict(type="bool", default=True),
    wait_timeout=dict(type="int", default=600),
)


def check(params):
    """Refuse an input before anything is asked.

    :raises AnsibleAWSError: names option, value and what to write
    """
    check_kubernetes_name("namespace", params["namespace"], "namespace")
    for option in ("log_lines", "wait_timeout"):
        if params[option] < 0:
            refuse(option, params[option], "is not a number from 0 on", "Write one, or leave the option out")
    if params["url"] is not None and not params["url"].startswith(("http://", "https://")):
        refuse(
            "url",
            params["url"],
            "is not a URL",
            "Write one, for example https://kubecost.example/model/cloudCost/status",
        )
    if params["host"] is not None and not params["host"].startswith("https://"):
        write = "Write its endpoint, https://... (endpoint of eks_cluster_info)"
        refuse("host", params["host"], "is not the URL of an API server", write)
    if params["url"] is not None and params["generation"] == "1":
        refuse("generation", "1", "has no status page to read from url", "Leave url out: its log is read from the pods")
    for number, entry in enumerate(params["integrations"]):
        option = f"integrations[{number}]"
        check_account_id(f"{option}.account_id", entry.get("account_id"))
        proof = entry.get("proof")
        if proof is not None and not (isinstance(proof, dict) and isinstance(proof.get("links"), list)):
            refuse(f"{option}.proof", proof, "is no proof", "Give the result 'proof' of workload_identity_probe")


def expected_of(params):
    """The integrations that the task asks for."""
    return [
        Expected(
            account_id=entry["account_id"],
            bucket=entry.get("results_location") or "",
            delivered=None if entry.get("delivered") is None else boolean(entry["delivered"], strict=False),
            proof=entry.get("proof"),
            values={name: str(entry[name]) for name in COMPARED if entry.get(name)},
        )
        for entry in params["integrations"]
    ]


def source_of(params):
    """Where the task looks.

    :raises KubeError: a file cannot be used, or the Python package kubernetes is missing
    """
    product = PRODUCTS[params["generation"]]
    kube = client = None
    if params["host"] or params["kubeconfig"]:
        kube = kube_for(params)
    if kube and not params["url"] and product.port:
        client = client_of(params)
    return Source(
        product=product,
        kube=kube,
        forward=client and PortForward(client).get,
        namespace=params["namespace"],
        selector=",".join(params["label_selectors"]) or product.selector,
        get_url=params["url"] and (lambda: get_url(params["url"], params["url_ca_cert"], params["url_headers"])),
        log_lines=params["log_lines"],
    )


def client_of(params):
    """The kubernetes client, which is what can forward ports."""
    try:
        from kubernetes import client, config
    except ImportError as e:
        change = "Install the Python package kubernetes, or give url"
        raise KubeError("The pods' ports cannot be reached", str(e), change) from e
    if params["kubeconfig"]:
        return config.new_client_from_config(params["kubeconfig"], params["context"])
    settings = client.Configuration(host=params["host"].rstrip("/"))
    settings.api_key = {"authorization": f"Bearer {params['api_key']}"}
    settings.ssl_ca_cert = params["ca_cert"]
    return client.ApiClient(settings)


def shape(made, log, seconds):
    """What was found, as the module returns it."""
    whole = verdict(made)
    return {
        "state": whole.state,
        "finding": whole.finding,
        "detail": whole.detail,
        "cause": whole.cause,
        "change": whole.change,
        "notes": [finding.note for finding in made if finding.expected and finding.state != "ok"],
        "integrations": [
            {
                **{name: getattr(finding, name) for name in ("key", "expected", "state", "finding")},
                **{name: getattr(finding, name) for name in ("detail", "cause", "change", "percent")},
                "status": {name: finding.status[name] for name in SHOWN if name in finding.status},
            }
            for finding in made
        ],
        "harmless": [{"text": meaning.text, "cause": meaning.cause} for meaning in log.harmless],
        "log_lines": log.lines,
        "seconds": int(seconds),
    }


def follow(source, expected, timeout, sleep=time.sleep, clock=time.monotonic):
    """Look until time changes nothing any more, or is up.

    :param timeout: seconds; 0 looks once
    """
    begun = since = clock()
    last = None
    while True:
        made, log = look(source, expected)
        now = clock()
        finding = verdict(made).finding
        since, last = (since if finding == last else now), finding
        if not waits(finding, now - since) or now - begun + PAUSE_SECONDS > timeout:
            return shape(made, log, now - begun)
        sleep(PAUSE_SECONDS)


def main():
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        required_one_of=[("host", "kubeconfig", "url")],
        mutually_exclusive=KUBERNETES_RULES["mutually_exclusive"],
        required_together=KUBERNETES_RULES["required_together"],
        required_by={**KUBERNETES_RULES["required_by"], "url_ca_cert": ("url",), "url_headers": ("url",)},
    )
    try:
        check(module.params)
        source = source_of(module.params)
    except (AnsibleAWSError, KubeError) as e:
        module.fail_json(msg=str(e))
    timeout = 0 if module.check_mode or not module.params["wait"] else module.params["wait_timeout"]
    module.exit_json(changed=False, cloud_cost=follow(source, expected_of(module.params), timeout))


if __name__ == "__main__":
    main()
