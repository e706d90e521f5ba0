//! Resources as the flag `resources` of an agent declares them. Follows `Resources::parse` in `src/common/resources.cpp` and
//! `Containerizer::resources` in `src/slave/containerizer/containerizer.cpp`.

use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};

use super::amount::{Amount, SCALAR_MAX};
use super::kind::{Kind, Reservation};
use super::{Entry, Resources};
use crate::local::refusal::Invalid;
use crate::local::roles::{self, UNRESERVED};
use crate::proto::v1;
use crate::wire::json;
use crate::{Error, Result};

/// The ports of an agent that was not given any (`DEFAULT_PORTS`).
const PORTS: (u64, u64) = (31_000, 32_000);
/// What frameworks look for, and names by which they would not find it.
const KNOWN: [(&str, &[&str]); 5] = [
    ("cpus", &["cpu", "core", "cores"]),
    ("mem", &["memory", "ram"]),
    ("disk", &["disks", "hdd"]),
    ("ports", &["port"]),
    ("gpus", &["gpu"]),
];

/// What an agent was given, before it adds what it lacks.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    /// Those of amount zero too, which an agent does not add.
    entries: Vec<Entry>,
}

/// What a machine has.
#[derive(Debug, Clone, Copy)]
pub struct Host {
    pub cpus: f64,
    /// In megabytes.
    pub mem: f64,
    /// In megabytes.
    pub disk: f64,
}

impl Declared {
    /// Reads `cpus:8;mem:8192;ports:[31000-32000];disks:{a,b}`, with static reservations as in `cpus(role):2`, or an array
    /// of resources in JSON.
    ///
    /// Fails, naming what is wrong.
    pub fn parse(text: &str) -> Result<Self> {
        let trimmed = text.trim();
        let is_json = trimmed.starts_with('[') || trimmed.starts_with('{');
        let entries = if is_json { from_json(trimmed) } else { from_text(text) };
        let invalid = |why: Invalid| {
            Error::invalid(format!(
                "'{text}' is not a valid list of resources: {why}, as in cpus:8;mem:8192;ports:[31000-32000]"
            ))
        };
        let entries = entries.and_then(|entries| checked(&entries).map(|()| entries)).map_err(invalid)?;
        Ok(Self { entries })
    }

    /// These alone.
    pub fn resources(&self) -> Resources {
        let mut resources = Resources::default();
        self.entries.iter().for_each(|entry| resources.add_entry(entry));
        resources
    }

    /// With the machine's cpus, memory and disk, and the usual ports, as far as nothing is said of them.
    pub fn completed(&self, host: &Host) -> Resources {
        let add = |resources: &mut Resources, name: &str, amount: Amount| {
            if self.entries.iter().all(|entry| entry.name != name) {
                resources.add_entry(&Entry::new(name, Kind::default(), amount));
            }
        };
        let (gpus, others): (Vec<&Entry>, Vec<&Entry>) = self.entries.iter().partition(|entry| entry.name == "gpus");
        let mut resources = Resources::default();
        others.into_iter().for_each(|entry| resources.add_entry(entry));
        add(&mut resources, "cpus", Amount::whole(host.cpus));
        gpus.into_iter().for_each(|entry| resources.add_entry(entry));
        add(&mut resources, "mem", Amount::whole(host.mem));
        add(&mut resources, "disk", Amount::whole(host.disk));
        add(&mut resources, "ports", Amount::Ranges(vec![PORTS]));
        resources
    }

    /// Names that look like another one that frameworks look for and that is not there: `cpu` for `cpus`.
    pub fn misspelt(&self) -> Vec<(&str, &'static str)> {
        let has = |name: &str| self.entries.iter().any(|entry| entry.name == name);
        let likely = |entry: &Entry| {
            let name = entry.name.to_lowercase();
            let same = KNOWN.iter().find(|(known, others)| *known == name || others.contains(&&*name));
            let meant = same.or_else(|| KNOWN.iter().find(|(known, _)| is_near(&name, known)));
            meant.map(|(known, _)| *known)
        };
        let unusual = self.entries.iter().filter(|entry| !matches!(entry.amount, Amount::Set(_)));
        unusual.filter_map(|entry| Some((entry.name.as_str(), likely(entry).filter(|known| !has(known))?))).collect()
    }
}

