//! Roles, admission policies and flow schemas of manifests/base, tried with tokens as the pods get them.
//!
//! The tables are read from the committed manifests: a verb that is added there without a need, or removed though it
//! is needed, is found by the daemons' scenarios; that the API server does what the manifests mean is found here.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::exact::{Answer, Asker, Target, Verb};
use super::rendered::{SPACE, find, kustomize};
pub(super) use crate::kubelab::{CONTROLLER, SPEAKER};
use crate::kubelab::{ControlPlane, KubeLab, NodeSpec, Options, Resource, User};
use crate::scenario::KubeScenario;
use crate::wait::wait_for;

pub(super) const SCENARIOS: &[KubeScenario] = &[
    KubeScenario {
        name: "kubernetes: accounts_may_what_their_roles_say_and_nothing_else",
        run: roles,
    },
    KubeScenario {
        name: "kubernetes: without_any_one_verb_the_request_it_is_for_is_refused",
        run: less,
    },
    KubeScenario {
        name: "kubernetes: a_speaker_writes_no_speaker_but_its_own",
        run: policies,
    },
    KubeScenario {
        name: "kubernetes: requests_are_ranked_by_our_flow_schemas",
        run: ranked,
    },
];

/// The API server reads roles, policies and flow schemas from caches of its own.
const LIMIT: Duration = Duration::from_secs(20);
pub(super) const NODE: &str = "access-node";

/// A plane with a node in it, and the objects of manifests/base.
pub(super) fn installed(lab: &KubeLab, name: &str) -> Result<(ControlPlane, Vec<Value>)> {
    let plane = lab.fresh(name, &Options::default())?;
    let objects = kustomize(lab.assets(), "base")?;
    plane.put_node(&NodeSpec {
        name: NODE,
        addresses: &["10.1.0.1".parse()?],
        pod_cidrs: &[],
        labels: &[],
    })?;
    Ok((plane, objects))
}

/// Whoever runs in the pod of an account.
pub(super) fn asker<'a>(plane: &'a ControlPlane, account: &str) -> Result<Asker<'a>> {
    Asker::with(plane, &pod_kubeconfig(plane, account)?)
}

/// With the token that the kubelet would give to the pod of an account.
pub(super) fn pod_kubeconfig(plane: &ControlPlane, account: &str) -> Result<PathBuf> {
    plane.pod_kubeconfig(account, NODE)
}

/// One rule of a role.
pub(super) struct Rule {
    /// `ClusterRole` or `Role`; both are named as the account.
    kind: &'static str,
    number: usize,
    verbs: Vec<Verb>,
    targets: Vec<Target>,
}

/// The rules of both roles of an account.
pub(super) fn rules(objects: &[Value], account: &str) -> Result<Vec<Rule>> {
    let mut rules = Vec::new();
    for kind in ["ClusterRole", "Role"] {
        let role = find(objects, kind, account)?;
        for (number, rule) in role["rules"].as_array().into_iter().flatten().enumerate() {
            ensure!(
                rule.get("resourceNames").is_none(),
                "{kind} {account}: {rule}"
            );
            let verbs = words(&rule["verbs"]).map(|verb| Verb::named(&verb));
            let mut targets = Vec::new();
            for group in words(&rule["apiGroups"]) {
                for resource in words(&rule["resources"]) {
                    targets.push(target(&group, &resource));
                }
            }
            rules.push(Rule {
                kind,
                number,
                verbs: verbs.collect::<Result<_>>()?,
                targets,
            });
        }
    }
    Ok(rules)
}

fn words(list: &Value) -> impl Iterator<Item = String> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|word| word.as_str().map(str::to_owned))
}

/// Where a resource is asked for: what lives in namespaces, in ours.
pub(super) fn target(group: &str, resource: &str) -> Target {
    let everywhere =
        group == "ringbolt.io" || matches!(resource, "namespaces" | "nodes" | "servicecidrs");
    Target {
        group: group.to_owned(),
        resource: resource.to_owned(),
        namespace: (!everywhere).then(|| SPACE.to_owned()),
    }
}

/// What all rules allow.
pub(super) fn table(rules: &[Rule]) -> BTreeSet<(Target, Verb)> {
    let cells = rules.iter().flat_map(|rule| {
        let targets = rule.targets.iter();
        targets.flat_map(|target| rule.verbs.iter().map(|verb| (target.clone(), *verb)))
    });
    cells.collect()
}

