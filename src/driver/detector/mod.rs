//! Who leads: from addresses, a file, or ZooKeeper. Follows `src/master/detector/` and semantics of
//! `MasterDetector::create`.

mod addresses;
mod redacted;
pub(super) mod zookeeper;

use tokio::sync::watch;

use crate::session::{Candidates, Endpoint};
use crate::{Error, Result};

pub use addresses::{authority, is_host, path};
pub use redacted::redacted;
pub use zookeeper::ZooKeeperUrl;

const EXPECTED: &str = "expected host:port, http(s)://host[:port][/path], several of these with commas between them, \
                        zk://[user:password@]host1:port1,host2:port2,.../path, file:///path/to/file or local";
const FILES_NESTED_MAX: usize = 8;

/// A parsed master string.
///
/// ```
/// use remesos::driver::detector::MasterUri;
/// use remesos::session::Endpoint;
///
/// let master = Endpoint::new(true, "example.org", 5050);
/// assert_eq!(MasterUri::parse("https://example.org:5050", false)?, MasterUri::Standalone(master));
/// assert!(matches!(MasterUri::parse("zk://localhost:2181/mesos", false)?, MasterUri::ZooKeeper(..)));
/// assert!(matches!(MasterUri::parse("one:5050,two:5050", false)?, MasterUri::Candidates(..)));
/// assert!(MasterUri::parse("ftp://example.org", false).is_err());
/// # Ok::<(), remesos::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum MasterUri {
    /// `host:port` or `http(s)://host[:port][/path]`: always this master.
    Standalone(Endpoint),
    /// Several of these, with commas between them: whichever leads, or knows who does.
    Candidates(Vec<Endpoint>),
    /// `zk://...`: the leader that ZooKeeper names. The flag tells whether masters speak TLS.
    ZooKeeper(ZooKeeperUrl, bool),
}

impl MasterUri {
    /// Reads a master string; `file://` is followed. `tls` tells whether addresses without a scheme speak TLS.
    ///
    /// Fails, naming the string and what was expected, if it is none of the forms. `local` fails too: only
    /// the embedded cluster handles it.
    pub fn parse(text: &str, tls: bool) -> Result<Self> {
        parse_nested(text.trim(), tls, 0).map_err(|why| {
            let text = redacted(text);
            let what = format!("Failed to create a master detector for '{text}': Failed to parse '{text}'");
            Error::invalid(what).caused_by(why)
        })
    }
}

fn parse_nested(text: &str, tls: bool, depth: usize) -> Result<MasterUri> {
    if text.starts_with("zk://") {
        return ZooKeeperUrl::parse(text).map(|url| MasterUri::ZooKeeper(url, tls));
    }
    if let Some(path) = text.strip_prefix("file://") {
        return read_file(path, tls, depth);
    }
    let mut masters = addresses::read(text, tls)?;
    Ok(if masters.len() > 1 { MasterUri::Candidates(masters) } else { MasterUri::Standalone(masters.swap_remove(0)) })
}

fn read_file(path: &str, tls: bool, depth: usize) -> Result<MasterUri> {
    if depth >= FILES_NESTED_MAX {
        return Err(Error::invalid(format!("more than {FILES_NESTED_MAX} files name one another")));
    }
    let shown = redacted(path);
    let content = std::fs::read_to_string(path)
        .map_err(|e| Error::invalid(format!("cannot read the file {shown}")).caused_by(e))?;
    let nested = parse_nested(content.trim(), tls, depth.saturating_add(1));
    nested
        .map_err(|why| Error::invalid(format!("the file {shown} holds '{}'", redacted(content.trim()))).caused_by(why))
}

