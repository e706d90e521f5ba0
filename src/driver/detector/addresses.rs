//! Addresses of masters: `host:port`, URLs, and lists of them.

use super::EXPECTED;
use crate::session::{Endpoint, default_port};
use crate::{Error, Result};

/// Reads one address, or several with commas between them. A scheme holds for the addresses after it that have none, so
/// that none of `https://host1:5050,host2:5050` is spoken to without TLS. Each is listed once.
///
/// Fails with what is wrong, and with the place in the list; shows nothing of the text, which may hold a password.
pub fn read(text: &str, tls: bool) -> Result<Vec<Endpoint>> {
    let parts: Vec<_> = text.split(',').map(str::trim).collect();
    let mut scheme = None;
    let mut found = Vec::new();
    for (place, part) in (1_usize..).zip(&parts) {
        let endpoint = one(part, &mut scheme, tls).map_err(|why| {
            let which = if parts.len() > 1 { format!("address {place} of {}: ", parts.len()) } else { String::new() };
            Error::invalid(format!("{which}{why}: {EXPECTED}"))
        })?;
        if !found.contains(&endpoint) {
            found.push(endpoint);
        }
    }
    Ok(found)
}

/// Reads one address; `scheme` tells whether the last scheme before it was that of TLS, and is set to its own.
fn one(text: &str, scheme: &mut Option<bool>, tls: bool) -> std::result::Result<Endpoint, &'static str> {
    let rest = match text.split_once("://") {
        Some(("http", rest)) => {
            *scheme = Some(false);
            rest
        }
        Some(("https", rest)) => {
            *scheme = Some(true);
            rest
        }
        Some(("zk" | "file", _)) => return Err("it can only be given alone"),
        Some(_) => return Err("its scheme is neither http nor https"),
        None => text.strip_prefix("master@").unwrap_or(text),
    };
    if rest.contains('@') {
        return Err("it holds a user or a password, which belong in a credential");
    }
    let (host, after) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if host.is_empty() {
        return Err("it names no host");
    }
    if scheme.is_none() && !after.is_empty() {
        return Err("a path needs http:// or https:// in front");
    }
    let endpoint =
        authority(host, scheme.unwrap_or(tls), scheme.map(default_port)).ok_or(match host.rsplit_once(':') {
            Some((_, port)) if !port.ends_with(']') && port.parse::<u16>().unwrap_or(0) == 0 => "its port is not valid",
            None => "it has no port",
            _ if scheme.is_none() && host.ends_with(']') => "it has no port",
            Some((_, _)) => "its host is not valid",
        })?;
    let path = path(after).ok_or("its path is not valid")?;
    Ok(Endpoint { path, ..endpoint })
}

/// Reads `host:port`, with brackets around an IPv6 address; without a port if a default is given.
pub fn authority(text: &str, tls: bool, default_port: Option<u16>) -> Option<Endpoint> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (text, default_port?),
    };
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let valid = is_host(bare) && (host != bare || !bare.contains(':'));
    (valid && port != 0).then(|| Endpoint::new(tls, bare, port))
}

/// Whether a text may be a host name or an address: nothing in it has a meaning in a URL or ends a line of a head.
pub fn is_host(text: &str) -> bool {
    let strange = |c: char| c.is_whitespace() || c.is_control() || "/@[]?#,".contains(c);
    !text.is_empty() && !text.contains(strange)
}

/// Reads what the paths of an API begin with: the characters that a path of a URL may have. Slashes at its end do not
/// count.
pub fn path(text: &str) -> Option<String> {
    let text = text.trim_end_matches('/');
    let valid = |c: char| c.is_ascii_graphic() && !"\"#<>?\\^`{|}".contains(c);
    (text.is_empty() || (text.starts_with('/') && text.chars().all(valid))).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, tls: bool) -> Vec<String> {
        read(text, tls).expect(text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn urls_have_default_ports_and_paths() {
        for (text, url) in [
            ("http://h", "http://h:80"),
            ("https://h", "https://h:443"),
            ("https://h/mesos", "https://h:443/mesos"),
            ("https://h:8443/a/b%20c/", "https://h:8443/a/b%20c"),
            ("http://[::1]/mesos", "http://[::1]:80/mesos"),
            ("http://h:5050//", "http://h:5050"),
        ] {
            assert_eq!(shown(text, false), [url], "{text}");
        }
    }

    #[test]
    fn lists_mix_all_forms_and_a_scheme_holds_for_those_after_it() {
        assert_eq!(shown("a:1,b:2", true), ["https://a:1", "https://b:2"]);
        assert_eq!(shown("a:1, master@b:2 ,a:1", false), ["http://a:1", "http://b:2"]);
        assert_eq!(
            shown("a:1,https://b:2/m,c:3,d/m,http://e", false),
            ["http://a:1", "https://b:2/m", "https://c:3", "https://d:443/m", "http://e:80"]
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, why) in [
            ("h", "it has no port: expected"),
            ("[::1]", "it has no port: expected"),
            ("h/mesos", "a path needs http"),
            ("h:5050/mesos", "a path needs http"),
            ("h:x", "its port is not valid: expected"),
            ("h:0", "its port is not valid: expected"),
            ("http://h:99999/mesos", "its port is not valid: expected"),
            ("http://", "it names no host"),
            ("http:///mesos", "it names no host"),
            ("http://h/a b", "its path is not valid"),
            ("http://h/?q", "its path is not valid"),
            ("ftp://h:1", "neither http nor https"),
            ("a b:1", "its host is not valid"),
            ("::1:5050", "its host is not valid"),
            ("a:1,,b:1", "address 2 of 3: it names no host"),
            ("a:1,b", "address 2 of 2: it has no port"),
            ("a:1,zk://b:2181/mesos", "address 2 of 2: it can only be given alone"),
            ("http://user:secret@h", "it holds a user or a password, which belong in a credential"),
            ("a:1,user:secret@b:1", "address 2 of 2: it holds a user or a password, which belong in a credential"),
        ] {
            let error = read(text, false).expect_err(text).to_string();
            assert!(error.contains(why) && !error.contains("secret"), "{text}: {error}");
        }
    }
}
