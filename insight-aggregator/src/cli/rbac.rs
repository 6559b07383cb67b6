//! `rbac`: prints the rights that the aggregator needs.

use super::args::RbacArgs;
use super::failure::Failure;
use super::output;
use crate::kubernetes::rights::{self, Account};

pub(super) fn run(args: &RbacArgs) -> Result<(), Failure> {
    let account = Account {
        name: &args.name,
        namespace: &args.namespace,
    };
    output::print(&rights::yaml(&account, args.secrets, &args.owner))
}
