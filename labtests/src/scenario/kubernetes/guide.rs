//! The pages about installing, upgrading and uninstalling, followed command by command on a cluster of their own, once
//! with kustomize and once with Helm.
//!
//! What stands in `console` blocks is run as it stands. There is no kubelet here: the lab runs a daemon for as long as
//! its Deployment or DaemonSet is there.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::rendered::SPACE;
use crate::kubelab::{
    Assets, CONTROLLER, ControlPlane, KubeLab, NodeSpec, Options, Program, Resource, SPEAKER, User,
};
use crate::netns::run;
use crate::process::Daemon;
use crate::scenario::KubeScenario;
use crate::wait::wait_for;

pub(super) const SCENARIOS: &[KubeScenario] = &[
    KubeScenario {
        name: "kubernetes: the_guide_installs_upgrades_and_uninstalls_with_kustomize",
        run: with_kustomize,
    },
    KubeScenario {
        name: "kubernetes: the_guide_installs_upgrades_and_uninstalls_with_helm",
        run: with_helm,
    },
];

const LIMIT: Duration = Duration::from_secs(60);
/// The node that the pages mean.
const NODE: &str = "node-1";

fn with_kustomize(lab: &KubeLab) -> Result<()> {
    let mut reader = Reader::begin(lab, "kustomize")?;
    reader.follow("install.md", "With kustomize")?;
    reader.first_pool()?;
    let rights = reader.follow("security.md", "Rights in the cluster")?;
    ensure!(
        rights.trim_end().ends_with("no"),
        "a speaker lists secrets: {rights}"
    );
    reader.follow("security.md", "Overload")?;
    reader.follow("upgrade.md", "With kustomize")?;
    reader.follow("upgrade.md", "A node that must not be disturbed")?;
    reader.end()
}

fn with_helm(lab: &KubeLab) -> Result<()> {
    if lab.assets().helm().is_none() {
        println!("skipped: no helm was built with the lab; its pages are not followed");
        return Ok(());
    }
    let mut reader = Reader::begin(lab, "helm")?;
    reader.follow("install.md", "With Helm")?;
    reader.first_pool()?;
    reader.follow("upgrade.md", "With Helm")?;
    reader.end()
}

/// Somebody who follows the guide.
struct Reader<'a> {
    lab: &'a KubeLab,
    /// They end before the plane does.
    daemons: Vec<Daemon>,
    plane: ControlPlane,
    /// The tools as a person has them on the path.
    tools: PathBuf,
    tool: &'static str,
}

impl<'a> Reader<'a> {
    fn begin(lab: &'a KubeLab, tool: &'static str) -> Result<Self> {
        let name = format!("guide-{tool}");
        let plane = ControlPlane::start(lab.assets(), &name, &Options::default())?;
        let tools = plane.folder().join("tools");
        fs::create_dir(&tools)?;
        link(lab.assets(), &tools)?;
        symlink(
            lab.ringbolt().program().canonicalize()?,
            tools.join("ringbolt"),
        )?;
        plane.put_node(&NodeSpec {
            name: NODE,
            addresses: &["10.1.0.1".parse()?],
            pod_cidrs: &[],
            labels: &[],
        })?;
        Ok(Self {
            lab,
            daemons: Vec::new(),
            plane,
            tools,
            tool,
        })
    }

    /// Runs the commands of a section; returns what the last one printed.
    fn follow(&mut self, page: &str, section: &str) -> Result<String> {
        let mut printed = String::new();
        for line in commands(page, section)? {
            printed = self
                .run(&line)
                .with_context(|| format!("{page}, {section}"))?;
            self.play_kubelet()?;
        }
        Ok(printed)
    }

