//! Which requests are let in: those that name this machine, and that no web page of another origin makes.
//!
//! Looks at heads alone. A page that the user visits can make their browser send requests here, also under a name of
//! its own that it points at 127.0.0.1 (DNS rebinding), and a request here can run a command.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::stream::{Refused, refused};

/// What every answer tells a browser: to take it for what it says it is, and to give it to no page of another origin.
const PROTECTION: [(&str, &str); 3] = [
    ("x-content-type-options", "nosniff"),
    ("cross-origin-resource-policy", "same-origin"),
    ("content-security-policy", "default-src 'self'; img-src 'self' data:; frame-ancestors 'self'"),
];

/// The names that requests may ask for.
#[derive(Debug)]
pub struct Door {
    address: IpAddr,
    /// Beside the address, and the names and addresses of loopback.
    hosts: Vec<String>,
}

impl Door {
    /// Lets requests in that name this address, loopback, or one of these hosts, which are without ports.
    pub fn new(address: SocketAddr, hosts: Vec<String>) -> Self {
        Self { address: address.ip(), hosts }
    }

    fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Refused> {
        self.check_host(uri, headers)?;
        check_origin(method, headers)
    }

    /// HTTP/1.0 may come without a Host. A browser always sends one.
    fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refused> {
        let named = headers.get_all(header::HOST).iter().map(HeaderValue::as_bytes);
        let named = named.chain(uri.authority().map(|authority| authority.as_str().as_bytes()));
        for host in named {
            let authority = Authority::try_from(host).ok();
            if !authority.is_some_and(|authority| self.is_here(&authority)) {
                let host = String::from_utf8_lossy(host);
                let expected = "expected localhost, an address of loopback, or a host in REMESOS_LOCAL_HOSTS";
                return Err(refused(421, format!("The Host '{host}' is not this cluster: {expected}\n")));
            }
        }
        Ok(())
    }

    fn is_here(&self, authority: &Authority) -> bool {
        let host = authority.host().to_ascii_lowercase();
        if authority.as_str().contains('@') {
            return false;
        }
        let address = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::from),
            None => host.parse::<Ipv4Addr>().ok().map(IpAddr::from),
        };
        if let Some(address) = address {
            let listening = address == self.address && !address.is_unspecified();
            return address.is_loopback() || listening || self.is_configured(&host);
        }
        let name = host.strip_suffix('.').unwrap_or(&host);
        name == "localhost" || name.ends_with(".localhost") || self.is_configured(name)
    }

    fn is_configured(&self, host: &str) -> bool {
        self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
    }
}

/// Refuses what a page of another origin asks for; a link that the user follows is no such thing.
///
/// Browsers tell the truth in `Sec-Fetch-Site`, and no page can change it. It overrides `Origin`, since behind a
/// proxy such as jupyter-server-proxy the page's origin is the proxy's.
fn check_origin(method: &Method, headers: &HeaderMap) -> Result<(), Refused> {
    let says = |name: &str, value: &str| headers.get(name).is_some_and(|found| found == value);
    let foreign = if headers.contains_key("sec-fetch-site") {
        let navigation =
            method == Method::GET && says("sec-fetch-mode", "navigate") && says("sec-fetch-dest", "document");
        !(says("sec-fetch-site", "same-origin") || says("sec-fetch-site", "none") || navigation)
    } else {
        headers.get_all(header::ORIGIN).iter().any(|origin| !is_same(origin, headers.get(header::HOST)))
    };
    let why = "Refused: the request comes from a web page of another origin\n";
    if foreign { Err(refused(403, why)) } else { Ok(()) }
}

fn is_same(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let origin = Uri::try_from(origin.as_bytes()).ok().filter(|origin| origin.scheme().is_some());
    let host = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    host.is_some() && origin.and_then(|origin| origin.into_parts().authority) == host
}

/// Refuses a body of any other type than this one: pages of other origins may send simple types without asking.
pub fn only_type(headers: &HeaderMap, expected: &str) -> Result<(), Refused> {
    let Some(found) = headers.get(header::CONTENT_TYPE) else {
        return Err(refused(400, "Expecting 'Content-Type' to be present\n"));
    };
    let essence = found.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    if essence.trim().eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Err((status, format!("Expecting 'Content-Type' of {expected}\n")))
}

