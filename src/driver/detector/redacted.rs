//! Master strings for people and logs.

/// A master string, or a text that holds one, without its password: `zk://user:***@host:2181/mesos`.
///
/// Credentials are taken to end at the last `@`, also in strings that are not valid: those are the ones that errors show.
pub fn redacted(text: &str) -> String {
    if text.starts_with("file:///") {
        return text.to_owned();
    }
    // In a list, what comes before the first scheme may hold a password too.
    let scheme = text.find("://").filter(|end| !text.get(..*end).is_some_and(|scheme| scheme.contains(['@', ','])));
    let (scheme, rest) = text.split_at(scheme.map_or(0, |end| end.saturating_add("://".len())));
    let Some((credentials, host)) = rest.rsplit_once('@') else {
        return text.to_owned();
    };
    match credentials.split_once(':') {
        Some((user, _)) => format!("{scheme}{user}:***@{host}"),
        // A token; without a scheme, the `master` of `master@host:port`.
        None if !scheme.is_empty() => format!("{scheme}***@{host}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::redacted;

    #[test]
    fn passwords_are_hidden_in_every_form() {
        for (text, shown) in [
            ("zk://user:secret@h1:2181,h2:2181/mesos", "zk://user:***@h1:2181,h2:2181/mesos"),
            ("zk://user:se:cr@et@h/mesos", "zk://user:***@h/mesos"),
            ("zk://user:sec/ret@h/mesos", "zk://user:***@h/mesos"),
            ("zk://:secret@h/mesos", "zk://:***@h/mesos"),
            ("https://secret@h:5050", "https://***@h:5050"),
            ("http://user:secret@h:5050", "http://user:***@h:5050"),
            ("user:secret@h:5050", "user:***@h:5050"),
            ("h1:5050,user:secret@h2:5050", "h1:***@h2:5050"),
            ("user:secret@h1:5050,http://h2", "user:***@h1:5050,http://h2"),
            ("http://user:se,cret@h1,https://other:secret@h2", "http://user:***@h2"),
            ("b'zk://user:secret@h/\\xff'", "b'zk://user:***@h/\\xff'"),
        ] {
            assert_eq!(redacted(text), shown);
        }
    }

    #[test]
    fn what_holds_no_password_stays_as_it_is() {
        for text in ["", "h:5050", "master@h:5050", "zk://h:2181/mesos", "http://[::1]:5050", "file:///a:b@c", "local"]
        {
            assert_eq!(redacted(text), text);
        }
    }
}
