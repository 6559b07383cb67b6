//! `cassandra://host[:port][,host]/keyspace?dc=…`: where the store is.

use anyhow::{Context as _, Result, bail, ensure};

/// What comes before it in a store's URL.
pub(in crate::store) const SCHEME: &str = "cassandra";

/// Cassandra's own port.
const PORT: u16 = 9042;

/// The form, for errors.
const FORM: &str = "write cassandra://HOST[:PORT][,HOST…]/KEYSPACE, with ?dc=NAME (the data centre to use), cluster=NAME (whose \
                    rows these are), writer=NAME (tells aggregators of one machine apart) and rows=local_one or local_quorum if need be";

/// Where the store is, and how it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Nodes to ask first, `host:port`.
    pub(super) hosts: Vec<String>,
    pub(super) keyspace: String,
    /// The data centre whose nodes are used.
    pub(super) dc: Option<String>,
    /// Whose rows these are: several clusters may share a keyspace.
    pub(super) cluster: String,
    /// Which writer this is, if the machine's name does not say it.
    pub(super) writer: Option<String>,
    /// Whether one replica is enough for rows. The journal and the windows always need a quorum.
    pub(super) rows_at_one: bool,
}

impl Target {
    /// Reads an URL. Its errors never show what may be a password.
    pub(super) fn parse(url: &str) -> Result<Self> {
        let rest = url
            .strip_prefix(SCHEME)
            .and_then(|rest| rest.strip_prefix("://"))
            .with_context(|| format!("it begins otherwise; {FORM}"))?;
        ensure!(
            !rest.contains('@'),
            "a user and a password do not belong into the URL, which is logged: give them by --store-user and --store-password-file"
        );
        let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (hosts, keyspace) = place
            .split_once('/')
            .with_context(|| format!("it names no keyspace; {FORM}"))?;
        ensure!(
            is_name(keyspace),
            "{keyspace:?} is no keyspace's name: it has up to 48 lower-case letters, digits and _, and begins with a letter"
        );
        let mut target = Self {
            hosts: hosts.split(',').map(host).collect::<Result<_>>()?,
            keyspace: keyspace.to_owned(),
            dc: None,
            cluster: "default".to_owned(),
            writer: None,
            rows_at_one: false,
        };
        for option in options.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=').unwrap_or((option, "")) {
                ("dc", dc) if !dc.is_empty() => target.dc = Some(dc.to_owned()),
                ("cluster", cluster) if (1..=253).contains(&cluster.len()) => {
                    cluster.clone_into(&mut target.cluster);
                }
                ("writer", writer) if (1..=253).contains(&writer.len()) => {
                    target.writer = Some(writer.to_owned());
                }
                ("rows", "local_one") => target.rows_at_one = true,
                ("rows", "local_quorum") => target.rows_at_one = false,
                (name, _) => bail!("its {name:?} cannot be used; {FORM}"),
            }
        }
        Ok(target)
    }
}

/// With the port.
fn host(text: &str) -> Result<String> {
    let bare = text.strip_suffix(']').is_some() || !text.contains(':');
    let valid = match text.rsplit_once(':') {
        _ if bare => !text.is_empty(),
        Some((host, port)) => !host.is_empty() && port.parse::<u16>().is_ok(),
        None => false,
    };
    ensure!(valid, "{text:?} names no host; {FORM}");
    Ok(if bare {
        format!("{text}:{PORT}")
    } else {
        text.to_owned()
    })
}

/// What needs no quotes in CQL.
fn is_name(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    text.len() <= 48
        && text.bytes().all(word)
        && text.starts_with(|first: char| first.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_url_says_where_and_how() {
        let target =
            Target::parse("cassandra://a,b:9,[fd00::1]/insight?dc=dc1&cluster=blue&rows=local_one")
                .unwrap();
        assert_eq!(target.hosts, ["a:9042", "b:9", "[fd00::1]:9042"]);
        assert_eq!(
            (target.keyspace.as_str(), target.dc.as_deref()),
            ("insight", Some("dc1"))
        );
        assert_eq!(
            (target.cluster.as_str(), target.rows_at_one),
            ("blue", true)
        );
        let plain = Target::parse("cassandra://a/k").unwrap();
        assert_eq!(
            (plain.dc, plain.cluster.as_str(), plain.rows_at_one),
            (None, "default", false)
        );
    }

    #[test]
    fn what_cannot_be_used_is_refused_and_a_password_is_not_repeated() {
        for url in [
            "cassandra:",
            "cassandra://",
            "cassandra:///k",
            "cassandra://a",
            "cassandra://a/",
            "cassandra://a/K",
            "cassandra://a/1",
            "cassandra://a:x/k",
            "cassandra://a,/k",
            "cassandra://a/k?dc=",
            "cassandra://a/k?rows=all",
            "cassandra://a/k;drop",
        ] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
        let error = format!(
            "{:#}",
            Target::parse("cassandra://me:hush@a/k").unwrap_err()
        );
        assert!(
            error.contains("--store-password-file") && !error.contains("hush"),
            "{error}"
        );
    }
}
