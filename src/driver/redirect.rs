//! Where an answer of a master, or of a proxy in front of it, redirects to.
//!
//! | `Location` | the API that is meant |
//! |---|---|
//! | `//host:port/master/...`, as a master writes it that does not lead | at that address, with the scheme of the request. Without a port: 5050 |
//! | `https://host[:port]/...`, as a proxy writes it | at that address. Without a port: that of the scheme |
//! | `/path/...` | at the same address |
//! | `host:port` | at that address, with the scheme of the request |
//!
//! The path of the API is taken off the end of the path, and what remains is the prefix of all further requests. A master
//! knows nothing of the prefix that a proxy gives it: if it names the address that was asked, the prefix stays.

use super::detector;
use crate::session::{Endpoint, default_port};

const DEFAULT_MASTER_PORT: u16 = 5050;
/// The name of a master's process in libprocess, below which it has its API too.
const MASTER: &str = "/master";

/// Returns the endpoint that a `Location` names; `None` if it names none. `api` is the path of the API that was asked for.
pub fn target(from: &Endpoint, api: &str, location: &str) -> Option<Endpoint> {
    let location = location.split(['?', '#']).next().unwrap_or_default().trim();
    if location.starts_with('/') && !location.starts_with("//") {
        return Some(Endpoint { path: prefix(location, api)?, ..from.clone() });
    }
    let (tls, port, rest) = match location.split_once("//") {
        Some(("https:", rest)) => (true, default_port(true), rest),
        Some(("http:", rest)) => (false, default_port(false), rest),
        Some(("", rest)) => (from.tls, DEFAULT_MASTER_PORT, rest),
        Some(_) => return None,
        None => (from.tls, DEFAULT_MASTER_PORT, location),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let mut to = Endpoint { path: prefix(path, api)?, ..detector::authority(authority, tls, Some(port))? };
    let is_a_master_s = location.starts_with("//") && matches!(to.path.as_str(), "" | MASTER);
    if is_a_master_s && to.authority() == from.authority() {
        to.path.clone_from(&from.path);
    }
    Some(to)
}

/// What is in front of the API's path.
fn prefix(path: &str, api: &str) -> Option<String> {
    let path = path.trim_end_matches('/');
    detector::path(path.strip_suffix(api).unwrap_or(path))
}

/// A `Location` for people: without what may be secret.
pub fn shown(location: &str) -> String {
    detector::redacted(location.split(['?', '#']).next().unwrap_or_default())
}

/// Says of a redirect after which a POST may turn into a GET that it is not followed.
pub fn not_followed(location: &str) -> String {
    format!("a redirect to '{}': only 307 and 308 are followed", shown(location))
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: &str = "/api/v1/scheduler";

    fn at(tls: bool, host: &str, port: u16, path: &str) -> Option<Endpoint> {
        Some(Endpoint { path: path.to_owned(), ..Endpoint::new(tls, host, port) })
    }

    #[test]
    fn redirects_of_every_form_name_the_leader() {
        let from = Endpoint::new(true, "a", 1);
        for (location, to) in [
            ("//b:5051/api/v1/scheduler", at(true, "b", 5051, "")),
            ("//b:5051/master/api/v1/scheduler", at(true, "b", 5051, "/master")),
            ("//b/api/v1/scheduler", at(true, "b", 5050, "")),
            ("//b:5051", at(true, "b", 5051, "")),
            ("http://b:5051/api/v1/scheduler", at(false, "b", 5051, "")),
            ("https://[::1]:5051", at(true, "::1", 5051, "")),
            ("https://b/mesos/api/v1/scheduler?x=1#y", at(true, "b", 443, "/mesos")),
            ("http://b/mesos/", at(false, "b", 80, "/mesos")),
            ("/", at(true, "a", 1, "")),
            ("/mesos/api/v1/scheduler/", at(true, "a", 1, "/mesos")),
            ("b:5051", at(true, "b", 5051, "")),
            ("", None),
            ("ftp://b:1", None),
            ("https://user:secret@b:1/", None),
            ("https://b:1/a b", None),
        ] {
            assert_eq!(target(&from, API, location), to, "{location}");
        }
    }

    #[test]
    fn the_prefix_stays_only_if_a_master_names_the_address_that_was_asked() {
        let from = at(true, "proxy", 443, "/mesos").expect("an endpoint");
        for (location, to) in [
            ("//proxy:443/api/v1/scheduler", at(true, "proxy", 443, "/mesos")),
            ("//proxy:443/master/api/v1/scheduler", at(true, "proxy", 443, "/mesos")),
            ("//other:443/api/v1/scheduler", at(true, "other", 443, "")),
            ("https://proxy/api/v1/scheduler", at(true, "proxy", 443, "")),
            ("/api/v1/scheduler", at(true, "proxy", 443, "")),
            ("/leader/api/v1/scheduler", at(true, "proxy", 443, "/leader")),
        ] {
            assert_eq!(target(&from, API, location), to, "{location}");
        }
    }

    #[test]
    fn no_secret_of_a_location_is_shown() {
        let text = not_followed("https://user:secret@b:1/login?token=hidden");
        assert!(text.contains("https://user:***@b:1/login'") && !text.contains("hidden"), "{text}");
    }
}
