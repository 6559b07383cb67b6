//! The kernel fields that the programs read, as a table, and the older forms of some: the fallback table's part about data.

use anyhow::{Result, bail};
use insight_ebpf::abi::Offsets;
use serde::Serialize;

use super::Release;
use super::btf::Btf;

/// One field: its place in [`Offsets`], the struct, the member.
type Field = (fn(&mut Offsets) -> &mut u32, &'static str, &'static str);

const FIELDS: [Field; 40] = [
    (|o| &mut o.socket_sk, "socket", "sk"),
    (|o| &mut o.sk_type, "sock", "sk_type"),
    (|o| &mut o.sk_protocol, "sock", "sk_protocol"),
    (|o| &mut o.sk_max_ack_backlog, "sock", "sk_max_ack_backlog"),
    (|o| &mut o.sk_err, "sock", "sk_err"),
    (|o| &mut o.sk_socket, "sock", "sk_socket"),
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
    (|o| &mut o.cgroup_kn, "cgroup", "kn"),
    (|o| &mut o.cgroup_root, "cgroup", "root"),
    (|o| &mut o.hierarchy_id, "cgroup_root", "hierarchy_id"),
    (|o| &mut o.cgroup_level, "cgroup", "level"),
    (|o| &mut o.kn_id, "kernfs_node", "id"),
    (|o| &mut o.skc_num, "sock_common", "skc_num"),
    (
        |o| &mut o.skc_incoming_cpu,
        "sock_common",
        "skc_incoming_cpu",
    ),
    (|o| &mut o.net_devices, "net", "dev_base_head.next"),
    (|o| &mut o.dev_list, "net_device", "dev_list.next"),
    (|o| &mut o.ip_ptr, "net_device", "ip_ptr"),
    (|o| &mut o.ip6_ptr, "net_device", "ip6_ptr"),
    (|o| &mut o.ifa_list, "in_device", "ifa_list"),
    (|o| &mut o.ifa_next, "in_ifaddr", "ifa_next"),
    (|o| &mut o.ifa_local, "in_ifaddr", "ifa_local"),
    (|o| &mut o.ifa_mask, "in_ifaddr", "ifa_mask"),
    (|o| &mut o.addr_list, "inet6_dev", "addr_list.next"),
    (|o| &mut o.if_list, "inet6_ifaddr", "if_list.next"),
    (|o| &mut o.if_addr, "inet6_ifaddr", "addr"),
    (|o| &mut o.prefix_len, "inet6_ifaddr", "prefix_len"),
];

/// A field that older kernels keep in another form.
struct Variant {
    place: fn(&mut Offsets) -> &mut u32,
    /// Set to 1 where the older form is used.
    flag: fn(&mut Offsets) -> &mut u32,
    structure: &'static str,
    member: &'static str,
    older: &'static str,
    /// A member that is there only in the older form, where `member` is there in both.
    told_by: Option<&'static str>,
    row: Form,
}

/// What the programs read in the form of new kernels, or in an older one: a row of the fallback table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Form {
    /// What for.
    pub name: &'static str,
    /// The struct's member that the newer form is in.
    pub needs: &'static str,
    /// First Linux version that has it.
    pub since: Release,
    /// Versions of older series from which on those have it too.
    pub backports: &'static [&'static str],
    /// Whether this kernel has it.
    pub present: bool,
    /// What is lost without it.
    pub lost: &'static str,
    /// What is read instead.
    pub instead: &'static str,
}

