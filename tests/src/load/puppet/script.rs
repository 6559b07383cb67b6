//! The commands, as text.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use super::sockets::How;

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Listen {
        name: String,
        at: SocketAddr,
        how: How,
    },
    Accept {
        listener: String,
        name: String,
    },
    Bind {
        name: String,
        at: SocketAddr,
        how: How,
    },
    Connect {
        name: String,
        to: SocketAddr,
        how: How,
    },
    Start {
        name: String,
        to: SocketAddr,
    },
    Established {
        name: String,
    },
    Dial {
        name: String,
        to: SocketAddr,
        bytes: u64,
    },
    Send {
        name: String,
        bytes: u64,
    },
    Receive {
        name: String,
        bytes: u64,
    },
    ReceiveEnd {
        name: String,
    },
    Ask {
        name: String,
        send: u64,
        receive: u64,
    },
    End {
        name: String,
    },
    Close {
        name: String,
    },
    Inbox {
        path: PathBuf,
    },
    Give {
        name: String,
        path: PathBuf,
    },
    Take {
        name: String,
    },
    Fork,
    Reap,
}

/// Words, of which all must be taken.
struct Words<'t>(std::str::SplitWhitespace<'t>);

impl<'t> Words<'t> {
    fn text(&mut self) -> Result<&'t str> {
        self.0.next().context("a word is missing")
    }

    fn name(&mut self) -> Result<String> {
        self.text().map(str::to_owned)
    }

    fn path(&mut self) -> Result<PathBuf> {
        self.text().map(PathBuf::from)
    }

    fn address(&mut self) -> Result<SocketAddr> {
        let text = self.text()?;
        text.parse()
            .with_context(|| format!("not an address: {text:?}"))
    }

    fn bytes(&mut self) -> Result<u64> {
        let text = self.text()?;
        text.parse()
            .with_context(|| format!("not a number: {text:?}"))
    }

    fn how(&mut self) -> Result<How> {
        let mut how = How::default();
        for word in self.0.by_ref() {
            match word {
                "shared" => how.shared = true,
                "mptcp" => how.mptcp = true,
                _ => bail!("unknown word {word:?}"),
            }
        }
        Ok(how)
    }
}

/// Parses one command.
pub(super) fn parse(command: &str) -> Result<Act> {
    let mut words = Words(command.split_whitespace());
    let act = act(&mut words).with_context(|| format!("not a command: {command:?}"))?;
    ensure!(
        words.0.next().is_none(),
        "{command:?} has more words than it needs"
    );
    Ok(act)
}

fn act(words: &mut Words<'_>) -> Result<Act> {
    Ok(match words.text()? {
        "listen" => Act::Listen {
            name: words.name()?,
            at: words.address()?,
            how: words.how()?,
        },
        "accept" => Act::Accept {
            listener: words.name()?,
            name: words.name()?,
        },
        "bind" => Act::Bind {
            name: words.name()?,
            at: words.address()?,
            how: words.how()?,
        },
        "connect" => Act::Connect {
            name: words.name()?,
            to: words.address()?,
            how: words.how()?,
        },
        "start" => Act::Start {
            name: words.name()?,
            to: words.address()?,
        },
        "established" => Act::Established {
            name: words.name()?,
        },
        "dial" => Act::Dial {
            name: words.name()?,
            to: words.address()?,
            bytes: words.bytes()?,
        },
        "send" => Act::Send {
            name: words.name()?,
            bytes: words.bytes()?,
        },
        "receive" => Act::Receive {
            name: words.name()?,
            bytes: words.bytes()?,
        },
        "receive-end" => Act::ReceiveEnd {
            name: words.name()?,
        },
        "ask" => Act::Ask {
            name: words.name()?,
            send: words.bytes()?,
            receive: words.bytes()?,
        },
        "end" => Act::End {
            name: words.name()?,
        },
        "close" => Act::Close {
            name: words.name()?,
        },
        "inbox" => Act::Inbox {
            path: words.path()?,
        },
        "give" => Act::Give {
            name: words.name()?,
            path: words.path()?,
        },
        "take" => Act::Take {
            name: words.name()?,
        },
        "fork" => Act::Fork,
        "reap" => Act::Reap,
        _ => bail!("no such command; `insight-load --help` lists them"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read() {
        let listen = Act::Listen {
            name: "l".to_owned(),
            at: ([10, 0, 0, 1], 80).into(),
            how: How {
                shared: true,
                mptcp: false,
            },
        };
        assert_eq!(parse("listen l 10.0.0.1:80 shared").unwrap(), listen);
        let send = Act::Send {
            name: "c".to_owned(),
            bytes: 7,
        };
        assert_eq!(parse("send c 7").unwrap(), send);
        for wrong in ["", "sing", "send c", "send c x", "send c 7 8", "bind b ::1"] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
