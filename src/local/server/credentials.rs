//! How a request shows the cluster's token: by a header, by HTTP Basic, by a link, or by the cookie that a link sets.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::local::token::Token;

/// The header of our own, for clients whose `Authorization` has something else.
pub const HEADER: HeaderName = HeaderName::from_static("x-remesos-token");
const PARAMETER: &str = "token";

/// How a valid token was shown, from what says least of who asks to what says most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shown {
    /// It was not.
    No,
    /// By the cookie, which a browser adds whichever page asks.
    Cookie,
    /// By HTTP Basic, which a browser adds too, but never for another host.
    Basic,
    /// By a header that only a client adds which knows the token.
    Header,
}

/// How a request's head shows the token.
pub fn shown(token: &Token, port: u16, headers: &HeaderMap) -> Shown {
    let own = headers.get_all(HEADER).iter().filter(|value| token.is(value.as_bytes())).map(|_| Shown::Header);
    let authorization = headers.get_all(header::AUTHORIZATION).iter().map(|value| authorization(token, value));
    let cookie = if has_cookie(token, port, headers) { Shown::Cookie } else { Shown::No };
    own.chain(authorization).max().unwrap_or(Shown::No).max(cookie)
}

fn authorization(token: &Token, value: &HeaderValue) -> Shown {
    let Some((scheme, credentials)) = value.to_str().ok().and_then(|value| value.trim().split_once(' ')) else {
        return Shown::No;
    };
    let credentials = credentials.trim();
    match scheme.to_ascii_lowercase().as_str() {
        "token" | "bearer" if token.is(credentials.as_bytes()) => Shown::Header,
        "basic" => {
            let decoded = BASE64_STANDARD.decode(credentials).unwrap_or_default();
            let password = decoded.splitn(2, |byte| *byte == b':').nth(1).unwrap_or_default();
            if token.is(password) { Shown::Basic } else { Shown::No }
        }
        _ => Shown::No,
    }
}

/// Cookies belong to a host whatever the port, so that the name tells clusters apart.
fn cookie_name(port: u16) -> String {
    format!("remesos-token-{port}")
}

fn has_cookie(token: &Token, port: u16, headers: &HeaderMap) -> bool {
    let name = cookie_name(port);
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.any(|(found, value)| found == name && token.is(value.as_bytes()))
}

/// The answer to a link with the token: sets the cookie, and leads to the same address without the token.
pub fn follow_link(token: &Token, port: u16, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Response> {
    let query = uri.query().unwrap_or_default();
    let valid = |(name, value): (_, std::borrow::Cow<'_, str>)| name == PARAMETER && token.is(value.as_bytes());
    if method != Method::GET || !url::form_urlencoded::parse(query.as_bytes()).any(valid) {
        return None;
    }
    // Relative, since a proxy may have it under another path.
    let place = format!("./{}{}", uri.path().rsplit('/').next().unwrap_or_default(), without_token(query));
    let cookie = format!("{}={}; Path=/; HttpOnly; SameSite=Strict", cookie_name(port), token.as_str());
    let kept = [(header::SET_COOKIE, cookie), (header::CACHE_CONTROL, "no-store".to_owned())];
    // Redirected from another site, a browser would leave the new cookie out. What the answer itself leads to is of
    // this site.
    let cross_site = headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
    Some(if cross_site {
        (kept, [(header::REFRESH, format!("0; url={place}"))], "Opening the cluster\n").into_response()
    } else {
        (StatusCode::SEE_OTHER, kept, [(header::LOCATION, place)]).into_response()
    })
}

fn without_token(query: &str) -> String {
    let is_token = |part: &str| url::form_urlencoded::parse(part.as_bytes()).any(|(name, _)| name == PARAMETER);
    let others: Vec<&str> = query.split('&').filter(|part| !part.is_empty() && !is_token(part)).collect();
    if others.is_empty() { String::new() } else { format!("?{}", others.join("&")) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef";

    fn token() -> Token {
        Token::parse(SECRET).unwrap()
    }

    fn shown_by(name: &'static str, value: &str) -> Shown {
        let headers = HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())]);
        shown(&token(), 5050, &headers)
    }

    #[test]
    fn a_token_is_shown_by_headers_basic_and_cookie() {
        let basic = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
        for (name, value, expected) in [
            ("x-remesos-token", SECRET, Shown::Header),
            ("authorization", &*format!("token {SECRET}"), Shown::Header),
            ("authorization", &*format!("BEARER  {SECRET}"), Shown::Header),
            ("authorization", &*basic(&format!("anyone:{SECRET}")), Shown::Basic),
            ("cookie", &*format!("a=b; remesos-token-5050={SECRET}; c=d"), Shown::Cookie),
            ("x-remesos-token", "0123456789abcdeg", Shown::No),
            ("x-remesos-token", "", Shown::No),
            ("authorization", SECRET, Shown::No),
            ("authorization", &*format!("Digest {SECRET}"), Shown::No),
            ("authorization", &*basic(SECRET), Shown::No),
            ("authorization", &*basic(&format!("anyone:{SECRET}:")), Shown::No),
            ("authorization", "Basic ???", Shown::No),
            ("cookie", &*format!("remesos-token-5051={SECRET}"), Shown::No),
            ("cookie", &*format!("xremesos-token-5050={SECRET}"), Shown::No),
        ] {
            assert_eq!(shown_by(name, value), expected, "{name}: {value}");
        }
    }

    #[test]
    fn the_way_that_says_most_counts() {
        let headers = HeaderMap::from_iter([
            (header::COOKIE, HeaderValue::from_str(&format!("remesos-token-5050={SECRET}")).unwrap()),
            (header::AUTHORIZATION, HeaderValue::from_static("Basic eDp5")),
            (HEADER, HeaderValue::from_static(SECRET)),
        ]);
        assert_eq!(shown(&token(), 5050, &headers), Shown::Header);
    }

    fn place(uri: &str) -> Option<String> {
        let answer = follow_link(&token(), 5050, &Method::GET, &uri.parse().unwrap(), &HeaderMap::new())?;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        Some(answer.headers()[header::LOCATION].to_str().unwrap().to_owned())
    }

    #[test]
    fn a_link_leads_to_its_address_without_the_token() {
        for (uri, expected) in [
            ("/?token=0123456789abcdef", "./"),
            ("/state?a=b&token=0123456789abcdef&c=%20d", "./state?a=b&c=%20d"),
            ("/master/?%74oken=0123456789abcdef&&", "./"),
            ("/slave(1)/state?token=0123456789abcdef", "./state"),
            ("//evil.example?token=0123456789abcdef", "./evil.example"),
        ] {
            assert_eq!(place(uri).as_deref(), Some(expected), "{uri}");
        }
        for uri in ["/", "/?token=", "/?token=0123456789abcdeg", "/?tokens=0123456789abcdef"] {
            assert_eq!(place(uri), None, "{uri}");
        }
        let uri = Uri::from_static("/teardown?token=0123456789abcdef");
        assert!(follow_link(&token(), 5050, &Method::POST, &uri, &HeaderMap::new()).is_none());
    }

    #[test]
    fn a_link_from_another_site_is_followed_by_the_page_itself() {
        let headers =
            HeaderMap::from_iter([(HeaderName::from_static("sec-fetch-site"), HeaderValue::from_static("cross-site"))]);
        let uri = Uri::from_static("/?token=0123456789abcdef");
        let answer = follow_link(&token(), 5050, &Method::GET, &uri, &headers).unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[header::REFRESH], "0; url=./");
    }
}