/// Every verb on every resource that a role of ours names: what is in the table is let through, all else is refused;
/// and the API server's own list of what the account may do names nothing beyond the table.
fn roles(lab: &KubeLab) -> Result<()> {
    let (mut plane, objects) = installed(lab, "roles")?;
    let both = [rules(&objects, CONTROLLER)?, rules(&objects, SPEAKER)?];
    let both = both.into_iter().flatten().flat_map(|rule| rule.targets);
    let both: BTreeSet<Target> = both.collect();
    for account in [CONTROLLER, SPEAKER] {
        let table = table(&rules(&objects, account)?);
        let asker = asker(&plane, account)?;
        for target in &both {
            for verb in Verb::ALL {
                if target.resource.contains('/')
                    && !matches!(verb, Verb::Get | Verb::Patch | Verb::Update)
                {
                    continue;
                }
                let allowed = table.contains(&(target.clone(), *verb));
                // The policy on Speakers asks for the node's own name; roles do not look at names.
                let answer =
                    asker.send(*verb, target, NODE, &json!({"metadata": {"name": NODE}}))?;
                let wanted = if allowed {
                    Answer::Allowed
                } else {
                    Answer::NoRole
                };
                ensure!(
                    answer == wanted,
                    "{account}: {} {target}: {answer:?} instead of {wanted:?}",
                    verb.name()
                );
            }
        }
        for namespace in [SPACE, "default"] {
            nothing_beyond(&plane, account, namespace, &table)?;
        }
    }
    plane.succeeded();
    Ok(())
}

/// Compares what `kubectl auth can-i --list` shows with the table and with what any account may do.
fn nothing_beyond(
    plane: &ControlPlane,
    account: &str,
    namespace: &str,
    table: &BTreeSet<(Target, Verb)>,
) -> Result<()> {
    let of_account = listed(plane, account, namespace)?;
    let of_anybody = listed(plane, "default", namespace)?;
    let ours = namespace == SPACE;
    for (group, resource, verb) in of_account.difference(&of_anybody) {
        let verb = Verb::named(verb).with_context(|| format!("{account}: {verb} {resource}"))?;
        let cell = (target(group, resource), verb);
        ensure!(
            table.contains(&cell),
            "{account} may {verb:?} {resource}.{group} in {namespace}, and no rule says so"
        );
        let of_role = matches!(resource.as_str(), "leases" | "secrets");
        ensure!(
            ours || !of_role,
            "{account} may {verb:?} {resource} in {namespace}"
        );
    }
    Ok(())
}

type Cell = (String, String, String);

/// What the API server says that an account of our namespace may do in a namespace.
fn listed(plane: &ControlPlane, account: &str, namespace: &str) -> Result<BTreeSet<Cell>> {
    let kubeconfig = plane.account_kubeconfig(SPACE, account, None)?;
    let client = plane.client_of(&kubeconfig)?;
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    });
    let request = http::Request::post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews")
        .header("Content-Type", "application/json")
        .body(review.to_string().into_bytes())?;
    let review: Value = plane.run(async { client.request(request).await })??;
    ensure!(review["status"]["incomplete"] == false, "{review}");
    let mut cells = BTreeSet::new();
    for rule in review["status"]["resourceRules"]
        .as_array()
        .into_iter()
        .flatten()
    {
        for group in words(&rule["apiGroups"]) {
            for resource in words(&rule["resources"]) {
                for verb in words(&rule["verbs"]) {
                    cells.insert((group.clone(), resource.clone(), verb));
                }
            }
        }
    }
    ensure!(!cells.is_empty(), "an account may nothing at all: {review}");
    Ok(cells)
}

/// Takes each verb of each rule away in turn, and sees the request that it is for refused until it is back.
fn less(lab: &KubeLab) -> Result<()> {
    let (mut plane, objects) = installed(lab, "less")?;
    for account in [CONTROLLER, SPEAKER] {
        let asker = asker(&plane, account)?;
        for rule in rules(&objects, account)? {
            let role = find(&objects, rule.kind, account)?;
            for verb in &rule.verbs {
                let mut without = role.clone();
                let verbs = without["rules"][rule.number]["verbs"]
                    .as_array_mut()
                    .context("a rule has verbs")?;
                verbs.retain(|kept| kept != verb.name());
                if verbs.is_empty() {
                    let all = without["rules"]
                        .as_array_mut()
                        .context("a role has rules")?;
                    all.remove(rule.number);
                }
                plane.apply(&without)?;
                settle(&asker, *verb, &rule.targets, &Answer::NoRole)?;
                plane.apply(role)?;
                settle(&asker, *verb, &rule.targets, &Answer::Allowed)?;
            }
        }
    }
    plane.succeeded();
    Ok(())
}

fn settle(asker: &Asker<'_>, verb: Verb, targets: &[Target], wanted: &Answer) -> Result<()> {
    for target in targets {
        let what = format!("{} {target} is {wanted:?}", verb.name());
        wait_for(&what, LIMIT, || {
            let answer = asker.send(verb, target, NODE, &json!({"metadata": {"name": NODE}}))?;
            ensure!(answer == *wanted, "it is {answer:?}");
            Ok(())
        })?;
    }
    Ok(())
}

