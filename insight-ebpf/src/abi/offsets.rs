//! Where the running kernel keeps the fields that are read.

/// Byte offsets of struct members in the running kernel, from its BTF; constants to the verifier.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    /// `socket.sk`
    pub socket_sk: u32,
    /// `sock.sk_type` (16 bits)
    pub sk_type: u32,
    /// `sock.sk_protocol` (16 bits since Linux 5.6)
    pub sk_protocol: u32,
    /// `sock.sk_max_ack_backlog`
    pub sk_max_ack_backlog: u32,
    /// `sock.sk_err`
    pub sk_err: u32,
    /// `sock.sk_socket`
    pub sk_socket: u32,
    /// `sock.sk_cgrp_data.cgroup`, or `sock.sk_cgrp_data.val` where [`Offsets::sk_cgroup_is_word`]
    pub sk_cgroup: u32,
    /// 1 where the cgroup is a word that may hold flags in its place (before Linux 5.15), 0 where it is a pointer.
    pub sk_cgroup_is_word: u32,
    /// `sock_common.skc_family`
    pub skc_family: u32,
    /// `sock_common.skc_state`
    pub skc_state: u32,
    /// `sock_common.skc_flags`
    pub skc_flags: u32,
    /// `sock_common.skc_net.net`
    pub skc_net: u32,
    /// `sock_common.skc_dport`
    pub skc_dport: u32,
    /// `sock_common.skc_rcv_saddr`
    pub skc_rcv_saddr: u32,
    /// `sock_common.skc_daddr`
    pub skc_daddr: u32,
    /// `sock_common.skc_v6_rcv_saddr`
    pub skc_v6_rcv_saddr: u32,
    /// `sock_common.skc_v6_daddr`
    pub skc_v6_daddr: u32,
    /// `inet_sock.inet_sport`: unlike `skc_num` it is still there at CLOSE.
    pub inet_sport: u32,
    /// `tcp_sock.bytes_sent`
    pub bytes_sent: u32,
    /// `tcp_sock.bytes_retrans`
    pub bytes_retrans: u32,
    /// `tcp_sock.bytes_received`
    pub bytes_received: u32,
    /// `tcp_sock.total_retrans`
    pub total_retrans: u32,
    /// `tcp_sock.srtt_us`: eight times the smoothed round-trip time
    pub srtt_us: u32,
    /// `net.net_cookie`, or `net.ns.inum` where [`Offsets::net_is_numbered`]
    pub net_cookie: u32,
    /// 1 where a network namespace has a cookie only after somebody asked for it (before Linux 5.12), so that its inode
    /// number (32 bits) is read; 0 where it is born with one.
    pub net_is_numbered: u32,
    /// `cgroup.kn`
    pub cgroup_kn: u32,
    /// `cgroup.root`
    pub cgroup_root: u32,
    /// `cgroup_root.hierarchy_id`: 0 for cgroup v2
    pub hierarchy_id: u32,
    /// `cgroup.level`
    pub cgroup_level: u32,
    /// `cgroup.ancestors`, or `cgroup.ancestor_ids` where [`Offsets::ancestors_are_ids`]
    pub cgroup_ancestors: u32,
    /// 1 where the ancestors are ids (before Linux 6.1), 0 where they are pointers.
    pub ancestors_are_ids: u32,
    /// `kernfs_node.id`
    pub kn_id: u32,
    /// `sock_common.skc_num`: the local port, host order
    pub skc_num: u32,
    /// `sock_common.skc_incoming_cpu`: negative until a connected UDP socket receives
    pub skc_incoming_cpu: u32,
    /// `sock.sk_userlocks`
    pub sk_userlocks: u32,
    /// Where in that byte it begins: it may be half a byte.
    pub sk_userlocks_shift: u32,
    /// `net.dev_base_head.next`
    pub net_devices: u32,
    /// `net_device.dev_list.next`
    pub dev_list: u32,
    /// `net_device.ip_ptr`
    pub ip_ptr: u32,
    /// `net_device.ip6_ptr`
    pub ip6_ptr: u32,
    /// `in_device.ifa_list`
    pub ifa_list: u32,
    /// `in_ifaddr.ifa_next`
    pub ifa_next: u32,
    /// `in_ifaddr.ifa_local`
    pub ifa_local: u32,
    /// `in_ifaddr.ifa_mask`
    pub ifa_mask: u32,
    /// `inet6_dev.addr_list.next`
    pub addr_list: u32,
    /// `inet6_ifaddr.if_list.next`
    pub if_list: u32,
    /// `inet6_ifaddr.addr`
    pub if_addr: u32,
    /// `inet6_ifaddr.prefix_len`
    pub prefix_len: u32,
}

const _: () = assert!(size_of::<Offsets>() == 48 * 4);
