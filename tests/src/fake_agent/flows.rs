//! Columns of flows between numbered containers.

use std::collections::BTreeMap;

use insight_proto::v1::{Endpoint, FlowColumns, Owner, Protocol, Role};

/// What two containers did since the batch before; the connections are over.
#[derive(Clone, Copy, Debug)]
pub struct Talk {
    /// Number of the client's container.
    pub client: u16,
    /// Number of the server's container.
    pub server: u16,
    /// The server's port.
    pub port: u16,
    /// Connections.
    pub connections: u64,
    /// Bytes, client to server.
    pub sent: u64,
    /// Bytes, server to client.
    pub received: u64,
}

/// Id of a numbered container's node at container level.
pub fn container_node(number: u16) -> String {
    format!("container:{}", container_id(number))
}

/// Id of its pod's node at workload level.
pub fn pod_node(number: u16) -> String {
    format!("pod:{}", pod_uid(number))
}

fn container_id(number: u16) -> String {
    format!("{number:064x}")
}

fn pod_uid(number: u16) -> String {
    format!("7e570000-0000-4000-8000-{number:012x}")
}

fn cgroup_id(number: u16) -> u64 {
    100_000 + u64::from(number)
}

/// Both ends of each talk as rows, and the owners that they mention.
pub fn talks(talks: &[Talk]) -> (FlowColumns, Vec<Owner>) {
    let mut builder = Builder::default();
    for talk in talks {
        builder.row(talk, Role::Client);
        builder.row(talk, Role::Server);
    }
    (builder.columns, builder.owners.into_values().collect())
}

#[derive(Default)]
struct Builder {
    columns: FlowColumns,
    // (container, whether it is a remote end) → index in the dictionary.
    known: BTreeMap<(u16, bool), u32>,
    owners: BTreeMap<u16, Owner>,
}

impl Builder {
    fn row(&mut self, talk: &Talk, role: Role) {
        let (local, remote, sent, received) = match role {
            Role::Server => (talk.server, talk.client, talk.received, talk.sent),
            _ => (talk.client, talk.server, talk.sent, talk.received),
        };
        let local = self.local(local);
        let remote = self.endpoint(remote, true);
        let columns = &mut self.columns;
        columns.local.push(local);
        columns.remote.push(remote);
        columns.port.push(u32::from(talk.port));
        columns.protocol.push(Protocol::Tcp.into());
        columns.role.push(role.into());
        columns.opened.push(talk.connections);
        columns.closed.push(talk.connections);
        columns.bytes_sent.push(sent);
        columns.bytes_received.push(received);
        for nothing in [
            &mut columns.failed_refused,
            &mut columns.failed_timed_out,
            &mut columns.failed_unreachable,
            &mut columns.failed_other,
            &mut columns.active,
            &mut columns.retransmits,
        ] {
            nothing.push(0);
        }
    }

    fn local(&mut self, number: u16) -> u32 {
        self.owners.entry(number).or_insert_with(|| Owner {
            cgroup_id: cgroup_id(number),
            path: format!(
                "/kubepods/burstable/pod{}/{}",
                pod_uid(number),
                container_id(number)
            ),
            level: "container".to_owned(),
            pod_uid: pod_uid(number),
            container_id: container_id(number),
            runtime: "unknown".to_owned(),
            qos: "burstable".to_owned(),
            ..Owner::default()
        });
        self.endpoint(number, false)
    }

    fn endpoint(&mut self, number: u16, remote: bool) -> u32 {
        let endpoints = &mut self.columns.endpoints;
        *self.known.entry((number, remote)).or_insert_with(|| {
            let [high, low] = number.to_be_bytes();
            endpoints.push(Endpoint {
                address: vec![10, 9, high, low],
                cgroup_id: if remote { 0 } else { cgroup_id(number) },
                netns: if remote { 0 } else { u64::from(number) + 1 },
                ..Endpoint::default()
            });
            u32::try_from(endpoints.len() - 1).unwrap_or(u32::MAX)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_talk_is_two_rows() {
        let talk = Talk {
            client: 1,
            server: 2,
            port: 80,
            connections: 3,
            sent: 4,
            received: 5,
        };
        let (columns, owners) = talks(&[talk, talk]);
        assert_eq!(owners.len(), 2);
        assert_eq!(columns.endpoints.len(), 4);
        assert_eq!(columns.local.len(), 4);
        assert_eq!(columns.bytes_sent, [4, 5, 4, 5]);
        assert_eq!(columns.retransmits.len(), 4);
    }
}