    fn run(&self, line: &str) -> Result<String> {
        let mut command = self
            .plane
            .kubectl_command(&self.plane.kubeconfig(User::Admin));
        // The tool's own command carries the environment; what runs in it is the page's line.
        let environment: Vec<_> = command
            .get_envs()
            .map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned)))
            .collect();
        command = self.plane.space().command("sh");
        for (name, value) in environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.tools.display()));
        command.current_dir(root());
        run(command.args(["-c", line]))
    }

    /// A daemon runs for as long as its workload is there.
    fn play_kubelet(&mut self) -> Result<()> {
        let deployment = Resource::new("apps/v1", "Deployment");
        let wanted = self
            .plane
            .get(&deployment, Some(SPACE), CONTROLLER)?
            .is_some();
        match (wanted, self.daemons.is_empty()) {
            (true, true) => self.start(),
            (false, false) => self.stop(),
            (true, false) | (false, true) => Ok(()),
        }
    }

    fn start(&mut self) -> Result<()> {
        for account in [CONTROLLER, SPEAKER] {
            let kubeconfig = self.plane.pod_kubeconfig(account, NODE)?;
            let args: &[&str] = match account {
                SPEAKER => &["speaker", "--node-name", NODE],
                _ => &["controller"],
            };
            let program = self.lab.ringbolt();
            let daemon = self
                .plane
                .start_ringbolt(program, account, &kubeconfig, args)?;
            self.daemons.push(daemon);
        }
        Ok(())
    }

    fn stop(&mut self) -> Result<()> {
        for mut daemon in self.daemons.drain(..) {
            daemon.terminate(LIMIT)?;
        }
        for account in [CONTROLLER, SPEAKER] {
            self.plane.remove_account_pod(account, NODE)?;
        }
        Ok(())
    }

    fn first_pool(&mut self) -> Result<()> {
        let shown = self.follow("install.md", "A first pool")?;
        ensure!(
            shown.contains("public"),
            "`ringbolt status pools` shows\n{shown}"
        );
        let web = self.web()?;
        let address = &web["status"]["loadBalancer"]["ingress"][0]["ip"];
        ensure!(*address == "192.0.2.64", "the Service has {address}");
        wait_for("the speaker reports", LIMIT, || {
            let speaker = self.plane.get(&Resource::ringbolt("Speaker"), None, NODE)?;
            let conditions = &speaker.context("no Speaker")?["status"]["conditions"];
            ensure!(conditions.is_array(), "it says {conditions}");
            Ok(())
        })
    }

    fn web(&self) -> Result<Value> {
        let web = self
            .plane
            .get(&Resource::service(), Some("default"), "web")?;
        web.context("the Service went")
    }

    /// Uninstalls, and looks for what is left.
    fn end(mut self) -> Result<()> {
        for daemon in &mut self.daemons {
            daemon.check_alive()?;
        }
        let section = match self.tool {
            "helm" => "With Helm",
            _ => "With kustomize",
        };
        self.follow("uninstall.md", section)?;
        ensure!(self.daemons.is_empty(), "the daemons still have a workload");
        let web = self.web()?;
        ensure!(
            web["metadata"]["finalizers"] == Value::Null,
            "the Service keeps {}",
            web["metadata"]["finalizers"]
        );
        ensure!(
            web["status"]["loadBalancer"] == json!({}),
            "{}",
            web["status"]
        );
        self.plane
            .delete(&Resource::service(), Some("default"), "web")?;
        for kind in [
            "namespace/ringbolt-system",
            "clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings,\
             flowschemas,prioritylevelconfigurations --selector app.kubernetes.io/part-of=ringbolt",
        ] {
            let left = self.run(&format!("kubectl get {kind} --ignore-not-found -o name"))?;
            ensure!(left.trim().is_empty(), "left behind: {left}");
        }
        let crds = self.run("kubectl get crds -o name")?;
        ensure!(!crds.contains("ringbolt.io"), "left behind: {crds}");
        self.plane.succeeded();
        Ok(())
    }
}

fn link(assets: &Assets, tools: &Path) -> Result<()> {
    symlink(
        assets.path(Program::Kubectl).canonicalize()?,
        tools.join("kubectl"),
    )?;
    if let Some(helm) = assets.helm() {
        symlink(helm.canonicalize()?, tools.join("helm"))?;
    }
    Ok(())
}

/// The root of the source, where the pages' paths begin.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The commands below a heading of a page, in `console` blocks. A block of another kind than these two is a mistake of
/// the page: nobody would know whether it was tried.
fn commands(page: &str, section: &str) -> Result<Vec<String>> {
    let text = fs::read_to_string(root().join("docs/guide").join(page))?;
    let heading = format!("## {section}");
    let (mut inside, mut block, mut found) = (false, None, Vec::new());
    for line in text.lines() {
        match (block, line.strip_prefix("```")) {
            (None, Some(kind @ ("console" | "sh"))) => block = Some(kind),
            (None, Some(kind)) => bail!("{page}: a block of kind `{kind}`"),
            (Some(_), Some(_)) => block = None,
            (None, None) if line.starts_with("## ") => inside = line == heading,
            (Some("console"), None) if inside => {
                let command = line.strip_prefix("$ ");
                found.push(
                    command
                        .with_context(|| format!("{page}: {line}"))?
                        .to_owned(),
                );
            }
            (_, None) => {}
        }
    }
    ensure!(
        !found.is_empty(),
        "{page} has no commands below `{heading}`"
    );
    Ok(found)
}
