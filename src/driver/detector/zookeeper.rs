//! The leading master in ZooKeeper: the node with the lowest sequence number below a path.
//! Follows `src/master/detector/zookeeper.cpp`, `src/zookeeper/group.cpp` and `src/zookeeper/url.hpp`.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use prost::Message;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use zookeeper_client as zk;

use crate::proto::v1;
use crate::session::{Candidates, Endpoint};
use crate::{Error, Result};

/// `MASTER_DETECTOR_ZK_SESSION_TIMEOUT` in `src/master/detector/zookeeper.hpp`.
const SESSION_TIMEOUT: Duration = Duration::from_secs(10);
/// `GroupProcess::RETRY_INTERVAL`.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);
/// A list of children that is gone is looked for again after this.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
const DEFAULT_PORT: u16 = 2181;
const DEFAULT_MASTER_PORT: u16 = 5050;

/// `zk://[user:password@]host1:port1,host2:port2,.../path`. `Debug` does not show the credentials.
///
/// ```
/// use remesos::driver::detector::ZooKeeperUrl;
///
/// let url = ZooKeeperUrl::parse("zk://user:secret@zk1:2181,zk2:2181/mesos")?;
/// assert_eq!((url.servers.as_str(), url.path.as_str()), ("zk1:2181,zk2:2181", "/mesos"));
/// assert!(!format!("{url:?}").contains("secret"));
/// # Ok::<(), remesos::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct ZooKeeperUrl {
    credentials: Option<String>,
    /// `host1:port1,host2:port2`
    pub servers: String,
    /// Starts with `/` and has more.
    pub path: String,
}

impl std::fmt::Debug for ZooKeeperUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&super::redacted(&format!("zk://{}{}", self.servers, self.path)))
    }
}

impl ZooKeeperUrl {
    /// Reads a URL: the path begins at the first `/`, credentials end at the last `@` before it.
    ///
    /// Fails with what was expected.
    pub fn parse(text: &str) -> Result<Self> {
        let form = "zk://[user:password@]host1:port1,host2:port2,.../path";
        let rest = text.strip_prefix("zk://").ok_or_else(|| Error::invalid(format!("expected {form}")))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let path = path.trim_end_matches('/');
        if path.is_empty() {
            let why = "Expecting a (chroot) path for ZooKeeper ('/' is not supported)";
            return Err(Error::invalid(format!("{why}: expected {form}")));
        }
        if !is_path(path) {
            return Err(Error::invalid(format!("the path is none that ZooKeeper takes: expected {form}")));
        }
        let (credentials, servers) = match authority.rsplit_once('@') {
            Some((credentials, servers)) => (Some(credentials.to_owned()), servers),
            None => (None, authority),
        };
        let with_port = |server: &str| {
            let master = super::authority(server, false, Some(DEFAULT_PORT));
            let why = if path.contains('@') {
                // It may be part of a password.
                "the path begins at the first '/', which credentials cannot have".to_owned()
            } else {
                format!("'{server}' is not a ZooKeeper server")
            };
            master.map(|m| m.authority()).ok_or_else(|| Error::invalid(format!("{why}: expected {form}")))
        };
        let servers = servers.split(',').map(with_port).collect::<Result<Vec<_>>>()?.join(",");
        Ok(Self { credentials, servers, path: path.to_owned() })
    }
}

/// Whether ZooKeeper takes a path (`PathUtils.validatePath` of ZooKeeper).
fn is_path(path: &str) -> bool {
    let is_name = |name: &str| !["", ".", ".."].contains(&name) && !name.contains(char::is_control);
    path.split('/').skip(1).all(is_name)
}

/// Follows the leader until the receiver is dropped.
pub fn detect(url: ZooKeeperUrl, tls: bool) -> watch::Receiver<Candidates> {
    let (sender, receiver) = watch::channel(Candidates::default());
    tokio::spawn(async move {
        let closed = sender.clone();
        tokio::select! {
            () = keep_connected(&url, tls, &sender) => {}
            () = closed.closed() => {}
        }
    });
    receiver
}

async fn keep_connected(url: &ZooKeeperUrl, tls: bool, leader: &watch::Sender<Candidates>) {
    loop {
        match connect(url).await {
            Ok(client) => {
                tracing::info!("Connected to ZooKeeper at {url:?}");
                let error = follow(&client, url, tls, leader).await;
                tracing::warn!("The ZooKeeper session at {url:?} is lost: {error}");
            }
            Err(why) => tracing::warn!("Cannot reach ZooKeeper at {url:?}: {why}; trying again"),
        }
        tell(leader, None);
        sleep(RETRY_INTERVAL).await;
    }
}