/// What RBAC cannot say, with tokens that are bound to a pod, to a node, and to nothing.
fn policies(lab: &KubeLab) -> Result<()> {
    let (mut plane, _) = installed(lab, "policies")?;
    plane.put_node(&NodeSpec {
        name: "other-node",
        addresses: &["10.1.0.2".parse()?],
        pod_cidrs: &[],
        labels: &[],
    })?;
    let speakers = target("ringbolt.io", "speakers");
    let status = target("ringbolt.io", "speakers/status");
    let speaker = |name: &str| json!({"apiVersion": "ringbolt.io/v1beta1", "kind": "Speaker", "metadata": {"name": name}, "spec": {}});
    for name in [NODE, "other-node"] {
        plane.apply(&speaker(name))?;
    }
    let bound = asker(&plane, SPEAKER)?;
    let unbound = Asker::with(&plane, &plane.account_kubeconfig(SPACE, SPEAKER, None)?)?;
    let change = json!({"status": {"peers": "1/1"}});
    // Policies take effect a moment after they are made: the refusal is waited for, the rest is then so.
    wait_for("the policy is in force", LIMIT, || {
        let answer = bound.send(Verb::Patch, &status, "other-node", &change)?;
        let Answer::Policy(why) = answer else {
            anyhow::bail!("another node's Speaker: {answer:?}")
        };
        ensure!(why.contains("may not write Speaker other-node"), "{why}");
        Ok(())
    })?;
    let own = bound.send(Verb::Patch, &status, NODE, &change)?;
    ensure!(own == Answer::Allowed, "its own Speaker: {own:?}");
    for (name, refused) in [(NODE, false), ("third-node", true)] {
        let answer = bound.send(Verb::Create, &speakers, name, &speaker(name))?;
        ensure!(
            matches!(answer, Answer::Policy(_)) == refused,
            "create {name}: {answer:?}"
        );
    }
    for name in [NODE, "other-node"] {
        let answer = unbound.send(Verb::Patch, &status, name, &change)?;
        let Answer::Policy(why) = answer else {
            anyhow::bail!("a token bound to nothing writes {name}: {answer:?}")
        };
        ensure!(why.contains("bound to no node"), "{why}");
    }
    let admin = Asker::with(&plane, &plane.kubeconfig(User::Admin))?;
    let answer = admin.send(Verb::Patch, &status, "other-node", &change)?;
    ensure!(
        answer == Answer::Allowed,
        "the policy stops people too: {answer:?}"
    );
    pools(&plane)?;
    plane.succeeded();
    Ok(())
}

/// Of a pool the controller may change the finalizers and the status.
fn pools(plane: &ControlPlane) -> Result<()> {
    let name = "access-pool";
    plane.apply(&json!({
        "apiVersion": "ringbolt.io/v1beta1", "kind": "IPAddressPool",
        "metadata": {"name": name}, "spec": {"addresses": ["192.0.2.0/24"]},
    }))?;
    let controller = asker(plane, CONTROLLER)?;
    let target = target("ringbolt.io", "ipaddresspools");
    wait_for("the policy on pools is in force", LIMIT, || {
        let change = json!({"spec": {"addresses": ["198.51.100.0/24"]}});
        let answer = controller.send(Verb::Patch, &target, name, &change)?;
        let Answer::Policy(why) = answer else {
            anyhow::bail!("the addresses of a pool: {answer:?}")
        };
        ensure!(
            why.contains("nothing of a pool but its finalizers"),
            "{why}"
        );
        Ok(())
    })?;
    let change = json!({"metadata": {"finalizers": ["ringbolt.io/in-use"]}});
    let answer = controller.send(Verb::Patch, &target, name, &change)?;
    ensure!(
        answer == Answer::Allowed,
        "the finalizer of a pool: {answer:?}"
    );
    plane.delete(&Resource::ringbolt("IPAddressPool"), None, name)
}

/// The API server says with every answer by which flow schema it was ranked.
fn ranked(lab: &KubeLab) -> Result<()> {
    let (mut plane, objects) = installed(lab, "ranked")?;
    let resource = Resource::new("flowcontrol.apiserver.k8s.io/v1", "FlowSchema");
    let uid = |name: &str| -> Result<String> {
        let schema = plane.get(&resource, None, name)?;
        let schema = schema.with_context(|| format!("no flow schema {name}"))?;
        Ok(schema["metadata"]["uid"]
            .as_str()
            .context("a uid")?
            .to_owned())
    };
    let leases = target("coordination.k8s.io", "leases");
    let cases = [
        (CONTROLLER, Verb::Patch, leases, "ringbolt-leases"),
        (CONTROLLER, Verb::List, target("", "services"), "ringbolt"),
        (SPEAKER, Verb::List, target("", "services"), "ringbolt"),
    ];
    for (account, verb, target, schema) in cases {
        let (asker, wanted) = (asker(&plane, account)?, uid(schema)?);
        wait_for(
            &format!("{} {target} is ranked by {schema}", verb.name()),
            LIMIT,
            || {
                let found = asker.flow_schema(verb, &target, "ringbolt-controller")?;
                ensure!(found == wanted, "it is ranked by {found}, not by {wanted}");
                Ok(())
            },
        )?;
    }
    let level = find(&objects, "FlowSchema", "ringbolt-leases")?;
    ensure!(level["spec"]["priorityLevelConfiguration"]["name"] == "leader-election");
    plane.succeeded();
    Ok(())
}
