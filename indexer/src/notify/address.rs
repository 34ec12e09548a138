//! Where a webhook may be: at public addresses over https, so that nobody posts into the network that the indexer is in by
//! naming a host there, or one that resolves to it.
//!
//! Its path or query may be all that keeps others from posting there too. So the address is in a file, as the signing secret
//! is, and what is stored, shown and logged of it is its origin: scheme, host and port.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};

use super::private_file::{self, PrivateFileError};

/// A place that nothing is posted to.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    #[error(transparent)]
    File(#[from] PrivateFileError),
    #[error("the file of the address names another place than {0}: remove the webhook and add it again")]
    Elsewhere(String),
    #[error("this is no URL of a webhook: give one like https://host/path, without a user or password in it")]
    NoUrl,
    #[error("webhooks are posted over https; http:// is for this machine, with --allow-private")]
    NotHttps,
    #[error("{0} is not a public address; --allow-private is for receivers in your own network")]
    NotPublic(String),
    #[error("no HTTP client can be made: {0}")]
    Client(#[source] reqwest::Error),
}

/// Reads an address from its file.
pub(super) fn read(file: &Path, private: bool) -> Result<Url, AddressError> {
    check(&private_file::read(file)?, private)
}

/// What may be known of an address.
pub(super) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Checks what can be checked before anything is resolved.
fn check(url: &str, private: bool) -> Result<Url, AddressError> {
    let url: Url = url.parse().map_err(|_| AddressError::NoUrl)?;
    let host = url
        .host_str()
        .ok_or(AddressError::NoUrl)?
        .trim_matches(['[', ']'])
        .to_owned();
    if !url.username().is_empty() || url.password().is_some() {
        return Err(AddressError::NoUrl);
    }
    let ip = host.parse::<IpAddr>().ok();
    let here = host == "localhost" || ip.is_some_and(|ip| ip.is_loopback());
    match url.scheme() {
        "https" => {}
        "http" if private && here => {}
        _ => return Err(AddressError::NotHttps),
    }
    // A name is resolved when it is posted to, and looked at then.
    match ip {
        Some(ip) if !private && !is_public(ip) => Err(AddressError::NotPublic(host)),
        _ => Ok(url),
    }
}

/// A client that follows nothing and goes nowhere else.
pub(super) fn client(private: bool, patience: Duration) -> Result<Client, AddressError> {
    let builder = Client::builder().redirect(Policy::none()).no_proxy().timeout(patience);
    let builder = match private {
        true => builder,
        false => builder.https_only(true).dns_resolver(Arc::new(PublicOnly)),
    };
    builder.build().map_err(AddressError::Client)
}

/// Finds public addresses only. What is found is what is connected to, so a second answer cannot differ from the one that
/// was looked at.
#[derive(Debug)]
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            match public.is_empty() {
                true => Err(AddressError::NotPublic(name.as_str().to_owned()).into()),
                false => Ok(Box::new(public.into_iter()) as Addrs),
            }
        })
    }
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => is_public_v4(ip),
            None => is_public_v6(ip),
        },
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || a == 0
        || a >= 224
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b));
    !special
}

/// Global unicast, without what carries an IPv4 address in it (Teredo, 6to4) and what is for documentation.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    let special = (a == 0x2001 && (b < 0x200 || b == 0xdb8)) || a == 0x2002 || a == 0x3fff;
    (0x2000..0x4000).contains(&a) && !special
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_public_places_are_posted_to() {
        for url in [
            "https://example.org/hook",
            "https://93.184.216.34/",
            "https://[2606:2800:220:1::1]/",
        ] {
            assert!(check(url, false).is_ok(), "{url}");
        }
        for url in [
            "http://example.org/",
            "https://127.0.0.1/",
            "https://0x7f.1/",
            "https://10.1.2.3/",
            "https://169.254.169.254/latest",
            "https://100.64.0.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://[fd00::1]/",
            "https://[2002:7f00:1::]/",
            "https://[64:ff9b::a00:1]/",
            "https://user:password@example.org/",
            "file:///etc/passwd",
            "hook",
        ] {
            assert!(check(url, false).is_err(), "{url}");
        }
        for url in ["http://127.0.0.1:9/", "http://localhost/", "https://10.1.2.3/"] {
            assert!(check(url, true).is_ok(), "{url}");
        }
        assert!(check("http://10.1.2.3/", true).is_err(), "over a network it is https");
    }

    #[test]
    fn of_an_address_scheme_host_and_port_are_shown() {
        for (url, shown) in [
            (
                "https://example.org/hook/s3cret?token=t0ken#more",
                "https://example.org",
            ),
            ("https://example.org:8443/s3cret", "https://example.org:8443"),
            ("http://[::1]:9/s3cret", "http://[::1]:9"),
        ] {
            assert_eq!(origin(&check(url, true).unwrap()), shown);
        }
        for url in [
            "https://user:s3cret@example.org/",
            "https://10.0.0.1/s3cret",
            "http://example.org/s3cret",
            "s3cret",
        ] {
            let refused = check(url, false).unwrap_err().to_string();
            assert!(!refused.contains("s3cret"), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_not_followed() {
        let refused = client(false, Duration::from_secs(5)).unwrap();
        let error = refused.post("https://localhost:1/").send().await.unwrap_err();
        assert!(format!("{error:?}").contains("NotPublic"), "{error:?}");
    }
}