/// Every request goes through here.
pub async fn guard(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let mut response = match door.check(request.method(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            tracing::warn!("{} {}: {}", request.method(), request.uri().path(), refusal.1.trim_end());
            refusal.into_response()
        }
    };
    for (name, value) in PROTECTION {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(method: &Method, uri: &str, headers: &[(&'static str, &str)]) -> u16 {
        let door = Door::new(([192, 168, 7, 1], 5050).into(), vec!["build.example.org".to_owned()]);
        let pairs = headers
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_str(value).expect("valid")));
        let uri = uri.parse().expect("valid");
        door.check(method, &uri, &pairs.collect()).map_or_else(|refusal| refusal.0.as_u16(), |()| 200)
    }

    #[test]
    fn hosts_that_are_this_machine_or_configured_are_let_in() {
        for host in [
            "localhost",
            "LOCALHOST:5050",
            "localhost.:5050",
            "a.localhost:1",
            "127.0.0.1:5050",
            "127.9.8.7",
            "[::1]:5050",
            "192.168.7.1:5050",
            "build.example.org:80",
            "Build.Example.Org.",
        ] {
            assert_eq!(outcome(&Method::GET, "/state", &[("host", host)]), 200, "{host}");
        }
        assert_eq!(outcome(&Method::GET, "/state", &[]), 200, "HTTP/1.0");
    }

    #[test]
    fn hosts_of_others_are_refused() {
        for host in [
            "evil.example",
            "localhost.evil.example:5050",
            "notlocalhost",
            "127.0.0.1.evil.example",
            "127.1",
            "0.0.0.0:5050",
            "[::]:5050",
            "[::ffff:10.0.0.1]",
            "192.168.7.2:5050",
            "localhost@evil.example",
            "evil@localhost",
            "",
            "a b",
            ".localhost.x",
        ] {
            assert_eq!(outcome(&Method::GET, "/state", &[("host", host)]), 421, "{host}");
        }
        assert_eq!(
            outcome(&Method::GET, "/state", &[("host", "localhost"), ("host", "evil.example")]),
            421,
            "two of them"
        );
        assert_eq!(outcome(&Method::GET, "http://evil.example/state", &[("host", "localhost")]), 421, "in the target");
    }

    #[test]
    fn the_same_origin_and_clients_that_are_no_browsers_are_let_in() {
        let host = ("host", "localhost:5050");
        for headers in [
            vec![host],
            vec![host, ("origin", "http://localhost:5050")],
            vec![host, ("origin", "http://localhost:5050"), ("sec-fetch-site", "same-origin")],
            vec![host, ("origin", "https://hub.example.org"), ("sec-fetch-site", "same-origin")],
            vec![host, ("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")],
        ] {
            assert_eq!(outcome(&Method::POST, "/teardown", &headers), 200, "{headers:?}");
        }
    }

    #[test]
    fn pages_of_other_origins_are_refused_but_for_a_link_that_is_followed() {
        let host = ("host", "localhost:5050");
        for origin in ["http://localhost:8888", "http://evil.example", "null", "localhost:5050", "", "http://localhost"]
        {
            for method in [Method::GET, Method::POST] {
                assert_eq!(outcome(&method, "/state", &[host, ("origin", origin)]), 403, "{origin}");
            }
        }
        assert_eq!(outcome(&Method::GET, "/state", &[("origin", "http://localhost")]), 403, "without a Host");
        for site in ["cross-site", "same-site", "other"] {
            let page = [host, ("sec-fetch-site", site), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
            let frame = [host, ("sec-fetch-site", site), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
            let script = [host, ("sec-fetch-site", site), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "script")];
            assert_eq!(outcome(&Method::GET, "/", &page), 200);
            assert_eq!(outcome(&Method::POST, "/teardown", &page), 403);
            assert_eq!(outcome(&Method::GET, "/", &frame), 403);
            assert_eq!(outcome(&Method::GET, "/state", &script), 403);
        }
    }
}
