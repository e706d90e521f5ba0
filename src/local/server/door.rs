//! Which requests are let in: those that name this machine, that no web page of another origin makes, and whose sender
//! is the cluster's own user, or root, or knows the token.
//!
//! Looks at heads alone. A page that the user visits can make their browser send requests here, also under a name of
//! its own that it points at 127.0.0.1 (DNS rebinding), and a request here can run a command.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::answer::JSONP;
use super::cors;
use super::credentials::{self, Shown};
use super::peer::Peer;
use crate::local::refusal::Refusal;
use crate::local::token::Token;

/// What every answer tells a browser: to take it for what it says it is, and to give it to no page of another origin.
const PROTECTION: [(&str, &str); 3] = [
    ("x-content-type-options", "nosniff"),
    ("cross-origin-resource-policy", "same-origin"),
    ("content-security-policy", "default-src 'self'; img-src 'self' data:; frame-ancestors 'self'"),
];

/// What those who are let in have to know.
#[derive(Debug)]
pub struct Door {
    token: Token,
    /// Beside the address that was connected to, and the names and addresses of loopback.
    hosts: Vec<String>,
}

/// Who asks, among a request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// The cluster's own user, root, or who has shown the token.
    Known,
    /// Anyone else, with the user id, if it is somebody of this machine.
    Stranger(Option<u32>),
}

impl Door {
    /// Takes this token, and lets requests in that name loopback, the address that they came to, or one of these hosts,
    /// which are without ports.
    pub fn new(token: Token, hosts: Vec<String>) -> Self {
        Self { token, hosts }
    }

    fn check(&self, peer: &Peer, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(Caller, Shown), Refusal> {
        let shown = credentials::shown(&self.token, peer.here.port(), headers);
        // A page of another origin can have a browser add a cookie or a password, but knows no token itself.
        if shown < Shown::Basic {
            self.check_host(peer.here.ip(), uri, headers)?;
        }
        if shown < Shown::Header {
            check_origin(method, headers)?;
            if asks_for_script(uri) {
                check_script(headers)?;
            }
        }
        let known = shown > Shown::No || peer.uid.is_some_and(is_trusted);
        Ok((if known { Caller::Known } else { Caller::Stranger(peer.uid) }, shown))
    }

    /// HTTP/1.0 may come without a Host. A browser always sends one.
    fn check_host(&self, here: IpAddr, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let named = headers.get_all(header::HOST).iter().map(HeaderValue::as_bytes);
        let named = named.chain(uri.authority().map(|authority| authority.as_str().as_bytes()));
        for host in named {
            let authority = Authority::try_from(host).ok();
            if !authority.is_some_and(|authority| self.is_here(here, &authority)) {
                let host = String::from_utf8_lossy(host);
                let expected = "expected localhost, an address of loopback, or a host in REMESOS_LOCAL_HOSTS";
                return Err(Refusal::new(421, format!("The Host '{host}' is not this cluster: {expected}\n")));
            }
        }
        Ok(())
    }

    fn is_here(&self, here: IpAddr, authority: &Authority) -> bool {
        let host = authority.host().to_ascii_lowercase();
        if authority.as_str().contains('@') {
            return false;
        }
        let address = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::from),
            None => host.parse::<Ipv4Addr>().ok().map(IpAddr::from),
        };
        if let Some(address) = address {
            return address.is_loopback() || address == here || self.is_configured(&host);
        }
        let name = host.strip_suffix('.').unwrap_or(&host);
        name == "localhost" || name.ends_with(".localhost") || self.is_configured(name)
    }

    fn is_configured(&self, host: &str) -> bool {
        self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
    }
}

/// Whoever is root, or runs this process, could do what the cluster does without asking it.
fn is_trusted(uid: u32) -> bool {
    uid == 0 || uid == nix::unistd::geteuid().as_raw()
}

/// Refuses what a page of another origin asks for; a link that the user follows is something else.
///
/// Browsers tell the truth in `Sec-Fetch-Site`, and no page can change it. It overrides `Origin`, since behind a
/// proxy such as jupyter-server-proxy the page's origin is the proxy's.
fn check_origin(method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    let says = |name: &str, value: &str| headers.get(name).is_some_and(|found| found == value);
    let foreign = if headers.contains_key("sec-fetch-site") {
        let navigation =
            method == Method::GET && says("sec-fetch-mode", "navigate") && says("sec-fetch-dest", "document");
        !(says("sec-fetch-site", "same-origin") || says("sec-fetch-site", "none") || navigation)
    } else {
        headers.get_all(header::ORIGIN).iter().any(|origin| !is_same(origin, headers.get(header::HOST)))
    };
    let why = "Refused: the request comes from a web page of another origin\n";
    if foreign { Err(Refusal::new(403, why)) } else { Ok(()) }
}

/// Whether a request wants a call of a function with the answer (JSONP), which any page may have as a script.
fn asks_for_script(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default().as_bytes();
    url::form_urlencoded::parse(query).any(|(name, _)| name == JSONP)
}