/// Starts to look for the leading master. Has to be called within a tokio runtime; ends when the receiver is dropped.
///
/// Fails if the ZooKeeper client cannot be set up.
pub fn detect(uri: MasterUri) -> Result<watch::Receiver<Candidates>> {
    let masters = match uri {
        MasterUri::Standalone(master) => Candidates::from(master),
        MasterUri::Candidates(masters) => Candidates::from(masters),
        MasterUri::ZooKeeper(url, tls) => return Ok(zookeeper::detect(url, tls)),
    };
    let (sender, receiver) = watch::channel(masters);
    // Kept open: the loop takes a closed detector for the end.
    tokio::spawn(async move { sender.closed().await });
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standalone(tls: bool, host: &str, port: u16) -> MasterUri {
        MasterUri::Standalone(Endpoint::new(tls, host, port))
    }

    #[test]
    fn addresses_of_every_form() {
        let parse = |text| MasterUri::parse(text, false).expect(text);
        assert_eq!(parse("localhost:5050"), standalone(false, "localhost", 5050));
        assert_eq!(parse("master@10.0.0.1:5050 "), standalone(false, "10.0.0.1", 5050));
        assert_eq!(parse("http://h:1/"), standalone(false, "h", 1));
        assert_eq!(parse("https://h:1"), standalone(true, "h", 1));
        assert_eq!(parse("[::1]:5050"), standalone(false, "::1", 5050));
        assert_eq!(MasterUri::parse("h:1", true).expect("valid"), standalone(true, "h", 1));
    }

    #[test]
    fn what_is_no_master_is_named_with_what_was_expected() {
        for bad in
            ["", "h", "h:", "h:x", "h:0", "h:99999", ":5050", "ftp://h:1", "a b:1", "::1:5050", "zk://h:1", "zk://h:1/"]
        {
            let error = MasterUri::parse(bad, false).expect_err(bad);
            assert!(error.is_invalid_argument());
            let text = error.to_string();
            assert!(text.contains(&format!("'{bad}'")) && text.to_lowercase().contains("expect"), "{text}");
        }
    }

    #[test]
    fn errors_show_no_password() {
        for bad in
            ["zk://user:secret@h:2181", "zk://user:sec/ret@h:2181/mesos", "http://user:secret@h:1", "user:secret@h:1"]
        {
            let text = MasterUri::parse(bad, false).expect_err(bad).to_string();
            assert!(!text.contains("sec") && text.contains("user:***@h"), "{text}");
        }
        for bad in ["a:1,user:secret@h:1", "user:secret@h:1,http://a:1", "http://a:1,https://user:secret@h"] {
            let text = MasterUri::parse(bad, false).expect_err(bad).to_string();
            assert!(!text.contains("sec") && text.contains("expected host:port"), "{text}");
        }
    }

    #[test]
    fn a_file_holds_any_of_the_forms() {
        let file = std::env::temp_dir().join(format!("remesos-detector-{}", std::process::id()));
        std::fs::write(&file, " h:5050\n").expect("a writable temporary directory");
        let uri = format!("file://{}", file.display());
        assert_eq!(MasterUri::parse(&uri, false).expect("valid"), standalone(false, "h", 5050));
        std::fs::write(&file, "h:5050,https://i/mesos\n").expect("a writable temporary directory");
        let MasterUri::Candidates(masters) = MasterUri::parse(&uri, false).expect("valid") else { panic!("no list") };
        assert_eq!(Candidates::from(masters).to_string(), "http://h:5050, https://i:443/mesos");
        std::fs::write(&file, "zk://user:secret@h").expect("a writable temporary directory");
        let error = MasterUri::parse(&uri, false).expect_err("no path").to_string();
        assert!(error.contains("holds 'zk://user:***@h'") && !error.contains("secret"), "{error}");
        std::fs::write(&file, &uri).expect("a writable temporary directory");
        assert!(MasterUri::parse(&uri, false).is_err(), "a file that names itself");
        std::fs::remove_file(&file).expect("it was written");
        assert!(MasterUri::parse(&uri, false).expect_err("no file").to_string().contains("cannot read the file"));
    }
}