const VARIANTS: [Variant; 3] = [
    Variant {
        place: |o| &mut o.sk_cgroup,
        flag: |o| &mut o.sk_cgroup_is_word,
        structure: "sock",
        member: "sk_cgrp_data.cgroup",
        older: "sk_cgrp_data.val",
        told_by: None,
        row: Form {
            name: "owner",
            needs: "sock.sk_cgrp_data.cgroup",
            since: Release(5, 15),
            backports: &["5.10.226"],
            present: false,
            lost: "the owners of sockets on a host that uses net_cls or net_prio of cgroup v1",
            instead: "sk_cgrp_data.val, a word that holds the pointer or flags",
        },
    },
    Variant {
        place: |o| &mut o.net_cookie,
        flag: |o| &mut o.net_is_numbered,
        structure: "net",
        member: "net_cookie",
        older: "ns.inum",
        // Atomic, and 0 until somebody asks for it.
        told_by: Some("net_cookie.counter"),
        row: Form {
            name: "netns",
            needs: "net.net_cookie, given at birth",
            since: Release(5, 12),
            backports: &[],
            present: false,
            lost: "nothing, unless a new network namespace gets the number of a dead one",
            instead: "net.ns.inum, the namespace's inode number",
        },
    },
    Variant {
        place: |o| &mut o.cgroup_ancestors,
        flag: |o| &mut o.ancestors_are_ids,
        structure: "cgroup",
        member: "ancestors",
        older: "ancestor_ids",
        told_by: None,
        row: Form {
            name: "ancestors",
            needs: "cgroup.ancestors",
            since: Release(6, 1),
            backports: &[],
            present: false,
            lost: "nothing",
            instead: "cgroup.ancestor_ids",
        },
    },
];

impl Form {
    /// The kernels that have it, for people: `5.15, 5.10.226`.
    pub(super) fn kernels(&self) -> String {
        let since = [self.since.to_string()];
        let backports = self.backports.iter().map(ToString::to_string);
        let all: Vec<String> = since.into_iter().chain(backports).collect();
        all.join(", ")
    }
}

impl Variant {
    fn is_older(&self, btf: &Btf<'_>) -> Result<bool> {
        Ok(match self.told_by {
            Some(mark) => btf.offset(self.structure, mark)?.is_some(),
            None => btf.offset(self.structure, self.member)?.is_none(),
        })
    }
}

/// Which forms the kernel with these types has.
pub(super) fn forms(btf: &Btf<'_>) -> Result<Vec<Form>> {
    let form = |variant: &Variant| {
        Ok(Form {
            present: !variant.is_older(btf)?,
            ..variant.row.clone()
        })
    };
    VARIANTS.iter().map(form).collect()
}

/// Offsets of all fields in the kernel with these types.
pub(super) fn offsets(btf: &Btf<'_>) -> Result<Offsets> {
    let mut offsets = Offsets::default();
    for (place, name, member) in FIELDS {
        let Some(offset) = btf.offset(name, member)? else {
            bail!("this kernel has no {name}.{member}; insight-agent needs Linux 5.10 or later");
        };
        *place(&mut offsets) = offset;
    }
    // Half a byte in older kernels, and a whole one in newer.
    let Some(bits) = btf.bit_offset("sock", "sk_userlocks")? else {
        bail!("this kernel has no sock.sk_userlocks; insight-agent needs Linux 5.10 or later");
    };
    (offsets.sk_userlocks, offsets.sk_userlocks_shift) = (bits / 8, bits % 8);
    for variant in &VARIANTS {
        let (name, member, older) = (variant.structure, variant.member, variant.older);
        let is_older = variant.is_older(btf)?;
        let found = btf.offset(name, if is_older { older } else { member })?;
        let Some(offset) = found else {
            bail!(
                "this kernel has neither {name}.{member} nor {name}.{older}; insight-agent needs Linux 5.10 or later"
            );
        };
        *(variant.place)(&mut offsets) = offset;
        *(variant.flag)(&mut offsets) = u32::from(is_older);
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
        for variant in &VARIANTS {
            *(variant.place)(&mut offsets) += 1;
            *(variant.flag)(&mut offsets) += 1;
        }
        let filled = format!("{offsets:?}");
        let all = FIELDS.len() + 2 * VARIANTS.len();
        assert_eq!(filled.matches(": 1").count(), all, "{filled}");
        // And the two of sk_userlocks.
        assert_eq!(all + 2, size_of::<Offsets>() / size_of::<u32>());
    }
}
