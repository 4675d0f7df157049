//! From the command line of a pod to that of a process.
//!
//! As in a pod, `$(NAME)` stands for something that is put in at start and `$$` for one `$`. `$(POD_NAME)` is known here
//! already; [`DATA_DIR`] and [`CONFIG_DIR`] remain.

use serde_json::Value;

use crate::render::output::{Object, Output};

/// Stands for the folder of all data of a cluster.
pub(super) const DATA_DIR: &str = "$(DATA_DIR)";
/// Stands for the folder of `processes.json`.
pub(super) const CONFIG_DIR: &str = "$(CONFIG_DIR)";

/// Flags that make no sense without a pod, whatever follows their names.
const POD_ONLY: [&str; 4] =
    ["--reloader.", "--grpc-server-tls-", "--grpc-client-", "--enable-auto-gomemlimit"];

/// Flags that a process has instead of those of the pod.
#[derive(Debug, Default)]
pub(super) struct Instead {
    /// Flags, and the words that take their place.
    list: Vec<(&'static str, Vec<String>)>,
}

impl Instead {
    /// One value, whether the pod has the flag or not.
    pub(super) fn set(&mut self, flag: &'static str, value: impl Into<String>) -> &mut Instead {
        self.each(flag, vec![value.into()])
    }

    /// Any number of values.
    pub(super) fn each(&mut self, flag: &'static str, values: Vec<String>) -> &mut Instead {
        let words = values.into_iter().map(|value| format!("{flag}={value}")).collect();
        self.list.push((flag, words));
        self
    }

    /// A value for a flag that the pod has.
    pub(super) fn change(
        &mut self,
        pod: &[String],
        flag: &'static str,
        value: impl Into<String>,
    ) -> &mut Instead {
        if pod.iter().any(|word| name(word) == flag) {
            self.set(flag, value);
        }
        self
    }

    /// A flag without value.
    pub(super) fn switch(&mut self, flag: &'static str) -> &mut Instead {
        self.list.push((flag, vec![flag.to_string()]));
        self
    }

    /// Nothing.
    pub(super) fn without(&mut self, flags: &[&'static str]) -> &mut Instead {
        self.list.extend(flags.iter().map(|flag| (*flag, Vec::new())));
        self
    }

    /// The command line of a process, and the flags that had to go because they name something inside Kubernetes.
    pub(super) fn apply(&self, pod: &[String], pod_name: &str) -> (Vec<String>, Vec<String>) {
        let (mut args, mut lost) = (Vec::new(), Vec::new());
        for word in pod {
            let flag = name(word);
            if self.list.iter().any(|(known, _)| *known == flag)
                || POD_ONLY.iter().any(|start| flag.starts_with(start))
            {
                continue;
            }
            match inside_kubernetes(word) {
                true => lost.push(flag.to_string()),
                false => args.push(expand(word, pod_name)),
            }
        }
        args.extend(self.list.iter().flat_map(|(_, words)| words.iter().cloned()));
        (args, lost)
    }

    /// Whether the process decides on this flag by itself.
    pub(super) fn decides(&self, flag: &str) -> bool {
        self.list.iter().any(|(known, _)| *known == flag)
    }
}

/// The flag of a word: what stands before `=`.
fn name(word: &str) -> &str {
    word.split_once('=').map_or(word, |(flag, _)| flag)
}

/// Whether a value is an address or a path that exists in a cluster only.
fn inside_kubernetes(word: &str) -> bool {
    let value = word.split_once('=').map_or("", |(_, value)| value);
    [".svc:", ".svc/", ".svc.", "dnssrv+", "dnssrvnoa+", "$(POD_IP)"].iter().any(|part| value.contains(part))
        || value.ends_with(".svc")
        || value.starts_with("/etc/")
}

/// Puts the pod's name in, and leaves everything that is escaped alone.
fn expand(word: &str, pod_name: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        if let Some(behind) = from.strip_prefix("$(POD_NAME)") {
            out.push_str(pod_name);
            rest = behind;
        } else if let Some(behind) = from.strip_prefix("$$") {
            out.push_str("$$");
            rest = behind;
        } else {
            out.push('$');
            rest = from.strip_prefix('$').unwrap_or_default();
        }
    }
    out.push_str(rest);
    out
}

/// The arguments of the container of a workload: of the sidecar, or of the first one.
pub(super) fn of_pod(pods: &Output, component: &str, sidecar: bool) -> Option<Vec<String>> {
    let workload = |object: &&Object| {
        let text = |pointer: &str| object.value.pointer(pointer).and_then(Value::as_str);
        matches!(text("/kind"), Some("StatefulSet" | "Deployment"))
            && text("/metadata/name") == Some(component)
    };
    let object = pods.objects.iter().find(workload)?;
    let containers = object.value.pointer("/spec/template/spec/containers")?.as_array()?;
    let args = |container: &Value| -> Option<Vec<String>> {
        let args = container.get("args")?.as_array()?;
        Some(args.iter().filter_map(|word| word.as_str().map(String::from)).collect())
    };
    let mut all = containers.iter().filter_map(args);
    match sidecar {
        true => all.find(|args| args.first().is_some_and(|word| word == "sidecar")),
        false => all.next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pods_name_is_put_in_and_escapes_stay() {
        assert_eq!(expand("--label=a=\"$(POD_NAME)\"", "x-0"), "--label=a=\"x-0\"");
        assert_eq!(expand("$$(POD_NAME)$1$", "x-0"), "$$(POD_NAME)$1$");
        assert_eq!(expand("--d=$(DATA_DIR)/é", "x-0"), "--d=$(DATA_DIR)/é");
    }

    #[test]
    fn addresses_inside_the_cluster_are_lost() {
        let pod =
            ["query", "--x=http://a.b.svc:1", "--y=/etc/x", "--z=1", "--reloader.y=2"].map(String::from);
        let mut instead = Instead::default();
        instead.set("--http-address", "127.0.0.1:1").each("--endpoint", Vec::new());
        let (args, lost) = instead.apply(&pod, "x-0");
        assert_eq!(args, ["query", "--z=1", "--http-address=127.0.0.1:1"]);
        assert_eq!(lost, ["--x", "--y"]);
    }
}
