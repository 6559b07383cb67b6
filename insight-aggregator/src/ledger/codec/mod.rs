//! How the ledger's rows look in the store.

mod key;

pub(super) use key::KeyHasher;
