//! Rule ConfigMaps, and the same texts as plain files for promtool.
//!
//! Every source of rules is a key of its own; groups keep the text that was written once for the whole run, and ConfigMaps
//! and plain files share its pieces.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::output::Output;
use crate::model::rules::{CONFIG_MAP_BYTES_MAX, Placed};
use crate::model::{Cluster, Role};

/// One ConfigMap of rules.
struct RuleMap {
    name: String,
    keys: Vec<(String, Vec<Arc<str>>)>,
}

/// Adds rules.
pub fn render(out: &mut Output) {
    let cluster = out.cluster;
    let maps = local_maps(cluster);
    write(out, &maps, Role::Prometheus, "30-prometheus/rules", "raw/rules");
    let maps = ruler_maps(cluster);
    write(out, &maps, Role::Ruler, "60-thanos/ruler-rules", "raw/ruler-rules");
}

/// Names of the ConfigMaps with rules that every Prometheus evaluates.
pub fn local_config_maps(cluster: &Cluster) -> Vec<String> {
    local_maps(cluster).into_iter().map(|map| map.name).collect()
}

/// Names of the ConfigMaps with rules that the ruler evaluates.
pub fn ruler_config_maps(cluster: &Cluster) -> Vec<String> {
    ruler_maps(cluster).into_iter().map(|map| map.name).collect()
}

fn local_maps(cluster: &Cluster) -> Vec<RuleMap> {
    let groups: Vec<&Placed> = cluster.rules.groups.iter().filter(|group| group.place.is_local()).collect();
    let base = cluster.object_name("prometheus-rules");
    if cluster.bare {
        // The tutorial's StatefulSet mounts this one by name, whether there are rules or not.
        let keys = match groups.is_empty() {
            true => vec![("alert-rules.yaml".to_string(), vec![Arc::from("groups: []\n")])],
            false => keys(&groups, true),
        };
        let wanted = cluster.first(Role::Prometheus).is_some();
        return if wanted { vec![RuleMap { name: base, keys }] } else { Vec::new() };
    }
    pack(&base, keys(&groups, false))
}

fn ruler_maps(cluster: &Cluster) -> Vec<RuleMap> {
    let groups: Vec<&Placed> = cluster.rules.groups.iter().filter(|group| group.place.is_ruler()).collect();
    pack(&cluster.object_name("thanos-ruler-rules"), keys(&groups, cluster.bare))
}

/// The keys of all ConfigMaps: one for each source, more where a source is too large for one ConfigMap.
fn keys(groups: &[&Placed], bare: bool) -> Vec<(String, Vec<Arc<str>>)> {
    let header: Arc<str> = Arc::from("groups:\n");
    let mut sources: Vec<(&str, Vec<&Placed>)> = Vec::new();
    let mut index: BTreeMap<&str, usize> = BTreeMap::new();
    for placed in groups {
        // Under `bare`, groups without a file of their own share the tutorial's key.
        let source = match placed.group.source.as_str() {
            name if bare && !is_file(name) => "",
            name => name,
        };
        let at = *index.entry(source).or_insert_with(|| {
            sources.push((source, Vec::new()));
            sources.len() - 1
        });
        if let Some((_, list)) = sources.get_mut(at) {
            list.push(placed);
        }
    }
    let mut keys: Vec<(String, Vec<Arc<str>>)> = Vec::new();
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for (source, groups) in sources {
        let stem = stem(source, bare);
        let mut size = usize::MAX;
        let mut names: Vec<&str> = Vec::new();
        for placed in groups {
            let group = &placed.group;
            let bytes = group.text.len();
            // A file holds a group name only once; the same file may be named by two nodes.
            if size.saturating_add(bytes) > CONFIG_MAP_BYTES_MAX || names.contains(&group.name.as_str()) {
                let count = taken.entry(stem.clone()).and_modify(|count| *count += 1).or_insert(1);
                let key =
                    if *count == 1 { format!("{stem}.yaml") } else { format!("{stem}.part-{count}.yaml") };
                let key = if bare && *count > 1 { format!("{stem}-{count}-rules.yaml") } else { key };
                keys.push((key, vec![header.clone()]));
                size = header.len();
                names.clear();
            }
            if let Some((_, pieces)) = keys.last_mut() {
                pieces.push(group.text.clone());
            }
            size += bytes;
            names.push(&group.name);
        }
    }
    keys
}

