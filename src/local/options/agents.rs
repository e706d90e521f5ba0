//! How many agents a cluster has, and in what they differ.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::{flags, named, whole, within};
use crate::local::resources::{Declared, Resources};
use crate::proto::v1;
use crate::wire::json;
use crate::{Error, Result};

const AGENTS: RangeInclusive<i64> = 1..=1000;
const NAMES: [&str; 4] = ["resources", "attributes", "hostname", "domain"];
const EXPECTED: &str =
    r#"expected a number, or JSON such as [{"resources": "cpus:4;mem:1024", "attributes": "rack:a"}]"#;

/// What is said of one agent; what is not is as for all agents of the cluster.
#[derive(Debug, Clone, Default)]
pub struct AgentOptions {
    /// Its resources, to which it adds those of the machine that are missing.
    pub resources: Option<Declared>,
    /// What frameworks tell it apart by.
    pub attributes: Option<Vec<v1::Attribute>>,
    /// Its host name.
    pub hostname: Option<String>,
    /// Its region and zone.
    pub domain: Option<v1::DomainInfo>,
    /// Whether its resources are all that it has, and those of the machine are not added.
    pub is_complete: bool,
    /// What it has by now: its resources, with dynamic reservations and volumes. Only a snapshot tells it.
    pub total: Option<Resources>,
    /// The text of what was given, by name.
    pub given: BTreeMap<&'static str, String>,
}

impl AgentOptions {
    /// Reads an object in JSON, whose values are text as Mesos' flags have it, or JSON: a resource or an attribute may be
    /// a number, and so on.
    ///
    /// Fails, naming what is not valid.
    pub fn parse(text: &str) -> Result<Self> {
        let parsed: Option<Map<String, Value>> = serde_json::from_str(text).ok();
        Self::read(&parsed.ok_or_else(|| not_valid(text))?)
    }

    fn read(given: &Map<String, Value>) -> Result<Self> {
        let mut options = Self::default();
        if let Some(strange) = given.keys().find(|key| !NAMES.contains(&key.as_str())) {
            let known = NAMES.join(", ");
            return Err(Error::invalid(format!("expected some of {known} for an agent, got '{strange}'")));
        }
        for name in NAMES {
            let Some(value) = given.get(name).filter(|value| !value.is_null()) else { continue };
            let text = as_text(value);
            let read = match name {
                "resources" => Declared::parse(&text).map(|read| options.resources = Some(read)),
                "attributes" => {
                    flags::attributes(&text).map(|read| options.attributes = Some(read)).map_err(Error::from)
                }
                "hostname" => flags::hostname(&text).map(|read| options.hostname = Some(read)).map_err(Error::from),
                _ => flags::domain(&text).map(|read| options.domain = Some(read)).map_err(Error::from),
            };
            read.map_err(|error| named(name, &error))?;
            options.given.insert(name, text);
        }
        Ok(options)
    }
}

/// Text as it is, an object of numbers and text as `name:value;name:value`, and other JSON as JSON.
fn as_text(value: &Value) -> String {
    let plain = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let pairs = value.as_object().and_then(|object| {
        let pair = |(name, value): (&String, &Value)| Some(format!("{name}:{}", plain(value)?));
        object.iter().map(pair).collect::<Option<Vec<_>>>()
    });
    pairs.map(|pairs| pairs.join(";")).or_else(|| plain(value)).unwrap_or_else(|| value.to_string())
}

/// Reads a number of agents, or what is said of each.
///
/// Fails, naming what is not valid.
pub fn agents(text: &str) -> Result<Vec<AgentOptions>> {
    let list = if text.trim_start().starts_with('[') {
        objects(text)?.iter().map(AgentOptions::read).collect::<Result<Vec<_>>>()?
    } else {
        let number = whole(text)?;
        let within = within::<usize>("agents", number, &AGENTS);
        vec![AgentOptions::default(); within.map_err(|e| Error::invalid(format!("'{text}' is not valid: {e}")))?]
    };
    checked(list)
}

/// Reads the agents of a snapshot, which says of each what it has by now.
///
/// Fails, naming what is not valid.
pub fn from_snapshot(text: &str) -> Result<Vec<AgentOptions>> {
    let agent = |mut given: Map<String, Value>| {
        let total = given.remove("total").filter(|total| !total.is_null());
        let total = total.map(|total| total_of(&total).map_err(|error| named("total", &error))).transpose()?;
        let options = AgentOptions::read(&given)?;
        Ok(AgentOptions { total, is_complete: options.resources.is_some(), ..options })
    };
    checked(objects(text)?.into_iter().map(agent).collect::<Result<Vec<_>>>()?)
}

fn total_of(list: &Value) -> Result<Resources> {
    let expected = || Error::invalid("expected a list of resources in JSON");
    let resource = |one: &Value| -> Result<v1::Resource> {
        let parsed = json::from_json("mesos.v1.Resource", one.to_string().as_bytes());
        parsed.map_err(|error| Error::invalid(error.to_string()))
    };
    let list = list.as_array().ok_or_else(expected)?.iter().map(resource).collect::<Result<Vec<_>>>()?;
    Ok(Resources::from_proto(&list)?)
}

fn objects(text: &str) -> Result<Vec<Map<String, Value>>> {
    serde_json::from_str(text).map_err(|_| not_valid(text))
}

fn not_valid(text: &str) -> Error {
    Error::invalid(format!("'{text}' is not valid: {EXPECTED}"))
}

fn checked(list: Vec<AgentOptions>) -> Result<Vec<AgentOptions>> {
    let number = i64::try_from(list.len()).unwrap_or(i64::MAX);
    within::<usize>("agents", number, &AGENTS)?;
    Ok(list)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn agents_are_a_number_or_differ() {
        assert_eq!(agents(" 3 ").unwrap().len(), 3);
        let json = r#"[{"resources": {"cpus": 4, "ports": "[1-2]"}, "hostname": "a"},
            {"resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 2}}], "attributes": "rack:b"}, {}]"#;
        let read = agents(json).unwrap();
        let texts: Vec<_> = read.iter().map(|one| one.given.get("resources").map(String::as_str)).collect();
        assert_eq!(texts[0], Some("cpus:4;ports:[1-2]"));
        assert_eq!((texts[2], read[0].hostname.as_deref()), (None, Some("a")));
        assert_eq!(read[1].attributes.as_ref().unwrap()[0].name, "rack");
        assert_eq!(read[1].resources.as_ref().unwrap().resources().scalar("cpus"), 2.0);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let said = |text: &str| agents(text).expect_err(text).to_string();
        assert_eq!(said("0"), "'0' is not valid: expected 1 to 1000 as agents, got 0");
        assert_eq!(said("[]"), "expected 1 to 1000 as agents, got 0");
        assert!(said("[1]").contains("expected a number, or JSON such as"));
        assert!(said(r#"[{"cpus": 1}]"#).contains("expected some of resources, attributes, hostname, domain"));
        assert!(said(r#"[{"resources": "cpus"}]"#).starts_with("resources: 'cpus' is not a valid list"));
    }
}
