//! Connections that stay open show what they have moved, and how many they are.

use anyhow::Result;
use insight_tests::reader::Counts;
use insight_tests::traffic::{Held, at, serve};
use insight_tests::world::{Pods, Product};

const PORT: u16 = 7001;

#[test]
fn bytes_show_while_the_connection_is_open() -> Result<()> {
    Pods::exact("bytes show while the connection is open", |pods| {
        let product = Product::watch(&pods.root, "300ms")?;
        let _serving = serve(&pods.server, PORT)?;
        let to = at(pods.server.addresses.v4, PORT);
        let mut held = Held::open(&pods.client, to, 3, 0)?;
        product.expect(pods, PORT, &Counts::open(&held.tally))?;
        for (send, receive) in [(16, 0), (1_000_001, 77), (20, 3_000_003)] {
            held.exchange(send, receive)?;
            product.expect(pods, PORT, &Counts::open(&held.tally))?;
        }
        let truth = held.close()?;
        product.expect(pods, PORT, &Counts::finished(&truth))
    })
}

/// Three processes have every socket open, so the readout meets each one three times.
#[test]
fn shared_descriptors_count_once() -> Result<()> {
    Pods::exact("shared descriptors count once", |pods| {
        let product = Product::watch(&pods.root, "300ms")?;
        let _serving = serve(&pods.server, PORT)?;
        let to = at(pods.server.addresses.v6, PORT);
        let mut shared = Held::open(&pods.client, to, 4, 2)?;
        shared.exchange(5_000, 60_000)?;
        product.expect(pods, PORT, &Counts::open(&shared.tally))?;

        // Others on the same flow come and go.
        let mut other = Held::open(&pods.client, to, 2, 0)?;
        other.exchange(100, 200)?;
        product.expect(pods, PORT, &Counts::open(&(shared.tally + other.tally)))?;
        let gone = other.close()?;
        let expected = Counts {
            closed: gone.connections,
            active: shared.tally.connections,
            ..Counts::open(&(shared.tally + gone))
        };
        product.expect(pods, PORT, &expected)?;

        let truth = shared.close()? + gone;
        product.expect(pods, PORT, &Counts::finished(&truth))
    })
}