/// Refuses a script unless the request shows that a page of this origin includes it: by `Sec-Fetch-Site`, or by `Referer`
/// if the browser does not send that. No page can change either.
fn check_script(headers: &HeaderMap) -> Result<(), Refusal> {
    let own = match headers.get("sec-fetch-site") {
        Some(site) => site == "same-origin" || site == "none",
        None => headers.get(header::REFERER).is_some_and(|page| is_same(page, headers.get(header::HOST))),
    };
    let why = "Refused: 'jsonp' is for pages of this cluster, or with its token in a header\n";
    if own { Ok(()) } else { Err(Refusal::new(403, why)) }
}

fn is_same(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let origin = Uri::try_from(origin.as_bytes()).ok().filter(|origin| origin.scheme().is_some());
    let host = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    host.is_some() && origin.and_then(|origin| origin.into_parts().authority) == host
}

/// Refuses a body of any other type than this one: pages of other origins may send simple types without asking.
pub fn only_type(headers: &HeaderMap, expected: &str) -> Result<(), Refusal> {
    let Some(found) = headers.get(header::CONTENT_TYPE) else {
        return Err(Refusal::new(400, "Expecting 'Content-Type' to be present\n"));
    };
    let essence = found.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    if essence.trim().eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(Refusal::new(415, format!("Expecting 'Content-Type' of {expected}\n")))
}

/// Every request goes through here.
pub async fn guard(
    State(door): State<Arc<Door>>,
    Extension(peer): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    let mut response = if let Some(answer) = cors::preflight(method, headers) {
        answer
    } else if let Some(answer) = credentials::follow_link(&door.token, peer.here.port(), method, uri, headers) {
        answer
    } else {
        match door.check(&peer, method, uri, headers) {
            Ok((caller, shown)) => {
                let origin = headers.get(header::ORIGIN).filter(|_| shown == Shown::Header).cloned();
                request.extensions_mut().insert(caller);
                cors::allow(origin, next.run(request).await)
            }
            Err(refusal) => {
                tracing::warn!("{method} {}: {}", uri.path(), refusal.message.trim_end());
                refusal.into_response()
            }
        }
    };
    for (name, value) in PROTECTION {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Goes on with requests of those who are known.
pub async fn only_known(Extension(caller): Extension<Caller>, request: Request, next: Next) -> Response {
    if caller == Caller::Known { next.run(request).await } else { unknown() }
}

/// The answer to a stranger.
pub fn unknown() -> Response {
    let why = "This cluster answers to the user that runs it and to root. Anyone else needs its token: open the link \
               that `remesos local` prints (LocalCluster.link in Python), or send the token in the header \
               'X-Remesos-Token', as 'Authorization: Bearer', or as the password of HTTP Basic, which is the secret \
               of a framework's Credential\n";
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer realm=\"remesos\"")], why).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(method: &Method, uri: &str, headers: &[(&'static str, &str)]) -> u16 {
        outcome_of(Some(0), method, uri, headers)
    }

    const SECRET: &str = "0123456789abcdef";

    fn outcome_of(uid: Option<u32>, method: &Method, uri: &str, headers: &[(&'static str, &str)]) -> u16 {
        let door = Door::new(Token::parse(SECRET).expect("valid"), vec!["build.example.org".to_owned()]);
        let peer = Peer { uid, here: ([192, 168, 7, 1], 5050).into() };
        let pairs = headers
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_str(value).expect("valid")));
        let uri = uri.parse().expect("valid");
        match door.check(&peer, method, &uri, &pairs.collect()) {
            Ok((Caller::Known, _)) => 200,
            Ok((Caller::Stranger(_), _)) => 401,
            Err(refusal) => refusal.status,
        }
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
    #[test]
    fn strangers_need_the_token_and_the_cluster_s_user_and_root_do_not() {
        let host = ("host", "localhost:5050");
        let me = nix::unistd::geteuid().as_raw();
        for (uid, expected) in [(Some(me), 200), (Some(0), 200), (Some(me ^ 4096), 401), (None, 401)] {
            assert_eq!(outcome_of(uid, &Method::GET, "/state", &[host]), expected, "{uid:?}");
            assert_eq!(outcome_of(uid, &Method::GET, "/state", &[host, ("x-remesos-token", SECRET)]), 200);
            let cookie = format!("remesos-token-5050={SECRET}");
            assert_eq!(outcome_of(uid, &Method::GET, "/state", &[host, ("cookie", &cookie)]), 200);
            let wrong = ("x-remesos-token", "0123456789abcdeg");
            assert_eq!(outcome_of(uid, &Method::GET, "/state", &[host, wrong]), expected, "{uid:?}");
        }
    }

    #[test]
    fn what_a_browser_adds_by_itself_opens_no_other_host_or_origin() {
        let (cookie, basic) = (format!("remesos-token-5050={SECRET}"), "Basic eDowMTIzNDU2Nzg5YWJjZGVm");
        let (elsewhere, here) = (("host", "evil.example:5050"), ("host", "localhost:5050"));
        let page = ("origin", "http://evil.example");
        for (shown, other_host, other_origin) in [
            (("x-remesos-token", SECRET), 200, 200),
            (("authorization", "Bearer 0123456789abcdef"), 200, 200),
            (("authorization", basic), 200, 403),
            (("cookie", &*cookie), 421, 403),
        ] {
            assert_eq!(outcome_of(None, &Method::GET, "/state", &[elsewhere, shown]), other_host, "{shown:?}");
            assert_eq!(outcome_of(None, &Method::POST, "/teardown", &[here, page, shown]), other_origin, "{shown:?}");
        }
    }
}
