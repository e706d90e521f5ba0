//! Reads the flags of masters and agents as Mesos does. Follows `src/master/flags.cpp`, `src/slave/flags.cpp` and what they
//! are parsed with. What is wrong is said in the words of the value; who calls names the flag.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::local::allocator::Quantities;
use crate::local::backend::posix::Containers;
use crate::local::refusal::Invalid;
use crate::local::resources::Amount;
use crate::local::roles::{self, UNRESERVED};
use crate::proto::v1::{self, value};
use crate::wire::json;

type Parsed<T> = Result<T, Invalid>;

/// Who may subscribe: secrets by principal.
pub type Credentials = BTreeMap<String, String>;

/// What a value stands for: the contents of a file if it is `file:///path`, as for every flag of Mesos that is no path.
pub fn fetched(text: &str) -> Parsed<String> {
    let Some(path) = text.strip_prefix("file://") else { return Ok(text.to_owned()) };
    std::fs::read_to_string(path).map_err(|error| Invalid::new(format!("cannot read the file '{path}': {error}")))
}

/// `rack:a;os:linux;level:10;ports:[1-5]` (`Attributes::parse` in `src/common/attributes.cpp`).
pub fn attributes(text: &str) -> Parsed<Vec<v1::Attribute>> {
    let items = text.split([';', '\n']).filter(|item| !item.trim().is_empty());
    items.map(|item| attribute(item).map_err(|why| Invalid::new(format!("'{item}': {why}")))).collect()
}

