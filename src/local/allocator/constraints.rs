//! On which agents a framework wants offers at all. Follows `src/master/allocator/mesos/offer_constraints_filter.cpp`.

use std::collections::BTreeMap;

use super::pattern::Pattern;
use crate::local::refusal::Invalid;
use crate::proto::v1::scheduler::attribute_constraint::predicate::Predicate as Wanted;
use crate::proto::v1::scheduler::attribute_constraint::selector::{PseudoattributeType, Selector};
use crate::proto::v1::scheduler::{AttributeConstraint, OfferConstraints, offer_constraints::RoleConstraints};
use crate::proto::v1::{AgentInfo, Attribute, value};

/// For each role groups of constraints, of which all constraints of one have to hold.
#[derive(Debug, Default)]
pub struct Constraints(BTreeMap<String, Vec<Vec<Constraint>>>);

#[derive(Debug)]
struct Constraint {
    selector: Selector,
    predicate: Predicate,
}

#[derive(Debug)]
enum Predicate {
    Exists,
    NotExists,
    Equals(String),
    NotEquals(String),
    Matches(Pattern),
    NotMatches(Pattern),
}

/// What a constraint is held against.
enum Subject<'a> {
    Nothing,
    Text(&'a str),
    /// An attribute that is not text: constraints on text do not apply to it.
    Other,
}

impl Constraints {
    /// Takes what a framework asks for.
    ///
    /// # Errors
    ///
    /// Fails if there is an empty list of groups or of constraints, or a constraint that is not valid.
    pub fn new(constraints: &OfferConstraints) -> Result<Self, Invalid> {
        let of_role = |(role, constraints): (&String, &RoleConstraints)| {
            groups(role, constraints).map(|groups| (role.clone(), groups))
        };
        constraints.role_constraints.iter().map(of_role).collect::<Result<_, _>>().map(Self)
    }

    /// Whether offers of an agent are not wanted in a role.
    pub fn exclude(&self, role: &str, agent: &AgentInfo) -> bool {
        let met = |group: &Vec<Constraint>| group.iter().all(|constraint| constraint.holds(agent));
        self.0.get(role).is_some_and(|groups| !groups.iter().any(met))
    }
}

fn groups(role: &str, constraints: &RoleConstraints) -> Result<Vec<Vec<Constraint>>, Invalid> {
    let why = format!("'OfferConstraints::role_constraints' has an empty 'RoleConstraints::groups' for role {role}");
    Invalid::unless(!constraints.groups.is_empty(), why)?;
    let mut groups = Vec::new();
    for group in &constraints.groups {
        // The missing space is the real one's.
        let why = format!(
            "'OfferConstraints::RoleConstraints::groups' for role {role}contains an empty RoleConstraints::Group"
        );
        Invalid::unless(!group.attribute_constraints.is_empty(), why)?;
        let invalid = |why| Invalid::new(format!("A role {role} has an invalid 'AttributeConstraint': {why}"));
        let constraints = group.attribute_constraints.iter().map(|one| Constraint::new(one).map_err(invalid));
        groups.push(constraints.collect::<Result<_, _>>()?);
    }
    Ok(groups)
}

impl Constraint {
    fn new(constraint: &AttributeConstraint) -> Result<Self, Invalid> {
        let selector = constraint.selector.selector.clone().ok_or_else(|| {
            Invalid::new(
                "Exactly one of 'AttributeConstraint::Selector::name' or \
                 'AttributeConstraint::Selector::pseudoattribute_type' must be set",
            )
        })?;
        if let Selector::PseudoattributeType(number) = selector {
            let known =
                matches!(PseudoattributeType::try_from(number), Ok(kind) if kind != PseudoattributeType::Unknown);
            Invalid::unless(known, "Unknown pseudoattribute type")?;
        }
        let predicate = match constraint.predicate.predicate.as_ref() {
            Some(Wanted::Exists(_)) => Predicate::Exists,
            Some(Wanted::NotExists(_)) => Predicate::NotExists,
            Some(Wanted::TextEquals(equals)) => Predicate::Equals(equals.value.clone()),
            Some(Wanted::TextNotEquals(equals)) => Predicate::NotEquals(equals.value.clone()),
            Some(Wanted::TextMatches(matches)) => Predicate::Matches(Pattern::new(&matches.regex)?),
            Some(Wanted::TextNotMatches(matches)) => Predicate::NotMatches(Pattern::new(&matches.regex)?),
            None => return Err(Invalid::new("Unknown predicate type")),
        };
        Ok(Self { selector, predicate })
    }

    fn holds(&self, agent: &AgentInfo) -> bool {
        let subject = match &self.selector {
            Selector::AttributeName(name) => Subject::of(agent.attributes.iter().find(|a| a.name == *name)),
            Selector::PseudoattributeType(number) => pseudoattribute(*number, agent),
        };
        self.predicate.holds(&subject)
    }
}

fn pseudoattribute(number: i32, agent: &AgentInfo) -> Subject<'_> {
    let domain = agent.domain.as_ref().and_then(|domain| domain.fault_domain.as_ref());
    let value = match PseudoattributeType::try_from(number) {
        Ok(PseudoattributeType::Hostname) => Some(agent.hostname.as_str()),
        Ok(PseudoattributeType::Region) => domain.map(|domain| domain.region.name.as_str()),
        Ok(PseudoattributeType::Zone) => domain.map(|domain| domain.zone.name.as_str()),
        _ => None,
    };
    value.map_or(Subject::Nothing, Subject::Text)
}