fn from_text(text: &str) -> std::result::Result<Vec<Entry>, Invalid> {
    let items = text.split(';').map(str::trim).filter(|item| !item.is_empty());
    let entry = |item: &str| one(item).map_err(|why| Invalid::new(format!("'{item}': {why}")));
    items.map(entry).collect()
}

fn one(item: &str) -> std::result::Result<Entry, Invalid> {
    let (name, value) = item.split_once(':').ok_or_else(|| Invalid::new("expected name:value"))?;
    let (name, role) = match name.trim().split_once('(') {
        Some((name, rest)) => {
            let role = rest.strip_suffix(')').ok_or_else(|| Invalid::new("expected name(role):value"))?;
            (name.trim(), role.trim())
        }
        None => (name.trim(), UNRESERVED),
    };
    Invalid::unless(!name.is_empty(), "expected name:value")?;
    roles::validate(role)?;
    let kept = Reservation { role: role.to_owned(), dynamic: false, principal: None, labels: None };
    let reservations = if role == UNRESERVED { Vec::new() } else { vec![kept] };
    Ok(Entry::new(name, Kind { reservations, ..Kind::default() }, Amount::parse(value)?))
}

fn from_json(text: &str) -> std::result::Result<Vec<Entry>, Invalid> {
    let parsed: serde_json::Result<Vec<serde_json::Value>> = serde_json::from_str(text);
    let list = parsed.map_err(|error| Invalid::new(format!("expected an array of resources in JSON: {error}")))?;
    let entry = |item: serde_json::Value| {
        let invalid = |why: String| Invalid::new(format!("'{item}': {why}"));
        let message: v1::Resource =
            json::from_json("mesos.v1.Resource", item.to_string().as_bytes()).map_err(|e| invalid(e.to_string()))?;
        Entry::of(&message).map_err(|why| invalid(why.to_string()))
    };
    list.into_iter().map(entry).collect()
}

/// Refuses what a message can say and a flag may not (`validateCommandLineResources`), and sums that are too large.
fn checked(entries: &[Entry]) -> std::result::Result<(), Invalid> {
    let mut types: HashMap<&str, Discriminant<Amount>> = HashMap::new();
    for Entry { name, kind, amount, .. } in entries {
        Invalid::unless(kind.volume.is_none(), "Persistent volumes cannot be specified at the command line")?;
        Invalid::unless(!kind.revocable, "Revocable resources cannot be specified at the command line")?;
        let dynamic = kind.reservations.iter().any(|reservation| reservation.dynamic);
        Invalid::unless(!dynamic, "Dynamic reservations cannot be specified at the command line")?;
        let known = types.entry(name).or_insert_with(|| discriminant(amount));
        let why = format!("Resources with the same name ('{name}') but different types are not allowed");
        Invalid::unless(*known == discriminant(amount), why)?;
        let sum: f64 = entries.iter().filter(|e| e.name == *name).filter_map(|e| e.amount.scalar()).sum();
        Invalid::unless(sum <= SCALAR_MAX, format!("'{name}': expected a number from 0 to {SCALAR_MAX}"))?;
    }
    Ok(())
}