fn attribute(item: &str) -> Parsed<v1::Attribute> {
    let pair = item.split_once(':').filter(|(name, value)| !name.is_empty() && !value.trim().is_empty());
    let (name, value) = pair.ok_or_else(|| Invalid::new("expected name:value, as in rack:a;os:linux"))?;
    let empty = v1::Attribute { name: name.to_owned(), ..Default::default() };
    let text = value.replace(' ', "");
    Ok(match Amount::parse(&text) {
        Ok(Amount::Set(_)) => return Err(Invalid::new("expected text, a number or [ranges]: attributes are no sets")),
        Ok(amount @ Amount::Ranges(_)) => {
            let ranges = amount.fill(v1::Resource::default()).ranges;
            v1::Attribute { r#type: value::Type::Ranges.into(), ranges, ..empty }
        }
        Ok(Amount::Scalar(_)) => {
            let scalar = text.parse().ok().map(|value| value::Scalar { value });
            v1::Attribute { r#type: value::Type::Scalar.into(), scalar, ..empty }
        }
        Err(_) if text.starts_with(['[', '{']) => return Err(Invalid::new("expected ranges [begin-end,...]")),
        Err(_) => v1::Attribute { r#type: value::Type::Text.into(), text: Some(value::Text { value: text }), ..empty },
    })
}

/// `role1,role2`.
pub fn roles(text: &str) -> Parsed<BTreeSet<String>> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    let checked = |name: &str| roles::validate(name).map(|()| name.to_owned());
    let roles: BTreeSet<String> = names.map(checked).collect::<Parsed<_>>()?;
    Invalid::unless(!roles.is_empty(), "expected names of roles with commas between them")?;
    Ok(roles)
}

/// `role1=2.5,role2=1`.
pub fn weights(text: &str) -> Parsed<BTreeMap<String, f64>> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    let weight = |item: &str| {
        let invalid = |why: &str| Invalid::new(format!("'{item}': {why}"));
        let (role, weight) = item.split_once('=').ok_or_else(|| invalid("expected role=weight"))?;
        roles::validate(role.trim()).map_err(|why| invalid(&why.to_string()))?;
        let weight = weight.trim().parse().ok().filter(|weight: &f64| weight.is_finite() && *weight > 0.0);
        Ok((role.trim().to_owned(), weight.ok_or_else(|| invalid("expected a weight above 0"))?))
    };
    items.map(weight).collect()
}

/// Refuses weights of roles that are not among the roles that there are.
pub fn check_weights(weights: &BTreeMap<String, f64>, roles: Option<&BTreeSet<String>>) -> Parsed<()> {
    let is_there = |role: &str| role == UNRESERVED || roles.is_none_or(|roles| roles.contains(role));
    let strange = weights.keys().find(|role| !is_there(role));
    strange.map_or(Ok(()), |role| Err(Invalid::new(format!("'{role}' is not among the roles"))))
}

/// `cpus:0.01|mem:32`: an offer has at least one of these. Nothing: any offer will do.
pub fn min_allocatable(text: &str) -> Parsed<Vec<Quantities>> {
    let quantity = |item: &str| {
        let invalid = || Invalid::new(format!("'{item}': expected name:number, as in cpus:0.01|mem:32"));
        let (name, amount) = item.split_once(':').ok_or_else(invalid)?;
        let amount = Amount::parse(amount).ok().and_then(|amount| amount.scalar()).ok_or_else(invalid)?;
        Ok((name.trim().to_owned(), amount))
    };
    let quantities = |part: &str| {
        let items = part.split(';').map(str::trim).filter(|item| !item.is_empty());
        let items: Vec<(String, f64)> = items.map(quantity).collect::<Parsed<_>>()?;
        Ok(Quantities::new(items.iter().map(|(name, amount)| (name.as_str(), *amount))))
    };
    text.split('|').map(str::trim).filter(|part| !part.is_empty()).map(quantities).collect()
}

/// A `DomainInfo` in JSON.
pub fn domain(text: &str) -> Parsed<v1::DomainInfo> {
    const EXPECTED: &str =
        r#"expected JSON such as {"fault_domain": {"region": {"name": "a"}, "zone": {"name": "b"}}}"#;
    let parsed = json::from_json("mesos.v1.DomainInfo", text.as_bytes());
    let domain: v1::DomainInfo = parsed.map_err(|error| Invalid::new(format!("{EXPECTED}: {error}")))?;
    Invalid::unless(domain.fault_domain.is_some(), EXPECTED)?;
    Ok(domain)
}

/// `{"credentials": [{"principal": "a", "secret": "b"}]}`, or the path of a file with that.
pub fn credentials(text: &str) -> Parsed<Credentials> {
    let trimmed = text.trim_start();
    let json = if trimmed.starts_with('{') || Path::new(text).is_relative() && !text.starts_with("file://") {
        text.to_owned()
    } else {
        fetched(&format!("file://{}", text.strip_prefix("file://").unwrap_or(text)))?
    };
    // What serde_json says is not shown: it may name a secret.
    let parsed: Option<Value> = serde_json::from_str(&json).ok();
    let list = parsed.as_ref().and_then(|all| all["credentials"].as_array());
    let credential = |one: &Value| {
        let secret = one.get("secret").map_or(Some(""), Value::as_str)?;
        Some((one["principal"].as_str().filter(|principal| !principal.contains(':'))?.to_owned(), secret.to_owned()))
    };
    list.and_then(|list| list.iter().map(credential).collect()).ok_or_else(|| {
        Invalid::new(
            r#"expected {"credentials": [{"principal": "...", "secret": "..."}]}, or the path of a file with that"#,
        )
    })
}

/// An object of variables in JSON: `{"PATH": "/bin:/usr/bin"}`.
pub fn environment(text: &str) -> Parsed<BTreeMap<String, String>> {
    let parsed: serde_json::Result<BTreeMap<String, String>> = serde_json::from_str(text);
    parsed.map_err(|error| Invalid::new(format!(r#"expected JSON such as {{"PATH": "/bin:/usr/bin"}}: {error}"#)))
}

/// `true` or `false`, as for every switch of Mesos; also `1` and `0`.
pub fn switch(text: &str) -> Parsed<bool> {
    match text.trim() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Invalid::new("expected true or false")),
    }
}

/// Whether time moves only when it is told to: `real` or `skip`.
pub fn skips_time(text: &str) -> Parsed<bool> {
    match text.trim() {
        "real" => Ok(false),
        "skip" => Ok(true),
        _ => Err(Invalid::new("expected real or skip")),
    }
}

/// A number from which random ones follow.
pub fn seed(text: &str) -> Parsed<u64> {
    text.trim().parse().map_err(|_| Invalid::new("expected a whole number from 0"))
}

/// What is done with tasks whose containers want an image: `ignore-image` or `docker`.
pub fn containers(text: &str) -> Parsed<Containers> {
    match text.trim() {
        "ignore-image" => Ok(Containers::IgnoreImage),
        "docker" => Ok(Containers::Docker),
        _ => Err(Invalid::new(format!("expected 'ignore-image' or 'docker', got '{text}'"))),
    }
}

/// A whole number from 0.
pub fn count(text: &str) -> Parsed<usize> {
    text.trim().parse().map_err(|_| Invalid::new("expected a whole number from 0"))
}

/// A name: anything that is not empty, on one line.
pub fn name(text: &str) -> Parsed<String> {
    let is_name = !text.trim().is_empty() && !text.contains(char::is_control);
    Invalid::unless(is_name, "expected a name on one line")?;
    Ok(text.to_owned())
}

/// A host name, or an address.
pub fn hostname(text: &str) -> Parsed<String> {
    let host = url::Host::parse(text.trim());
    Invalid::unless(host.is_ok(), "expected the name of a host, or an address without a port")?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_text_numbers_and_ranges() {
        let read = attributes("rack:a b;level:10.5;ports:[1-2,4-5]\nurl:http://x:80;").expect("valid");
        let shown: Vec<_> = read
            .iter()
            .map(|a| {
                let text = a.text.as_ref().map(|text| text.value.clone());
                let number = a.scalar.as_ref().map(|scalar| scalar.value.to_string());
                let ranges = a.ranges.as_ref().map(|ranges| ranges.range.len().to_string());
                format!("{} {}", a.name, text.or(number).or(ranges).unwrap_or_default())
            })
            .collect();
        assert_eq!(shown, ["rack ab", "level 10.5", "ports 2", "url http://x:80"]);
        for bad in ["rack", "rack:", ":a", "disks:{a,b}", "ports:[2-1]"] {
            assert!(attributes(bad).expect_err(bad).to_string().starts_with(&format!("'{bad}': expected")));
        }
    }

    #[test]
    fn weights_are_above_zero_and_of_roles_that_there_are() {
        let read = weights("a/b=2.5, c=1").expect("valid");
        assert_eq!(read, BTreeMap::from([("a/b".to_owned(), 2.5), ("c".to_owned(), 1.0)]));
        for bad in ["a", "a=0", "a=-1", "a=x", "a=inf", "=1", "a b=1"] {
            assert!(weights(bad).is_err(), "{bad}");
        }
        let there = roles("c,d").expect("valid");
        assert!(check_weights(&read, None).is_ok());
        assert_eq!(check_weights(&read, Some(&there)).expect_err("a/b").to_string(), "'a/b' is not among the roles");
        assert!(roles(" , ").is_err() && roles("a,-b").is_err());
    }

    #[test]
    fn quantities_are_alternatives() {
        let read = min_allocatable("cpus:0.01;mem:1|disk:5").expect("valid");
        assert_eq!(read, [Quantities::new([("cpus", 0.01), ("mem", 1.0)]), Quantities::new([("disk", 5.0)])]);
        assert_eq!(min_allocatable("").expect("valid"), []);
        assert!(min_allocatable("cpus").is_err() && min_allocatable("ports:[1-2]").is_err());
    }

    #[test]
    fn secrets_are_not_in_errors() {
        let json = r#"{"credentials": [{"principal": "a", "secret": "hidden"}, {"principal": "b"}]}"#;
        let read = credentials(json).expect("valid");
        assert_eq!(read.into_values().collect::<Vec<_>>(), ["hidden", ""]);
        for bad in
            [r#"{"credentials": [{"principal": 5, "secret": "hidden"}]}"#, "hidden", r#"{"credentials": "hidden"}"#]
        {
            let error = credentials(bad).expect_err(bad).to_string();
            assert!(!error.contains("hidden"), "{error}");
        }
        assert!(credentials("/no/such/file").expect_err("none").to_string().contains("/no/such/file"));
    }

    #[test]
    fn domains_are_json() {
        let json = r#"{"fault_domain": {"region": {"name": "a"}, "zone": {"name": "b"}}}"#;
        assert_eq!(domain(json).expect("valid").fault_domain.unwrap_or_default().zone.name, "b");
        assert!(domain("{}").is_err() && domain("a").is_err());
    }
}