async fn connect(url: &ZooKeeperUrl) -> Result<zk::Client> {
    let mut connector = zk::Client::connector().with_session_timeout(SESSION_TIMEOUT).with_fail_eagerly();
    if let Some(credentials) = &url.credentials {
        connector = connector.with_auth("digest", credentials.as_bytes());
    }
    let connecting = timeout(SESSION_TIMEOUT, connector.connect(&url.servers));
    let connected = connecting.await.map_err(|_| Error::connection(format!("no answer within {SESSION_TIMEOUT:?}")))?;
    connected.map_err(|e| Error::connection("cannot connect").caused_by(e))
}

/// Watches the children, and reads the leader's data once per new leader; returns why the session ended.
async fn follow(client: &zk::Client, url: &ZooKeeperUrl, tls: bool, leader: &watch::Sender<Candidates>) -> zk::Error {
    let mut leading = None;
    loop {
        let step = look(client, url, tls, leader, &mut leading).await;
        match step {
            Ok(watcher) => {
                watcher.changed().await;
            }
            Err(zk::Error::ConnectionLoss | zk::Error::NoNode) => sleep(LOOK_AGAIN).await,
            Err(error) => return error,
        }
        if client.state().is_terminated() {
            return zk::Error::SessionExpired;
        }
    }
}

async fn look(
    client: &zk::Client,
    url: &ZooKeeperUrl,
    tls: bool,
    leader: &watch::Sender<Candidates>,
    leading: &mut Option<String>,
) -> std::result::Result<zk::OneshotWatcher, zk::Error> {
    let (children, watcher) = match client.list_and_watch_children(&url.path).await {
        Err(zk::Error::NoNode) => {
            tracing::info!("No master has made its node in ZooKeeper at {url:?} yet");
            let (stat, watcher) = client.check_and_watch_stat(&url.path).await?;
            return if stat.is_some() { Err(zk::Error::NoNode) } else { Ok(watcher) };
        }
        listed => listed?,
    };
    let first = first_candidate(&children);
    if first != leading.as_deref() {
        let master = match first {
            None => None,
            Some(node) => {
                let data = client.get_data(&format!("{}/{node}", url.path)).await?.0;
                read_master(node, &data, tls)
            }
        };
        *leading = first.map(str::to_owned);
        tell(leader, master);
    }
    Ok(watcher)
}

fn tell(leader: &watch::Sender<Candidates>, master: Option<Endpoint>) {
    let master = Candidates::from(master);
    leader.send_if_modified(|current| !std::mem::replace(current, master.clone()).are(&master));
}

/// The node with the lowest sequence number. Names are `<label>_<sequence>` or a bare sequence; others, such as
/// `log_replicas`, are no candidates.
pub fn first_candidate(children: &[String]) -> Option<&str> {
    let sequence = |name: &str| name.rsplit('_').next().and_then(|s| s.parse::<i64>().ok());
    let candidates = children.iter().filter_map(|name| sequence(name).map(|s| (s, name)));
    candidates.min_by_key(|(sequence, _)| *sequence).map(|(_, name)| name.as_str())
}

/// Where the master of this node is: JSON in `json.info_*`, a binary `MasterInfo` in the `info_*` of old, and an
/// address in the bare sequences of older ones.
pub fn read_master(node: &str, data: &[u8], tls: bool) -> Option<Endpoint> {
    let master = match node.rsplit_once('_').map(|(label, _)| label) {
        Some("json.info") => from_json(data, tls),
        Some("info") => v1::MasterInfo::decode(data).ok().map(|info| from_info(&info, tls)),
        None => std::str::from_utf8(data).ok().and_then(|text| {
            let text = text.trim();
            super::authority(text.rsplit('@').next().unwrap_or(text), tls, None)
        }),
        Some(_) => None,
    };
    let master = master.filter(|master| super::is_host(&master.host) && master.port != 0);
    if master.is_none() {
        tracing::error!("Failed to parse the leading master's node '{node}' in ZooKeeper: expected a MasterInfo");
    }
    master
}

fn from_json(data: &[u8], tls: bool) -> Option<Endpoint> {
    let info: serde_json::Value = serde_json::from_slice(data).ok()?;
    let port = |value: &serde_json::Value| value.as_u64().and_then(|p| u16::try_from(p).ok());
    let text = |value: &serde_json::Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let address = &info["address"];
    let name = text(&address["hostname"]).or_else(|| text(&info["hostname"]));
    if let (Some(host), Some(port)) =
        (text(&address["ip"]).or_else(|| text(&address["hostname"])), port(&address["port"]))
    {
        return Some(named(Endpoint::new(tls, host, port), name));
    }
    let ip = u32::try_from(info["ip"].as_u64()?).ok()?;
    Some(named(Endpoint::new(tls, from_number(ip), port(&info["port"]).unwrap_or(DEFAULT_MASTER_PORT)), name))
}