/// Whether two names differ, by one letter: one more, one less, another one, or two that are swapped.
fn is_near(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let same = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let (a, b) = (&one[same..], &other[same..]);
    match (a, b) {
        ([], []) => false,
        ([_, rest @ ..], _) if rest == b => true,
        (_, [_, rest @ ..]) if rest == a => true,
        ([_, a @ ..], [_, b @ ..]) if a == b => true,
        ([a1, a2, a @ ..], [b1, b2, b @ ..]) => a1 == b2 && a2 == b1 && a == b,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: Host = Host { cpus: 2.0, mem: 1000.0, disk: 5000.0 };

    fn completed(text: &str) -> String {
        Declared::parse(text).expect(text).completed(&HOST).to_string()
    }

    #[test]
    fn an_agent_adds_what_it_was_not_told_of() {
        for (given, completed_to) in [
            ("", "cpus:2; mem:1000; disk:5000; ports:[31000-32000]"),
            ("cpus:4;mem:4096", "cpus:4; mem:4096; disk:5000; ports:[31000-32000]"),
            ("mem:10;ports:[1-2]", "mem:10; ports:[1-2]; cpus:2; disk:5000"),
            ("gpus:1;cpus:0;disk:1", "disk:1; gpus:1; mem:1000; ports:[31000-32000]"),
            ("cpu:4", "cpu:4; cpus:2; mem:1000; disk:5000; ports:[31000-32000]"),
        ] {
            assert_eq!(completed(given), completed_to, "{given}");
        }
        let given = "cpus(r/s):1;cpus:2;cpus(*):1;mem:1;disk:1;ports:[5-6,1-3,4-4]";
        assert_eq!(completed(given), "cpus(reservations: [(STATIC,r/s)]):1; cpus:3; mem:1; disk:1; ports:[1-6]");
    }

    #[test]
    fn resources_are_read_from_json() {
        let json = r#"[
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 4}, "role": "r"},
            {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 5, "end": 9}]}},
            {"name": "mem", "type": "SCALAR", "scalar": {"value": 1},
             "reservations": [{"type": "STATIC", "role": "s"}]}
        ]"#;
        let shown = "cpus(reservations: [(STATIC,r)]):4; ports:[5-9]; mem(reservations: [(STATIC,s)]):1; disk:5000";
        assert_eq!(completed(json), shown);
        let dynamic = r#"[{"name": "cpus", "type": "SCALAR", "scalar": {"value": 4}, "role": "r", "reservation": {}}]"#;
        let volume = r#"[{"name": "disk", "type": "SCALAR", "scalar": {"value": 4}, "role": "r",
            "disk": {"persistence": {"id": "x"}, "volume": {"container_path": "x", "mode": "RW"}}}]"#;
        let revocable = r#"[{"name": "cpus", "type": "SCALAR", "scalar": {"value": 4}, "revocable": {}}]"#;
        for (bad, why) in [
            (dynamic, "Dynamic reservations cannot"),
            (volume, "Persistent volumes cannot"),
            (revocable, "Revocable resources cannot"),
            ("[{}]", "'{}': "),
            ("[", "expected an array of resources in JSON: "),
            ("{}", "expected an array of resources in JSON: "),
        ] {
            let error = Declared::parse(bad).expect_err(bad).to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn names_that_look_misspelt_are_found() {
        let misspelt = |text: &str| {
            let declared = Declared::parse(text).expect(text);
            declared.misspelt().iter().map(|(given, meant)| format!("{given}: {meant}")).collect::<Vec<_>>()
        };
        assert_eq!(
            misspelt("cpu:2;memory:5;port:[1-2];gpu:1"),
            ["cpu: cpus", "memory: mem", "port: ports", "gpu: gpus"]
        );
        assert_eq!(misspelt("CPUs:2;men:5;dsik:1"), ["CPUs: cpus", "men: mem", "dsik: disk"]);
        assert_eq!(misspelt("gpus:1"), Vec::<String>::new());
        assert_eq!(misspelt("cpus:2;cpu:2;disks:{a,b};bandwidth:5;network:1;slots:3"), Vec::<String>::new());
    }

    #[test]
    fn rubbish_is_named() {
        let twice = "mem:1000000000000;mem:1";
        for bad in [
            "cpus",
            "cpus:x",
            "ports:[2-1]",
            "cpus(role:2",
            "cpus(a b):1",
            ":1",
            "cpus:-1",
            "cpus:inf",
            "mem:1e300",
            twice,
            "cpus:1;cpus:[1-2]",
            "disks:{a,a}",
        ] {
            let error = Declared::parse(bad).expect_err(bad);
            assert!(error.to_string().contains(bad), "{error}");
        }
    }
}
