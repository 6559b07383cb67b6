//! Where this machine's apt gets Debian from, read from its own sources, so that a mirror or a proxy is respected.

/// One line of a private sources.list, without its suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mirror {
    /// Its address
    pub(crate) uri: String,
    /// A key file, where the machine names one
    pub(crate) signed_by: Option<String>,
}

/// The two archives of Debian.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mirrors {
    /// Of `bookworm`, `bookworm-backports` …
    pub(crate) main: Mirror,
    /// Of `bookworm-security` …
    pub(crate) security: Mirror,
}

/// Debian's releases whose names tell its mirrors from those of other distributions.
const RELEASES: [&str; 8] = [
    "buster", "bullseye", "bookworm", "trixie", "forky", "duke", "sid", "stable",
];

impl Mirrors {
    /// Finds them in the texts of sources files. Where the security archive has no entry, it is assumed beside the main one, as on
    /// every mirror of both.
    pub(crate) fn find(texts: &[String]) -> Option<Self> {
        let entries: Vec<(Mirror, String)> = texts.iter().flat_map(|text| parse(text)).collect();
        let of = |wanted: fn(&str) -> bool| {
            let found = entries.iter().find(|(_, suite)| wanted(suite));
            found.map(|(mirror, _)| mirror.clone())
        };
        let main = of(|suite| RELEASES.contains(&suite))?;
        let security = of(|suite| {
            suite
                .strip_suffix("-security")
                .is_some_and(|release| RELEASES.contains(&release))
        });
        Some(Self {
            security: security.unwrap_or_else(|| Mirror {
                uri: format!("{}-security", main.uri.trim_end_matches('/')),
                signed_by: main.signed_by.clone(),
            }),
            main,
        })
    }

    /// A sources.list for suites. Signatures are checked; that a suite's list is still current is not, because old releases are
    /// frozen.
    pub(crate) fn list<'a>(&self, suites: impl IntoIterator<Item = &'a str>) -> String {
        let mut lines: Vec<String> = suites.into_iter().map(|suite| self.line(suite)).collect();
        lines.dedup();
        lines.concat()
    }

    fn line(&self, suite: &str) -> String {
        let mirror = if suite.ends_with("-security") {
            &self.security
        } else {
            &self.main
        };
        let mut options = "arch=amd64 target=Packages lang=none check-valid-until=no".to_owned();
        if let Some(key) = &mirror.signed_by {
            options.push_str(&format!(" signed-by={key}"));
        }
        format!("deb [{options}] {} {suite} main\n", mirror.uri)
    }
}

/// Each pair of mirror and suite in a file of either format (sources.list(5)).
fn parse(text: &str) -> Vec<(Mirror, String)> {
    let is_deb822 = text.lines().any(|line| field(line, "URIs").is_some());
    if !is_deb822 {
        return text.lines().filter_map(one_line).flatten().collect();
    }
    let text: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let stanzas = text.split(|line| line.trim().is_empty());
    stanzas.flat_map(stanza).collect()
}

fn one_line(line: &str) -> Option<Vec<(Mirror, String)>> {
    let rest = line.trim().strip_prefix("deb ")?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let signed_by = options
        .split_whitespace()
        .find_map(|option| option.strip_prefix("signed-by="));
    let mut words = rest.split_whitespace();
    let (uri, suite) = (words.next()?, words.next()?);
    Some(vec![(mirror(uri, signed_by), suite.to_owned())])
}

fn stanza(lines: &[&str]) -> Vec<(Mirror, String)> {
    let words = |name: &str| {
        let value = lines.iter().find_map(|line| field(line, name));
        value.unwrap_or_default().split_whitespace()
    };
    if !words("Types").any(|kind| kind == "deb") || words("Enabled").any(|value| value == "no") {
        return Vec::new();
    }
    // A key may also be written into the stanza itself; that form cannot be passed on, and is not a path.
    let key = words("Signed-By").find(|key| key.starts_with('/'));
    let each = |uri: &str| {
        let mirror = mirror(uri, key);
        words("Suites").map(move |suite| (mirror.clone(), suite.to_owned()))
    };
    words("URIs").flat_map(each).collect()
}

fn mirror(uri: &str, signed_by: Option<&str>) -> Mirror {
    Mirror {
        uri: uri.to_owned(),
        signed_by: signed_by.map(str::to_owned),
    }
}

fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (key, value) = line.split_once(':')?;
    key.eq_ignore_ascii_case(name).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEB822: &str = "\
Types: deb
# http://snapshot.example/archive
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian.gpg

Types: deb-src
URIs: http://sources.example/debian
Suites: bookworm

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
";

    #[test]
    fn stanzas_are_read_with_their_keys() {
        let mirrors = Mirrors::find(&[DEB822.to_owned()]).unwrap();
        let key = Some("/usr/share/keyrings/debian.gpg");
        assert_eq!(mirrors.main, mirror("http://mirror.example/debian", key));
        assert_eq!(
            mirrors.security,
            mirror("http://mirror.example/security", None)
        );
        assert_eq!(
            mirrors.list(["trixie", "trixie-security", "trixie-security"]),
            "deb [arch=amd64 target=Packages lang=none check-valid-until=no \
             signed-by=/usr/share/keyrings/debian.gpg] http://mirror.example/debian trixie main\n\
             deb [arch=amd64 target=Packages lang=none check-valid-until=no] \
             http://mirror.example/security trixie-security main\n"
        );
    }

    #[test]
    fn lines_are_read_and_the_security_archive_is_assumed_beside() {
        let text = "# deb http://off.example/debian trixie main\n\
            deb [arch=amd64 signed-by=/k.gpg] http://cdn.example/debian trixie main contrib\n";
        let mirrors = Mirrors::find(&[String::new(), text.to_owned()]).unwrap();
        assert_eq!(
            mirrors.main,
            mirror("http://cdn.example/debian", Some("/k.gpg"))
        );
        assert_eq!(mirrors.security.uri, "http://cdn.example/debian-security");
    }

    #[test]
    fn other_distributions_are_no_debian() {
        let ubuntu = "deb http://archive.example/ubuntu noble main\n";
        let vendor = "Types: deb\nURIs: http://vendor.example\nSuites: nodistro\n";
        let off = DEB822.replace("Types: deb\n", "Types: deb\nEnabled: no\n");
        for text in [ubuntu, vendor, &off, ""] {
            assert_eq!(Mirrors::find(&[text.to_owned()]), None, "{text}");
        }
    }
}