fn from_info(info: &v1::MasterInfo, tls: bool) -> Endpoint {
    let address = info.address.as_ref();
    let name = address.and_then(|address| address.hostname.clone()).or(info.hostname.clone());
    let endpoint = address.and_then(|address| {
        let host = address.ip.clone().or(address.hostname.clone())?;
        Some(Endpoint::new(tls, host, u16::try_from(address.port).ok()?))
    });
    let endpoint = endpoint.unwrap_or_else(|| {
        let port = u16::try_from(info.port).unwrap_or(DEFAULT_MASTER_PORT);
        Endpoint::new(tls, from_number(info.ip), port)
    });
    named(endpoint, name)
}

/// An endpoint is reached at its address; its certificate may be for its host name.
fn named(endpoint: Endpoint, name: Option<String>) -> Endpoint {
    Endpoint { name: name.filter(|name| !name.is_empty() && *name != endpoint.host), ..endpoint }
}

/// `MasterInfo.ip` is the number that the address' bytes in network order form in the memory of a little-endian host.
fn from_number(ip: u32) -> String {
    IpAddr::from(Ipv4Addr::from(ip.to_le_bytes())).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(host: &str, port: u16) -> Option<Endpoint> {
        Some(Endpoint::new(false, host, port))
    }

    #[test]
    fn urls_end_their_credentials_at_the_last_at_and_begin_their_path_at_the_first_slash() {
        let url = ZooKeeperUrl::parse("zk://user:p@ss@h1:2181,h2/mesos/cluster/").expect("valid");
        assert_eq!(url.credentials.as_deref(), Some("user:p@ss"));
        assert_eq!((url.servers.as_str(), url.path.as_str()), ("h1:2181,h2:2181", "/mesos/cluster"));
        assert!(!format!("{url:?}").contains("p@ss"));
        for bad in ["zk://h:1", "zk://h:1/", "zk:///mesos", "zk://h:x/mesos", "zk://h:1,,i:1/mesos"] {
            assert!(ZooKeeperUrl::parse(bad).is_err(), "{bad}");
        }
        for bad in ["zk://h/a//b", "zk://h//a", "zk://h/a/./b", "zk://h/..", "zk://h/a\rb", "zk://h/a\0"] {
            let error = ZooKeeperUrl::parse(bad).expect_err(bad).to_string();
            assert!(error.contains("none that ZooKeeper takes"), "{error}");
        }
    }

    #[test]
    fn the_lowest_sequence_leads_whatever_its_label() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let children = names(&["json.info_0000000012", "log_replicas", "info_0000000003", "0000000007"]);
        assert_eq!(first_candidate(&children), Some("info_0000000003"));
        assert_eq!(first_candidate(&names(&["log_replicas"])), None);
    }

    #[test]
    fn the_leader_s_address_is_read_from_every_kind_of_node() {
        let json = br#"{"address":{"hostname":"h","ip":"10.0.0.1","port":5051},"ip":1,"port":1}"#;
        let named = |host, port| master(host, port).map(|m| Endpoint { name: Some("h".into()), ..m });
        assert_eq!(read_master("json.info_1", json, false), named("10.0.0.1", 5051));
        assert_eq!(read_master("json.info_1", br#"{"ip":16777343}"#, false), master("127.0.0.1", 5050));
        let info = v1::MasterInfo { ip: 16_777_343, port: 5052, ..Default::default() };
        assert_eq!(read_master("info_1", &info.encode_to_vec(), false), master("127.0.0.1", 5052));
        let info = v1::MasterInfo { hostname: Some("h".into()), ..info };
        assert_eq!(read_master("info_1", &info.encode_to_vec(), false), named("127.0.0.1", 5052));
        assert_eq!(read_master("0000000001", b"master@127.0.0.1:5053", false), master("127.0.0.1", 5053));
        assert_eq!(read_master("json.info_1", b"rubbish", false), None);
        assert_eq!(read_master("other_1", b"", false), None);
    }

    #[test]
    fn a_node_that_names_no_host_or_no_port_names_no_master() {
        let address = |host: &str, port: i32| {
            let address = v1::Address { ip: Some(host.to_owned()), port, ..Default::default() };
            let info =
                v1::MasterInfo { address: Some(address), ip: 1, port: port.unsigned_abs(), ..Default::default() };
            let json = serde_json::json!({ "address": { "ip": host, "port": port }, "ip": 1, "port": port });
            let text = format!("{host}:{port}");
            [("json.info_1", json.to_string().into_bytes()), ("info_1", info.encode_to_vec()), ("1", text.into_bytes())]
        };
        for (host, port) in [("10.0.0.1\r\nX-Injected: 1", 5050), ("a b", 5050), ("a/b", 5050), ("h", 0)] {
            for (node, data) in address(host, port) {
                assert_eq!(read_master(node, &data, false), None, "{host:?}:{port} in {node}");
            }
        }
    }
}
