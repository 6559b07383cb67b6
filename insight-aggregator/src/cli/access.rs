//! Who `serve` and `schema` are to a store over the network: the same flags, variables and keys of the file.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use crate::store::{Access, Secret};

/// As it is given.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "For --store cassandra://…")]
pub(super) struct AccessArgs {
    /// The user that the store knows us as
    #[arg(long, env = "INSIGHT_STORE_USER", value_name = "NAME")]
    pub(super) store_user: Option<String>,
    /// Its password. Others see flags: better is the variable, or --store-password-file
    #[arg(
        long,
        env = "INSIGHT_STORE_PASSWORD",
        value_name = "TEXT",
        hide_env_values = true
    )]
    pub(super) store_password: Option<String>,
    /// File with its password; a line end at its end does not count
    #[arg(long, env = "INSIGHT_STORE_PASSWORD_FILE", value_name = "FILE")]
    pub(super) store_password_file: Option<PathBuf>,
    /// File with the certificates, in PEM form, of who vouches for the store's servers: with it TLS is used
    #[arg(long, env = "INSIGHT_STORE_CA", value_name = "FILE")]
    pub(super) store_ca: Option<PathBuf>,
    /// File with our own certificate, if the servers want one
    #[arg(long, env = "INSIGHT_STORE_CERT", value_name = "FILE")]
    pub(super) store_cert: Option<PathBuf>,
    /// File with its key
    #[arg(long, env = "INSIGHT_STORE_KEY", value_name = "FILE")]
    pub(super) store_key: Option<PathBuf>,
}

/// Never with the password.
impl std::fmt::Debug for AccessArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let user = &self.store_user;
        f.debug_struct("AccessArgs")
            .field("store_user", user)
            .finish_non_exhaustive()
    }
}

impl AccessArgs {
    /// What is not given here is taken from `other`; the two ways to give a password are one setting.
    pub(super) fn or(self, other: Self) -> Self {
        let has_password = self.store_password.is_some() || self.store_password_file.is_some();
        let other_password =
            (!has_password).then_some((other.store_password, other.store_password_file));
        let (password, password_file) =
            other_password.unwrap_or((self.store_password, self.store_password_file));
        Self {
            store_user: self.store_user.or(other.store_user),
            store_password: password,
            store_password_file: password_file,
            store_ca: self.store_ca.or(other.store_ca),
            store_cert: self.store_cert.or(other.store_cert),
            store_key: self.store_key.or(other.store_key),
        }
    }

    /// Reads the password's file, if there is one.
    pub(super) fn resolve(self) -> Result<Access, Failure> {
        let password = match (self.store_password, self.store_password_file) {
            (Some(password), None) => Some(password),
            (None, Some(path)) => {
                let text = std::fs::read_to_string(&path).map_err(|error| {
                    Failure::usage(
                        format!(
                            "cannot read the password's file {}: {error}",
                            path.display()
                        ),
                        "name a file that this user may read with --store-password-file",
                    )
                })?;
                Some(text.trim_end_matches(['\r', '\n']).to_owned())
            }
            (None, None) => None,
            (Some(_), Some(_)) => {
                return Err(Failure::usage(
                    "a password is given twice: by --store-password and by --store-password-file",
                    "leave one out; the variables INSIGHT_STORE_PASSWORD and INSIGHT_STORE_PASSWORD_FILE count, too",
                ));
            }
        };
        let user = match (self.store_user, password) {
            (Some(user), Some(password)) => Some((user, Secret::new(password))),
            (None, None) => None,
            _ => {
                return Err(Failure::usage(
                    "a user of the store and its password belong together",
                    "give --store-user and --store-password-file, or neither",
                ));
            }
        };
        Ok(Access {
            user,
            ca: self.store_ca,
            cert: self.store_cert,
            key: self.store_key,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(user: Option<&str>, password: Option<&str>) -> AccessArgs {
        AccessArgs {
            store_user: user.map(str::to_owned),
            store_password: password.map(str::to_owned),
            ..AccessArgs::default()
        }
    }

    #[test]
    fn a_password_is_read_from_a_file_and_never_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hush\n").unwrap();
        let given = AccessArgs {
            store_password_file: Some(file.path().to_owned()),
            ..args(Some("me"), None)
        };
        let access = given.resolve().unwrap();
        assert_eq!(access.user, Some(("me".to_owned(), Secret::new("hush"))));
        let shown = format!("{:?} {access:?}", args(Some("me"), Some("hush")));
        assert!(shown.contains("me") && !shown.contains("hush"), "{shown}");
    }

    #[test]
    fn half_of_a_login_is_refused_without_the_password() {
        for given in [args(Some("me"), None), args(None, Some("hush"))] {
            let error = format!("{:?}", given.resolve().unwrap_err());
            assert!(
                error.contains("--store-user") && !error.contains("hush"),
                "{error}"
            );
        }
        let twice = AccessArgs {
            store_password_file: Some("/f".into()),
            ..args(Some("me"), Some("hush"))
        };
        assert!(twice.resolve().is_err());
    }

    #[test]
    fn flags_win_over_the_file_and_a_password_is_one_setting() {
        let file = AccessArgs {
            store_password_file: Some("/f".into()),
            ..args(Some("file"), None)
        };
        let access = args(Some("flag"), Some("own"))
            .or(file.clone())
            .resolve()
            .unwrap();
        assert_eq!(access.user, Some(("flag".to_owned(), Secret::new("own"))));
        let taken = args(None, None).or(file);
        assert_eq!(taken.store_password_file, Some("/f".into()));
    }
}
