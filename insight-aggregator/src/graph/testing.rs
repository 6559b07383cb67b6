//! Small worlds to make graphs of, and graphs in one line an edge.

use std::net::IpAddr;
use std::sync::Arc;

use insight_proto::v1;

use super::{Filter, Part, Query, Range, build};
use crate::identity::{entity, scope_of};
use crate::kubernetes::Index;
use crate::model::{
    Counters, Dialed, Entity, Level, Minute, Protocol, RowKey, Side, Sum, UnixMs, Window,
};

/// 2026-01-31T12:00:00Z, where every test's range starts.
pub(super) const START: UnixMs = 1_769_860_800_000;
/// 15 minutes later, where it ends.
pub(super) const END: UnixMs = START + super::DEFAULT_RANGE_MS;

/// A container of a pod; the ids are as short as the names.
pub(super) fn container(node: &str, pod: &str, id: &str) -> Entity {
    let owner = v1::Owner {
        path: format!("/kubepods/{pod}/{id}"),
        pod_uid: pod.to_owned(),
        container_id: id.to_owned(),
        qos: "burstable".to_owned(),
        ..v1::Owner::default()
    };
    entity(&owner, node)
}

/// A pod with one container: "pod:a" has "container:a1".
pub(super) fn pod(node: &str, pod: &str) -> Entity {
    container(node, pod, &format!("{pod}1"))
}

/// A systemd unit.
pub(super) fn unit(node: &str, unit: &str) -> Entity {
    let owner = v1::Owner {
        path: format!("/system.slice/{unit}"),
        unit: unit.to_owned(),
        ..v1::Owner::default()
    };
    entity(&owner, node)
}

/// The same in a Kubernetes namespace.
pub(super) fn within(namespace: &str, entity: Entity) -> Entity {
    Entity {
        namespace: namespace.to_owned(),
        ..entity
    }
}

/// So many connections opened, bytes sent and bytes received by the measured end.
pub(super) fn counts(opened: u64, bytes_sent: u64, bytes_received: u64) -> Counters {
    Counters {
        opened,
        bytes_sent,
        bytes_received,
        ..Counters::default()
    }
}

/// So many connects refused.
pub(super) fn refused(failed_refused: u64) -> Counters {
    Counters {
        failed_refused,
        ..Counters::default()
    }
}

/// Packets went here.
pub(super) fn to(address: &str) -> Dialed {
    Dialed::Translated {
        to: address.parse().unwrap(),
        source: None,
        scope: 0,
    }
}

/// A window that is filled row by row.
#[derive(Clone)]
pub(super) struct World {
    pub(super) window: Window,
    pub(super) index: Arc<Index>,
}

impl World {
    pub(super) fn new() -> Self {
        let window = Window {
            from: START,
            to: END,
            ..Window::default()
        };
        Self {
            window,
            index: Arc::default(),
        }
    }

    /// What Kubernetes says.
    pub(super) fn knowing(mut self, index: Index) -> Self {
        self.index = Arc::new(index);
        self
    }

    /// `who` called `remote` on `port`.
    pub(super) fn client(
        self,
        who: &Entity,
        local: &str,
        remote: &str,
        port: u16,
        counters: Counters,
    ) -> Self {
        self.row(Side::Client, who, [local, remote], port, counters)
    }

    /// `who` was called by `remote` on its `port`.
    pub(super) fn server(
        self,
        who: &Entity,
        local: &str,
        remote: &str,
        port: u16,
        counters: Counters,
    ) -> Self {
        self.row(Side::Server, who, [local, remote], port, counters)
    }

    /// The rows so far: nobody saw who began.
    pub(super) fn by_nobody(mut self) -> Self {
        let rows = std::mem::take(&mut self.window.rows);
        for (mut key, sum) in rows.into_pairs() {
            key.side = match key.side.is_server() {
                true => Side::PerhapsServer,
                false => Side::PerhapsClient,
            };
            self.window.rows.insert(key, sum);
        }
        self
    }

    fn row(
        mut self,
        side: Side,
        who: &Entity,
        [local, remote]: [&str; 2],
        port: u16,
        counters: Counters,
    ) -> Self {
        let (local_addr, remote_addr) = (local.parse().unwrap(), remote.parse().unwrap());
        let key = RowKey {
            side,
            local: who.id.clone(),
            local_addr,
            remote_addr,
            remote_prefix: 0,
            port,
            protocol: Protocol::Tcp,
            // One boot and one namespace a node.
            scope: scope_of(local_addr, remote_addr, &who.node, 1),
            own: false,
            era: 0,
        };
        let sum = Sum {
            counters,
            first_seen: START,
            last_seen: START + 5000,
        };
        self.window.rows.insert(key, sum);
        self.window.entities.insert(who.id.clone(), who.clone());
        self
    }

    /// Whatever was measured so far is Insight's own.
    pub(super) fn own(mut self) -> Self {
        let rows = std::mem::take(&mut self.window.rows).into_pairs();
        let own = rows.map(|(key, sum)| (RowKey { own: true, ..key }, sum));
        self.window.rows = own.collect();
        self
    }

    /// The rows of `who` to `remote` and `port` have these addresses in between.
    pub(super) fn dialed(mut self, who: &Entity, remote: &str, port: u16, all: &[Dialed]) -> Self {
        let remote_addr: IpAddr = remote.parse().unwrap();
        let rows = self.window.rows.keys().filter(|key| {
            (key.side, &key.local) == (Side::Client, &who.id)
                && (key.remote_addr, key.port) == (remote_addr, port)
        });
        for key in rows {
            let known = self.window.dialed.entry(key.clone()).or_default();
            known.extend(all);
        }
        self
    }

