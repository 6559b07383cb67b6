//! The kernel fields that the programs read, as a table.

use anyhow::{Result, bail};
use insight_ebpf::abi::Offsets;

use super::btf::Btf;

/// One field: its place in [`Offsets`], the struct, the member.
type Field = (fn(&mut Offsets) -> &mut u32, &'static str, &'static str);

const FIELDS: [Field; 27] = [
    (|o| &mut o.socket_sk, "socket", "sk"),
    (|o| &mut o.sk_type, "sock", "sk_type"),
    (|o| &mut o.sk_protocol, "sock", "sk_protocol"),
    (|o| &mut o.sk_max_ack_backlog, "sock", "sk_max_ack_backlog"),
    (|o| &mut o.sk_err, "sock", "sk_err"),
    (|o| &mut o.sk_cgroup, "sock", "sk_cgrp_data.cgroup"),
    (|o| &mut o.skc_family, "sock_common", "skc_family"),
    (|o| &mut o.skc_state, "sock_common", "skc_state"),
    (|o| &mut o.skc_flags, "sock_common", "skc_flags"),
    (|o| &mut o.skc_net, "sock_common", "skc_net.net"),
    (|o| &mut o.skc_dport, "sock_common", "skc_dport"),
    (|o| &mut o.skc_rcv_saddr, "sock_common", "skc_rcv_saddr"),
    (|o| &mut o.skc_daddr, "sock_common", "skc_daddr"),
    (
        |o| &mut o.skc_v6_rcv_saddr,
        "sock_common",
        "skc_v6_rcv_saddr",
    ),
    (|o| &mut o.skc_v6_daddr, "sock_common", "skc_v6_daddr"),
    (|o| &mut o.inet_sport, "inet_sock", "inet_sport"),
    (|o| &mut o.bytes_sent, "tcp_sock", "bytes_sent"),
    (|o| &mut o.bytes_retrans, "tcp_sock", "bytes_retrans"),
    (|o| &mut o.bytes_received, "tcp_sock", "bytes_received"),
    (|o| &mut o.total_retrans, "tcp_sock", "total_retrans"),
    (|o| &mut o.srtt_us, "tcp_sock", "srtt_us"),
    (|o| &mut o.net_cookie, "net", "net_cookie"),
    (|o| &mut o.cgroup_kn, "cgroup", "kn"),
    (|o| &mut o.cgroup_root, "cgroup", "root"),
    (|o| &mut o.hierarchy_id, "cgroup_root", "hierarchy_id"),
    (|o| &mut o.cgroup_level, "cgroup", "level"),
    (|o| &mut o.kn_id, "kernfs_node", "id"),
];

/// Offsets of all fields in the kernel with these types.
pub(super) fn offsets(btf: &Btf<'_>) -> Result<Offsets> {
    let mut offsets = Offsets::default();
    for (place, name, member) in FIELDS {
        let Some(offset) = btf.offset(name, member)? else {
            bail!(
                "this kernel has no {name}.{member}; insight-agent needs Linux 5.15 or later (5.10 with BTF where it works)"
            );
        };
        *place(&mut offsets) = offset;
    }
    // Pointers since Linux 6.1; ids before.
    match (
        btf.offset("cgroup", "ancestors")?,
        btf.offset("cgroup", "ancestor_ids")?,
    ) {
        (Some(pointers), _) => offsets.cgroup_ancestors = pointers,
        (None, Some(ids)) => {
            offsets.cgroup_ancestors = ids;
            offsets.ancestors_are_ids = 1;
        }
        (None, None) => bail!("this kernel has neither cgroup.ancestors nor cgroup.ancestor_ids"),
    }
    Ok(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offset_is_filled_once() {
        let mut offsets = Offsets::default();
        for (place, ..) in FIELDS {
            *place(&mut offsets) += 1;
        }
        offsets.cgroup_ancestors += 1;
        offsets.ancestors_are_ids += 1;
        let filled = format!("{offsets:?}");
        assert_eq!(filled.matches(": 1").count(), FIELDS.len() + 2, "{filled}");
    }
}
