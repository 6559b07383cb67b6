//! All objects at one moment, in parts. The manifest is written last: without it there is no snapshot.

use std::ops::Bound;

use anyhow::{Context as _, Result, ensure};
use insight_proto::storage as stored;
use xxhash_rust::xxh3::Xxh3Default;

use super::form;
use super::rows::{self, NAMES, SHARDS};
use crate::kubernetes::object::{ApiKind, Owner, Text};
use crate::kubernetes::{Index, Stored, Watch};
use crate::model::UnixMs;
use crate::store::{Put, Scan, Store};

/// The largest part, bytes.
const MAX_PART: usize = 512 << 10;
/// What is compressed at once, bytes: with the usual seven to one a part stays below its limit, and is cut in two if not.
const RAW_PART: usize = 2 << 20;
/// What is written at once, bytes.
const MAX_WRITE: usize = 4 << 20;

/// What an index holds, copied while it was locked.
#[derive(Debug, Default)]
pub(super) struct Image {
    objects: Vec<Stored>,
    controllers: Vec<(Text, Option<Owner>)>,
    watches: Vec<(ApiKind, Watch)>,
}

impl Image {
    /// A copy. Texts are shared.
    pub(super) fn of(index: &Index) -> Self {
        Self {
            objects: index.objects().cloned().collect(),
            controllers: index
                .controllers_gone()
                .map(|(uid, controller)| (Text::clone(uid), controller.cloned()))
                .collect(),
            watches: index
                .watches()
                .map(|(kind, watch)| (kind.clone(), watch.clone()))
                .collect(),
        }
    }

    fn parts_of(&self, shard: u8) -> Result<Vec<Vec<u8>>> {
        let objects = self.objects.iter();
        let objects = objects.filter(|of| rows::shard_of(&of.object.meta.uid) == shard);
        let controllers = self.controllers.iter();
        let controllers = controllers.filter(|(uid, _)| rows::shard_of(uid) == shard);
        let mut part = stored::Part {
            controllers: controllers
                .map(|(uid, controller)| form::of_controller(uid, controller.as_ref()))
                .collect(),
            ..stored::Part::default()
        };
        if shard == 0 {
            let watches = self.watches.iter();
            part.watches = watches
                .map(|(kind, watch)| form::of_watch(kind, watch))
                .collect();
        }
        let (mut parts, mut raw) = (Vec::new(), 0);
        for object in objects {
            let object = form::of_stored(object);
            raw += prost::Message::encoded_len(&object);
            part.objects.push(object);
            if raw >= RAW_PART {
                add(&mut parts, std::mem::take(&mut part))?;
                raw = 0;
            }
        }
        if part != stored::Part::default() {
            add(&mut parts, part)?;
        }
        Ok(parts)
    }
}

/// Compresses a part, in several if it is too large for one.
fn add(parts: &mut Vec<Vec<u8>>, mut part: stored::Part) -> Result<()> {
    let value = form::compress(&part)?;
    if value.len() <= MAX_PART || part.objects.len() < 2 {
        parts.push(value);
        return Ok(());
    }
    let rest = part.objects.split_off(part.objects.len() / 2);
    add(parts, part)?;
    add(
        parts,
        stored::Part {
            objects: rest,
            ..stored::Part::default()
        },
    )
}

/// A snapshot that is to be written.
pub(super) struct Snapshot {
    /// Its parts, to be written first, in these writes.
    pub(super) parts: Vec<Vec<Put>>,
    /// What makes it one.
    pub(super) manifest: Put,
    /// Bytes of its parts.
    pub(super) bytes: u64,
}

/// Makes a snapshot of an image that has all changes of `writer` up to `order`.
pub(super) fn make(image: &Image, at: UnixMs, writer: u64, order: u64) -> Result<Snapshot> {
    let window = rows::window_of(at);
    let mut checksum = Xxh3Default::new();
    let mut manifest = stored::Manifest {
        at,
        order,
        writer,
        objects: u64::try_from(image.objects.len())?,
        ..stored::Manifest::default()
    };
    let (mut writes, mut of_write) = (vec![Vec::new()], 0);
    for shard in 0..SHARDS {
        let parts = image.parts_of(shard)?;
        manifest.parts.push(u32::try_from(parts.len())?);
        for (number, value) in (0_u32..).zip(parts) {
            checksum.update(&value);
            manifest.bytes += u64::try_from(value.len())?;
            of_write += value.len();
            if of_write > MAX_WRITE {
                writes.push(Vec::new());
                of_write = value.len();
            }
            let put = Put {
                table: NAMES,
                window,
                partition: rows::of_parts(at, writer, shard),
                clustering: number.to_be_bytes().to_vec(),
                value,
            };
            writes.last_mut().context("there is a write")?.push(put);
        }
    }
    manifest.checksum = checksum.digest();
    let bytes = manifest.bytes;
    let manifest = Put {
        table: NAMES,
        window,
        partition: rows::of_manifests(),
        clustering: rows::pair(rows::ordered(at), writer),
        value: form::encode(&manifest),
    };
    Ok(Snapshot {
        parts: writes,
        manifest,
        bytes,
    })
}

/// The manifests of a window from `from` until `to`, both included, newest first.
pub(super) fn manifests(
    store: &dyn Store,
    window: u64,
    from: UnixMs,
    to: UnixMs,
) -> Result<Vec<stored::Manifest>> {
    let scan = Scan {
        range: (
            Bound::Included(rows::pair(rows::ordered(from), 0)),
            Bound::Included(rows::pair(rows::ordered(to), u64::MAX)),
        ),
        reverse: true,
        ..Scan::partition(NAMES, window, rows::of_manifests())
    };
    let found = store.scan(&scan)?;
    found.iter().map(|row| form::decode(&row.value)).collect()
}

/// The parts of a snapshot. An error if one is missing or not what was written.
pub(super) fn load(store: &dyn Store, of: &stored::Manifest) -> Result<Vec<stored::Part>> {
    let mut checksum = Xxh3Default::new();
    let mut all = Vec::new();
    for (shard, &parts) in (0_u8..).zip(&of.parts) {
        if parts == 0 {
            continue;
        }
        let partition = rows::of_parts(of.at, of.writer, shard);
        let found = store.scan(&Scan::partition(NAMES, rows::window_of(of.at), partition))?;
        ensure!(
            found.len() == usize::try_from(parts)?,
            "shard {shard} of the snapshot of names at {} has {} parts of {parts}",
            of.at,
            found.len()
        );
        for row in found {
            checksum.update(&row.value);
            all.push(form::decode(&row.value)?);
        }
    }
    ensure!(
        checksum.digest() == of.checksum,
        "the snapshot of names at {} is not what was written",
        of.at
    );
    Ok(all)
}