impl<'a> Subject<'a> {
    fn of(attribute: Option<&'a Attribute>) -> Self {
        let Some(attribute) = attribute else {
            return Self::Nothing;
        };
        let text = attribute.text.as_ref().filter(|_| attribute.r#type() == value::Type::Text);
        text.map_or(Self::Other, |text| Self::Text(&text.value))
    }
}

impl Predicate {
    fn holds(&self, subject: &Subject) -> bool {
        match (self, subject) {
            (Self::Exists, subject) => !matches!(subject, Subject::Nothing),
            (Self::NotExists, subject) => matches!(subject, Subject::Nothing),
            (Self::Equals(_) | Self::Matches(_), Subject::Nothing) => false,
            (Self::NotEquals(_) | Self::NotMatches(_), Subject::Nothing) | (_, Subject::Other) => true,
            (Self::Equals(value), Subject::Text(text)) => value == text,
            (Self::NotEquals(value), Subject::Text(text)) => value != text,
            (Self::Matches(pattern), Subject::Text(text)) => pattern.matches(text),
            (Self::NotMatches(pattern), Subject::Text(text)) => !pattern.matches(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json;

    fn constraints(groups: &str) -> Result<Constraints, Invalid> {
        let text = format!(r#"{{"role_constraints": {{"r": {{"groups": {groups}}}}}}}"#);
        let made: OfferConstraints =
            json::from_json("mesos.v1.scheduler.OfferConstraints", text.as_bytes()).expect(&text);
        Constraints::new(&made)
    }

    /// Of an agent `h` in zone `z` of region `home` with a text `rack` and a number `level`.
    fn excluded(groups: &str) -> bool {
        let agent = r#"{"hostname": "h", "domain": {"fault_domain": {"region": {"name": "home"}, "zone": {"name": "z"}}},
            "attributes": [{"name": "rack", "type": "TEXT", "text": {"value": "r1"}},
                           {"name": "level", "type": "SCALAR", "scalar": {"value": 1}}]}"#;
        let agent: AgentInfo = json::from_json("mesos.v1.AgentInfo", agent.as_bytes()).expect(agent);
        constraints(groups).expect(groups).exclude("r", &agent)
    }

    fn one(selector: &str, predicate: &str) -> String {
        format!(r#"{{"selector": {{{selector}}}, "predicate": {{{predicate}}}}}"#)
    }

    fn group(constraints: &[String]) -> String {
        format!(r#"{{"attribute_constraints": [{}]}}"#, constraints.join(","))
    }

    #[test]
    fn predicates_hold_as_the_real_one_says() {
        let (rack, level, none) =
            (r#""attribute_name": "rack""#, r#""attribute_name": "level""#, r#""attribute_name": "none""#);
        let of = |kind: &str| format!(r#""pseudoattribute_type": "{kind}""#);
        let (host, region, zone) = (of("HOSTNAME"), of("REGION"), of("ZONE"));
        let cases = [
            (rack, r#""exists": {}"#, true),
            (rack, r#""not_exists": {}"#, false),
            (rack, r#""text_equals": {"value": "r1"}"#, true),
            (rack, r#""text_equals": {"value": "r"}"#, false),
            (rack, r#""text_not_equals": {"value": "r1"}"#, false),
            (rack, r#""text_matches": {"regex": "r[0-9]"}"#, true),
            (rack, r#""text_matches": {"regex": "r"}"#, false),
            (rack, r#""text_not_matches": {"regex": "r"}"#, true),
            (level, r#""exists": {}"#, true),
            (level, r#""text_equals": {"value": "x"}"#, true),
            (level, r#""text_not_matches": {"regex": ".*"}"#, true),
            (none, r#""exists": {}"#, false),
            (none, r#""not_exists": {}"#, true),
            (none, r#""text_matches": {"regex": ".*"}"#, false),
            (none, r#""text_not_equals": {"value": "x"}"#, true),
            (&host, r#""text_equals": {"value": "h"}"#, true),
            (&region, r#""text_equals": {"value": "home"}"#, true),
            (&zone, r#""text_not_equals": {"value": "z"}"#, false),
        ];
        for (selector, predicate, holds) in cases {
            let groups = format!("[{}]", group(&[one(selector, predicate)]));
            assert_eq!(!excluded(&groups), holds, "{groups}");
        }
    }

    #[test]
    fn one_group_has_to_hold_as_a_whole() {
        let rack =
            |value: &str| one(r#""attribute_name": "rack""#, &format!(r#""text_equals": {{"value": "{value}"}}"#));
        assert!(excluded(&format!("[{}]", group(&[rack("r1"), rack("r2")]))));
        assert!(!excluded(&format!("[{},{}]", group(&[rack("r2")]), group(&[rack("r1")]))));
    }

    #[test]
    fn what_is_not_valid_is_refused_in_the_real_one_s_words() {
        let refused = |groups: &str| constraints(groups).expect_err(groups).to_string();
        assert_eq!(
            refused("[]"),
            "'OfferConstraints::role_constraints' has an empty 'RoleConstraints::groups' for role r"
        );
        let (rack, of) = (r#""attribute_name": "rack""#, "A role r has an invalid 'AttributeConstraint': ");
        let why = refused(&format!("[{}]", group(&[one(rack, "")])));
        assert_eq!(why, format!("{of}Unknown predicate type"));
        let why = refused(&format!("[{}]", group(&[one(rack, r#""text_matches": {"regex": "("}"#)])));
        assert_eq!(why, format!("{of}Failed to construct regex from pattern '(': missing ): ("));
    }
}