    pub(super) fn graph(&self, level: Level) -> v1::Graph {
        build(&self.window, &query(level), &self.index).unwrap()
    }

    /// The workload graph's edges, each in one line.
    pub(super) fn edges(&self) -> Vec<String> {
        edges(&self.graph(Level::Workload))
    }
}

/// All of a level.
pub(super) fn query(level: Level) -> Query {
    Query {
        range: Range {
            from: Minute::of(START).start(),
            to: END,
        },
        part: Part {
            level,
            ..Part::default()
        },
    }
}

/// The filter that a question makes.
pub(super) fn filter(ask: impl FnOnce(&mut v1::GraphQuery)) -> Filter {
    part(ask).filter
}

/// The part that a question makes.
pub(super) fn part(ask: impl FnOnce(&mut v1::GraphQuery)) -> Part {
    let mut question = v1::GraphQuery::default();
    ask(&mut question);
    Query::parse(&question, END).unwrap().part
}

/// "client > server :port c 1/2/3 s -": connections opened, bytes sent and received, in both views, in order of the text.
pub(super) fn edges(graph: &v1::Graph) -> Vec<String> {
    let view = |view: &Option<v1::EdgeView>| match view {
        None => "-".to_owned(),
        Some(view) if view.connections_failed > 0 => format!("failed {}", view.connections_failed),
        Some(view) => format!(
            "{}/{}/{}",
            view.connections_opened, view.bytes_sent, view.bytes_received
        ),
    };
    let mut lines: Vec<String> = graph
        .edges
        .iter()
        .map(|edge| {
            let [client, server] = [view(&edge.client_view), view(&edge.server_view)];
            format!(
                "{} > {} :{} c {client} s {server}",
                edge.client, edge.server, edge.port
            )
        })
        .collect();
    lines.sort();
    lines
}

/// A xorshift generator: the same sequence for the same seed on every machine.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    /// Any filters that the worlds of [`Self::world`] have something for and against, each in half of the questions.
    pub(super) fn filters(&mut self) -> v1::GraphQuery {
        let mut some = |values: &[&[&str]]| {
            let pick = self.below(2 * values.len() as u64) as usize;
            let picked = values.get(pick).copied().unwrap_or_default();
            picked.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        v1::GraphQuery {
            namespaces: some(&[&["shop"], &["pay"], &["pay", "shop"], &["void"]]),
            selector: some(&[&["!app"], &["app"], &["tier!=db,app notin (x)"]]).concat(),
            kinds: some(&[&["pod"], &["Unit", "external"], &["ambiguous"]]),
            ports: some(&[&["80"], &["81-90"], &["1-79", "80-81"]]),
            protocols: some(&[&["tcp"], &["udp"], &["udp", "tcp"]]),
            min_bytes: self.below(2) * self.below(1500),
            min_connections: self.below(2) * self.below(4),
            ..v1::GraphQuery::default()
        }
    }

    /// Any part of such a world that needs no node's name.
    pub(super) fn part(&mut self, level: Level) -> Part {
        let by = ["", "bytes", "connections", "failures"];
        let mut query = v1::GraphQuery {
            level: level.as_str().to_owned(),
            unconnected: self.below(2) == 0,
            ..self.filters()
        };
        if matches!(level, Level::Node | Level::Zone) {
            query.namespaces.clear();
        }
        if self.below(2) == 0 {
            query.top = Some(self.below(12) as u32);
            query.top_by = by[self.below(4) as usize].to_owned();
        }
        Query::parse(&query, END).unwrap().part
    }

    /// A world of two nodes with pods and units that share few addresses, so that every rule of the join is met.
    pub(super) fn world(&mut self) -> World {
        let entities = [
            within("shop", container("n1", "a", "a1")),
            within("shop", container("n1", "a", "a2")),
            within("shop", pod("n1", "b")),
            within("pay", pod("n2", "c")),
            unit("n1", "x.service"),
            unit("n2", "y.service"),
        ];
        let addresses = [
            "10.0.0.1",
            "10.0.0.2",
            "10.0.0.3",
            "127.0.0.1",
            "fe80::1",
            "192.0.2.7",
        ];
        let mut world = World::new();
        for _ in 0..self.below(40) {
            let pick = |random: &mut Self, from: usize| random.below(from as u64) as usize;
            let who = &entities[pick(self, entities.len())];
            let local = addresses[pick(self, addresses.len() - 1)];
            let remote = addresses[pick(self, addresses.len())];
            let side = if self.below(2) == 0 {
                Side::Client
            } else {
                Side::Server
            };
            let counters = Counters {
                failed_refused: self.below(2),
                active: self.below(2),
                ..counts(self.below(3), self.below(1000), self.below(1000))
            };
            let port = 80 + self.below(2) as u16;
            let next = world.clone().window;
            let known = next.rows.keys().any(|key| {
                (key.side, &key.local, key.port) == (side, &who.id, port)
                    && key.local_addr.to_string() == local
                    && key.remote_addr.to_string() == remote
            });
            if !known {
                world = world.row(side, who, [local, remote], port, counters);
            }
        }
        world
    }
}