fn is_file(source: &str) -> bool {
    source.ends_with(".yaml") || source.ends_with(".yml")
}

/// The name of a key without its ending: letters, digits, `-`, `_` and `.` only. Prometheus' glob decides how it ends.
fn stem(source: &str, bare: bool) -> String {
    if source.is_empty() {
        return "alert-rules".to_string();
    }
    let name = source.strip_suffix(".yaml").or_else(|| source.strip_suffix(".yml")).unwrap_or(source);
    let mut stem = String::with_capacity(name.len());
    for c in name.chars() {
        let legal = c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        match legal {
            true => stem.push(c),
            false if stem.ends_with('-') => {}
            false => stem.push('-'),
        }
    }
    let stem = stem.trim_matches(['-', '.']);
    // The end of a path says more than its beginning.
    let stem = stem.get(stem.len().saturating_sub(200)..).unwrap_or(stem);
    match (stem.is_empty(), bare && !stem.ends_with("rules")) {
        (true, _) => "rules".to_string(),
        (false, true) => format!("{stem}-rules"),
        (false, false) => stem.to_string(),
    }
}

/// Puts keys into as few ConfigMaps as the limit allows, in their order.
fn pack(base: &str, keys: Vec<(String, Vec<Arc<str>>)>) -> Vec<RuleMap> {
    let mut maps: Vec<RuleMap> = Vec::new();
    let mut size = usize::MAX;
    for (key, pieces) in keys {
        let bytes: usize = pieces.iter().map(|piece| piece.len()).sum::<usize>() + key.len();
        if size.saturating_add(bytes) > CONFIG_MAP_BYTES_MAX {
            maps.push(RuleMap { name: format!("{base}-{}", maps.len()), keys: Vec::new() });
            size = 0;
        }
        if let Some(map) = maps.last_mut() {
            map.keys.push((key, pieces));
        }
        size += bytes;
    }
    maps
}

fn write(out: &mut Output, maps: &[RuleMap], role: Role, file: &str, raw: &str) {
    let Some(component) = out.cluster.first(role) else { return };
    let namespace = component.namespace.clone();
    let mut labels = component.labels.clone();
    // The rules belong to all shards and groups.
    labels.retain(|name, _| name.starts_with("app.kubernetes.io/"));
    for (at, map) in maps.iter().enumerate() {
        for (key, pieces) in &map.keys {
            let name = key.strip_suffix(".yaml").unwrap_or(key);
            out.text(&format!("{raw}/{name}.yml"), pieces.clone());
        }
        out.config_map(&format!("{file}-{at}.yaml"), &map.name, &namespace, &labels, map.keys.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_what_kubernetes_and_the_glob_take() {
        assert_eq!(stem("rules/team a/app.yaml", false), "rules-team-a-app");
        assert_eq!(stem("../x.yml", false), "x");
        assert_eq!(stem("Übung", false), "bung");
        assert_eq!(stem("é", false), "rules");
        assert_eq!(stem("rules/app.yaml", true), "rules-app-rules");
        assert_eq!(stem("", true), "alert-rules");
    }

    #[test]
    fn a_map_never_exceeds_the_limit() {
        let key = |name: &str, bytes: usize| (name.to_string(), vec![Arc::from("x".repeat(bytes))]);
        let maps = pack("rules", vec![key("a", 300_000), key("b", 300_000), key("c", 100_000)]);
        let names: Vec<Vec<&str>> =
            maps.iter().map(|map| map.keys.iter().map(|(key, _)| key.as_str()).collect()).collect();
        assert_eq!(names, [vec!["a"], vec!["b", "c"]]);
        assert_eq!(maps[1].name, "rules-1");
    }
}
